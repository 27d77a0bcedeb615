//! Tasks that wait for others. A child counts the parents it still waits for; a parent that ends tells its children in the
//! transaction of its end, up to a bound, and the rest is told in later ones.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;

use super::{
    hot::NoteUnresolved,
    key::{Uid, uid},
    records::{StateRecord, bytes, reading, task_id},
    schema::{task_dependencies, tasks, unresolved_parents},
    tx::Writer,
    unique,
};
use crate::{
    store::{Counted, Inserted, Redriven},
    task::{ErrorKind, Millis, NewTask, OnFailure, Ready, Status, TaskError, TaskId},
};

/// Children told in the transaction of their parent's end.
const TOLD_AT_ONCE: usize = 256;

/// What a task's parents mean for it when it is stored.
pub(super) struct Bonds {
    pub(super) unmet: u32,
    /// This parent has failed and the task is not to run then.
    failed: Option<TaskId>,
    /// Of each parent: whether it is over.
    over: Vec<bool>,
}

/// Looks the parents up; `Err` where there is no such task.
pub(super) fn look_up(writer: &mut Writer, task: &NewTask) -> QueryResult<Result<Bonds, TaskId>> {
    let mut bonds = Bonds { unmet: 0, failed: None, over: Vec::with_capacity(task.parents.len()) };
    for parent in &task.parents {
        let Some(status) = status_of(writer, parent.id)? else { return Ok(Err(parent.id)) };
        if !status.is_terminal() {
            bonds.unmet += 1;
        } else if !met(status, parent.on_failure == OnFailure::Run) {
            bonds.failed.get_or_insert(parent.id);
        }
        bonds.over.push(status.is_terminal());
    }
    Ok(Ok(bonds))
}

/// Held until the end of the transaction, so that it cannot end unseen between this and the tie to its child.
fn status_of(writer: &mut Writer, id: TaskId) -> QueryResult<Option<Status>> {
    let row = tasks::table.filter(tasks::id.eq(uid(id.as_bytes()))).select(tasks::status);
    Ok(locked!(row).first::<i32>(&mut writer.connection).optional()?.map(reading::status))
}

const fn met(status: Status, run_anyway: bool) -> bool {
    matches!(status, Status::Success) || run_anyway
}

/// Ties a task that has just been stored to its parents.
pub(super) fn tie(writer: &mut Writer, task: &NewTask, bonds: &Bonds, stored: Status) -> QueryResult<Inserted> {
    for (parent, over) in task.parents.iter().zip(&bonds.over) {
        let row = (
            task_dependencies::parent_id.eq(uid(parent.id.as_bytes())),
            task_dependencies::child_id.eq(uid(task.id.as_bytes())),
            task_dependencies::run_anyway.eq(parent.on_failure == OnFailure::Run),
            task_dependencies::resolved.eq(*over),
        );
        diesel::insert_into(task_dependencies::table).values(row).execute(&mut writer.connection)?;
        let unmarked =
            tasks::table.filter(tasks::id.eq(uid(parent.id.as_bytes()))).filter(tasks::has_dependants.eq(false));
        diesel::update(unmarked).set(tasks::has_dependants.eq(true)).execute(&mut writer.connection)?;
    }
    let Some(failed) = bonds.failed else { return Ok(Inserted::As(stored)) };
    let child = StateRecord::find(&mut writer.connection, task.id)?.ok_or(diesel::NotFound)?;
    skip(writer, &child, failed, task.created_at)?;
    Ok(Inserted::As(Status::Skipped))
}

/// A task is over: those that wait for it are told. Call it after the update that ended it.
pub(super) fn ended(writer: &mut Writer, id: TaskId, status: Status, now: Millis) -> QueryResult<()> {
    if tell(writer, id, status, TOLD_AT_ONCE, now)? == TOLD_AT_ONCE {
        leave(writer, id)?;
    }
    Ok(())
}

fn leave(writer: &mut Writer, id: TaskId) -> QueryResult<()> {
    NoteUnresolved { task: bytes(id.as_bytes()) }.execute(&mut writer.connection)?;
    writer.effects.unresolved = true;
    Ok(())
}

/// Tells up to `limit` children of parents that were left, or asks the parents of children that came in by SQL; true where
/// some may remain.
pub(super) fn resolve(writer: &mut Writer, limit: usize, now: Millis) -> QueryResult<bool> {
    // Who comes while this is under way has not been asked about, and waits for the next time.
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let left: Vec<Vec<u8>> =
        unresolved_parents::table.select(unresolved_parents::task_id).limit(most).load(&mut writer.connection)?;
    // Who is skipped leaves children in turn.
    let mut again = ask(writer, &left, now)?;
    let mut room = limit;
    for parent in &left {
        let id = task_id(parent);
        // A parent that runs again will tell them when it ends.
        let status = status_of(writer, id)?.filter(|status| status.is_terminal());
        let told = status.map_or(Ok(0), |status| tell(writer, id, status, room, now))?;
        if told < room {
            diesel::delete(unresolved_parents::table.find(uid(parent))).execute(&mut writer.connection)?;
        }
        again |= told > 0;
        // A look at an empty parent costs as well.
        room = room.saturating_sub(told.max(1));
        if room == 0 {
            return Ok(true);
        }
    }
    Ok(again || left.len() >= limit)
}

