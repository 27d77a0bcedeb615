//! What a worker says of how an attempt ended.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::super::{
    check::{self, Faults},
    code::Code,
    draft::DurationWritten,
    problem::Problem,
};
use crate::{
    store::Hold,
    task::{Again, ErrorKind, Millis, Outcome, TaskError, duration, json},
};

/// What went wrong.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with a `message`")]
#[schema(as = AttemptError)]
pub(in crate::http) struct ErrorBody {
    /// One line; cut off at 2000 bytes.
    message: String,
    /// More, such as a stack trace; cut off at 16000 bytes.
    #[serde(default)]
    detail: Option<String>,
    /// `failure` if not given.
    #[serde(default)]
    #[schema(value_type = Option<String>, examples("failure", "panic", "exit", "signal", "timeout", "output", "arguments"))]
    kind: Option<String>,
    /// False: another attempt would fail the same way.
    #[serde(default)]
    retryable: Option<bool>,
    /// When the next attempt is to be made, instead of when the retry policy says: at most 30 days.
    #[serde(default, deserialize_with = "duration::deserialize_option")]
    #[schema(value_type = Option<DurationWritten>)]
    retry_after: Option<Millis>,
}

/// How an attempt ended, in a worker's words.
pub(super) enum Said {
    Result(String),
    Error(TaskError, Again),
    Snooze(Millis),
    Release,
    Cancelled,
}

const KINDS: [(&str, ErrorKind); 7] = [
    ("failure", ErrorKind::Failure),
    ("panic", ErrorKind::Panic),
    ("exit", ErrorKind::Exit),
    ("signal", ErrorKind::Signal),
    ("timeout", ErrorKind::Timeout),
    ("output", ErrorKind::Output),
    ("arguments", ErrorKind::Arguments),
];

/// A value that is given, also where it is null.
pub(super) fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

pub(super) fn result(faults: &mut Faults, text: &RawValue) -> Said {
    if let Err(fault) = json::check(text.get()) {
        faults.invalid("/result", fault.to_string());
    }
    Said::Result(text.get().to_owned())
}

impl ErrorBody {
    /// `retryable` and `retry_after` may stand beside it too.
    pub(super) fn said(self, faults: &mut Faults, retryable: Option<bool>, retry_after: Option<Millis>) -> Said {
        let Self { message, detail, kind, .. } = self;
        let (retryable, retry_after) = (retryable.or(self.retryable), retry_after.or(self.retry_after));
        let named = kind.as_deref().unwrap_or("failure");
        let kind = KINDS.iter().find(|(name, _)| *name == named).map(|(_, kind)| *kind);
        if kind.is_none() {
            let known = KINDS.map(|(name, _)| name).join(", ");
            faults.invalid("/error/kind", format!("must be one of {known}"));
        }
        if message.trim().is_empty() {
            faults.invalid("/error/message", "must say what went wrong");
        }
        span(faults, "/retry_after", retry_after);
        if retryable == Some(false) && retry_after.is_some() {
            faults.invalid("/retry_after", "contradicts `retryable: false`");
        }
        let error = TaskError::new(kind.unwrap_or(ErrorKind::Failure), message);
        let error = match detail {
            Some(detail) => error.with_detail(detail),
            None => error,
        };
        let again = match (retryable, retry_after) {
            (Some(false), _) => Again::Never,
            (_, Some(delay)) => Again::After(delay),
            _ => Again::ByPolicy,
        };
        Said::Error(error, again)
    }
}

/// A time that a task may be put off by.
pub(super) fn span(faults: &mut Faults, pointer: &str, given: Option<Millis>) {
    if given.is_some_and(|span| span > check::MAX_TIMEOUT) {
        faults.invalid(pointer, "must be at most 30 days");
    }
}

impl Said {
    /// What that means for an attempt that is held at this moment.
    pub(super) fn outcome(self, hold: &Hold, now: Millis) -> Result<Outcome, Problem> {
        Ok(match self {
            Self::Result(result) => Outcome::Success(result),
            Self::Error(error, Again::ByPolicy) if error.kind == ErrorKind::Timeout => Outcome::TimedOut(error),
            Self::Error(error, again) => Outcome::Failure { error, again },
            Self::Snooze(delay) => Outcome::Snoozed(delay),
            Self::Release => Outcome::Interrupted,
            Self::Cancelled if hold.cancel_requested => Outcome::Cancelled,
            Self::Cancelled => match hold.deadline.filter(|deadline| *deadline <= now) {
                Some(deadline) => {
                    let allowed = duration::to_text(deadline - hold.task.started_at);
                    let message = format!("did not finish within {allowed}");
                    Outcome::TimedOut(TaskError::new(ErrorKind::Timeout, message))
                }
                None => {
                    let detail =
                        "Nobody has asked for this task to be cancelled, and it has time left: release it, or fail";
                    return Err(Problem::new(Code::NotCancelled, detail));
                }
            },
        })
    }
}
