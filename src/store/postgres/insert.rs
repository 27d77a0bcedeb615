//! New tasks: one statement for all of a batch.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use diesel::prelude::*;

use super::{
    dependencies::{self, Bonds},
    key::{Uid, uid},
    own::{InsertTasks, KeyHolders, NoteExpiries},
    records::reading,
    schema::{queues, tasks},
    submit, ties,
    tx::Writer,
    unique::{self, Holder},
};
use crate::{
    store::{Counted, Inserted},
    task::{NewTask, Status, TaskId},
};

/// How often a key is tried again whose holder has ended in the meantime.
const TRIES: usize = 3;

pub(super) fn insert(writer: &mut Writer, new: &[&NewTask]) -> QueryResult<Vec<Inserted>> {
    let mut outcomes: Vec<Option<Inserted>> = vec![None; new.len()];
    let mut rows = Vec::with_capacity(new.len());
    for (place, (task, bonds)) in new.iter().zip(ties::look_up(&mut writer.connection, new)?).enumerate() {
        match bonds {
            Ok(bonds) => rows.push(Row { place, task, bonds }),
            Err(unknown) => outcomes[place] = Some(Inserted::NoParent(unknown)),
        }
    }
    // Of two transactions with the same keys one waits for the other, not each for the other.
    rows.sort_by_key(|row| row.task.unique_key().map(|key| (&row.task.queue, key)));
    hold_queues(writer, &rows)?;
    for _ in 0..TRIES {
        let stored = store(writer, &rows)?;
        let (done, refused): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| stored.contains(&row.task.id));
        note_expiries(writer, &done)?;
        ties::tie(&mut writer.connection, &done.iter().map(|row| (row.task, &row.bonds)).collect::<Vec<_>>())?;
        for row in done {
            outcomes[row.place] = Some(counted(writer, &row)?);
        }
        let mut holders = holders(writer, &refused)?;
        rows = Vec::new();
        for (place, row) in refused.into_iter().enumerate() {
            let met = holders.remove(&place).map(|holder| unique::meet(writer, row.task, &holder)).transpose()?;
            match met.flatten() {
                Some(met) => outcomes[row.place] = Some(met),
                None => rows.push(row),
            }
        }
        if rows.is_empty() {
            break;
        }
    }
    outcomes.into_iter().map(|outcome| outcome.ok_or(diesel::result::Error::RollbackTransaction)).collect()
}

struct Row<'a> {
    place: usize,
    task: &'a NewTask,
    bonds: Bonds,
}

impl Row<'_> {
    fn status(&self) -> Status {
        if self.bonds.unmet > 0 { Status::Pending } else { self.task.first_status() }
    }
}

