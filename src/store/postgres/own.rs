//! The statements that only this store understands. Batches are one statement with arrays: a round trip for each row would
//! cost more than the row.

use diesel::{
    QueryResult, RunQueryDsl,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{Array, BigInt, Bool, Integer, Nullable, Text},
};

use super::{
    Backend, Connection, Id,
    key::{Uid, uid},
    schedules::text,
};
use crate::store::Advanced;

statement! {
    /// The error names the reason that was given with the request to cancel, if any was.
    MarkCancelled {
        "UPDATE tasks SET status = 8, live_key = CASE WHEN (unique_while & 256) <> 0 THEN live_key END, ready_at = NULL, error = json_build_object('kind', 'cancelled', 'message', \
         'cancelled by a caller' || coalesce(': ' || cancel_reason, ''))::text, finished_at = " now: i64 => BigInt;
        " WHERE id = " id: &'a [u8] => Id;
        " AND lease_id = " lease: &'a [u8] => Id;
        " AND has_dependants <= " dependants: bool => Bool;
    } " AND status = 3"
}

statement! {
    InsertTasks {
        "INSERT INTO tasks (id, queue, name, priority, status, ready_at, created_at, run_at, expires_at, max_age_ms, max_retries, \
         timeout_ms, unique_key, live_key, unique_while, unique_until, retry, result_ttl_ms, parents, unmet, workflow_id, has_dependants, tags, meta, flow, lane, sublane, laned, args, kwargs) SELECT id, queue, \
         name, priority, status, ready_at, created_at, run_at, expires_at, max_age_ms, max_retries, timeout_ms, key, key, unique_while, unique_until, retry, \
         result_ttl_ms, parents, unmet, workflow_id, has_dependants, tags, meta, flow, lane, sublane, laned, args, kwargs FROM unnest("
        id: &'a [Uid] => Array<Id>;
        ", " queue: &'a [&'a str] => Array<Text>;
        ", " name: &'a [&'a str] => Array<Text>;
        ", " priority: &'a [i32] => Array<Integer>;
        ", " status: &'a [i32] => Array<Integer>;
        ", " ready_at: &'a [Option<i64>] => Array<Nullable<BigInt>>;
        ", " created_at: &'a [i64] => Array<BigInt>;
        ", " run_at: &'a [Option<i64>] => Array<Nullable<BigInt>>;
        ", " expires_at: &'a [Option<i64>] => Array<Nullable<BigInt>>;
        ", " max_age_ms: &'a [Option<i64>] => Array<Nullable<BigInt>>;
        ", " max_retries: &'a [i32] => Array<Integer>;
        ", " timeout_ms: &'a [Option<i64>] => Array<Nullable<BigInt>>;
        ", " unique_key: &'a [Option<&'a str>] => Array<Nullable<Text>>;
        ", " unique_while: &'a [Option<i32>] => Array<Nullable<Integer>>;
        ", " unique_until: &'a [Option<i64>] => Array<Nullable<BigInt>>;
        ", " retry: &'a [Option<String>] => Array<Nullable<Text>>;
        ", " result_ttl_ms: &'a [Option<i64>] => Array<Nullable<BigInt>>;
        ", " parents: &'a [i32] => Array<Integer>;
        ", " unmet: &'a [i32] => Array<Integer>;
        ", " workflow: &'a [Option<Uid>] => Array<Nullable<Id>>;
        ", " has_dependants: &'a [bool] => Array<Bool>;
        ", " tags: &'a [Option<String>] => Array<Nullable<Text>>;
        ", " meta: &'a [Option<&'a str>] => Array<Nullable<Text>>;
        ", " flow: &'a [Option<String>] => Array<Nullable<Text>>;
        ", " lane: &'a [Option<i64>] => Array<Nullable<BigInt>>;
        ", " sublane: &'a [Option<i64>] => Array<Nullable<BigInt>>;
        ", " laned: &'a [bool] => Array<Bool>;
        ", " args: &'a [&'a str] => Array<Text>;
        ", " kwargs: &'a [&'a str] => Array<Text>;
    } ") AS new (id, queue, name, priority, status, ready_at, created_at, run_at, expires_at, max_age_ms, max_retries, \
       timeout_ms, key, unique_while, unique_until, retry, result_ttl_ms, parents, unmet, workflow_id, has_dependants, tags, meta, flow, lane, sublane, laned, args, kwargs) \
       ON CONFLICT (queue, live_key) WHERE live_key IS NOT NULL DO NOTHING"
}

