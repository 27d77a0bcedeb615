//! What waits for the stage thread.
//!
//! No timer makes batches: what arrives while a commit is under way is the next one.

#![expect(
    clippy::result_large_err,
    reason = "the error is the operation itself, handed back when the engine is closed"
)]

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Semaphore;

use super::{admin::AdminOp, batch::Batch, claim::ClaimOp, finish::FinishOp, submit::SubmitOp};

/// Rows of submissions that may wait; who comes later waits outside, where nothing has been promised yet.
pub(super) const SUBMIT_ROWS: usize = 20_000;
/// Rows of submissions in one transaction, unless a single request brings more.
const ROWS_PER_BATCH: usize = 512;

pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    filled: Condvar,
    /// One permit a row.
    pub(super) room: Semaphore,
}

#[derive(Default)]
struct Waiting {
    /// At most one for each task held, and what is held is bounded by the slots.
    finishes: Vec<FinishOp>,
    /// At most one for each queue.
    claims: Vec<ClaimOp>,
    submits: VecDeque<SubmitOp>,
    admins: Vec<Box<dyn AdminOp>>,
    closed: bool,
}

impl Default for Inbox {
    fn default() -> Self {
        Self { waiting: Mutex::default(), filled: Condvar::new(), room: Semaphore::new(SUBMIT_ROWS) }
    }
}

impl Inbox {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing under this lock can panic half way.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands an operation over; gives it back where the engine is closed.
    fn put<T>(&self, op: T, into: impl FnOnce(&mut Waiting, T)) -> Result<(), T> {
        let mut waiting = self.waiting();
        if waiting.closed {
            return Err(op);
        }
        into(&mut waiting, op);
        drop(waiting);
        self.filled.notify_one();
        Ok(())
    }

    pub(super) fn finish(&self, op: FinishOp) -> Result<(), FinishOp> {
        self.put(op, |waiting, op| waiting.finishes.push(op))
    }

    /// Outcomes that could not be committed: they are owed, whether the engine is closed or not.
    pub(super) fn put_back(&self, ops: Vec<FinishOp>) {
        self.waiting().finishes.extend(ops);
    }

    pub(super) fn claim(&self, op: ClaimOp) -> Result<(), ClaimOp> {
        self.put(op, |waiting, op| waiting.claims.push(op))
    }

    pub(super) fn submit(&self, op: SubmitOp) -> Result<(), SubmitOp> {
        self.put(op, |waiting, op| waiting.submits.push_back(op))
    }

    pub(super) fn admin(&self, op: Box<dyn AdminOp>) -> Result<(), Box<dyn AdminOp>> {
        self.put(op, |waiting, op| waiting.admins.push(op))
    }

    pub(super) fn close(&self) {
        self.waiting().closed = true;
        self.filled.notify_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.waiting().closed
    }

    /// Outcomes waiting to be committed.
    pub(super) fn finishes(&self) -> usize {
        self.waiting().finishes.len()
    }

    /// Waits for work and takes it; `None` when the engine is closed and all is done.
    pub(super) fn take(&self) -> Option<Batch> {
        let mut waiting = self.waiting();
        loop {
            let batch = waiting.take();
            if !batch.is_empty() {
                return Some(batch);
            }
            if waiting.closed {
                return None;
            }
            waiting = self.filled.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Waiting {
    fn take(&mut self) -> Batch {
        let mut batch = Batch {
            finishes: std::mem::take(&mut self.finishes),
            claims: std::mem::take(&mut self.claims),
            submits: Vec::new(),
            admins: std::mem::take(&mut self.admins),
            ..Batch::default()
        };
        let mut rows = 0;
        while let Some(next) = self.submits.front() {
            rows += next.rows();
            if rows > ROWS_PER_BATCH && !batch.submits.is_empty() {
                break;
            }
            batch.submits.extend(self.submits.pop_front());
        }
        batch
    }
}
