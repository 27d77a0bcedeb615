//! What is older than its retention and stays all the same, because another task may still ask for it.

use diesel::{dsl::exists, prelude::*};

use super::{
    key::uid,
    records::StateRecord,
    schema::{task_dependencies, tasks, workflow_tasks, workflows},
    tx::Writer,
};
use crate::task::{OnFailure, Status};

/// A task that is over is wanted by a child that may yet run, or run again, and then reads its result; by a parent whose retry would
/// run it; by the workflow whose callback it is.
pub(super) fn is_wanted(writer: &mut Writer, task: &StateRecord) -> QueryResult<bool> {
    Ok((task.has_dependants && by_child(writer, task)?)
        || (task.parents > 0 && (by_parent(writer, task)? || is_callback(writer, task)?)))
}

/// Of what has not succeeded itself, a child that is over waits for another end before it runs again.
fn by_child(writer: &mut Writer, task: &StateRecord) -> QueryResult<bool> {
    let success = i32::from(Status::Success.code());
    let children = tasks::table
        .inner_join(task_dependencies::table.on(task_dependencies::child_id.eq(tasks::id)))
        .filter(task_dependencies::parent_id.eq(uid(&task.id)));
    if task.status() == Status::Success {
        // One that runs only after a failure is not to run now.
        let only = i32::from(OnFailure::Only.code());
        let wanting = children.filter(tasks::status.ne(success)).filter(task_dependencies::on_failure.ne(only));
        return diesel::select(exists(wanting)).get_result(&mut writer.connection);
    }
    diesel::select(exists(children.filter(tasks::status.lt(success)))).get_result(&mut writer.connection)
}

/// One that was skipped runs once the parent does that kept it from running: a dead letter stays until somebody decides.
fn by_parent(writer: &mut Writer, task: &StateRecord) -> QueryResult<bool> {
    if task.status() != Status::Skipped {
        return Ok(false);
    }
    let parents = tasks::table
        .inner_join(task_dependencies::table.on(task_dependencies::parent_id.eq(tasks::id)))
        .filter(task_dependencies::child_id.eq(uid(&task.id)))
        .filter(tasks::status.ne(i32::from(Status::Success.code())));
    diesel::select(exists(parents)).get_result(&mut writer.connection)
}

/// Of a workflow that is there: where that is retried it calls again.
pub(super) fn is_callback(writer: &mut Writer, task: &StateRecord) -> QueryResult<bool> {
    if task.workflow_id.is_some() {
        return Ok(false);
    }
    let whole: Vec<Vec<u8>> = task_dependencies::table
        .inner_join(workflows::table.on(workflows::id.eq(task_dependencies::parent_id)))
        .filter(task_dependencies::child_id.eq(uid(&task.id)))
        .select(workflows::id)
        .load(&mut writer.connection)?;
    let ids: Vec<_> = whole.iter().map(uid).collect();
    let called = workflow_tasks::table
        .filter(workflow_tasks::workflow_id.eq_any(ids))
        .filter(workflow_tasks::task_id.eq(uid(&task.id)));
    diesel::select(exists(called)).get_result(&mut writer.connection)
}
