//! What has happened in a stretch of time, as figures that add up.

use super::{Histogram, Millis};

/// Of one queue, or of all, in one stretch of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Tasks that came in.
    pub submitted: u64,
    /// Tasks that ended with success.
    pub succeeded: u64,
    /// Attempts that failed, whether another follows or not.
    pub failed_attempts: u64,
    /// Tasks that became dead letters.
    pub dead: u64,
    /// Failed attempts that another follows.
    pub retried: u64,
    /// Attempts that have put their task off.
    pub snoozed: u64,
    pub cancelled: u64,
    pub expired: u64,
    /// Time that slots spent on tasks, in milliseconds.
    pub busy_ms: u64,
    /// Time that slots were there, in milliseconds. Of all queues only: slots belong to none.
    pub slot_ms: u64,
    /// Tasks of high, medium and low priority found waiting, added up over the looks.
    pub waiting: [u64; 3],
    /// How often it was looked. Of all queues only: a look is at all of them.
    pub looks: u64,
    /// From the moment a task could have started to its start.
    pub wait: Histogram,
    /// From the start of an attempt to its end.
    pub run: Histogram,
}

impl Figures {
    pub fn merge(&mut self, other: &Self) {
        let Self {
            submitted,
            succeeded,
            failed_attempts,
            dead,
            retried,
            snoozed,
            cancelled,
            expired,
            busy_ms,
            slot_ms,
            waiting,
            looks,
            wait,
            run,
        } = other;
        self.submitted += submitted;
        self.succeeded += succeeded;
        self.failed_attempts += failed_attempts;
        self.dead += dead;
        self.retried += retried;
        self.snoozed += snoozed;
        self.cancelled += cancelled;
        self.expired += expired;
        self.busy_ms += busy_ms;
        self.slot_ms += slot_ms;
        self.waiting.iter_mut().zip(waiting).for_each(|(sum, n)| *sum += n);
        self.looks += looks;
        self.wait.merge(wait);
        self.run.merge(run);
    }

    /// Tasks that are over.
    pub fn finished(&self) -> u64 {
        self.succeeded + self.dead + self.cancelled + self.expired
    }

    /// Of the tasks that ran to their end, the share that succeeded; `None` where there was none.
    pub fn success_rate(&self) -> Option<f64> {
        let ended = self.succeeded + self.dead;
        (ended > 0).then(|| self.succeeded as f64 / ended as f64)
    }
}

/// The length of the stretches figures are kept for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Span {
    Minute,
    Hour,
}

impl Span {
    pub const BOTH: [Self; 2] = [Self::Minute, Self::Hour];

    pub const fn millis(self) -> Millis {
        match self {
            Self::Minute => 60_000,
            Self::Hour => 3_600_000,
        }
    }

    /// The start of the stretch a moment is in.
    pub const fn start_of(self, at: Millis) -> Millis {
        at - at.rem_euclid(self.millis())
    }
}
