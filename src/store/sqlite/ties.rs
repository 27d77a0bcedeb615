//! What a transaction does to the ties between tasks, one prepared statement each.

use std::collections::{BTreeSet, HashMap};

use diesel::prelude::*;

use super::{
    Connection,
    dependencies::{self, Bonds, State},
    key::uid,
    records::StateRecord,
    schema::{task_dependencies, tasks, workflow_tasks, workflows},
    telling::Tie,
    tx::Writer,
    workflows::{Counts, Member, state},
};
use crate::{
    store::Inserted,
    task::{Millis, NewTask, Status, TaskId},
};

/// Those of them that there are, with how they stand.
pub(super) fn states(connection: &mut Connection, ids: &BTreeSet<TaskId>) -> QueryResult<HashMap<TaskId, State>> {
    let mut states = HashMap::with_capacity(ids.len());
    for id in ids {
        states.extend(state_of(connection, *id)?.map(|state| (*id, state)));
    }
    Ok(states)
}

/// Held until the end of the transaction, so that it cannot end unseen between this and the tie to its child.
fn state_of(connection: &mut Connection, id: TaskId) -> QueryResult<Option<State>> {
    let row = tasks::table.filter(tasks::id.eq(uid(id.as_bytes()))).select((tasks::status, tasks::error));
    let row: Option<(i32, Option<String>)> = locked!(row).first(connection).optional()?;
    if let Some((status, error)) = row {
        return Ok(Some(dependencies::ending(status, error)));
    }
    let row = workflows::table.find(uid(id.as_bytes())).select(workflows::state);
    let found: Option<i32> = locked!(row).first(connection).optional()?;
    Ok(found.map(|code| dependencies::ending(state(code).status().code().into(), None)))
}

/// Children that these parents have not told yet.
pub(super) fn waiting(connection: &mut Connection, parents: &[TaskId], limit: usize) -> QueryResult<Vec<Tie>> {
    let mut ties: Vec<Tie> = Vec::new();
    for parent in parents {
        let left = i64::try_from(limit.saturating_sub(ties.len())).unwrap_or(i64::MAX);
        let rows: Vec<(Vec<u8>, Vec<u8>, i32)> = task_dependencies::table
            .filter(task_dependencies::parent_id.eq(uid(parent.as_bytes())))
            .filter(task_dependencies::resolved.eq(false))
            .select((task_dependencies::parent_id, task_dependencies::child_id, task_dependencies::on_failure))
            .limit(left)
            .load(connection)?;
        ties.extend(rows.into_iter().map(Tie::from));
        if ties.len() >= limit {
            break;
        }
    }
    Ok(ties)
}

/// They have been told.
pub(super) fn resolve<'a>(connection: &mut Connection, ties: impl Iterator<Item = &'a Tie>) -> QueryResult<()> {
    for tie in ties {
        let edge = task_dependencies::table.find((uid(tie.parent.as_bytes()), false, uid(tie.child.as_bytes())));
        diesel::update(edge).set(task_dependencies::resolved.eq(true)).execute(connection)?;
    }
    Ok(())
}

pub(super) fn hold(connection: &mut Connection, ids: &[TaskId]) -> QueryResult<Vec<StateRecord>> {
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        found.extend(StateRecord::find(connection, *id)?);
    }
    Ok(found)
}

/// So many of their parents are done.
pub(super) fn lower(connection: &mut Connection, children: &[(TaskId, i32)]) -> QueryResult<()> {
    for (child, met) in children {
        let row = tasks::table.filter(tasks::id.eq(uid(child.as_bytes())));
        diesel::update(row).set(tasks::unmet.eq(tasks::unmet - met)).execute(connection)?;
    }
    Ok(())
}

/// They may run from now on.
pub(super) fn free(connection: &mut Connection, children: &[TaskId], now: Millis) -> QueryResult<()> {
    for child in children {
        let change = (tasks::status.eq(i32::from(Status::Queued.code())), tasks::ready_at.eq(now), tasks::unmet.eq(0));
        diesel::update(tasks::table.filter(tasks::id.eq(uid(child.as_bytes())))).set(change).execute(connection)?;
    }
    Ok(())
}

/// They have children from now on.
pub(super) fn mark_parents(connection: &mut Connection, parents: &BTreeSet<TaskId>) -> QueryResult<()> {
    parents.iter().try_for_each(|parent| mark_parent(connection, *parent))
}

fn mark_parent(connection: &mut Connection, parent: TaskId) -> QueryResult<()> {
    let id = uid(parent.as_bytes());
    let task = tasks::table.filter(tasks::id.eq(id)).filter(tasks::has_dependants.eq(false));
    if diesel::update(task).set(tasks::has_dependants.eq(true)).execute(connection)? == 0 {
        let workflow = workflows::table.find(id).filter(workflows::has_dependants.eq(false));
        diesel::update(workflow).set(workflows::has_dependants.eq(true)).execute(connection)?;
    }
    Ok(())
}

pub(super) fn look_up(writer: &mut Writer, task: &NewTask) -> QueryResult<Result<Bonds, TaskId>> {
    Bonds::new(task, |parent| state_of(&mut writer.connection, parent))
}

/// Ties a task that has just been stored to its parents.
pub(super) fn tie(writer: &mut Writer, task: &NewTask, bonds: &Bonds, stored: Status) -> QueryResult<Inserted> {
    for (parent, over) in task.parents.iter().zip(&bonds.over) {
        let row = (
            task_dependencies::parent_id.eq(uid(parent.id.as_bytes())),
            task_dependencies::child_id.eq(uid(task.id.as_bytes())),
            task_dependencies::on_failure.eq(i32::from(parent.on_failure.code())),
            task_dependencies::resolved.eq(*over),
        );
        diesel::insert_into(task_dependencies::table).values(row).execute(&mut writer.connection)?;
        mark_parent(&mut writer.connection, parent.id)?;
    }
    dependencies::stored(writer, task, bonds, stored)
}

pub(super) fn insert_members(connection: &mut Connection, workflow: TaskId, members: &[Member<'_>]) -> QueryResult<()> {
    for member in members {
        let row = (
            workflow_tasks::workflow_id.eq(uid(workflow.as_bytes())),
            workflow_tasks::task_id.eq(uid(member.task.as_bytes())),
            workflow_tasks::name.eq(member.name),
            workflow_tasks::role.eq(i32::from(member.role.code())),
        );
        diesel::insert_into(workflow_tasks::table).values(row).execute(connection)?;
    }
    Ok(())
}

pub(super) fn keep_counts(connection: &mut Connection, rows: &[Counts]) -> QueryResult<()> {
    for row in rows {
        diesel::update(workflows::table.find(uid(&row.id))).set(row).execute(connection)?;
    }
    Ok(())
}
