//! Several nodes on one store without Redis: each has heads of its own, and they tell each other what is new through the
//! store's own messages (PostgreSQL's NOTIFY).
//!
//! One thread with one connection hears and sends. What is to be sent goes in a transaction of its own, one at a time, and
//! what comes meanwhile is merged: a NOTIFY inside the transaction of a submission would make commits wait for each other.

use std::{
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    Broker, Outage, Pop, Popped,
    bus::{Bus, BusListener, Notice},
    message,
    outbox::Outbox,
    own_heads::OwnHeads,
    presence::Presence,
};
use crate::task::{Mark, Priority, Ready};

/// Between two messages: a node that has much to tell says it in fewer, and the others read their heads less often.
const GAP: Duration = Duration::from_millis(50);
/// Bytes of a message; PostgreSQL takes less than 8000.
const LONGEST: usize = 7_900;
/// Between two tries to connect, doubled up to the second.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// How long the thread may outlive its broker.
const QUIET: Duration = Duration::from_secs(1);

const BESIDE: &str = "tasks that are submitted in SQL (jobqueue_submit) may start up to 2 s later";
const MEANWHILE: &str = "this node looks for what other nodes have done by itself: their tasks may start up to 2 s later, \
                         their cancels take up to 1 s, and what they set for a queue is its default and bound for \
                         submissions here only when the line is back";

/// A connection that hears what is sent on the nodes' channel, and sends.
pub trait Line: Send {
    /// Messages that have come. Waits for one, or until `rouse` can be read, or as long as `patience`.
    fn hear(&mut self, rouse: BorrowedFd<'_>, patience: Duration) -> Result<Vec<String>, String>;

    /// Sends messages, all in one transaction.
    fn say(&mut self, messages: &[String]) -> Result<(), String>;
}

/// Makes a line that already hears; an error says which server, and why.
pub type OpenLine = Box<dyn FnMut() -> Result<Box<dyn Line>, String> + Send>;

/// Ends the wait of the one who hears.
pub struct Rouse {
    sender: UnixStream,
    receiver: UnixStream,
    roused: AtomicBool,
}

impl Rouse {
    fn new() -> std::io::Result<Self> {
        let (sender, receiver) = UnixStream::pair()?;
        sender.set_nonblocking(true)?;
        receiver.set_nonblocking(true)?;
        Ok(Self { sender, receiver, roused: AtomicBool::new(false) })
    }

    fn rouse(&self) {
        use std::io::Write as _;
        if !self.roused.swap(true, Ordering::AcqRel) {
            // One byte in a pipe that is read before the next is written: it has room.
            let _ = (&self.sender).write(&[0]);
        }
    }

    fn clear(&self) {
        use std::io::Read as _;
        let _ = (&self.receiver).read(&mut [0; 16]);
        self.roused.store(false, Ordering::Release);
    }
}

/// Heads of this node, and the bus. Ends its thread when dropped.
pub struct NotifyBroker(Arc<Shared>);

struct Shared {
    /// What an operator calls the store.
    store: Arc<str>,
    /// Tells own messages from those of others.
    node: String,
    heads: OwnHeads,
    outbox: Outbox,
    rouse: Rouse,
    presence: Presence,
    /// What it is for, in the log.
    does: &'static str,
    listener: OnceLock<Arc<dyn BusListener>>,
    malformed: AtomicU64,
}

impl NotifyBroker {
    /// Starts the thread, which goes on trying until there is a line. `store` is what messages call the server. `beside`
    /// another bus it only hears, of what is submitted in SQL.
    pub fn start(store: Arc<str>, open: OpenLine, beside: bool) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            store,
            node: format!("{:016x}", fastrand::u64(..)),
            heads: OwnHeads::default(),
            outbox: Outbox::default(),
            rouse: Rouse::new()?,
            presence: Presence::new(if beside { BESIDE } else { MEANWHILE }),
            does: if beside { "tells what is submitted in SQL" } else { "carries what the nodes tell each other" },
            listener: OnceLock::new(),
            malformed: AtomicU64::new(0),
        });
        let thread = shared.clone();
        std::thread::Builder::new().name("notify".into()).spawn(move || thread.run(open))?;
        Ok(Self(shared))
    }
}

