//! The meter: what this node has done, in figures.
//!
//! The stage reads it off each batch it has committed: one lock for a batch, and for a task a look-up and a few additions.
//! [`Engine::flush_metrics`] moves what has come together to the store, where the figures of all nodes and of earlier lives
//! add up.

mod book;
mod flush;
mod labels;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{Engine, batch::Batch};
use crate::{
    store::{Counted, StoreErrorKind},
    task::{Figures, Histogram, Millis, Status, WorkerId},
};
use book::Book;
pub use labels::{ALL_QUEUES, OTHER_QUEUES};

pub struct Meter(Mutex<Metered>);

struct Metered {
    book: Book,
    /// Transactions, in hundredths of a millisecond.
    commits: Histogram,
    batches: Histogram,
    /// By the place in [`StoreErrorKind::ALL`].
    failures: [u64; StoreErrorKind::ALL.len()],
}

/// What this node has done since its start.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// By queue; those that have none of their own are under [`OTHER_QUEUES`].
    pub queues: Vec<(Arc<str>, Figures)>,
    /// How long transactions took, in hundredths of a millisecond: most take less than one.
    pub commits: Histogram,
    /// How many operations they had.
    pub batches: Histogram,
    pub failures: Vec<(StoreErrorKind, u64)>,
}

impl Meter {
    pub(super) fn new(slots: u32, now: Millis) -> Self {
        Self(Mutex::new(Metered {
            book: Book::new(slots, now),
            commits: Histogram::default(),
            batches: Histogram::default(),
            failures: Default::default(),
        }))
    }

    fn metered(&self) -> MutexGuard<'_, Metered> {
        // Only sums are under this lock: after a panic one of them lacks something.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The batch is on the disk, its operations have not been told yet. Slots are `worker`'s own: remote workers have theirs
    /// elsewhere.
    pub(super) fn committed(&self, batch: &Batch, worker: WorkerId, now: Millis, took: Duration) {
        let mut metered = self.metered();
        metered.commits.record(Millis::try_from(took.as_micros() / 10).unwrap_or(Millis::MAX));
        metered.batches.record(Millis::try_from(batch.len()).unwrap_or(Millis::MAX));
        let book = &mut metered.book;
        // Neighbours are mostly of one queue: it is looked up once for all of them.
        for ops in batch.finishes.chunk_by(|one, next| Arc::ptr_eq(&one.ended().0.queue, &next.ended().0.queue)) {
            let label = book.label(&ops[0].ended().0.queue);
            let own = ops.iter().filter(|op| op.worker() == worker).count();
            book.occupy(label, -signed(own), now);
            let figures = book.figures(label, now);
            for (task, status) in ops.iter().map(super::finish::FinishOp::ended) {
                if status.is_some_and(|status| status != Status::Queued) {
                    figures.run.record(now - task.started_at);
                }
            }
        }
        for claim in &batch.claims {
            let granted = claim.granted();
            let Some(first) = granted.first() else { continue };
            let label = book.label(&first.queue);
            if claim.worker() == worker {
                book.occupy(label, signed(granted.len()), now);
            }
            let figures = book.figures(label, now);
            granted.iter().for_each(|task| figures.wait.record(task.started_at - task.ready_at));
        }
        for (queue, kind, n) in &batch.effects.counted {
            let label = book.label(queue);
            *count(book.figures(label, now), *kind) += n;
        }
    }

    pub(super) fn failed(&self, kind: StoreErrorKind) {
        let at = StoreErrorKind::ALL.iter().position(|known| *known == kind).unwrap_or_default();
        self.metered().failures[at] += 1;
    }

    /// A task is no longer in this node's hands, although nothing could be recorded of its end.
    pub(super) fn given_up(&self, queue: &Arc<str>, now: Millis) {
        let book = &mut self.metered().book;
        let label = book.label(queue);
        book.occupy(label, -1, now);
    }

    /// The name under which a queue's figures are kept.
    pub fn label_of(&self, queue: &str) -> Arc<str> {
        let book = &mut self.metered().book;
        let labels = book.labels();
        labels.find(queue).map_or_else(|| queue.into(), |place| labels.name(place).clone())
    }

    /// The names under which the figures of queues that exist are kept, in their order.
    pub fn labels<'a>(&self, queues: impl Iterator<Item = &'a str>) -> Vec<Arc<str>> {
        let book = &mut self.metered().book;
        let labels = book.labels();
        queues
            .map(|queue| {
                let place = labels.place(queue);
                labels.name(place).clone()
            })
            .collect()
    }

    pub fn snapshot(&self, now: Millis) -> Snapshot {
        let mut metered = self.metered();
        let queues = metered.book.totals(now);
        Snapshot {
            queues,
            commits: metered.commits.clone(),
            batches: metered.batches.clone(),
            failures: StoreErrorKind::ALL.into_iter().zip(metered.failures).collect(),
        }
    }
}

fn signed(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn count(figures: &mut Figures, kind: Counted) -> &mut u64 {
    match kind {
        Counted::Submitted => &mut figures.submitted,
        Counted::Succeeded => &mut figures.succeeded,
        Counted::FailedAttempts => &mut figures.failed_attempts,
        Counted::Dead => &mut figures.dead,
        Counted::Retried => &mut figures.retried,
        Counted::Snoozed => &mut figures.snoozed,
        Counted::ExpiredTotal => &mut figures.expired,
        Counted::CancelledTotal | Counted::In(_) => &mut figures.cancelled,
    }
}
