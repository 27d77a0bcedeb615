//! How connections are made.

use std::{sync::Arc, time::Duration};

use diesel::{
    Connection as _, PgConnection,
    connection::SimpleConnection as _,
    r2d2::{ConnectionManager, CustomizeConnection, NopErrorHandler, Pool},
};

use super::errors::translate;
use crate::store::{StoreError, StoreErrorKind};

/// How long a read waits for a free connection.
const PATIENCE: Duration = Duration::from_secs(2);
const READERS: u32 = 4;

/// Of every connection, unless the address says otherwise: a server that has vanished is noticed within seconds.
const PARAMETERS: [(&str, &str); 6] = [
    ("connect_timeout", "3"),
    ("keepalives_idle", "10"),
    ("keepalives_interval", "3"),
    ("keepalives_count", "3"),
    ("tcp_user_timeout", "15000"),
    ("application_name", "jobqueue"),
];

/// Statements of writers go by keys, also when they were planned while the table was still empty.
const WRITER: &str = "SET statement_timeout = '30s'; SET lock_timeout = '5s'; \
    SET idle_in_transaction_session_timeout = '30s'; SET plan_cache_mode = force_generic_plan; SET jit = off; \
    SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; \
    SET default_transaction_isolation = 'read committed'; SET synchronous_commit = on; SET client_min_messages = warning";
const READER: &str = "SET statement_timeout = '10s'; SET lock_timeout = '2s'; SET default_transaction_read_only = on; \
    SET jit = off; SET client_min_messages = warning";

/// Where a server is and what an operator calls it.
pub(super) struct Address {
    url: String,
    pub(super) name: Arc<str>,
}

impl Address {
    pub(super) fn new(url: &str) -> Self {
        let mut full = url.to_owned();
        let given = url.split_once('?').map_or("", |(_, given)| given);
        for (name, value) in PARAMETERS {
            if !given.split('&').any(|pair| pair.split('=').next() == Some(name)) {
                full.push(if full.contains('?') { '&' } else { '?' });
                full.push_str(&format!("{name}={value}"));
            }
        }
        Self { url: full, name: shown(url).into() }
    }

    /// As libpq reads it.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn fails(&self, message: impl Into<String>) -> StoreError {
        StoreError::new(StoreErrorKind::Unavailable, &self.name, message)
    }

    fn establish(&self, settings: &str) -> Result<PgConnection, StoreError> {
        let mut connection = PgConnection::establish(&self.url)
            .map_err(|error| self.fails(format!("cannot connect: {}", error.to_string().trim().replace('\n', " "))))?;
        connection.batch_execute(settings).map_err(|error| translate(&self.name, &error))?;
        Ok(connection)
    }

    /// A connection that writes.
    pub(super) fn connect(&self) -> Result<PgConnection, StoreError> {
        self.establish(WRITER)
    }

    /// One for changes of the schema, which take as long as they take.
    pub(super) fn connect_patiently(&self) -> Result<PgConnection, StoreError> {
        self.establish("SET client_min_messages = warning")
    }

    /// For reads only, apart from the writers' connections: neither waits for the other.
    pub(super) fn pool(&self) -> Pool<ConnectionManager<PgConnection>> {
        Pool::builder()
            .max_size(READERS)
            .min_idle(Some(1))
            .connection_timeout(PATIENCE)
            // A connection that was cut is replaced here, unseen.
            .test_on_check_out(true)
            .connection_customizer(Box::new(ReadOnly))
            // Whoever wants one is told why there is none; the pool would log each of its many tries as well.
            .error_handler(Box::new(NopErrorHandler))
            .build_unchecked(ConnectionManager::new(&self.url))
    }
}

#[derive(Debug)]
struct ReadOnly;

impl CustomizeConnection<PgConnection, diesel::r2d2::Error> for ReadOnly {
    fn on_acquire(&self, connection: &mut PgConnection) -> Result<(), diesel::r2d2::Error> {
        connection.batch_execute(READER).map_err(diesel::r2d2::Error::QueryError)
    }
}

/// Without user, password and options.
fn shown(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split('?').next().unwrap_or_default();
    let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    format!("PostgreSQL at {place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_has_no_secret_and_given_parameters_stand() {
        let address = Address::new("postgres://joe:s3cret@db:5432/jobs?sslmode=verify-full&connect_timeout=9");
        assert_eq!(&*address.name, "PostgreSQL at db:5432/jobs");
        assert!(address.url.contains("connect_timeout=9&keepalives_idle=10"), "{}", address.url);
        assert_eq!(address.url.matches("connect_timeout").count(), 1);
    }
}
