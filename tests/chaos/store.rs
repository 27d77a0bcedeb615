//! The store as it is at the end, read past the server.

use diesel::{
    PgConnection, QueryableByName, RunQueryDsl as _, sql_query,
    sql_types::{BigInt, Bool, Integer, Nullable, Text, Uuid as SqlUuid},
};
use jobqueue::task::Status;
use uuid::Uuid;

use crate::history::{AttemptRow, CounterRow, DeadRow, Store, TaskRow, TieRow, WorkerRow, Written};
use crate::whole::{GRAPHS, TICKS};

#[derive(QueryableByName)]
struct Task {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Text)]
    queue: String,
    #[diesel(sql_type = Integer)]
    status: i32,
    #[diesel(sql_type = BigInt)]
    created_at: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    run_at: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    expires_at: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    started_at: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    finished_at: Option<i64>,
    #[diesel(sql_type = Integer)]
    attempt: i32,
    #[diesel(sql_type = Integer)]
    failures: i32,
    #[diesel(sql_type = Integer)]
    crashes: i32,
    #[diesel(sql_type = Integer)]
    max_retries: i32,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    worker_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    lease_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<Text>)]
    unique_key: Option<String>,
    #[diesel(sql_type = Text)]
    kwargs: String,
    #[diesel(sql_type = Nullable<Text>)]
    result: Option<String>,
}

#[derive(QueryableByName)]
struct Attempt {
    #[diesel(sql_type = SqlUuid)]
    task_id: Uuid,
    #[diesel(sql_type = Integer)]
    number: i32,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    worker_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<BigInt>)]
    started_at: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    finished_at: Option<i64>,
    #[diesel(sql_type = Text)]
    outcome: String,
    #[diesel(sql_type = Nullable<BigInt>)]
    next_delay_ms: Option<i64>,
}

#[derive(QueryableByName)]
struct Worker {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Integer)]
    pid: i32,
    #[diesel(sql_type = Text)]
    state: String,
}

#[derive(QueryableByName)]
struct Dead {
    #[diesel(sql_type = SqlUuid)]
    task_id: Uuid,
    #[diesel(sql_type = Text)]
    reason: String,
}

#[derive(QueryableByName)]
struct Tie {
    #[diesel(sql_type = SqlUuid)]
    parent_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    child_id: Uuid,
    #[diesel(sql_type = Bool)]
    run_anyway: bool,
}

#[derive(QueryableByName)]
struct Counter {
    #[diesel(sql_type = Text)]
    queue: String,
    #[diesel(sql_type = Integer)]
    kind: i32,
    #[diesel(sql_type = BigInt)]
    sum: i64,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

impl From<Task> for TaskRow {
    fn from(row: Task) -> Self {
        let status = i16::try_from(row.status).ok().and_then(Status::from_code).expect("a known status");
        Self {
            id: row.id,
            queue: row.queue,
            status,
            created_at: row.created_at,
            run_at: row.run_at,
            expires_at: row.expires_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            attempt: row.attempt as u32,
            failures: row.failures as u32,
            crashes: row.crashes as u32,
            max_retries: row.max_retries as u32,
            worker: row.worker_id,
            lease: row.lease_id,
            unique_key: row.unique_key,
            kwargs: row.kwargs,
            result: row.result,
        }
    }
}

impl From<Attempt> for AttemptRow {
    fn from(row: Attempt) -> Self {
        Self {
            task: row.task_id,
            number: row.number as u32,
            worker: row.worker_id,
            started_at: row.started_at,
            finished_at: row.finished_at,
            outcome: row.outcome,
            next_delay_ms: row.next_delay_ms,
        }
    }
}

fn rows<Row, Own>(connection: &mut PgConnection, sql: &str, own: impl Fn(Row) -> Own) -> Vec<Own>
where
    Row: QueryableByName<diesel::pg::Pg> + 'static,
{
    sql_query(sql).load::<Row>(connection).unwrap().into_iter().map(own).collect()
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

/// Rows of any table that have one of these words in them.
pub(crate) fn rows_with(connection: &mut PgConnection, words: &[&str]) -> Vec<Written> {
    let tables = "SELECT tablename::text AS line FROM pg_tables WHERE schemaname = 'public'";
    let tables: Vec<String> = rows(connection, tables, |Line { line }| line);
    assert!(tables.iter().any(|table| table == "tasks"), "{tables:?}");
    let mut found = Vec::new();
    for table in tables {
        let pattern = words.join("|");
        let lines = format!("SELECT t::text AS line FROM {table} t WHERE t::text ~ '{pattern}' LIMIT 5");
        found.extend(rows(connection, &lines, |Line { line }| Written { place: format!("table {table}"), text: line }));
    }
    found
}

pub(crate) fn read(connection: &mut PgConnection) -> Store {
    // Those of schedules and workflows are looked at elsewhere: nobody has planned them one by one.
    let own = format!("NOT IN ('{TICKS}', '{GRAPHS}')");
    let counters =
        &format!("SELECT queue, kind, sum(n)::bigint AS sum FROM counters WHERE queue {own} GROUP BY queue, kind");
    let of = |column: &str| format!("{column} IN (SELECT id FROM tasks WHERE queue {own})");
    Store {
        tasks: rows(connection, &format!("SELECT * FROM tasks WHERE queue {own}"), <TaskRow as From<Task>>::from),
        attempts: rows(
            connection,
            &format!("SELECT * FROM attempts WHERE generation = 1 AND {}", of("task_id")),
            <AttemptRow as From<Attempt>>::from,
        ),
        workers: rows(connection, "SELECT id, pid, state FROM workers", |Worker { id, pid, state }| WorkerRow {
            id,
            pid: pid as u32,
            state,
        }),
        dead: rows(
            connection,
            &format!("SELECT task_id, reason FROM dead_letter_queue WHERE queue {own}"),
            |Dead { task_id, reason }| DeadRow { task: task_id, reason },
        ),
        ties: rows(
            connection,
            &format!(
                "SELECT parent_id, child_id, on_failure = 1 AS run_anyway FROM task_dependencies WHERE {}",
                of("child_id")
            ),
            |tie: Tie| TieRow { parent: tie.parent_id, child: tie.child_id, run_anyway: tie.run_anyway },
        ),
        counters: rows(connection, counters, |Counter { queue, kind, sum }| CounterRow { queue, kind, sum }),
        leases: sql_query("SELECT count(*) AS n FROM leases").get_result::<Count>(connection).unwrap().n as usize,
    }
}
