//! Operations on many tasks, and what they and operators do to one.

use diesel::prelude::*;

use super::{
    Backend, Connection, dependencies,
    key::uid,
    list::paged,
    records::{StateRecord, reading, task_id},
    schema::{attempts, dead_letter_queue, operations, tasks},
    tx::Writer,
};
use crate::{
    store::{
        Action, Amended, Amendment, Among, Counted, DeadFilter, Deleted, ListedPage, Operation, OperationState,
        OperationStep, Page,
    },
    task::{Millis, Reach, Ready, Status, TaskId},
};

/// Operations read at a time, and how often at most for one page.
const STRIDE: i64 = 201;
const MOST_STRIDES: usize = 25;

pub(super) fn begin(writer: &mut Writer, operation: &Operation) -> QueryResult<()> {
    let row = (
        operations::id.eq(uid(operation.id.as_bytes())),
        operations::action.eq(operation.action.as_str()),
        operations::filter.eq(serde_json::to_string(&operation.among).unwrap_or_default()),
        operations::rate.eq(operation.rate),
        operations::state.eq(operation.state.as_str()),
        operations::created_at.eq(operation.created_at),
    );
    diesel::insert_into(operations::table).values(row).execute(&mut writer.connection).map(|_| ())
}

pub(super) fn advance(writer: &mut Writer, step: &OperationStep, done: u64, now: Millis) -> QueryResult<bool> {
    let place = |place: Option<TaskId>| place.map(|id| uid(id.as_bytes()));
    let row = operations::table
        .find(uid(step.id.as_bytes()))
        .filter(operations::state.eq(OperationState::Running.as_str()))
        .filter(same!(operations::position, place(step.from)));
    let refused = (step.tasks.len() as u64).saturating_sub(done);
    let state = if step.last { OperationState::Done } else { OperationState::Running };
    let change = (
        operations::position.eq(place(step.to)),
        operations::done.eq(operations::done + i64::try_from(done).unwrap_or(0)),
        operations::refused.eq(operations::refused + i64::try_from(refused).unwrap_or(0)),
        operations::state.eq(state.as_str()),
        operations::finished_at.eq(step.last.then_some(now)),
    );
    Ok(diesel::update(row).set(change).execute(&mut writer.connection)? > 0)
}

pub(super) fn cancel(writer: &mut Writer, id: TaskId, now: Millis) -> QueryResult<bool> {
    let row = operations::table.find(uid(id.as_bytes())).filter(operations::state.eq(OperationState::Running.as_str()));
    let change = (operations::state.eq(OperationState::Cancelled.as_str()), operations::finished_at.eq(now));
    Ok(diesel::update(row).set(change).execute(&mut writer.connection)? > 0)
}

/// With all that belongs to it.
pub(super) fn delete(writer: &mut Writer, id: TaskId) -> QueryResult<Deleted> {
    let Some(task) = StateRecord::find(&mut writer.connection, id)? else { return Ok(Deleted::NotFound) };
    if !task.status().is_terminal() || dependencies::is_needed(writer, &task.id)? {
        return Ok(Deleted::Live);
    }
    dependencies::cut(writer, &task)?;
    super::workflows::task_deleted(writer, &task)?;
    diesel::delete(attempts::table.filter(attempts::task_id.eq(uid(&task.id)))).execute(&mut writer.connection)?;
    super::notes::forget(&mut writer.connection, &task.id)?;
    diesel::delete(dead_letter_queue::table.find(uid(&task.id))).execute(&mut writer.connection)?;
    diesel::delete(tasks::table.filter(tasks::id.eq(uid(&task.id)))).execute(&mut writer.connection)?;
    writer.deltas.add(&task.queue(), task.priority(), Counted::In(task.status()), -1);
    Ok(Deleted::Done)
}

