//! Tasks that were not started in time, and results whose time is over.

use diesel::prelude::*;

use super::{
    key::uid,
    records::{StateRecord, reading, task_id},
    schema::{expiries, tasks},
    telling,
    tx::Writer,
};
use crate::{
    store::ResultChanged,
    task::{ErrorKind, Millis, Status, TaskError, TaskId},
};

/// Ends a task that waits and whose time is over.
pub(super) fn expire(writer: &mut Writer, task: &StateRecord, now: Millis) -> QueryResult<()> {
    let mut error = TaskError::new(ErrorKind::Expired, "it was not started in time");
    if let Some(last) = reading::json::<TaskError>(task.error.clone()) {
        error = error.with_detail(format!("its last attempt: {}", last.message));
    }
    telling::over(writer, task, Status::Expired, &error, now)
}

/// A task waits that may be over at a moment.
pub(super) fn note(writer: &mut Writer, id: TaskId, at: Millis) -> QueryResult<()> {
    let row = (expiries::expires_at.eq(at), expiries::task_id.eq(uid(id.as_bytes())));
    diesel::insert_into(expiries::table)
        .values(row)
        .on_conflict_do_nothing()
        .execute(&mut writer.connection)
        .map(|_| ())
}

/// A task that has run waits again. Where its time was over meanwhile, that was seen and is to be seen once more.
pub(super) fn note_again(writer: &mut Writer, id: TaskId, at: Option<Millis>, now: Millis) -> QueryResult<()> {
    at.filter(|at| *at <= now).map_or(Ok(()), |at| note(writer, id, at))
}

/// True where some may be left.
pub(super) fn expire_due(writer: &mut Writer, limit: usize, now: Millis) -> QueryResult<bool> {
    let due: Vec<(i64, Vec<u8>)> = expiries::table
        .filter(expiries::expires_at.le(now))
        .order((expiries::expires_at, expiries::task_id))
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .load(&mut writer.connection)?;
    for (at, id) in &due {
        // One that runs goes on; should it wait again, it is noted again. One that was started anew or replaced has another
        // end, or none.
        let task = StateRecord::find(&mut writer.connection, task_id(id))?;
        let is_over = |task: &StateRecord| task.status().is_waiting() && task.expires_at.is_some_and(|at| at <= now);
        if let Some(task) = task.filter(is_over) {
            expire(writer, &task, now)?;
        }
        diesel::delete(expiries::table.find((at, uid(id)))).execute(&mut writer.connection)?;
    }
    Ok(due.len() == limit)
}

pub(super) fn set_result_ttl(writer: &mut Writer, id: TaskId, ttl: Millis) -> QueryResult<ResultChanged> {
    let row = tasks::table.filter(tasks::id.eq(uid(id.as_bytes())));
    let changed = diesel::update(row).set(tasks::result_ttl_ms.eq(ttl)).execute(&mut writer.connection)?;
    Ok(if changed > 0 { ResultChanged::Done } else { ResultChanged::NotFound })
}

/// A result without time left is one that has expired.
pub(super) fn delete_result(writer: &mut Writer, id: TaskId) -> QueryResult<ResultChanged> {
    let Some(task) = StateRecord::find(&mut writer.connection, id)? else { return Ok(ResultChanged::NotFound) };
    if task.status() != Status::Success {
        return Ok(ResultChanged::NotOver(task.status()));
    }
    let row = tasks::table.filter(tasks::id.eq(uid(id.as_bytes())));
    let gone = (tasks::result.eq(None::<String>), tasks::result_ttl_ms.eq(0_i64));
    diesel::update(row).set(gone).execute(&mut writer.connection)?;
    Ok(ResultChanged::Done)
}
