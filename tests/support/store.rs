//! The store the tests run on: a SQLite file, or with `JOBQUEUE_TEST_STORE=postgres://…` (the address of a cluster in which
//! databases may be made: `tests/postgres` starts one) a PostgreSQL database of each test's own.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::Path,
};

use diesel::{Connection as _, PgConnection, connection::SimpleConnection as _};

/// The address of the database that belongs to a folder, which is made at need. `None`: the file in the folder.
pub(crate) fn database(folder: &Path) -> Option<String> {
    let cluster = std::env::var("JOBQUEUE_TEST_STORE").ok().filter(|url| !url.is_empty())?;
    let mut hasher = DefaultHasher::new();
    folder.hash(&mut hasher);
    let name = format!("test_{:016x}", hasher.finish());
    let mut admin = PgConnection::establish(&cluster).expect("the cluster of JOBQUEUE_TEST_STORE answers");
    if let Err(error) = admin.batch_execute(&format!("CREATE DATABASE {name}")) {
        // A later life of the same server.
        assert!(error.to_string().contains("already exists"), "{error}");
    }
    let (place, _) = cluster.rsplit_once('/').expect("an address ends with a database");
    Some(format!("{place}/{name}"))
}
