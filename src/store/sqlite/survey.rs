//! A database file seen from outside, for whoever wants to know about it before a server opens it.

use std::{fs::OpenOptions, io::Read as _, path::Path, sync::Arc};

use diesel::{
    Connection as _, QueryableByName, RunQueryDsl as _, SqliteConnection,
    connection::SimpleConnection as _,
    migration::{Migration, MigrationSource as _},
    sql_types::{BigInt, Nullable, Text},
    sqlite::Sqlite,
};
use nix::fcntl::{Flock, FlockArg};

use super::{Inspector, MIGRATIONS, lock_path, translate};
use crate::{
    store::{StoreError, StoreErrorKind},
    task::Millis,
};

/// For looking at the invariants of a file that exists; nothing is created or changed, and no lock is taken.
pub fn inspector(path: &Path) -> Result<Inspector, StoreError> {
    let (connection, name) = open_read_only(path)?;
    Ok(Inspector::new(connection, name))
}

/// A read of the file that is not ended before the connection is dropped.
pub(in crate::store) fn hold(path: &Path) -> Result<SqliteConnection, StoreError> {
    let (mut connection, name) = open_read_only(path)?;
    connection.batch_execute("BEGIN; SELECT count(*) FROM queues").map_err(|error| translate(&name, &error))?;
    Ok(connection)
}

fn open_read_only(path: &Path) -> Result<(SqliteConnection, Arc<str>), StoreError> {
    let name: Arc<str> = format!("SQLite at {}", path.display()).into();
    let fail = |message: String| StoreError::new(StoreErrorKind::Unavailable, &name, message);
    // Percent signs, question marks and number signs mean something in the address of a file.
    let text = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let mut connection = SqliteConnection::establish(&format!("file:{text}?mode=ro"))
        .map_err(|error| fail(format!("cannot open the file to read it: {error}")))?;
    let settings = "PRAGMA busy_timeout = 5000; PRAGMA query_only = ON; PRAGMA temp_store = MEMORY;";
    connection.batch_execute(settings).map_err(|error| translate(&name, &error))?;
    Ok((connection, name))
}

/// How a file's schema stands to this version's.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    /// Migrations of this version that are not applied.
    pub pending: Vec<String>,
    /// Applied ones that this version does not have.
    pub unknown: Vec<String>,
}

/// The process that holds the database, as it wrote it down; `None`: nobody does.
pub fn holder(path: &Path) -> Option<String> {
    let file = OpenOptions::new().read(true).write(true).open(lock_path(path)).ok()?;
    // Shared and for a moment only: two that look do not see each other.
    match Flock::lock(file, FlockArg::LockSharedNonblock) {
        Ok(_) => None,
        Err((mut file, _)) => {
            let mut owner = String::new();
            let _ = file.read_to_string(&mut owner);
            Some(owner.trim().to_owned())
        }
    }
}

/// Whether something could be written now; nothing is.
pub fn write_lock(path: &Path) -> Result<(), StoreError> {
    let name: Arc<str> = format!("SQLite at {}", path.display()).into();
    let mut connection = SqliteConnection::establish(&path.to_string_lossy())
        .map_err(|error| StoreError::new(StoreErrorKind::Unavailable, &name, error.to_string()))?;
    let tried = connection.batch_execute("PRAGMA busy_timeout = 500; BEGIN IMMEDIATE; ROLLBACK;");
    tried.map_err(|error| translate(&name, &error))
}

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = Text)]
    version: String,
}

#[derive(QueryableByName)]
struct Moment {
    #[diesel(sql_type = Nullable<BigInt>)]
    at: Option<i64>,
}

/// Reads which migrations a file has.
pub fn schema_of(path: &Path) -> Result<Schema, StoreError> {
    let (mut connection, name) = open_read_only(path)?;
    let known: Vec<Box<dyn Migration<Sqlite>>> =
        MIGRATIONS.migrations().map_err(|error| StoreError::new(StoreErrorKind::Schema, &name, error.to_string()))?;
    let version = |migration: &dyn Migration<Sqlite>| migration.name().version().to_string();
    let told = |error: &diesel::result::Error| translate(&name, error);
    let tables =
        diesel::sql_query("SELECT name AS version FROM sqlite_master WHERE name = '__diesel_schema_migrations'");
    let is_ours = !tables.load::<Version>(&mut connection).map_err(|error| told(&error))?.is_empty();
    let applied: Vec<Version> = if is_ours {
        let all = diesel::sql_query("SELECT version FROM __diesel_schema_migrations ORDER BY version");
        all.load(&mut connection).map_err(|error| told(&error))?
    } else {
        Vec::new()
    };
    let has = |wanted: &str| applied.iter().any(|applied| applied.version == wanted);
    let pending = known
        .iter()
        .filter(|migration| !has(&version(migration.as_ref())))
        .map(|migration| migration.name().to_string())
        .collect();
    let is_known = |applied: &Version| known.iter().any(|migration| version(migration.as_ref()) == applied.version);
    let unknown = applied.iter().filter(|applied| !is_known(applied)).map(|applied| applied.version.clone()).collect();
    Ok(Schema { pending, unknown })
}

/// The latest time at which something happened there.
pub fn latest_moment(path: &Path) -> Result<Option<Millis>, StoreError> {
    let (mut connection, name) = open_read_only(path)?;
    // Ids begin with the time of submission: the last one is found without a walk over all tasks.
    let latest = "SELECT max(at) AS at FROM (SELECT max(beat_at) AS at FROM workers UNION ALL SELECT created_at FROM (SELECT \
                  created_at FROM tasks ORDER BY id DESC LIMIT 1))";
    let found: Moment =
        diesel::sql_query(latest).get_result(&mut connection).map_err(|error| translate(&name, &error))?;
    Ok(found.at)
}
