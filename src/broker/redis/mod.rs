//! Heads of the queues shared by all nodes, in Redis, and the channel between the nodes.
//!
//! Redis only suggests. Any failure of it switches this node to heads of its own, filled from the store ([`own_heads`]); the
//! [`keeper`] thread brings Redis back, with a new generation, so that no head from before the outage is trusted. The
//! threads that call the broker never connect, so nothing they wait for takes longer than one answer may.

mod config;
mod failure;
mod gauge;
mod heads;
mod keeper;
mod keys;
mod link;
mod reply;
mod scripts;
mod subscriber;
mod switch;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

pub use config::{BadRedisConfig, DEFAULT_PREFIX, RedisConfig};
pub use gauge::{RedisGauge, RedisReading};
use link::Link;

use super::{
    Outage, Pop, Popped,
    bus::{Bus, BusListener, Notice},
    outbox::Outbox,
    own_heads::OwnHeads,
    presence::Presence,
};
use crate::task::{Mark, Priority, Ready};

const MEANWHILE: &str = "this node reads what is ready from the store by itself; nothing is lost, tasks of other nodes \
                         may start up to 2 s later";

/// The broker of a cluster, and its bus. Ends its threads when dropped.
pub struct RedisBroker(Arc<Shared>);

/// What the callers, the keeper and the subscriber share.
struct Shared {
    config: RedisConfig,
    heads: heads::Heads,
    /// Tells own messages from those of others.
    node: String,
    /// The connection of those who call, with the generation as last heard of. `None`: Redis is away.
    link: Mutex<Option<Link>>,
    generation: Mutex<Arc<str>>,
    presence: Presence,
    own_heads: OwnHeads,
    refills: Mutex<HashMap<(Arc<str>, Priority), Refill>>,
    outbox: Outbox,
    listener: OnceLock<Arc<dyn BusListener>>,
    malformed: AtomicU64,
}

/// A refill under way in this process: what it was begun with it must be ended with.
enum Refill {
    Shared {
        token: String,
        generation: Arc<str>,
    },
    /// In a head of our own, during this outage.
    Own {
        outage: u64,
    },
}

/// Why there is no broker at all; a Redis that cannot be reached is no reason.
#[derive(Debug, thiserror::Error)]
pub enum RedisStartError {
    #[error("cannot use Redis at {address}: {cause}")]
    Client { address: String, cause: String },
    #[error("cannot start the threads for Redis: {0}")]
    Thread(#[from] std::io::Error),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is held under these locks is sound whenever its holder ends.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RedisBroker {
    /// Connects, or starts without Redis and goes on trying.
    pub fn connect(config: RedisConfig) -> Result<Self, RedisStartError> {
        if config.has_tls() {
            // Of the libraries for cryptography that rustls could use; an error says that one is chosen already.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let client = redis::Client::open(config.info.clone()).map_err(|error| RedisStartError::Client {
            address: config.address().to_owned(),
            cause: error.to_string(),
        })?;
        let shared = Arc::new(Shared {
            heads: heads::Heads::new(client.clone(), &config.prefix),
            config,
            node: format!("{:016x}", fastrand::u64(..)),
            link: Mutex::new(None),
            generation: Mutex::new("".into()),
            presence: Presence::new(MEANWHILE),
            own_heads: OwnHeads::default(),
            refills: Mutex::default(),
            outbox: Outbox::default(),
            listener: OnceLock::new(),
            malformed: AtomicU64::new(0),
        });
        let broker = Self(shared.clone());
        keeper::Keeper::start(shared.clone())?;
        subscriber::start(shared, client)?;
        Ok(broker)
    }

    /// Messages on the channel that were not understood.
    pub fn malformed(&self) -> u64 {
        self.0.malformed.load(Ordering::Relaxed)
    }

    /// Notices that were dropped because too many waited.
    pub fn shed(&self) -> u64 {
        self.0.outbox.shed()
    }
}

impl Drop for RedisBroker {
    fn drop(&mut self) {
        self.0.outbox.close();
    }
}

impl Bus for RedisBroker {
    fn publish(&self, notice: Notice) {
        if !self.0.presence.is_away() {
            self.0.outbox.put(notice);
        }
    }

    fn listen(&self, listener: Arc<dyn BusListener>) {
        if self.0.listener.set(listener).is_err() {
            log::warn!("The bus has a listener already; the second one is ignored");
        }
    }
}

impl super::Broker for RedisBroker {
    fn hint(&self, ready: &[Ready]) -> Vec<Arc<str>> {
        self.0.hint(ready)
    }

    fn pop(&self, queue: &str, pop: &Pop) -> Popped {
        self.0.pop(queue, pop)
    }

    fn begin_refill(&self, queue: &str, priority: Priority) -> Option<Mark> {
        self.0.begin_refill(queue, priority)
    }

    fn end_refill(&self, queue: &str, priority: Priority, rows: &[Mark], complete: bool) {
        self.0.end_refill(queue, priority, rows, complete);
    }

    /// Only what this node holds by itself: other nodes use the shared head, and one that nobody uses goes by its age.
    fn forget(&self, queue: &str) {
        self.0.own_heads.forget(queue);
    }

    fn forget_if_empty(&self, queue: &str) -> bool {
        self.forget(queue);
        true
    }

    fn depth(&self, queue: &str) -> usize {
        self.0.depth(queue)
    }

    /// Only while Redis is away.
    fn look_again(&self, queue: &str) -> bool {
        self.0.presence.is_away() && self.0.own_heads.look_again(queue)
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn kind(&self) -> &'static str {
        "redis"
    }

    fn outage(&self) -> Option<Outage> {
        self.0.presence.outage()
    }
}
