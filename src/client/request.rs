//! A task to be submitted.

use std::time::Duration;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::Error;
use crate::task::{Priority, RetryPolicy, duration};

/// A task to be submitted. Whatever is not set is the server's default.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TaskRequest {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kwargs: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<Priority>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_retries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry: Option<RetryPolicy>,
    /// The inner `None` is written as `null`: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<Option<String>>,
    /// The inner `None` is written as `null`: for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_age: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unique_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unique_conflict: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unique: Option<Unique>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fair_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrency_key: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    requires: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<Box<RawValue>>,
    /// A header, not part of the body.
    #[serde(skip)]
    pub(super) idempotency_key: Option<String>,
}

/// What its unique key is made of, and for how long it has it.
#[derive(Debug, Clone, Default, Serialize)]
struct Unique {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    by: Vec<String>,
    #[serde(rename = "while", skip_serializing_if = "Vec::is_empty")]
    scope: Vec<String>,
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    period: Option<String>,
}

impl TaskRequest {
    /// A task of this name, to be run as soon as possible.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Positional arguments: anything that serializes to a JSON array.
    ///
    /// # Errors
    /// [`Error::Encode`] for what cannot be written as JSON.
    pub fn args(mut self, args: &(impl Serialize + ?Sized)) -> Result<Self, Error> {
        self.args = Some(to_raw_value(args)?);
        Ok(self)
    }

    /// Named arguments: anything that serializes to a JSON object.
    ///
    /// # Errors
    /// [`Error::Encode`] for what cannot be written as JSON.
    pub fn kwargs(mut self, kwargs: &(impl Serialize + ?Sized)) -> Result<Self, Error> {
        self.kwargs = Some(to_raw_value(kwargs)?);
        Ok(self)
    }

    /// Data of the submitter's own: anything that serializes to a JSON object.
    ///
    /// # Errors
    /// [`Error::Encode`] for what cannot be written as JSON.
    pub fn meta(mut self, meta: &(impl Serialize + ?Sized)) -> Result<Self, Error> {
        self.meta = Some(to_raw_value(meta)?);
        Ok(self)
    }

    /// 1 to 64 of `A-Z a-z 0-9 . _ -`.
    #[must_use]
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    #[must_use]
    pub const fn priority(mut self, priority: Priority) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Retries after the first attempt.
    #[must_use]
    pub const fn max_retries(mut self, retries: u32) -> Self {
        self.max_retries = Some(retries);
        self
    }

    /// How long to wait between attempts.
    #[must_use]
    pub const fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = Some(policy);
        self
    }

    /// Time limit of an attempt; `None`: no limit.
    #[must_use]
    pub fn timeout(mut self, limit: Option<Duration>) -> Self {
        self.timeout = Some(limit.map(text));
        self
    }

    /// How long after its submission it may be started, which bounds retries and snoozes too; `None`: for ever, also where
    /// its queue has a bound.
    #[must_use]
    pub fn max_age(mut self, age: Option<Duration>) -> Self {
        self.max_age = Some(age.map(text));
        self
    }

    /// Not before this time.
    #[must_use]
    pub fn run_at(mut self, time: jiff::Timestamp) -> Self {
        self.run_at = Some(time.to_string());
        self
    }

    /// Not before this much time has passed, by the server's clock.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = Some(text(delay));
        self
    }

    /// At most one task of a queue has this key at a time, while it is live; a second submission gets the first task.
    #[must_use]
    pub fn unique_key(mut self, key: impl Into<String>) -> Self {
        self.unique_key = Some(key.into());
        self
    }

    /// A unique key made of the name and all arguments.
    #[must_use]
    pub fn unique(self) -> Self {
        self.unique_by(["name", "args", "kwargs"])
    }

    /// A unique key made of parts of the task: `name`, `args`, `kwargs`, `meta`, or a path into one of the last three, such as
    /// `args.0` or `kwargs.user.id`.
    #[must_use]
    pub fn unique_by(mut self, parts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.unique_mut().by = parts.into_iter().map(Into::into).collect();
        self
    }

    /// It has its unique key for so long after the submission, also when it is over before that.
    #[must_use]
    pub fn unique_for(mut self, period: Duration) -> Self {
        self.unique_mut().period = Some(text(period));
        self
    }

    /// The statuses in which it has its unique key: `waiting`, `running`, and those in which it is over. Only with `waiting` it
    /// lets go of it at its start.
    #[must_use]
    pub fn unique_while(mut self, statuses: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.unique_mut().scope = statuses.into_iter().map(Into::into).collect();
        self
    }

    fn unique_mut(&mut self) -> &mut Unique {
        self.unique.get_or_insert_default()
    }

    /// A second submission with the same unique key takes the place of the first where that waits, and is refused with status
    /// 409 otherwise.
    #[must_use]
    pub const fn replace_waiting(mut self) -> Self {
        self.unique_conflict = Some("replace");
        self
    }

    /// A second submission with the same unique key is refused with status 409 instead.
    #[must_use]
    pub const fn reject_duplicates(mut self) -> Self {
        self.unique_conflict = Some("reject");
        self
    }

    /// Tasks of different fair keys, such as one for each tenant, take turns in their queue.
    #[must_use]
    pub fn fair_key(mut self, key: impl Into<String>) -> Self {
        self.fair_key = Some(key.into());
        self
    }

    /// Tasks of one rate key share the limit that the queue sets for each (its `key_rate_limit`).
    #[must_use]
    pub fn rate_key(mut self, key: impl Into<String>) -> Self {
        self.rate_key = Some(key.into());
        self
    }

    /// How much of the limit of its rate key the task uses, 1 to 1,000,000; one if not set. Refused without a rate key.
    #[must_use]
    pub const fn cost(mut self, cost: u32) -> Self {
        self.cost = Some(cost);
        self
    }

    /// Of one concurrency key no more run at a time than the queue allows (its `key_concurrency`).
    #[must_use]
    pub fn concurrency_key(mut self, key: impl Into<String>) -> Self {
        self.concurrency_key = Some(key.into());
        self
    }

    /// A label that a worker must bear to run it, such as `gpu`. Can be called more than once.
    #[must_use]
    pub fn requires(mut self, label: impl Into<String>) -> Self {
        self.requires.push(label.into());
        self
    }

    /// Can be called more than once.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Makes the submission safe to repeat: for 24 hours the same key gets the first answer again.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }
}

/// Whole milliseconds; less than one counts as one, so that a limit never becomes "at once".
fn text(time: Duration) -> String {
    let millis = i64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX);
    duration::to_text(millis)
}
