//! Where a claimable task waits: its queue, its priority, and its place among the others.

use std::sync::Arc;

use super::{Millis, Priority, TaskId};

/// A place in a lane: when the task is ready, then its id. The order in which a lane is served.
pub type Mark = (Millis, TaskId);

/// A claimable task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    pub queue: Arc<str>,
    pub priority: Priority,
    /// It waits by its keys, which no broker knows: whoever hears of it is to look into the store.
    pub keyed: bool,
    pub mark: Mark,
}
