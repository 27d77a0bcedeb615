//! What is true. Every change of a task's state is one guarded update in here, in a transaction of the engine's.
//!
//! [`Session`] writes (the engine's stages own one each), [`Reader`] reads (the API's). Statements only: what they mean
//! and in which order they are made is the engine's.

mod access;
mod any;
mod counted;
mod error;
pub mod invariants;
mod notes;
mod operations;
pub mod postgres;
mod rows;
mod schedules;
mod session;
pub mod sqlite;
mod submission;
mod workers;
mod workflows;

pub use access::{Act, AuditFilter, AuditRow, KeyAdded, KeyRevoked, KeyRow};
pub use any::{Location, Snapshot, Store, hold_snapshot};
pub use counted::Counted;
pub use error::{StoreError, StoreErrorKind};
pub use notes::{LogPiece, Note, NoteReader, NoteTx, ProgressRow};
pub use operations::{Action, Amended, Amendment, Among, Deleted, Operation, OperationState, OperationStep};
pub use rows::{
    AttemptRow, CounterRow, DeadFilter, DeadGroup, DeadRow, ListedPage, MetricRow, Page, ParentRow, QueueRow,
    TaskFilter, TaskRow,
};
pub use schedules::{Advanced, MOST_SCHEDULES, Origin, Run, ScheduleFilter, ScheduleRow, ScheduleTx, Tally};
pub use session::{
    Cancelled, Claim, Claimed, Effects, Entrance, Finished, Fronting, Held, Pruned, QueueDeleted, Reaped, Recorded,
    Redriven, ResultChanged, RetentionLimits, Session, Tx,
};

pub use submission::{IdempotencyKey, Inserted, StoredOutcome};
pub use workers::{
    Hold, Holding, Leased, Overdue, Renewed, WorkerAsked, WorkerInfo, WorkerReader, WorkerRow, WorkerTx,
};
pub use workflows::{
    NewWorkflow, NodeRow, NodeTask, WorkflowCancelled, WorkflowFilter, WorkflowPlan, WorkflowRetried, WorkflowRow,
};

use std::sync::Arc;

use crate::task::{
    Figures, FlowKeys, Mark, Millis, Offer, Priority, Pulse, Reach, Span, Status, TaskId, WorkerId, rate::LimitState,
};

/// Results that one task can be given by its parents, in bytes: they are in memory while it runs.
pub const MOST_PASSED_ON: usize = 64 << 20;