impl Drop for NotifyBroker {
    fn drop(&mut self) {
        self.0.outbox.close();
        self.0.rouse.rouse();
    }
}

impl Shared {
    fn run(&self, mut open: OpenLine) {
        let mut backoff = BACKOFF.0;
        while !self.outbox.is_closed() {
            let ended = open().and_then(|mut line| {
                backoff = BACKOFF.0;
                self.presence.found(&self.store, self.does);
                // What was said before nobody has heard.
                self.tell(Notice::Missed);
                self.talk(&mut *line)
            });
            let Err(error) = ended else { return };
            if self.presence.lost(error) {
                // What others have done from now on is found by reading again.
                self.tell(Notice::Missed);
            }
            let over = Instant::now() + backoff;
            backoff = (backoff * 2).min(BACKOFF.1);
            while !self.outbox.is_closed() && Instant::now() < over {
                // What was to be told is out of date when somebody can be told again.
                self.outbox.take(over.saturating_duration_since(Instant::now()));
            }
        }
    }

    /// Until the line fails, or the broker ends.
    fn talk(&self, line: &mut dyn Line) -> Result<(), String> {
        let mut next = Instant::now();
        while !self.outbox.is_closed() {
            let patience = self.outbox.quiet(QUIET).max(next.saturating_duration_since(Instant::now()));
            for message in line.hear(self.rouse.receiver.as_fd(), patience)? {
                self.heard(message.as_bytes());
            }
            self.rouse.clear();
            if Instant::now() < next {
                continue;
            }
            let notices = self.outbox.take(Duration::ZERO);
            let messages = notices.into_iter().flat_map(|notice| message::encode(&self.node, notice, LONGEST));
            let messages: Vec<String> = messages.filter_map(|bytes| String::from_utf8(bytes).ok()).collect();
            if !messages.is_empty() {
                line.say(&messages)?;
                next = Instant::now() + GAP;
            }
        }
        Ok(())
    }

    fn heard(&self, message: &[u8]) {
        match message::decode(&self.node, message) {
            message::Heard::Notice(notice) => self.tell(notice),
            message::Heard::Own => {}
            // One line for the first: somebody else uses the channel, or another version does.
            message::Heard::Malformed => {
                if self.malformed.fetch_add(1, Ordering::Relaxed) == 0 {
                    let store = &self.store;
                    log::warn!(
                        "A message on the nodes' channel of {store} was not understood; more of them are ignored"
                    );
                }
            }
        }
    }

    fn tell(&self, notice: Notice) {
        if let Some(listener) = self.listener.get() {
            listener.heard(notice);
        }
    }
}

impl Bus for NotifyBroker {
    fn publish(&self, notice: Notice) {
        if !self.0.presence.is_away() {
            self.0.outbox.put(notice);
            self.0.rouse.rouse();
        }
    }

    fn listen(&self, listener: Arc<dyn BusListener>) {
        if self.0.listener.set(listener).is_err() {
            log::warn!("The bus has a listener already; the second one is ignored");
        }
    }

    fn silence(&self) -> Option<Outage> {
        self.0.presence.outage()
    }
}

impl Broker for NotifyBroker {
    fn hint(&self, ready: &[Ready]) -> Vec<Arc<str>> {
        self.0.heads.hint(ready)
    }

    fn pop(&self, queue: &str, pop: &Pop) -> Popped {
        self.0.heads.pop(queue, pop)
    }

    fn begin_refill(&self, queue: &str, priority: Priority) -> Option<Mark> {
        self.0.heads.begin_refill(queue, priority)
    }

    fn end_refill(&self, queue: &str, priority: Priority, rows: &[Mark], complete: bool) {
        self.0.heads.end_refill(queue, priority, rows, complete);
    }

    fn forget(&self, queue: &str) {
        self.0.heads.forget(queue);
    }

    fn depth(&self, queue: &str) -> usize {
        self.0.heads.depth(queue)
    }

    fn look_again(&self, queue: &str) -> bool {
        self.0.heads.look_again(queue)
    }

    fn kind(&self) -> &'static str {
        "postgresql"
    }

    fn outage(&self) -> Option<Outage> {
        self.0.presence.outage()
    }
}
