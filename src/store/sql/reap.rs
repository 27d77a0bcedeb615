//! Taking back what a dead worker held, giving back what a live one lost, and letting go of what is too old.

use diesel::prelude::*;

use super::{
    Connection, MarkCancelled, dependencies, expiry,
    finish::shrink_lease,
    hot::{Bury, KeepAttempt, MarkDead, MarkReleased},
    key::uid,
    records::{StateRecord, bytes, reading, task_id},
    schema::{attempts, idempotency_keys, leases, operations, queues, tasks, workers},
    telling,
    tx::Writer,
    wanted,
};
use crate::{
    store::{Counted, Pruned, Reaped, RetentionLimits},
    task::{
        DeadReason, End, Ending, ErrorKind, LeaseId, LeaseToken, Millis, Pulse, Ready, Status, TaskError, TaskId,
        WorkerId, alike,
        model::{POISON_CRASHES, SUSPECT_CRASHES},
        unique::bit,
    },
};

pub(super) fn reap_others(
    writer: &mut Writer,
    survivor: Option<WorkerId>,
    node: Option<&str>,
    culprit: Option<LeaseToken>,
    now: Millis,
) -> QueryResult<Reaped> {
    // Others' are not touched: one that was stopped in the midst of a claim would hold up whoever wants its row.
    let holders = workers::id.eq_any(leases::table.select(leases::worker_id));
    let alive = workers::state.eq_any(["alive", "draining"]).or(holders);
    // Remote workers are processes of their own, which do not end with a node.
    let alive = alive.and(workers::kind.eq("node"));
    let meant = workers::table.filter(alive).order(workers::id).select((workers::id, workers::node));
    let meant: Vec<(Vec<u8>, Option<String>)> = meant.load(&mut writer.connection)?;
    let own = |id: &[u8]| survivor.is_some_and(|own| own.as_bytes() == id);
    let mut reaped = Reaped::default();
    for (worker, of) in meant {
        if own(&worker) || node.is_some_and(|node| of.as_deref() != Some(node)) {
            continue;
        }
        // First the worker, so that a claim of its that is under way ends before its tasks are looked at.
        let state = workers::table.find(uid(&worker)).select(workers::state);
        let state: Option<String> = locked!(state).first(&mut writer.connection).optional()?;
        if let Some(state) = state.filter(|state| state != "dead") {
            take_all(writer, &worker, &state, culprit, now, &mut reaped)?;
        }
    }
    Ok(reaped)
}

/// Only if it is as it was seen: one that has beaten since, or has stopped, is not dead.
pub(super) fn reap_silent(writer: &mut Writer, dead: &Pulse, now: Millis) -> QueryResult<Reaped> {
    let row = workers::table.find(uid(dead.worker.as_bytes())).select((workers::state, workers::beat_seq));
    // One whose row is held, as by a claim in whose midst it was stopped, has its turn at a later look: to wait for it would
    // hold up this node's own heartbeats.
    let found: Option<(String, i64)> = locked_if_free!(row).first(&mut writer.connection).optional()?;
    let mut reaped = Reaped::default();
    if let Some((state, _)) = found.filter(|(state, beats)| state != "dead" && *beats == dead.beats) {
        take_all(writer, dead.worker.as_bytes(), &state, None, now, &mut reaped)?;
    }
    Ok(reaped)
}

/// Of one that has stopped in order there may be tasks too: a claim that was under way, outcomes that could not be recorded.
/// That is no crash.
fn take_all(
    writer: &mut Writer,
    worker: &[u8],
    state: &str,
    culprit: Option<LeaseToken>,
    now: Millis,
    reaped: &mut Reaped,
) -> QueryResult<()> {
    let crashed = state != "stopped";
    let before = (reaped.requeued.len(), reaped.cancelled.len());
    if crashed {
        let row = workers::table.find(uid(worker));
        diesel::update(row).set(workers::state.eq("dead")).execute(&mut writer.connection)?;
    }
    reap(writer, worker, crashed, culprit, now, reaped)?;
    let took_any = before != (reaped.requeued.len(), reaped.cancelled.len());
    reaped.workers += usize::from(crashed || took_any);
    Ok(())
}

