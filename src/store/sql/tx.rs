//! A transaction on the one connection that writes.

use std::{collections::HashMap, sync::Arc};

use diesel::{connection::SimpleConnection as _, prelude::*};

use super::{
    Connection, access,
    counters::Deltas,
    expiry,
    key::uid,
    lanes, limits, operations,
    records::reading,
    schema::{queues, workers},
    telling, translate, workflow_acts, workflows,
};
use crate::{
    store::{
        Act, Amended, Amendment, Cancelled, Claim, Claimed, Deleted, Effects, Entrance, Finished, Fronting,
        IdempotencyKey, Inserted, KeyAdded, KeyRevoked, KeyRow, MetricRow, NewWorkflow, Operation, OperationStep,
        QueueDeleted, QueueRow, Reaped, Recorded, Redriven, ResultChanged, RetentionLimits, StoreError, StoredOutcome,
        Tx, WorkerInfo, WorkflowCancelled, WorkflowRetried,
    },
    task::{
        KeyId, LeaseId, LeaseToken, Mark, Millis, NewTask, Priority, Pulse, Ready, Status, TaskId, WorkerId,
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
        let done = super::submit::queues_besides(self, names);
        self.told(done)
    }

    fn ensure_queue(&mut self, name: &str, now: Millis) -> Result<(), StoreError> {
        let done = super::submit::ensure_queue(self, name, now);
        self.told(done)
    }

    fn insert(&mut self, tasks: &[&NewTask]) -> Result<Vec<Inserted>, StoreError> {
        let done = super::insert::insert(self, tasks);
        self.told(done)
    }

    fn begin_workflow(&mut self, workflow: &NewWorkflow, tasks: &[NewTask]) -> Result<(), StoreError> {
        let done = workflows::begin(self, workflow, tasks);
        self.told(done)
    }

    fn cancel_workflow(
        &mut self,
        id: TaskId,
        reason: Option<&str>,
        now: Millis,
    ) -> Result<WorkflowCancelled, StoreError> {
        let done = workflow_acts::cancel(self, id, reason, now);
        self.told(done)
    }

    fn retry_workflow(&mut self, id: TaskId, now: Millis) -> Result<WorkflowRetried, StoreError> {
        let done = workflow_acts::retry(self, id, now);
        self.told(done)
    }

    fn settle(&mut self, now: Millis) -> Result<(), StoreError> {
        let done = workflows::settle(self, now);
        self.told(done)
    }

    fn depth(&mut self, queue: &str) -> Result<u64, StoreError> {
        let waiting = [Status::Pending, Status::Scheduled, Status::Queued, Status::Retry];
        let done = super::hold_depth(self, queue).and_then(|()| limits::count(self, queue, &waiting));
        self.told(done)
    }

    fn recall(&mut self, key: &str) -> Result<Option<(IdempotencyKey, Vec<StoredOutcome>)>, StoreError> {
        let done = super::submit::recall(self, key);
        self.told(done)
    }

    fn remember(&mut self, key: &IdempotencyKey, outcomes: &[StoredOutcome]) -> Result<(), StoreError> {
        let done = super::submit::remember(self, key, outcomes);
        self.told(done)
    }

    fn entrance(&mut self, queue: &str, worker: WorkerId, limited: bool) -> Result<Entrance, StoreError> {
        let done = super::entrance(self, queue, worker, limited);
        self.told(done)
    }

    fn running(&mut self, queue: &str) -> Result<u32, StoreError> {
        let done = limits::count(self, queue, &[Status::Running]);
        self.told(done).map(|n| u32::try_from(n).unwrap_or(u32::MAX))
    }

    fn limit_state(&mut self, queue: &str) -> Result<Option<LimitState>, StoreError> {
        let done = limits::state(&mut self.connection, queue);
        self.told(done)
    }

    fn keep_limit_state(&mut self, queue: &str, state: &LimitState, until: Millis) -> Result<(), StoreError> {
        let done = limits::keep_state(self, queue, state, until);
        self.told(done)
    }

    fn enter_lanes(&mut self, queue: &str, now: Millis, limit: usize) -> Result<usize, StoreError> {
        let done = lanes::enter(self, queue, now, limit);
        self.told(done)
    }

    fn lane_levels(&mut self, queue: &str) -> Result<Vec<Priority>, StoreError> {
        let done = lanes::levels(&mut self.connection, queue);
        self.told(done)
    }

    fn lanes_from(&mut self, queue: &str, priority: Priority, from: i64, limit: usize) -> Result<Vec<i64>, StoreError> {
        let done = lanes::lanes_from(&mut self.connection, queue, priority, from, limit);
        self.told(done)
    }

    fn lane_fronts(
        &mut self,
        queue: &str,
        priority: Priority,
        lanes: &[(i64, usize)],
        from: i64,
    ) -> Result<Vec<Fronting>, StoreError> {
        let done = super::fronts::lane_fronts(&mut self.connection, queue, priority, lanes, from);
        self.told(done)
    }

    fn key_limits(&mut self, queue: &str, keys: &[&str]) -> Result<HashMap<String, LimitState>, StoreError> {
        let done = lanes::key_limits(&mut self.connection, queue, keys);
        self.told(done)
    }

    fn keep_key_limits(&mut self, queue: &str, kept: &[(&str, &LimitState, Millis)]) -> Result<(), StoreError> {
        let done = super::fronts::keep_key_limits(&mut self.connection, queue, kept);
        self.told(done)
    }

    fn key_holds(&mut self, queue: &str, keys: &[&str], most: u32) -> Result<HashMap<String, u32>, StoreError> {
        let done = lanes::key_holds(self, queue, keys, most);
        self.told(done)
    }

    fn key_places(&mut self, queue: &str, key: &str) -> Result<u64, StoreError> {
        let done = lanes::key_places(self, queue, key);
        self.told(done)
    }

    fn take_place(&mut self, queue: &str, key: &str, task: TaskId) -> Result<(), StoreError> {
        let done = lanes::take_place(self, queue, key, task);
        self.told(done)
    }

    fn hold_keys(&mut self, queue: &str, held: &[(&str, TaskId, LeaseId)]) -> Result<(), StoreError> {
        let done = lanes::hold_keys(self, queue, held);
        self.told(done)
    }

    fn claim(&mut self, claim: &Claim, hints: &[(Priority, Mark)]) -> Result<Claimed, StoreError> {
        let done = super::claim::claim(self, claim, hints);
        self.told(done)
    }

    fn ready_after(
        &mut self,
        queue: &str,
        priority: Priority,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Vec<Mark>, StoreError> {
        let done = super::ready::ready_after(&mut self.connection, queue, priority, after, limit);
        self.told(done)
    }

    fn finish(&mut self, items: &[Finished<'_>], now: Millis) -> Result<Vec<Recorded>, StoreError> {
        let done = super::finish_all(self, items, now);
        self.told(done)
    }

    fn cancel(&mut self, id: TaskId, reason: Option<&str>, now: Millis) -> Result<Cancelled, StoreError> {
        let done = super::finish::cancel(self, id, reason, now);
        self.told(done)
    }

    fn redrive(
        &mut self,
        id: TaskId,
        arguments: Option<&(String, String)>,
        now: Millis,
    ) -> Result<Redriven, StoreError> {
        let done = super::submit::redrive(self, id, arguments, now);
        self.told(done)
    }

    fn delete(&mut self, id: TaskId) -> Result<Deleted, StoreError> {
        let done = operations::delete(self, id);
        self.told(done)
    }

    fn amend(&mut self, id: TaskId, change: &Amendment, now: Millis) -> Result<Amended, StoreError> {
        let done = operations::amend(self, id, change, now);
        self.told(done)
    }

    fn begin_operation(&mut self, operation: &Operation) -> Result<(), StoreError> {
        let done = operations::begin(self, operation);
        self.told(done)
    }

    fn advance_operation(&mut self, step: &OperationStep, done: u64, now: Millis) -> Result<bool, StoreError> {
        let done = operations::advance(self, step, done, now);
        self.told(done)
    }

    fn cancel_operation(&mut self, id: TaskId, now: Millis) -> Result<bool, StoreError> {
        let done = operations::cancel(self, id, now);
        self.told(done)
    }

    fn set_result_ttl(&mut self, id: TaskId, ttl: Millis) -> Result<ResultChanged, StoreError> {
        let done = super::expiry::set_result_ttl(self, id, ttl);
        self.told(done)
    }

    fn delete_result(&mut self, id: TaskId) -> Result<ResultChanged, StoreError> {
        let done = super::expiry::delete_result(self, id);
        self.told(done)
    }

    fn set_paused(&mut self, queue: &str, paused: bool) -> Result<bool, StoreError> {
        let done = limits::set_paused(self, queue, paused);
        self.told(done)
    }

    fn queue(&mut self, name: &str) -> Result<Option<QueueRow>, StoreError> {
        let row = locked!(queues::table.find(name)).first(&mut self.connection).optional();
        let done = row.map(|row| row.map(super::reader::queue_row));
        self.told(done)
    }

    fn configure(&mut self, row: &QueueRow) -> Result<(), StoreError> {
        let done = limits::configure(self, row);
        self.told(done)
    }

    fn delete_queue(&mut self, name: &str) -> Result<QueueDeleted, StoreError> {
        let done = limits::delete_queue(self, name);
        self.told(done)
    }

    fn add_key(&mut self, key: &KeyRow, as_first: bool) -> Result<KeyAdded, StoreError> {
        let done = access::add_key(self, key, as_first);
        self.told(done)
    }

    fn revoke_key(&mut self, id: KeyId, now: Millis) -> Result<KeyRevoked, StoreError> {
        let done = access::revoke_key(self, id, now);
        self.told(done)
    }

    fn touch_keys(&mut self, used: &[(KeyId, Millis)]) -> Result<(), StoreError> {
        let done = access::touch_keys(self, used);
        self.told(done)
    }

    fn audit(&mut self, act: &Act, now: Millis) -> Result<(), StoreError> {
        let done = access::audit(self, act, now);
        self.told(done)
    }

    fn resolve(&mut self, limit: usize, now: Millis) -> Result<bool, StoreError> {
        let done = telling::resolve(self, limit, now);
        self.told(done)
    }

    fn expire(&mut self, limit: usize, now: Millis) -> Result<bool, StoreError> {
        let done = expiry::expire_due(self, limit, now);
        self.told(done)
    }

    fn add_metrics(&mut self, rows: &[MetricRow]) -> Result<(), StoreError> {
        let done = super::metrics::add(&mut self.connection, rows);
        self.told(done)
    }

    fn effects(&mut self) -> Effects {
        Effects { counted: self.deltas.events(), ..std::mem::take(&mut self.effects) }
    }

    fn register_worker(&mut self, worker: &WorkerInfo) -> Result<(), StoreError> {
        let row = (
            workers::id.eq(uid(worker.id.as_bytes())),
            workers::host.eq(&worker.host),
            workers::pid.eq(reading::signed(worker.pid)),
            workers::version.eq(&worker.version),
            workers::state.eq("alive"),
            workers::slots.eq(reading::signed(worker.slots)),
            workers::started_at.eq(worker.started_at),
            workers::beat_at.eq(worker.started_at),
            workers::patience_ms.eq(worker.patience),
            workers::node.eq(&worker.node),
        );
        let done = diesel::insert_into(workers::table).values(row).execute(&mut self.connection).map(|_| ());
        self.told(done)
    }

    fn beat(&mut self, worker: WorkerId, now: Millis) -> Result<bool, StoreError> {
        let alive = workers::state.eq_any(["alive", "draining"]);
        let renew = diesel::update(workers::table.find(uid(worker.as_bytes())).filter(alive))
            .set((workers::beat_seq.eq(workers::beat_seq + 1), workers::beat_at.eq(now)));
        let done = renew.execute(&mut self.connection).map(|rows| rows > 0);
        self.told(done)
    }

    fn set_worker_state(&mut self, worker: WorkerId, state: &str) -> Result<(), StoreError> {
        // One that was declared dead stays so: its tasks are elsewhere.
        let alive = workers::table.find(uid(worker.as_bytes())).filter(workers::state.eq_any(["alive", "draining"]));
        let change = diesel::update(alive).set(workers::state.eq(state));
        let done = change.execute(&mut self.connection).map(|_| ());
        self.told(done)
    }

    fn reap_others(
        &mut self,
        survivor: Option<WorkerId>,
        node: Option<&str>,
        culprit: Option<LeaseToken>,
        now: Millis,
    ) -> Result<Reaped, StoreError> {
        let done = super::reap::reap_others(self, survivor, node, culprit, now);
        self.told(done)
    }

    fn reap(&mut self, dead: &Pulse, now: Millis) -> Result<Reaped, StoreError> {
        let done = super::reap::reap_silent(self, dead, now);
        self.told(done)
    }

    fn release(&mut self, lost: &[(TaskId, LeaseId)], now: Millis) -> Result<Vec<Ready>, StoreError> {
        let done = super::reap::release(self, lost, now);
        self.told(done)
    }

    fn prune(&mut self, limits: &RetentionLimits, after: Option<TaskId>) -> Result<Option<TaskId>, StoreError> {
        let done = super::reap::prune(self, limits, after);
        self.told(done)
    }
}
