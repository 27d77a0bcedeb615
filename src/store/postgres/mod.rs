//! The store of a cluster: a PostgreSQL database that any number of nodes write to.
//!
//! What keeps them apart: every change is one guarded update of a row that is held; batches hold rows in the order of their
//! ids; claims pass over what others hold; a transaction that got in another's way is run again.

/// Holds what a query finds until the end of the transaction.
macro_rules! locked {
    ($query:expr) => {
        diesel::QueryDsl::for_update($query)
    };
}

/// The same, of what nobody else holds.
macro_rules! locked_if_free {
    ($query:expr) => {
        diesel::QueryDsl::skip_locked(diesel::QueryDsl::for_update($query))
    };
}

/// Equal, or both absent.
macro_rules! same {
    ($column:expr, $value:expr) => {
        diesel::PgExpressionMethods::is_not_distinct_from($column, $value)
    };
}

#[macro_use]
#[path = "../sql/statement.rs"]
mod statement;

mod claim;
mod dialect;
mod entrance;
mod errors;
mod finish_batch;
mod id;
mod insert;
mod line;
mod own;
mod pool;
mod rollup;
mod schema;
mod scratch;
mod session;

#[path = "../sql/access.rs"]
mod access;
#[path = "../sql/counters.rs"]
mod counters;
#[path = "../sql/dead.rs"]
mod dead;
#[path = "../sql/dependencies.rs"]
mod dependencies;
#[path = "../sql/expiry.rs"]
mod expiry;
#[path = "../sql/finish.rs"]
mod finish;
mod fronts;
#[path = "../sql/hot.rs"]
mod hot;
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
#[path = "../sql/submit.rs"]
mod submit;
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

use std::sync::Arc;

use diesel::{
    OptionalExtension as _, PgConnection, QueryDsl as _, QueryResult, RunQueryDsl as _,
    connection::SimpleConnection as _,
    r2d2::{ConnectionManager, Pool},
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};

use super::{Reader, Session, StoreError, StoreErrorKind};
use counters::Delta;
use entrance::entrance;
use errors::translate;
use finish_batch::finish_all;
use id::Id;
pub use inspect::Inspector;
pub use line::Line;
use own::{MarkCancelled, advance_schedules};
pub(super) use scratch::hold;
pub use scratch::{Gauge, Reading, create_scratch, drop_scratch};

/// What the shared modules in `store/sql` know this store as.
type Backend = diesel::pg::Pg;
type Connection = PgConnection;
/// What a reader keeps hold of.
type Keep = ();
const KIND: &str = "postgresql";
/// A function that tells where a text is in another.
const CONTAINS: &str = "strpos(";
/// The message of a dead letter.
const DEAD_MESSAGE: &str = "(error::json ->> 'message')";

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// A database that answers.
#[derive(Clone)]
pub struct PostgresStore {
    address: Arc<pool::Address>,
    pool: Pool<ConnectionManager<PgConnection>>,
}

impl PostgresStore {
    /// `url` as libpq reads it: `postgres://user:password@host:5432/database?sslmode=verify-full`.
    pub fn open(url: &str) -> Result<Self, StoreError> {
        let address = pool::Address::new(url);
        address.connect()?;
        Ok(Self { pool: address.pool(), address: Arc::new(address) })
    }

    /// What an operator calls it.
    pub fn name(&self) -> &Arc<str> {
        &self.address.name
    }

    /// A connection that writes. There may be any number.
    pub fn session(&self) -> Result<Box<dyn Session>, StoreError> {
        Ok(Box::new(session::PostgresSession::new(self.address.clone())?))
    }

    /// A connection that hears what other nodes tell; an error says which server, and why.
    pub fn line(&self) -> Result<Line, String> {
        Line::open(&self.address)
    }

    pub fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(reader::PooledReader::new(self.pool.clone(), self.address.name.clone(), ()))
    }

    /// Brings the schema up to this binary's; the names of the migrations that were run.
    pub fn migrate_up(&self) -> Result<Vec<String>, StoreError> {
        let mut connection = self.migrator()?;
        let run = connection.run_pending_migrations(MIGRATIONS).map_err(|error| self.migration(&*error))?;
        Ok(run.iter().map(ToString::to_string).collect())
    }

    /// Takes back the latest migration; its name, or `None` where there is none.
    pub fn migrate_down(&self) -> Result<Option<String>, StoreError> {
        let mut connection = self.migrator()?;
        let applied = connection.applied_migrations().map_err(|error| self.migration(&*error))?;
        if applied.is_empty() {
            return Ok(None);
        }
        let name = connection.revert_last_migration(MIGRATIONS).map_err(|error| self.migration(&*error))?;
        Ok(Some(name.to_string()))
    }

    /// The migrations that are applied and those that are not.
    pub fn migrations(&self) -> Result<(Vec<String>, Vec<String>), StoreError> {
        let mut connection = self.migrator()?;
        let applied = connection.applied_migrations().map_err(|error| self.migration(&*error))?;
        let pending = connection.pending_migrations(MIGRATIONS).map_err(|error| self.migration(&*error))?;
        Ok((
            applied.iter().rev().map(ToString::to_string).collect(),
            pending.iter().map(|migration| migration.name().to_string()).collect(),
        ))
    }

    /// Nodes that start at once change the schema one after the other. The lock goes with the connection.
    fn migrator(&self) -> Result<PgConnection, StoreError> {
        let mut connection = self.address.connect_patiently()?;
        let lock = "SET lock_timeout = '60s'; SELECT pg_advisory_lock(7310112846); SET lock_timeout = 0";
        connection.batch_execute(lock).map_err(|error| translate(self.name(), &error))?;
        Ok(connection)
    }

    fn migration(&self, error: &(dyn std::error::Error + Send + Sync)) -> StoreError {
        StoreError::new(StoreErrorKind::Schema, self.name(), format!("migration failed: {error}"))
    }
}

/// For looking at the invariants; nothing is created or changed.
pub fn inspector(url: &str) -> Result<Inspector, StoreError> {
    let address = pool::Address::new(url);
    Ok(Inspector::new(address.connect_patiently()?, address.name))
}

/// Of those who count what waits in a queue before they add to it, one at a time; nobody else waits for them.
fn hold_depth(writer: &mut tx::Writer, queue: &str) -> QueryResult<()> {
    let row = schema::queues::table.find(queue).select(schema::queues::name).for_no_key_update();
    row.first::<String>(&mut writer.connection).optional().map(drop)
}

fn flush(connection: &mut PgConnection, deltas: impl Iterator<Item = Delta>) -> QueryResult<()> {
    let deltas: Vec<Delta> = deltas.collect();
    if deltas.is_empty() {
        return Ok(());
    }
    own::AddToCounters {
        queue: &deltas.iter().map(|delta| &*delta.queue).collect::<Vec<_>>(),
        priority: &deltas.iter().map(|delta| delta.priority).collect::<Vec<_>>(),
        kind: &deltas.iter().map(|delta| delta.kind).collect::<Vec<_>>(),
        n: &deltas.iter().map(|delta| delta.n).collect::<Vec<_>>(),
    }
    .execute(connection)
    .map(|_| ())
}
