//! The writing side of a store: a transaction and the statements that change state within one.

use std::{collections::HashMap, sync::Arc};

use super::{
    Act, Amended, Amendment, Counted, Deleted, IdempotencyKey, Inserted, KeyAdded, KeyRevoked, KeyRow, MetricRow,
    NewWorkflow, Operation, OperationStep, QueueRow, StoreError, StoredOutcome, WorkflowCancelled, WorkflowRetried,
};
use crate::task::{
    FlowKeys, Granted, KeyId, Lane, LeaseId, LeaseToken, Mark, Millis, NewTask, Priority, Pulse, QueueSettings, Ready,
    Serves, Status, TaskId, Verdict, WorkerId, rate::LimitState,
};

/// One connection that writes.
pub trait Session: Send {
    /// Runs `work` in one durable transaction: all of it is kept, or nothing.
    fn transaction(&mut self, work: &mut dyn FnMut(&mut dyn Tx) -> Result<(), StoreError>) -> Result<(), StoreError>;
}

/// The statements. Each is a compare-and-set: what no longer fits is answered, not forced.
pub trait Tx: super::NoteTx + super::ScheduleTx + super::WorkerTx {
    /// Marks a place to which [`Tx::undo`] goes back: a request that wants all or nothing.
    fn savepoint(&mut self) -> Result<(), StoreError>;
    /// Takes back everything since the savepoint.
    fn undo(&mut self) -> Result<(), StoreError>;
    /// Keeps everything since the savepoint.
    fn keep(&mut self) -> Result<(), StoreError>;

    fn ensure_queue(&mut self, name: &str, now: Millis) -> Result<(), StoreError>;
    /// How many queues there are, not counting these.
    fn queues_besides(&mut self, names: &[&str]) -> Result<u64, StoreError>;
    /// Stores tasks, each unless another has its unique key or a parent is not known; what became of each, in their
    /// order. Parents come in a call before that of their children; or in the same, before them, where the caller takes all of
    /// it back should one not be stored.
    fn insert(&mut self, tasks: &[&NewTask]) -> Result<Vec<Inserted>, StoreError>;
    /// Stores a workflow, before its tasks: they are [`NewWorkflow::members`].
    fn begin_workflow(&mut self, workflow: &NewWorkflow, tasks: &[NewTask]) -> Result<(), StoreError>;
    /// Those of its tasks that wait are cancelled.
    fn cancel_workflow(
        &mut self,
        id: TaskId,
        reason: Option<&str>,
        now: Millis,
    ) -> Result<WorkflowCancelled, StoreError>;
    /// Those of its tasks that did not succeed start anew. Undo it where the answer is that one could not.
    fn retry_workflow(&mut self, id: TaskId, now: Millis) -> Result<WorkflowRetried, StoreError>;
    /// Writes down what has become of workflows by the ends of their tasks. Last in each transaction.
    fn settle(&mut self, now: Millis) -> Result<(), StoreError>;
    /// Tasks that wait in a queue.
    fn depth(&mut self, queue: &str) -> Result<u64, StoreError>;
    /// How many tasks of a concurrency key that were given places are not over.
    fn key_places(&mut self, queue: &str, key: &str) -> Result<u64, StoreError>;
    /// Counts one that was just stored.
    fn take_place(&mut self, queue: &str, key: &str, task: TaskId) -> Result<(), StoreError>;
    /// The answer once given under an idempotency key.
    fn recall(&mut self, key: &str) -> Result<Option<(IdempotencyKey, Vec<StoredOutcome>)>, StoreError>;
    fn remember(&mut self, key: &IdempotencyKey, outcomes: &[StoredOutcome]) -> Result<(), StoreError>;

