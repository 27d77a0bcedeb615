//! A stage: a thread that commits. Of a store with one writer there is one for everything, else one for each kind of work.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    Engine,
    batch::{Batch, Moment},
    finish,
    inbox::Duty,
    notice::After,
    trouble,
};
use crate::{
    store::{Session, StoreError},
    task::Millis,
};

/// Queues that exist in the store, so that a submission need not ask.
pub(super) type Queues = HashSet<Arc<str>>;

/// Pause after a store has failed while outcomes are owed.
const PAUSE: Duration = Duration::from_millis(200);
/// A failing store is reported at most this often.
const REPORT_EVERY: Duration = Duration::from_secs(5);

/// What the stages of an engine have in common.
#[derive(Default)]
pub(super) struct Common {
    pub(super) queues: RwLock<Queues>,
    /// Queues that wait for one of their running tasks to end.
    at_cap: Mutex<HashSet<Arc<str>>>,
    /// Commits that ended tasks: raised before `at_cap` is looked at.
    ends: AtomicU64,
}

impl Common {
    fn at_cap(&self) -> MutexGuard<'_, HashSet<Arc<str>>> {
        self.at_cap.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn queue_made(&self, queue: &Arc<str>) {
        if !self.queues.read().unwrap_or_else(PoisonError::into_inner).contains(queue) {
            self.queues_mut().insert(queue.clone());
        }
    }

    fn queues_mut(&self) -> RwLockWriteGuard<'_, Queues> {
        self.queues.write().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Stage {
    engine: Engine,
    duty: Duty,
    session: Box<dyn Session>,
    /// The latest time used: it never goes back, whatever the clock does.
    now: Millis,
    reported: Option<Instant>,
    failing: bool,
}

impl Stage {
    pub(super) fn new(engine: Engine, duty: Duty, session: Box<dyn Session>) -> Self {
        Self { engine, duty, session, now: 0, reported: None, failing: false }
    }

    pub(super) fn run(mut self) {
        while let Some(batch) = self.engine.0.inbox.take(self.duty) {
            self.commit(batch);
        }
    }

    fn commit(&mut self, mut batch: Batch) {
        let began = Instant::now();
        self.now = self.now.max(self.engine.clock().now());
        let (engine, moment) = (&self.engine, Moment { now: self.now, began });
        let ends = engine.0.common.ends.load(Ordering::SeqCst);
        let done = {
            let queues = engine.0.common.queues.read().unwrap_or_else(PoisonError::into_inner);
            self.session.transaction(&mut |tx| batch.run(engine, &queues, tx, moment))
        };
        match done {
            Ok(()) => {
                self.engine.0.meter.committed(&batch, self.now, began.elapsed());
                self.committed(batch, ends);
            }
            // One item may be at fault, and strangers must not fail with it.
            Err(error) if error.is_refusal() && batch.len() > 1 => {
                let (first, second) = batch.halves();
                self.commit(first);
                self.commit(second);
            }
            Err(error) => self.failed(batch, &error),
        }
    }

    fn committed(&mut self, batch: Batch, ends: u64) {
        if std::mem::take(&mut self.failing) {
            self.engine.0.trouble.over();
            log::info!("The store answers again");
        }
        let common = &self.engine.0.common;
        let ends = if batch.finishes.is_empty() && batch.admins.is_empty() {
            ends
        } else {
            common.ends.fetch_add(1, Ordering::SeqCst) + 1
        };
        let mut after = self.after();
        batch.committed(&self.engine, common, &mut after);
        if !after.deleted.is_empty() {
            let mut queues = common.queues_mut();
            queues.retain(|queue| !after.deleted.contains(queue));
        }
        self.tell(after, ends);
    }

    fn failed(&mut self, batch: Batch, error: &StoreError) {
        self.engine.0.meter.failed(error.kind);
        self.report(error);
        let mut after = self.after();
        let owed = batch.failed(&self.engine, error, &mut after);
        self.tell(after, self.engine.0.common.ends.load(Ordering::SeqCst));
        if owed.is_empty() {
            return;
        }
        if error.is_refusal() {
            // The halving has ended at this one: the store will never take it as it is.
            return finish::refused(&self.engine, owed, error);
        }
        let closing = self.engine.0.inbox.is_closed();
        if closing {
            // Nobody waits for ever at a shutdown: the next start finds the leases and runs these tasks again.
            log::error!(tasks = owed.len(); "The store fails during the shutdown, outcomes are lost: {error}");
            return;
        }
        self.engine.0.inbox.put_back(owed);
        std::thread::sleep(PAUSE);
    }

    fn report(&mut self, error: &StoreError) {
        if !error.is_refusal() {
            self.failing = true;
            self.engine.0.trouble.failed(error, self.now);
        }
        if self.reported.is_some_and(|at| at.elapsed() < REPORT_EVERY) {
            return;
        }
        self.reported = Some(Instant::now());
        let meanwhile = trouble::meanwhile(error.kind);
        log::error!(outcomes_waiting = self.engine.0.inbox.finishes(); "The store failed: {error}; {meanwhile}");
    }

    fn after(&self) -> After {
        let interested = self.engine.listener().is_some_and(|listener| listener.is_interested());
        let freed = (!self.engine.0.common.at_cap().is_empty()).then(Default::default);
        let wanted = interested || self.engine.has_peers();
        After { changes: wanted.then(Default::default), freed, ..After::default() }
    }

    /// Hints only now: a broker that hears of a task before its commit would offer what may never exist.
    fn tell(&self, after: After, ends: u64) {
        let freed = self.freed(&after, ends);
        let woken = self.engine.hint(&after.ready);
        self.engine.0.watches.ended(&after.ended);
        if let Some(changes) = &after.changes {
            self.engine.tell_peers_of(changes, &after.ended);
        }
        let Some(listener) = self.engine.listener() else { return };
        for queue in woken.iter().chain(&freed) {
            listener.woken(queue);
        }
        if let Some(changes) = after.changes.filter(|changes| !changes.is_empty() && listener.is_interested()) {
            listener.changed(changes);
        }
        if after.unresolved {
            listener.unresolved();
        }
    }

    /// Queues that may go on: a task of theirs has ended, and their last claim met the cap before that. Where one ended
    /// while a claim that met the cap was under way, by another stage, it is not known whether the claim saw that: it goes on
    /// too.
    fn freed(&self, after: &After, ends: u64) -> Vec<Arc<str>> {
        let common = &self.engine.0.common;
        if after.at_cap.is_empty() && after.freed.is_none() {
            return Vec::new();
        }
        let mut at_cap = common.at_cap();
        let freed = after.freed.iter().flatten().filter(|queue| !after.at_cap.contains(queue));
        let mut freed: Vec<_> = freed.filter(|queue| at_cap.remove(*queue)).cloned().collect();
        if common.ends.load(Ordering::SeqCst) == ends {
            at_cap.extend(after.at_cap.iter().cloned());
        } else {
            freed.extend(after.at_cap.iter().cloned());
        }
        freed
    }
}
