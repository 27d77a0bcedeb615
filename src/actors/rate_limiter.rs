//! The rate limiter: keeps a queue closed until the moment it may go on, and opens it then.
//!
//! Decided is that moment elsewhere, in the claim: when the next permit of a limit is free, or a while after the store has
//! failed the queue.

use std::{sync::Arc, time::Duration};

use actix::prelude::*;

use super::{
    node::Node,
    supervision::{Shutdown, tree_actor},
    timers::Timers,
};
use crate::task::Millis;

/// Nothing of the queue may start before this moment.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Block {
    pub queue: Arc<str>,
    pub until: Millis,
}

/// Timers of blocked queues. Should it crash, the sweep opens them.
pub struct RateLimiter {
    node: Arc<Node>,
    timers: Timers,
}

impl RateLimiter {
    pub fn new(node: Arc<Node>) -> Self {
        Self { node, timers: Timers::default() }
    }
}

impl Actor for RateLimiter {
    type Context = Context<Self>;
}

impl Handler<Block> for RateLimiter {
    type Result = ();

    fn handle(&mut self, Block { queue, until }: Block, ctx: &mut Self::Context) {
        self.timers.add(queue, until);
        let wait = u64::try_from(until - self.node.engine.clock().now()).unwrap_or(0);
        ctx.run_later(Duration::from_millis(wait), |actor, _| {
            let now = actor.node.engine.clock().now();
            for queue in actor.timers.due(now) {
                actor.node.wake(&queue);
            }
        });
    }
}

impl Handler<Shutdown> for RateLimiter {
    type Result = ();

    fn handle(&mut self, _: Shutdown, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

tree_actor!(RateLimiter);
