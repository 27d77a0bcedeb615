//! The services the tests run on: a SQLite file; or with `JOBQUEUE_TEST_STORE=postgres://…` (the address of a cluster in
//! which databases may be made) a PostgreSQL database of each test's own; and with `JOBQUEUE_TEST_BROKER=redis://…` beside it a
//! part of that Redis. `tests/services` starts both.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::Path,
};

use diesel::{Connection as _, PgConnection, connection::SimpleConnection as _};

fn given(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|url| !url.is_empty())
}

/// What belongs to a folder has a name of its own.
fn name(folder: &Path) -> String {
    let mut hasher = DefaultHasher::new();
    folder.hash(&mut hasher);
    format!("test_{:016x}", hasher.finish())
}

/// The address of the database that belongs to a folder, which is made at need. `None`: the file in the folder.
pub(crate) fn database(folder: &Path) -> Option<String> {
    let cluster = given("JOBQUEUE_TEST_STORE")?;
    let name = name(folder);
    let mut admin = PgConnection::establish(&cluster).expect("the cluster of JOBQUEUE_TEST_STORE answers");
    if let Err(error) = admin.batch_execute(&format!("CREATE DATABASE {name}")) {
        // A later life of the same server.
        assert!(error.to_string().contains("already exists"), "{error}");
    }
    let (place, _) = cluster.rsplit_once('/').expect("an address ends with a database");
    Some(format!("{place}/{name}"))
}

/// The address of Redis, and the prefix that belongs to a folder.
pub(crate) fn redis(folder: &Path) -> Option<(String, String)> {
    Some((given("JOBQUEUE_TEST_BROKER")?, name(folder)))
}
