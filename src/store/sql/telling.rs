//! A parent that ends tells its children in the transaction of its end, up to a bound, and the rest is told in later ones.

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;

use super::{
    hot::NoteUnresolved,
    key::{Uid, uid},
    records::{StateRecord, bytes, reading, task_id},
    schema::{task_dependencies, tasks, unresolved_parents},
    ties,
    tx::Writer,
    unique,
};
use crate::{
    store::Counted,
    task::{End, Ending, ErrorKind, Millis, OnFailure, Ready, Status, TaskError, TaskId, Told},
};

/// A child that waits for a parent.
#[derive(Clone, Copy)]
pub(super) struct Tie {
    pub(super) parent: TaskId,
    pub(super) child: TaskId,
    pub(super) on_failure: OnFailure,
}

impl From<(Vec<u8>, Vec<u8>, i32)> for Tie {
    fn from((parent, child, on_failure): (Vec<u8>, Vec<u8>, i32)) -> Self {
        Self { parent: task_id(&parent), child: task_id(&child), on_failure: OnFailure::from_code(on_failure) }
    }
}

/// Children told in the transaction of their parent's end.
const TOLD_AT_ONCE: usize = 256;

/// A task is over: those that wait for it are told. Call it after the update that ended it.
pub(super) fn ended(writer: &mut Writer, id: TaskId, ending: Ending, now: Millis) -> QueryResult<()> {
    all_ended(writer, &[id], ending, now)
}

/// The same of several that ended alike, in the order of their ids.
pub(super) fn all_ended(writer: &mut Writer, ids: &[TaskId], ending: Ending, now: Millis) -> QueryResult<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let limit = TOLD_AT_ONCE.max(ids.len() * 2);
    if tell(writer, &ids.iter().map(|id| (*id, ending)).collect(), limit, now)? == limit {
        ids.iter().try_for_each(|id| leave(writer, *id))?;
    }
    Ok(())
}

/// Its children are told in a later transaction.
pub(super) fn leave(writer: &mut Writer, id: TaskId) -> QueryResult<()> {
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
    if left.is_empty() {
        return Ok(false);
    }
    // Who is skipped leaves children in turn.
    let mut again = ask(writer, &left, now)?;
    let states = ties::states(&mut writer.connection, &left.iter().map(|id| task_id(id)).collect())?;
    // A parent that runs again will tell them when it ends.
    let over = states.into_iter().filter_map(|(id, state)| Some((id, state?))).collect();
    let told = tell(writer, &over, limit, now)?;
    again |= told > 0;
    if told == limit {
        return Ok(true);
    }
    let done = unresolved_parents::table
        .filter(unresolved_parents::task_id.eq_any(left.iter().map(uid).collect::<Vec<Uid>>()));
    diesel::delete(done).execute(&mut writer.connection)?;
    Ok(again || left.len() >= limit)
}

/// Of those that are left, the ones that wait themselves: they were stored without a look at their parents, so that nobody's
/// transaction keeps a parent from ending. Either it has ended, or it learns here that it has a child. True where one had.
fn ask(writer: &mut Writer, left: &[Vec<u8>], now: Millis) -> QueryResult<bool> {
    let asked: BTreeSet<TaskId> = open_ties(writer, left)?.iter().map(|tie| tie.parent).collect();
    if asked.is_empty() {
        return Ok(false);
    }
    let states = ties::states(&mut writer.connection, &asked)?;
    ties::mark_parents(&mut writer.connection, &asked)?;
    // Read again: some were told while this one waited for their parents.
    let told = open_ties(writer, left)?.into_iter().filter(|tie| asked.contains(&tie.parent));
    let told = told.filter_map(|tie| {
        let told = match states.get(&tie.parent) {
            Some(state) => tie.on_failure.told((*state)?),
            // One that is gone has not ended as the child needs it, or it would have told.
            None if tie.on_failure == OnFailure::Run => Told::Met,
            None => Told::Missed,
        };
        Some((tie, told))
    });
    let told: Vec<(Tie, Told)> = told.collect();
    pass_on(writer, &told, now)?;
    Ok(!told.is_empty())
}

