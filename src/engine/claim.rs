//! Claim: ids from the broker's head, granted by the store.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Engine, Grant, batch::Moment, notice::After};
use crate::{
    planted::{self, Bug},
    store::{Claim, Claimed, Entrance, StoreError, Tx},
    task::{Gate, Granted, LeaseId, Mark, Millis, Priority, QueueSettings, Quota, RateLimit, Ready, Status},
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
    /// The queue's share of the slots; 0: nothing was asked.
    pub weight: u32,
    /// When the next task of the queue falls due.
    pub next_due: Option<Millis>,
    /// A limit is used up: when the next permit is free.
    pub blocked_until: Option<Millis>,
}

type Reply = Box<dyn FnOnce(Result<ClaimReply, StoreError>) + Send>;

pub(super) struct ClaimOp {
    queue: Arc<str>,
    want: usize,
    reply: Reply,
    /// Taken from the broker's head: given back to it if the transaction fails.
    entries: Vec<(Priority, Mark)>,
    /// Of those, what a limit has no room for after all.
    surplus: Vec<(Priority, Mark)>,
    found: Found,
    claimed: Claimed,
}

/// What one run of the transaction has found.
#[derive(Default)]
struct Found {
    fenced: bool,
    paused: bool,
    weight: u32,
    drained: bool,
    blocked: bool,
    at_cap: bool,
    next_due: Option<Millis>,
    blocked_until: Option<Millis>,
    /// Tasks must have started by then for their limit to be exact.
    start_by: Option<Instant>,
}

impl Engine {
    /// Claims up to `want` ready tasks of a queue. `reply` is called after the commit, on the stage thread.
    pub fn claim(
        &self,
        queue: Arc<str>,
        want: usize,
        reply: impl FnOnce(Result<ClaimReply, StoreError>) + Send + 'static,
    ) {
        if let Some(error) = self.owes_too_much() {
            return reply(Err(error));
        }
        let op = ClaimOp {
            queue,
            want,
            reply: Box::new(reply),
            entries: Vec::new(),
            surplus: Vec::new(),
            found: Found::default(),
            claimed: Claimed::default(),
        };
        if let Err(op) = self.0.inbox.claim(op) {
            (op.reply)(Ok(ClaimReply::default()));
        }
    }

    /// A store that grants tasks but does not take outcomes: more would be owed than there are slots.
    fn owes_too_much(&self) -> Option<StoreError> {
        let trouble = self.trouble().filter(|_| self.waiting_outcomes().0 >= self.0.slots)?;
        Some(trouble.error)
    }

    /// What bounds a queue now; `None`: nothing does.
    fn gate(
        &self,
        tx: &mut dyn Tx,
        queue: &str,
        settings: &QueueSettings,
        now: Millis,
    ) -> Result<Option<Gate>, StoreError> {
        let default = self.0.settings.rate_limit.as_ref();
        if settings.is_unlimited() && default.is_none() {
            return Ok(None);
        }
        let state = tx.limit_state(&planted::limit_of(queue, self.worker()))?;
        let running = if settings.concurrency.is_some() { tx.running(queue)? } else { 0 };
        Ok(Some(Gate::new(settings, default, state, running, now)))
    }
}

impl ClaimOp {
    pub(super) fn queue(&self) -> &str {
        &self.queue
    }

    pub(super) fn granted(&self) -> &[Granted] {
        &self.claimed.tasks
    }

    pub(super) fn run(&mut self, engine: &Engine, tx: &mut dyn Tx, moment: Moment) -> Result<(), StoreError> {
        let now = moment.now;
        (self.found, self.claimed) = (Found::default(), Claimed::default());
        self.entries.append(&mut self.surplus);
        let Entrance { fenced, paused, weight, settings } =
            tx.entrance(&self.queue, engine.worker(), engine.default_rate_limit().is_some())?;
        (self.found.fenced, self.found.paused, self.found.weight) = (fenced, paused, weight);
        if fenced || paused {
            return Ok(());
        }
        let mut gate = engine.gate(tx, &self.queue, &settings, now)?;
        let quota = gate.as_mut().map_or(Quota::UNLIMITED, Gate::quota);
        self.fill(engine, tx, quota, now)?;
        if !self.entries.is_empty() {
            let claim = Claim {
                queue: self.queue.clone(),
                worker: engine.worker(),
                lease: LeaseId::random(),
                now,
                suspect_allowed: !engine.held().has_suspect(),
            };
            self.claimed = tx.claim(&claim, &self.entries)?;
            planted::linger(Bug::HintBeforeCommit);
        }
        match &mut gate {
            Some(gate) => self.count(gate, engine, tx, moment),
            None => Ok(()),
        }
    }

