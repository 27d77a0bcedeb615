//! A connection that writes, and finds its way back when it is cut.

use std::{sync::Arc, time::Duration};

use super::{pool::Address, rollup::Rollup, tx::Writer};
use crate::store::{Session, StoreError, StoreErrorKind, Tx};

/// How often a transaction is run that others got in the way of.
const TRIES: u32 = 6;

pub(super) struct PostgresSession {
    address: Arc<Address>,
    /// `None`: the connection is gone, the next transaction makes a new one.
    writer: Option<Writer>,
    rollup: Rollup,
}

impl PostgresSession {
    pub(super) fn new(address: Arc<Address>) -> Result<Self, StoreError> {
        let mut session = Self { address, writer: None, rollup: Rollup::default() };
        session.connected()?;
        Ok(session)
    }

    fn connected(&mut self) -> Result<&mut Writer, StoreError> {
        if self.writer.is_none() {
            self.writer = Some(Writer::new(self.address.connect()?, self.address.name.clone()));
        }
        self.writer.as_mut().ok_or_else(|| self.address.fails("no connection"))
    }

    /// A connection that was cut while it was idle is noticed here, before anything depends on it.
    fn begin(&mut self) -> Result<&mut Writer, StoreError> {
        let begun = self.connected()?.run("BEGIN");
        match begun {
            Ok(()) => {}
            Err(_) => {
                self.writer = None;
                self.connected()?.run("BEGIN")?;
            }
        }
        self.connected()
    }

    fn once(&mut self, work: &mut dyn FnMut(&mut dyn Tx) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let writer = self.begin()?;
        writer.forget();
        if let Err(error) = work(writer).and_then(|()| writer.flush()) {
            // One that cannot even roll back is of no use any more; the server forgets what it had begun.
            if error.kind == StoreErrorKind::Unavailable || writer.run("ROLLBACK").is_err() {
                self.writer = None;
            }
            return Err(error);
        }
        match writer.run("COMMIT") {
            Ok(()) => Ok(()),
            Err(error) => {
                self.writer = None;
                if error.kind != StoreErrorKind::Unavailable {
                    return Err(error);
                }
                let message = format!(
                    "the connection was cut while it committed, nobody knows whether it did: {}",
                    error.message
                );
                Err(StoreError::new(StoreErrorKind::Indeterminate, &error.store, message))
            }
        }
    }
}

impl Session for PostgresSession {
    fn transaction(&mut self, work: &mut dyn FnMut(&mut dyn Tx) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let mut tries = 1;
        loop {
            match self.once(work) {
                Ok(()) => break,
                Err(error) if error.kind == StoreErrorKind::Contended && tries < TRIES => {
                    log::debug!("A transaction is run again (try {tries}): {error}");
                    // Those that met are not to meet again.
                    let most = 2_u64.pow(tries) * 1_000;
                    std::thread::sleep(Duration::from_micros(fastrand::u64(most / 8..most)));
                    tries += 1;
                }
                Err(error) => return Err(super::errors::settled(error)),
            }
        }
        if let Some(writer) = &mut self.writer
            && let Err(error) = self.rollup.run(&mut writer.connection)
        {
            log::debug!("The counters could not be added up: {error}");
            self.writer = None;
        }
        Ok(())
    }
}
