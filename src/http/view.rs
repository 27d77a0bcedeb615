//! A task as the API shows it.

use serde::{Serialize, Serializer, ser::SerializeMap as _};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::time::Time;
use crate::{
    store::{ProgressRow, TaskRow},
    task::{KeyScope, Millis, NewTask, Priority, RetryPolicy, Status, Strategy, TaskError, TaskId, WorkerId, duration},
};

/// JSON that is passed on byte for byte, so that a number of any size stays exact.
#[derive(Clone, Copy)]
pub(super) enum Raw<'a> {
    Text(&'a RawValue),
    EmptyArray,
    EmptyObject,
    Null,
}

impl<'a> Raw<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        serde_json::from_str(text).map_or(Self::Null, Self::Text)
    }

    pub(super) fn or_null(text: Option<&'a str>) -> Self {
        text.map_or(Self::Null, Self::of)
    }
}

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => text.serialize(serializer),
            Self::EmptyArray => [(); 0].serialize(serializer),
            Self::EmptyObject => serializer.serialize_map(Some(0))?.end(),
            Self::Null => serializer.serialize_none(),
        }
    }
}

/// When a failed attempt is tried again.
#[derive(Serialize, ToSchema)]
pub(super) struct Retry {
    strategy: Strategy,
    base: f64,
    initial: String,
    max: String,
    jitter: bool,
}

impl From<&RetryPolicy> for Retry {
    fn from(policy: &RetryPolicy) -> Self {
        let RetryPolicy { strategy, base, initial, max, jitter } = *policy;
        Self { strategy, base, initial: duration::to_text(initial), max: duration::to_text(max), jitter }
    }
}

/// A task. Lists leave out `args`, `kwargs` and `result` unless they are asked for.
#[derive(Serialize, ToSchema)]
#[schema(as = Task)]
pub(super) struct TaskView<'a> {
    #[schema(value_type = String, format = Uuid)]
    pub(super) id: TaskId,
    name: &'a str,
    queue: &'a str,
    #[schema(value_type = u8, minimum = 0, maximum = 9)]
    priority: Priority,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Value>>)]
    args: Option<Raw<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    kwargs: Option<Raw<'a>>,
    /// Number of the present or last attempt; 0 before the first.
    attempt: u32,
    failures: u32,
    crashes: u32,
    /// How often its handler has put it off; those attempts are not counted.
    snoozes: u32,
    max_retries: u32,
    /// Null: the server's default at the time of the failure.
    retry: Option<Retry>,
    /// Null: no limit.
    timeout_ms: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>)]
    result: Option<Raw<'a>>,
    error: Option<&'a TaskError>,
    created_at: Time,
    run_at: Option<Time>,
    /// It is not started any more from then on: by `expires_at`, `expires_in` or `max_age`, whichever ends first.
    expires_at: Option<Time>,
    /// Milliseconds from its submission, or from a retry on request, within which it may be started; null: for ever.
    max_age_ms: Option<Millis>,
    /// Milliseconds for which the result is given out after the end; null: the server's default.
    result_ttl_ms: Option<Millis>,
    /// How many tasks it waits, or has waited, for.
    parents: usize,
    /// The workflow it is a task of. Callbacks name it only where the task is read by itself.
    #[schema(value_type = Option<String>, format = Uuid)]
    pub(super) workflow_id: Option<TaskId>,
    /// What it is called there, where the task is read by itself.
    pub(super) node: Option<String>,
    /// When it may be claimed; null unless it waits for a worker.
    ready_at: Option<Time>,
    started_at: Option<Time>,
    finished_at: Option<Time>,
    duration_ms: Option<Millis>,
    #[schema(value_type = Option<String>, format = Uuid)]
    worker_id: Option<WorkerId>,
    cancel_requested: bool,
    unique_key: Option<&'a str>,
    /// How long it has its unique key; null without one.
    unique: Option<Uniqueness>,
    fair_key: Option<&'a str>,
    rate_key: Option<&'a str>,
    /// How much of the limit of its `rate_key` it uses.
    cost: Option<u32>,
    concurrency_key: Option<&'a str>,
    /// Labels that a worker must bear to run it.
    requires: &'a [String],
    tags: &'a [String],
    #[schema(value_type = Option<Object>)]
    meta: Raw<'a>,
    /// How far its present or last attempt has come, where it has said so and the task is read by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) progress: Option<ProgressView>,
    /// Raised by each retry on request, and each time it is replaced.
    generation: u32,
    /// Present and true where a submission was answered with the task that holds its unique key.
    #[serde(skip_serializing_if = "is_false")]
    pub(super) deduplicated: bool,
    /// Present and true where a submission has replaced what was asked of this task, which waited.
    #[serde(skip_serializing_if = "is_false")]
    pub(super) replaced: bool,
}

/// How far an attempt has come, by its own account.
#[derive(Serialize, ToSchema)]
#[schema(as = Progress)]
pub(super) struct ProgressView {
    /// 0 to 100.
    percent: Option<f64>,
    message: Option<String>,
    at: Time,
}

impl ProgressView {
    /// Of the attempt that the task shows.
    pub(super) fn of(row: &TaskRow, said: Option<ProgressRow>) -> Option<Self> {
        let current =
            |said: &ProgressRow| (said.attempt.generation, said.attempt.number) == (row.generation, row.attempt);
        let ProgressRow { progress, at, .. } = said.filter(current)?;
        Some(Self { percent: progress.percent, message: progress.message, at: Time(at) })
    }
}

