//! The one connection that writes.

use std::sync::Arc;

use diesel::SqliteConnection;

use super::{Lock, tx::Writer};
use crate::store::{Session, StoreError, Tx};

pub(super) struct SqliteSession {
    writer: Writer,
    _lock: Lock,
}

impl SqliteSession {
    pub(super) fn new(connection: SqliteConnection, name: Arc<str>, lock: Lock) -> Self {
        Self { writer: Writer::new(connection, name), _lock: lock }
    }
}

impl Session for SqliteSession {
    fn transaction(&mut self, work: &mut dyn FnMut(&mut dyn Tx) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let writer = &mut self.writer;
        writer.forget();
        writer.run("BEGIN IMMEDIATE")?;
        let done = work(writer).and_then(|()| writer.flush()).and_then(|()| writer.run("COMMIT"));
        if done.is_err() {
            // SQLite has rolled back by itself after some failures (a full disk): nothing more to do then.
            let _ = writer.run("ROLLBACK");
        }
        done
    }
}
