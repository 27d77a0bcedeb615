//! What a claim finds at the door of a queue.

use diesel::{
    QueryResult, RunQueryDsl,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    result::Error,
    sql_types::{BigInt, Bool, Integer, Nullable, Text},
};

use super::{
    Backend, Connection, Id, limits,
    records::{bytes, reading},
    tx::Writer,
};
use crate::{store::Entrance, task::WorkerId};

statement! {
    /// Holds the worker, so that it is not declared dead before its grants can be seen, and the queue, so that it is not paused
    /// meanwhile: shared with other claims, or for this one alone where there is something to be counted. Which it must be is
    /// looked up first: a lock that is shared by two cannot be made exclusive by both. The orders keep the planner to the
    /// indexes of what waits by keys, of which there is mostly nothing.
    EnterQueue {
        "WITH worker AS (SELECT state FROM workers WHERE id = " worker: &'a [u8] => Id;
        " FOR KEY SHARE), here AS (SELECT name, " limited: bool => Bool;
        " OR settings::jsonb ?| '{rate_limit,concurrency,key_rate_limit,key_concurrency}' AS counted FROM queues WHERE name = " queue: &'a str => Text;
    } "), shared AS (SELECT q.* FROM here JOIN queues q USING (name) WHERE NOT counted FOR KEY SHARE OF q), \
       alone AS (SELECT q.* FROM here JOIN queues q USING (name) WHERE counted FOR UPDATE OF q) \
       SELECT worker.state, coalesce(here.counted, FALSE), held.paused, held.weight, held.settings, \
       (SELECT priority FROM tasks WHERE laned AND ready_at IS NOT NULL AND queue = here.name ORDER BY queue, priority, lane \
       LIMIT 1) IS NOT NULL, \
       (SELECT ready_at FROM tasks WHERE ready_at IS NOT NULL AND lane IS NOT NULL AND NOT laned AND queue = here.name \
       ORDER BY ready_at LIMIT 1) FROM worker \
       LEFT JOIN here ON TRUE LEFT JOIN (TABLE shared UNION ALL TABLE alone) held ON TRUE"
}

impl Query for EnterQueue<'_> {
    type SqlType = (Text, Bool, Nullable<Bool>, Nullable<Integer>, Nullable<Text>, Bool, Nullable<BigInt>);
}

type Row = (String, bool, Option<bool>, Option<i32>, Option<String>, bool, Option<i64>);

pub(super) fn entrance(writer: &mut Writer, queue: &str, worker: WorkerId, limited: bool) -> QueryResult<Entrance> {
    let statement = EnterQueue { worker: bytes(worker.as_bytes()), queue, limited };
    let rows: Vec<Row> = statement.load(&mut writer.connection)?;
    let alive = rows.into_iter().next().filter(|(state, ..)| matches!(&**state, "alive" | "draining"));
    let Some((_, counted, paused, weight, settings, laned, unlaned)) = alive else {
        return Ok(Entrance { fenced: true, ..Entrance::default() });
    };
    let settings = limits::settings(settings.as_deref().unwrap_or("{}"));
    // A limit was set while this waited for the lock: once more.
    if !counted && !settings.is_unlimited() {
        return Err(Error::RollbackTransaction);
    }
    let weight = weight.map_or(1, reading::count);
    let paused = paused.unwrap_or_default();
    Ok(Entrance { fenced: false, paused, weight, settings, laned, unlaned })
}
