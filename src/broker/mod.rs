//! What is fast and may be forgotten: the heads of the queues, as hints.
//!
//! A broker only suggests. A hint that is lost, doubled, stale or out of order costs time, never safety: the claim in the
//! store decides. Calls may block on the network: only the engine's stage threads make them.

pub mod bus;
mod head;
mod in_process;
mod message;
mod notify;
mod outbox;
mod own_heads;
mod presence;
mod redis;

pub use bus::{Bus, BusListener, NoBus, Notice};
pub use in_process::InProcess;
pub use notify::{Line, NotifyBroker, OpenLine, Rouse};
pub use redis::{BadRedisConfig, DEFAULT_PREFIX, RedisBroker, RedisConfig, RedisGauge, RedisReading, RedisStartError};

use crate::task::{Mark, Millis, Order, Priority, Quota, Ready};

/// Heads of queues: for each queue and priority the first tasks that are claimable, now or later.
pub trait Broker: Send + Sync {
    /// Tells of claimable tasks; the queues that had nothing to offer before, each once: they are to be woken.
    fn hint(&self, ready: &[Ready]) -> Vec<std::sync::Arc<str>>;

    /// Takes ids that are ready, in the order that is asked for.
    /// A lane for which the quota has no room is left as it is, and its hints wake nobody until it is asked for again.
    fn pop(&self, queue: &str, pop: &Pop) -> Popped;

    /// Opens the gate of a lane: from now on hints are kept wherever they belong. Returns the lane's horizon, from which
    /// the store is to be read *after* this call, so that nothing is committed unseen between the two.
    fn begin_refill(&self, queue: &str, priority: Priority) -> Option<Mark>;

    /// Adds what the store had beyond the horizon and closes the gate; `complete`: the store has no more than this.
    fn end_refill(&self, queue: &str, priority: Priority, rows: &[Mark], complete: bool);

    /// Forgets a queue; it is filled from the store when next asked for.
    fn forget(&self, queue: &str);

    /// Ids held for a queue.
    fn depth(&self, queue: &str) -> usize;

    /// Forgets a queue of which nothing is held here; false where something is. Never blocks: actors call it.
    fn forget_if_empty(&self, queue: &str) -> bool {
        let is_empty = self.depth(queue) == 0;
        if is_empty {
            self.forget(queue);
        }
        is_empty
    }

    /// Tasks have come into a queue that were hinted to no head here. False where they are to be hinted now; true where the
    /// head finds them by itself.
    fn look_again(&self, _queue: &str) -> bool {
        false
    }

    /// The heads are those of all nodes: a hint is for each of them.
    fn is_shared(&self) -> bool {
        false
    }

    /// What an operator calls it.
    fn kind(&self) -> &'static str;

    /// Why it does less than it should, if so. Never a reason for the server to be down: the store has everything.
    fn outage(&self) -> Option<Outage> {
        None
    }
}

/// A broker that cannot be reached or does not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// What is wrong and how it is put right.
    pub error: String,
    pub since: Millis,
    /// What happens until it is over.
    pub meanwhile: &'static str,
}

/// What is asked of the head of a queue.
#[derive(Debug, Clone, Copy)]
pub struct Pop {
    /// Ids at most.
    pub n: usize,
    pub quota: Quota,
    pub order: Order,
    pub now: Millis,
}

impl Pop {
    /// Strictly by priority, with no limit to what may start.
    pub const fn any(n: usize, now: Millis) -> Self {
        Self { n, quota: Quota::UNLIMITED, order: Order::STRICT, now }
    }
}

/// What a pop found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Popped {
    pub entries: Vec<(Priority, Mark)>,
    /// This lane is used up but the store has more: refill it before one that comes later is served.
    pub starved: Option<Priority>,
    /// When the next entry falls due, if nothing is ready any more.
    pub next_due: Option<Millis>,
    /// There may be more that is ready, in a lane for which there is no room.
    pub blocked: bool,
}
