//! A transaction on the one connection that writes.

use std::{collections::HashMap, sync::Arc};

use diesel::{connection::SimpleConnection as _, prelude::*};

use super::{
    Connection, access, counters::Deltas, expiry, lanes, limits, operations, schema::queues, telling, translate,
    workflow_acts, workflows,
};
use crate::{
    store::{
        Act, Amended, Amendment, Cancelled, Claim, Claimed, Deleted, Effects, Entrance, Finished, Fronting,
        IdempotencyKey, Inserted, KeyAdded, KeyRevoked, KeyRow, MetricRow, NewWorkflow, Operation, OperationStep,
        Pruned, QueueDeleted, QueueRow, Reaped, Recorded, Redriven, ResultChanged, RetentionLimits, StoreError,
        StoredOutcome, Tx, WorkflowCancelled, WorkflowRetried,
    },
    task::{
        KeyId, Lane, LeaseId, LeaseToken, Mark, Millis, NewTask, Priority, Pulse, Ready, Status, TaskId, WorkerId,
        rate::LimitState,
    },
};

/// The connection and what the present transaction has counted so far.
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) deltas: Deltas,
    pub(super) effects: Effects,
    /// As they were at the savepoint.
    before: Option<(Deltas, usize, usize)>,
    name: Arc<str>,
}

impl Writer {
    pub(super) fn new(connection: Connection, name: Arc<str>) -> Self {
        Self { connection, deltas: Deltas::default(), effects: Effects::default(), before: None, name }
    }

    pub(super) fn forget(&mut self) {
        self.deltas.clear();
        self.effects = Effects::default();
        self.before = None;
    }

    pub(super) fn run(&mut self, sql: &str) -> Result<(), StoreError> {
        self.connection.batch_execute(sql).map_err(|error| translate(&self.name, &error))
    }

    /// What belongs to the transaction and has not been written yet.
    pub(super) fn flush(&mut self) -> Result<(), StoreError> {
        super::flush(&mut self.connection, self.deltas.take()).map_err(|error| translate(&self.name, &error))
    }

    pub(super) fn told<T>(&self, result: QueryResult<T>) -> Result<T, StoreError> {
        result.map_err(|error| translate(&self.name, &error))
    }
}

/// The answer of a statement that has the writer for itself.
macro_rules! told {
    ($writer:ident, $done:expr) => {{
        let done = $done;
        $writer.told(done)
    }};
}

impl Tx for Writer {
    fn savepoint(&mut self) -> Result<(), StoreError> {
        self.before = Some((self.deltas.clone(), self.effects.ready.len(), self.effects.changed.len()));
        self.run("SAVEPOINT request")
    }

    fn undo(&mut self) -> Result<(), StoreError> {
        if let Some((deltas, ready, changed)) = self.before.take() {
            self.deltas = deltas;
            self.effects.ready.truncate(ready);
            self.effects.changed.truncate(changed);
        }
        self.run("ROLLBACK TO request; RELEASE request")
    }

    fn keep(&mut self) -> Result<(), StoreError> {
        self.before = None;
        self.run("RELEASE request")
    }

    fn queues_besides(&mut self, names: &[&str]) -> Result<u64, StoreError> {
        told!(self, super::submit::queues_besides(self, names))
    }

    fn ensure_queue(&mut self, name: &str, now: Millis) -> Result<(), StoreError> {
        told!(self, super::submit::ensure_queue(self, name, now))
    }

    fn insert(&mut self, tasks: &[&NewTask]) -> Result<Vec<Inserted>, StoreError> {
        told!(self, super::insert::insert(self, tasks))
    }

    fn begin_workflow(&mut self, workflow: &NewWorkflow, tasks: &[NewTask]) -> Result<(), StoreError> {
        told!(self, workflows::begin(self, workflow, tasks))
    }

    fn cancel_workflow(
        &mut self,
        id: TaskId,
        reason: Option<&str>,
        now: Millis,
    ) -> Result<WorkflowCancelled, StoreError> {
        told!(self, workflow_acts::cancel(self, id, reason, now))
    }

    fn retry_workflow(&mut self, id: TaskId, now: Millis) -> Result<WorkflowRetried, StoreError> {
        told!(self, workflow_acts::retry(self, id, now))
    }

    fn settle(&mut self, now: Millis) -> Result<(), StoreError> {
        told!(self, workflows::settle(self, now))
    }

    fn depth(&mut self, queue: &str) -> Result<u64, StoreError> {
        let waiting = [Status::Pending, Status::Scheduled, Status::Queued, Status::Retry];
        told!(self, super::hold_depth(self, queue).and_then(|()| limits::count(self, queue, &waiting)))
    }

