//! The statuses of a task and the one table of legal transitions.
//!
//! ```text
//!              submit                                claim                    finish
//!   (new) ──┬──────────► queued ───────────────────────┬──► running ──┬──► success
//!           ├──────────► scheduled ── time has come ───┤      │  ▲     ├──► failed   ┐ dead letters
//!           └──────────► pending ── parents are done ──┘      │  │     ├──► timeout  ┘
//!                          │      (queued | scheduled)        │  │     └──► cancelled
//!                          └─► skipped (a parent failed)      │  ├── retry (waits for its back-off, claimed when due)
//!                                                             │  └── scheduled (snoozed by its handler, claimed when due)
//!                                                             ├─► queued (released, or its worker died)
//!                                                             └─► expired (snoozed beyond its end)
//!   pending, scheduled, queued, retry ──► cancelled | expired
//!   scheduled, queued, retry ──► scheduled | queued: an operator gives it another time
//!   any terminal status ──► queued | scheduled | pending: a redrive, with a new generation
//! ```

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
// The numbers are what the store keeps.
#[repr(i16)]
pub enum Status {
    /// Waits for its parents.
    Pending = 0,
    /// Waits for its time: the one it was submitted with, or the one its handler has put it off to.
    Scheduled = 1,
    /// Ready to run.
    Queued = 2,
    /// Granted to a worker.
    Running = 3,
    /// Failed, waits for its back-off.
    Retry = 4,
    /// Done, its result is kept.
    Success = 5,
    /// Out of retries: a dead letter.
    Failed = 6,
    /// Out of retries, the last attempt by running out of time: a dead letter.
    Timeout = 7,
    /// Cancelled by a caller.
    Cancelled = 8,
    /// Its time was over before it could start, or start again.
    Expired = 9,
    /// A parent failed.
    Skipped = 10,
}

use Status::{Cancelled, Expired, Failed, Pending, Queued, Retry, Running, Scheduled, Skipped, Success, Timeout};

impl Status {
    pub const ALL: [Self; 11] =
        [Pending, Scheduled, Queued, Running, Retry, Success, Failed, Timeout, Cancelled, Expired, Skipped];

    /// Statuses from which a task can be granted, once its time has come.
    pub const CLAIMABLE: [Self; 3] = [Scheduled, Queued, Retry];

    pub const fn code(self) -> i16 {
        self as i16
    }

    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == code)
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Pending => "pending",
            Scheduled => "scheduled",
            Queued => "queued",
            Running => "running",
            Retry => "retry",
            Success => "success",
            Failed => "failed",
            Timeout => "timeout",
            Cancelled => "cancelled",
            Expired => "expired",
            Skipped => "skipped",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Nothing more happens to it, unless somebody redrives it.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Success | Failed | Timeout | Cancelled | Expired | Skipped)
    }

    /// Is in the dead-letter queue.
    pub const fn is_dead(self) -> bool {
        matches!(self, Failed | Timeout)
    }

    /// Waits: not running and not over.
    pub const fn is_waiting(self) -> bool {
        matches!(self, Pending | Scheduled | Queued | Retry)
    }

    /// The one table of legal transitions.
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Pending => matches!(next, Queued | Scheduled | Skipped | Cancelled | Expired),
            Scheduled | Retry => matches!(next, Running | Queued | Scheduled | Cancelled | Expired),
            Queued => matches!(next, Running | Scheduled | Cancelled | Expired),
            Running => {
                matches!(next, Success | Retry | Scheduled | Failed | Timeout | Cancelled | Expired | Queued)
            }
            Success | Failed | Timeout | Cancelled | Expired | Skipped => {
                matches!(next, Queued | Scheduled | Pending)
            }
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