statement! {
    /// Who has these keys: their place in the list, and what there is to decide by.
    KeyHolders {
        "SELECT w.place, held.id, held.status, held.unique_until FROM unnest(" queue: &'a [&'a str] => Array<Text>;
        ", " key: &'a [&'a str] => Array<Text>;
    } ") WITH ORDINALITY AS w (queue, key, place) CROSS JOIN LATERAL (SELECT id, status, unique_until FROM tasks WHERE \
       tasks.queue = w.queue AND live_key = w.key AND live_key IS NOT NULL LIMIT 1) AS held"
}

impl Query for KeyHolders<'_> {
    type SqlType = (BigInt, Id, Integer, Nullable<BigInt>);
}

statement! {
    NoteExpiries {
        "INSERT INTO expiries (expires_at, task_id) SELECT * FROM unnest(" at: &'a [i64] => Array<BigInt>;
        ", " task: &'a [Uid] => Array<Id>;
    } ") ON CONFLICT DO NOTHING"
}

statement! {
    AddToCounters {
        "INSERT INTO counters (queue, priority, kind, n) SELECT * FROM unnest(" queue: &'a [&'a str] => Array<Text>;
        ", " priority: &'a [i32] => Array<Integer>;
        ", " kind: &'a [i32] => Array<Integer>;
        ", " n: &'a [i64] => Array<BigInt>;
    } ")"
}

statement! {
    /// Takes the rows in the order given: by id, as every batch is locked. Those that others wait for are said to be so.
    /// `status + 0`, so that no plan goes by an index on the status, should there ever be one.
    FinishSuccesses {
        "UPDATE tasks SET status = 5, live_key = CASE WHEN (unique_while & 32) <> 0 THEN live_key END, cancel_requested = FALSE, error = NULL, result = new.result, \
         finished_at = " now: i64 => BigInt;
        " FROM unnest(" id: &'a [Uid] => Array<Id>;
        ", " lease: &'a [Uid] => Array<Id>;
        ", " result: &'a [&'a str] => Array<Text>;
    } ") AS new (id, lease, result) WHERE tasks.id = new.id AND tasks.lease_id = new.lease AND tasks.status + 0 = 3 \
       RETURNING tasks.id, tasks.has_dependants"
}

impl Query for FinishSuccesses<'_> {
    type SqlType = (Id, Bool);
}

statement! {
    /// Batches all of whose tasks have ended.
    EndLeases {
        "DELETE FROM leases USING unnest(" lease: &'a [Uid] => Array<Id>;
        ", " ended: &'a [i32] => Array<Integer>;
    } ") AS one (id, ended) WHERE leases.lease_id = one.id AND leases.open <= one.ended RETURNING leases.lease_id"
}

impl Query for EndLeases<'_> {
    type SqlType = Id;
}

statement! {
    ShrinkLeases {
        "UPDATE leases SET open = open - one.ended FROM unnest(" lease: &'a [Uid] => Array<Id>;
        ", " ended: &'a [i32] => Array<Integer>;
    } ") AS one (id, ended) WHERE leases.lease_id = one.id"
}

statement! {
    /// As many of the tasks hinted at as are wanted and ready. Those that somebody else holds at this moment are passed over.
    ClaimTasks {
        "WITH free AS MATERIALIZED (SELECT t.id, t.ready_at, t.status FROM unnest(" id: &'a [Uid] => Array<Id>;
        ", " priority: &'a [i32] => Array<Integer>;
        ") WITH ORDINALITY AS hint (id, priority, place) JOIN tasks t ON t.id = hint.id AND t.priority = hint.priority \
         WHERE t.ready_at <= " now: i64 => BigInt;
        " AND (t.expires_at IS NULL OR t.expires_at > " now_too: i64 => BigInt;
        ") AND t.laned = " laned: bool => Bool;
        " AND (t.lane IS NOT NULL) = " keyed: bool => Bool;
        " AND t.crashes < " suspect: i32 => Integer;
        " AND (" any_name: bool => Bool;
        " OR t.name = ANY(" names: &'a [String] => Array<Text>;
        ")) ORDER BY hint.place LIMIT " limit: i64 => BigInt;
        " FOR NO KEY UPDATE OF t SKIP LOCKED) UPDATE tasks SET status = 3, ready_at = NULL, laned = FALSE, finished_at = NULL, \
         live_key = CASE WHEN (tasks.unique_while & 8) = 0 THEN NULL ELSE tasks.live_key END, attempt = tasks.attempt + 1, worker_id = " worker: &'a [u8] => Id;
        ", lease_id = " lease: &'a [u8] => Id;
        ", started_at = " started: i64 => BigInt;
    } " FROM free WHERE tasks.id = free.id RETURNING tasks.id, tasks.name, tasks.priority, free.status, free.ready_at, \
       tasks.attempt, tasks.failures, tasks.crashes, tasks.snoozes, tasks.max_retries, tasks.timeout_ms, tasks.expires_at, \
       tasks.generation, tasks.retry, \
       tasks.parents, tasks.workflow_id, tasks.has_dependants, tasks.meta, tasks.args, tasks.kwargs"
}

