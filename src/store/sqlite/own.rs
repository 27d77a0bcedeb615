//! The statements that only this store understands.

use diesel::{
    QueryResult, RunQueryDsl,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{BigInt, Bool, Integer, Nullable, Text},
};

use super::{Backend, Connection, Id, schedules::text};
use crate::store::Advanced;

statement! {
    InsertTask {
        "INSERT INTO tasks (id, queue, name, priority, status, ready_at, created_at, run_at, expires_at, max_age_ms, \
         max_retries, timeout_ms, unique_key, live_key, unique_while, unique_until, retry, result_ttl_ms, parents, unmet, workflow_id, has_dependants, tags, meta, flow, lane, sublane, laned, args, kwargs) VALUES ("
        id: &'a [u8] => Id;
        ", " queue: &'a str => Text;
        ", " name: &'a str => Text;
        ", " priority: i32 => Integer;
        ", " status: i32 => Integer;
        ", " ready_at: Option<i64> => Nullable<BigInt>;
        ", " created_at: i64 => BigInt;
        ", " run_at: Option<i64> => Nullable<BigInt>;
        ", " expires_at: Option<i64> => Nullable<BigInt>;
        ", " max_age_ms: Option<i64> => Nullable<BigInt>;
        ", " max_retries: i32 => Integer;
        ", " timeout_ms: Option<i64> => Nullable<BigInt>;
        ", " unique_key: Option<&'a str> => Nullable<Text>;
        ", " live_key: Option<&'a str> => Nullable<Text>;
        ", " unique_while: Option<i32> => Nullable<Integer>;
        ", " unique_until: Option<i64> => Nullable<BigInt>;
        ", " retry: Option<&'a str> => Nullable<Text>;
        ", " result_ttl_ms: Option<i64> => Nullable<BigInt>;
        ", " parents: i32 => Integer;
        ", " unmet: i32 => Integer;
        ", " workflow: Option<&'a [u8]> => Nullable<Id>;
        ", " has_dependants: bool => Bool;
        ", " tags: Option<&'a str> => Nullable<Text>;
        ", " meta: Option<&'a str> => Nullable<Text>;
        ", " flow: Option<&'a str> => Nullable<Text>;
        ", " lane: Option<i64> => Nullable<BigInt>;
        ", " sublane: Option<i64> => Nullable<BigInt>;
        ", " laned: bool => Bool;
        ", " args: &'a str => Text;
        ", " kwargs: &'a str => Text;
    } ") ON CONFLICT (queue, live_key) WHERE live_key IS NOT NULL DO NOTHING"
}

statement! {
    /// The guard repeats what the claim has just read, within the same transaction.
    MarkRunning {
        "UPDATE tasks SET status = 3, ready_at = NULL, laned = FALSE, finished_at = NULL, attempt = attempt + 1, worker_id = " worker: &'a [u8] => Id;
        ", lease_id = " lease: &'a [u8] => Id;
        ", started_at = " now: i64 => BigInt;
        " WHERE seq = " seq: i64 => BigInt;
    } " AND ready_at IS NOT NULL"
}

statement! {
    AddToCounter {
        "INSERT INTO counters (queue, priority, kind, n) VALUES (" queue: &'a str => Text;
        ", " priority: i32 => Integer;
        ", " kind: i32 => Integer;
        ", " n: i64 => BigInt;
    } ") ON CONFLICT (queue, priority, kind) DO UPDATE SET n = n + excluded.n"
}

statement! {
    /// The error names the reason that was given with the request to cancel, if any was.
    MarkCancelled {
        "UPDATE tasks SET status = 8, live_key = CASE WHEN (unique_while & 256) <> 0 THEN live_key END, ready_at = NULL, error = json_object('kind', 'cancelled', 'message', \
         'cancelled by a caller' || coalesce(': ' || cancel_reason, '')), finished_at = " now: i64 => BigInt;
        " WHERE id = " id: &'a [u8] => Id;
        " AND lease_id = " lease: &'a [u8] => Id;
        " AND has_dependants <= " dependants: bool => Bool;
    } " AND status = 3"
}

statement! {
    NoteExpiry {
        "INSERT INTO expiries (expires_at, task_id) VALUES (" at: i64 => BigInt;
        ", " task: &'a [u8] => Id;
    } ") ON CONFLICT DO NOTHING"
}

statement! {
    /// Whether tasks wait in lanes, and when the next one does.
    SeeLanes {
        "SELECT EXISTS (SELECT 1 FROM tasks INDEXED BY tasks_laned WHERE laned AND ready_at IS NOT NULL AND queue = "
        queue: &'a str => Text;
        "), (SELECT ready_at FROM tasks WHERE ready_at IS NOT NULL AND lane IS NOT NULL AND NOT laned AND queue = "
        queue_too: &'a str => Text;
    } " ORDER BY ready_at LIMIT 1)"
}

impl Query for SeeLanes<'_> {
    type SqlType = (Bool, Nullable<BigInt>);
}

statement! {
    EnterLanes {
        "UPDATE tasks SET laned = TRUE WHERE seq IN (SELECT seq FROM tasks WHERE ready_at IS NOT NULL AND lane IS NOT NULL \
         AND NOT laned AND queue = " queue: &'a str => Text;
        " AND ready_at <= " now: i64 => BigInt;
        " ORDER BY ready_at LIMIT " limit: i64 => BigInt;
    } ")"
}

statement! {
    /// The first of a lane, from a sublane on.
    LaneFront {
        "SELECT lane, sublane, ready_at, id, flow FROM tasks WHERE laned AND ready_at IS NOT NULL AND queue = "
        queue: &'a str => Text;
        " AND priority = " priority: i32 => Integer;
        " AND lane = " lane: i64 => BigInt;
        " AND sublane BETWEEN " from: i64 => BigInt;
        " AND " to: i64 => BigInt;
        " ORDER BY sublane, ready_at, id LIMIT " limit: i64 => BigInt;
    } ""
}

impl Query for LaneFront<'_> {
    type SqlType = (BigInt, BigInt, BigInt, Id, Text);
}

statement! {
    DropStaleHolds {
        "DELETE FROM key_holds WHERE queue = " queue: &'a str => Text;
        " AND key = " key: &'a str => Text;
    } " AND NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.id = task_id AND tasks.status = 3 AND tasks.lease_id = key_holds.lease_id)"
}

statement! {
    AdvanceSchedule {
        "UPDATE schedules SET next_tick = " next_tick: Option<i64> => Nullable<BigInt>;
        ", next_at = " next_at: Option<i64> => Nullable<BigInt>;
        ", last_task = " last_task: Option<&'a [u8]> => Nullable<Id>;
        ", tally = " tally: &'a str => Text;
        " WHERE name = " name: &'a str => Text;
    } ""
}

pub(super) fn advance_schedules(connection: &mut Connection, advanced: &[Advanced]) -> QueryResult<()> {
    for Advanced { name, next, last_task, tally } in advanced {
        let (next_tick, next_at) = next.unzip();
        let last_task = last_task.as_ref().map(|id| &id.as_bytes()[..]);
        AdvanceSchedule { next_tick, next_at, last_task, tally: &text(tally), name }.execute(connection)?;
    }
    Ok(())
}
