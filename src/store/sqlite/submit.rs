//! Tasks come in: by submission, and again by redrive.

use diesel::{prelude::*, result::DatabaseErrorKind, result::Error};

use super::{
    dependencies, expiry,
    hot::{EnsureQueue, InsertTask},
    records::{StateRecord, bytes, reading, task_id},
    schema::{attempts, dead_letter_queue, idempotency_keys, tasks},
    tx::Writer,
};
use crate::{
    store::{Counted, IdempotencyKey, Inserted, Redriven, StoredOutcome},
    task::{Millis, NewTask, Ready, Status, TaskId},
};

pub(super) fn ensure_queue(writer: &mut Writer, name: &str, now: Millis) -> QueryResult<()> {
    EnsureQueue { name, now }.execute(&mut writer.connection).map(|_| ())
}

pub(super) fn insert(writer: &mut Writer, task: &NewTask) -> QueryResult<Inserted> {
    let bonds = match dependencies::look_up(writer, task)? {
        Ok(bonds) => bonds,
        Err(unknown) => return Ok(Inserted::NoParent(unknown)),
    };
    let tags = (!task.tags.is_empty()).then(|| serde_json::to_string(&task.tags).unwrap_or_default());
    let retry = task.retry.as_ref().map(|policy| serde_json::to_string(policy).unwrap_or_default());
    let status = if bonds.unmet > 0 { Status::Pending } else { task.first_status() };
    let key = task.unique_key.as_deref();
    let stored = InsertTask {
        id: bytes(task.id.as_bytes()),
        queue: &task.queue,
        name: &task.name,
        priority: task.priority.level().into(),
        status: status.code().into(),
        ready_at: (status != Status::Pending).then(|| task.ready_at()),
        created_at: task.created_at,
        run_at: task.run_at,
        expires_at: task.expires_at,
        max_retries: reading::signed(task.max_retries),
        timeout_ms: task.timeout_ms,
        unique_key: key,
        live_key: key,
        retry: retry.as_deref(),
        result_ttl_ms: task.result_ttl_ms,
        parents: i32::try_from(task.parents.len()).unwrap_or(i32::MAX),
        unmet: reading::signed(bonds.unmet),
        tags: tags.as_deref(),
        meta: task.meta.as_deref(),
        args: &task.args,
        kwargs: &task.kwargs,
    }
    .execute(&mut writer.connection)?;
    if stored == 0 {
        return holder(writer, &task.queue, key.unwrap_or_default()).map(Inserted::KeyHeld);
    }
    writer.deltas.add(&task.queue, task.priority, Counted::In(status), 1);
    writer.deltas.add(&task.queue, task.priority, Counted::Submitted, 1);
    if let Some(at) = task.expires_at {
        expiry::note(writer, task.id, at)?;
    }
    if task.parents.is_empty() { Ok(Inserted::As(status)) } else { dependencies::tie(writer, task, &bonds, status) }
}

/// Who holds a unique key. There is somebody: an insert has just met it in this transaction.
fn holder(writer: &mut Writer, queue: &str, key: &str) -> QueryResult<TaskId> {
    let held = tasks::table.filter(tasks::queue.eq(queue)).filter(tasks::live_key.eq(key)).select(tasks::id);
    held.first::<Vec<u8>>(&mut writer.connection).map(|id| task_id(&id))
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
    let unmet = match dependencies::anew(writer, &task)? {
        Ok(unmet) => unmet,
        Err(failed) => return Ok(Redriven::ParentFailed(failed)),
    };
    let to = if unmet > 0 { Status::Pending } else { Status::Queued };
    keep_last_attempt(writer, &task)?;
    // Of a deleted result nothing is left but this; the next one is given out as ever.
    let ttl = task.result_ttl_ms.filter(|ttl| *ttl > 0);
    let again = diesel::update(tasks::table.filter(tasks::id.eq(bytes(id.as_bytes())))).set((
        tasks::status.eq(i32::from(to.code())),
        tasks::ready_at.eq((unmet == 0).then_some(now)),
        (tasks::unmet.eq(reading::signed(unmet)), tasks::expires_at.eq(None::<i64>), tasks::result_ttl_ms.eq(ttl)),
        tasks::generation.eq(tasks::generation + 1),
        tasks::live_key.eq(tasks::unique_key.nullable()),
        (tasks::attempt.eq(0), tasks::failures.eq(0), tasks::crashes.eq(0), tasks::cancel_requested.eq(false)),
        (tasks::started_at.eq(None::<i64>), tasks::finished_at.eq(None::<i64>), tasks::run_at.eq(None::<i64>)),
        (tasks::worker_id.eq(None::<Vec<u8>>), tasks::lease_id.eq(None::<Vec<u8>>)),
        (tasks::result.eq(None::<String>), tasks::error.eq(None::<String>), tasks::cancel_reason.eq(None::<String>)),
    ));
    match again.execute(&mut writer.connection) {
        Ok(_) => {}
        Err(Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => {
            // The row is untouched by the refused statement, but the attempt kept above must go again.
            forget_last_attempt(writer, &task)?;
            return holder(writer, &task.queue, task.unique_key.as_deref().unwrap_or_default()).map(Redriven::KeyTaken);
        }
        Err(other) => return Err(other),
    }
    if let Some((args, kwargs)) = arguments {
        let row = tasks::table.filter(tasks::id.eq(bytes(id.as_bytes())));
        let given = (tasks::args.eq(args), tasks::kwargs.eq(kwargs));
        diesel::update(row).set(given).execute(&mut writer.connection)?;
    }
    diesel::delete(dead_letter_queue::table.find(bytes(id.as_bytes()))).execute(&mut writer.connection)?;
    let ready = Ready { queue: task.queue.as_str().into(), priority: task.priority(), mark: (now, id) };
    writer.deltas.step(&ready.queue, ready.priority, status, to);
    Ok(if unmet > 0 { Redriven::Waits(ready.queue) } else { Redriven::Done(ready) })
}

/// The last attempt is told by the task itself, until the task starts anew.
fn keep_last_attempt(writer: &mut Writer, task: &StateRecord) -> QueryResult<()> {
    if task.attempt == 0 {
        return Ok(());
    }
    let row = (
        attempts::task_id.eq(&task.id),
        attempts::generation.eq(task.generation),
        attempts::number.eq(task.attempt),
        attempts::worker_id.eq(&task.worker_id),
        attempts::started_at.eq(task.started_at),
        attempts::finished_at.eq(task.finished_at),
        attempts::outcome.eq(super::super::attempt_outcome(task.status())),
        attempts::error.eq(&task.error),
    );
    diesel::replace_into(attempts::table).values(row).execute(&mut writer.connection).map(|_| ())
}

fn forget_last_attempt(writer: &mut Writer, task: &StateRecord) -> QueryResult<()> {
    let key = (task.id.as_slice(), task.generation, task.attempt);
    diesel::delete(attempts::table.find(key)).execute(&mut writer.connection).map(|_| ())
}
