//! Reads, from a pool of connections that cannot write.

use std::{collections::BTreeMap, sync::Arc};

use diesel::{
    prelude::*,
    r2d2::{ConnectionManager, Pool, PooledConnection},
};

use super::{
    Connection, Keep, access, dead,
    key::uid,
    lanes, limits, list, operations,
    records::{Payload, TaskRecord, reading, task_id, worker_id},
    relatives, schedules,
    schema::{attempts, counters, dead_letter_queue, expiries, leases, queues, tasks, unresolved_parents, workers},
    translate, workflow_reads,
};
use crate::{
    store::{
        AttemptRow, AuditFilter, AuditRow, Counted, CounterRow, DeadFilter, DeadGroup, DeadRow, Held, KeyRow,
        LaneAhead, ListedPage, MOST_PASSED_ON, NodeRow, Operation, Page, ParentRow, QueueRow, Reader, ScheduleFilter,
        ScheduleRow, StoreError, StoreErrorKind, TaskFilter, TaskRow, WorkerRow, WorkflowFilter, WorkflowPlan,
        WorkflowRow,
    },
    task::{Figures, Mark, Millis, Offer, Priority, Pulse, Reach, Span, Status, TaskId, WorkerId, rate::LimitState},
};

pub(super) struct PooledReader {
    pool: Pool<ConnectionManager<Connection>>,
    name: Arc<str>,
    _keep: Keep,
}

impl PooledReader {
    pub(super) fn new(pool: Pool<ConnectionManager<Connection>>, name: Arc<str>, keep: Keep) -> Self {
        Self { pool, name, _keep: keep }
    }

    fn connection(&self) -> Result<PooledConnection<ConnectionManager<Connection>>, StoreError> {
        self.pool.get().map_err(|error| {
            let message = format!("no free connection to read with within 2 s: {error}");
            StoreError::new(StoreErrorKind::Unavailable, &self.name, message)
        })
    }

    pub(super) fn read<T>(&self, work: impl FnOnce(&mut Connection) -> QueryResult<T>) -> Result<T, StoreError> {
        work(&mut *self.connection()?).map_err(|error| translate(&self.name, &error))
    }
}

impl Reader for PooledReader {
    fn task(&self, id: TaskId) -> Result<Option<TaskRow>, StoreError> {
        self.read(|connection| {
            let row = tasks::table.filter(tasks::id.eq(uid(id.as_bytes())));
            let found: Option<(TaskRecord, Payload)> =
                row.select((TaskRecord::as_select(), Payload::as_select())).first(connection).optional()?;
            Ok(found.map(|(record, payload)| record.into_row(payload)))
        })
    }

    fn tasks(&self, filter: &TaskFilter, page: &Page) -> Result<ListedPage<TaskRow>, StoreError> {
        self.read(|connection| list::tasks(connection, filter, page))
    }

    fn attempts(&self, id: TaskId) -> Result<Vec<AttemptRow>, StoreError> {
        type Row = (i32, i32, Option<Vec<u8>>, Option<i64>, Option<i64>, String, Option<String>, Option<i64>);
        self.read(|connection| {
            let rows: Vec<Row> = attempts::table
                .filter(attempts::task_id.eq(uid(id.as_bytes())))
                .order((attempts::generation, attempts::number))
                .select((
                    attempts::generation,
                    attempts::number,
                    attempts::worker_id,
                    attempts::started_at,
                    attempts::finished_at,
                    attempts::outcome,
                    attempts::error,
                    attempts::next_delay_ms,
                ))
                .load(connection)?;
            let attempt =
                |(generation, number, worker, started_at, finished_at, outcome, error, delay): Row| AttemptRow {
                    generation: reading::count(generation),
                    number: reading::count(number),
                    worker_id: worker_id(worker),
                    started_at,
                    finished_at,
                    outcome,
                    error: reading::json(error),
                    next_delay_ms: delay,
                };
            Ok(rows.into_iter().map(attempt).collect())
        })
    }

    fn parent_states(&self, id: TaskId, count: u32) -> Result<Vec<ParentRow>, StoreError> {
        self.read(|connection| relatives::parent_states(connection, id, count))
    }

