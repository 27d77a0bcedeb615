//! What PostgreSQL's errors mean. diesel passes on a few of its codes and the message of all: where the messages are not in
//! English (`lc_messages`), what is not among those few is taken for a refusal.

use std::sync::Arc;

use diesel::result::{DatabaseErrorKind, Error};

use crate::store::{StoreError, StoreErrorKind};

/// Begins the message of a unique value that somebody else was quicker to store.
const TAKEN: &str = "somebody else was quicker";

pub(super) fn translate(store: &Arc<str>, error: &Error) -> StoreError {
    let message = error.to_string();
    let kind = match error {
        Error::RollbackTransaction | Error::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => {
            StoreErrorKind::Contended
        }
        Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => {
            return StoreError::new(StoreErrorKind::Contended, store, format!("{TAKEN}: {message}"));
        }
        // After a failover: this one only reads.
        Error::DatabaseError(DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::ReadOnlyTransaction, _)
        | Error::BrokenTransactionManager => StoreErrorKind::Unavailable,
        _ => by_message(&message),
    };
    let message = match kind {
        StoreErrorKind::Schema => format!("{message}: the schema is not this version's. Run `jobqueue migrate up`"),
        _ => message,
    };
    StoreError::new(kind, store, message.trim().to_owned())
}

fn by_message(message: &str) -> StoreErrorKind {
    const MEANINGS: [(StoreErrorKind, &[&str]); 5] = [
        (StoreErrorKind::Contended, &["deadlock detected", "could not serialize"]),
        (StoreErrorKind::Full, &["No space left", "could not extend file", "disk full", "Disk quota"]),
        (StoreErrorKind::Locked, &["due to lock timeout"]),
        (StoreErrorKind::Schema, &["relation \"", "column \""]),
        (
            StoreErrorKind::Unavailable,
            &[
                "connection",
                "statement timeout",
                "server closed",
                "shutting down",
                "starting up",
                "recovery",
                "could not receive",
                "could not send",
                "too many clients",
                "SSL",
                "I/O error",
                "Input/output error",
                "out of memory",
            ],
        ),
    ];
    let says = |(_, words): &&(StoreErrorKind, &[&str])| words.iter().any(|word| message.contains(word));
    let meant = MEANINGS.iter().find(says).map_or(StoreErrorKind::Refused, |(kind, _)| *kind);
    if meant == StoreErrorKind::Schema && !message.contains("does not exist") { StoreErrorKind::Refused } else { meant }
}

/// The last word after the last try: a value that is there every time is the request's fault.
pub(super) fn settled(error: StoreError) -> StoreError {
    let kind = if error.message.starts_with(TAKEN) { StoreErrorKind::Refused } else { error.kind };
    StoreError { kind, ..error }
}