    fn recall(&mut self, key: &str) -> Result<Option<(IdempotencyKey, Vec<StoredOutcome>)>, StoreError> {
        told!(self, super::submit::recall(self, key))
    }

    fn remember(&mut self, key: &IdempotencyKey, outcomes: &[StoredOutcome]) -> Result<(), StoreError> {
        told!(self, super::submit::remember(self, key, outcomes))
    }

    fn entrance(&mut self, queue: &str, worker: WorkerId, limited: bool) -> Result<Entrance, StoreError> {
        told!(self, super::entrance(self, queue, worker, limited))
    }

    fn running(&mut self, queue: &str) -> Result<u32, StoreError> {
        let done = limits::count(self, queue, &[Status::Running]);
        self.told(done).map(|n| u32::try_from(n).unwrap_or(u32::MAX))
    }

    fn limit_state(&mut self, queue: &str) -> Result<Option<LimitState>, StoreError> {
        told!(self, limits::state(&mut self.connection, queue))
    }

    fn keep_limit_state(&mut self, queue: &str, state: &LimitState, until: Millis) -> Result<(), StoreError> {
        told!(self, limits::keep_state(self, queue, state, until))
    }

    fn enter_lanes(&mut self, queue: &str, now: Millis, limit: usize) -> Result<usize, StoreError> {
        told!(self, lanes::enter(self, queue, now, limit))
    }

    fn lane_levels(&mut self, queue: &str) -> Result<Vec<Priority>, StoreError> {
        told!(self, lanes::levels(&mut self.connection, queue))
    }

    fn lanes_from(&mut self, queue: &str, priority: Priority, from: i64, limit: usize) -> Result<Vec<i64>, StoreError> {
        told!(self, lanes::lanes_from(&mut self.connection, queue, priority, from, limit))
    }

    fn sublanes_from(
        &mut self,
        queue: &str,
        priority: Priority,
        from: Lane,
        limit: usize,
    ) -> Result<Vec<i64>, StoreError> {
        told!(self, lanes::sublanes_from(&mut self.connection, queue, priority, from, limit))
    }

    fn lane_fronts(
        &mut self,
        queue: &str,
        priority: Priority,
        lanes: &[(i64, usize)],
        from: i64,
    ) -> Result<Vec<Fronting>, StoreError> {
        told!(self, super::fronts::lane_fronts(&mut self.connection, queue, priority, lanes, from))
    }

    fn key_limits(&mut self, queue: &str, keys: &[&str]) -> Result<HashMap<String, LimitState>, StoreError> {
        told!(self, lanes::key_limits(&mut self.connection, queue, keys))
    }

    fn keep_key_limits(&mut self, queue: &str, kept: &[(&str, &LimitState, Millis)]) -> Result<(), StoreError> {
        told!(self, super::fronts::keep_key_limits(&mut self.connection, queue, kept))
    }

    fn key_holds(&mut self, queue: &str, keys: &[&str], most: u32) -> Result<HashMap<String, u32>, StoreError> {
        told!(self, lanes::key_holds(self, queue, keys, most))
    }

    fn key_places(&mut self, queue: &str, key: &str) -> Result<u64, StoreError> {
        told!(self, lanes::key_places(self, queue, key))
    }

    fn take_place(&mut self, queue: &str, key: &str, task: TaskId) -> Result<(), StoreError> {
        told!(self, lanes::take_place(self, queue, key, task))
    }

    fn hold_keys(&mut self, queue: &str, held: &[(&str, TaskId, LeaseId)]) -> Result<(), StoreError> {
        told!(self, lanes::hold_keys(self, queue, held))
    }

    fn claim(&mut self, claim: &Claim, hints: &[(Priority, Mark)]) -> Result<Claimed, StoreError> {
        told!(self, super::claim::claim(self, claim, hints))
    }

