//! How this store says what both look for.

/// One moment of all tables.
pub(super) const SNAPSHOT: &str = "BEGIN";

/// What is wrong with the file.
pub(super) const UNSOUND: Option<&str> =
    Some("SELECT quick_check AS subject FROM pragma_quick_check WHERE quick_check <> 'ok'");

/// The cap of a row of `queues`.
pub(super) const CONCURRENCY: &str = "json_extract(settings, '$.concurrency')";

/// Rows that nobody else holds are held, the others passed over.
pub(super) const HOLD_FREE: &str = "";

/// A text that matches a pattern in which `*` stands for any characters.
pub(super) const MATCHES: &str = " GLOB ";

/// Of names and `*` alone, a pattern is one of this operator's already.
pub(super) fn pattern(pattern: &str) -> String {
    pattern.to_owned()
}

/// An id as the API writes it.
pub(super) fn id_text(column: &str) -> String {
    let hex = |from: u8, length: u8| format!("substr(hex({column}), {from}, {length})");
    let groups = [hex(1, 8), hex(9, 4), hex(13, 4), hex(17, 4), hex(21, 12)];
    format!("lower({})", groups.join(" || '-' || "))
}
