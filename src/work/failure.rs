//! How a Rust handler says that it failed.

use std::{any::Any, error::Error, fmt::Write};

use crate::task::{ErrorKind, Outcome, TaskError};

/// A failed attempt. Made from any error by `?`, which keeps the chain of its sources as the detail.
///
/// Deliberately not an [`Error`] itself: that is what allows `?` from every error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskFailure {
    error: TaskError,
    retryable: bool,
}

impl TaskFailure {
    /// A failure that is retried while retries are left.
    pub fn new(message: impl Into<String>) -> Self {
        Self { error: described(ErrorKind::Failure, message.into()), retryable: true }
    }

    /// Arguments that do not fit will not fit the next time either.
    pub(super) fn arguments(message: impl Into<String>) -> Self {
        Self { error: described(ErrorKind::Arguments, message.into()), retryable: false }
    }

    /// Another attempt would fail the same way: the task goes to the dead letters at once.
    #[must_use]
    pub fn not_retryable(mut self) -> Self {
        self.retryable = false;
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
        self.retryable
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
    fn from(TaskFailure { error, retryable }: TaskFailure) -> Self {
        Self::Failure { error, retryable }
    }
}

/// What a handler may return as its error: [`TaskFailure`], any [`Error`], boxed errors (also those of anyhow and eyre)
/// and plain text. `Via` only keeps these cases apart and is always inferred.
#[diagnostic::on_unimplemented(
    message = "a task cannot fail with `{Self}`",
    note = "use an error type (std::error::Error), a boxed error, String, &'static str or TaskFailure"
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
    Outcome::Failure { error: described(ErrorKind::Panic, message), retryable: true }
}