impl Query for ClaimTasks<'_> {
    type SqlType = (
        Id,
        Text,
        Integer,
        Integer,
        Nullable<BigInt>,
        Integer,
        Integer,
        Integer,
        Nullable<Integer>,
        Integer,
        Nullable<BigInt>,
        Nullable<BigInt>,
        Integer,
        Nullable<Text>,
        Integer,
        Nullable<Id>,
        Bool,
        Nullable<Text>,
        Text,
        Text,
    );
}

statement! {
    /// Tasks that are as they were found and that nobody else holds go to lanes.
    MoveToLanes {
        "WITH free AS MATERIALIZED (SELECT t.id, new.flow, new.lane, new.sublane FROM unnest(" id: &'a [Uid] => Array<Id>;
        ", " name: &'a [&'a str] => Array<Text>;
        ", " was: &'a [Option<&'a str>] => Array<Nullable<Text>>;
        ", " flow: &'a [String] => Array<Text>;
        ", " lane: &'a [i64] => Array<BigInt>;
        ", " sublane: &'a [i64] => Array<BigInt>;
        ") AS new (id, name, was, flow, lane, sublane) JOIN tasks t ON t.id = new.id AND t.name = new.name \
         AND t.flow IS NOT DISTINCT FROM new.was WHERE t.ready_at <= " now: i64 => BigInt;
        " AND t.laned = " laned: bool => Bool;
    } " ORDER BY t.id FOR NO KEY UPDATE OF t SKIP LOCKED) UPDATE tasks SET flow = free.flow, lane = free.lane, \
       sublane = free.sublane, laned = TRUE FROM free WHERE tasks.id = free.id RETURNING tasks.id, tasks.priority, tasks.ready_at"
}

impl Query for MoveToLanes<'_> {
    type SqlType = (Id, Integer, Nullable<BigInt>);
}

statement! {
    EnterLanes {
        "UPDATE tasks SET laned = TRUE WHERE id IN (SELECT id FROM tasks WHERE ready_at IS NOT NULL AND lane IS NOT NULL \
         AND NOT laned AND queue = " queue: &'a str => Text;
        " AND ready_at <= " now: i64 => BigInt;
        " ORDER BY ready_at LIMIT " limit: i64 => BigInt;
    } " FOR NO KEY UPDATE SKIP LOCKED)"
}

statement! {
    /// The first of each lane, from a sublane on and round to it again.
    LaneFronts {
        "SELECT l.lane, f.sublane, f.ready_at, f.id, f.flow FROM unnest(" lane: &'a [i64] => Array<BigInt>;
        ", " most: &'a [i64] => Array<BigInt>;
        ") AS l (lane, most) CROSS JOIN (SELECT " queue: &'a str => Text;
        " AS queue, " priority: i32 => Integer;
        " AS priority, " from: i64 => BigInt;
    } " AS sublane) AS here CROSS JOIN LATERAL (\
       (SELECT t.sublane, t.ready_at, t.id, t.flow FROM tasks t WHERE t.laned AND t.ready_at IS NOT NULL AND t.queue = here.queue \
        AND t.priority = here.priority AND t.lane = l.lane AND t.sublane >= here.sublane \
        ORDER BY t.sublane, t.ready_at, t.id LIMIT l.most) UNION ALL \
       (SELECT t.sublane, t.ready_at, t.id, t.flow FROM tasks t WHERE t.laned AND t.ready_at IS NOT NULL AND t.queue = here.queue \
        AND t.priority = here.priority AND t.lane = l.lane AND t.sublane < here.sublane \
        ORDER BY t.sublane, t.ready_at, t.id LIMIT l.most) LIMIT l.most) f"
}

impl Query for LaneFronts<'_> {
    type SqlType = (BigInt, BigInt, BigInt, Id, Text);
}

statement! {
    DropStaleHolds {
        "DELETE FROM key_holds h WHERE h.queue = " queue: &'a str => Text;
        " AND h.key = " key: &'a str => Text;
    } " AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.id = h.task_id AND t.status + 0 = 3 AND t.lease_id = h.lease_id)"
}

