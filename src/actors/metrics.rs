//! The metrics actor: moves this node's figures to the store every few seconds, and once more when the node stops.

use std::{sync::Arc, time::Duration};

use actix::prelude::*;

use super::{
    node::Node,
    supervision::{Shutdown, tree_actor},
};

/// A node that is killed loses the figures of this long at most.
const EVERY: Duration = Duration::from_secs(5);

pub(super) struct Metrics(Arc<Node>);

impl Metrics {
    pub(super) fn new(node: Arc<Node>) -> Self {
        Self(node)
    }

    fn flush(&self) -> impl Future<Output = ()> + use<> {
        let engine = self.0.engine.clone();
        async move {
            if let Err(error) = engine.flush_metrics().await {
                log::debug!("Figures wait for the store: {error}");
            }
        }
    }

    fn flush_again(&mut self, ctx: &mut Context<Self>) {
        ctx.spawn(self.flush().into_actor(self).map(|(), _, ctx| {
            ctx.run_later(EVERY, Self::flush_again);
        }));
    }
}

impl Actor for Metrics {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.flush_again(ctx);
    }
}

impl Handler<Shutdown> for Metrics {
    type Result = ();

    fn handle(&mut self, _: Shutdown, ctx: &mut Self::Context) {
        ctx.wait(self.flush().into_actor(self).map(|(), _, ctx| ctx.stop()));
    }
}

tree_actor!(Metrics);