fn reap(
    writer: &mut Writer,
    worker: &[u8],
    crashed: bool,
    culprit: Option<LeaseToken>,
    now: Millis,
    reaped: &mut Reaped,
) -> QueryResult<()> {
    let held = held_by(&mut writer.connection, worker)?;
    let mut running = Vec::with_capacity(held.len());
    for (lease, _, id) in held {
        let task = StateRecord::find(&mut writer.connection, id)?;
        let still = |task: &StateRecord| {
            task.status() == Status::Running && task.lease_id.as_deref() == Some(lease.as_bytes().as_slice())
        };
        running.extend(task.filter(still).map(|task| (lease, task)));
    }
    // Where the crash has named its cause, that one is charged and nobody else. Otherwise, with a suspect aboard, the
    // suspect alone: its neighbours are more likely victims.
    let named = |(lease, task): &(LeaseId, StateRecord)| {
        culprit.is_some_and(|culprit| culprit.lease == *lease && culprit.task == task_id(&task.id))
    };
    let is_named = running.iter().any(named);
    let suspect = |task: &StateRecord| reading::count(task.crashes) >= SUSPECT_CRASHES;
    let any_suspect = running.iter().any(|(_, task)| suspect(task));
    for held in &running {
        let (lease, task) = held;
        let charged = crashed && if is_named { named(held) } else { !any_suspect || suspect(task) };
        take_back(writer, *lease, task, charged, now, reaped)?;
    }
    diesel::delete(leases::table.filter(leases::worker_id.eq(uid(worker)))).execute(&mut writer.connection)?;
    Ok(())
}

/// Every (lease, time of grant, task) a worker's leases name, ended tasks among them.
pub(super) fn held_by(connection: &mut Connection, worker: &[u8]) -> QueryResult<Vec<(LeaseId, Millis, TaskId)>> {
    let rows: Vec<(Vec<u8>, i64, Vec<u8>)> = leases::table
        .filter(leases::worker_id.eq(uid(worker)))
        .select((leases::lease_id, leases::granted_at, leases::task_ids))
        .load(connection)?;
    let mut held = Vec::new();
    for (lease, granted_at, ids) in rows {
        let Some(lease) = LeaseId::from_slice(&lease) else { continue };
        held.extend(ids.chunks_exact(16).map(|id| (lease, granted_at, task_id(id))));
    }
    Ok(held)
}

fn take_back(
    writer: &mut Writer,
    lease: LeaseId,
    task: &StateRecord,
    charged: bool,
    now: Millis,
    reaped: &mut Reaped,
) -> QueryResult<()> {
    let (id, lease) = (task.id.as_slice(), bytes(lease.as_bytes()));
    let (queue, priority) = (std::sync::Arc::<str>::from(task.queue.as_str()), task.priority());
    let crashes = reading::count(task.crashes) + u32::from(charged);
    let to = if task.cancel_requested {
        MarkCancelled { now, id, lease, dependants: true }.execute(&mut writer.connection)?;
        writer.deltas.add(&queue, priority, Counted::CancelledTotal, 1);
        reaped.cancelled.push(task_id(id));
        Status::Cancelled
    } else if crashes >= POISON_CRASHES {
        poison(writer, lease, task, crashes, now)?;
        writer.deltas.add(&queue, priority, Counted::Dead, 1);
        reaped.poisoned.push(task_id(id));
        Status::Failed
    } else {
        // Its old place is not kept while it runs; the time of its grant still puts it ahead of what came since.
        let ready_at = task.started_at.unwrap_or(now);
        let charge = i32::from(charged);
        MarkReleased { ready_at, crashes: charge, id, lease }.execute(&mut writer.connection)?;
        let lost = TaskError::new(ErrorKind::Lost, "its worker died");
        keep_attempt(writer, task, "crashed", Some(&lost), now)?;
        expiry::note_again(writer, task_id(id), task.expires_at, now)?;
        reaped.requeued.push(Ready {
            queue: queue.clone(),
            priority,
            keyed: task.is_keyed(),
            mark: (ready_at, task_id(id)),
        });
        Status::Queued
    };
    writer.deltas.step(&queue, priority, Status::Running, to);
    ended(writer, task, to, now)
}

