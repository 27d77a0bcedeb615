//! Granting ready tasks to a worker.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;

use super::{
    expiry,
    hot::InsertLease,
    key::{Uid, uid},
    own::{ClaimTasks, MoveToLanes},
    records::{StateRecord, bytes, reading, task_id},
    schema::tasks,
    tx::Writer,
};
use crate::{
    store::{Claim, Claimed},
    task::{FlowKeys, Granted, Mark, Millis, Priority, Ready, Status, TaskId, model::SUSPECT_CRASHES},
};

/// How long a suspect is put off while another one is aboard.
const PUT_OFF: Millis = 1_000;

type Hint = (Priority, Mark);

pub(super) fn claim(writer: &mut Writer, claim: &Claim, hints: &[Hint]) -> QueryResult<Claimed> {
    let mut claimed = Claimed { tasks: take(writer, claim, hints, false)?, ..Claimed::default() };
    if claimed.tasks.len() < hints.len() {
        let granted: HashSet<TaskId> = claimed.tasks.iter().map(|task| task.id).collect();
        let left: Vec<Hint> = hints.iter().filter(|(_, (_, id))| !granted.contains(id)).copied().collect();
        see_to(writer, claim, &left, &mut claimed)?;
    }
    keep_lease(writer, claim, &claimed.tasks)?;
    Ok(claimed)
}

/// Grants what is ready and no suspect, or one suspect.
fn take(writer: &mut Writer, claim: &Claim, hints: &[Hint], suspect: bool) -> QueryResult<Vec<Granted>> {
    let ids: Vec<Uid> = hints.iter().map(|(_, (_, id))| uid(id.as_bytes())).collect();
    let priorities: Vec<i32> = hints.iter().map(|(priority, _)| priority.level().into()).collect();
    let statement = ClaimTasks {
        id: &ids,
        priority: &priorities,
        now: claim.now,
        now_too: claim.now,
        laned: claim.laned,
        keyed: claim.laned,
        any_name: claim.serves.names().is_none(),
        names: claim.serves.names().unwrap_or_default(),
        suspect: if suspect { i32::MAX } else { reading::signed(SUSPECT_CRASHES) },
        limit: if suspect { 1 } else { i64::try_from(hints.len()).unwrap_or(i64::MAX) },
        worker: bytes(claim.worker.as_bytes()),
        lease: bytes(claim.lease.as_bytes()),
        started: claim.now,
    };
    let rows: Vec<Row> = statement.load(&mut writer.connection)?;
    let places: HashMap<TaskId, usize> = hints.iter().enumerate().map(|(place, (_, (_, id)))| (*id, place)).collect();
    let mut granted = Vec::with_capacity(rows.len());
    for row in rows {
        writer.deltas.step(&claim.queue, reading::priority(row.2), reading::status(row.3), Status::Running);
        granted.push(grant(claim, row));
    }
    granted.sort_by_key(|task| places.get(&task.id).copied());
    Ok(granted)
}

type Row = (
    Vec<u8>,
    String,
    i32,
    i32,
    Option<i64>,
    i32,
    i32,
    i32,
    Option<i32>,
    i32,
    Option<i64>,
    Option<i64>,
    i32,
    Option<String>,
    i32,
    Option<Vec<u8>>,
    bool,
    Option<String>,
    String,
    String,
);

fn grant(claim: &Claim, row: Row) -> Granted {
    let (
        id,
        name,
        priority,
        _,
        ready_at,
        attempt,
        failures,
        crashes,
        snoozes,
        max_retries,
        timeout_ms,
        expires_at,
        generation,
        retry,
        parents,
        workflow,
        has_dependants,
        meta,
        args,
        kwargs,
    ) = row;
    Granted {
        id: task_id(&id),
        lease: claim.lease,
        name,
        queue: claim.queue.clone(),
        priority: reading::priority(priority),
        args,
        kwargs,
        meta,
        attempt: reading::count(attempt),
        failures: reading::count(failures),
        crashes: reading::count(crashes),
        snoozes: snoozes.map_or(0, reading::count),
        max_retries: reading::count(max_retries),
        retry: reading::json(retry),
        timeout_ms,
        expires_at,
        generation: reading::count(generation),
        keyed: claim.laned,
        parents: reading::count(parents),
        workflow: workflow.as_deref().map(task_id),
        has_dependants,
        ready_at: ready_at.unwrap_or(claim.now),
        started_at: claim.now,
    }
}

/// Id, priority, expiry, crashes, name and keys.
type Left = (Vec<u8>, i32, Option<i64>, i32, String, Option<String>);

