//! Workflows: what is stored of them, and what the ends of their tasks make of them.

use std::collections::BTreeMap;

use diesel::prelude::*;

use super::{
    Backend, Connection,
    counters::Moved,
    dependencies,
    key::{Uid, uid},
    records::{StateRecord, reading, task_id},
    schema::{task_dependencies, tasks, workflow_plans, workflow_tasks, workflows},
    submit, telling, ties,
    tx::Writer,
};
use crate::{
    store::{NewWorkflow, Redriven, RetentionLimits},
    task::{End, Millis, NewTask, Role, Status, Tally, TaskError, TaskId, WorkflowState},
};

/// One of the tasks of a workflow that is to be stored.
pub(super) struct Member<'a> {
    pub(super) task: TaskId,
    pub(super) name: &'a str,
    pub(super) role: Role,
}

pub(super) fn begin(writer: &mut Writer, new: &NewWorkflow, tasks: &[NewTask]) -> QueryResult<()> {
    let mut queues: Vec<&str> = tasks.iter().map(|task| &*task.queue).collect();
    queues.sort_unstable();
    queues.dedup();
    let json = |names: &[&str]| serde_json::to_string(names).unwrap_or_default();
    let tags: Vec<&str> = new.tags.iter().map(String::as_str).collect();
    let id = uid(new.id.as_bytes());
    let row = (
        workflows::id.eq(id),
        workflows::name.eq(&new.name),
        workflows::state.eq(i32::from(WorkflowState::Running.code())),
        workflows::created_at.eq(new.created_at),
        workflows::total.eq(i32::try_from(new.nodes()).unwrap_or(i32::MAX)),
        workflows::has_dependants.eq(new.nodes() < new.members.len()),
        workflows::queues.eq(json(&queues)),
        workflows::tags.eq((!tags.is_empty()).then(|| json(&tags))),
    );
    diesel::insert_into(workflows::table).values(row).execute(&mut writer.connection)?;
    let edges: Vec<_> = new.edges.iter().map(|(parent, child, policy)| (parent, child, policy.code())).collect();
    let plan = (
        workflow_plans::workflow_id.eq(id),
        workflow_plans::edges.eq(serde_json::to_string(&edges).unwrap_or_default()),
        workflow_plans::meta.eq(&new.meta),
    );
    diesel::insert_into(workflow_plans::table).values(plan).execute(&mut writer.connection)?;
    let members = new.members.iter().zip(tasks);
    let members = members.map(|((name, role), task)| Member { task: task.id, name, role: *role });
    let members: Vec<Member<'_>> = members.collect();
    ties::insert_members(&mut writer.connection, new.id, &members)
}

/// The columns that change.
#[derive(Queryable, Selectable, AsChangeset)]
#[diesel(table_name = workflows, check_for_backend(Backend), treat_none_as_null = true)]
pub(super) struct Counts {
    #[diesel(skip_update)]
    pub(super) id: Vec<u8>,
    pub(super) state: i32,
    pub(super) finished_at: Option<i64>,
    pub(super) latest_end: i64,
    #[diesel(skip_update)]
    pub(super) total: i32,
    pub(super) success: i32,
    pub(super) failed: i32,
    pub(super) timeout: i32,
    pub(super) cancelled: i32,
    pub(super) expired: i32,
    pub(super) skipped: i32,
    pub(super) unneeded: i32,
    pub(super) deleted: i32,
    #[diesel(skip_update)]
    pub(super) has_dependants: bool,
}

impl Counts {
    pub(super) fn tally(&self) -> Tally {
        let ended =
            [self.success, self.failed, self.timeout, self.cancelled, self.expired, self.skipped, self.unneeded];
        Tally::new(self.total.into(), ended.map(i64::from))
    }

    pub(super) fn state(&self) -> WorkflowState {
        state(self.state)
    }

    fn moved(&mut self, moved: &Moved, now: Millis) {
        self.latest_end = self.latest_end.max(now);
        let mut tally = self.tally();
        tally.merge(&moved.ended);
        let count = |end| i32::try_from(tally.of(end)).unwrap_or(i32::MAX);
        (self.success, self.failed, self.timeout) = (count(End::Success), count(End::Failed), count(End::Timeout));
        (self.cancelled, self.expired) = (count(End::Cancelled), count(End::Expired));
        (self.skipped, self.unneeded) = (count(End::Skipped), count(End::Unneeded));
        self.deleted += i32::try_from(moved.deleted).unwrap_or(0);
        self.state = tally.state().code().into();
        self.finished_at = match tally.state().is_over() {
            true => self.finished_at.or(Some(self.latest_end)),
            false => None,
        };
    }
}

pub(super) fn state(code: i32) -> WorkflowState {
    i16::try_from(code).ok().and_then(WorkflowState::from_code).unwrap_or(WorkflowState::Failed)
}

/// Writes what this transaction has changed, one row for each workflow, held in the order of their ids and after everything
/// else: who ends tasks of one workflow at the same time waits here for no longer than a commit takes.
pub(super) fn settle(writer: &mut Writer, now: Millis) -> QueryResult<()> {
    let mut moved = writer.deltas.take_workflows();
    while !moved.is_empty() {
        let changed = keep(writer, &moved, now)?;
        for (id, state) in changed {
            if state.is_over() {
                telling::leave(writer, id)?;
            } else {
                dependencies::reopen(writer, id)?;
                arm(writer, id, now)?;
            }
        }
        // A callback may be a task of another workflow's in time; those of this one are counted in none.
        moved = writer.deltas.take_workflows();
    }
    Ok(())
}

