//! What waits for the stage threads.
//!
//! No timer makes batches: what arrives while a commit is under way is the next one.

#![expect(
    clippy::result_large_err,
    reason = "the error is the operation itself, handed back when the engine is closed"
)]

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Semaphore;

use super::{admin::AdminOp, batch::Batch, claim::ClaimOp, finish::FinishOp, submit::SubmitOp};

/// Rows of submissions that may wait; who comes later waits outside, where nothing has been promised yet.
pub(super) const SUBMIT_ROWS: usize = 20_000;
/// Rows of submissions in one transaction, unless a single request brings more.
const ROWS_PER_BATCH: usize = 512;

/// The kinds of operations that a stage takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Duty {
    /// The only stage there is.
    Everything,
    Submits,
    /// Submissions beyond what fills the next batch of the stage above: one connection stores them half as fast as two.
    MoreSubmits,
    Claims,
    Finishes,
    Admins,
    Beats,
}

impl Duty {
    /// Of several stages.
    pub(super) const EACH: [Self; 6] =
        [Self::Submits, Self::MoreSubmits, Self::Claims, Self::Finishes, Self::Admins, Self::Beats];

    pub(super) fn takes(self, kind: Self) -> bool {
        self == Self::Everything || self == kind
    }

    fn place(self) -> usize {
        Self::EACH.iter().position(|duty| *duty == self).unwrap_or(0)
    }
}

pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    /// By the place of a duty: only the stage whose work it is wakes.
    filled: [Condvar; Duty::EACH.len()],
    is_alone: bool,
    /// One permit a row.
    pub(super) room: Arc<Semaphore>,
}

#[derive(Default)]
struct Waiting {
    /// At most one for each task held, and what is held is bounded by the slots.
    finishes: Vec<FinishOp>,
    /// At most one for each queue.
    claims: Vec<ClaimOp>,
    submits: VecDeque<SubmitOp>,
    /// Of those.
    submit_rows: usize,
    admins: Vec<Box<dyn AdminOp>>,
    /// At most one: the heartbeat.
    beats: Vec<Box<dyn AdminOp>>,
    closed: bool,
}

impl Inbox {
    pub(super) fn new(stages: usize) -> Self {
        let (waiting, filled) = (Mutex::default(), std::array::from_fn(|_| Condvar::new()));
        Self { waiting, filled, is_alone: stages == 1, room: Arc::new(Semaphore::new(SUBMIT_ROWS)) }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing under this lock can panic half way.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands an operation over; gives it back where the engine is closed.
    fn put<T>(&self, kind: Duty, op: T, into: impl FnOnce(&mut Waiting, T)) -> Result<(), T> {
        let mut waiting = self.waiting();
        if waiting.closed {
            return Err(op);
        }
        into(&mut waiting, op);
        let too_much = kind == Duty::Submits && waiting.submit_rows > ROWS_PER_BATCH;
        drop(waiting);
        self.wake(kind);
        if too_much && !self.is_alone {
            self.wake(Duty::MoreSubmits);
        }
        Ok(())
    }

    fn wake(&self, kind: Duty) {
        self.filled[if self.is_alone { 0 } else { kind.place() }].notify_one();
    }

    pub(super) fn finish(&self, op: FinishOp) -> Result<(), FinishOp> {
        self.put(Duty::Finishes, op, |waiting, op| waiting.finishes.push(op))
    }

    /// Outcomes that could not be committed: they are owed, whether the engine is closed or not.
    pub(super) fn put_back(&self, ops: Vec<FinishOp>) {
        self.waiting().finishes.extend(ops);
        self.wake(Duty::Finishes);
    }

    pub(super) fn claim(&self, op: ClaimOp) -> Result<(), ClaimOp> {
        self.put(Duty::Claims, op, |waiting, op| waiting.claims.push(op))
    }

    pub(super) fn submit(&self, op: SubmitOp) -> Result<(), SubmitOp> {
        self.put(Duty::Submits, op, |waiting, op| {
            waiting.submit_rows += op.rows();
            waiting.submits.push_back(op);
        })
    }

    pub(super) fn admin(&self, op: Box<dyn AdminOp>) -> Result<(), Box<dyn AdminOp>> {
        self.put(Duty::Admins, op, |waiting, op| waiting.admins.push(op))
    }

    /// The heartbeat: where there are several stages, nothing else goes the same way.
    pub(super) fn beat(&self, op: Box<dyn AdminOp>) -> Result<(), Box<dyn AdminOp>> {
        self.put(Duty::Beats, op, |waiting, op| waiting.beats.push(op))
    }

    pub(super) fn close(&self) {
        self.waiting().closed = true;
        self.filled.iter().for_each(Condvar::notify_all);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.waiting().closed
    }

    /// Waits for work and takes it; `None` when the engine is closed and all is done.
    pub(super) fn take(&self, duty: Duty) -> Option<Batch> {
        let mut waiting = self.waiting();
        loop {
            let batch = waiting.take(duty);
            if !batch.is_empty() {
                return Some(batch);
            }
            if waiting.closed {
                return None;
            }
            waiting = self.filled[duty.place()].wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Waiting {
    fn take(&mut self, duty: Duty) -> Batch {
        let mut batch = Batch::default();
        if duty.takes(Duty::Finishes) {
            batch.finishes = std::mem::take(&mut self.finishes);
        }
        if duty.takes(Duty::Claims) {
            batch.claims = std::mem::take(&mut self.claims);
            // Their limits are locked in this order.
            batch.claims.sort_by(|one, other| one.queue().cmp(other.queue()));
        }
        if duty.takes(Duty::Admins) {
            batch.admins = std::mem::take(&mut self.admins);
        }
        if duty.takes(Duty::Beats) {
            batch.admins.append(&mut self.beats);
        }
        if duty.takes(Duty::Submits) || (duty == Duty::MoreSubmits && self.submit_rows > ROWS_PER_BATCH) {
            batch.submits = self.take_submits();
        }
        batch
    }

    fn take_submits(&mut self) -> Vec<SubmitOp> {
        let (mut taken, mut rows) = (Vec::new(), 0);
        while let Some(next) = self.submits.front() {
            let is_given_up = next.is_given_up();
            if !is_given_up {
                rows += next.rows();
            }
            if rows > ROWS_PER_BATCH && !taken.is_empty() {
                break;
            }
            self.submit_rows -= next.rows();
            // Where its caller has gone, who was promised nothing, it goes too.
            taken.extend(self.submits.pop_front().filter(|_| !is_given_up));
        }
        taken
    }
}