/// Of those that are left, the ones that wait themselves: they were stored without a look at their parents, so that nobody's
/// transaction keeps a parent from ending. Either it has ended, or it learns here that it has a child. True where one had.
fn ask(writer: &mut Writer, left: &[Vec<u8>], now: Millis) -> QueryResult<bool> {
    let ties = if left.is_empty() { Vec::new() } else { open_ties(writer, left)? };
    if ties.is_empty() {
        return Ok(false);
    }
    let asked: HashSet<Vec<u8>> = ties.into_iter().map(|(_, parent, _)| parent).collect();
    let ids: Vec<Uid> = asked.iter().map(uid).collect();
    let parents = tasks::table.filter(tasks::id.eq_any(&ids)).order(tasks::id);
    let parents = locked!(parents.select((tasks::id, tasks::status))).load::<(Vec<u8>, i32)>(&mut writer.connection)?;
    let unmarked = tasks::table.filter(tasks::id.eq_any(&ids)).filter(tasks::has_dependants.eq(false));
    diesel::update(unmarked).set(tasks::has_dependants.eq(true)).execute(&mut writer.connection)?;
    let status: HashMap<Vec<u8>, Status> = parents.into_iter().map(|(id, code)| (id, reading::status(code))).collect();
    // Read again: some were told while this one waited for their parents.
    let mut told = false;
    for (child, parent, run_anyway) in open_ties(writer, left)? {
        // One that is gone has not succeeded, or it would have told.
        let is_live = status.get(&parent).is_some_and(|status| !status.is_terminal());
        if asked.contains(&parent) && !is_live {
            let met = run_anyway || status.get(&parent) == Some(&Status::Success);
            tell_one(writer, task_id(&parent), &child, met, now)?;
            told = true;
        }
    }
    Ok(told)
}

/// Child, parent and whether the child runs anyway.
type Tie = (Vec<u8>, Vec<u8>, bool);

/// Ties whose parents have not told yet.
fn open_ties(writer: &mut Writer, children: &[Vec<u8>]) -> QueryResult<Vec<Tie>> {
    let ids: Vec<Uid> = children.iter().map(uid).collect();
    task_dependencies::table
        .filter(task_dependencies::child_id.eq_any(ids))
        .filter(task_dependencies::resolved.eq(false))
        .order((task_dependencies::child_id, task_dependencies::parent_id))
        .select((task_dependencies::child_id, task_dependencies::parent_id, task_dependencies::run_anyway))
        .load(&mut writer.connection)
}

/// How many children were told.
fn tell(writer: &mut Writer, parent: TaskId, status: Status, limit: usize, now: Millis) -> QueryResult<usize> {
    let waiting: Vec<(Vec<u8>, bool)> = task_dependencies::table
        .filter(task_dependencies::parent_id.eq(uid(parent.as_bytes())))
        .filter(task_dependencies::resolved.eq(false))
        .select((task_dependencies::child_id, task_dependencies::run_anyway))
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .load(&mut writer.connection)?;
    for (child, run_anyway) in &waiting {
        tell_one(writer, parent, child, met(status, *run_anyway), now)?;
    }
    Ok(waiting.len())
}

fn tell_one(writer: &mut Writer, parent: TaskId, child: &[u8], met: bool, now: Millis) -> QueryResult<()> {
    let edge = task_dependencies::table.find((uid(parent.as_bytes()), false, uid(child)));
    diesel::update(edge).set(task_dependencies::resolved.eq(true)).execute(&mut writer.connection)?;
    let child = StateRecord::find(&mut writer.connection, task_id(child))?;
    // Cancelled or expired meanwhile, if it is not pending.
    let Some(child) = child.filter(|child| child.status() == Status::Pending) else { return Ok(()) };
    if !met {
        return skip(writer, &child, parent, now);
    }
    if child.unmet > 1 {
        let row = tasks::table.filter(tasks::id.eq(uid(&child.id)));
        return diesel::update(row).set(tasks::unmet.eq(tasks::unmet - 1)).execute(&mut writer.connection).map(|_| ());
    }
    free(writer, &child, now)
}

