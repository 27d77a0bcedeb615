//! Tasks that wait for others: the ties between them. A child counts the parents it still waits for. A parent is a task, or a
//! workflow as a whole.

use diesel::prelude::*;

use super::{
    key::uid,
    records::{StateRecord, reading, task_id},
    schema::{task_dependencies, tasks},
    telling::skip,
    tx::Writer,
};
use crate::{
    store::{Inserted, Redriven},
    task::{Ending, NewTask, OnFailure, Status, TaskError, TaskId, Told},
};

/// What a task's parents mean for it when it is stored.
pub(super) struct Bonds {
    pub(super) unmet: u32,
    /// Because of how this parent has ended the task is not to run.
    pub(super) missed: Option<(TaskId, Told)>,
    /// Of each parent: whether it is over.
    pub(super) over: Vec<bool>,
}

/// How a parent stands; `None`: it is not over.
pub(super) type State = Option<Ending>;

impl Bonds {
    /// By the states of its parents; `Err` where one of them is no task and no workflow.
    pub(super) fn new(
        task: &NewTask,
        mut state: impl FnMut(TaskId) -> QueryResult<Option<State>>,
    ) -> QueryResult<Result<Self, TaskId>> {
        let mut bonds = Self { unmet: 0, missed: None, over: Vec::with_capacity(task.parents.len()) };
        for parent in &task.parents {
            let Some(state) = state(parent.id)? else { return Ok(Err(parent.id)) };
            match state.map(|ending| parent.on_failure.told(ending)) {
                None => bonds.unmet += 1,
                Some(Told::Met) => {}
                Some(told) => {
                    bonds.missed.get_or_insert((parent.id, told));
                }
            }
            bonds.over.push(state.is_some());
        }
        Ok(Ok(bonds))
    }
}

/// How a task with this status and error stands.
pub(super) fn ending(status: i32, error: Option<String>) -> State {
    let status = reading::status(status);
    // Only of one that was skipped it says more than the status.
    let error: Option<TaskError> =
        error.filter(|_| status == Status::Skipped).and_then(|text| reading::json(Some(text)));
    Ending::of(status, error.as_ref())
}

/// What goes with a task that has just been stored and tied to its parents.
pub(super) fn stored(writer: &mut Writer, task: &NewTask, bonds: &Bonds, status: Status) -> QueryResult<Inserted> {
    let Some((parent, told)) = bonds.missed else { return Ok(Inserted::As(status)) };
    let child = StateRecord::find(&mut writer.connection, task.id)?.ok_or(diesel::NotFound)?;
    skip(writer, &child, parent, told, task.created_at)?;
    Ok(Inserted::As(Status::Skipped))
}

/// What a task that starts anew finds: how many parents it waits for again, or why it cannot start.
pub(super) fn anew(writer: &mut Writer, child: &StateRecord) -> QueryResult<Result<u32, Redriven>> {
    if child.parents == 0 {
        return Ok(Ok(0));
    }
    let ties = task_dependencies::table
        .filter(task_dependencies::child_id.eq(uid(&child.id)))
        .order(task_dependencies::parent_id)
        .select((task_dependencies::parent_id, task_dependencies::on_failure, task_dependencies::resolved));
    let ties: Vec<(Vec<u8>, i32, bool)> = ties.load(&mut writer.connection)?;
    let ids = ties.iter().map(|(parent, ..)| task_id(parent)).collect();
    let states = super::ties::states(&mut writer.connection, &ids)?;
    let (mut unmet, mut changed) = (0, Vec::new());
    for (parent, on_failure, resolved) in &ties {
        let (parent, on_failure) = (task_id(parent), OnFailure::from_code(*on_failure));
        match states.get(&parent) {
            Some(Some(ending)) if on_failure.told(*ending) != Told::Met => {
                return Ok(Err(Redriven::ParentFailed(parent)));
            }
            // One whose end forbade the child to run has left the tie behind when it was deleted.
            None if on_failure != OnFailure::Run => return Ok(Err(Redriven::ParentGone(parent))),
            None => {}
            Some(state) => {
                unmet += u32::from(state.is_none());
                if *resolved != state.is_some() {
                    changed.push((parent, state.is_some()));
                }
            }
        }
    }
    for (parent, over) in changed {
        let edge = task_dependencies::table.find((uid(parent.as_bytes()), !over, uid(&child.id)));
        diesel::update(edge).set(task_dependencies::resolved.eq(over)).execute(&mut writer.connection)?;
    }
    Ok(Ok(unmet))
}

/// A task runs again: those that still wait, for others, wait for it too again.
pub(super) fn reopen(writer: &mut Writer, parent: TaskId) -> QueryResult<()> {
    let waiting = tasks::table
        .inner_join(task_dependencies::table.on(task_dependencies::child_id.eq(tasks::id)))
        .filter(task_dependencies::parent_id.eq(uid(parent.as_bytes())))
        .filter(task_dependencies::resolved.eq(true))
        .filter(tasks::status.eq(i32::from(Status::Pending.code())))
        .order(tasks::id)
        .select(tasks::id);
    let waiting: Vec<Vec<u8>> = locked!(waiting).load(&mut writer.connection)?;
    for child in &waiting {
        let edge = task_dependencies::table.find((uid(parent.as_bytes()), true, uid(child)));
        diesel::update(edge).set(task_dependencies::resolved.eq(false)).execute(&mut writer.connection)?;
        let row = tasks::table.filter(tasks::id.eq(uid(child)));
        diesel::update(row).set(tasks::unmet.eq(tasks::unmet + 1)).execute(&mut writer.connection)?;
    }
    Ok(())
}

/// A task that is to be deleted still has children to tell.
pub(super) fn is_needed(writer: &mut Writer, id: &[u8]) -> QueryResult<bool> {
    let waiting = task_dependencies::table
        .filter(task_dependencies::parent_id.eq(uid(id)))
        .filter(task_dependencies::resolved.eq(false));
    diesel::select(diesel::dsl::exists(waiting)).get_result(&mut writer.connection)
}

/// Forgets the ties of a task that is deleted, but for those to children that must not run because of how it ended: they go
/// with the children.
pub(super) fn cut(writer: &mut Writer, task: &StateRecord) -> QueryResult<()> {
    let own = task_dependencies::table.filter(task_dependencies::child_id.eq(uid(&task.id)));
    diesel::delete(own).execute(&mut writer.connection)?;
    let Some(ending) = ending(task.status, task.error.clone()) else { return Ok(()) };
    let all = [OnFailure::Skip, OnFailure::Run, OnFailure::Only];
    let met = all.into_iter().filter(|policy| policy.told(ending) == Told::Met).map(|policy| i32::from(policy.code()));
    let met = task_dependencies::table
        .filter(task_dependencies::parent_id.eq(uid(&task.id)))
        .filter(task_dependencies::on_failure.eq_any(met.collect::<Vec<_>>()));
    diesel::delete(met).execute(&mut writer.connection).map(|_| ())
}
