//! Counters are added to by appending rows: now and then those of one counter are made one again.

use std::time::{Duration, Instant};

use diesel::{PgConnection, QueryResult, connection::SimpleConnection as _};

/// How often, at most, by one session.
const EVERY: Duration = Duration::from_secs(1);

/// Only counters of which there are many rows, and never by two sessions at a time. A reader sees all the old rows or the
/// one new: it is one statement.
const ADD_UP: &str = "BEGIN; \
    WITH mine AS MATERIALIZED (SELECT pg_try_advisory_xact_lock(7310112847) AS mine), \
    many AS MATERIALIZED (SELECT queue, priority, kind FROM counters WHERE (SELECT mine FROM mine) \
        GROUP BY queue, priority, kind HAVING count(*) > 8), \
    gone AS (DELETE FROM counters USING many WHERE counters.queue = many.queue AND counters.priority = many.priority \
        AND counters.kind = many.kind RETURNING counters.queue, counters.priority, counters.kind, counters.n) \
    INSERT INTO counters (queue, priority, kind, n) \
        SELECT queue, priority, kind, sum(n)::bigint FROM gone GROUP BY queue, priority, kind HAVING sum(n) <> 0; \
    COMMIT";

pub(super) struct Rollup(Instant);

impl Default for Rollup {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Rollup {
    /// After a commit: nothing of anybody's waits for it but the next transaction of this session.
    pub(super) fn run(&mut self, connection: &mut PgConnection) -> QueryResult<()> {
        if self.0.elapsed() < EVERY {
            return Ok(());
        }
        self.0 = Instant::now();
        connection.batch_execute(ADD_UP)
    }
}