pub(super) fn amend(writer: &mut Writer, id: TaskId, change: &Amendment, now: Millis) -> QueryResult<Amended> {
    let Some(task) = StateRecord::find(&mut writer.connection, id)? else { return Ok(Amended::NotFound) };
    let from = task.status();
    if !from.is_waiting() {
        return Ok(Amended::Not(from));
    }
    let (queue, before) = (task.queue(), task.priority());
    let priority = change.priority.unwrap_or(before);
    let row = tasks::table.filter(tasks::id.eq(uid(&task.id)));
    let ready_at: Option<i64> = row.select(tasks::ready_at).first(&mut writer.connection)?;
    // Parents come first: a new time is kept until they are done.
    let ready_at = ready_at.map(|at| change.run_at.map_or(at, |run_at| run_at.max(now)));
    let to = match (ready_at, change.run_at) {
        (Some(at), Some(_)) if at > now => Status::Scheduled,
        (Some(_), Some(_)) => Status::Queued,
        _ => from,
    };
    diesel::update(row)
        .set((
            tasks::priority.eq(i32::from(priority.level())),
            tasks::status.eq(i32::from(to.code())),
            tasks::ready_at.eq(ready_at),
            // It finds its lane again when its time has come.
            tasks::laned.eq(false),
            tasks::run_at.eq(change.run_at.or(task.run_at)),
        ))
        .execute(&mut writer.connection)?;
    writer.deltas.add(&queue, before, Counted::In(from), -1);
    writer.deltas.add(&queue, priority, Counted::In(to), 1);
    writer.effects.changed.push((id, queue.clone(), to));
    let keyed = task.is_keyed();
    Ok(Amended::Done(queue.clone(), ready_at.map(|at| Ready { queue, priority, keyed, mark: (at, id) })))
}

type Row = (Vec<u8>, String, String, Option<f64>, String, Option<Vec<u8>>, i64, i64, i64, Option<i64>);

fn operation((id, action, filter, rate, state, position, done, refused, created_at, finished_at): Row) -> Operation {
    Operation {
        id: task_id(&id),
        action: Action::parse(&action).unwrap_or(Action::Cancel),
        // What cannot be read must not be done to everything.
        among: reading::json(Some(filter))
            .unwrap_or_else(|| Among::DeadLetters(DeadFilter { name: Some(String::new()), ..DeadFilter::default() })),
        rate,
        state: OperationState::parse(&state).unwrap_or(OperationState::Cancelled),
        position: position.map(|id| task_id(&id)),
        done: u64::try_from(done).unwrap_or(0),
        refused: u64::try_from(refused).unwrap_or(0),
        created_at,
        finished_at,
    }
}

/// What an operation is for is in its filter, so those for other queues are passed over here.
pub(super) fn list(
    connection: &mut Connection,
    page: &Page,
    within: Option<&Reach>,
) -> QueryResult<ListedPage<Operation>> {
    let (newest_first, wanted) = (page.ascending == page.backwards, page.limit + 1);
    let (mut rows, mut from) = (Vec::new(), page.from);
    for _ in 0..MOST_STRIDES {
        let mut query = operations::table.into_boxed::<Backend>();
        if let Some(from) = from {
            let from = uid(from.as_bytes());
            query = if newest_first {
                query.filter(operations::id.lt(from))
            } else {
                query.filter(operations::id.gt(from))
            };
        }
        let query = if newest_first { query.order(operations::id.desc()) } else { query.order(operations::id.asc()) };
        let found: Vec<Row> = query.limit(STRIDE).load(connection)?;
        let ended = i64::try_from(found.len()).is_ok_and(|n| n < STRIDE);
        let found = found.into_iter().map(operation);
        for operation in found {
            from = Some(operation.id);
            if within.is_none_or(|within| operation.among.is_within(within)) {
                rows.push(operation);
            }
        }
        if ended || rows.len() >= wanted {
            from = None;
            break;
        }
    }
    Ok(paged(rows, page, from, |operation| operation.id))
}

pub(super) fn find(connection: &mut Connection, id: TaskId) -> QueryResult<Option<Operation>> {
    let row: Option<Row> = operations::table.find(uid(id.as_bytes())).first(connection).optional()?;
    Ok(row.map(operation))
}

pub(super) fn running(connection: &mut Connection) -> QueryResult<Vec<Operation>> {
    let running =
        operations::table.filter(operations::state.eq(OperationState::Running.as_str())).order(operations::id);
    Ok(running.load::<Row>(connection)?.into_iter().map(operation).collect())
}
