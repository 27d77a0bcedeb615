//! The embedded store: one SQLite file, one writing connection, a pool of readers.

/// Nobody else writes: nothing needs to be held against anybody.
macro_rules! locked {
    ($query:expr) => {
        $query
    };
}

/// Nobody else can hold it.
macro_rules! locked_if_free {
    ($query:expr) => {
        $query
    };
}

/// Equal, or both absent.
macro_rules! same {
    ($column:expr, $value:expr) => {
        diesel::SqliteExpressionMethods::is($column, $value)
    };
}

#[macro_use]
#[path = "../sql/statement.rs"]
mod statement;

#[path = "../sql/access.rs"]
mod access;
mod claim;
#[path = "../sql/counters.rs"]
mod counters;
#[path = "../sql/dead.rs"]
mod dead;
#[path = "../sql/dependencies.rs"]
mod dependencies;
mod dialect;
mod entrance;
#[path = "../sql/expiry.rs"]
mod expiry;
#[path = "../sql/finish.rs"]
mod finish;
mod finish_batch;
mod fronts;
#[path = "../sql/hot.rs"]
mod hot;
mod insert;
#[path = "../sql/inspect.rs"]
mod inspect;
#[path = "../sql/key.rs"]
mod key;
#[path = "../sql/lanes.rs"]
mod lanes;
#[path = "../sql/limits.rs"]
mod limits;
#[path = "../sql/list.rs"]
mod list;
#[path = "../sql/metrics.rs"]
mod metrics;
#[path = "../sql/notes.rs"]
mod notes;
#[path = "../sql/operations.rs"]
mod operations;
mod own;
#[path = "../sql/reach.rs"]
mod reach;
#[path = "../sql/reader.rs"]
mod reader;
#[path = "../sql/ready.rs"]
mod ready;
#[path = "../sql/reap.rs"]
mod reap;
#[path = "../sql/records.rs"]
mod records;
#[path = "../sql/relatives.rs"]
mod relatives;
#[path = "../sql/remote.rs"]
mod remote;
#[path = "../sql/schedules.rs"]
mod schedules;
mod schema;
mod session;
#[path = "../sql/submit.rs"]
mod submit;
mod survey;
#[path = "../sql/telling.rs"]
mod telling;
mod ties;
#[path = "../sql/tx.rs"]
mod tx;
#[path = "../sql/unique.rs"]
mod unique;
#[path = "../sql/wanted.rs"]
mod wanted;
#[path = "../sql/workers.rs"]
mod workers;
#[path = "../sql/workflow_acts.rs"]
mod workflow_acts;
#[path = "../sql/workflow_reads.rs"]
mod workflow_reads;
#[path = "../sql/workflows.rs"]
mod workflows;

pub use inspect::Inspector;
pub(super) use survey::hold;
pub use survey::{Schema, holder, inspector, latest_moment, schema_of, write_lock};

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use diesel::{
    Connection as _, SqliteConnection,
    connection::SimpleConnection as _,
    r2d2::{ConnectionManager, CustomizeConnection, Pool},
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};
use nix::fcntl::{Flock, FlockArg};

use super::{Reader, Session, StoreError, StoreErrorKind};
use counters::Delta;
use entrance::entrance;
use finish_batch::finish_all;
use own::{MarkCancelled, advance_schedules};

/// What the shared modules in `store/sql` know this store as.
type Backend = diesel::sqlite::Sqlite;
type Connection = SqliteConnection;
/// Ids are kept as their 16 bytes.
type Id = diesel::sql_types::Binary;
/// What a reader keeps hold of.
type Keep = Lock;
const KIND: &str = "sqlite";
/// A function that tells where a text is in another.
const CONTAINS: &str = "instr(";
/// The message of a dead letter.
const DEAD_MESSAGE: &str = "json_extract(error, '$.message')";

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// How long a statement waits for another process's lock.
const BUSY: Duration = Duration::from_secs(5);
/// How long a read waits for a free connection.
const POOL_PATIENCE: Duration = Duration::from_secs(2);
const READERS: u32 = 4;

