//! What the server answers. JSON that belongs to the tasks themselves (arguments, results) is kept as text, so that
//! numbers of any size stay exact.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::task::{Millis, RetryPolicy, Status, TaskError, TaskId};

/// A task as the server shows it. Times are RFC 3339 in UTC.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Task {
    pub id: TaskId,
    pub name: String,
    pub queue: String,
    /// 0 (last) to 9 (first).
    pub priority: u8,
    pub status: Status,
    /// A JSON array; `None` in lists.
    #[serde(default)]
    pub args: Option<Box<RawValue>>,
    /// A JSON object; `None` in lists.
    #[serde(default)]
    pub kwargs: Option<Box<RawValue>>,
    /// Attempts begun so far.
    #[serde(default)]
    pub attempt: u32,
    /// Attempts that failed.
    #[serde(default)]
    pub failures: u32,
    /// Attempts that ended with the death of their worker.
    #[serde(default)]
    pub crashes: u32,
    /// How often its handler has put it off; those attempts are not counted.
    #[serde(default)]
    pub snoozes: u32,
    #[serde(default)]
    pub max_retries: u32,
    /// `None`: the server's default.
    #[serde(default)]
    pub retry: Option<RetryPolicy>,
    /// Milliseconds; `None`: no limit.
    #[serde(default)]
    pub timeout_ms: Option<Millis>,
    /// Any JSON value; `None` if there is none, in lists, and for the result `null`.
    #[serde(default)]
    pub result: Option<Box<RawValue>>,
    #[serde(default)]
    pub error: Option<TaskError>,
    pub created_at: String,
    /// Not before this time.
    #[serde(default)]
    pub run_at: Option<String>,
    /// It is not started any more from then on.
    #[serde(default)]
    pub expires_at: Option<String>,
    /// Milliseconds from its submission, or the last retry on request, within which it may be started; `None`: for ever.
    #[serde(default)]
    pub max_age_ms: Option<Millis>,
    /// When it could, or can, be claimed.
    #[serde(default)]
    pub ready_at: Option<String>,
    #[serde(default)]
    pub started_at: Option<String>,
    #[serde(default)]
    pub finished_at: Option<String>,
    #[serde(default)]
    pub duration_ms: Option<Millis>,
    #[serde(default)]
    pub worker_id: Option<String>,
    #[serde(default)]
    pub cancel_requested: bool,
    #[serde(default)]
    pub unique_key: Option<String>,
    /// The workflow it is a task of.
    #[serde(default)]
    pub workflow_id: Option<TaskId>,
    /// What it is called there; `None` in lists.
    #[serde(default)]
    pub node: Option<String>,
    /// Tasks of different fair keys take turns.
    #[serde(default)]
    pub fair_key: Option<String>,
    /// Tasks of one rate key share a limit.
    #[serde(default)]
    pub rate_key: Option<String>,
    /// What it uses of that limit; `None` without a rate key.
    #[serde(default)]
    pub cost: Option<u32>,
    /// Of one concurrency key only so many run at a time.
    #[serde(default)]
    pub concurrency_key: Option<String>,
    /// Labels that a worker must bear to run it.
    #[serde(default)]
    pub requires: Vec<String>,
    #[serde(default)]
    pub tags: Vec<String>,
    /// A JSON object.
    #[serde(default)]
    pub meta: Option<Box<RawValue>>,
    /// Counts how often it was run again after its end, or was replaced.
    #[serde(default)]
    pub generation: u32,
}

/// The answer to a submission.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Submitted {
    pub task: Task,
    /// The unique key was held by this, older, task: nothing was added.
    pub deduplicated: bool,
    /// The unique key was held by this, older, task, which waited: it is now what was asked for.
    pub replaced: bool,
    /// The idempotency key was used before: this is the answer it got then.
    pub replayed: bool,
}

/// One task's answer within a batch.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct BatchItem {
    /// Its position in the request, 0 = the first.
    pub index: usize,
    /// The HTTP status it would have got alone.
    pub status: u16,
    /// `None` where it was refused.
    #[serde(default)]
    pub id: Option<TaskId>,
    /// Why it was refused, as JSON.
    #[serde(default)]
    pub error: Option<Box<RawValue>>,
}

/// How a task ended.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct TaskResult {
    pub task_id: TaskId,
    pub status: Status,
    /// Any JSON value; `None` if there is none and for the result `null`.
    #[serde(default)]
    pub result: Option<Box<RawValue>>,
    #[serde(default)]
    pub error: Option<TaskError>,
    #[serde(default)]
    pub started_at: Option<String>,
    #[serde(default)]
    pub finished_at: Option<String>,
    #[serde(default)]
    pub duration_ms: Option<Millis>,
    #[serde(default)]
    pub expires_at: Option<String>,
}

/// The answer to a cancellation.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct CancelAnswer {
    pub id: TaskId,
    /// `cancelled`, or `running` for a task that was asked to stop.
    pub status: Status,
    #[serde(default)]
    pub cancel_requested: bool,
}

/// Part of a list.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Page<T> {
    pub data: Vec<T>,
    /// For [`ListQuery::cursor`]; `None` on the last page.
    #[serde(default)]
    pub next_cursor: Option<String>,
    #[serde(default)]
    pub prev_cursor: Option<String>,
}

/// Which tasks to list, newest first. Everything unset is not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListQuery {
    pub status: Option<Status>,
    pub queue: Option<String>,
    pub name: Option<String>,
    pub tag: Option<String>,
    /// Tasks per page; the server's default is 50.
    pub limit: Option<u32>,
    /// From the page before.
    pub cursor: Option<String>,
    /// With arguments and results.
    pub include_payload: bool,
}

/// What waits and what became of a queue's tasks.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct QueueStats {
    pub queue: String,
    pub total_queued: u64,
    #[serde(default)]
    pub queued_by_priority: QueuedByPriority,
    /// Tasks by status.
    #[serde(default)]
    pub status_counts: BTreeMap<String, u64>,
    /// Age in seconds of the task that has been ready longest.
    #[serde(default)]
    pub oldest_ready_s: Option<f64>,
    /// As JSON; `None`: no limit.
    #[serde(default)]
    pub rate_limit: Option<Box<RawValue>>,
}

/// Tasks that wait, by class of priority.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct QueuedByPriority {
    #[serde(default)]
    pub high: u64,
    #[serde(default)]
    pub medium: u64,
    #[serde(default)]
    pub low: u64,
}
