//! How this store says what both look for.

/// One moment of all tables.
pub(super) const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// PostgreSQL looks after its files by itself.
pub(super) const UNSOUND: Option<&str> = None;

/// The cap of a row of `queues`.
pub(super) const CONCURRENCY: &str = "CAST(CAST(settings AS JSON) ->> 'concurrency' AS BIGINT)";

/// Rows that nobody else holds are held, the others passed over.
pub(super) const HOLD_FREE: &str = " FOR UPDATE SKIP LOCKED";

/// A text that matches a pattern in which `*` stands for any characters.
pub(super) const MATCHES: &str = " LIKE ";

pub(super) fn pattern(pattern: &str) -> String {
    pattern.replace('_', r"\_").replace('*', "%")
}

/// An id as the API writes it.
pub(super) fn id_text(column: &str) -> String {
    format!("CAST({column} AS TEXT)")
}
