//! How this store says what both look for.

/// One moment of all tables.
pub(super) const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// PostgreSQL looks after its files by itself.
pub(super) const UNSOUND: Option<&str> = None;

/// The cap of a row of `queues`.
pub(super) const CONCURRENCY: &str = "CAST(CAST(settings AS JSON) ->> 'concurrency' AS BIGINT)";

/// An id as the API writes it.
pub(super) fn id_text(column: &str) -> String {
    format!("CAST({column} AS TEXT)")
}