/// What goes with the end of a task that was taken away, if that was its end.
fn ended(writer: &mut Writer, task: &StateRecord, to: Status, now: Millis) -> QueryResult<()> {
    writer.deltas.ended(task.workflow(), End::of(to, None));
    match Ending::of(to, None) {
        Some(ending) if task.has_dependants => telling::ended(writer, task.id(), ending, now),
        _ => Ok(()),
    }
}

fn poison(writer: &mut Writer, lease: &[u8], task: &StateRecord, crashes: u32, now: Millis) -> QueryResult<()> {
    let error = TaskError::new(
        ErrorKind::Poison,
        format!("its worker died {crashes} times while it ran; it is not tried again by itself"),
    );
    let text = reading::error_text(&error);
    let (status, bit) = (i32::from(Status::Failed.code()), bit(Status::Failed));
    let id = task.id.as_slice();
    MarkDead { status, bit, error: &text, now, id, lease, dependants: true }.execute(&mut writer.connection)?;
    // A crash is no failure of the task's own: the guarded update above counts one.
    diesel::update(tasks::table.filter(tasks::id.eq(uid(id))))
        .set((tasks::failures.eq(tasks::failures - 1), tasks::crashes.eq(reading::signed(crashes))))
        .execute(&mut writer.connection)?;
    Bury {
        task: id,
        queue: &task.queue,
        name: &task.name,
        priority: task.priority,
        reason: DeadReason::Poison.as_str(),
        error: &text,
        attempts: task.attempt,
        cause: &alike(&error.message),
        now,
    }
    .execute(&mut writer.connection)
    .map(|_| ())
}

fn keep_attempt(
    writer: &mut Writer,
    task: &StateRecord,
    outcome: &str,
    error: Option<&TaskError>,
    now: Millis,
) -> QueryResult<()> {
    KeepAttempt {
        task: &task.id,
        generation: task.generation,
        number: task.attempt,
        worker: task.worker_id.as_deref(),
        started_at: task.started_at,
        finished_at: Some(now),
        outcome,
        error: error.map(reading::error_text).as_deref(),
        next_delay_ms: None,
    }
    .execute(&mut writer.connection)
    .map(|_| ())
}

/// Each only while it is still held under the lease named.
pub(super) fn release(writer: &mut Writer, lost: &[(TaskId, LeaseId)], now: Millis) -> QueryResult<Vec<Ready>> {
    let mut released = Vec::new();
    for (id, lease) in lost {
        let Some(task) = StateRecord::find(&mut writer.connection, *id)? else { continue };
        let ready_at = task.started_at.unwrap_or(now);
        let (id, key) = (bytes(id.as_bytes()), bytes(lease.as_bytes()));
        let (queue, priority) = (std::sync::Arc::<str>::from(task.queue.as_str()), task.priority());
        let back = MarkReleased { ready_at, crashes: 0, id, lease: key };
        let to = if back.execute(&mut writer.connection)? > 0 {
            keep_attempt(writer, &task, "released", None, now)?;
            expiry::note_again(writer, task_id(id), task.expires_at, now)?;
            released.push(Ready {
                queue: queue.clone(),
                priority,
                keyed: task.is_keyed(),
                mark: (ready_at, task_id(id)),
            });
            Status::Queued
        } else {
            let over = MarkCancelled { now, id, lease: key, dependants: true };
            if over.execute(&mut writer.connection)? == 0 {
                continue; // it has ended after all
            }
            writer.deltas.add(&queue, priority, Counted::CancelledTotal, 1);
            Status::Cancelled
        };
        writer.deltas.step(&queue, priority, Status::Running, to);
        ended(writer, &task, to, now)?;
        shrink_lease(writer, *lease, 1)?;
    }
    Ok(released)
}

