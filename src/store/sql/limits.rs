//! What bounds a queue: its settings, what has been granted under its limit, how much of it waits or runs.

use diesel::{dsl::sql, prelude::*, sql_types};

use super::{
    Connection,
    hot::KeepLimit,
    lanes,
    schema::{counters, limits, queues},
    tx::Writer,
};
use crate::{
    store::{Counted, QueueDeleted, QueueRow},
    task::{Millis, QueueSettings, Status, rate::LimitState},
};

/// Settings as stored. What an older version does not know is dropped, never an error.
pub(super) fn settings(text: &str) -> QueueSettings {
    if text == "{}" { QueueSettings::default() } else { serde_json::from_str(text).unwrap_or_default() }
}

/// Of an older version's nothing is known.
pub(super) fn state(connection: &mut Connection, queue: &str) -> QueryResult<Option<LimitState>> {
    let row: Option<String> = limits::table.find((queue, "")).select(limits::state).first(connection).optional()?;
    Ok(row.and_then(|text| serde_json::from_str(&text).ok()))
}

pub(super) fn keep_state(writer: &mut Writer, queue: &str, state: &LimitState, until: Millis) -> QueryResult<()> {
    let text = serde_json::to_string(state).unwrap_or_default();
    KeepLimit { queue, key: "", until, state: &text }.execute(&mut writer.connection).map(|_| ())
}

/// How many tasks of a queue are in one of these statuses, this transaction's changes included.
pub(super) fn count(writer: &mut Writer, queue: &str, statuses: &[Status]) -> QueryResult<u64> {
    let kinds: Vec<i32> = statuses.iter().map(|status| Counted::In(*status).code().into()).collect();
    let sum = counters::table.filter(counters::queue.eq(queue)).filter(counters::kind.eq_any(kinds)).select(sql::<
        sql_types::BigInt,
    >(
        "CAST(coalesce(sum(n), 0) AS BIGINT)",
    ));
    let stored: i64 = sum.first(&mut writer.connection)?;
    let pending: i64 = statuses.iter().map(|status| writer.deltas.of(queue, Counted::In(*status))).sum();
    Ok(u64::try_from(stored + pending).unwrap_or(0))
}

pub(super) fn configure(writer: &mut Writer, row: &QueueRow) -> QueryResult<()> {
    let set = (
        queues::settings.eq(serde_json::to_string(&row.settings).unwrap_or_else(|_| "{}".into())),
        queues::weight.eq(i32::try_from(row.weight).unwrap_or(i32::MAX)),
        queues::paused.eq(row.paused),
        queues::version.eq(queues::version + 1),
    );
    diesel::update(queues::table.find(&row.name)).set(set).execute(&mut writer.connection).map(|_| ())
}

pub(super) fn delete_queue(writer: &mut Writer, name: &str) -> QueryResult<QueueDeleted> {
    let held = locked!(queues::table.find(name).select(queues::name));
    if held.first::<String>(&mut writer.connection).optional()?.is_none() {
        return Ok(QueueDeleted::NotFound);
    }
    let tasks = count(writer, name, &Status::ALL)?;
    if tasks > 0 {
        return Ok(QueueDeleted::NotEmpty(tasks));
    }
    // What has started under its limit is kept: it may be made again.
    let gone = diesel::delete(queues::table.find(name)).execute(&mut writer.connection)?;
    Ok(if gone > 0 { QueueDeleted::Done } else { QueueDeleted::NotFound })
}

/// What of deleted queues, of keys and of ended tasks does not matter any more, so many rows at most; whether there may be more.
pub(super) fn prune(connection: &mut Connection, now: Millis, rows: usize) -> QueryResult<bool> {
    let more = lanes::prune(connection, now, rows)?;
    let kept = queues::table.filter(queues::name.eq(limits::queue));
    let old = limits::table
        .filter(limits::key.eq(""))
        .filter(limits::matters_until.le(now))
        .filter(diesel::dsl::not(diesel::dsl::exists(kept)));
    diesel::delete(old).execute(connection)?;
    Ok(more)
}

pub(super) fn set_paused(writer: &mut Writer, queue: &str, paused: bool) -> QueryResult<bool> {
    let held = locked!(queues::table.find(queue).select(queues::name)).first::<String>(&mut writer.connection);
    if held.optional()?.is_none() {
        return Ok(false);
    }
    // Who has read the queue before is to hear of it.
    let change = diesel::update(queues::table.find(queue))
        .set((queues::paused.eq(paused), queues::version.eq(queues::version + 1)));
    Ok(change.execute(&mut writer.connection)? > 0)
}
