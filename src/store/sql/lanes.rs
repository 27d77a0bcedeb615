//! Tasks that wait in lanes, by their keys: which lanes there are, and who is first in each.

use std::collections::HashMap;

use diesel::{
    dsl::{exists, not, sql},
    prelude::*,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{BigInt, Bool, Integer, Text},
};

use super::{
    Backend, Connection,
    dialect::HOLD_FREE,
    key::uid,
    own::{DropStaleHolds, EnterLanes},
    records::{reading, task_id},
    schema::{key_holds, key_places, limits, tasks},
    tx::Writer,
};
use crate::{
    store::{Fronting, LaneAhead, TaskRow},
    task::{FlowKeys, Lane, LeaseId, Millis, Offer, Priority, Status, TaskId, rate::LimitState},
};

statement! {
    /// A seek for each level.
    Levels {
        "WITH levels (level) AS (VALUES (9), (8), (7), (6), (5), (4), (3), (2), (1), (0)) SELECT level FROM levels WHERE EXISTS \
         (SELECT 1 FROM tasks WHERE laned AND ready_at IS NOT NULL AND priority = level AND queue = " queue: &'a str => Text;
    } ") ORDER BY level DESC"
}

impl Query for Levels<'_> {
    type SqlType = Integer;
}

statement! {
    /// A seek for each lane, however many tasks are in it.
    LanesFrom {
        "WITH RECURSIVE walk (lane, n) AS (SELECT (SELECT lane FROM tasks WHERE laned AND ready_at IS NOT NULL AND queue = "
        queue: &'a str => Text;
        " AND priority = " priority: i32 => Integer;
        " AND lane >= " from: i64 => BigInt;
        " ORDER BY lane LIMIT 1), 1 UNION ALL SELECT (SELECT t.lane FROM tasks t WHERE t.laned AND t.ready_at IS NOT NULL \
         AND t.queue = " queue_too: &'a str => Text;
        " AND t.priority = " priority_too: i32 => Integer;
        " AND t.lane > walk.lane ORDER BY t.lane LIMIT 1), n + 1 FROM walk WHERE walk.lane IS NOT NULL AND n < "
        limit: i32 => Integer;
    } ") SELECT lane FROM walk WHERE lane IS NOT NULL"
}

impl Query for LanesFrom<'_> {
    type SqlType = BigInt;
}

statement! {
    /// A seek for each sublane.
    SublanesFrom {
        "WITH RECURSIVE walk (sublane, n) AS (SELECT (SELECT sublane FROM tasks WHERE laned AND ready_at IS NOT NULL AND queue = "
        queue: &'a str => Text;
        " AND priority = " priority: i32 => Integer;
        " AND lane = " lane: i64 => BigInt;
        " AND sublane >= " from: i64 => BigInt;
        " ORDER BY sublane LIMIT 1), 1 UNION ALL SELECT (SELECT t.sublane FROM tasks t WHERE t.laned AND t.ready_at IS NOT NULL \
         AND t.queue = " queue_too: &'a str => Text;
        " AND t.priority = " priority_too: i32 => Integer;
        " AND t.lane = " lane_too: i64 => BigInt;
        " AND t.sublane > walk.sublane ORDER BY t.sublane LIMIT 1), n + 1 FROM walk WHERE walk.sublane IS NOT NULL AND n < "
        limit: i32 => Integer;
    } ") SELECT sublane FROM walk WHERE sublane IS NOT NULL"
}

impl Query for SublanesFrom<'_> {
    type SqlType = BigInt;
}

/// Those whose time has come go to their lanes; how many.
pub(super) fn enter(writer: &mut Writer, queue: &str, now: Millis, limit: usize) -> QueryResult<usize> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    EnterLanes { queue, now, limit }.execute(&mut writer.connection)
}

/// Priorities of which tasks wait in lanes, highest first.
pub(super) fn levels(connection: &mut Connection, queue: &str) -> QueryResult<Vec<Priority>> {
    let levels: Vec<i32> = Levels { queue }.load(connection)?;
    Ok(levels.into_iter().map(reading::priority).collect())
}

