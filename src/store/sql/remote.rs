//! What remote workers hold: found by their leases, for whichever node they speak to.

use std::collections::{BTreeMap, HashMap, HashSet};

use diesel::prelude::*;

use super::{
    Connection,
    key::{Uid, uid},
    records::{StateRecord, TaskRecord, reading, task_id, worker_id},
    schema::{leases, tasks},
};
use crate::{
    store::{Hold, Holding, Leased, Overdue, TaskRow},
    task::{Granted, LeaseId, LeaseToken, Millis, Status, TaskId, WorkerId},
};

/// Ids in one statement.
const AT_ONCE: usize = 1_000;

/// Deadlines that were moved, by task.
type Extended = BTreeMap<TaskId, Millis>;

fn read(extended: Option<&str>) -> Extended {
    extended.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

type LeaseRow = (Vec<u8>, Vec<u8>, i64, Vec<u8>, Option<String>);

pub(super) fn holdings(connection: &mut Connection, workers: &[WorkerId]) -> QueryResult<Vec<Holding>> {
    let workers: Vec<Uid> = workers.iter().map(|id| uid(id.as_bytes())).collect();
    let columns = (leases::lease_id, leases::worker_id, leases::granted_at, leases::task_ids, leases::extended);
    let rows: Vec<LeaseRow> =
        leases::table.filter(leases::worker_id.eq_any(workers)).select(columns).load(connection)?;
    let mut held: HashMap<LeaseToken, (WorkerId, Millis, Option<Millis>)> = HashMap::new();
    for (lease, worker, granted_at, ids, extended) in rows {
        let (Some(lease), Some(worker)) = (LeaseId::from_slice(&lease), worker_id(Some(worker))) else { continue };
        let extended = read(extended.as_deref());
        for task in ids.chunks_exact(16).map(task_id) {
            held.insert(LeaseToken { task, lease }, (worker, granted_at, extended.get(&task).copied()));
        }
    }
    let ids: Vec<TaskId> = held.keys().map(|token| token.task).collect();
    let mut found = Vec::with_capacity(held.len());
    for (token, record) in running(connection, &ids)? {
        let Some((worker, granted_at, moved)) = held.get(&token).copied() else { continue };
        let deadline = moved.or_else(|| Some(record.started_at? + record.timeout_ms?));
        let Running { queue, name, cancel_requested, .. } = record;
        found.push(Holding { worker, token, granted_at, queue, name, cancel_requested, deadline });
    }
    Ok(found)
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = tasks)]
struct Running {
    id: Vec<u8>,
    lease_id: Option<Vec<u8>>,
    queue: String,
    name: String,
    started_at: Option<i64>,
    timeout_ms: Option<i64>,
    cancel_requested: bool,
}

/// Those of the tasks that run, with the lease under which they do.
fn running(connection: &mut Connection, ids: &[TaskId]) -> QueryResult<Vec<(LeaseToken, Running)>> {
    let mut found = Vec::with_capacity(ids.len());
    for ids in ids.chunks(AT_ONCE) {
        let ids: Vec<Uid> = ids.iter().map(|id| uid(id.as_bytes())).collect();
        let rows: Vec<Running> = tasks::table
            .filter(tasks::id.eq_any(ids))
            .filter(tasks::status.eq(i32::from(Status::Running.code())))
            .select(Running::as_select())
            .load(connection)?;
        let token = |row: Running| {
            let lease = LeaseId::from_slice(row.lease_id.as_deref()?)?;
            Some((LeaseToken { task: task_id(&row.id), lease }, row))
        };
        found.extend(rows.into_iter().filter_map(token));
    }
    Ok(found)
}

pub(super) fn leased(connection: &mut Connection, tokens: &[LeaseToken]) -> QueryResult<Vec<Leased>> {
    let mut found: HashMap<TaskId, (TaskRow, bool)> = HashMap::new();
    let mut moved: HashMap<LeaseId, Extended> = HashMap::new();
    for tokens in tokens.chunks(AT_ONCE) {
        let ids: Vec<Uid> = tokens.iter().map(|token| uid(token.task.as_bytes())).collect();
        let rows: Vec<(TaskRecord, bool)> = tasks::table
            .filter(tasks::id.eq_any(ids))
            .select((TaskRecord::as_select(), tasks::has_dependants))
            .load(connection)?;
        for (record, has_dependants) in rows {
            let row = record.into_row(Default::default());
            found.insert(row.id, (row, has_dependants));
        }
        let all: HashSet<LeaseId> = tokens.iter().map(|token| token.lease).collect();
        let all: Vec<Uid> = all.iter().map(|lease| uid(lease.as_bytes())).collect();
        let rows: Vec<(Vec<u8>, Option<String>)> = leases::table
            .filter(leases::lease_id.eq_any(all).and(leases::extended.is_not_null()))
            .select((leases::lease_id, leases::extended))
            .load(connection)?;
        moved
            .extend(rows.into_iter().filter_map(|(id, text)| Some((LeaseId::from_slice(&id)?, read(text.as_deref())))));
    }
    let look = |token: &LeaseToken| {
        let Some((row, has_dependants)) = found.get(&token.task) else { return Leased::Lost };
        let moved = moved.get(&token.lease).and_then(|extended| extended.get(&token.task));
        worth(row, *has_dependants, *token, moved.copied())
    };
    Ok(tokens.iter().map(look).collect())
}

