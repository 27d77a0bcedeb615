//! What becomes of tasks that are to be stored.

use serde::{Deserialize, Serialize};

use crate::task::{Millis, Status, TaskId};

/// What became of a task that was to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// It is stored, in this status.
    As(Status),
    /// This task holds its unique key.
    KeyHeld(TaskId),
    /// This task, which waits, held its unique key and is what was asked for now.
    Replaced(TaskId),
    /// There is no such parent.
    NoParent(TaskId),
}

/// A key under which a request is answered once, and what the request was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    pub key: String,
    /// SHA-256 of route and body.
    pub body_hash: Vec<u8>,
    pub created_at: Millis,
}

/// What became of one task of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum StoredOutcome {
    Created {
        id: TaskId,
        at: Millis,
        /// Where its parents have decided that.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        by_parents: Option<Status>,
    },
    Deduplicated {
        id: TaskId,
    },
    Rejected {
        id: TaskId,
    },
    /// This task waited, and has become what was asked for.
    Replaced {
        id: TaskId,
    },
    /// There is no such parent.
    NoParent {
        id: TaskId,
    },
    /// The queue is as full as it may be.
    Full,
    /// Tasks that are not over take up all of a cap of the queue, which rejects what is beyond.
    AtCap,
}
