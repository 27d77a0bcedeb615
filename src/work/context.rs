//! What a handler is told about its task.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use serde::de::DeserializeOwned;

use super::{Assignment, AtWork, Notes, Parent, State, StopReason, StopSignal, TaskFailure, arguments};
use crate::task::{Granted, LeaseToken, LogLevel, Progress, TaskId};

/// One attempt of one task, as its handler sees it. Cheap to clone.
#[derive(Clone)]
pub struct TaskContext {
    // Shared with whoever decides about the outcome, so that no text of the task is copied.
    task: Arc<Granted>,
    parents: Arc<[Parent]>,
    notes: Arc<dyn Notes>,
    stop: StopSignal,
    deadline: Option<Instant>,
    state: State,
}

impl fmt::Debug for TaskContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { task, parents, stop, deadline, .. } = self;
        let mut all = f.debug_struct("TaskContext");
        all.field("task", task).field("parents", parents).field("stop", stop).field("deadline", deadline);
        all.finish_non_exhaustive()
    }
}

impl TaskContext {
    /// For an attempt that `stop` can end and that has until `deadline`.
    pub fn new(assignment: impl Into<Assignment>, stop: StopSignal, deadline: Option<Instant>) -> Self {
        let Assignment { task, parents, notes } = assignment.into();
        Self { task, parents, notes, stop, deadline, state: State::default() }
    }

    #[must_use]
    pub(super) fn with_state(self, state: &State) -> Self {
        Self { state: state.clone(), ..self }
    }

    pub(super) const fn state(&self) -> &State {
        &self.state
    }

    /// Until this is dropped, the attempt is at work.
    pub(super) fn at_work(&self) -> AtWork {
        self.stop.at_work()
    }

    /// The task's id: the same in every attempt, so it can serve as an idempotency key towards other systems.
    pub fn id(&self) -> TaskId {
        self.task.id
    }

    /// The task's name.
    pub fn name(&self) -> &str {
        &self.task.name
    }

    /// The queue it was taken from.
    pub fn queue(&self) -> &str {
        &self.task.queue
    }

    /// Number of this attempt, 1 = the first.
    pub fn attempt(&self) -> u32 {
        self.task.attempt
    }

    /// Retries after the first attempt: 3 = at most 4 attempts.
    pub fn max_retries(&self) -> u32 {
        self.task.max_retries
    }

    /// Failed attempts before this one.
    pub fn failures(&self) -> u32 {
        self.task.failures
    }

    /// How often the task has been put off by its handler ([`super::Snooze`]); those attempts are not counted.
    pub fn snoozes(&self) -> u32 {
        self.task.snoozes
    }

    /// How often the task was started anew after it had ended.
    pub fn generation(&self) -> u32 {
        self.task.generation
    }

    /// The grant under which it runs; its text is the `lease_id` of the API.
    pub fn lease(&self) -> LeaseToken {
        self.task.token()
    }

    /// The positional arguments: a JSON array, as submitted.
    pub fn args_json(&self) -> &str {
        &self.task.args
    }

    /// The named arguments: a JSON object, as submitted.
    pub fn kwargs_json(&self) -> &str {
        &self.task.kwargs
    }

    /// What the submitter attached: a JSON object, as submitted.
    pub fn meta_json(&self) -> Option<&str> {
        self.task.meta.as_deref()
    }

    /// The positional arguments as a `T`: a tuple, a `Vec`, …
    pub fn args<T: DeserializeOwned>(&self) -> Result<T, TaskFailure> {
        arguments::read_json(&self.task.args, "args")
    }

    /// The named arguments as a `T`: a struct, a map, …
    pub fn kwargs<T: DeserializeOwned>(&self) -> Result<T, TaskFailure> {
        arguments::read_json(&self.task.kwargs, "kwargs")
    }

    /// The tasks this one has waited for, in the order of their submission.
    pub fn parents(&self) -> &[Parent] {
        &self.parents
    }

    /// The result of one of them as a `T`.
    pub fn parent_result<T: DeserializeOwned>(&self, id: TaskId) -> Result<T, TaskFailure> {
        let parent = self.parents.iter().find(|parent| parent.id == id);
        let missing = || TaskFailure::new(format!("there is no result of a parent {id}")).not_retryable();
        let result = parent.and_then(|parent| parent.result.as_deref()).ok_or_else(missing)?;
        arguments::read_json(result, "parents")
    }

    /// Says how far it has come: a percentage (0 to 100), a few words, or both. Shown with the task until it says something
    /// else.
    pub fn progress(&self, percent: impl Into<Option<f64>>, message: impl AsRef<str>) {
        let message = Some(message.as_ref()).filter(|message| !message.is_empty());
        self.notes.progress(Progress::new(percent.into(), message));
    }

    /// A line in the log of this attempt, of which the last thousand are kept.
    pub fn log(&self, level: LogLevel, message: impl AsRef<str>) {
        self.notes.log(level, message.as_ref());
    }

    pub(super) fn notes(&self) -> &Arc<dyn Notes> {
        &self.notes
    }

    /// When the attempt's time is over; `None`: it has no limit.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Time left of the limit, zero once it is over.
    pub fn time_left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Resolves when the handler is to end: cancelled, out of time, or the node stops. The handler then has the grace
    /// to return; after that it is dropped.
    pub async fn cancelled(&self) {
        self.stop.requested().await;
    }

    /// For functions that block: waits until the handler is to end, at most so long; whether it is.
    ///
    /// # Panics
    /// On a thread of an async function, where it would hold up others.
    pub fn cancelled_within(&self, patience: Duration) -> bool {
        let handle = tokio::runtime::Handle::current();
        handle.block_on(async { tokio::time::timeout(patience, self.cancelled()).await.is_ok() })
    }

    /// Whether [`Self::cancelled`] would resolve at once.
    pub fn is_cancelled(&self) -> bool {
        self.stop.reason().is_some()
    }

    /// Why the handler is to end, if it is.
    pub fn stop_reason(&self) -> Option<StopReason> {
        self.stop.reason()
    }
}