/// Walks the tasks in order of age, a bounded number at a time.
pub(super) fn prune(writer: &mut Writer, limits: &RetentionLimits, after: Option<TaskId>) -> QueryResult<Pruned> {
    let connection = &mut writer.connection;
    let old_keys = idempotency_keys::table
        .filter(idempotency_keys::created_at.lt(limits.idempotency_before))
        .select(idempotency_keys::key)
        .limit(limits.rows as i64);
    let keys: Vec<String> = old_keys.load(connection)?;
    diesel::delete(idempotency_keys::table.filter(idempotency_keys::key.eq_any(&keys))).execute(connection)?;
    let gone = workers::table
        .filter(workers::state.eq_any(["dead", "stopped"]))
        .filter(workers::beat_at.lt(limits.workers_before));
    diesel::delete(gone).execute(connection)?;
    super::metrics::prune(connection, limits)?;
    let again = super::limits::prune(connection, limits.now, limits.rows)?;
    let over = operations::table.filter(operations::finished_at.lt(limits.others_before));
    diesel::delete(over).execute(connection)?;
    super::access::prune_audit(connection, limits.audit_before, limits.rows)?;
    super::workflows::prune(connection, limits)?;

    // Ids tell the time of submission: what is younger than every limit cannot have ended before it.
    let own = own_limits(connection, limits.now)?;
    let latest = own.values().flat_map(|(success, others)| [*success, *others]).flatten();
    let latest = latest.chain([limits.success_before, limits.others_before]).max().unwrap_or(limits.others_before);
    let from = after.unwrap_or(TaskId::from_bytes([0; 16]));
    let to = TaskId::first_at(latest);
    type Old = (Vec<u8>, String, i32, i32, Option<i64>, Option<i64>);
    let oldest: Vec<Old> = tasks::table
        .filter(tasks::id.gt(uid(from.as_bytes())).and(tasks::id.lt(uid(to.as_bytes()))))
        .order(tasks::id)
        .select((tasks::id, tasks::queue, tasks::priority, tasks::status, tasks::finished_at, tasks::unique_until))
        .limit(limits.rows as i64)
        .load(connection)?;
    let next = (oldest.len() >= limits.rows).then(|| oldest.last().map(|row| task_id(&row.0))).flatten();
    for (id, queue, priority, status, finished_at, unique_until) in oldest {
        let status = reading::status(status);
        let (success, others) = own.get(&queue).copied().unwrap_or_default();
        let before = match status {
            Status::Success => success.unwrap_or(limits.success_before),
            _ => others.unwrap_or(limits.others_before),
        };
        // Dead letters stay until somebody decides.
        if !status.is_terminal() || status.is_dead() || finished_at.is_none_or(|at| at >= before) {
            continue;
        }
        // It may still have its unique key, which would go with it.
        if unique_until.is_some_and(|until| until > limits.now) {
            continue;
        }
        // Held from here on: it may have been started anew since it was read.
        let Some(task) = StateRecord::find(&mut writer.connection, task_id(&id))? else { continue };
        if task.status() != status || task.finished_at != finished_at || dependencies::is_needed(writer, &id)? {
            continue;
        }
        if wanted::is_wanted(writer, &task)? {
            continue;
        }
        dependencies::cut(writer, &task)?;
        super::workflows::task_deleted(writer, &task)?;
        diesel::delete(attempts::table.filter(attempts::task_id.eq(uid(&id)))).execute(&mut writer.connection)?;
        super::notes::forget(&mut writer.connection, &id)?;
        diesel::delete(tasks::table.filter(tasks::id.eq(uid(&id)))).execute(&mut writer.connection)?;
        writer.deltas.add(&queue.as_str().into(), reading::priority(priority), Counted::In(status), -1);
    }
    Ok(Pruned { next, again })
}

type Own = std::collections::HashMap<String, (Option<Millis>, Option<Millis>)>;

/// Up to when finished tasks go, by queue: of those that say so themselves.
fn own_limits(connection: &mut Connection, now: Millis) -> QueryResult<Own> {
    let set: Vec<(String, String)> =
        queues::table.filter(queues::settings.ne("{}")).select((queues::name, queues::settings)).load(connection)?;
    let limits = |(name, text): (String, String)| {
        let settings = super::limits::settings(&text);
        (name, (settings.keep_success.map(|keep| now - keep), settings.keep_others.map(|keep| now - keep)))
    };
    Ok(set.into_iter().map(limits).collect())
}
