//! A connection that hears NOTIFY. libpq by itself: diesel cannot wait for what comes unasked, nor give up a statement whose
//! server has stopped answering.

#![expect(unsafe_code, reason = "calls of libpq")]

use std::{
    ffi::{CStr, CString},
    os::fd::{AsFd as _, BorrowedFd},
    ptr::NonNull,
    sync::Arc,
    time::{Duration, Instant},
};

use nix::poll::{PollFd, PollFlags, PollTimeout};
use pq_sys as pq;

use super::pool::Address;

/// How long a statement may take: all of them are short.
const ANSWER: Duration = Duration::from_secs(5);

/// Nothing that is said is to survive a crash of the server, so nobody waits for its disk.
const SETTINGS: &str = "SET statement_timeout = '5s'; SET synchronous_commit = off; SET client_min_messages = warning";

/// Closed when dropped.
struct Connection(NonNull<pq::PGconn>);

// SAFETY: a connection may be used by any thread, one at a time.
unsafe impl Send for Connection {}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: it is open, and nobody uses it after this.
        unsafe { pq::PQfinish(self.0.as_ptr()) }
    }
}

/// Hears the channel of one schema.
pub struct Line {
    connection: Connection,
    /// Quoted as an identifier.
    channel: String,
    server: Arc<str>,
}

impl Line {
    /// Connects and listens.
    pub(super) fn open(address: &Address) -> Result<Self, String> {
        let url = CString::new(address.url()).map_err(|_| "the address contains U+0000".to_owned())?;
        // SAFETY: the text ends with a NUL; the result is a connection, whether it is open or not, or null.
        let connection = NonNull::new(unsafe { pq::PQconnectdb(url.as_ptr()) }).map(Connection);
        let connection = connection.ok_or_else(|| "out of memory".to_owned())?;
        let mut line = Self { connection, channel: String::new(), server: address.name.clone() };
        // SAFETY: the connection is there.
        if unsafe { pq::PQstatus(line.pointer()) } != pq::ConnStatusType::CONNECTION_OK {
            return Err(line.failed("cannot connect"));
        }
        line.run(SETTINGS)?;
        // Two schemas of one database must not hear each other, whatever they are called.
        let named = "SELECT 'jobqueue.' || relnamespace FROM pg_class WHERE oid = to_regclass('tasks')";
        let channel = line.run(named)?.ok_or_else(|| format!("{}: there is no table `tasks`", line.server))?;
        line.channel = super::scratch::quoted(&channel);
        line.run(&format!("LISTEN {}", line.channel))?;
        Ok(line)
    }

    const fn pointer(&self) -> *mut pq::PGconn {
        self.connection.0.as_ptr()
    }

    fn failed(&self, what: &str) -> String {
        // SAFETY: the message belongs to the connection and is copied.
        let message = unsafe { CStr::from_ptr(pq::PQerrorMessage(self.pointer())) }.to_string_lossy();
        format!("{}: {what}: {}", self.server, message.trim().replace('\n', " "))
    }

    /// Waits until there is something to be read from the server, or from `other`; false where it took too long.
    fn wait(&self, other: Option<BorrowedFd<'_>>, patience: Duration) -> Result<bool, String> {
        // SAFETY: the connection is there; its socket stays open while it is.
        let socket = unsafe {
            let socket = pq::PQsocket(self.pointer());
            if socket < 0 {
                return Err(self.failed("the connection is closed"));
            }
            BorrowedFd::borrow_raw(socket)
        };
        let mut watched = vec![PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
        watched.extend(other.map(|other| PollFd::new(other, PollFlags::POLLIN)));
        let patience = PollTimeout::try_from(patience.as_millis() + 1).unwrap_or(PollTimeout::MAX);
        match nix::poll::poll(&mut watched, patience) {
            Ok(ready) => Ok(ready > 0),
            Err(nix::errno::Errno::EINTR) => Ok(true),
            Err(error) => Err(format!("{}: cannot wait: {error}", self.server)),
        }
    }

    /// Takes what the socket has; never waits.
    fn read(&mut self) -> Result<(), String> {
        // SAFETY: the connection is there.
        if unsafe { pq::PQconsumeInput(self.pointer()) } == 1 {
            Ok(())
        } else {
            Err(self.failed("the connection is lost"))
        }
    }

    /// Runs statements; the first value of the last that has one.
    fn run(&mut self, statements: &str) -> Result<Option<String>, String> {
        let text = CString::new(statements).map_err(|_| "a statement contains U+0000".to_owned())?;
        // SAFETY: the text ends with a NUL and is copied.
        if unsafe { pq::PQsendQuery(self.pointer(), text.as_ptr()) } != 1 {
            return Err(self.failed("cannot send"));
        }
        let over = Instant::now() + ANSWER;
        let (mut value, mut refused) = (None, None);
        loop {
            // SAFETY: the connection is there.
            while unsafe { pq::PQisBusy(self.pointer()) } == 1 {
                let left = over.saturating_duration_since(Instant::now());
                if left.is_zero() || !self.wait(None, left)? {
                    return Err(format!("{}: no answer within {} s", self.server, ANSWER.as_secs()));
                }
                self.read()?;
            }
            // SAFETY: not busy, so this does not wait; each result is given back once.
            unsafe {
                let result = pq::PQgetResult(self.pointer());
                if result.is_null() {
                    break;
                }
                match pq::PQresultStatus(result) {
                    pq::ExecStatusType::PGRES_COMMAND_OK => {}
                    pq::ExecStatusType::PGRES_TUPLES_OK if pq::PQntuples(result) > 0 => {
                        let text = CStr::from_ptr(pq::PQgetvalue(result, 0, 0));
                        value = Some(text.to_string_lossy().into_owned());
                    }
                    pq::ExecStatusType::PGRES_TUPLES_OK => {}
                    _ => refused = Some(self.failed("refused")),
                }
                pq::PQclear(result);
            }
        }
        refused.map_or(Ok(value), Err)
    }

    /// The messages that have come; waits for one, until `rouse` can be read, or as long as `patience`.
    pub fn hear(&mut self, rouse: BorrowedFd<'_>, patience: Duration) -> Result<Vec<String>, String> {
        let mut messages = self.messages();
        if messages.is_empty() && self.wait(Some(rouse), patience)? {
            self.read()?;
            messages = self.messages();
        }
        Ok(messages)
    }

    fn messages(&mut self) -> Vec<String> {
        let mut messages = Vec::new();
        // SAFETY: each notification is a struct of libpq's, whose text is copied before it is given back.
        unsafe {
            while let Some(notify) = NonNull::new(pq::PQnotifies(self.pointer())) {
                messages.push(CStr::from_ptr(notify.as_ref().extra).to_string_lossy().into_owned());
                pq::PQfreemem(notify.as_ptr().cast());
            }
        }
        messages
    }

    /// Sends messages, all in one transaction.
    pub fn say(&mut self, messages: &[String]) -> Result<(), String> {
        let statement = |message: &String| format!("NOTIFY {}, '{}'", self.channel, message.replace('\'', "''"));
        let statements: Vec<String> = messages.iter().map(statement).collect();
        self.run(&statements.join("; ")).map(drop)
    }
}