    fn parents(&self, id: TaskId, count: u32) -> Result<Option<Vec<ParentRow>>, StoreError> {
        self.read(|connection| relatives::parents(connection, id, count, MOST_PASSED_ON))
    }

    fn children(&self, id: TaskId, limit: usize) -> Result<Vec<ParentRow>, StoreError> {
        self.read(|connection| relatives::children(connection, id, limit))
    }

    fn has_unresolved(&self) -> Result<bool, StoreError> {
        self.read(|connection| {
            diesel::select(diesel::dsl::exists(unresolved_parents::table.select(unresolved_parents::task_id)))
                .get_result(connection)
        })
    }

    fn next_expiry(&self) -> Result<Option<Millis>, StoreError> {
        let first = expiries::table.order((expiries::expires_at, expiries::task_id)).select(expiries::expires_at);
        self.read(|connection| first.first(connection).optional())
    }

    fn limit_state(&self, queue: &str) -> Result<Option<LimitState>, StoreError> {
        self.read(|connection| limits::state(connection, queue))
    }

    fn key_limit(&self, queue: &str, key: &str) -> Result<Option<LimitState>, StoreError> {
        self.read(|connection| Ok(lanes::key_limits(connection, queue, &[key])?.remove(key)))
    }

    fn key_running(&self, queue: &str, key: &str) -> Result<u32, StoreError> {
        self.read(|connection| lanes::key_running(connection, queue, key))
    }

    fn lane_ahead(&self, task: &TaskRow, from: i64, most: u64) -> Result<LaneAhead, StoreError> {
        self.read(|connection| lanes::ahead(connection, task, from, most))
    }

    fn has_laned(&self, queue: &str, until: Millis) -> Result<bool, StoreError> {
        self.read(|connection| lanes::has_any(connection, queue, until))
    }

    fn queues(&self) -> Result<Vec<QueueRow>, StoreError> {
        self.read(|connection| {
            let rows: Vec<QueueColumns> = queues::table.order(queues::name).load(connection)?;
            Ok(rows.into_iter().map(queue_row).collect())
        })
    }

    fn queue(&self, name: &str) -> Result<Option<QueueRow>, StoreError> {
        self.read(|connection| queue(connection, name))
    }

    fn counters(&self, queue: Option<&str>) -> Result<Vec<CounterRow>, StoreError> {
        self.read(|connection| {
            let mut query = counters::table.into_boxed();
            if let Some(queue) = queue {
                query = query.filter(counters::queue.eq(queue));
            }
            let rows: Vec<(String, i32, i32, i64)> = query.load(connection)?;
            let counter = |(queue, priority, kind, n): (String, i32, i32, i64)| {
                let kind = i16::try_from(kind).ok().and_then(Counted::from_code)?;
                Some(CounterRow { queue, priority: reading::priority(priority), kind, n })
            };
            // Several rows may be of one counter: what has been added is not always added up yet.
            let mut sums: BTreeMap<(String, i32, i32), i64> = BTreeMap::new();
            for (queue, priority, kind, n) in rows {
                *sums.entry((queue, priority, kind)).or_default() += n;
            }
            let rows = sums.into_iter().map(|((queue, priority, kind), n)| (queue, priority, kind, n));
            Ok(rows.filter_map(counter).collect())
        })
    }

    fn ahead(
        &self,
        queue: &str,
        lane: Priority,
        before: Option<Mark>,
        now: Millis,
        most: u64,
    ) -> Result<u64, StoreError> {
        self.read(|connection| list::ahead(connection, queue, lane, before, now, most))
    }

    fn oldest_ready(&self, queue: &str) -> Result<Option<Millis>, StoreError> {
        self.read(|connection| {
            let mut oldest = None;
            // One index seek for each lane; a minimum over the queue would walk all of it.
            for priority in 0..=i32::from(Priority::MAX) {
                let first: Option<Option<i64>> = tasks::table
                    .filter(tasks::queue.eq(queue))
                    .filter(tasks::priority.eq(priority))
                    .filter(tasks::ready_at.is_not_null())
                    .filter(tasks::lane.is_null())
                    .order((tasks::ready_at, tasks::id))
                    .select(tasks::ready_at)
                    .first(connection)
                    .optional()?;
                oldest = [oldest, first.flatten()].into_iter().flatten().min();
            }
            Ok([oldest, lanes::oldest(connection, queue)?].into_iter().flatten().min())
        })
    }

