//! How attempts end, and cancelling.

use diesel::prelude::*;

use super::{
    MarkCancelled, expiry,
    hot::{
        Bury, EndLease, KeepAttempt, MarkDead, MarkExpired, MarkReleased, MarkRetry, MarkSnoozed, MarkSuccess,
        ShrinkLease,
    },
    key::uid,
    records::{StateRecord, bytes, reading},
    schema::tasks,
    telling,
    tx::Writer,
};
use crate::{
    planted::{self, Bug},
    store::{Cancelled, Counted, Finished, Recorded},
    task::{
        DeadReason, End, Ending, ErrorKind, LeaseId, Millis, Status, TaskError, TaskId, Verdict, alike, unique::bit,
    },
};

pub(super) fn finish_one(writer: &mut Writer, item: &Finished<'_>, now: Millis) -> QueryResult<Recorded> {
    // Who had children when it was granted has them still; who had none may have got some.
    let dependants = item.task.has_dependants;
    if let Some(status) = end(writer, item, dependants, now)? {
        if planted::is(Bug::ChildrenEarly) {
            telling::ended(writer, item.task.id, Ending::Success, now)?;
        } else if dependants && let Some(ending) = Ending::of(status, None) {
            telling::ended(writer, item.task.id, ending, now)?;
        }
        return Ok(Recorded::Done(status));
    }
    // Others wait for it now, or the lease is no longer the task's.
    let task = StateRecord::find(&mut writer.connection, item.task.id)?;
    let Some(task) = task.filter(|task| task.lease_id.as_deref() == Some(item.task.lease.as_bytes())) else {
        return Ok(Recorded::LeaseLost);
    };
    if task.status() != Status::Running {
        return Ok(Recorded::Duplicate);
    }
    let Some(status) = end(writer, item, task.has_dependants, now)? else { return Ok(Recorded::LeaseLost) };
    if let Some(ending) = Ending::of(status, None) {
        telling::ended(writer, item.task.id, ending, now)?;
    }
    Ok(Recorded::Done(status))
}

/// The status the task has now, if it could be ended: the verdict's, unless a cancel was asked for meanwhile.
fn end(writer: &mut Writer, item: &Finished<'_>, dependants: bool, now: Millis) -> QueryResult<Option<Status>> {
    let status = if apply(writer, item, dependants, now)? {
        item.verdict.status()
    } else if !matches!(item.verdict, Verdict::Success { .. } | Verdict::Cancelled)
        && apply_cancel(writer, item, dependants, now)?
    {
        Status::Cancelled
    } else {
        return Ok(None);
    };
    count(writer, item, status);
    if status.is_waiting() {
        expiry::note_again(writer, item.task.id, item.task.expires_at, now)?;
    }
    Ok(Some(status))
}

/// The guarded update of the verdict and the rows that go with it; false where the guard did not hold.
fn apply(writer: &mut Writer, item: &Finished<'_>, dependants: bool, now: Millis) -> QueryResult<bool> {
    let (id, lease) = (bytes(item.task.id.as_bytes()), bytes(item.task.lease.as_bytes()));
    let changed = match item.verdict {
        Verdict::Success { result } => {
            MarkSuccess { result, now, id, lease, dependants }.execute(&mut writer.connection)?
        }
        Verdict::Cancelled => return apply_cancel(writer, item, dependants, now),
        Verdict::Retry { at, error } => {
            let text = reading::error_text(error);
            let changed = MarkRetry { ready_at: *at, error: &text, now, id, lease }.execute(&mut writer.connection)?;
            if changed > 0 {
                let outcome = if error.kind == ErrorKind::Timeout { "timeout" } else { "failure" };
                keep_attempt(writer, item, now, outcome, Some(&text), Some(at - now))?;
            }
            changed
        }
        Verdict::Dead { status, reason, error } => {
            let text = reading::error_text(error);
            let (bit, status) = (bit(*status), i32::from(status.code()));
            let changed =
                MarkDead { status, bit, error: &text, now, id, lease, dependants }.execute(&mut writer.connection)?;
            if changed > 0 {
                bury(writer, item, *reason, &text, now)?;
            }
            changed
        }
        // The attempt is not written down: it has not been one.
        Verdict::Snooze { at } => MarkSnoozed { ready_at: *at, id, lease }.execute(&mut writer.connection)?,
        Verdict::Expired { error } => {
            let error = &reading::error_text(error);
            MarkExpired { error, now, id, lease, dependants }.execute(&mut writer.connection)?
        }
        Verdict::Release => {
            let changed =
                MarkReleased { ready_at: item.task.ready_at, crashes: 0, id, lease }.execute(&mut writer.connection)?;
            if changed > 0 {
                keep_attempt(writer, item, now, "released", None, None)?;
            }
            changed
        }
    };
    Ok(changed > 0)
}