statement! {
    KeepLimits {
        "INSERT INTO limits (queue, key, matters_until, state) SELECT " queue: &'a str => Text;
        ", * FROM unnest(" key: &'a [&'a str] => Array<Text>;
        ", " until: &'a [i64] => Array<BigInt>;
        ", " state: &'a [String] => Array<Text>;
    } ") ON CONFLICT (queue, key) DO UPDATE SET matters_until = excluded.matters_until, state = excluded.state"
}

statement! {
    AdvanceSchedules {
        "UPDATE schedules SET next_tick = new.next_tick, next_at = new.next_at, last_task = new.last_task, tally = new.tally FROM \
         unnest(" name: &'a [&'a str] => Array<Text>;
        ", " next_tick: &'a [Option<i64>] => Array<Nullable<BigInt>>;
        ", " next_at: &'a [Option<i64>] => Array<Nullable<BigInt>>;
        ", " last_task: &'a [Option<Uid>] => Array<Nullable<Id>>;
        ", " tally: &'a [String] => Array<Text>;
    } ") AS new (name, next_tick, next_at, last_task, tally) WHERE schedules.name = new.name"
}

pub(super) fn advance_schedules(connection: &mut Connection, advanced: &[Advanced]) -> QueryResult<()> {
    AdvanceSchedules {
        name: &advanced.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(),
        next_tick: &advanced.iter().map(|one| one.next.map(|(tick, _)| tick)).collect::<Vec<_>>(),
        next_at: &advanced.iter().map(|one| one.next.map(|(_, at)| at)).collect::<Vec<_>>(),
        last_task: &advanced.iter().map(|one| one.last_task.map(|id| uid(id.as_bytes()))).collect::<Vec<_>>(),
        tally: &advanced.iter().map(|one| text(&one.tally)).collect::<Vec<_>>(),
    }
    .execute(connection)
    .map(|_| ())
}

statement! {
    InsertTies {
        "INSERT INTO task_dependencies (parent_id, child_id, on_failure, resolved) SELECT * FROM unnest("
        parent: &'a [Uid] => Array<Id>;
        ", " child: &'a [Uid] => Array<Id>;
        ", " on_failure: &'a [i32] => Array<Integer>;
        ", " resolved: &'a [bool] => Array<Bool>;
    } ")"
}

statement! {
    ResolveTies {
        "UPDATE task_dependencies d SET resolved = TRUE FROM unnest(" parent: &'a [Uid] => Array<Id>;
        ", " child: &'a [Uid] => Array<Id>;
    } ") AS told (parent, child) WHERE d.parent_id = told.parent AND d.child_id = told.child AND NOT d.resolved"
}

statement! {
    LowerUnmet {
        "UPDATE tasks SET unmet = unmet - told.met FROM unnest(" id: &'a [Uid] => Array<Id>;
        ", " met: &'a [i32] => Array<Integer>;
    } ") AS told (id, met) WHERE tasks.id = told.id"
}

statement! {
    InsertMembers {
        "INSERT INTO workflow_tasks (workflow_id, task_id, name, role) SELECT " workflow: &'a [u8] => Id;
        ", * FROM unnest(" task: &'a [Uid] => Array<Id>;
        ", " name: &'a [&'a str] => Array<Text>;
        ", " role: &'a [i32] => Array<Integer>;
    } ")"
}

statement! {
    KeepWorkflows {
        "UPDATE workflows w SET state = new.state, finished_at = new.finished_at, latest_end = new.latest_end, success = new.success, failed = new.failed, \
         timeout = new.timeout, cancelled = new.cancelled, expired = new.expired, skipped = new.skipped, \
         unneeded = new.unneeded, deleted = new.deleted FROM unnest(" id: &'a [Uid] => Array<Id>;
        ", " state: &'a [i32] => Array<Integer>;
        ", " finished_at: &'a [Option<i64>] => Array<Nullable<BigInt>>;
        ", " latest_end: &'a [i64] => Array<BigInt>;
        ", " success: &'a [i32] => Array<Integer>;
        ", " failed: &'a [i32] => Array<Integer>;
        ", " timeout: &'a [i32] => Array<Integer>;
        ", " cancelled: &'a [i32] => Array<Integer>;
        ", " expired: &'a [i32] => Array<Integer>;
        ", " skipped: &'a [i32] => Array<Integer>;
        ", " unneeded: &'a [i32] => Array<Integer>;
        ", " deleted: &'a [i32] => Array<Integer>;
    } ") AS new (id, state, finished_at, latest_end, success, failed, timeout, cancelled, expired, skipped, unneeded, deleted) \
       WHERE w.id = new.id"
}
