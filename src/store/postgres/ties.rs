//! What a transaction does to the ties between tasks: one statement for all of a batch. Rows are held in the order of their
//! ids.

use std::collections::{BTreeSet, HashMap, HashSet};

use diesel::prelude::*;

use super::{
    Connection,
    dependencies::{self, Bonds, State},
    key::{Uid, uid},
    own::{InsertMembers, InsertTies, KeepWorkflows, LowerUnmet, ResolveTies},
    records::{StateRecord, bytes, task_id},
    schema::{task_dependencies, tasks, workflows},
    telling::Tie,
    workflows::{Counts, Member, state},
};
use crate::task::{Millis, NewTask, Status, TaskId};

fn uids<'a>(ids: impl IntoIterator<Item = &'a TaskId>) -> Vec<Uid> {
    ids.into_iter().map(|id| uid(id.as_bytes())).collect()
}

/// Those of them that there are, with how they stand. Held until the end of the transaction, so that none can end unseen
/// between this and the tie to its child.
pub(super) fn states(connection: &mut Connection, ids: &BTreeSet<TaskId>) -> QueryResult<HashMap<TaskId, State>> {
    let mut states = HashMap::with_capacity(ids.len());
    if ids.is_empty() {
        return Ok(states);
    }
    let found = tasks::table.filter(tasks::id.eq_any(uids(ids))).order(tasks::id);
    let found = found.select((tasks::id, tasks::status, tasks::error)).for_update();
    let found: Vec<(Vec<u8>, i32, Option<String>)> = found.load(connection)?;
    states.extend(found.into_iter().map(|(id, status, error)| (task_id(&id), dependencies::ending(status, error))));
    if states.len() == ids.len() {
        return Ok(states);
    }
    let others = uids(ids.iter().filter(|id| !states.contains_key(*id)));
    let found = workflows::table.filter(workflows::id.eq_any(others)).order(workflows::id);
    let found: Vec<(Vec<u8>, i32)> = found.select((workflows::id, workflows::state)).for_update().load(connection)?;
    let whole =
        |(id, code): (Vec<u8>, i32)| (task_id(&id), dependencies::ending(state(code).status().code().into(), None));
    states.extend(found.into_iter().map(whole));
    Ok(states)
}

/// Children that these parents have not told yet.
pub(super) fn waiting(connection: &mut Connection, parents: &[TaskId], limit: usize) -> QueryResult<Vec<Tie>> {
    let rows: Vec<(Vec<u8>, Vec<u8>, i32)> = task_dependencies::table
        .filter(task_dependencies::parent_id.eq_any(uids(parents)))
        .filter(task_dependencies::resolved.eq(false))
        .select((task_dependencies::parent_id, task_dependencies::child_id, task_dependencies::on_failure))
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .load(connection)?;
    Ok(rows.into_iter().map(Tie::from).collect())
}

/// They have been told.
pub(super) fn resolve<'a>(connection: &mut Connection, ties: impl Iterator<Item = &'a Tie>) -> QueryResult<()> {
    let ends = ties.map(|tie| (uid(tie.parent.as_bytes()), uid(tie.child.as_bytes())));
    let (parent, child): (Vec<Uid>, Vec<Uid>) = ends.unzip();
    ResolveTies { parent: &parent, child: &child }.execute(connection).map(|_| ())
}

pub(super) fn hold(connection: &mut Connection, ids: &[TaskId]) -> QueryResult<Vec<StateRecord>> {
    let rows = tasks::table.filter(tasks::id.eq_any(uids(ids))).order(tasks::id).select(StateRecord::as_select());
    rows.for_update().load(connection)
}

/// So many of their parents are done.
pub(super) fn lower(connection: &mut Connection, children: &[(TaskId, i32)]) -> QueryResult<()> {
    if children.is_empty() {
        return Ok(());
    }
    let (id, met): (Vec<Uid>, Vec<i32>) = children.iter().map(|(id, met)| (uid(id.as_bytes()), *met)).unzip();
    LowerUnmet { id: &id, met: &met }.execute(connection).map(|_| ())
}

/// They may run from now on.
pub(super) fn free(connection: &mut Connection, children: &[TaskId], now: Millis) -> QueryResult<()> {
    if children.is_empty() {
        return Ok(());
    }
    let change = (tasks::status.eq(i32::from(Status::Queued.code())), tasks::ready_at.eq(now), tasks::unmet.eq(0));
    diesel::update(tasks::table.filter(tasks::id.eq_any(uids(children)))).set(change).execute(connection).map(|_| ())
}

