//! The stage: the one thread that commits.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Engine, batch::Batch, finish, notice::After, trouble};
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
}

impl Stage {
    pub(super) fn new(engine: Engine, session: Box<dyn Session>, queues: Queues) -> Self {
        Self { engine, session, queues, now: 0, reported: None, failing: false }
    }

    pub(super) fn run(mut self) {
        while let Some(batch) = self.engine.0.inbox.take() {
            self.commit(batch);
        }
    }

    fn commit(&mut self, mut batch: Batch) {
        self.now = self.now.max(self.engine.clock().now());
        let (engine, queues, now) = (&self.engine, &self.queues, self.now);
        match self.session.transaction(&mut |tx| batch.run(engine, queues, tx, now)) {
            Ok(()) => self.committed(batch),
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
        self.tell(after);
    }

    fn failed(&mut self, batch: Batch, error: &StoreError) {
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
        After { changes: interested.then(Default::default), ..After::default() }
    }

    /// Hints only now: a broker that hears of a task before its commit would offer what may never exist.
    fn tell(&self, after: After) {
        let woken = if after.ready.is_empty() { Vec::new() } else { self.engine.broker().hint(&after.ready) };
        self.engine.0.watches.ended(&after.ended);
        let Some(listener) = self.engine.listener() else { return };
        for queue in &woken {
            listener.woken(queue);
        }
        if let Some(changes) = after.changes.filter(|changes| !changes.is_empty()) {
            listener.changed(changes);
        }
    }
}
