//! Duties that take no input: each looks at the store every so often and mends what it finds. Harmless at any time.

use std::{sync::Arc, time::Duration};

use actix::prelude::*;

use super::{
    node::Node,
    supervision::{Shutdown, tree_actor},
};
use crate::{
    store::{Pruned, RetentionLimits},
    task::{Millis, TaskId},
};

/// Leases younger than this may be on their way to a slot.
const LOST_AFTER: Millis = 5_000;
const HOUR: Millis = 3_600_000;

/// The dependency resolver: tells children of their parents' end, where there were too many to be told with it, and gives
/// back tasks that a crash has left granted to this node and held by nobody in it.
pub(super) struct DependencyResolver {
    node: Arc<Node>,
    resolving: bool,
    /// Poked while it was at it.
    again: bool,
}

/// There are children to tell.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Poke;

/// The pruner: deletes what is past its retention, a few hundred rows at a time.
pub(super) struct Pruner {
    node: Arc<Node>,
    /// Where the walk over the tasks goes on.
    after: Option<TaskId>,
}

impl DependencyResolver {
    const EVERY: Duration = Duration::from_secs(2);
    /// Children told in one transaction.
    const STEP: usize = 500;

    pub(super) fn new(node: Arc<Node>) -> Self {
        Self { node, resolving: false, again: false }
    }

    fn release_lost(&mut self, ctx: &mut Context<Self>) {
        let node = self.node.clone();
        let work = async move {
            match node.engine.release_lost(LOST_AFTER).await {
                Ok(0) => {}
                Ok(n) => {
                    log::warn!(tasks = n; "Tasks granted to this node were held by nobody in it; they are queued again")
                }
                Err(error) => log::debug!("Lost leases could not be looked for: {error}"),
            }
        };
        ctx.spawn(work.into_actor(self).map(|(), actor, ctx| {
            actor.resolve(ctx);
            ctx.run_later(Self::EVERY, Self::release_lost);
        }));
    }

    fn resolve(&mut self, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.resolving, true) {
            self.again = true;
            return;
        }
        let node = self.node.clone();
        let work = async move { node.engine.resolve(Self::STEP).await };
        ctx.spawn(work.into_actor(self).map(|more, actor, ctx| {
            actor.resolving = false;
            let again = std::mem::take(&mut actor.again);
            match more {
                Ok(more) if more || again => actor.resolve(ctx),
                Ok(_) => {}
                Err(error) => log::debug!("Children could not be told of their parents' end: {error}"),
            }
        }));
    }
}

impl Actor for DependencyResolver {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.release_lost(ctx);
    }
}

impl Handler<Poke> for DependencyResolver {
    type Result = ();

    fn handle(&mut self, _: Poke, ctx: &mut Self::Context) {
        self.resolve(ctx);
    }
}

impl Pruner {
    const EVERY: Duration = Duration::from_secs(60);
    /// Between two steps of a walk: others are to be served meanwhile.
    const STEP: Duration = Duration::from_millis(50);
    const ROWS: usize = 500;

    pub(super) fn new(node: Arc<Node>) -> Self {
        Self { node, after: None }
    }

    fn prune(&mut self, ctx: &mut Context<Self>) {
        let (node, after) = (self.node.clone(), self.after);
        let work = async move {
            let now = node.engine.clock().now();
            let limits = RetentionLimits {
                now,
                success_before: now - 24 * HOUR,
                others_before: now - 7 * 24 * HOUR,
                idempotency_before: now - 24 * HOUR,
                workers_before: now - 24 * HOUR,
                minutes_before: now - 26 * HOUR,
                hours_before: now - 91 * 24 * HOUR,
                audit_before: now - 90 * 24 * HOUR,
                rows: Self::ROWS,
            };
            node.engine.prune(limits, after).await
        };
        ctx.spawn(work.into_actor(self).map(|next, actor, ctx| {
            let Pruned { next, again } = next.unwrap_or_else(|error| {
                log::debug!("Nothing could be pruned: {error}");
                Pruned::default()
            });
            actor.after = next;
            let wait = if next.is_some() || again { Self::STEP } else { Self::EVERY };
            ctx.run_later(wait, Self::prune);
        }));
    }
}

impl Actor for Pruner {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // Not at once: a start has more urgent things to do.
        ctx.run_later(Self::EVERY, Self::prune);
    }
}

macro_rules! stops_at_once {
    ($($actor:ty),+) => {$(
        impl Handler<Shutdown> for $actor {
            type Result = ();

            fn handle(&mut self, _: Shutdown, ctx: &mut Self::Context) {
                ctx.stop();
            }
        }

        tree_actor!($actor);
    )+};
}

stops_at_once!(DependencyResolver, Pruner);
