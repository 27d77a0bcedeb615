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
    finish::{self, FinishOp},
    inbox::Duty,
    notice::After,
    spool::Spool,
    trouble::{self, What},
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

    pub(super) fn ends(&self) -> u64 {
        self.ends.load(Ordering::SeqCst)
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
    /// Of the stage that records outcomes. Gone before the session, whose end lets a successor in.
    spool: Option<Spool>,
    /// When something was last not written to it.
    unspooled: Option<Instant>,
    session: Box<dyn Session>,
    /// The latest time used: it never goes back, whatever the clock does.
    now: Millis,
    reported: Option<Instant>,
    failing: bool,
}

impl Stage {
    pub(super) fn new(engine: Engine, duty: Duty, session: Box<dyn Session>, spool: Option<Spool>) -> Self {
        Self { engine, duty, spool, unspooled: None, session, now: 0, reported: None, failing: false }
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
                self.engine.0.meter.committed(&batch, self.engine.worker(), self.now, began.elapsed());
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
        self.engine.0.trouble.over(self.what());
        if std::mem::take(&mut self.failing) {
            log::info!("The store answers again");
        }
        let common = &self.engine.0.common;
        let ends = if batch.finishes.is_empty() && batch.admins.is_empty() {
            ends
        } else {
            common.ends.fetch_add(1, Ordering::SeqCst) + 1
        };
        let mut after = self.after();
        let spooled = batch.finishes.iter().filter(|op| op.spooled).count();
        batch.committed(&self.engine, common, &mut after);
        if !after.deleted.is_empty() {
            let mut queues = common.queues_mut();
            queues.retain(|queue| !after.deleted.contains(queue));
        }
        self.tell(after, ends);
        self.settled(spooled);
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
            let given_up = finish::refused(&self.engine, owed, error);
            return self.settled(given_up);
        }
        let owed = self.keep(owed);
        if self.engine.0.inbox.is_closed() {
            // Nobody waits for ever at a shutdown: the next start records what is in the spool, and runs the others again.
            let spooled = owed.iter().filter(|op| op.spooled).count();
            log::error!(
                spooled, lost = owed.len() - spooled;
                "The store fails during the shutdown; the next start records the outcomes that are in the spool, and runs \
                 the tasks of the lost ones again: {error}"
            );
            return;
        }
        self.engine.0.inbox.put_back(owed);
        std::thread::sleep(PAUSE);
    }

    /// Writes down what is owed and not in the spool yet.
    fn keep(&mut self, mut owed: Vec<FinishOp>) -> Vec<FinishOp> {
        let Some(spool) = &mut self.spool else { return owed };
        // Last time there was no room, or the disk failed.
        if self.unspooled.is_some_and(|at| at.elapsed() < REPORT_EVERY) && !self.engine.0.inbox.is_closed() {
            return owed;
        }
        let mut new: Vec<&mut FinishOp> = owed.iter_mut().filter(|op| !op.spooled).collect();
        let added = spool.add(new.iter().map(|op| op.owed()));
        new.iter_mut().take(*added.as_ref().unwrap_or(&0)).for_each(|op| op.spooled = true);
        let why = match added {
            Ok(added) if added == new.len() => None,
            Ok(_) => Some("it is full".to_owned()),
            Err(error) => Some(error.to_string()),
        };
        self.unspooled = why.is_some().then(Instant::now);
        if let Some(why) = why {
            let outcomes = new.iter().filter(|op| !op.spooled).count();
            log::error!(
                outcomes; "Outcomes cannot be written to {}: {why}. They wait in memory alone: should this process end before \
                 the store answers, their tasks run again", spool.path().display()
            );
        }
        self.engine.0.spool_bytes.store(spool.bytes(), Ordering::Relaxed);
        owed
    }

    /// So many outcomes of the spool are in the store, or given up.
    fn settled(&mut self, outcomes: usize) {
        let Some(spool) = self.spool.as_mut().filter(|_| outcomes > 0) else { return };
        if let Err(error) = spool.settled(outcomes) {
            // They are offered to the store again, which knows them.
            log::warn!("{} cannot be emptied: {error}", spool.path().display());
        }
        self.engine.0.spool_bytes.store(spool.bytes(), Ordering::Relaxed);
    }

    fn what(&self) -> What {
        if self.duty.takes(Duty::Finishes) { What::Outcomes } else { What::Anything }
    }

    fn report(&mut self, error: &StoreError) {
        if !error.is_refusal() {
            self.failing = true;
            self.engine.0.trouble.failed(self.what(), error, self.now);
        }
        if self.reported.is_some_and(|at| at.elapsed() < REPORT_EVERY) {
            return;
        }
        self.reported = Some(Instant::now());
        let meanwhile = trouble::meanwhile(error.kind);
        log::error!(outcomes_waiting = self.engine.waiting_outcomes().0; "The store failed: {error}; {meanwhile}");
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
        self.engine.look_into(&after.lanes);
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
