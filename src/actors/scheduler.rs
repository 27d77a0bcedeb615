//! The scheduler: wakes queues when a task's time has come, looks for ready tasks that nobody was told of, and ends those
//! that were not started in time.

use std::{sync::Arc, time::Duration};

use actix::prelude::*;

use super::{
    node::Node,
    supervision::{Shutdown, tree_actor},
    timers::Timers,
};
use crate::task::Millis;

/// Between two looks for lost hints.
const SWEEP: Duration = Duration::from_secs(2);
/// Between two looks for tasks whose time is over; a claim in between sees it by itself.
const EXPIRE: Duration = Duration::from_secs(1);
const EXPIRED_AT_ONCE: usize = 500;
/// Queues looked at in one sweep; the next goes on behind them.
const QUEUES_PER_SWEEP: usize = 64;
/// Rows at the front of each lane that are told again.
const ROWS_PER_LANE: usize = 16;

/// A task of the queue becomes ready at this moment.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Due {
    pub queue: Arc<str>,
    pub at: Millis,
}

/// Timers of queues whose next task is not ready yet; all of it comes back with the next claim or sweep.
pub struct Scheduler {
    node: Arc<Node>,
    timers: Timers,
    alarm: Option<SpawnHandle>,
    swept_to: Option<String>,
}

impl Scheduler {
    pub fn new(node: Arc<Node>) -> Self {
        Self { node, timers: Timers::default(), alarm: None, swept_to: None }
    }

    fn set_alarm(&mut self, ctx: &mut Context<Self>) {
        if let Some(alarm) = self.alarm.take() {
            ctx.cancel_future(alarm);
        }
        let Some(next) = self.timers.next() else { return };
        let wait = u64::try_from(next - self.node.engine.clock().now()).unwrap_or(0);
        // Not for too long at once: the wall clock may be set meanwhile.
        let wait = Duration::from_millis(wait.min(60_000));
        self.alarm = Some(ctx.run_later(wait, |actor, ctx| {
            actor.alarm = None;
            let now = actor.node.engine.clock().now();
            for queue in actor.timers.due(now) {
                actor.node.wake(&queue);
            }
            actor.set_alarm(ctx);
        }));
    }

    fn expire(&mut self, ctx: &mut Context<Self>) {
        let node = self.node.clone();
        let work = async move { node.engine.expire(EXPIRED_AT_ONCE).await };
        ctx.spawn(work.into_actor(self).map(|more, _, ctx| {
            let wait = match more {
                Ok(true) => Duration::ZERO,
                Ok(false) => EXPIRE,
                Err(error) => {
                    log::debug!("Tasks could not be expired: {error}");
                    EXPIRE
                }
            };
            ctx.run_later(wait, Self::expire);
        }));
    }

    fn sweep(&mut self, ctx: &mut Context<Self>) {
        let (node, after) = (self.node.clone(), self.swept_to.clone());
        let work = async move {
            let reader = node.engine.reader().clone();
            let names = tokio::task::spawn_blocking(move || reader.queues()).await;
            let Ok(Ok(queues)) = names else { return None };
            let mut next = queues.into_iter().map(|row| row.name).filter(|name| after.as_ref() < Some(name));
            let mut last = None;
            for name in next.by_ref().take(QUEUES_PER_SWEEP) {
                if let Err(error) = node.engine.sweep_queue(&name.as_str().into(), ROWS_PER_LANE).await {
                    log::debug!("A sweep could not read: {error}");
                    return None;
                }
                last = Some(name);
            }
            next.next().and(last)
        };
        ctx.spawn(work.into_actor(self).map(|swept_to, actor, ctx| {
            actor.swept_to = swept_to;
            ctx.run_later(SWEEP, Self::sweep);
        }));
    }
}

impl Actor for Scheduler {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.sweep(ctx);
        self.expire(ctx);
    }
}

impl Handler<Due> for Scheduler {
    type Result = ();

    fn handle(&mut self, Due { queue, at }: Due, ctx: &mut Self::Context) {
        let before = self.timers.next();
        self.timers.add(queue, at);
        if self.timers.next() != before || self.alarm.is_none() {
            self.set_alarm(ctx);
        }
    }
}

impl Handler<Shutdown> for Scheduler {
    type Result = ();

    fn handle(&mut self, _: Shutdown, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

tree_actor!(Scheduler);