    /// Whether and how a worker may take tasks of the queue. `limited`: a limit holds for it even where it has none of its
    /// own, so that only one may claim from it at a time.
    fn entrance(&mut self, queue: &str, worker: WorkerId, limited: bool) -> Result<Entrance, StoreError>;
    /// Tasks of a queue that run now, on all nodes.
    fn running(&mut self, queue: &str) -> Result<u32, StoreError>;
    fn limit_state(&mut self, queue: &str) -> Result<Option<LimitState>, StoreError>;
    /// It matters until this moment, whether the queue is deleted meanwhile or not.
    fn keep_limit_state(&mut self, queue: &str, state: &LimitState, until: Millis) -> Result<(), StoreError>;
    /// Tasks with keys whose time has come go to their lanes, at most `limit`; how many.
    fn enter_lanes(&mut self, queue: &str, now: Millis, limit: usize) -> Result<usize, StoreError>;
    /// The priorities of which tasks wait in lanes, highest first.
    fn lane_levels(&mut self, queue: &str) -> Result<Vec<Priority>, StoreError>;
    /// The lanes from this one on, in order.
    fn lanes_from(&mut self, queue: &str, priority: Priority, from: i64, limit: usize) -> Result<Vec<i64>, StoreError>;
    /// The sublanes of a lane from this one on, in order.
    fn sublanes_from(
        &mut self,
        queue: &str,
        priority: Priority,
        from: Lane,
        limit: usize,
    ) -> Result<Vec<i64>, StoreError>;
    /// The first so many of each lane, from a sublane on and round to it again.
    fn lane_fronts(
        &mut self,
        queue: &str,
        priority: Priority,
        lanes: &[(i64, usize)],
        from: i64,
    ) -> Result<Vec<Fronting>, StoreError>;
    /// What has been granted under the limits of rate keys, where anything has.
    fn key_limits(&mut self, queue: &str, keys: &[&str]) -> Result<HashMap<String, LimitState>, StoreError>;
    fn keep_key_limits(&mut self, queue: &str, kept: &[(&str, &LimitState, Millis)]) -> Result<(), StoreError>;
    /// How many tasks run under concurrency keys: exact where it is as many as `most`, else too many at worst.
    fn key_holds(&mut self, queue: &str, keys: &[&str], most: u32) -> Result<HashMap<String, u32>, StoreError>;
    /// These run with concurrency keys from now on, until they no longer run under this lease.
    fn hold_keys(&mut self, queue: &str, held: &[(&str, TaskId, LeaseId)]) -> Result<(), StoreError>;
    /// Grants those of the tasks hinted at that are ready, and still of the priority their hint says. Asked [`Tx::entrance`] before, in the same transaction.
    fn claim(&mut self, claim: &Claim, hints: &[(Priority, Mark)]) -> Result<Claimed, StoreError>;
    /// See [`super::Reader::ready_after`]; here within the transaction.
    fn ready_after(
        &mut self,
        queue: &str,
        priority: Priority,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Vec<Mark>, StoreError>;
    /// The priorities of which tasks without keys wait, highest first.
    fn ready_levels(&mut self, queue: &str) -> Result<Vec<Priority>, StoreError>;
    /// The first tasks without keys that may start, with their names.
    fn ready_names(
        &mut self,
        queue: &str,
        priority: Priority,
        now: Millis,
        limit: usize,
    ) -> Result<Vec<(Mark, String)>, StoreError>;
    /// Records how attempts ended, each only while its lease is the task's.
    fn finish(&mut self, items: &[Finished<'_>], now: Millis) -> Result<Vec<Recorded>, StoreError>;

    fn cancel(&mut self, id: TaskId, reason: Option<&str>, now: Millis) -> Result<Cancelled, StoreError>;
    /// `arguments`: `args` and `kwargs` to run with, instead of its own.
    fn redrive(
        &mut self,
        id: TaskId,
        arguments: Option<&(String, String)>,
        now: Millis,
    ) -> Result<Redriven, StoreError>;
    /// Deletes a task that is over.
    fn delete(&mut self, id: TaskId) -> Result<Deleted, StoreError>;
    /// Changes a task that waits.
    fn amend(&mut self, id: TaskId, change: &Amendment, now: Millis) -> Result<Amended, StoreError>;
    fn begin_operation(&mut self, operation: &Operation) -> Result<(), StoreError>;
    /// Notes how far an operation has come; false where it is not at `step.from` (any more) or does not run.
    fn advance_operation(&mut self, step: &OperationStep, done: u64, now: Millis) -> Result<bool, StoreError>;
    /// False where it does not run.
    fn cancel_operation(&mut self, id: TaskId, now: Millis) -> Result<bool, StoreError>;
    /// How long the result of a task is given out after its end.
    fn set_result_ttl(&mut self, id: TaskId, ttl: Millis) -> Result<ResultChanged, StoreError>;
    fn delete_result(&mut self, id: TaskId) -> Result<ResultChanged, StoreError>;
    /// False where there is no such queue.
    fn set_paused(&mut self, queue: &str, paused: bool) -> Result<bool, StoreError>;
    fn queue(&mut self, name: &str) -> Result<Option<QueueRow>, StoreError>;
    /// Replaces what is set for a queue and raises its version. Asked [`Tx::queue`] before, in the same transaction.
    fn configure(&mut self, row: &QueueRow) -> Result<(), StoreError>;
    /// Deletes a queue that has no task.
    fn delete_queue(&mut self, name: &str) -> Result<QueueDeleted, StoreError>;

    fn add_key(&mut self, key: &KeyRow, as_first: bool) -> Result<KeyAdded, StoreError>;
    fn revoke_key(&mut self, id: KeyId, now: Millis) -> Result<KeyRevoked, StoreError>;
    /// Notes when keys were last used.
    fn touch_keys(&mut self, used: &[(KeyId, Millis)]) -> Result<(), StoreError>;
    /// Writes down what an operator has done in this transaction.
    fn audit(&mut self, act: &Act, now: Millis) -> Result<(), StoreError>;

    /// Tells at most `limit` children of parents that are over; false where none is left to tell.
    fn resolve(&mut self, limit: usize, now: Millis) -> Result<bool, StoreError>;
    /// Ends at most `limit` tasks that were not started in time; false where none is left.
    fn expire(&mut self, limit: usize, now: Millis) -> Result<bool, StoreError>;
    /// Adds figures to those there are of the same stretch of time and queue.
    fn add_metrics(&mut self, rows: &[MetricRow]) -> Result<(), StoreError>;
    /// What this transaction did besides what was asked for, since the last call.
    fn effects(&mut self) -> Effects;

    /// Declares every worker but `survivor`, or only those of `node`, dead and takes their tasks back, also what one that has
    /// stopped has left. `culprit` is the
    /// attempt that is known to have brought its worker down.
    fn reap_others(
        &mut self,
        survivor: Option<WorkerId>,
        node: Option<&str>,
        culprit: Option<LeaseToken>,
        now: Millis,
    ) -> Result<Reaped, StoreError>;
    /// Declares a worker dead and takes its tasks back, unless it has beaten since. One that has stopped stays so.
    fn reap(&mut self, dead: &Pulse, now: Millis) -> Result<Reaped, StoreError>;
    /// Gives back tasks of a live worker that it does not know of, as by a crash between claim and run.
    fn release(&mut self, lost: &[(TaskId, LeaseId)], now: Millis) -> Result<Vec<Ready>, StoreError>;
    /// Deletes at most `limits.rows` rows whose time is over; the place where the next call goes on, if more remain.
    fn prune(&mut self, limits: &RetentionLimits, after: Option<TaskId>) -> Result<Pruned, StoreError>;
}

/// Tasks that were moved by what happened to others.
#[derive(Debug, Default)]
pub struct Effects {
    pub ready: Vec<Ready>,
    pub changed: Vec<(TaskId, Arc<str>, Status)>,
    /// Children are left to be told: see [`Tx::resolve`].
    pub unresolved: bool,
    /// What happened in this transaction, whoever asked for it; never [`Counted::In`].
    pub counted: Vec<(Arc<str>, Counted, u64)>,
}

/// A queue as a claim finds it.
#[derive(Debug, Clone, Default)]
pub struct Entrance {
    /// This worker is held to be dead: it must not take anything.
    pub fenced: bool,
    pub paused: bool,
    pub weight: u32,
    pub settings: QueueSettings,
    /// Tasks wait in lanes.
    pub laned: bool,
    /// When the first of the tasks with keys that are in no lane yet belongs in one.
    pub unlaned: Option<Millis>,
}

/// One of the first tasks of a lane.
#[derive(Debug, Clone)]
pub struct Fronting {
    pub place: Lane,
    pub mark: Mark,
    pub flow: FlowKeys,
}

/// What became of a change to a task's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultChanged {
    Done,
    /// There is no result: the task is in this status.
    NotOver(Status),
    NotFound,
}

/// What became of a queue that was to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueDeleted {
    Done,
    /// It has this many tasks, finished ones among them.
    NotEmpty(u64),
    NotFound,
}

/// What a claim is made under.
#[derive(Debug, Clone)]
pub struct Claim {
    pub queue: Arc<str>,
    pub worker: WorkerId,
    pub lease: LeaseId,
    pub now: Millis,
    /// Tasks that outlived two workers may be granted: none is aboard this worker now.
    pub suspect_allowed: bool,
    /// The hints are at tasks that wait in lanes; else at none of those.
    pub laned: bool,
    /// Nobody but the store watches the time limits of what is granted.
    pub timed: bool,
    /// What the worker can run. Hints at other tasks move these to lanes in which only those look who can.
    pub serves: Arc<Serves>,
}

#[derive(Debug, Default)]
pub struct Claimed {
    pub tasks: Vec<Granted>,
    /// Suspects put off until this moment, because one is aboard.
    pub put_off: Vec<Ready>,
    /// Tasks that the worker cannot run, in lanes now.
    pub moved: Vec<Ready>,
    /// Hints at tasks that are ready but were held by somebody else at this moment.
    pub passed_over: Vec<(Priority, Mark)>,
}

/// A task held under a lease.
#[derive(Debug, Clone)]
pub struct Held {
    pub task: TaskId,
    pub lease: LeaseId,
    pub granted_at: Millis,
}

pub struct Finished<'a> {
    pub task: &'a Granted,
    pub worker: WorkerId,
    pub verdict: &'a Verdict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// The status the task is in now: the verdict's, or `cancelled` where a cancel was asked for meanwhile.
    Done(Status),
    /// This lease has reported before.
    Duplicate,
    /// The task is no longer held under this lease: the outcome is dropped.
    LeaseLost,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cancelled {
    /// It was waiting in this queue and is cancelled.
    Done(Arc<str>),
    /// It is running: its holder is to be asked. True where a cancel was asked for before.
    Asked {
        again: bool,
    },
    /// It is over.
    Terminal(Status),
    NotFound,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redriven {
    Done(Ready),
    /// It is not over.
    Live(Status),
    /// Another live task has taken its unique key.
    KeyTaken(TaskId),
    /// It waits for the success of this task, which has failed.
    ParentFailed(TaskId),
    /// It waits for the success of this task, which did not succeed and is deleted.
    ParentGone(TaskId),
    /// It waits for its parents again.
    Waits(Arc<str>),
    NotFound,
}

#[derive(Debug, Default)]
pub struct Reaped {
    pub workers: usize,
    pub requeued: Vec<Ready>,
    pub poisoned: Vec<TaskId>,
    pub cancelled: Vec<TaskId>,
}

/// What was too old, and is gone.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pruned {
    /// Tasks: where to go on, if there are more.
    pub next: Option<TaskId>,
    /// There may be more of something else.
    pub again: bool,
}

/// What is too old to keep, and how much may go in one transaction.
#[derive(Debug, Clone, Copy)]
pub struct RetentionLimits {
    pub now: Millis,
    pub success_before: Millis,
    pub others_before: Millis,
    pub idempotency_before: Millis,
    pub workers_before: Millis,
    /// Figures by minute and by hour.
    pub minutes_before: Millis,
    pub hours_before: Millis,
    pub audit_before: Millis,
    pub rows: usize,
}
