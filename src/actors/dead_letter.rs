//! The dead-letter queue's keeper: says when it has grown, and does the work on many tasks that operators have asked for
//! (such as redriving it), in bounded steps and no faster than they said.

use std::{collections::HashMap, sync::Arc, time::Duration};

use actix::prelude::*;

use super::{
    node::Node,
    supervision::{Shutdown, tree_actor},
};
use crate::{
    store::{Operation, StoreError},
    task::TaskId,
};

/// Between two looks at the dead letters.
const LOOK: Duration = Duration::from_secs(5);
/// Between two looks for operations, should a poke be lost, and between two steps of one that has a rate.
const IDLE: Duration = Duration::from_secs(2);
const PACE: Duration = Duration::from_millis(200);

/// Holds nothing that is not in the store, but for how much of each rate is left.
pub(super) struct DeadLetter {
    node: Arc<Node>,
    seen: Option<i64>,
    budgets: HashMap<TaskId, f64>,
    last: std::time::Instant,
    working: bool,
    timer: Option<SpawnHandle>,
}

/// There is work on many tasks.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Begun;

impl DeadLetter {
    pub(super) fn new(node: Arc<Node>) -> Self {
        let last = std::time::Instant::now();
        Self { node, seen: None, budgets: HashMap::new(), last, working: false, timer: None }
    }

    fn look(&mut self, ctx: &mut Context<Self>) {
        let reader = self.node.engine.reader().clone();
        let count = tokio::task::spawn_blocking(move || reader.dead_letter_count(None));
        ctx.spawn(count.into_actor(self).map(|count, actor, ctx| {
            if let Ok(Ok(count)) = count {
                actor.alert(count);
            }
            ctx.run_later(LOOK, Self::look);
        }));
    }

    fn alert(&mut self, count: i64) {
        let threshold = self.node.settings.dead_letter_alert.map_or(i64::MAX, i64::from);
        let before = self.seen.replace(count);
        if count >= threshold && before.is_none_or(|before| before < threshold) {
            log::error!(dead_letters = count, threshold = threshold; "There are more dead letters than the alert allows");
        } else if let Some(new) = before.map(|before| count - before).filter(|new| *new > 0) {
            log::warn!(dead_letters = count, new = new; "The dead-letter queue has grown");
        }
    }

    fn work(&mut self, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.working, true) {
            return; // it looks again when it is done
        }
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        let node = self.node.clone();
        let reader = node.engine.reader().clone();
        let running = tokio::task::spawn_blocking(move || reader.running_operations());
        let step = running.into_actor(self).then(move |running, actor, _| {
            let running = running.ok().and_then(Result::ok).unwrap_or_default();
            let shares = actor.shares(&running);
            async move { steps(&node, running, shares).await }.into_actor(actor)
        });
        ctx.spawn(step.map(|stepped, actor, ctx| {
            actor.working = false;
            let wait = actor.stepped(stepped);
            actor.timer = Some(ctx.run_later(wait, Self::work));
        }));
    }

    /// How many tasks of each may be dealt with now.
    fn shares(&mut self, running: &[Operation]) -> Vec<usize> {
        let elapsed = std::mem::replace(&mut self.last, std::time::Instant::now()).elapsed().as_secs_f64();
        self.budgets.retain(|id, _| running.iter().any(|operation| operation.id == *id));
        let share = |operation: &Operation| {
            // As many as the engine deals with at once.
            let Some(rate) = operation.rate else { return usize::MAX };
            // Saved up for a second at most: a pause is not made up for by a burst.
            let saved = self.budgets.get(&operation.id).map_or(1.0, |left| (left + rate * elapsed).min(rate.max(1.0)));
            self.budgets.insert(operation.id, saved);
            saved.floor() as usize
        };
        running.iter().map(share).collect()
    }

    /// When to go on.
    fn stepped(&mut self, stepped: Result<Vec<(Operation, usize, bool)>, StoreError>) -> Duration {
        let stepped = stepped.unwrap_or_else(|error| {
            log::warn!("Work on many tasks waits, the store failed it: {error}");
            Vec::new()
        });
        let mut wait = IDLE;
        for (operation, looked_at, over) in stepped {
            if let Some(budget) = self.budgets.get_mut(&operation.id) {
                *budget -= looked_at as f64;
            }
            if over {
                log::info!(operation = operation.id.to_string().as_str(); "Work on many tasks is done");
            }
            wait = wait.min(if operation.rate.is_some() { PACE } else { Duration::ZERO });
        }
        wait
    }
}

/// One step of each: the operation, how many tasks were looked at, and whether it is over.
async fn steps(
    node: &Node,
    running: Vec<Operation>,
    shares: Vec<usize>,
) -> Result<Vec<(Operation, usize, bool)>, StoreError> {
    let mut stepped = Vec::with_capacity(running.len());
    for (operation, share) in running.into_iter().zip(shares) {
        if share == 0 {
            stepped.push((operation, 0, false));
            continue;
        }
        let done = node.engine.step_operation(&operation, share).await?;
        stepped.push((operation, done.looked_at, done.over));
    }
    Ok(stepped)
}

impl Actor for DeadLetter {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.look(ctx);
        self.work(ctx);
    }
}

impl Handler<Begun> for DeadLetter {
    type Result = ();

    fn handle(&mut self, _: Begun, ctx: &mut Self::Context) {
        self.work(ctx);
    }
}

impl Handler<Shutdown> for DeadLetter {
    type Result = ();

    fn handle(&mut self, _: Shutdown, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

tree_actor!(DeadLetter);