    fn ready_after(
        &mut self,
        queue: &str,
        priority: Priority,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Vec<Mark>, StoreError> {
        told!(self, super::ready::ready_after(&mut self.connection, queue, priority, after, limit))
    }

    fn ready_levels(&mut self, queue: &str) -> Result<Vec<Priority>, StoreError> {
        told!(self, super::ready::levels(&mut self.connection, queue))
    }

    fn ready_names(
        &mut self,
        queue: &str,
        priority: Priority,
        now: Millis,
        limit: usize,
    ) -> Result<Vec<(Mark, String)>, StoreError> {
        told!(self, super::ready::names(&mut self.connection, queue, priority, now, limit))
    }

    fn finish(&mut self, items: &[Finished<'_>], now: Millis) -> Result<Vec<Recorded>, StoreError> {
        told!(self, super::finish_all(self, items, now))
    }

    fn cancel(&mut self, id: TaskId, reason: Option<&str>, now: Millis) -> Result<Cancelled, StoreError> {
        told!(self, super::finish::cancel(self, id, reason, now))
    }

    fn redrive(
        &mut self,
        id: TaskId,
        arguments: Option<&(String, String)>,
        now: Millis,
    ) -> Result<Redriven, StoreError> {
        told!(self, super::submit::redrive(self, id, arguments, now))
    }

    fn delete(&mut self, id: TaskId) -> Result<Deleted, StoreError> {
        told!(self, operations::delete(self, id))
    }

    fn amend(&mut self, id: TaskId, change: &Amendment, now: Millis) -> Result<Amended, StoreError> {
        told!(self, operations::amend(self, id, change, now))
    }

    fn begin_operation(&mut self, operation: &Operation) -> Result<(), StoreError> {
        told!(self, operations::begin(self, operation))
    }

    fn advance_operation(&mut self, step: &OperationStep, done: u64, now: Millis) -> Result<bool, StoreError> {
        told!(self, operations::advance(self, step, done, now))
    }

    fn cancel_operation(&mut self, id: TaskId, now: Millis) -> Result<bool, StoreError> {
        told!(self, operations::cancel(self, id, now))
    }

    fn set_result_ttl(&mut self, id: TaskId, ttl: Millis) -> Result<ResultChanged, StoreError> {
        told!(self, super::expiry::set_result_ttl(self, id, ttl))
    }

    fn delete_result(&mut self, id: TaskId) -> Result<ResultChanged, StoreError> {
        told!(self, super::expiry::delete_result(self, id))
    }

    fn set_paused(&mut self, queue: &str, paused: bool) -> Result<bool, StoreError> {
        told!(self, limits::set_paused(self, queue, paused))
    }

    fn queue(&mut self, name: &str) -> Result<Option<QueueRow>, StoreError> {
        let row = locked!(queues::table.find(name)).first(&mut self.connection).optional();
        told!(self, row.map(|row| row.map(super::reader::queue_row)))
    }

    fn configure(&mut self, row: &QueueRow) -> Result<(), StoreError> {
        told!(self, limits::configure(self, row))
    }

    fn delete_queue(&mut self, name: &str) -> Result<QueueDeleted, StoreError> {
        told!(self, limits::delete_queue(self, name))
    }

    fn add_key(&mut self, key: &KeyRow, as_first: bool) -> Result<KeyAdded, StoreError> {
        told!(self, access::add_key(self, key, as_first))
    }

    fn revoke_key(&mut self, id: KeyId, now: Millis) -> Result<KeyRevoked, StoreError> {
        told!(self, access::revoke_key(self, id, now))
    }

    fn touch_keys(&mut self, used: &[(KeyId, Millis)]) -> Result<(), StoreError> {
        told!(self, access::touch_keys(self, used))
    }

    fn audit(&mut self, act: &Act, now: Millis) -> Result<(), StoreError> {
        told!(self, access::audit(self, act, now))
    }

    fn resolve(&mut self, limit: usize, now: Millis) -> Result<bool, StoreError> {
        told!(self, telling::resolve(self, limit, now))
    }

    fn expire(&mut self, limit: usize, now: Millis) -> Result<bool, StoreError> {
        told!(self, expiry::expire_due(self, limit, now))
    }

    fn add_metrics(&mut self, rows: &[MetricRow]) -> Result<(), StoreError> {
        told!(self, super::metrics::add(&mut self.connection, rows))
    }

    fn effects(&mut self) -> Effects {
        Effects { counted: self.deltas.events(), ..std::mem::take(&mut self.effects) }
    }

    fn reap_others(
        &mut self,
        survivor: Option<WorkerId>,
        node: Option<&str>,
        culprit: Option<LeaseToken>,
        now: Millis,
    ) -> Result<Reaped, StoreError> {
        told!(self, super::reap::reap_others(self, survivor, node, culprit, now))
    }

    fn reap(&mut self, dead: &Pulse, now: Millis) -> Result<Reaped, StoreError> {
        told!(self, super::reap::reap_silent(self, dead, now))
    }

    fn release(&mut self, lost: &[(TaskId, LeaseId)], now: Millis) -> Result<Vec<Ready>, StoreError> {
        told!(self, super::reap::release(self, lost, now))
    }

    fn prune(&mut self, limits: &RetentionLimits, after: Option<TaskId>) -> Result<Pruned, StoreError> {
        told!(self, super::reap::prune(self, limits, after))
    }
}