/// Keeps queues from being deleted before their tasks are there to be seen, and makes those that another node has deleted.
fn hold_queues(writer: &mut Writer, rows: &[Row<'_>]) -> QueryResult<()> {
    let mut names: BTreeMap<&str, i64> = BTreeMap::new();
    for task in rows.iter().map(|row| row.task) {
        names.entry(&task.queue).or_insert(task.created_at);
    }
    if names.is_empty() {
        return Ok(());
    }
    let wanted: Vec<&str> = names.keys().copied().collect();
    let there = queues::table.filter(queues::name.eq_any(&wanted)).order(queues::name).select(queues::name);
    let there: BTreeSet<String> = there.for_key_share().load::<String>(&mut writer.connection)?.into_iter().collect();
    for (name, at) in names.into_iter().filter(|(name, _)| !there.contains(*name)) {
        submit::ensure_queue(writer, name, at)?;
    }
    Ok(())
}

/// Who has the keys of these, by their place.
fn holders(writer: &mut Writer, rows: &[Row<'_>]) -> QueryResult<HashMap<usize, Holder>> {
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    let queue: Vec<&str> = rows.iter().map(|row| &*row.task.queue).collect();
    let key: Vec<&str> = rows.iter().map(|row| row.task.unique_key().unwrap_or_default()).collect();
    let found: Vec<(i64, Vec<u8>, i32, Option<i64>)> =
        KeyHolders { queue: &queue, key: &key }.load(&mut writer.connection)?;
    let place = |ordinal: i64| usize::try_from(ordinal - 1).unwrap_or(usize::MAX);
    Ok(found.into_iter().map(|(n, id, status, until)| (place(n), Holder::of((id, status, until)))).collect())
}

/// Stores those whose unique key is free; which they are.
fn store(writer: &mut Writer, rows: &[Row<'_>]) -> QueryResult<HashSet<TaskId>> {
    if rows.is_empty() {
        return Ok(HashSet::new());
    }
    let all: HashSet<TaskId> = rows.iter().map(|row| row.task.id).collect();
    if insert_rows(writer, rows)? == rows.len() {
        return Ok(all);
    }
    let ids: Vec<Uid> = rows.iter().map(|row| uid(row.task.id.as_bytes())).collect();
    let stored: Vec<Vec<u8>> =
        tasks::table.filter(tasks::id.eq_any(ids)).select(tasks::id).load(&mut writer.connection)?;
    Ok(stored.iter().filter_map(|id| TaskId::from_slice(id)).collect())
}

fn insert_rows(writer: &mut Writer, rows: &[Row<'_>]) -> QueryResult<usize> {
    fn each<'a, T>(rows: &[&'a Row<'a>], column: impl Fn(&'a Row<'a>) -> T) -> Vec<T> {
        rows.iter().map(|row| column(row)).collect()
    }
    let rows: Vec<&Row<'_>> = rows.iter().collect();
    let rows = &rows[..];
    let json = |tags: &Vec<String>| (!tags.is_empty()).then(|| serde_json::to_string(tags).unwrap_or_default());
    let waits = |row: &Row<'_>| row.status() == Status::Pending;
    InsertTasks {
        id: &each(rows, |row| uid(row.task.id.as_bytes())),
        queue: &each(rows, |row| &*row.task.queue),
        name: &each(rows, |row| row.task.name.as_str()),
        priority: &each(rows, |row| row.task.priority.level().into()),
        status: &each(rows, |row| row.status().code().into()),
        ready_at: &each(rows, |row| (!waits(row)).then(|| row.task.ready_at())),
        created_at: &each(rows, |row| row.task.created_at),
        run_at: &each(rows, |row| row.task.run_at),
        expires_at: &each(rows, |row| row.task.expires_at),
        max_age_ms: &each(rows, |row| row.task.max_age_ms),
        max_retries: &each(rows, |row| reading::signed(row.task.max_retries)),
        timeout_ms: &each(rows, |row| row.task.timeout_ms),
        unique_key: &each(rows, |row| row.task.unique_key()),
        unique_while: &each(rows, |row| row.task.unique.as_ref().and_then(|unique| unique.scope.code())),
        unique_until: &each(rows, |row| row.task.unique.as_ref().and_then(|unique| unique.until)),
        retry: &each(rows, |row| row.task.retry.as_ref().and_then(|policy| serde_json::to_string(policy).ok())),
        result_ttl_ms: &each(rows, |row| row.task.result_ttl_ms),
        parents: &each(rows, |row| i32::try_from(row.task.parents.len()).unwrap_or(i32::MAX)),
        unmet: &each(rows, |row| reading::signed(row.bonds.unmet)),
        workflow: &each(rows, |row| row.task.workflow.map(|id| uid(id.as_bytes()))),
        has_dependants: &each(rows, |row| row.task.has_dependants),
        tags: &each(rows, |row| json(&row.task.tags)),
        meta: &each(rows, |row| row.task.meta.as_deref()),
        flow: &each(rows, |row| row.task.flow_text()),
        lane: &each(rows, |row| row.task.lane().map(|place| place.lane)),
        sublane: &each(rows, |row| row.task.lane().map(|place| place.sublane)),
        laned: &each(rows, |row| row.task.flow.is_some() && row.status() == Status::Queued),
        args: &each(rows, |row| row.task.args.as_str()),
        kwargs: &each(rows, |row| row.task.kwargs.as_str()),
    }
    .execute(&mut writer.connection)
}

fn note_expiries(writer: &mut Writer, stored: &[Row<'_>]) -> QueryResult<()> {
    let expiring = stored.iter().filter_map(|row| Some((row.task.expires_at?, uid(row.task.id.as_bytes()))));
    let (at, task): (Vec<i64>, Vec<Uid>) = expiring.unzip();
    if at.is_empty() {
        return Ok(());
    }
    NoteExpiries { at: &at, task: &task }.execute(&mut writer.connection).map(|_| ())
}

/// What goes with rows that are there now.
fn counted(writer: &mut Writer, row: &Row<'_>) -> QueryResult<Inserted> {
    let (task, status) = (row.task, row.status());
    writer.deltas.add(&task.queue, task.priority, Counted::In(status), 1);
    writer.deltas.add(&task.queue, task.priority, Counted::Submitted, 1);
    dependencies::stored(writer, task, &row.bonds, status)
}
