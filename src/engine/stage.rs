//! The stage: the one thread that commits.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Engine,
    batch::{Batch, Moment},
    finish,
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

pub(super) struct Stage {
    engine: Engine,
    session: Box<dyn Session>,
    queues: Queues,
    /// The latest time used: it never goes back, whatever the clock does.
    now: Millis,
    reported: Option<Instant>,
    failing: bool,
    /// Queues that wait for one of their running tasks to end.
    at_cap: HashSet<Arc<str>>,
}

impl Stage {
    pub(super) fn new(engine: Engine, session: Box<dyn Session>, queues: Queues) -> Self {
        Self { engine, session, queues, now: 0, reported: None, failing: false, at_cap: HashSet::new() }
    }

    pub(super) fn run(mut self) {
        while let Some(batch) = self.engine.0.inbox.take() {
            self.commit(batch);
        }
    }

    fn commit(&mut self, mut batch: Batch) {
        let began = Instant::now();
        self.now = self.now.max(self.engine.clock().now());
        let (engine, queues, moment) = (&self.engine, &self.queues, Moment { now: self.now, began });
        match self.session.transaction(&mut |tx| batch.run(engine, queues, tx, moment)) {
            Ok(()) => {
                self.engine.0.meter.committed(&batch, self.now, began.elapsed());
                self.committed(batch);
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

    fn committed(&mut self, batch: Batch) {
        if std::mem::take(&mut self.failing) {
            self.engine.0.trouble.over();
            log::info!("The store answers again");
        }
        let mut after = self.after();
        batch.committed(&self.engine, &mut self.queues, &mut after);
        for queue in &after.deleted {
            self.queues.remove(queue);
        }
        self.tell(after);
    }

    fn failed(&mut self, batch: Batch, error: &StoreError) {
        self.engine.0.meter.failed(error.kind);
        self.report(error);
        let mut after = self.after();
        let owed = batch.failed(&self.engine, error, &mut after);
        self.tell(after);
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
        let freed = (!self.at_cap.is_empty()).then(Default::default);
        let wanted = interested || self.engine.has_peers();
        After { changes: wanted.then(Default::default), freed, ..After::default() }
    }

    /// Hints only now: a broker that hears of a task before its commit would offer what may never exist.
    fn tell(&mut self, after: After) {
        let freed = self.freed(&after);
        let woken = if after.ready.is_empty() { Vec::new() } else { self.engine.broker().hint(&after.ready) };
        self.engine.wake_peers(&woken);
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

    /// Queues that may go on: a task of theirs has ended, and their last claim met the cap before that.
    fn freed(&mut self, after: &After) -> Vec<Arc<str>> {
        let freed = after.freed.iter().flatten().filter(|queue| !after.at_cap.contains(queue));
        let freed: Vec<_> = freed.filter(|queue| self.at_cap.remove(*queue)).cloned().collect();
        self.at_cap.extend(after.at_cap.iter().cloned());
        freed
    }
}
