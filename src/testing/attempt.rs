//! One attempt, inline.

use std::{sync::Arc, time::Duration};

use serde::Serialize;

use crate::{
    task::{Granted, LeaseId, Outcome, Priority, TaskId},
    work::{Assignment, Parent, Registry, StopSignal, perform},
};

/// An attempt at a task that no store knows of.
///
/// ```
/// # use jobqueue::{task::Outcome, testing::Attempt, work::{Registry, TaskContext, TaskFailure}};
/// # tokio_test();
/// # fn tokio_test() {
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let mut registry = Registry::new();
/// registry.task("add", |_: TaskContext, (a, b): (i64, i64)| async move { Ok::<_, TaskFailure>(a + b) }).unwrap();
/// assert_eq!(Attempt::at("add").args(&(1, 2)).run(&registry).await, Outcome::Success("3".into()));
/// # });
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Attempt {
    task: Granted,
    parents: Vec<Parent>,
    stop: StopSignal,
    grace: Duration,
}

impl Attempt {
    /// The first attempt at a task of this name: without arguments, and without a limit of time.
    pub fn at(name: impl Into<String>) -> Self {
        let task = Granted {
            id: TaskId::new(),
            lease: LeaseId::random(),
            name: name.into(),
            queue: "default".into(),
            priority: Priority::default(),
            args: "[]".into(),
            kwargs: "{}".into(),
            meta: None,
            attempt: 1,
            failures: 0,
            crashes: 0,
            snoozes: 0,
            max_retries: 3,
            retry: None,
            timeout_ms: None,
            expires_at: None,
            generation: 1,
            keyed: false,
            parents: 0,
            workflow: None,
            has_dependants: false,
            ready_at: 0,
            started_at: 0,
        };
        Self { task, parents: Vec::new(), stop: StopSignal::new(), grace: Duration::from_secs(5) }
    }

    /// Positional arguments: what serializes to an array. What does not serialize at all is no argument.
    #[must_use]
    pub fn args(mut self, args: &impl Serialize) -> Self {
        self.task.args = serde_json::to_string(args).unwrap_or_else(|_| "[]".into());
        self
    }

    /// Named arguments: what serializes to an object.
    #[must_use]
    pub fn kwargs(mut self, kwargs: &impl Serialize) -> Self {
        self.task.kwargs = serde_json::to_string(kwargs).unwrap_or_else(|_| "{}".into());
        self
    }

    /// What a submitter would attach.
    #[must_use]
    pub fn meta(mut self, meta: &impl Serialize) -> Self {
        self.task.meta = serde_json::to_string(meta).ok();
        self
    }

    /// Which attempt it is; those before it have failed.
    #[must_use]
    pub fn number(mut self, attempt: u32) -> Self {
        (self.task.attempt, self.task.failures) = (attempt, attempt.saturating_sub(1));
        self
    }

    /// How long it may take.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.task.timeout_ms = Some(i64::try_from(limit.as_millis()).unwrap_or(i64::MAX));
        self
    }

    /// What it has waited for.
    #[must_use]
    pub fn parents(mut self, parents: Vec<Parent>) -> Self {
        self.task.parents = u32::try_from(parents.len()).unwrap_or(u32::MAX);
        self.parents = parents;
        self
    }

    /// By this signal it can be cancelled; see [`StopSignal::cancel`].
    #[must_use]
    pub fn stopped_by(mut self, stop: &StopSignal, grace: Duration) -> Self {
        (self.stop, self.grace) = (stop.clone(), grace);
        self
    }

    /// Runs the handler of that name, within its layers, as a slot would.
    pub async fn run(self, registry: &Registry) -> Outcome {
        let Self { task, parents, stop, grace } = self;
        perform(registry, Assignment::new(Arc::new(task), parents), &stop, grace).await
    }
}