    fn dead_letters(&self, filter: &DeadFilter, page: &Page) -> Result<ListedPage<DeadRow>, StoreError> {
        self.read(|connection| list::dead_letters(connection, filter, page))
    }

    fn dead_letter(&self, id: TaskId) -> Result<Option<DeadRow>, StoreError> {
        self.read(|connection| {
            let row = dead_letter_queue::table.find(uid(id.as_bytes()));
            Ok(row.first::<list::DeadRecord>(connection).optional()?.map(list::dead_row))
        })
    }

    fn metrics(&self, queue: &str, span: Span, from: Millis) -> Result<Vec<(Millis, Figures)>, StoreError> {
        self.read(|connection| super::metrics::read(connection, queue, span, from))
    }

    fn dead_letter_count(&self, within: Option<&Reach>) -> Result<i64, StoreError> {
        // From the counters, which change in the transactions that bury and redrive.
        let dead = |row: &CounterRow| matches!(row.kind, Counted::In(status) if status.is_dead());
        let meant = |row: &CounterRow| dead(row) && within.is_none_or(|within| within.includes(&row.queue));
        Ok(self.counters(None)?.iter().filter(|row| meant(row)).map(|row| row.n).sum())
    }

    fn dead_groups(
        &self,
        filter: &DeadFilter,
        since: &[Millis],
        among: usize,
        limit: usize,
    ) -> Result<Vec<DeadGroup>, StoreError> {
        self.read(|connection| dead::groups(connection, filter, since, among, limit))
    }

    fn count_dead_letters(&self, filter: &DeadFilter) -> Result<u64, StoreError> {
        let counted = self.read(|connection| dead::filtered(filter).count().get_result::<i64>(connection));
        counted.map(|n| u64::try_from(n).unwrap_or(0))
    }

    fn operations(&self, page: &Page, within: Option<&Reach>) -> Result<ListedPage<Operation>, StoreError> {
        self.read(|connection| operations::list(connection, page, within))
    }

    fn operation(&self, id: TaskId) -> Result<Option<Operation>, StoreError> {
        self.read(|connection| operations::find(connection, id))
    }

    fn running_operations(&self) -> Result<Vec<Operation>, StoreError> {
        self.read(operations::running)
    }

    fn schedule(&self, name: &str) -> Result<Option<ScheduleRow>, StoreError> {
        self.read(|connection| schedules::find(connection, name))
    }