/// An open database file, held against every other process of ours.
#[derive(Clone)]
pub struct SqliteStore {
    path: Arc<Path>,
    name: Arc<str>,
    pool: Pool<ConnectionManager<SqliteConnection>>,
    lock: Lock,
}

/// Held by every session and reader, so that it is free only when nothing of this process can touch the file any more: a
/// successor that has it knows that we are gone, and takes our tasks back.
type Lock = Arc<Flock<File>>;

impl SqliteStore {
    /// Opens (or creates) the file and takes its lock; refuses where another process has it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let name: Arc<str> = format!("SQLite at {}", path.display()).into();
        let fail = |message: String| StoreError::new(StoreErrorKind::Unavailable, &name, message);
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)
                .map_err(|error| fail(format!("cannot create the folder {}: {error}", folder.display())))?;
        }
        let lock = lock(path, &name)?;
        // The writer goes first: it creates the file and switches it to WAL, which a reader cannot.
        let mut first = connect(path, &name)?;
        first.batch_execute("PRAGMA user_version").map_err(|error| translate(&name, &error))?;
        let manager = ConnectionManager::new(path.to_string_lossy());
        let pool = Pool::builder()
            .max_size(READERS)
            .min_idle(Some(1))
            .connection_timeout(POOL_PATIENCE)
            .test_on_check_out(false)
            .connection_customizer(Box::new(ReadOnly))
            .build_unchecked(manager);
        Ok(Self { path: path.into(), name, pool, lock: Arc::new(lock) })
    }

    /// What an operator calls it.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// A connection that writes. The embedded deployment has one.
    pub fn session(&self) -> Result<Box<dyn Session>, StoreError> {
        let connection = connect(&self.path, &self.name)?;
        Ok(Box::new(session::SqliteSession::new(connection, self.name.clone(), self.lock.clone())))
    }

    pub fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(reader::PooledReader::new(self.pool.clone(), self.name.clone(), self.lock.clone()))
    }

    /// Brings the schema up to this binary's; the names of the migrations that were run.
    pub fn migrate_up(&self) -> Result<Vec<String>, StoreError> {
        // What a newer version keeps there would be misread, or lost.
        if let [newer, ..] = survey::schema_of(&self.path)?.unknown.as_slice() {
            let message = format!(
                "the database was made by a newer version (migration {newer}). Run that version, or restore a copy from \
                 before the upgrade"
            );
            return Err(StoreError::new(StoreErrorKind::Schema, &self.name, message));
        }
        let mut connection = connect(&self.path, &self.name)?;
        let run = connection.run_pending_migrations(MIGRATIONS).map_err(|error| self.migration(&*error))?;
        Ok(run.iter().map(ToString::to_string).collect())
    }

    /// Takes back the latest migration; its name, or `None` where there is none.
    pub fn migrate_down(&self) -> Result<Option<String>, StoreError> {
        let mut connection = connect(&self.path, &self.name)?;
        let applied = connection.applied_migrations().map_err(|error| self.migration(&*error))?;
        if applied.is_empty() {
            return Ok(None);
        }
        let name = connection.revert_last_migration(MIGRATIONS).map_err(|error| self.migration(&*error))?;
        Ok(Some(name.to_string()))
    }

    /// The migrations that are applied and those that are not.
    pub fn migrations(&self) -> Result<(Vec<String>, Vec<String>), StoreError> {
        let mut connection = connect(&self.path, &self.name)?;
        let applied = connection.applied_migrations().map_err(|error| self.migration(&*error))?;
        let pending = connection.pending_migrations(MIGRATIONS).map_err(|error| self.migration(&*error))?;
        Ok((
            applied.iter().rev().map(ToString::to_string).collect(),
            pending.iter().map(|migration| migration.name().to_string()).collect(),
        ))
    }

    fn migration(&self, error: &(dyn std::error::Error + Send + Sync)) -> StoreError {
        StoreError::new(StoreErrorKind::Schema, &self.name, format!("migration failed: {error}"))
    }
}

