//! Tasks that were not started in time, and results whose time is over.

use diesel::prelude::*;

use super::{
    dependencies,
    key::uid,
    records::{StateRecord, task_id},
    schema::{expiries, tasks},
    tx::Writer,
};
use crate::{
    store::ResultChanged,
    task::{ErrorKind, Millis, Status, TaskError, TaskId},
};

/// Ends a task that waits and whose time is over.
pub(super) fn expire(writer: &mut Writer, task: &StateRecord, now: Millis) -> QueryResult<()> {
    let error = TaskError::new(ErrorKind::Expired, "it was not started in time");
    dependencies::over(writer, task, Status::Expired, &error, now)
}

/// True where some may be left.
pub(super) fn expire_due(writer: &mut Writer, limit: usize, now: Millis) -> QueryResult<bool> {
    let due: Vec<(i64, Vec<u8>)> = expiries::table
        .filter(expiries::expires_at.le(now))
        .order((expiries::expires_at, expiries::task_id))
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .load(&mut writer.connection)?;
    for (at, id) in &due {
        // One that runs goes on; should it wait again, the claim sees that its time is over.
        let task = StateRecord::find(&mut writer.connection, task_id(id))?;
        if let Some(task) = task.filter(|task| task.status().is_waiting()) {
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
