//! What reads return.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::task::{
    DeadReason, Figures, FlowKeys, KeyScope, LeaseId, Millis, OnFailure, Priority, QueueSettings, Reach, RetryPolicy,
    Span, Status, TaskError, TaskId, WorkerId,
};

/// A task as stored. Lists leave `args`, `kwargs` and `result` empty.
#[derive(Debug, Clone)]
pub struct TaskRow {
    pub id: TaskId,
    pub queue: String,
    pub name: String,
    pub priority: Priority,
    pub status: Status,
    pub ready_at: Option<Millis>,
    pub created_at: Millis,
    pub run_at: Option<Millis>,
    pub expires_at: Option<Millis>,
    pub max_age_ms: Option<Millis>,
    pub started_at: Option<Millis>,
    pub finished_at: Option<Millis>,
    pub attempt: u32,
    pub failures: u32,
    pub crashes: u32,
    pub snoozes: u32,
    pub max_retries: u32,
    pub timeout_ms: Option<Millis>,
    pub generation: u32,
    pub cancel_requested: bool,
    pub worker_id: Option<WorkerId>,
    pub lease_id: Option<LeaseId>,
    pub unique_key: Option<String>,
    pub unique_scope: KeyScope,
    pub unique_until: Option<Millis>,
    pub retry: Option<RetryPolicy>,
    pub result_ttl_ms: Option<Millis>,
    /// How many parents it has, and how many of them it waits for.
    pub parents: u32,
    pub unmet: u32,
    /// The workflow it is a node of.
    pub workflow: Option<TaskId>,
    pub tags: Vec<String>,
    pub flow: Option<FlowKeys>,
    /// JSON texts.
    pub meta: Option<String>,
    pub error: Option<TaskError>,
    pub args: String,
    pub kwargs: String,
    pub result: Option<String>,
}

/// An attempt that was followed by another one.
#[derive(Debug, Clone)]
pub struct AttemptRow {
    pub generation: u32,
    pub number: u32,
    pub worker_id: Option<WorkerId>,
    pub started_at: Option<Millis>,
    pub finished_at: Option<Millis>,
    pub outcome: String,
    pub error: Option<TaskError>,
    pub next_delay_ms: Option<Millis>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct QueueRow {
    pub name: String,
    pub paused: bool,
    pub weight: u32,
    pub settings: QueueSettings,
    /// Raised by each change of the settings.
    pub version: u32,
    pub created_at: Millis,
}

/// A task, or a workflow, at the other end of a dependency.
#[derive(Debug, Clone, PartialEq)]
pub struct ParentRow {
    pub id: TaskId,
    pub name: String,
    /// `None`: it is a workflow.
    pub queue: Option<String>,
    pub status: Status,
    pub on_failure: OnFailure,
    pub result: Option<String>,
    pub error: Option<TaskError>,
}

/// How many tasks of a queue and priority are in a status, or have ever been through something.
#[derive(Debug, Clone)]
pub struct CounterRow {
    pub queue: String,
    pub priority: Priority,
    pub kind: super::Counted,
    pub n: i64,
}

/// What has happened in a minute or an hour, in one queue or (under the empty name) in all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricRow {
    pub span: Span,
    pub starts_at: Millis,
    pub queue: Arc<str>,
    pub figures: Figures,
}

#[derive(Debug, Clone)]
pub struct DeadRow {
    pub task_id: TaskId,
    pub queue: String,
    pub name: String,
    pub priority: Priority,
    pub reason: DeadReason,
    pub error: Option<TaskError>,
    pub attempts: u32,
    pub died_at: Millis,
}

/// Which tasks a list shows: all conditions together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskFilter {
    pub statuses: Vec<Status>,
    pub queue: Option<String>,
    pub name: Option<String>,
    pub tag: Option<String>,
    pub worker: Option<WorkerId>,
    /// Of this one, callbacks too.
    pub workflow: Option<TaskId>,
    /// Part of the name, or the whole id.
    pub text: Option<String>,
    pub created_after: Option<Millis>,
    pub created_before: Option<Millis>,
    /// Bring `args` and `kwargs`, and `result`.
    pub with_args: bool,
    pub with_result: bool,
    /// Only tasks of these queues, for who may see no others.
    pub within: Option<Reach>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeadFilter {
    pub queue: Option<String>,
    pub name: Option<String>,
    pub reason: Option<DeadReason>,
    /// Part of the error's message.
    pub error: Option<String>,
    /// The message that those of a group share.
    pub cause: Option<String>,
    pub died_after: Option<Millis>,
    /// Only those of these queues, for who may see no others.
    pub within: Option<Reach>,
}

/// Dead letters that have died of the same.
#[derive(Debug, Clone)]
pub struct DeadGroup {
    pub queue: String,
    pub name: String,
    pub reason: DeadReason,
    /// The error's message, its numbers and ids left out.
    pub error: String,
    pub count: u64,
    /// How many of them died after each of the moments that were asked for.
    pub since: Vec<u64>,
    pub first_at: Millis,
    pub last_at: Millis,
    /// One of them.
    pub example: TaskId,
}

/// A place in a list and how much of it is wanted.
#[derive(Debug, Clone, Default)]
pub struct Page {
    pub limit: usize,
    /// Go on after this task, or from the start.
    pub from: Option<TaskId>,
    /// Read towards the start of the list (newer tasks) instead of its end.
    pub backwards: bool,
    /// Oldest first.
    pub ascending: bool,
}

/// Part of a list, in the list's order whichever way it was read.
#[derive(Debug)]
pub struct ListedPage<T> {
    pub rows: Vec<T>,
    /// Where the list goes on after this page and before it.
    pub next: Option<TaskId>,
    pub previous: Option<TaskId>,
}
