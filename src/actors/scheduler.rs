//! The scheduler: wakes queues when a task's time has come, looks for ready tasks that nobody was told of, ends those that
//! were not started in time, and lets the schedules tick.

use std::{sync::Arc, time::Duration};

use actix::prelude::*;

use super::{
    node::Node,
    supervision::{Shutdown, tree_actor},
    timers::Timers,
};
use crate::{engine::Ticked, task::Millis};

/// Between two looks for lost hints.
const SWEEP: Duration = Duration::from_secs(2);
/// Between two looks for tasks whose time is over; a claim in between sees it by itself.
const EXPIRE: Duration = Duration::from_secs(1);
const EXPIRED_AT_ONCE: usize = 500;
/// Between two looks at the schedules: another node may have changed them.
const TICK: Duration = Duration::from_secs(1);
/// Until what another node deals with is done, or left.
const HELD: Duration = Duration::from_millis(100);
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

/// Schedules were changed.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Tick;

/// Timers of queues whose next task is not ready yet; all of it comes back with the next claim or sweep.
pub struct Scheduler {
    node: Arc<Node>,
    timers: Timers,
    alarm: Option<SpawnHandle>,
    swept_to: Option<String>,
    ticking: Ticking,
}

/// Where the look at the schedules is.
enum Ticking {
    /// It is to come.
    Waits(SpawnHandle),
    /// It is under way; true: another one is wanted after it.
    Runs(bool),
}

impl Scheduler {
    pub fn new(node: Arc<Node>) -> Self {
        Self { node, timers: Timers::default(), alarm: None, swept_to: None, ticking: Ticking::Runs(false) }
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

    fn tick(&mut self, ctx: &mut Context<Self>) {
        self.ticking = Ticking::Runs(false);
        let node = self.node.clone();
        let work = async move { node.engine.tick().await };
        ctx.spawn(work.into_actor(self).map(|ticked, actor, ctx| {
            let wait = match ticked {
                _ if matches!(actor.ticking, Ticking::Runs(true)) => Duration::ZERO,
                Ok(Ticked::Some) => Duration::ZERO,
                Ok(Ticked::Held) => HELD,
                Ok(Ticked::Until(next)) => {
                    let wait = next.map_or(Millis::MAX, |next| next - actor.node.engine.clock().now());
                    TICK.min(Duration::from_millis(u64::try_from(wait).unwrap_or(0)))
                }
                Err(error) => {
                    log::debug!("The schedules could not be looked at: {error}");
                    TICK
                }
            };
            actor.ticking = Ticking::Waits(ctx.run_later(wait, Self::tick));
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
        self.tick(ctx);
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

impl Handler<Tick> for Scheduler {
    type Result = ();

    fn handle(&mut self, _: Tick, ctx: &mut Self::Context) {
        match &mut self.ticking {
            Ticking::Runs(again) => *again = true,
            Ticking::Waits(alarm) => {
                ctx.cancel_future(*alarm);
                self.tick(ctx);
            }
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
