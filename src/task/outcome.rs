//! How an attempt ends and what follows from it.

use serde::{Deserialize, Serialize};

use super::{Granted, Millis, RetryPolicy, Status};

/// What kind of error ended an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The handler returned an error.
    Failure,
    /// The handler panicked.
    Panic,
    /// The command ended with an exit code other than 0.
    Exit,
    /// The command was ended by a signal.
    Signal,
    /// The attempt ran out of time.
    Timeout,
    /// The command's output is not one JSON value, or is too long.
    Output,
    /// The arguments do not fit the handler.
    Arguments,
    /// No handler of this name is registered on the node that took the task.
    NoHandler,
    /// The command could not be started.
    Spawn,
    /// A caller cancelled it.
    Cancelled,
    /// Its worker died.
    Lost,
    /// It outlived as many workers as it may.
    Poison,
    /// A parent did not succeed.
    Skipped,
    /// It was not started in time.
    Expired,
}

/// What went wrong, as kept with the task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TaskError {
    pub kind: ErrorKind,
    /// One line.
    pub message: String,
    /// More: the end of stderr, a back trace.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
}

impl TaskError {
    /// Longest message kept, in bytes.
    pub const MAX_MESSAGE: usize = 2_000;
    /// Longest detail kept, in bytes.
    pub const MAX_DETAIL: usize = 16_000;

    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: clean(message.into(), Self::MAX_MESSAGE), detail: None }
    }

    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        let detail = clean(detail.into(), Self::MAX_DETAIL);
        self.detail = (!detail.is_empty()).then_some(detail);
        self
    }
}

/// Cuts at a character's edge and takes out NUL, which PostgreSQL cannot keep.
fn clean(mut text: String, max: usize) -> String {
    if text.contains('\0') {
        text = text.replace('\0', "\u{FFFD}");
    }
    if text.len() > max {
        text.truncate(text.floor_char_boundary(max - 3));
        text.push('…');
    }
    text
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The result: one JSON value, as text.
    Success(String),
    Failure {
        error: TaskError,
        /// False where another attempt would fail the same way.
        retryable: bool,
    },
    TimedOut(TaskError),
    Cancelled,
    /// Given back unfinished: the node is going down, or the slot crashed.
    Interrupted,
}

impl Outcome {
    pub fn failure(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self::Failure { error: TaskError::new(kind, message), retryable: true }
    }
}

/// Why a task is in the dead-letter queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeadReason {
    /// Its retries are used up.
    Exhausted,
    /// Its retries are used up and the last attempt ran out of time.
    Timeout,
    /// Another attempt would fail the same way.
    NotRetryable,
    /// Its workers died three times.
    Poison,
}

impl DeadReason {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exhausted => "exhausted",
            Self::Timeout => "timeout",
            Self::NotRetryable => "not_retryable",
            Self::Poison => "poison",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Exhausted, Self::Timeout, Self::NotRetryable, Self::Poison].into_iter().find(|r| r.as_str() == text)
    }
}

/// What the store is to record. Applied only while the task is still held under the same lease.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Success {
        result: String,
    },
    Retry {
        at: Millis,
        error: TaskError,
    },
    Dead {
        status: Status,
        reason: DeadReason,
        error: TaskError,
    },
    Cancelled,
    /// Back to its queue; neither a failure nor a crash.
    Release,
}

impl Verdict {
    pub const fn status(&self) -> Status {
        match self {
            Self::Success { .. } => Status::Success,
            Self::Retry { .. } => Status::Retry,
            Self::Dead { status, .. } => *status,
            Self::Cancelled => Status::Cancelled,
            Self::Release => Status::Queued,
        }
    }
}

/// What follows from an outcome: pure, so that it can be tested for every case. `random` is drawn from 0..1.
pub fn decide(task: &Granted, outcome: Outcome, default: &RetryPolicy, now: Millis, random: f64) -> Verdict {
    let (error, retryable, status, reason) = match outcome {
        Outcome::Success(result) => return Verdict::Success { result },
        Outcome::Cancelled => return Verdict::Cancelled,
        Outcome::Interrupted => return Verdict::Release,
        Outcome::Failure { error, retryable: true } => (error, true, Status::Failed, DeadReason::Exhausted),
        Outcome::Failure { error, retryable: false } => (error, false, Status::Failed, DeadReason::NotRetryable),
        Outcome::TimedOut(error) => (error, true, Status::Timeout, DeadReason::Timeout),
    };
    if retryable && task.failures < task.max_retries {
        let delay = task.retry.as_ref().unwrap_or(default).delay(task.failures + 1, random);
        return Verdict::Retry { at: now + delay, error };
    }
    Verdict::Dead { status, reason, error }
}