pub(super) fn lanes_from(
    connection: &mut Connection,
    queue: &str,
    priority: Priority,
    from: i64,
    limit: usize,
) -> QueryResult<Vec<i64>> {
    let (level, limit) = (i32::from(priority.level()), i32::try_from(limit).unwrap_or(i32::MAX));
    let walk = LanesFrom { queue, priority: level, from, queue_too: queue, priority_too: level, limit };
    walk.load(connection)
}

pub(super) fn sublanes_from(
    connection: &mut Connection,
    queue: &str,
    priority: Priority,
    Lane { lane, sublane: from }: Lane,
    limit: usize,
) -> QueryResult<Vec<i64>> {
    let (level, limit) = (i32::from(priority.level()), i32::try_from(limit).unwrap_or(i32::MAX));
    let (queue_too, priority_too, lane_too) = (queue, level, lane);
    let walk = SublanesFrom { queue, priority: level, lane, from, queue_too, priority_too, lane_too, limit };
    walk.load(connection)
}

/// Lane, sublane, time, id and keys.
pub(super) type Front = (i64, i64, i64, Vec<u8>, String);

pub(super) fn fronting((lane, sublane, ready_at, id, flow): Front) -> Fronting {
    // Keys of a later version are as good as none: no limit of this one is for them.
    let flow = serde_json::from_str(&flow).unwrap_or_default();
    Fronting { place: Lane { lane, sublane }, mark: (ready_at, task_id(&id)), flow }
}

pub(super) fn key_limits(
    connection: &mut Connection,
    queue: &str,
    keys: &[&str],
) -> QueryResult<HashMap<String, LimitState>> {
    let rows = limits::table.filter(limits::queue.eq(queue)).filter(limits::key.eq_any(keys));
    let rows: Vec<(String, String)> = rows.select((limits::key, limits::state)).load(connection)?;
    Ok(rows.into_iter().filter_map(|(key, text)| Some((key, serde_json::from_str(&text).ok()?))).collect())
}

/// How many places are taken of each key. Where that seems to be all there are, those of tasks that have ended are found out.
pub(super) fn key_holds(
    writer: &mut Writer,
    queue: &str,
    keys: &[&str],
    most: u32,
) -> QueryResult<HashMap<String, u32>> {
    let mut counts = count_holds(&mut writer.connection, queue, keys)?;
    let full: Vec<String> = counts.iter().filter(|(_, n)| **n >= most).map(|(key, _)| key.clone()).collect();
    for key in full {
        let gone = DropStaleHolds { queue, key: &key }.execute(&mut writer.connection)?;
        let left = counts.get(&key).copied().unwrap_or(0).saturating_sub(u32::try_from(gone).unwrap_or(u32::MAX));
        counts.insert(key, left);
    }
    Ok(counts)
}

fn count_holds(connection: &mut Connection, queue: &str, keys: &[&str]) -> QueryResult<HashMap<String, u32>> {
    let held = key_holds::table.filter(key_holds::queue.eq(queue)).filter(key_holds::key.eq_any(keys));
    let rows: Vec<(String, i64)> =
        held.group_by(key_holds::key).select((key_holds::key, diesel::dsl::count_star())).load(connection)?;
    Ok(rows.into_iter().map(|(key, n)| (key, u32::try_from(n).unwrap_or(u32::MAX))).collect())
}

pub(super) fn hold_keys(writer: &mut Writer, queue: &str, held: &[(&str, TaskId, LeaseId)]) -> QueryResult<()> {
    let row = |(key, task, lease): &(&str, TaskId, LeaseId)| {
        (
            key_holds::queue.eq(queue.to_owned()),
            key_holds::key.eq((*key).to_owned()),
            key_holds::task_id.eq(uid(task.as_bytes())),
            key_holds::lease_id.eq(uid(lease.as_bytes())),
        )
    };
    for held in held.chunks(1_000) {
        // A row that an earlier attempt of the same task has left is that of this one now.
        let ids: Vec<_> = held.iter().map(|(_, task, _)| uid(task.as_bytes())).collect();
        let keys: Vec<_> = held.iter().map(|(key, ..)| *key).collect();
        let before = key_holds::table
            .filter(key_holds::queue.eq(queue))
            .filter(key_holds::key.eq_any(keys))
            .filter(key_holds::task_id.eq_any(ids));
        diesel::delete(before).execute(&mut writer.connection)?;
        let rows: Vec<_> = held.iter().map(row).collect();
        diesel::insert_into(key_holds::table).values(rows).execute(&mut writer.connection)?;
    }
    Ok(())
}

