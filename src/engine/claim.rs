//! Claim: ids from the broker's head, granted by the store.

use std::sync::Arc;

use super::{Engine, Grant, notice::After};
use crate::{
    store::{Claim, Claimed, StoreError, Tx},
    task::{LeaseId, Mark, Millis, Priority, Ready, Status},
};

/// Rows read at a time when a lane is used up.
const REFILL: usize = 1_024;

/// What a claim brought.
#[derive(Default)]
pub struct ClaimReply {
    pub grants: Vec<Grant>,
    /// The queue may have more that is ready now.
    pub more: bool,
    pub paused: bool,
    /// When the next task of the queue falls due.
    pub next_due: Option<Millis>,
}

type Reply = Box<dyn FnOnce(Result<ClaimReply, StoreError>) + Send>;

pub(super) struct ClaimOp {
    queue: Arc<str>,
    want: usize,
    reply: Reply,
    /// Taken from the broker's head: given back to it if the transaction fails.
    entries: Vec<(Priority, Mark)>,
    drained: bool,
    next_due: Option<Millis>,
    claimed: Claimed,
}

impl Engine {
    /// Claims up to `want` ready tasks of a queue. `reply` is called after the commit, on the stage thread.
    pub fn claim(
        &self,
        queue: Arc<str>,
        want: usize,
        reply: impl FnOnce(Result<ClaimReply, StoreError>) + Send + 'static,
    ) {
        let op = ClaimOp {
            queue,
            want,
            reply: Box::new(reply),
            entries: Vec::new(),
            drained: false,
            next_due: None,
            claimed: Claimed::default(),
        };
        if let Err(op) = self.0.inbox.claim(op) {
            (op.reply)(Ok(ClaimReply::default()));
        }
    }
}

impl ClaimOp {
    pub(super) fn run(&mut self, engine: &Engine, tx: &mut dyn Tx, now: Millis) -> Result<(), StoreError> {
        self.fill(engine, tx, now)?;
        self.claimed = Claimed::default();
        if self.entries.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = self.entries.iter().map(|(_, mark)| mark.1).collect();
        let claim = Claim {
            queue: self.queue.clone(),
            worker: engine.worker(),
            lease: LeaseId::random(),
            now,
            suspect_allowed: !engine.held().has_suspect(),
        };
        self.claimed = tx.claim(&claim, &ids)?;
        Ok(())
    }

    /// Pops until there is enough or nothing; a lane that is used up is refilled before a lower one is served.
    fn fill(&mut self, engine: &Engine, tx: &mut dyn Tx, now: Millis) -> Result<(), StoreError> {
        let broker = engine.broker();
        while self.entries.len() < self.want {
            let popped = broker.pop(&self.queue, self.want - self.entries.len(), now);
            self.entries.extend(popped.entries);
            self.next_due = popped.next_due;
            let Some(priority) = popped.starved else {
                self.drained = self.entries.len() < self.want;
                break;
            };
            let horizon = broker.begin_refill(&self.queue, priority);
            let rows = tx.ready_after(&self.queue, priority, horizon, REFILL)?;
            broker.end_refill(&self.queue, priority, &rows, rows.len() < REFILL);
        }
        Ok(())
    }

    pub(super) fn committed(self, engine: &Engine, after: &mut After) {
        let Claimed { tasks, paused, fenced, put_off } = self.claimed;
        if paused || fenced {
            give_back(engine, &self.queue, &self.entries);
            if let Some(listener) = engine.listener().filter(|_| fenced) {
                listener.fenced();
            }
            return (self.reply)(Ok(ClaimReply { paused, ..ClaimReply::default() }));
        }
        let put_off_until = put_off.iter().map(|ready| ready.mark.0).min();
        if !put_off.is_empty() {
            // Who asks hears of the time by the reply: no wake is wanted.
            engine.broker().hint(&put_off);
        }
        for task in &tasks {
            after.changed(task.id, &task.queue, Status::Running);
        }
        let grants = tasks.into_iter().map(|task| Grant::new(engine.clone(), task)).collect();
        let next_due = [self.next_due, put_off_until].into_iter().flatten().min();
        (self.reply)(Ok(ClaimReply { grants, more: !self.drained, paused, next_due }));
    }

    pub(super) fn failed(self, engine: &Engine, error: &StoreError) {
        give_back(engine, &self.queue, &self.entries);
        (self.reply)(Err(error.clone()));
    }
}

fn give_back(engine: &Engine, queue: &Arc<str>, entries: &[(Priority, Mark)]) {
    let ready = |(priority, mark): &(Priority, Mark)| Ready { queue: queue.clone(), priority: *priority, mark: *mark };
    let ready: Vec<_> = entries.iter().map(ready).collect();
    engine.broker().hint(&ready);
}
