//! The heartbeat: renews this node in the store, as long as its core actors answer.
//!
//! On a thread of its own, so that nothing that goes on on the arbiter delays it. Embedded, the renewal goes through the
//! stage like every other write: SQLite has one writer, and there is no other node that could take offence.

use std::{sync::Arc, time::Duration};

use actix::prelude::*;

use super::{
    dispatcher::Dispatcher,
    node::Node,
    supervision::{Shutdown, Supervisor, tree_actor},
    tree,
};

/// How long a core actor may take to answer.
const ANSWER: Duration = Duration::from_secs(2);

pub(super) struct Heartbeat(pub Arc<Node>);

impl Heartbeat {
    fn beat(&mut self, ctx: &mut Context<Self>) {
        let node = self.0.clone();
        let every = node.settings.heartbeat;
        let work = async move {
            if !core_answers(&node).await {
                log::error!("The core actors do not answer: this node is not renewed");
                return;
            }
            match node.engine.beat().await {
                Ok(true) => {}
                Ok(false) => node.fence(),
                Err(error) => log::warn!("The heartbeat could not be recorded: {error}"),
            }
        };
        ctx.spawn(work.into_actor(self).map(move |(), _, ctx| {
            ctx.run_later(every, Self::beat);
        }));
    }
}

async fn core_answers(node: &Node) -> bool {
    let supervisors = [tree::SLOTS, tree::QUEUES].map(|name| node.directory.get::<Supervisor>(name));
    for supervisor in supervisors.into_iter().flatten() {
        if !matches!(tokio::time::timeout(ANSWER, supervisor.answers()).await, Ok(Ok(()))) {
            return false;
        }
    }
    // One that is being restarted has no address: its supervisor, which answers, sees to it.
    match node.directory.get::<Dispatcher>(tree::DISPATCHER) {
        Some(dispatcher) => tokio::time::timeout(ANSWER, dispatcher.answers()).await.is_ok(),
        None => true,
    }
}

impl Actor for Heartbeat {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.beat(ctx);
    }
}

impl Handler<Shutdown> for Heartbeat {
    type Result = ();

    fn handle(&mut self, _: Shutdown, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

tree_actor!(Heartbeat);