/// Those that others wait for and that are over now, or no longer.
fn keep(
    writer: &mut Writer,
    moved: &BTreeMap<TaskId, Moved>,
    now: Millis,
) -> QueryResult<Vec<(TaskId, WorkflowState)>> {
    let ids: Vec<Uid> = moved.keys().map(|id| uid(id.as_bytes())).collect();
    let rows = workflows::table.filter(workflows::id.eq_any(ids)).order(workflows::id).select(Counts::as_select());
    let mut rows: Vec<Counts> = locked!(rows).load(&mut writer.connection)?;
    let mut changed = Vec::new();
    for row in &mut rows {
        let (id, was_over) = (task_id(&row.id), row.state().is_over());
        if let Some(moved) = moved.get(&id) {
            row.moved(moved, now);
        }
        if row.has_dependants && row.state().is_over() != was_over {
            changed.push((id, row.state()));
        }
    }
    ties::keep_counts(&mut writer.connection, &rows)?;
    Ok(changed)
}

/// A workflow that was over is so no longer: its callbacks wait for its next end, whether they have been called or not.
fn arm(writer: &mut Writer, id: TaskId, now: Millis) -> QueryResult<()> {
    for callback in callbacks(&mut writer.connection, id)? {
        let Some(task) = StateRecord::find(&mut writer.connection, callback)? else { continue };
        let status = task.status();
        if status.is_terminal() {
            let done = submit::redrive(writer, callback, None, now)?;
            if matches!(done, Redriven::Waits(_)) {
                writer.effects.changed.push((callback, task.queue(), Status::Pending));
            }
        } else if Status::CLAIMABLE.contains(&status) {
            wait_again(writer, id, &task)?;
        }
    }
    Ok(())
}

/// It was to run and has not begun.
fn wait_again(writer: &mut Writer, workflow: TaskId, callback: &StateRecord) -> QueryResult<()> {
    let edge = task_dependencies::table.find((uid(workflow.as_bytes()), true, uid(&callback.id)));
    diesel::update(edge).set(task_dependencies::resolved.eq(false)).execute(&mut writer.connection)?;
    let change = (
        tasks::status.eq(i32::from(Status::Pending.code())),
        tasks::ready_at.eq(None::<i64>),
        tasks::laned.eq(false),
        tasks::unmet.eq(1),
    );
    diesel::update(tasks::table.filter(tasks::id.eq(uid(&callback.id)))).set(change).execute(&mut writer.connection)?;
    let queue = callback.queue();
    writer.deltas.step(&queue, callback.priority(), callback.status(), Status::Pending);
    writer.effects.changed.push((callback.id(), queue, Status::Pending));
    Ok(())
}

pub(super) fn callbacks(connection: &mut Connection, id: TaskId) -> QueryResult<Vec<TaskId>> {
    let ids: Vec<Vec<u8>> = workflow_tasks::table
        .filter(workflow_tasks::workflow_id.eq(uid(id.as_bytes())))
        .filter(workflow_tasks::role.ne(i32::from(Role::Node.code())))
        .order(workflow_tasks::task_id)
        .select(workflow_tasks::task_id)
        .load(connection)?;
    Ok(ids.iter().map(|id| task_id(id)).collect())
}

/// A task that is over goes: how it ended stays with its workflow. Call it before the task is gone.
pub(super) fn task_deleted(writer: &mut Writer, task: &StateRecord) -> QueryResult<()> {
    let Some(workflow) = task.workflow() else { return Ok(()) };
    let error: Option<TaskError> = reading::json(task.error.clone());
    let ended = End::of(task.status(), error.as_ref()).map(|end| i32::from(end.code()));
    let row = workflow_tasks::table.find((uid(workflow.as_bytes()), uid(&task.id)));
    diesel::update(row).set(workflow_tasks::ended.eq(ended)).execute(&mut writer.connection)?;
    writer.deltas.deleted(workflow);
    Ok(())
}

/// Workflows go after the last of their tasks.
pub(super) fn prune(connection: &mut Connection, limits: &RetentionLimits) -> QueryResult<()> {
    let success = i32::from(WorkflowState::Success.code());
    let old = workflows::state
        .eq(success)
        .and(workflows::finished_at.lt(limits.success_before))
        .or(workflows::state.ne(success).and(workflows::finished_at.lt(limits.others_before)));
    // What is younger than both limits cannot have ended before them.
    let latest = TaskId::first_at(limits.success_before.max(limits.others_before));
    let old = workflows::table
        .filter(workflows::id.lt(uid(latest.as_bytes())))
        .filter(workflows::deleted.ge(workflows::total))
        .filter(old)
        .order(workflows::id)
        .select(workflows::id)
        // Each may have thousands of nodes.
        .limit((limits.rows as i64 / 50).max(1));
    let old: Vec<Vec<u8>> = old.load(connection)?;
    for id in old {
        let id = uid(&id);
        diesel::delete(workflow_tasks::table.filter(workflow_tasks::workflow_id.eq(id))).execute(connection)?;
        diesel::delete(workflow_plans::table.find(id)).execute(connection)?;
        let told = task_dependencies::table
            .filter(task_dependencies::parent_id.eq(id))
            .filter(task_dependencies::resolved.eq(true));
        diesel::delete(told).execute(connection)?;
        diesel::delete(workflows::table.find(id)).execute(connection)?;
    }
    Ok(())
}
