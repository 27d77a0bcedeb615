//! Databases for measuring, and what their server has done meanwhile.

use diesel::{Connection as _, PgConnection, QueryableByName, RunQueryDsl as _, connection::SimpleConnection as _};

use super::{errors::translate, pool::Address};
use crate::store::StoreError;

/// Makes a database on the same server, for measuring; its address.
pub fn create_scratch(url: &str, name: &str) -> Result<String, StoreError> {
    let address = Address::new(url);
    let fail = |error| translate(&address.name, &error);
    address.connect_patiently()?.batch_execute(&format!("CREATE DATABASE {}", quoted(name))).map_err(fail)?;
    let (place, options) =
        url.split_once('?').map_or((url, String::new()), |(place, rest)| (place, format!("?{rest}")));
    let (server, _) = place.rsplit_once('/').unwrap_or((place, ""));
    Ok(format!("{server}/{name}{options}"))
}

/// Takes it back, with what is still connected to it.
pub fn drop_scratch(url: &str, name: &str) -> Result<(), StoreError> {
    let address = Address::new(url);
    let fail = |error| translate(&address.name, &error);
    let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(name));
    address.connect_patiently()?.batch_execute(&drop).map_err(fail)
}

/// A transaction that has read and is not ended before the connection is dropped.
pub(in crate::store) fn hold(url: &str) -> Result<PgConnection, StoreError> {
    let address = Address::new(url);
    let mut connection = address.connect_patiently()?;
    connection
        .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM queues")
        .map_err(|error| translate(&address.name, &error))?;
    Ok(connection)
}

/// As an identifier, whatever it contains.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What a server has done since it was started, and how large this database is.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct Reading {
    /// Bytes written to the log, by the whole server.
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    pub wal_bytes: i64,
    /// Transactions of this database. Sessions tell what they did up to a second later.
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    pub commits: i64,
    /// Bytes of this database.
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    pub size: i64,
    /// The process of the session that reads.
    #[diesel(sql_type = diesel::sql_types::Integer)]
    pub pid: i32,
}

/// A connection that only looks at what the server does.
pub struct Gauge {
    connection: PgConnection,
    address: Address,
}

impl Gauge {
    pub fn of(url: &str) -> Result<Self, StoreError> {
        let address = Address::new(url);
        Ok(Self { connection: address.connect_patiently()?, address })
    }

    pub fn read(&mut self) -> Result<Reading, StoreError> {
        let reading = diesel::sql_query(
            "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint AS wal_bytes, \
             coalesce(xact_commit, 0)::bigint AS commits, pg_database_size(current_database()) AS size, \
             pg_backend_pid() AS pid FROM pg_stat_database WHERE datname = current_database()",
        );
        self.connection
            .transaction(|connection| reading.get_result(connection))
            .map_err(|error| translate(&self.address.name, &error))
    }
}