/// The last parent is done: the child may run.
fn free(writer: &mut Writer, child: &StateRecord, now: Millis) -> QueryResult<()> {
    let ready_at = child.run_at.map_or(now, |at| at.max(now));
    let status = if ready_at > now { Status::Scheduled } else { Status::Queued };
    let change = (tasks::status.eq(i32::from(status.code())), tasks::ready_at.eq(ready_at), tasks::unmet.eq(0));
    diesel::update(tasks::table.filter(tasks::id.eq(uid(&child.id)))).set(change).execute(&mut writer.connection)?;
    let (queue, priority) = (child.queue(), child.priority());
    writer.deltas.step(&queue, priority, Status::Pending, status);
    writer.effects.changed.push((child.id(), queue.clone(), status));
    writer.effects.ready.push(Ready { queue, priority, keyed: child.is_keyed(), mark: (ready_at, child.id()) });
    Ok(())
}

/// A parent did not succeed: neither will the child run, nor those that wait for it.
fn skip(writer: &mut Writer, child: &StateRecord, parent: TaskId, now: Millis) -> QueryResult<()> {
    let error = TaskError::new(ErrorKind::Skipped, format!("its parent {parent} did not succeed"));
    over(writer, child, Status::Skipped, &error, now)
}

/// Ends a task that waits.
pub(super) fn over(
    writer: &mut Writer,
    task: &StateRecord,
    status: Status,
    error: &TaskError,
    now: Millis,
) -> QueryResult<()> {
    let change = (
        tasks::status.eq(i32::from(status.code())),
        tasks::ready_at.eq(None::<i64>),
        tasks::live_key.eq(unique::kept(status)),
        tasks::error.eq(reading::error_text(error)),
        tasks::finished_at.eq(now),
    );
    diesel::update(tasks::table.filter(tasks::id.eq(uid(&task.id)))).set(change).execute(&mut writer.connection)?;
    let (queue, priority) = (task.queue(), task.priority());
    writer.deltas.step(&queue, priority, task.status(), status);
    match status {
        Status::Cancelled => writer.deltas.add(&queue, priority, Counted::CancelledTotal, 1),
        Status::Expired => writer.deltas.add(&queue, priority, Counted::ExpiredTotal, 1),
        _ => {}
    }
    writer.effects.changed.push((task.id(), queue, status));
    if task.has_dependants {
        // Never from here: a long chain of them would be one long transaction.
        leave(writer, task.id())?;
    }
    Ok(())
}

/// What a task that starts anew finds: how many parents it waits for again, or why it cannot start.
pub(super) fn anew(writer: &mut Writer, child: &StateRecord) -> QueryResult<Result<u32, Redriven>> {
    if child.parents == 0 {
        return Ok(Ok(0));
    }
    let parents = task_dependencies::table
        .inner_join(tasks::table.on(tasks::id.eq(task_dependencies::parent_id)))
        .filter(task_dependencies::child_id.eq(uid(&child.id)))
        .select((task_dependencies::parent_id, task_dependencies::run_anyway, tasks::status));
    let parents: Vec<(Vec<u8>, bool, i32)> = locked!(parents).load(&mut writer.connection)?;
    let ended = |status: i32| Some(reading::status(status)).filter(|status| status.is_terminal());
    let failed = parents.iter().find(|(_, run, status)| ended(*status).is_some_and(|status| !met(status, *run)));
    if let Some((failed, ..)) = failed {
        return Ok(Err(Redriven::ParentFailed(task_id(failed))));
    }
    // A parent that did not succeed before it was deleted has left the tie behind.
    let ties: Vec<Vec<u8>> = task_dependencies::table
        .filter(task_dependencies::child_id.eq(uid(&child.id)))
        .filter(task_dependencies::run_anyway.eq(false))
        .order(task_dependencies::parent_id)
        .select(task_dependencies::parent_id)
        .load(&mut writer.connection)?;
    let there: HashSet<&[u8]> = parents.iter().map(|(parent, ..)| parent.as_slice()).collect();
    if let Some(gone) = ties.iter().find(|parent| !there.contains(parent.as_slice())) {
        return Ok(Err(Redriven::ParentGone(task_id(gone))));
    }
    let mut unmet = 0;
    for (parent, _, status) in &parents {
        let over = ended(*status).is_some();
        unmet += u32::from(!over);
        let edge = task_dependencies::table
            .filter(task_dependencies::child_id.eq(uid(&child.id)))
            .filter(task_dependencies::parent_id.eq(uid(parent)));
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
pub(super) fn cut(writer: &mut Writer, id: &[u8], status: Status) -> QueryResult<()> {
    let own = task_dependencies::table.filter(task_dependencies::child_id.eq(uid(id)));
    diesel::delete(own).execute(&mut writer.connection)?;
    // Of one that has succeeded all, of another those that run anyway.
    let looser = if met(status, false) { vec![false, true] } else { vec![true] };
    let met = task_dependencies::table
        .filter(task_dependencies::parent_id.eq(uid(id)))
        .filter(task_dependencies::run_anyway.eq_any(looser));
    diesel::delete(met).execute(&mut writer.connection).map(|_| ())
}