    fn schedules(
        &self,
        filter: &ScheduleFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ScheduleRow>, StoreError> {
        self.read(|connection| schedules::list(connection, filter, after, limit))
    }

    fn next_schedule(&self) -> Result<Option<Millis>, StoreError> {
        self.read(schedules::next)
    }

    fn workers(&self) -> Result<Vec<WorkerRow>, StoreError> {
        self.read(super::workers::list)
    }

    fn offers(&self, most: usize) -> Result<Vec<Offer>, StoreError> {
        self.read(|connection| {
            // One that was asked to go takes nothing more.
            let taking = workers::state.eq("alive").and(workers::asked.is_null());
            let alive = workers::table.filter(taking).select(workers::offer);
            let rows: Vec<String> = alive.limit(i64::try_from(most).unwrap_or(i64::MAX)).load(connection)?;
            Ok(rows.iter().map(|offer| serde_json::from_str(offer).unwrap_or_default()).collect())
        })
    }

    fn unservable(&self, queue: &str, offers: &[Offer]) -> Result<u64, StoreError> {
        self.read(|connection| lanes::unservable(connection, queue, offers))
    }

    fn cancelled_among(&self, among: &[TaskId]) -> Result<Vec<TaskId>, StoreError> {
        self.read(|connection| {
            let ids: Vec<_> = among.iter().map(|id| uid(id.as_bytes())).collect();
            let asked = tasks::table
                .filter(tasks::id.eq_any(ids))
                .filter(tasks::status.eq(i32::from(Status::Running.code())).and(tasks::cancel_requested.eq(true)));
            let found: Vec<Vec<u8>> = asked.select(tasks::id).load(connection)?;
            Ok(found.iter().map(|id| task_id(id)).collect())
        })
    }

    fn pulses(&self) -> Result<Vec<Pulse>, StoreError> {
        self.read(|connection| {
            // One that has stopped and still holds something is waited for as long as one that lives.
            let holders = workers::id.eq_any(leases::table.select(leases::worker_id));
            let alive = workers::state.eq_any(["alive", "draining"]).or(holders);
            let alive = workers::table.filter(alive).select((workers::id, workers::beat_seq, workers::patience_ms));
            let rows: Vec<(Vec<u8>, i64, i64)> = alive.load(connection)?;
            let pulse = |(id, beats, patience)| worker_id(Some(id)).map(|worker| Pulse { worker, beats, patience });
            Ok(rows.into_iter().filter_map(pulse).collect())
        })
    }

    fn held(&self, worker: WorkerId) -> Result<Vec<Held>, StoreError> {
        self.read(|connection| {
            let held = super::reap::held_by(connection, worker.as_bytes())?;
            Ok(held.into_iter().map(|(lease, granted_at, task)| Held { task, lease, granted_at }).collect())
        })
    }

    fn ready_after(
        &self,
        queue: &str,
        priority: Priority,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Vec<Mark>, StoreError> {
        self.read(|connection| super::ready::ready_after(connection, queue, priority, after, limit))
    }

    fn queue_of(&self, id: TaskId) -> Result<Option<String>, StoreError> {
        let queue = tasks::table.filter(tasks::id.eq(uid(id.as_bytes()))).select(tasks::queue);
        self.read(|connection| queue.first(connection).optional())
    }

    fn workflows(&self, filter: &WorkflowFilter, page: &Page) -> Result<ListedPage<WorkflowRow>, StoreError> {
        self.read(|connection| workflow_reads::list(connection, filter, page))
    }

    fn workflow(&self, id: TaskId) -> Result<Option<WorkflowRow>, StoreError> {
        self.read(|connection| workflow_reads::find(connection, id))
    }

    fn workflow_plan(&self, id: TaskId) -> Result<Option<WorkflowPlan>, StoreError> {
        self.read(|connection| workflow_reads::plan(connection, id))
    }

    fn workflow_nodes(&self, id: TaskId, only_callbacks: bool) -> Result<Vec<NodeRow>, StoreError> {
        self.read(|connection| workflow_reads::nodes(connection, id, only_callbacks))
    }

    fn workflow_statuses(&self, id: TaskId) -> Result<Vec<(Status, i64)>, StoreError> {
        self.read(|connection| workflow_reads::statuses(connection, id))
    }

    fn workflow_queues(&self, id: TaskId) -> Result<Option<Vec<String>>, StoreError> {
        self.read(|connection| workflow_reads::queues(connection, id))
    }

    fn node_of(&self, task: &TaskRow) -> Result<Option<(TaskId, String)>, StoreError> {
        self.read(|connection| workflow_reads::node_of(connection, task))
    }

    fn keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        self.read(access::keys)
    }

    fn audit(&self, filter: &AuditFilter, before: Option<i64>, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        self.read(|connection| access::audit_log(connection, filter, before, limit))
    }

    fn kind(&self) -> &'static str {
        super::KIND
    }

    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn ping(&self) -> Result<(), StoreError> {
        self.read(|connection| diesel::select(diesel::dsl::sql::<diesel::sql_types::Integer>("1")).execute(connection))
            .map(|_| ())
    }
}

pub(super) fn queue(connection: &mut Connection, name: &str) -> QueryResult<Option<QueueRow>> {
    let row: Option<QueueColumns> = queues::table.find(name).first(connection).optional()?;
    Ok(row.map(queue_row))
}

pub(super) type QueueColumns = (String, bool, i32, String, i32, i64);

pub(super) fn queue_row((name, paused, weight, settings, version, created_at): QueueColumns) -> QueueRow {
    let (weight, version) = (reading::count(weight), reading::count(version));
    QueueRow { name, paused, weight, settings: limits::settings(&settings), version, created_at }
}
