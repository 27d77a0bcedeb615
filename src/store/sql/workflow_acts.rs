//! What operators do to whole workflows: each in one transaction, its tasks held in the order of their ids, which is one in
//! which parents come first.

use diesel::prelude::*;

use super::{
    Connection,
    finish::cancelled_error,
    key::{Uid, uid},
    records::{StateRecord, reading, task_id},
    schema::{tasks, unresolved_parents, workflow_tasks, workflows},
    submit,
    tx::Writer,
    unique,
    workflows::{Counts, callbacks},
};
use crate::{
    store::{Counted, Redriven, WorkflowCancelled, WorkflowRetried},
    task::{End, Millis, Role, Status, TaskId},
};

fn counts(connection: &mut Connection, id: TaskId) -> QueryResult<Option<Counts>> {
    workflows::table.find(uid(id.as_bytes())).select(Counts::as_select()).first(connection).optional()
}

/// Its nodes in one of these statuses.
fn nodes(connection: &mut Connection, id: TaskId, statuses: &[Status]) -> QueryResult<Vec<TaskId>> {
    let codes: Vec<i32> = statuses.iter().map(|status| status.code().into()).collect();
    let ids: Vec<Vec<u8>> = workflow_tasks::table
        .inner_join(tasks::table.on(tasks::id.eq(workflow_tasks::task_id)))
        .filter(workflow_tasks::workflow_id.eq(uid(id.as_bytes())))
        .filter(workflow_tasks::role.eq(i32::from(Role::Node.code())))
        .filter(tasks::status.eq_any(codes))
        .order(workflow_tasks::task_id)
        .select(workflow_tasks::task_id)
        .load(connection)?;
    Ok(ids.iter().map(|id| task_id(id)).collect())
}

/// All that wait are over at once, so that none of them starts because another one has ended; who runs is asked to stop.
pub(super) fn cancel(
    writer: &mut Writer,
    id: TaskId,
    reason: Option<&str>,
    now: Millis,
) -> QueryResult<WorkflowCancelled> {
    let Some(counts) = counts(&mut writer.connection, id)? else { return Ok(WorkflowCancelled::NotFound) };
    if counts.state().is_over() {
        return Ok(WorkflowCancelled::Over(counts.state()));
    }
    let live: Vec<Status> = Status::ALL.into_iter().filter(|status| !status.is_terminal()).collect();
    let ids: Vec<Uid> = nodes(&mut writer.connection, id, &live)?.iter().map(|id| uid(id.as_bytes())).collect();
    let held = tasks::table.filter(tasks::id.eq_any(ids)).order(tasks::id).select(StateRecord::as_select());
    let held: Vec<StateRecord> = locked!(held).load(&mut writer.connection)?;
    let (running, waiting): (Vec<_>, Vec<_>) =
        held.into_iter().filter(|task| !task.status().is_terminal()).partition(|task| task.status() == Status::Running);
    over(writer, &waiting, reason, now)?;
    let new: Vec<Uid> = running.iter().filter(|task| !task.cancel_requested).map(|task| uid(&task.id)).collect();
    let changed = !waiting.is_empty() || !new.is_empty();
    diesel::update(tasks::table.filter(tasks::id.eq_any(new)))
        .set((tasks::cancel_requested.eq(true), tasks::cancel_reason.eq(reason)))
        .execute(&mut writer.connection)?;
    let running = running.iter().map(StateRecord::id).collect();
    Ok(WorkflowCancelled::Done { cancelled: waiting.len(), running, changed })
}

/// What [`super::telling::over`] is to one task.
fn over(writer: &mut Writer, waiting: &[StateRecord], reason: Option<&str>, now: Millis) -> QueryResult<()> {
    let ids = || waiting.iter().map(|task| uid(&task.id)).collect::<Vec<Uid>>();
    let change = (
        tasks::status.eq(i32::from(Status::Cancelled.code())),
        tasks::ready_at.eq(None::<i64>),
        tasks::live_key.eq(unique::kept(Status::Cancelled)),
        tasks::error.eq(reading::error_text(&cancelled_error(reason))),
        tasks::finished_at.eq(now),
        tasks::cancel_reason.eq(reason),
    );
    diesel::update(tasks::table.filter(tasks::id.eq_any(ids()))).set(change).execute(&mut writer.connection)?;
    let parents = tasks::table.filter(tasks::id.eq_any(ids())).filter(tasks::has_dependants.eq(true)).select(tasks::id);
    diesel::insert_into(unresolved_parents::table)
        .values(parents)
        .into_columns(unresolved_parents::task_id)
        .on_conflict_do_nothing()
        .execute(&mut writer.connection)?;
    for task in waiting {
        let (queue, priority) = (task.queue(), task.priority());
        writer.deltas.step(&queue, priority, task.status(), Status::Cancelled);
        writer.deltas.add(&queue, priority, Counted::CancelledTotal, 1);
        writer.deltas.ended(task.workflow(), Some(End::Cancelled));
        writer.effects.changed.push((task.id(), queue, Status::Cancelled));
        writer.effects.unresolved |= task.has_dependants;
    }
    Ok(())
}

/// Parents come before their children, which then find them alive.
pub(super) fn retry(writer: &mut Writer, id: TaskId, now: Millis) -> QueryResult<WorkflowRetried> {
    let Some(counts) = counts(&mut writer.connection, id)? else { return Ok(WorkflowRetried::NotFound) };
    let state = counts.state();
    if state.is_over()
        && let Some(callback) = running_callback(&mut writer.connection, id)?
    {
        return Ok(WorkflowRetried::Callback(callback));
    }
    let ended = [Status::Failed, Status::Timeout, Status::Cancelled, Status::Expired, Status::Skipped];
    let (mut done, mut left, mut why) = (Vec::new(), 0, None);
    for task in nodes(&mut writer.connection, id, &ended)? {
        match submit::redrive(writer, task, None, now)? {
            again @ (Redriven::Done(_) | Redriven::Waits(_)) => done.push((task, again)),
            Redriven::KeyTaken(holder) => return Ok(WorkflowRetried::KeyTaken { task, holder }),
            refused => {
                left += 1;
                why.get_or_insert((task, refused));
            }
        }
    }
    if done.is_empty() {
        return Ok(WorkflowRetried::Nothing { state, why });
    }
    Ok(WorkflowRetried::Done { tasks: done, left })
}

fn running_callback(connection: &mut Connection, id: TaskId) -> QueryResult<Option<TaskId>> {
    let ids: Vec<Uid> = callbacks(connection, id)?.iter().map(|id| uid(id.as_bytes())).collect();
    let row = tasks::table
        .filter(tasks::id.eq_any(ids))
        .filter(tasks::status.eq(i32::from(Status::Running.code())))
        .select(tasks::id);
    Ok(row.first::<Vec<u8>>(connection).optional()?.map(|id| task_id(&id)))
}
