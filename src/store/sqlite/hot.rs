//! The statements every task passes through: insert, find, claim, finish.
//!
//! Written out so that each is one static text with its binds in place: diesel then finds the prepared statement by the
//! type alone. `sql_query` would prepare each time, and an `ON CONFLICT` clause of the query builder is never cached by type.

use diesel::{
    QueryResult, RunQueryDsl, SqliteConnection,
    query_builder::{AstPass, QueryFragment, QueryId},
    sql_types::{BigInt, Binary, Bool, Integer, Nullable, Text},
    sqlite::Sqlite,
};

macro_rules! statement {
    ($(#[$doc:meta])* $name:ident { $($piece:literal $field:ident: $rust:ty => $sql:ty;)+ } $end:literal) => {
        $(#[$doc])*
        pub(super) struct $name<'a> { $(pub(super) $field: $rust,)+ }

        impl QueryId for $name<'_> {
            type QueryId = $name<'static>;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl QueryFragment<Sqlite> for $name<'_> {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
                $(
                    out.push_sql($piece);
                    out.push_bind_param::<$sql, _>(&self.$field)?;
                )+
                out.push_sql($end);
                Ok(())
            }
        }

        impl RunQueryDsl<SqliteConnection> for $name<'_> {}
    };
}

statement! {
    InsertTask {
        "INSERT INTO tasks (id, queue, name, priority, status, ready_at, created_at, run_at, expires_at, max_retries, \
         timeout_ms, unique_key, live_key, retry, result_ttl_ms, parents, unmet, tags, meta, args, kwargs) VALUES ("
        id: &'a [u8] => Binary;
        ", " queue: &'a str => Text;
        ", " name: &'a str => Text;
        ", " priority: i32 => Integer;
        ", " status: i32 => Integer;
        ", " ready_at: Option<i64> => Nullable<BigInt>;
        ", " created_at: i64 => BigInt;
        ", " run_at: Option<i64> => Nullable<BigInt>;
        ", " expires_at: Option<i64> => Nullable<BigInt>;
        ", " max_retries: i32 => Integer;
        ", " timeout_ms: Option<i64> => Nullable<BigInt>;
        ", " unique_key: Option<&'a str> => Nullable<Text>;
        ", " live_key: Option<&'a str> => Nullable<Text>;
        ", " retry: Option<&'a str> => Nullable<Text>;
        ", " result_ttl_ms: Option<i64> => Nullable<BigInt>;
        ", " parents: i32 => Integer;
        ", " unmet: i32 => Integer;
        ", " tags: Option<&'a str> => Nullable<Text>;
        ", " meta: Option<&'a str> => Nullable<Text>;
        ", " args: &'a str => Text;
        ", " kwargs: &'a str => Text;
    } ") ON CONFLICT (queue, live_key) WHERE live_key IS NOT NULL DO NOTHING"
}

statement! {
    /// The guard repeats what the claim has just read, within the same transaction.
    MarkRunning {
        "UPDATE tasks SET status = 3, ready_at = NULL, finished_at = NULL, attempt = attempt + 1, worker_id = " worker: &'a [u8] => Binary;
        ", lease_id = " lease: &'a [u8] => Binary;
        ", started_at = " now: i64 => BigInt;
        " WHERE seq = " seq: i64 => BigInt;
    } " AND ready_at IS NOT NULL"
}

statement! {
    /// `dependants: false` leaves a task that others wait for as it is: its end takes more than this.
    MarkSuccess {
        "UPDATE tasks SET status = 5, live_key = NULL, cancel_requested = 0, error = NULL, result = " result: &'a str => Text;
        ", finished_at = " now: i64 => BigInt;
        " WHERE id = " id: &'a [u8] => Binary;
        " AND lease_id = " lease: &'a [u8] => Binary;
        " AND has_dependants <= " dependants: bool => Bool;
    } " AND status = 3"
}

statement! {
    MarkRetry {
        "UPDATE tasks SET status = 4, failures = failures + 1, ready_at = " ready_at: i64 => BigInt;
        ", error = " error: &'a str => Text;
        ", finished_at = " now: i64 => BigInt;
        " WHERE id = " id: &'a [u8] => Binary;
        " AND lease_id = " lease: &'a [u8] => Binary;
    } " AND status = 3 AND cancel_requested = 0"
}

statement! {
    MarkDead {
        "UPDATE tasks SET failures = failures + 1, live_key = NULL, status = " status: i32 => Integer;
        ", error = " error: &'a str => Text;
        ", finished_at = " now: i64 => BigInt;
        " WHERE id = " id: &'a [u8] => Binary;
        " AND lease_id = " lease: &'a [u8] => Binary;
        " AND has_dependants <= " dependants: bool => Bool;
    } " AND status = 3 AND cancel_requested = 0"
}

statement! {
    /// The error names the reason that was given with the request to cancel, if any was.
    MarkCancelled {
        "UPDATE tasks SET status = 8, live_key = NULL, ready_at = NULL, error = json_object('kind', 'cancelled', 'message', \
         'cancelled by a caller' || coalesce(': ' || cancel_reason, '')), finished_at = " now: i64 => BigInt;
        " WHERE id = " id: &'a [u8] => Binary;
        " AND lease_id = " lease: &'a [u8] => Binary;
        " AND has_dependants <= " dependants: bool => Bool;
    } " AND status = 3"
}

statement! {
    /// Back to the queue at its old place; the lease is cleared, so whoever held it can report nothing any more.
    MarkReleased {
        "UPDATE tasks SET status = 2, worker_id = NULL, lease_id = NULL, started_at = NULL, ready_at = " ready_at: i64 => BigInt;
        ", crashes = crashes + " crashes: i32 => Integer;
        " WHERE id = " id: &'a [u8] => Binary;
        " AND lease_id = " lease: &'a [u8] => Binary;
    } " AND status = 3 AND cancel_requested = 0"
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
    InsertLease {
        "INSERT INTO leases (lease_id, worker_id, granted_at, open, task_ids) VALUES (" lease: &'a [u8] => Binary;
        ", " worker: &'a [u8] => Binary;
        ", " now: i64 => BigInt;
        ", " open: i32 => Integer;
        ", " ids: &'a [u8] => Binary;
    } ")"
}

statement! {
    /// The common case of a batch that ends together: no row is rewritten before it goes.
    EndLease {
        "DELETE FROM leases WHERE lease_id = " lease: &'a [u8] => Binary;
        " AND open <= " ended: i32 => Integer;
    } ""
}

statement! {
    ShrinkLease {
        "UPDATE leases SET open = open - " ended: i32 => Integer;
        " WHERE lease_id = " lease: &'a [u8] => Binary;
    } ""
}

statement! {
    EnsureQueue {
        "INSERT INTO queues (name, created_at) VALUES (" name: &'a str => Text;
        ", " now: i64 => BigInt;
    } ") ON CONFLICT (name) DO NOTHING"
}
