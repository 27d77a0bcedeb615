//! The statements that tasks pass through again and again, as both stores understand them.

use diesel::{
    QueryResult, RunQueryDsl,
    query_builder::{AstPass, QueryFragment, QueryId},
    sql_types::{BigInt, Binary, Bool, Integer, Nullable, Text},
};

use super::{Backend, Connection, Id};

// A task that ends in a status outside the scope of its unique key lets go of it; without one there is nothing to let go of.

statement! {
    /// `dependants: false` leaves a task that others wait for as it is: its end takes more than this.
    MarkSuccess {
        "UPDATE tasks SET status = 5, live_key = CASE WHEN (unique_while & 32) <> 0 THEN live_key END, cancel_requested = FALSE, error = NULL, result = " result: &'a str => Text;
        ", finished_at = " now: i64 => BigInt;
        " WHERE id = " id: &'a [u8] => Id;
        " AND lease_id = " lease: &'a [u8] => Id;
        " AND has_dependants <= " dependants: bool => Bool;
    } " AND status = 3"
}

statement! {
    MarkRetry {
        "UPDATE tasks SET status = 4, failures = failures + 1, ready_at = " ready_at: i64 => BigInt;
        ", error = " error: &'a str => Text;
        ", finished_at = " now: i64 => BigInt;
        " WHERE id = " id: &'a [u8] => Id;
        " AND lease_id = " lease: &'a [u8] => Id;
    } " AND status = 3 AND cancel_requested = FALSE"
}

statement! {
    MarkDead {
        "UPDATE tasks SET failures = failures + 1, status = " status: i32 => Integer;
        ", live_key = CASE WHEN (unique_while & " bit: i32 => Integer;
        ") <> 0 THEN live_key END, error = " error: &'a str => Text;
        ", finished_at = " now: i64 => BigInt;
        " WHERE id = " id: &'a [u8] => Id;
        " AND lease_id = " lease: &'a [u8] => Id;
        " AND has_dependants <= " dependants: bool => Bool;
    } " AND status = 3 AND cancel_requested = FALSE"
}

statement! {
    /// Back to the queue at its old place; the lease is cleared, so whoever held it can report nothing any more.
    MarkReleased {
        "UPDATE tasks SET status = 2, worker_id = NULL, lease_id = NULL, started_at = NULL, ready_at = " ready_at: i64 => BigInt;
        ", crashes = crashes + " crashes: i32 => Integer;
        " WHERE id = " id: &'a [u8] => Id;
        " AND lease_id = " lease: &'a [u8] => Id;
    } " AND status = 3 AND cancel_requested = FALSE"
}

statement! {
    /// Waits as though the attempt had not been. The lease stays, so that its holder's second report is known for a duplicate.
    MarkSnoozed {
        "UPDATE tasks SET status = 1, attempt = attempt - 1, snoozes = coalesce(snoozes, 0) + 1, worker_id = NULL, \
         started_at = NULL, ready_at = " ready_at: i64 => BigInt;
        " WHERE id = " id: &'a [u8] => Id;
        " AND lease_id = " lease: &'a [u8] => Id;
    } " AND status = 3 AND cancel_requested = FALSE"
}

statement! {
    MarkExpired {
        "UPDATE tasks SET status = 9, live_key = CASE WHEN (unique_while & 512) <> 0 THEN live_key END, error = " error: &'a str => Text;
        ", finished_at = " now: i64 => BigInt;
        " WHERE id = " id: &'a [u8] => Id;
        " AND lease_id = " lease: &'a [u8] => Id;
        " AND has_dependants <= " dependants: bool => Bool;
    } " AND status = 3 AND cancel_requested = FALSE"
}

statement! {
    InsertLease {
        "INSERT INTO leases (lease_id, worker_id, granted_at, open, task_ids, due) VALUES (" lease: &'a [u8] => Id;
        ", " worker: &'a [u8] => Id;
        ", " now: i64 => BigInt;
        ", " open: i32 => Integer;
        ", " ids: &'a [u8] => Binary;
        ", " due: Option<i64> => Nullable<BigInt>;
    } ")"
}

statement! {
    /// The common case of a batch that ends together: no row is rewritten before it goes.
    EndLease {
        "DELETE FROM leases WHERE lease_id = " lease: &'a [u8] => Id;
        " AND open <= " ended: i32 => Integer;
    } ""
}

statement! {
    ShrinkLease {
        "UPDATE leases SET open = open - " ended: i32 => Integer;
        " WHERE lease_id = " lease: &'a [u8] => Id;
    } ""
}

statement! {
    EnsureQueue {
        "INSERT INTO queues (name, created_at) VALUES (" name: &'a str => Text;
        ", " now: i64 => BigInt;
    } ") ON CONFLICT (name) DO NOTHING"
}

statement! {
    KeepAttempt {
        "INSERT INTO attempts (task_id, generation, number, worker_id, started_at, finished_at, outcome, error, next_delay_ms) \
         VALUES (" task: &'a [u8] => Id;
        ", " generation: i32 => Integer;
        ", " number: i32 => Integer;
        ", " worker: Option<&'a [u8]> => Nullable<Id>;
        ", " started_at: Option<i64> => Nullable<BigInt>;
        ", " finished_at: Option<i64> => Nullable<BigInt>;
        ", " outcome: &'a str => Text;
        ", " error: Option<&'a str> => Nullable<Text>;
        ", " next_delay_ms: Option<i64> => Nullable<BigInt>;
    } ") ON CONFLICT (task_id, generation, number) DO UPDATE SET worker_id = excluded.worker_id, \
       started_at = excluded.started_at, finished_at = excluded.finished_at, outcome = excluded.outcome, \
       error = excluded.error, next_delay_ms = excluded.next_delay_ms"
}

statement! {
    Bury {
        "INSERT INTO dead_letter_queue (task_id, queue, name, priority, reason, error, attempts, cause, died_at) VALUES ("
        task: &'a [u8] => Id;
        ", " queue: &'a str => Text;
        ", " name: &'a str => Text;
        ", " priority: i32 => Integer;
        ", " reason: &'a str => Text;
        ", " error: &'a str => Text;
        ", " attempts: i32 => Integer;
        ", " cause: &'a str => Text;
        ", " now: i64 => BigInt;
    } ") ON CONFLICT (task_id) DO UPDATE SET priority = excluded.priority, reason = excluded.reason, \
       error = excluded.error, attempts = excluded.attempts, cause = excluded.cause, died_at = excluded.died_at"
}

statement! {
    KeepLimit {
        "INSERT INTO limits (queue, key, matters_until, state) VALUES (" queue: &'a str => Text;
        ", " key: &'a str => Text;
        ", " until: i64 => BigInt;
        ", " state: &'a str => Text;
    } ") ON CONFLICT (queue, key) DO UPDATE SET matters_until = excluded.matters_until, state = excluded.state"
}

statement! {
    NoteUnresolved {
        "INSERT INTO unresolved_parents (task_id) VALUES (" task: &'a [u8] => Id;
    } ") ON CONFLICT DO NOTHING"
}
