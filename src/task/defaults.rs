//! What a submission gets that does not say otherwise.

use std::collections::HashMap;

use super::{Millis, QueueSettings};

/// The server's; a queue and a handler may have others.
#[derive(Debug, Clone)]
pub struct TaskDefaults {
    /// Retries after the first attempt.
    pub max_retries: u32,
    /// Longest run time of an attempt; `None`: no limit.
    pub timeout_ms: Option<Millis>,
    /// How long a result is given out after the end of its task.
    pub result_ttl_ms: Millis,
    /// Retries and time limit, for tasks whose handler has its own: by name.
    pub per_name: HashMap<String, (u32, Option<Millis>)>,
}

impl Default for TaskDefaults {
    fn default() -> Self {
        Self { max_retries: 3, timeout_ms: Some(300_000), result_ttl_ms: 3_600_000, per_name: HashMap::new() }
    }
}

impl TaskDefaults {
    /// Retries and time limit of a task of this name: its handler's own, else the queue's, else the server's.
    pub fn of(&self, name: &str, queue: Option<&QueueSettings>) -> (u32, Option<Millis>) {
        self.per_name.get(name).copied().unwrap_or_else(|| {
            let retries = queue.and_then(|queue| queue.max_retries).unwrap_or(self.max_retries);
            let timeout = queue.and_then(|queue| queue.timeout).map_or(self.timeout_ms, |limit| limit.0);
            (retries, timeout)
        })
    }
}
