//! The keeper of the API's keys: learns of those that others have changed in the store, and notes there which were used.

use std::{sync::Arc, time::Duration};

use actix::prelude::*;

use super::{
    node::Node,
    supervision::{Shutdown, tree_actor},
};

/// A key that was revoked by another process is good for so long at most.
const EVERY: Duration = Duration::from_secs(1);

pub(super) struct KeyKeeper(Arc<Node>);

impl KeyKeeper {
    pub(super) fn new(node: Arc<Node>) -> Self {
        Self(node)
    }

    fn renew(&mut self, ctx: &mut Context<Self>) {
        let node = self.0.clone();
        let work = async move {
            if let Err(error) = node.engine.renew_keys().await {
                log::debug!("The keys could not be read again: {error}");
            }
        };
        ctx.spawn(work.into_actor(self).map(|(), _, ctx| {
            ctx.run_later(EVERY, Self::renew);
        }));
    }
}

impl Actor for KeyKeeper {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_later(EVERY, Self::renew);
    }
}

impl Handler<Shutdown> for KeyKeeper {
    type Result = ();

    fn handle(&mut self, _: Shutdown, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

tree_actor!(KeyKeeper);
