//! How a Rust handler says that it has no result: that it failed, or that its time has not come.

use std::{any::Any, error::Error, fmt::Write, time::Duration};

use crate::task::{Again, ErrorKind, Millis, Outcome, TaskError};

/// An attempt without a result: it failed, unless it was made of a [`Snooze`]. Made from any error by `?`, which keeps the
/// chain of its sources as the detail.
///
/// Deliberately not an [`Error`] itself: that is what allows `?` from every error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskFailure {
    error: TaskError,
    then: Then,
}

/// What is to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Retry(Again),
    /// It is no failure at all.
    Wait(Millis),
}

/// "Not now, but once this much time has passed", at most 30 days: an attempt that ends with this is not counted, nor as a
/// failure. The task waits (`scheduled`) and runs again then, as often as it is put off, until its `max_age` is over. A longer
/// time is a failed attempt.
///
/// ```
/// # use std::time::Duration;
/// # use jobqueue::work::{Registry, Snooze, TaskFailure};
/// # async fn is_there(file: &str) -> Result<bool, std::io::Error> { Ok(true) }
/// # let mut registry = Registry::new();
/// registry.task("import", |_, (file,): (String,)| async move {
///     if !is_there(&file).await? {
///         return Err(Snooze(Duration::from_secs(300)).into());
///     }
///     Ok::<_, TaskFailure>("imported")
/// })?;
/// # Ok::<(), jobqueue::work::RegisterError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snooze(pub Duration);

impl TaskFailure {
    /// A failure that is retried while retries are left.
    pub fn new(message: impl Into<String>) -> Self {
        Self { error: described(ErrorKind::Failure, message.into()), then: Then::Retry(Again::ByPolicy) }
    }

    /// Arguments that do not fit will not fit the next time either.
    pub(super) fn arguments(message: impl Into<String>) -> Self {
        Self { error: described(ErrorKind::Arguments, message.into()), then: Then::Retry(Again::Never) }
    }

    /// Another attempt would fail the same way: the task goes to the dead letters at once.
    #[must_use]
    pub fn not_retryable(mut self) -> Self {
        self.then = Then::Retry(Again::Never);
        self
    }

    /// The next attempt is to be made after this time, at most 30 days, instead of when the retry policy says; it uses up a
    /// retry as ever.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.then = Then::Retry(Again::After(millis(delay)));
        self
    }

    /// Adds what helps to find the cause.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.error = self.error.with_detail(detail);
        self
    }

    /// What will be kept with the task.
    pub fn error(&self) -> &TaskError {
        &self.error
    }

    /// Whether another attempt may help.
    pub fn is_retryable(&self) -> bool {
        self.then != Then::Retry(Again::Never)
    }

    fn of(error: &dyn Error) -> Self {
        let failure = Self::new(error.to_string());
        let mut chain = failure.error.detail.clone().unwrap_or_default();
        let mut source = error.source();
        while let Some(cause) = source {
            // Writing to a String does not fail.
            let _ = write!(chain, "{}caused by: {cause}", if chain.is_empty() { "" } else { "\n" });
            source = cause.source();
        }
        if chain.is_empty() { failure } else { failure.with_detail(chain) }
    }
}

impl<E: Error> From<E> for TaskFailure {
    fn from(error: E) -> Self {
        Self::of(&error)
    }
}

impl From<TaskFailure> for Outcome {
    fn from(TaskFailure { error, then }: TaskFailure) -> Self {
        match then {
            Then::Retry(again) => Self::Failure { error, again },
            Then::Wait(delay) => Self::Snoozed(delay),
        }
    }
}

impl From<Snooze> for TaskFailure {
    fn from(Snooze(delay): Snooze) -> Self {
        let then = Then::Wait(millis(delay));
        Self { then, ..Self::new(format!("is to run again in {} s", delay.as_secs_f64())) }
    }
}

/// So long a time is out of every range, and told as such.
fn millis(delay: Duration) -> Millis {
    Millis::try_from(delay.as_millis()).unwrap_or(Millis::MAX)
}

/// What a handler may return as its error: [`TaskFailure`], [`Snooze`], any [`Error`], boxed errors (also those of anyhow and eyre)
/// and plain text. `Via` only keeps these cases apart and is always inferred.
#[diagnostic::on_unimplemented(
    message = "a task cannot fail with `{Self}`",
    note = "use an error type (std::error::Error), a boxed error, String, &'static str, TaskFailure or Snooze"
)]
pub trait IntoFailure<Via> {
    /// The failure to record.
    fn into_failure(self) -> TaskFailure;
}

impl IntoFailure<TaskFailure> for TaskFailure {
    fn into_failure(self) -> TaskFailure {
        self
    }
}

impl IntoFailure<Snooze> for Snooze {
    fn into_failure(self) -> TaskFailure {
        self.into()
    }
}

impl<E: Error> IntoFailure<&dyn Error> for E {
    fn into_failure(self) -> TaskFailure {
        TaskFailure::of(&self)
    }
}

impl<E: AsRef<dyn Error + Send + Sync>> IntoFailure<Box<dyn Error + Send + Sync>> for E {
    fn into_failure(self) -> TaskFailure {
        TaskFailure::of(self.as_ref())
    }
}

impl IntoFailure<String> for String {
    fn into_failure(self) -> TaskFailure {
        TaskFailure::new(self)
    }
}

impl IntoFailure<&str> for &'static str {
    fn into_failure(self) -> TaskFailure {
        TaskFailure::new(self)
    }
}

/// A text of one or more lines as an error: its first line is the message, the whole the detail.
pub(super) fn described(kind: ErrorKind, text: String) -> TaskError {
    match text.trim().split_once('\n') {
        Some((first, _)) => TaskError::new(kind, first.trim_end()).with_detail(text),
        None => TaskError::new(kind, text),
    }
}

/// The outcome of an attempt that panicked, from what `catch_unwind` caught.
pub(super) fn panicked(payload: &(dyn Any + Send)) -> Outcome {
    let message = payload
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panicked with a value that is not text".into());
    Outcome::Failure { error: described(ErrorKind::Panic, message), again: Again::ByPolicy }
}
