//! Tasks come in: by submission, and again by redrive.

use diesel::prelude::*;

use super::{
    dependencies, expiry,
    hot::{EnsureQueue, KeepAttempt},
    key::{Uid, uid},
    records::{StateRecord, reading},
    schema::{dead_letter_queue, idempotency_keys, queues, tasks},
    tx::Writer,
    unique,
};
use crate::{
    store::{IdempotencyKey, Redriven, StoredOutcome},
    task::{End, Millis, Ready, Status, TaskError, TaskId},
};

pub(super) fn queues_besides(writer: &mut Writer, names: &[&str]) -> QueryResult<u64> {
    let others = queues::table.filter(queues::name.ne_all(names)).count();
    let n: i64 = others.get_result(&mut writer.connection)?;
    Ok(u64::try_from(n).unwrap_or(0))
}

pub(super) fn ensure_queue(writer: &mut Writer, name: &str, now: Millis) -> QueryResult<()> {
    EnsureQueue { name, now }.execute(&mut writer.connection).map(|_| ())
}

pub(super) fn recall(writer: &mut Writer, key: &str) -> QueryResult<Option<(IdempotencyKey, Vec<StoredOutcome>)>> {
    let columns = (idempotency_keys::body_hash, idempotency_keys::created_at, idempotency_keys::response);
    let row = idempotency_keys::table.find(key).select(columns);
    let found: Option<(Vec<u8>, i64, String)> = row.first(&mut writer.connection).optional()?;
    Ok(found.map(|(body_hash, created_at, response)| {
        let outcomes = serde_json::from_str(&response).unwrap_or_default();
        (IdempotencyKey { key: key.to_owned(), body_hash, created_at }, outcomes)
    }))
}

pub(super) fn remember(writer: &mut Writer, key: &IdempotencyKey, outcomes: &[StoredOutcome]) -> QueryResult<()> {
    let row = (
        idempotency_keys::key.eq(&key.key),
        idempotency_keys::body_hash.eq(&key.body_hash),
        idempotency_keys::created_at.eq(key.created_at),
        idempotency_keys::response.eq(serde_json::to_string(outcomes).unwrap_or_default()),
    );
    diesel::insert_into(idempotency_keys::table).values(row).execute(&mut writer.connection).map(|_| ())
}

/// A terminal task starts again as a new generation, with every attempt before it.
pub(super) fn redrive(
    writer: &mut Writer,
    id: TaskId,
    arguments: Option<&(String, String)>,
    now: Millis,
) -> QueryResult<Redriven> {
    let Some(task) = StateRecord::find(&mut writer.connection, id)? else { return Ok(Redriven::NotFound) };
    let status = task.status();
    if !status.is_terminal() {
        return Ok(Redriven::Live(status));
    }
    // Before anything is changed: a statement that is refused may be the end of the transaction.
    if let Some(key) = &task.unique_key
        && let Some(holder) = unique::find(writer, &task.queue, key)?
        && holder.id != id
        && !unique::take_over(writer, &holder, now)?
    {
        return Ok(Redriven::KeyTaken(holder.id));
    }
    let unmet = match dependencies::anew(writer, &task)? {
        Ok(unmet) => unmet,
        Err(refused) => return Ok(refused),
    };
    let to = if unmet > 0 { Status::Pending } else { Status::Queued };
    keep_last_attempt(writer, &task)?;
    // Of a deleted result nothing is left but this; the next one is given out as ever.
    let ttl = task.result_ttl_ms.filter(|ttl| *ttl > 0);
    // Its age is counted from here.
    let expires_at = task.max_age_ms.map(|age| now + age);
    let again = diesel::update(tasks::table.filter(tasks::id.eq(uid(id.as_bytes())))).set((
        tasks::status.eq(i32::from(to.code())),
        tasks::ready_at.eq((unmet == 0).then_some(now)),
        (tasks::unmet.eq(reading::signed(unmet)), tasks::expires_at.eq(expires_at), tasks::result_ttl_ms.eq(ttl)),
        tasks::generation.eq(tasks::generation + 1),
        tasks::live_key.eq(tasks::unique_key.nullable()),
        (tasks::attempt.eq(0), tasks::failures.eq(0), tasks::crashes.eq(0), tasks::snoozes.eq(None::<i32>)),
        tasks::cancel_requested.eq(false),
        (tasks::started_at.eq(None::<i64>), tasks::finished_at.eq(None::<i64>), tasks::run_at.eq(None::<i64>)),
        (tasks::worker_id.eq(None::<Uid>), tasks::lease_id.eq(None::<Uid>)),
        (tasks::result.eq(None::<String>), tasks::error.eq(None::<String>), tasks::cancel_reason.eq(None::<String>)),
    ));
    again.execute(&mut writer.connection)?;
    if let Some(at) = expires_at {
        expiry::note(writer, id, at)?;
    }
    if task.has_dependants {
        dependencies::reopen(writer, id)?;
    }
    if let Some((args, kwargs)) = arguments {
        let row = tasks::table.filter(tasks::id.eq(uid(id.as_bytes())));
        let given = (tasks::args.eq(args), tasks::kwargs.eq(kwargs));
        diesel::update(row).set(given).execute(&mut writer.connection)?;
    }
    diesel::delete(dead_letter_queue::table.find(uid(id.as_bytes()))).execute(&mut writer.connection)?;
    let (queue, keyed) = (task.queue.as_str().into(), task.is_keyed());
    let ready = Ready { queue, priority: task.priority(), keyed, mark: (now, id) };
    writer.deltas.step(&ready.queue, ready.priority, status, to);
    let error: Option<TaskError> = reading::json(task.error.clone());
    writer.deltas.reopened(task.workflow(), End::of(status, error.as_ref()));
    Ok(if unmet > 0 { Redriven::Waits(ready.queue) } else { Redriven::Done(ready) })
}

/// The last attempt is told by the task itself, until the task starts anew.
fn keep_last_attempt(writer: &mut Writer, task: &StateRecord) -> QueryResult<()> {
    if task.attempt == 0 {
        return Ok(());
    }
    KeepAttempt {
        task: &task.id,
        generation: task.generation,
        number: task.attempt,
        worker: task.worker_id.as_deref(),
        started_at: task.started_at,
        finished_at: task.finished_at,
        outcome: super::super::attempt_outcome(task.status()),
        error: task.error.as_deref(),
        next_delay_ms: None,
    }
    .execute(&mut writer.connection)
    .map(|_| ())
}