    /// Takes the permits of what was granted, and finds when the next one is free.
    fn count(&mut self, gate: &mut Gate, engine: &Engine, tx: &mut dyn Tx, moment: Moment) -> Result<(), StoreError> {
        if !self.claimed.tasks.is_empty() {
            gate.take(self.claimed.tasks.iter().map(|task| task.priority));
            if let Some((state, until)) = gate.state() {
                tx.keep_limit_state(&planted::limit_of(&self.queue, engine.worker()), state, until)?;
            }
            let within = gate.rule().and_then(RateLimit::start_within).and_then(|within| u64::try_from(within).ok());
            self.found.start_by = within.map(|within| moment.began + Duration::from_millis(within));
        }
        if self.found.blocked {
            self.found.at_cap = gate.is_at_cap();
            self.found.blocked_until = gate.next_permit();
        }
        Ok(())
    }

    /// Pops until there is enough or nothing; a lane that is used up is refilled before a lower one is served.
    fn fill(&mut self, engine: &Engine, tx: &mut dyn Tx, mut quota: Quota, now: Millis) -> Result<(), StoreError> {
        let broker = engine.broker();
        // Taken by an earlier run of this transaction, which was rolled back.
        let (kept, surplus) = std::mem::take(&mut self.entries).into_iter().partition(|(priority, _)| {
            let room = quota.room(*priority) > 0;
            if room {
                quota.take(*priority);
            }
            room
        });
        (self.entries, self.surplus) = (kept, surplus);
        while self.entries.len() < self.want {
            let popped = broker.pop(&self.queue, self.want - self.entries.len(), &quota, now);
            popped.entries.iter().for_each(|(priority, _)| quota.take(*priority));
            self.entries.extend(popped.entries);
            self.found.next_due = popped.next_due;
            self.found.blocked = popped.blocked || !self.surplus.is_empty();
            let Some(priority) = popped.starved else {
                self.found.drained = self.entries.len() < self.want;
                break;
            };
            let horizon = broker.begin_refill(&self.queue, priority);
            let rows = tx.ready_after(&self.queue, priority, horizon, REFILL)?;
            broker.end_refill(&self.queue, priority, &rows, rows.len() < REFILL);
        }
        Ok(())
    }

    pub(super) fn committed(self, engine: &Engine, after: &mut After) {
        let Self { queue, reply, entries, surplus, found, claimed: Claimed { tasks, put_off, passed_over }, .. } = self;
        if found.paused || found.fenced {
            give_back(engine, &queue, entries.iter().chain(&surplus));
            if let Some(listener) = engine.listener().filter(|_| found.fenced) {
                listener.fenced();
            }
            return reply(Ok(ClaimReply { paused: found.paused, ..ClaimReply::default() }));
        }
        let put_off_until = put_off.iter().map(|ready| ready.mark.0).min();
        if !put_off.is_empty() {
            // Who asks hears of the time by the reply: no wake is wanted.
            engine.wake_peers(&engine.broker().hint(&put_off));
        }
        give_back(engine, &queue, surplus.iter().chain(&passed_over));
        for task in &tasks {
            after.changed(task.id, &task.queue, Status::Running);
        }
        if found.at_cap {
            after.at_cap.push(queue);
        }
        let grants = tasks.into_iter().map(|task| Grant::new(engine.clone(), task, found.start_by)).collect();
        let next_due = [found.next_due, put_off_until].into_iter().flatten().min();
        reply(Ok(ClaimReply {
            grants,
            more: !found.drained || !passed_over.is_empty(),
            paused: false,
            weight: found.weight,
            next_due,
            blocked_until: found.blocked_until,
        }));
    }

    pub(super) fn failed(self, engine: &Engine, error: &StoreError) {
        if planted::is(Bug::HintBeforeCommit) {
            return self.committed(engine, &mut After::default());
        }
        give_back(engine, &self.queue, self.entries.iter().chain(&self.surplus));
        (self.reply)(Err(error.clone()));
    }
}

fn give_back<'a>(engine: &Engine, queue: &Arc<str>, entries: impl Iterator<Item = &'a (Priority, Mark)>) {
    let ready = |(priority, mark): &(Priority, Mark)| Ready { queue: queue.clone(), priority: *priority, mark: *mark };
    let ready: Vec<_> = entries.map(ready).collect();
    if !ready.is_empty() {
        engine.wake_peers(&engine.broker().hint(&ready));
    }
}
