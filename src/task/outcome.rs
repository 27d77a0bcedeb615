//! How an attempt ends and what follows from it.

use serde::{Deserialize, Serialize};

use super::{Granted, Millis, RetryPolicy, Status, duration};

#[cfg(test)]
mod tests;

/// Longest time by which a handler may put its task off: 30 days.
pub const LONGEST_WAIT: Millis = 30 * 24 * 3_600_000;

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
    /// It was to run only where a parent does not succeed.
    Unneeded,
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

    /// Adds a line before the rest of the detail, of which the end is cut off where it is too long.
    #[must_use]
    pub fn with_note(self, note: impl Into<String>) -> Self {
        let (note, detail) = (note.into(), self.detail.clone());
        self.with_detail(detail.map_or_else(|| note.clone(), |detail| format!("{note}\n{detail}")))
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
        again: Again,
    },
    TimedOut(TaskError),
    /// Not now, but once so many milliseconds have passed: nothing has failed, and no attempt is used up.
    Snoozed(Millis),
    Cancelled,
    /// Given back unfinished: the node is going down, or the slot crashed.
    Interrupted,
}

impl Outcome {
    pub fn failure(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self::Failure { error: TaskError::new(kind, message), again: Again::ByPolicy }
    }
}

/// What a handler that failed says about another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Again {
    /// Nothing: the retry policy decides when.
    #[default]
    ByPolicy,
    /// Once so many milliseconds have passed, at most [`LONGEST_WAIT`]; while retries are left.
    After(Millis),
    /// It would fail the same way.
    Never,
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
    /// It expires before another attempt could start.
    Expired,
    /// Its workers died three times.
    Poison,
}

impl DeadReason {
    pub const ALL: [Self; 5] = [Self::Exhausted, Self::Timeout, Self::NotRetryable, Self::Expired, Self::Poison];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exhausted => "exhausted",
            Self::Timeout => "timeout",
            Self::NotRetryable => "not_retryable",
            Self::Expired => "expired",
            Self::Poison => "poison",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
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
    /// It waits for this moment as though the attempt had not been.
    Snooze {
        at: Millis,
    },
    /// It wanted to wait beyond its own end.
    Expired {
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
            Self::Snooze { .. } => Status::Scheduled,
            Self::Expired { .. } => Status::Expired,
            Self::Cancelled => Status::Cancelled,
            Self::Release => Status::Queued,
        }
    }
}

/// What follows from an outcome: pure, so that it can be tested for every case. `random` is drawn from 0..1.
pub fn decide(task: &Granted, outcome: Outcome, default: &RetryPolicy, now: Millis, random: f64) -> Verdict {
    let (error, again, status, used_up) = match outcome {
        Outcome::Success(result) => return Verdict::Success { result },
        Outcome::Cancelled => return Verdict::Cancelled,
        Outcome::Interrupted => return Verdict::Release,
        Outcome::Snoozed(delay) if is_sensible(delay) => return snooze(task, delay, now),
        Outcome::Snoozed(delay) => (senseless_snooze(delay), Again::ByPolicy, Status::Failed, DeadReason::Exhausted),
        Outcome::Failure { error, again } => (error, again, Status::Failed, DeadReason::Exhausted),
        Outcome::TimedOut(error) => (error, Again::ByPolicy, Status::Timeout, DeadReason::Timeout),
    };
    let by_policy = || task.retry.as_ref().unwrap_or(default).delay(task.failures + 1, random);
    let (error, delay) = match again {
        Again::Never => return Verdict::Dead { status, reason: DeadReason::NotRetryable, error },
        Again::After(delay) if is_sensible(delay) => (error, delay),
        Again::After(delay) => {
            let note = format!("its retry_after of {delay} ms is not between 0 and 30 days: the retry policy decides");
            (error.with_note(note), by_policy())
        }
        Again::ByPolicy => (error, by_policy()),
    };
    if task.failures >= task.max_retries {
        return Verdict::Dead { status, reason: used_up, error };
    }
    if task.expires_by(now + delay) {
        let wait = duration::to_text(delay);
        let note = format!("not tried again: it expires (expires_at, max_age) before its next attempt, after {wait}");
        return Verdict::Dead { status, reason: DeadReason::Expired, error: error.with_note(note) };
    }
    Verdict::Retry { at: now + delay, error }
}

fn is_sensible(delay: Millis) -> bool {
    (0..=LONGEST_WAIT).contains(&delay)
}

fn snooze(task: &Granted, delay: Millis, now: Millis) -> Verdict {
    if task.expires_by(now + delay) {
        let wait = duration::to_text(delay);
        let message = format!("it expires (expires_at, max_age) before the {wait} are over for which it was snoozed");
        return Verdict::Expired { error: TaskError::new(ErrorKind::Expired, message) };
    }
    Verdict::Snooze { at: now + delay }
}

/// Nobody knows when it is to go on: there is nothing else this could mean than a fault of the handler.
fn senseless_snooze(delay: Millis) -> TaskError {
    TaskError::new(ErrorKind::Failure, format!("was snoozed for {delay} ms, which is not between 0 and 30 days"))
}