/// Takes the lock beside the database file and leaves our process id in it.
fn lock(path: &Path, name: &Arc<str>) -> Result<Flock<File>, StoreError> {
    let beside = lock_path(path);
    let unavailable = |error: std::io::Error| {
        let message = format!("cannot open the lock file {}: {error}", beside.display());
        StoreError::new(StoreErrorKind::Unavailable, name, message)
    };
    let file =
        OpenOptions::new().create(true).read(true).write(true).truncate(false).open(&beside).map_err(unavailable)?;
    let mut held = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(held) => held,
        Err((mut file, _)) => {
            let mut owner = String::new();
            let _ = file.read_to_string(&mut owner);
            let message = format!(
                "in use by another jobqueue process (pid {}). Stop that one, or give this one another \
                 DATABASE_URL",
                owner.trim()
            );
            return Err(StoreError::new(StoreErrorKind::Locked, name, message));
        }
    };
    let write = |file: &mut File| {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())
    };
    // Only for the message above: a disk that is full must not keep the server from starting.
    if let Err(error) = write(&mut held) {
        log::warn!("Cannot write the process id to {}: {error}", beside.display());
    }
    Ok(held)
}

fn lock_path(path: &Path) -> PathBuf {
    let mut text = path.as_os_str().to_owned();
    text.push(".lock");
    text.into()
}

/// A writing connection.
fn connect(path: &Path, name: &Arc<str>) -> Result<SqliteConnection, StoreError> {
    let mut connection = SqliteConnection::establish(&path.to_string_lossy()).map_err(|error| {
        StoreError::new(StoreErrorKind::Unavailable, name, format!("cannot open the file: {error}"))
    })?;
    // FULL: a commit is on the disk before anyone hears of it. The log is written back every 8000 pages (32 MB).
    let settings = format!(
        "PRAGMA busy_timeout = {}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF; \
         PRAGMA wal_autocheckpoint = 8000; PRAGMA journal_size_limit = 67108864; PRAGMA temp_store = MEMORY; \
         PRAGMA cache_size = -6000;",
        BUSY.as_millis()
    );
    connection.batch_execute(&settings).map_err(|error| translate(name, &error))?;
    Ok(connection)
}

#[derive(Debug)]
struct ReadOnly;

impl CustomizeConnection<SqliteConnection, diesel::r2d2::Error> for ReadOnly {
    fn on_acquire(&self, connection: &mut SqliteConnection) -> Result<(), diesel::r2d2::Error> {
        let settings = format!(
            "PRAGMA busy_timeout = {}; PRAGMA query_only = ON; PRAGMA cache_size = -1000; PRAGMA temp_store = MEMORY;",
            BUSY.as_millis()
        );
        connection.batch_execute(&settings).map_err(diesel::r2d2::Error::QueryError)
    }
}

/// What diesel's error means. SQLite's own code is not passed on by diesel, its message is.
fn translate(store: &Arc<str>, error: &diesel::result::Error) -> StoreError {
    let message = error.to_string();
    let kind = if message.contains("database or disk is full") {
        StoreErrorKind::Full
    } else if message.contains("database is locked") || message.contains("database table is locked") {
        StoreErrorKind::Locked
    } else if message.contains("no such table") || message.contains("no such column") {
        StoreErrorKind::Schema
    } else if message.contains("I/O error") || message.contains("unable to open") || message.contains("malformed") {
        StoreErrorKind::Unavailable
    } else {
        StoreErrorKind::Refused
    };
    let message = match kind {
        StoreErrorKind::Locked => {
            format!("{message}: another program holds a lock on the file. Stop it or let it end (`fuser` names it)")
        }
        StoreErrorKind::Schema => format!("{message}: the schema is not this version's. Run `jobqueue migrate up`"),
        _ => message,
    };
    StoreError::new(kind, store, message)
}

/// There is one writer: nobody adds to a queue between a count and what follows from it.
#[expect(clippy::unnecessary_wraps, reason = "the other store asks its server")]
const fn hold_depth(_: &mut tx::Writer, _: &str) -> diesel::QueryResult<()> {
    Ok(())
}

fn flush(connection: &mut SqliteConnection, deltas: impl Iterator<Item = Delta>) -> diesel::QueryResult<()> {
    for Delta { queue, priority, kind, n } in deltas {
        diesel::RunQueryDsl::execute(own::AddToCounter { queue: &queue, priority, kind, n }, connection)?;
    }
    Ok(())
}