/// Those of tasks that are over are given back by the look at them, so that no end of a task needs to know of them.
pub(super) fn key_places(writer: &mut Writer, queue: &str, key: &str) -> QueryResult<u64> {
    let taken = key_places::table.filter(key_places::queue.eq(queue)).filter(key_places::key.eq(key));
    let live = tasks::table
        .filter(tasks::id.eq(key_places::task_id))
        .filter(tasks::status.lt(i32::from(Status::Success.code())));
    diesel::delete(taken.filter(not(exists(live)))).execute(&mut writer.connection)?;
    let n: i64 = taken.count().get_result(&mut writer.connection)?;
    Ok(u64::try_from(n).unwrap_or_default())
}

pub(super) fn take_place(writer: &mut Writer, queue: &str, key: &str, task: TaskId) -> QueryResult<()> {
    let row = (key_places::queue.eq(queue), key_places::key.eq(key), key_places::task_id.eq(uid(task.as_bytes())));
    diesel::insert_into(key_places::table).values(row).execute(&mut writer.connection).map(|_| ())
}

/// In the words of the index.
fn laned() -> diesel::expression::SqlLiteral<Bool> {
    sql::<Bool>("laned AND ready_at IS NOT NULL")
}

pub(super) fn has_any(connection: &mut Connection, queue: &str, until: Millis) -> QueryResult<bool> {
    if !levels(connection, queue)?.is_empty() {
        return Ok(true);
    }
    // In the order of the index, so that it is this one.
    let unlaned = sql::<Bool>("ready_at IS NOT NULL AND lane IS NOT NULL AND NOT laned");
    let first =
        tasks::table.filter(tasks::queue.eq(queue)).filter(unlaned).order(tasks::ready_at).select(tasks::ready_at);
    let first: Option<Option<Millis>> = first.first(connection).optional()?;
    Ok(first.flatten().is_some_and(|at| at <= until))
}

/// Since when the oldest of the first thousand tasks in lanes waits: no index is by time over all lanes.
pub(super) fn oldest(connection: &mut Connection, queue: &str) -> QueryResult<Option<Millis>> {
    let first = tasks::table
        .filter(tasks::queue.eq(queue))
        .filter(laned())
        .order((tasks::queue, tasks::priority, tasks::lane, tasks::sublane, tasks::ready_at))
        .select(tasks::ready_at)
        .limit(1_000);
    let waiting: Vec<Option<Millis>> = first.load(connection)?;
    Ok(waiting.into_iter().flatten().min())
}

pub(super) fn key_running(connection: &mut Connection, queue: &str, key: &str) -> QueryResult<u32> {
    let held = key_holds::table.filter(key_holds::queue.eq(queue)).filter(key_holds::key.eq(key));
    let live = tasks::table
        .filter(tasks::id.eq(key_holds::task_id))
        .filter(tasks::status.eq(i32::from(Status::Running.code())))
        .filter(tasks::lease_id.eq(key_holds::lease_id.nullable()));
    let n: i64 = held.filter(exists(live)).count().get_result(connection)?;
    Ok(u32::try_from(n).unwrap_or(u32::MAX))
}