/// They have children from now on.
pub(super) fn mark_parents(connection: &mut Connection, parents: &BTreeSet<TaskId>) -> QueryResult<()> {
    if parents.is_empty() {
        return Ok(());
    }
    let unmarked = tasks::table.filter(tasks::id.eq_any(uids(parents))).filter(tasks::has_dependants.eq(false));
    diesel::update(unmarked).set(tasks::has_dependants.eq(true)).execute(connection)?;
    let unmarked =
        workflows::table.filter(workflows::id.eq_any(uids(parents))).filter(workflows::has_dependants.eq(false));
    diesel::update(unmarked).set(workflows::has_dependants.eq(true)).execute(connection).map(|_| ())
}

/// Of each task; `Err` where a parent is not known. One that is stored in the same call is live.
pub(super) fn look_up(connection: &mut Connection, new: &[&NewTask]) -> QueryResult<Vec<Result<Bonds, TaskId>>> {
    let within = within(new);
    let outside = new.iter().flat_map(|task| &task.parents).map(|parent| parent.id);
    let states = states(connection, &outside.filter(|id| !within.contains(id)).collect())?;
    let state = |id| if within.contains(&id) { Some(None) } else { states.get(&id).copied() };
    new.iter().map(|task| Bonds::new(task, |parent| Ok(state(parent)))).collect()
}

/// The tasks of a call, where any has parents.
fn within(new: &[&NewTask]) -> HashSet<TaskId> {
    let any = new.iter().any(|task| !task.parents.is_empty());
    if any { new.iter().map(|task| task.id).collect() } else { HashSet::new() }
}

/// Ties tasks that have just been stored to their parents.
pub(super) fn tie(connection: &mut Connection, stored: &[(&NewTask, &Bonds)]) -> QueryResult<()> {
    let (mut parent, mut child, mut on_failure, mut resolved) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let tasks: Vec<&NewTask> = stored.iter().map(|(task, _)| *task).collect();
    let within = within(&tasks);
    let mut outside = BTreeSet::new();
    for (task, bonds) in stored {
        for (tied, over) in task.parents.iter().zip(&bonds.over) {
            parent.push(uid(tied.id.as_bytes()));
            child.push(uid(task.id.as_bytes()));
            on_failure.push(i32::from(tied.on_failure.code()));
            resolved.push(*over);
            if !within.contains(&tied.id) {
                outside.insert(tied.id);
            }
        }
    }
    if parent.is_empty() {
        return Ok(());
    }
    let rows = InsertTies { parent: &parent, child: &child, on_failure: &on_failure, resolved: &resolved };
    rows.execute(connection)?;
    mark_parents(connection, &outside)
}

pub(super) fn insert_members(connection: &mut Connection, workflow: TaskId, members: &[Member<'_>]) -> QueryResult<()> {
    let task: Vec<Uid> = members.iter().map(|member| uid(member.task.as_bytes())).collect();
    let name: Vec<&str> = members.iter().map(|member| member.name).collect();
    let role: Vec<i32> = members.iter().map(|member| member.role.code().into()).collect();
    let workflow = bytes(workflow.as_bytes());
    InsertMembers { workflow, task: &task, name: &name, role: &role }.execute(connection).map(|_| ())
}

pub(super) fn keep_counts(connection: &mut Connection, rows: &[Counts]) -> QueryResult<()> {
    let each = |column: fn(&Counts) -> i32| rows.iter().map(column).collect::<Vec<i32>>();
    KeepWorkflows {
        id: &rows.iter().map(|row| uid(&row.id)).collect::<Vec<_>>(),
        state: &each(|row| row.state),
        finished_at: &rows.iter().map(|row| row.finished_at).collect::<Vec<_>>(),
        latest_end: &rows.iter().map(|row| row.latest_end).collect::<Vec<_>>(),
        success: &each(|row| row.success),
        failed: &each(|row| row.failed),
        timeout: &each(|row| row.timeout),
        cancelled: &each(|row| row.cancelled),
        expired: &each(|row| row.expired),
        skipped: &each(|row| row.skipped),
        unneeded: &each(|row| row.unneeded),
        deleted: &each(|row| row.deleted),
    }
    .execute(connection)
    .map(|_| ())
}
