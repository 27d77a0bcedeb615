//! Whichever store it is.

use std::{path::PathBuf, sync::Arc};

use super::{Reader, Session, StoreError, postgres::PostgresStore, sqlite::SqliteStore};

/// Where a store is.
#[derive(Debug, Clone)]
pub enum Location {
    /// A SQLite file.
    File(PathBuf),
    /// The address of a PostgreSQL database.
    Server(String),
}

/// A transaction of somebody who has read and does not end it: what was there when it began cannot be cleared away. It ends when
/// this is dropped.
pub struct Snapshot {
    _connection: Box<dyn std::any::Any>,
}

/// Holds a transaction open, for measuring what that costs the others.
pub fn hold_snapshot(location: &Location) -> Result<Snapshot, StoreError> {
    let _connection: Box<dyn std::any::Any> = match location {
        Location::File(path) => Box::new(super::sqlite::hold(path)?),
        Location::Server(url) => Box::new(super::postgres::hold(url)?),
    };
    Ok(Snapshot { _connection })
}

/// An open store.
#[derive(Clone)]
pub enum Store {
    Sqlite(SqliteStore),
    Postgres(PostgresStore),
}

macro_rules! either {
    ($store:expr, $open:ident => $work:expr) => {
        match $store {
            Self::Sqlite($open) => $work,
            Self::Postgres($open) => $work,
        }
    };
}

impl Store {
    pub fn open(location: &Location) -> Result<Self, StoreError> {
        match location {
            Location::File(path) => SqliteStore::open(path).map(Self::Sqlite),
            Location::Server(url) => PostgresStore::open(url).map(Self::Postgres),
        }
    }

    /// What an operator calls it.
    pub fn name(&self) -> &Arc<str> {
        either!(self, store => store.name())
    }

    /// Others may write to it besides this process.
    pub const fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// A connection that writes.
    pub fn session(&self) -> Result<Box<dyn Session>, StoreError> {
        either!(self, store => store.session())
    }

    /// The connections that a server writes with: of a file only one can write at a time, of a server one for each kind of
    /// work (submissions, claims, outcomes, everything else, and the heartbeat, by which others know that this node lives), so
    /// that none waits for another.
    pub fn sessions(&self) -> Result<Vec<Box<dyn Session>>, StoreError> {
        (0..if self.is_shared() { 6 } else { 1 }).map(|_| self.session()).collect()
    }

    pub fn reader(&self) -> Arc<dyn Reader> {
        either!(self, store => store.reader())
    }

    /// Brings the schema up to this binary's; the names of the migrations that were run.
    pub fn migrate_up(&self) -> Result<Vec<String>, StoreError> {
        either!(self, store => store.migrate_up())
    }

    /// Takes back the latest migration; its name, or `None` where there is none.
    pub fn migrate_down(&self) -> Result<Option<String>, StoreError> {
        either!(self, store => store.migrate_down())
    }

    /// The migrations that are applied and those that are not.
    pub fn migrations(&self) -> Result<(Vec<String>, Vec<String>), StoreError> {
        either!(self, store => store.migrations())
    }
}