pub(super) fn ahead(connection: &mut Connection, task: &TaskRow, from: i64, most: u64) -> QueryResult<LaneAhead> {
    let (Some(flow), Some(at)) = (&task.flow, task.ready_at) else { return Ok(LaneAhead::default()) };
    let (place, limit) = (flow.lane(), i64::try_from(most).unwrap_or(i64::MAX));
    let own = tasks::table
        .filter(tasks::queue.eq(&task.queue))
        .filter(tasks::priority.eq(i32::from(task.priority.level())))
        .filter(laned())
        .filter(tasks::lane.eq(place.lane))
        .filter(tasks::sublane.eq(place.sublane))
        .filter(tasks::ready_at.le(at))
        .select((tasks::ready_at.assume_not_null(), tasks::id))
        .limit(limit);
    let own: Vec<(i64, Vec<u8>)> = own.load(connection)?;
    let before = |(ready_at, id): &&(i64, Vec<u8>)| (*ready_at, id.as_slice()) < (at, task.id.as_bytes().as_slice());
    let own = own.iter().filter(before).count() as u64;
    let lanes =
        lanes_from(connection, &task.queue, task.priority, i64::MIN, usize::try_from(most).unwrap_or(usize::MAX))?;
    // In the order of the round that begins there.
    let turn = |lane: i64| (lane < from, lane);
    let mut others = lanes;
    others.retain(|lane| *lane != place.lane);
    let before: Vec<i64> = others.iter().copied().filter(|lane| turn(*lane) < turn(place.lane)).collect();
    let next = match before.iter().min_by_key(|lane| turn(**lane)) {
        Some(lane) => keys(connection, &task.queue, task.priority, *lane)?,
        None => None,
    };
    let above = levels(connection, &task.queue)?.first().is_some_and(|highest| *highest > task.priority);
    Ok(LaneAhead { own, lanes: others.len() as u64, before: before.len() as u64, next, above })
}

/// Lanes of a priority that are looked at.
const LOOKED_AT: usize = 100;
/// Tasks of a lane that are counted.
const COUNTED: i64 = 1_000;

pub(super) fn unservable(connection: &mut Connection, queue: &str, offers: &[Offer]) -> QueryResult<u64> {
    let mut unservable = 0;
    for priority in levels(connection, queue)? {
        let lanes = lanes_from(connection, queue, priority, i64::MIN, LOOKED_AT)?;
        let lanes: Vec<(i64, usize)> = lanes.into_iter().map(|lane| (lane, 1)).collect();
        for first in super::fronts::lane_fronts(connection, queue, priority, &lanes, i64::MIN)? {
            let FlowKeys { handler, requires, .. } = &first.flow;
            if offers.iter().any(|offer| offer.lacks(queue, handler.as_deref(), requires).is_none()) {
                continue;
            }
            let alike = tasks::table
                .filter(tasks::queue.eq(queue))
                .filter(tasks::priority.eq(i32::from(priority.level())))
                .filter(laned())
                .filter(tasks::lane.eq(first.place.lane))
                .select(tasks::ready_at.assume_not_null())
                .limit(COUNTED);
            unservable += alike.load::<i64>(connection)?.len() as u64;
        }
    }
    Ok(unservable)
}

/// Of some task of a lane.
fn keys(connection: &mut Connection, queue: &str, priority: Priority, lane: i64) -> QueryResult<Option<FlowKeys>> {
    let first = tasks::table
        .filter(tasks::queue.eq(queue))
        .filter(tasks::priority.eq(i32::from(priority.level())))
        .filter(laned())
        .filter(tasks::lane.eq(lane))
        .select(tasks::flow);
    let flow: Option<Option<String>> = first.first(connection).optional()?;
    Ok(flow.flatten().and_then(|text| serde_json::from_str(&text).ok()))
}

/// What of keys does not matter any more, so many rows of each kind at most; whether there may be more of it: keys come and go by
/// the million.
pub(super) fn prune(connection: &mut Connection, now: Millis, rows: usize) -> QueryResult<bool> {
    let old = format!(
        "DELETE FROM limits WHERE (queue, key) IN (SELECT queue, key FROM limits WHERE key <> '' AND matters_until <= {now} \
         LIMIT {rows}{HOLD_FREE})"
    );
    let ended = format!(
        "DELETE FROM key_holds WHERE (queue, key, task_id) IN (SELECT h.queue, h.key, h.task_id FROM key_holds h WHERE NOT EXISTS \
         (SELECT 1 FROM tasks t WHERE t.id = h.task_id AND t.status = 3 AND t.lease_id = h.lease_id) LIMIT {rows}{HOLD_FREE})"
    );
    let over = format!(
        "DELETE FROM key_places WHERE (queue, key, task_id) IN (SELECT p.queue, p.key, p.task_id FROM key_places p WHERE NOT EXISTS \
         (SELECT 1 FROM tasks t WHERE t.id = p.task_id AND t.status < 5) LIMIT {rows}{HOLD_FREE})"
    );
    let mut more = false;
    for statement in [old, ended, over] {
        more |= diesel::sql_query(statement).execute(connection)? >= rows;
    }
    Ok(more)
}
