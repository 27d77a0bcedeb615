//! Schedules: set, listed, and moved on tick by tick.

use diesel::prelude::*;

use super::{
    Backend, Connection,
    key::uid,
    reach::queue_in,
    records::{reading, task_id},
    schema::{schedules, tasks},
    tx::Writer,
};
use crate::{
    store::{Advanced, Origin, ScheduleFilter, ScheduleRow, ScheduleTx, StoreError},
    task::{Millis, Status, TaskId},
};

type Record = (
    String,
    String,
    String,
    String,
    String,
    Option<String>,
    i32,
    i64,
    Option<i64>,
    Option<i64>,
    Option<Vec<u8>>,
    String,
    i64,
    i64,
);

/// `None` of what this version cannot read.
fn schedule(record: Record) -> Option<ScheduleRow> {
    let (name, _, rule, task, origin, paused_by, version, anchor, tick, at, last_task, tally, created_at, updated_at) =
        record;
    let read = (serde_json::from_str(&rule), serde_json::from_str(&task));
    let (Ok(rule), Ok(task)) = read else {
        log::warn!(schedule = name.as_str(); "A schedule was written by another version and cannot be read by this one");
        return None;
    };
    Some(ScheduleRow {
        rule,
        task,
        origin: Origin::parse(&origin).unwrap_or(Origin::Api),
        paused_by: paused_by.map(|by| Origin::parse(&by).unwrap_or(Origin::Api)),
        version: reading::count(version),
        anchor,
        next: tick.zip(at),
        last_task: last_task.map(|id| task_id(&id)),
        tally: serde_json::from_str(&tally).unwrap_or_default(),
        created_at,
        updated_at,
        name,
    })
}

/// What is set of it, but its name.
macro_rules! columns {
    ($row:expr) => {
        (
            schedules::queue.eq(&$row.task.queue),
            schedules::rule.eq(text(&$row.rule)),
            schedules::task.eq(text(&$row.task)),
            schedules::origin.eq($row.origin.as_str()),
            schedules::paused_by.eq($row.paused_by.map(Origin::as_str)),
            schedules::version.eq(reading::signed($row.version)),
            schedules::anchor.eq($row.anchor),
            schedules::next_tick.eq($row.next.map(|(tick, _)| tick)),
            schedules::next_at.eq($row.next.map(|(_, at)| at)),
            schedules::last_task.eq($row.last_task.map(|id| uid(id.as_bytes()))),
            schedules::tally.eq(text(&$row.tally)),
            schedules::created_at.eq($row.created_at),
            schedules::updated_at.eq($row.updated_at),
        )
    };
}

pub(super) fn text<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

impl ScheduleTx for Writer {
    fn schedule(&mut self, name: &str) -> Result<Option<ScheduleRow>, StoreError> {
        let row = locked!(schedules::table.find(name)).first::<Record>(&mut self.connection).optional();
        self.told(row).map(|row| row.and_then(schedule))
    }

    fn schedule_count(&mut self) -> Result<usize, StoreError> {
        let count = schedules::table.count().get_result::<i64>(&mut self.connection);
        self.told(count).map(|n| usize::try_from(n).unwrap_or(0))
    }

    fn add_schedule(&mut self, row: &ScheduleRow) -> Result<bool, StoreError> {
        let add = diesel::insert_into(schedules::table).values((schedules::name.eq(&row.name), columns!(row)));
        let done = add.on_conflict_do_nothing().execute(&mut self.connection).map(|rows| rows > 0);
        self.told(done)
    }

    fn change_schedule(&mut self, row: &ScheduleRow) -> Result<(), StoreError> {
        let change = diesel::update(schedules::table.find(&row.name)).set(columns!(row));
        let done = change.execute(&mut self.connection).map(|_| ());
        self.told(done)
    }

    fn delete_schedule(&mut self, name: &str) -> Result<bool, StoreError> {
        let done = diesel::delete(schedules::table.find(name)).execute(&mut self.connection).map(|rows| rows > 0);
        self.told(done)
    }

    fn declared_schedules(&mut self) -> Result<Vec<String>, StoreError> {
        let declared = schedules::table.filter(schedules::origin.eq(Origin::File.as_str()));
        let done = declared.order(schedules::name).select(schedules::name).load(&mut self.connection);
        self.told(done)
    }

    fn due_schedules(&mut self, now: Millis, limit: usize) -> Result<Vec<ScheduleRow>, StoreError> {
        let due = schedules::table
            .filter(schedules::next_at.is_not_null().and(schedules::next_at.le(now)))
            .order(schedules::next_at)
            .limit(i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = locked_if_free!(due).load::<Record>(&mut self.connection);
        self.told(rows).map(|rows| rows.into_iter().filter_map(schedule).collect())
    }

    fn advance_schedules(&mut self, advanced: &[Advanced]) -> Result<(), StoreError> {
        let done = super::advance_schedules(&mut self.connection, advanced);
        self.told(done)
    }

    fn live_among(&mut self, among: &[TaskId]) -> Result<Vec<TaskId>, StoreError> {
        if among.is_empty() {
            return Ok(Vec::new());
        }
        let live = Status::ALL.into_iter().filter(|status| !status.is_terminal());
        let live: Vec<i32> = live.map(|status| i32::from(status.code())).collect();
        let ids: Vec<_> = among.iter().map(|id| uid(id.as_bytes())).collect();
        let found = tasks::table.filter(tasks::id.eq_any(ids)).filter(tasks::status.eq_any(live)).select(tasks::id);
        let found = found.load::<Vec<u8>>(&mut self.connection);
        self.told(found).map(|ids| ids.iter().map(|id| task_id(id)).collect())
    }
}

pub(super) fn find(connection: &mut Connection, name: &str) -> QueryResult<Option<ScheduleRow>> {
    Ok(schedules::table.find(name).first::<Record>(connection).optional()?.and_then(schedule))
}

/// By name, after this one.
pub(super) fn list(
    connection: &mut Connection,
    filter: &ScheduleFilter,
    after: Option<&str>,
    limit: usize,
) -> QueryResult<Vec<ScheduleRow>> {
    let mut query = schedules::table.into_boxed::<Backend>();
    if let Some(after) = after {
        query = query.filter(schedules::name.gt(after));
    }
    if let Some(queue) = &filter.queue {
        query = query.filter(schedules::queue.eq(queue));
    }
    if let Some(within) = &filter.within {
        query = query.filter(queue_in(within));
    }
    query = match filter.enabled {
        Some(true) => query.filter(schedules::paused_by.is_null()),
        Some(false) => query.filter(schedules::paused_by.is_not_null()),
        None => query,
    };
    let rows: Vec<Record> =
        query.order(schedules::name).limit(i64::try_from(limit).unwrap_or(i64::MAX)).load(connection)?;
    Ok(rows.into_iter().filter_map(schedule).collect())
}

/// When the first of them is due.
pub(super) fn next(connection: &mut Connection) -> QueryResult<Option<Millis>> {
    let due = schedules::table.filter(schedules::next_at.is_not_null()).order(schedules::next_at);
    Ok(due.select(schedules::next_at).first::<Option<i64>>(connection).optional()?.flatten())
}