fn worth(row: &TaskRow, has_dependants: bool, token: LeaseToken, moved: Option<Millis>) -> Leased {
    if row.lease_id != Some(token.lease) {
        return Leased::Lost;
    }
    let (Status::Running, Some(worker)) = (row.status, row.worker_id) else { return Leased::Over(row.status) };
    let started_at = row.started_at.unwrap_or(row.created_at);
    let task = Granted {
        id: row.id,
        lease: token.lease,
        name: row.name.clone(),
        queue: row.queue.as_str().into(),
        priority: row.priority,
        args: String::new(),
        kwargs: String::new(),
        meta: None,
        attempt: row.attempt,
        failures: row.failures,
        crashes: row.crashes,
        snoozes: row.snoozes,
        max_retries: row.max_retries,
        retry: row.retry,
        timeout_ms: row.timeout_ms,
        expires_at: row.expires_at,
        generation: row.generation,
        keyed: row.flow.is_some(),
        parents: row.parents,
        workflow: row.workflow,
        has_dependants,
        // Its old place is not kept while it runs; the time of its grant still puts it ahead of what came since.
        ready_at: started_at,
        started_at,
    };
    let deadline = moved.or_else(|| task.deadline());
    Leased::Held(Box::new(Hold { task, worker, cancel_requested: row.cancel_requested, deadline }))
}

pub(super) fn overdue(connection: &mut Connection, by: Millis, limit: usize) -> QueryResult<Vec<Overdue>> {
    let rows: Vec<(Vec<u8>, Vec<u8>, Option<String>)> = leases::table
        .filter(leases::due.le(by))
        .order(leases::due)
        .limit(limit as i64)
        .select((leases::lease_id, leases::task_ids, leases::extended))
        .load(connection)?;
    let mut found = Vec::with_capacity(rows.len());
    for (lease, ids, extended) in rows {
        let Some(lease) = LeaseId::from_slice(&lease) else { continue };
        let extended = read(extended.as_deref());
        let ids: Vec<TaskId> = ids.chunks_exact(16).map(task_id).collect();
        let held = running(connection, &ids)?.into_iter().filter(|(token, _)| token.lease == lease);
        let deadline = |(token, row): (LeaseToken, Running)| {
            let own = || Some(row.started_at? + row.timeout_ms?);
            Some((token, extended.get(&token.task).copied().or_else(own)?))
        };
        found.push(Overdue { lease, deadlines: held.filter_map(deadline).collect() });
    }
    Ok(found)
}

pub(super) fn extend(
    connection: &mut Connection,
    token: LeaseToken,
    by: Millis,
    latest: Millis,
) -> QueryResult<Option<Millis>> {
    // Held, so that the attempt does not end between the look and the change.
    let Some(task) = StateRecord::find(connection, token.task)? else { return Ok(None) };
    let is_held =
        task.status() == Status::Running && task.lease_id.as_deref() == Some(token.lease.as_bytes().as_slice());
    let limit: Option<Option<i64>> = tasks::table
        .filter(tasks::id.eq(uid(token.task.as_bytes())))
        .select(tasks::timeout_ms)
        .first(connection)
        .optional()?;
    let (true, Some(limit), Some(started_at)) = (is_held, limit.flatten(), task.started_at) else { return Ok(None) };
    let row = leases::table.find(uid(token.lease.as_bytes()));
    let text: Option<Option<String>> = locked!(row.select(leases::extended)).first(connection).optional()?;
    let Some(text) = text else { return Ok(None) };
    let mut extended = read(text.as_deref());
    let before = extended.get(&token.task).copied().unwrap_or(started_at + limit);
    let deadline = (before + by).min(latest.max(before));
    extended.insert(token.task, deadline);
    let text = serde_json::to_string(&extended).unwrap_or_default();
    diesel::update(row).set(leases::extended.eq(text)).execute(connection)?;
    Ok(Some(deadline))
}

pub(super) fn origins(connection: &mut Connection, ids: &[TaskId]) -> QueryResult<Vec<(TaskId, Millis, Vec<String>)>> {
    let ids: Vec<Uid> = ids.iter().map(|id| uid(id.as_bytes())).collect();
    let rows: Vec<(Vec<u8>, i64, Option<String>)> = tasks::table
        .filter(tasks::id.eq_any(ids))
        .select((tasks::id, tasks::created_at, tasks::tags))
        .load(connection)?;
    Ok(rows.into_iter().map(|(id, at, tags)| (task_id(&id), at, reading::json(tags).unwrap_or_default())).collect())
}