/// Ties of these whose parents have not told yet.
fn open_ties(writer: &mut Writer, children: &[Vec<u8>]) -> QueryResult<Vec<Tie>> {
    let ids: Vec<Uid> = children.iter().map(uid).collect();
    let rows: Vec<(Vec<u8>, Vec<u8>, i32)> = task_dependencies::table
        .filter(task_dependencies::child_id.eq_any(ids))
        .filter(task_dependencies::resolved.eq(false))
        .order((task_dependencies::child_id, task_dependencies::parent_id))
        .select((task_dependencies::parent_id, task_dependencies::child_id, task_dependencies::on_failure))
        .load(&mut writer.connection)?;
    Ok(rows.into_iter().map(Tie::from).collect())
}

/// How many children were told, each once for each of these parents.
fn tell(writer: &mut Writer, over: &BTreeMap<TaskId, Ending>, limit: usize, now: Millis) -> QueryResult<usize> {
    let parents: Vec<TaskId> = over.keys().copied().collect();
    let waiting = ties::waiting(&mut writer.connection, &parents, limit)?;
    let told = |tie: Tie| over.get(&tie.parent).map(|ending| (tie, tie.on_failure.told(*ending)));
    let told: Vec<(Tie, Told)> = waiting.into_iter().filter_map(told).collect();
    pass_on(writer, &told, now)?;
    Ok(told.len())
}

/// What children learn: whoever has heard from the last of their parents may run.
fn pass_on(writer: &mut Writer, told: &[(Tie, Told)], now: Millis) -> QueryResult<()> {
    if told.is_empty() {
        return Ok(());
    }
    ties::resolve(&mut writer.connection, told.iter().map(|(tie, _)| tie))?;
    let mut learnt: BTreeMap<TaskId, (i32, Option<(TaskId, Told)>)> = BTreeMap::new();
    for (tie, told) in told {
        let (met, missed) = learnt.entry(tie.child).or_default();
        match (*told, &missed) {
            (Told::Met, _) => *met += 1,
            (Told::Unneeded, Some(_)) => {}
            (told, _) => *missed = Some((tie.parent, told)),
        }
    }
    let ids: Vec<TaskId> = learnt.keys().copied().collect();
    let children = ties::hold(&mut writer.connection, &ids)?;
    let (mut lower, mut free) = (Vec::new(), Vec::new());
    // Cancelled or expired meanwhile, if it is not pending.
    for child in children.iter().filter(|child| child.status() == Status::Pending) {
        let Some((met, missed)) = learnt.get(&child.id()) else { continue };
        match missed {
            Some((parent, told)) => skip(writer, child, *parent, *told, now)?,
            None if child.unmet > *met => lower.push((child.id(), *met)),
            None => free.push(child),
        }
    }
    ties::lower(&mut writer.connection, &lower)?;
    let (later, at_once): (Vec<_>, Vec<_>) =
        free.into_iter().partition(|child| child.run_at.is_some_and(|at| at > now));
    ties::free(&mut writer.connection, &at_once.iter().map(|child| child.id()).collect::<Vec<_>>(), now)?;
    for child in at_once {
        freed(writer, child, Status::Queued, now);
    }
    for child in later {
        let ready_at = child.run_at.unwrap_or(now);
        let change =
            (tasks::status.eq(i32::from(Status::Scheduled.code())), tasks::ready_at.eq(ready_at), tasks::unmet.eq(0));
        diesel::update(tasks::table.filter(tasks::id.eq(uid(&child.id))))
            .set(change)
            .execute(&mut writer.connection)?;
        freed(writer, child, Status::Scheduled, ready_at);
    }
    Ok(())
}

/// The last parent is done: the child may run.
fn freed(writer: &mut Writer, child: &StateRecord, status: Status, ready_at: Millis) {
    let (queue, priority) = (child.queue(), child.priority());
    writer.deltas.step(&queue, priority, Status::Pending, status);
    writer.effects.changed.push((child.id(), queue.clone(), status));
    writer.effects.ready.push(Ready { queue, priority, keyed: child.is_keyed(), mark: (ready_at, child.id()) });
}

/// It will not run because of how a parent ended: neither will those that wait for it.
pub(super) fn skip(
    writer: &mut Writer,
    child: &StateRecord,
    parent: TaskId,
    told: Told,
    now: Millis,
) -> QueryResult<()> {
    let error = if told == Told::Unneeded {
        TaskError::new(ErrorKind::Unneeded, format!("it was not needed, as its parent {parent} did not fail"))
    } else {
        TaskError::new(ErrorKind::Skipped, format!("its parent {parent} did not succeed"))
    };
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
    writer.deltas.ended(task.workflow(), End::of(status, Some(error)));
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