/// Blocking reads, from a pool. Never call them on an arbiter.
pub trait Reader: WorkerReader + NoteReader + Send + Sync {
    fn task(&self, id: TaskId) -> Result<Option<TaskRow>, StoreError>;
    /// Newest first, at most `page.limit` rows. May return fewer although there are more: `next` then goes on.
    fn tasks(&self, filter: &TaskFilter, page: &Page) -> Result<ListedPage<TaskRow>, StoreError>;
    /// Attempts that were followed by another one, oldest first.
    fn attempts(&self, id: TaskId) -> Result<Vec<AttemptRow>, StoreError>;
    /// The parents of a task, which had so many, and how they stand, without their results.
    fn parent_states(&self, id: TaskId, count: u32) -> Result<Vec<ParentRow>, StoreError>;
    /// The same with their results: what the task is given. `None`: those are more than [`MOST_PASSED_ON`] bytes together.
    fn parents(&self, id: TaskId, count: u32) -> Result<Option<Vec<ParentRow>>, StoreError>;
    /// Tasks that wait, or have waited, for this one, at most `limit`.
    fn children(&self, id: TaskId, limit: usize) -> Result<Vec<ParentRow>, StoreError>;
    /// Whether children are left to be told of their parents' end.
    fn has_unresolved(&self) -> Result<bool, StoreError>;
    /// The earliest moment at which a task may have to be expired.
    fn next_expiry(&self) -> Result<Option<Millis>, StoreError>;
    fn limit_state(&self, queue: &str) -> Result<Option<LimitState>, StoreError>;
    /// What has been granted under the limit of a rate key.
    fn key_limit(&self, queue: &str, key: &str) -> Result<Option<LimitState>, StoreError>;
    /// Tasks that run under a concurrency key.
    fn key_running(&self, queue: &str, key: &str) -> Result<u32, StoreError>;
    /// What comes before a task that waits in a lane, each counted up to `most`.
    fn lane_ahead(&self, task: &TaskRow, from: i64, most: u64) -> Result<LaneAhead, StoreError>;
    /// Tasks of a queue wait in lanes, or belong in one by then.
    fn has_laned(&self, queue: &str, until: Millis) -> Result<bool, StoreError>;
    fn queues(&self) -> Result<Vec<QueueRow>, StoreError>;
    fn queue(&self, name: &str) -> Result<Option<QueueRow>, StoreError>;
    fn counters(&self, queue: Option<&str>) -> Result<Vec<CounterRow>, StoreError>;
    /// Ready tasks of a lane, those before this place if one is given, counted up to `most`.
    fn ahead(
        &self,
        queue: &str,
        lane: Priority,
        before: Option<Mark>,
        now: Millis,
        most: u64,
    ) -> Result<u64, StoreError>;
    /// The earliest moment a claimable task of the queue became (or becomes) ready.
    fn oldest_ready(&self, queue: &str) -> Result<Option<Millis>, StoreError>;
    fn dead_letters(&self, filter: &DeadFilter, page: &Page) -> Result<ListedPage<DeadRow>, StoreError>;
    fn dead_letter(&self, id: TaskId) -> Result<Option<DeadRow>, StoreError>;
    /// What happened in one queue, or under the empty name in all, from this moment on: by minute or hour, oldest first.
    fn metrics(&self, queue: &str, span: Span, from: Millis) -> Result<Vec<(Millis, Figures)>, StoreError>;
    fn dead_letter_count(&self, within: Option<&Reach>) -> Result<i64, StoreError>;
    /// Dead letters of the newest `among` by what they have died of, most first, also counted from each moment of `since` on.
    fn dead_groups(
        &self,
        filter: &DeadFilter,
        since: &[Millis],
        among: usize,
        limit: usize,
    ) -> Result<Vec<DeadGroup>, StoreError>;
    /// How many there are, counted one by one.
    fn count_dead_letters(&self, filter: &DeadFilter) -> Result<u64, StoreError>;
    /// Those for no queue but these. A page may have fewer than its limit although the list goes on.
    fn operations(&self, page: &Page, within: Option<&Reach>) -> Result<ListedPage<Operation>, StoreError>;
    fn operation(&self, id: TaskId) -> Result<Option<Operation>, StoreError>;
    fn running_operations(&self) -> Result<Vec<Operation>, StoreError>;
    fn schedule(&self, name: &str) -> Result<Option<ScheduleRow>, StoreError>;
    /// By name, after this one. A page may have fewer than its limit although the list goes on.
    fn schedules(
        &self,
        filter: &ScheduleFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ScheduleRow>, StoreError>;
    /// When the first schedule is due.
    fn next_schedule(&self) -> Result<Option<Millis>, StoreError>;
    fn workers(&self) -> Result<Vec<WorkerRow>, StoreError>;
    /// What the workers offer that are alive and not asked to go, of at most so many.
    fn offers(&self, most: usize) -> Result<Vec<Offer>, StoreError>;
    /// Tasks in the lanes of a queue that none of these can run, as far as they are at the fronts of its first lanes, and counted
    /// to a bound each.
    fn unservable(&self, queue: &str, offers: &[Offer]) -> Result<u64, StoreError>;
    /// Those of these tasks that run and were asked to stop.
    fn cancelled_among(&self, tasks: &[TaskId]) -> Result<Vec<TaskId>, StoreError>;
    /// The heartbeats of those that are held to be alive.
    fn pulses(&self) -> Result<Vec<Pulse>, StoreError>;
    /// Tasks held by a worker according to its leases, with the lease and the time of the grant.
    fn held(&self, worker: WorkerId) -> Result<Vec<Held>, StoreError>;
    /// Claimable tasks of a lane after a place, in order: what the broker's head is filled from.
    fn ready_after(
        &self,
        queue: &str,
        priority: Priority,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Vec<Mark>, StoreError>;
    /// The queue of a task, by which it is decided who may see it.
    fn queue_of(&self, id: TaskId) -> Result<Option<String>, StoreError>;
    /// Newest first. A page may have fewer than its limit although the list goes on.
    fn workflows(&self, filter: &WorkflowFilter, page: &Page) -> Result<ListedPage<WorkflowRow>, StoreError>;
    fn workflow(&self, id: TaskId) -> Result<Option<WorkflowRow>, StoreError>;
    fn workflow_plan(&self, id: TaskId) -> Result<Option<WorkflowPlan>, StoreError>;
    /// Its nodes, then its callbacks, in the order of their ids.
    fn workflow_nodes(&self, id: TaskId, only_callbacks: bool) -> Result<Vec<NodeRow>, StoreError>;
    /// How many of its nodes are in a status now.
    fn workflow_statuses(&self, id: TaskId) -> Result<Vec<(Status, i64)>, StoreError>;
    /// The queues of its tasks, by which it is decided who may see it.
    fn workflow_queues(&self, id: TaskId) -> Result<Option<Vec<String>>, StoreError>;
    /// The workflow that a task is of, and what it is called there.
    fn node_of(&self, task: &TaskRow) -> Result<Option<(TaskId, String)>, StoreError>;
    /// Every key, revoked and expired ones too, the oldest first.
    fn keys(&self) -> Result<Vec<KeyRow>, StoreError>;
    /// Acts of the audit log, newest first, those before `before` if it is given.
    fn audit(&self, filter: &AuditFilter, before: Option<i64>, limit: usize) -> Result<Vec<AuditRow>, StoreError>;
    /// What an operator calls this kind of store: `sqlite`, `postgresql`.
    fn kind(&self) -> &'static str;
    /// What an operator calls this one: `SQLite at ./data/jobqueue.db`.
    fn name(&self) -> &Arc<str>;
    /// Answers within the pool's patience, or says why not.
    fn ping(&self) -> Result<(), StoreError>;
}

/// What comes before a task with keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LaneAhead {
    /// Tasks of its sublane: under the same keys.
    pub own: u64,
    /// Other lanes of its priority.
    pub lanes: u64,
    /// Of them, those whose turn comes before its own in a round from the lane on that was asked about; exact where all were looked
    /// at.
    pub before: u64,
    /// The keys of the one whose turn is next, where that is not its own.
    pub next: Option<FlowKeys>,
    /// Whether anything of a higher priority waits in lanes.
    pub above: bool,
}

/// How the last attempt of a task in this status is told.
pub fn attempt_outcome(status: Status) -> &'static str {
    match status {
        Status::Running => "running",
        Status::Success => "success",
        Status::Timeout => "timeout",
        Status::Cancelled => "cancelled",
        Status::Expired => "expired",
        _ => "failure",
    }
}