/// How long a task has its unique key.
#[derive(Serialize, ToSchema)]
#[schema(as = HeldKey)]
pub(super) struct Uniqueness {
    /// The statuses in which it has it: `waiting`, `running`, and those in which it is over.
    r#while: Vec<&'static str>,
    /// When it lets go of it in the latter; null: never, if there are any.
    until: Option<Time>,
}

impl Uniqueness {
    fn of(scope: KeyScope, until: Option<Millis>) -> Self {
        Self { r#while: scope.to_words(), until: until.map(Time) }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// Which of the long parts are shown.
#[derive(Clone, Copy)]
pub(super) struct Shown {
    pub(super) args: bool,
    pub(super) result: bool,
}

impl Shown {
    pub(super) const ALL: Self = Self { args: true, result: true };
}

impl<'a> TaskView<'a> {
    pub(super) fn of(row: &'a TaskRow, shown: Shown) -> Self {
        Self {
            id: row.id,
            name: &row.name,
            queue: &row.queue,
            priority: row.priority,
            status: row.status,
            args: shown.args.then(|| Raw::of(&row.args)),
            kwargs: shown.args.then(|| Raw::of(&row.kwargs)),
            attempt: row.attempt,
            failures: row.failures,
            crashes: row.crashes,
            snoozes: row.snoozes,
            max_retries: row.max_retries,
            retry: row.retry.as_ref().map(Retry::from),
            timeout_ms: row.timeout_ms,
            result: shown.result.then(|| Raw::or_null(row.result.as_deref())),
            error: row.error.as_ref(),
            created_at: Time(row.created_at),
            run_at: row.run_at.map(Time),
            expires_at: row.expires_at.map(Time),
            max_age_ms: row.max_age_ms,
            result_ttl_ms: row.result_ttl_ms,
            parents: row.parents as usize,
            workflow_id: row.workflow,
            node: None,
            ready_at: row.ready_at.map(Time),
            started_at: row.started_at.map(Time),
            finished_at: row.finished_at.map(Time),
            duration_ms: took(row),
            worker_id: row.worker_id,
            cancel_requested: row.cancel_requested,
            unique_key: row.unique_key.as_deref(),
            unique: row.unique_key.as_ref().map(|_| Uniqueness::of(row.unique_scope, row.unique_until)),
            fair_key: row.flow.as_ref().and_then(|keys| keys.fair_key.as_deref()),
            rate_key: row.flow.as_ref().and_then(|keys| keys.rate_key.as_deref()),
            cost: row.flow.as_ref().filter(|keys| keys.rate_key.is_some()).map(|keys| keys.cost()),
            concurrency_key: row.flow.as_ref().and_then(|keys| keys.concurrency_key.as_deref()),
            requires: row.flow.as_ref().map_or(&[], |keys| &keys.requires),
            tags: &row.tags,
            meta: Raw::or_null(row.meta.as_deref()),
            progress: None,
            generation: row.generation,
            deduplicated: false,
            replaced: false,
        }
    }

    /// A task just stored; its JSON parts as they stand in the request, so that they are not parsed again.
    pub(super) fn new(task: &'a NewTask, args: Raw<'a>, kwargs: Raw<'a>, meta: Raw<'a>) -> Self {
        Self {
            id: task.id,
            name: &task.name,
            queue: &task.queue,
            priority: task.priority,
            status: task.first_status(),
            args: Some(args),
            kwargs: Some(kwargs),
            attempt: 0,
            failures: 0,
            crashes: 0,
            snoozes: 0,
            max_retries: task.max_retries,
            retry: task.retry.as_ref().map(Retry::from),
            timeout_ms: task.timeout_ms,
            result: Some(Raw::Null),
            error: None,
            created_at: Time(task.created_at),
            run_at: task.run_at.map(Time),
            expires_at: task.expires_at.map(Time),
            max_age_ms: task.max_age_ms,
            result_ttl_ms: task.result_ttl_ms,
            parents: task.parents.len(),
            workflow_id: task.workflow,
            node: None,
            ready_at: task.by_parents.is_none().then(|| Time(task.ready_at())),
            started_at: None,
            finished_at: None,
            duration_ms: None,
            worker_id: None,
            cancel_requested: false,
            unique_key: task.unique_key(),
            unique: task.unique.as_ref().map(|unique| Uniqueness::of(unique.scope, unique.until)),
            fair_key: task.flow.as_ref().and_then(|keys| keys.fair_key.as_deref()),
            rate_key: task.flow.as_ref().and_then(|keys| keys.rate_key.as_deref()),
            cost: task.flow.as_ref().filter(|keys| keys.rate_key.is_some()).map(|keys| keys.cost()),
            concurrency_key: task.flow.as_ref().and_then(|keys| keys.concurrency_key.as_deref()),
            requires: task.flow.as_ref().map_or(&[], |keys| &keys.requires),
            tags: &task.tags,
            meta,
            progress: None,
            generation: 1,
            deduplicated: false,
            replaced: false,
        }
    }
}

/// Milliseconds from the last start to the end, once there is one.
pub(super) fn took(row: &TaskRow) -> Option<Millis> {
    Some((row.finished_at? - row.started_at?).max(0))
}
