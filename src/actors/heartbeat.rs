//! The heartbeat: renews this node in the store, as long as its core actors answer.
//!
//! On a thread of its own, so that nothing that goes on on the arbiter delays it, and where there may be other nodes with a
//! connection of its own. Embedded, the renewal goes through the stage like every other write: SQLite has one writer, and
//! there is no other node that could take offence.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix::prelude::*;

use super::{
    dispatcher::Dispatcher,
    node::Node,
    supervision::{Shutdown, Supervisor, tree_actor},
    tree,
};
use crate::task::Pulses;

/// How long a core actor may take to answer.
const ANSWER: Duration = Duration::from_secs(2);

/// How often the heartbeats of other nodes are looked at, and what they ask of this one.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(super) struct Heartbeat {
    node: Arc<Node>,
    pulses: Pulses,
    /// The clock that the others are judged by: it never jumps.
    began: Instant,
}

/// Something may have been asked of this node.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct LookAtOrders;

impl Heartbeat {
    pub(super) fn new(node: Arc<Node>) -> Self {
        Self { node, pulses: Pulses::default(), began: Instant::now() }
    }

    fn look(&mut self, ctx: &mut Context<Self>) {
        let (node, now) = (self.node.clone(), self.began.elapsed().as_millis() as i64);
        let mut pulses = std::mem::take(&mut self.pulses);
        let work = async move {
            if let Err(error) = node.engine.hear_cancels().await {
                log::debug!("Cancels could not be looked for: {error}");
            }
            look_at_orders(&node).await;
            let reaped = node.engine.reap_silent(&mut pulses, now).await;
            (pulses, reaped)
        };
        ctx.spawn(work.into_actor(self).map(|(pulses, reaped), actor, ctx| {
            actor.pulses = pulses;
            match reaped {
                Ok(reaped) if reaped.workers > 0 => log::warn!(
                    workers = reaped.workers, requeued = reaped.requeued.len(), poisoned = reaped.poisoned.len(),
                    cancelled = reaped.cancelled.len();
                    "A node has fallen silent; its tasks were taken back"
                ),
                Ok(_) => {}
                Err(error) => log::debug!("The other nodes could not be looked at: {error}"),
            }
            ctx.run_later(LOOK_EVERY, Self::look);
        }));
    }

    fn beat(&mut self, ctx: &mut Context<Self>) {
        let node = self.node.clone();
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
            look_at_orders(&node).await;
        };
        ctx.spawn(work.into_actor(self).map(move |(), _, ctx| {
            ctx.run_later(every, Self::beat);
        }));
    }
}

async fn look_at_orders(node: &Node) {
    if let Err(error) = node.look_at_orders().await {
        log::debug!("What is asked of this node could not be looked at: {error}");
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
        // Alone, too: remote workers may fall silent.
        self.look(ctx);
    }
}

impl Handler<LookAtOrders> for Heartbeat {
    type Result = ();

    fn handle(&mut self, _: LookAtOrders, ctx: &mut Self::Context) {
        let node = self.node.clone();
        ctx.spawn(async move { look_at_orders(&node).await }.into_actor(self));
    }
}

impl Handler<Shutdown> for Heartbeat {
    type Result = ();

    fn handle(&mut self, _: Shutdown, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

tree_actor!(Heartbeat);