/// Hints that were not stale after all: a task that has expired, one that the worker cannot run, one that is suspected of
/// bringing workers down, or one that somebody held at that moment, which may be claimed a moment later.
fn see_to(writer: &mut Writer, claim: &Claim, hints: &[Hint], claimed: &mut Claimed) -> QueryResult<()> {
    let ids: Vec<Uid> = hints.iter().map(|(_, (_, id))| uid(id.as_bytes())).collect();
    let found: Vec<Left> = tasks::table
        .filter(tasks::id.eq_any(ids))
        .filter(tasks::ready_at.le(claim.now))
        .filter(tasks::laned.eq(claim.laned).and(tasks::lane.is_not_null().eq(claim.laned)))
        .order(tasks::id)
        .select((tasks::id, tasks::priority, tasks::expires_at, tasks::crashes, tasks::name, tasks::flow))
        .load(&mut writer.connection)?;
    let (mut allowed, mut others) = (claim.suspect_allowed, Vec::new());
    for (id, priority, expires_at, crashes, name, flow) in found {
        let (id, priority) = (task_id(&id), reading::priority(priority));
        let Some(hint) = hints.iter().find(|(lane, (_, hinted))| *hinted == id && *lane == priority) else { continue };
        if expires_at.is_some_and(|at| at <= claim.now) {
            let task = StateRecord::find(&mut writer.connection, id)?;
            if let Some(task) = task.filter(|task| task.status().is_waiting()) {
                expiry::expire(writer, &task, claim.now)?;
            }
        } else if !claim.serves.has_name(&name) {
            others.push((id, name, flow));
        } else if reading::count(crashes) < SUSPECT_CRASHES {
            claimed.passed_over.push(*hint);
        } else if allowed {
            claimed.tasks.extend(take(writer, claim, &[*hint], true)?);
            allowed = false;
        } else {
            claimed.put_off.extend(put_off(writer, claim, id, priority)?);
        }
    }
    if !others.is_empty() {
        claimed.moved.extend(move_to_lanes(writer, claim, &others)?);
    }
    Ok(())
}

/// To where only those look who can run them.
fn move_to_lanes(
    writer: &mut Writer,
    claim: &Claim,
    others: &[(TaskId, String, Option<String>)],
) -> QueryResult<Vec<Ready>> {
    let flow = |(_, name, flow): &(TaskId, String, Option<String>)| {
        reading::json::<FlowKeys>(flow.clone()).unwrap_or_default().of_handler(name)
    };
    let flows: Vec<FlowKeys> = others.iter().map(flow).collect();
    let (lane, sublane): (Vec<i64>, Vec<i64>) =
        flows.iter().map(FlowKeys::lane).map(|place| (place.lane, place.sublane)).unzip();
    let statement = MoveToLanes {
        id: &others.iter().map(|(id, ..)| uid(id.as_bytes())).collect::<Vec<_>>(),
        name: &others.iter().map(|(_, name, _)| name.as_str()).collect::<Vec<_>>(),
        was: &others.iter().map(|(.., flow)| flow.as_deref()).collect::<Vec<_>>(),
        flow: &flows.iter().map(|flow| serde_json::to_string(flow).unwrap_or_default()).collect::<Vec<_>>(),
        lane: &lane,
        sublane: &sublane,
        now: claim.now,
        laned: claim.laned,
    };
    let rows: Vec<(Vec<u8>, i32, Option<i64>)> = statement.load(&mut writer.connection)?;
    let ready = |(id, priority, at): (Vec<u8>, i32, Option<i64>)| Ready {
        queue: claim.queue.clone(),
        priority: reading::priority(priority),
        keyed: true,
        mark: (at.unwrap_or(claim.now), task_id(&id)),
    };
    Ok(rows.into_iter().map(ready).collect())
}

/// A moved time instead of a refusal: nobody asks again until then.
fn put_off(writer: &mut Writer, claim: &Claim, id: TaskId, priority: Priority) -> QueryResult<Option<Ready>> {
    let later = claim.now + PUT_OFF;
    let row = tasks::table.find(uid(id.as_bytes())).filter(tasks::ready_at.le(claim.now));
    let moved =
        diesel::update(row).set((tasks::ready_at.eq(later), tasks::laned.eq(false))).execute(&mut writer.connection)?
            > 0;
    Ok(moved.then(|| Ready { queue: claim.queue.clone(), priority, keyed: claim.laned, mark: (later, id) }))
}

fn keep_lease(writer: &mut Writer, claim: &Claim, granted: &[Granted]) -> QueryResult<()> {
    if granted.is_empty() {
        return Ok(());
    }
    let ids: Vec<u8> = granted.iter().flat_map(|task| *task.id.as_bytes()).collect();
    InsertLease {
        lease: bytes(claim.lease.as_bytes()),
        worker: bytes(claim.worker.as_bytes()),
        now: claim.now,
        open: i32::try_from(granted.len()).unwrap_or(i32::MAX),
        ids: &ids,
        due: if claim.timed { granted.iter().filter_map(Granted::deadline).min() } else { None },
    }
    .execute(&mut writer.connection)
    .map(|_| ())
}