fn apply_cancel(writer: &mut Writer, item: &Finished<'_>, dependants: bool, now: Millis) -> QueryResult<bool> {
    let (id, lease) = (bytes(item.task.id.as_bytes()), bytes(item.task.lease.as_bytes()));
    let mark = MarkCancelled { now, id, lease, dependants };
    Ok(mark.execute(&mut writer.connection)? > 0)
}

pub(super) fn count(writer: &mut Writer, item: &Finished<'_>, status: Status) {
    let (queue, priority) = (&item.task.queue, item.task.priority);
    writer.deltas.step(queue, priority, Status::Running, status);
    writer.deltas.ended(item.task.workflow, End::of(status, None));
    let mut event = |kind| writer.deltas.add(queue, priority, kind, 1);
    match status {
        Status::Success => event(Counted::Succeeded),
        Status::Retry => {
            event(Counted::FailedAttempts);
            event(Counted::Retried);
        }
        Status::Failed | Status::Timeout => {
            event(Counted::FailedAttempts);
            event(Counted::Dead);
        }
        Status::Scheduled => event(Counted::Snoozed),
        Status::Expired => event(Counted::ExpiredTotal),
        Status::Cancelled => event(Counted::CancelledTotal),
        _ => {}
    }
}

fn keep_attempt(
    writer: &mut Writer,
    item: &Finished<'_>,
    now: Millis,
    outcome: &str,
    error: Option<&str>,
    next_delay_ms: Option<Millis>,
) -> QueryResult<()> {
    KeepAttempt {
        task: bytes(item.task.id.as_bytes()),
        generation: reading::signed(item.task.generation),
        number: reading::signed(item.task.attempt),
        worker: Some(bytes(item.worker.as_bytes())),
        started_at: Some(item.task.started_at),
        finished_at: Some(now),
        outcome,
        error,
        next_delay_ms,
    }
    .execute(&mut writer.connection)
    .map(|_| ())
}

fn bury(writer: &mut Writer, item: &Finished<'_>, reason: DeadReason, error: &str, now: Millis) -> QueryResult<()> {
    let said: Option<TaskError> = reading::json(Some(error.to_owned()));
    let cause = alike(said.as_ref().map_or("", |error| &error.message));
    Bury {
        task: bytes(item.task.id.as_bytes()),
        queue: &item.task.queue,
        name: &item.task.name,
        priority: i32::from(item.task.priority.level()),
        reason: reason.as_str(),
        error,
        attempts: reading::signed(item.task.attempt),
        cause: &cause,
        now,
    }
    .execute(&mut writer.connection)
    .map(|_| ())
}

/// Takes ended tasks off a lease; the lease goes with its last.
pub(super) fn shrink_lease(writer: &mut Writer, lease: LeaseId, ended: i32) -> QueryResult<()> {
    let lease = bytes(lease.as_bytes());
    if (EndLease { lease, ended }).execute(&mut writer.connection)? == 0 {
        ShrinkLease { ended, lease }.execute(&mut writer.connection)?;
    }
    Ok(())
}

pub(super) fn cancelled_error(reason: Option<&str>) -> TaskError {
    let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    TaskError::new(ErrorKind::Cancelled, format!("cancelled by a caller{reason}"))
}

/// Waiting: over at once. Running: noted, so that no way of ending but success counts, and its holder is asked.
pub(super) fn cancel(writer: &mut Writer, id: TaskId, reason: Option<&str>, now: Millis) -> QueryResult<Cancelled> {
    let Some(task) = StateRecord::find(&mut writer.connection, id)? else { return Ok(Cancelled::NotFound) };
    let status = task.status();
    let row = tasks::table.filter(tasks::id.eq(uid(id.as_bytes())));
    if status == Status::Running {
        if !task.cancel_requested {
            diesel::update(row)
                .set((tasks::cancel_requested.eq(true), tasks::cancel_reason.eq(reason)))
                .execute(&mut writer.connection)?;
        }
        return Ok(Cancelled::Asked { again: task.cancel_requested });
    }
    if status.is_terminal() {
        return Ok(Cancelled::Terminal(status));
    }
    let queue = task.queue();
    telling::over(writer, &task, Status::Cancelled, &cancelled_error(reason), now)?;
    diesel::update(row).set(tasks::cancel_reason.eq(reason)).execute(&mut writer.connection)?;
    Ok(Cancelled::Done(queue))
}
