//! What a node goes on with while Redis is away: heads of its own, filled from the store.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    broker::{Broker as _, InProcess, Popped},
    task::{Mark, Millis, Priority, Quota, Ready},
};

/// The hints of other nodes do not reach these heads, so one that has run dry may only look complete. It is read from the
/// store again, but not more often than this: an idle queue must not keep the store busy.
const READ_AGAIN: Duration = Duration::from_millis(500);

#[derive(Default)]
pub(super) struct Fallback {
    heads: InProcess,
    /// When each head was last begun from nothing.
    begun: Mutex<HashMap<Arc<str>, Instant>>,
}

impl Fallback {
    fn begun(&self) -> MutexGuard<'_, HashMap<Arc<str>, Instant>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of it belongs to an outage that is over.
    pub(super) fn clear(&self) {
        for (queue, _) in self.begun().drain() {
            self.heads.forget(&queue);
        }
    }

    pub(super) fn hint(&self, ready: &[Ready]) -> Vec<Arc<str>> {
        let mut begun = self.begun();
        for hint in ready {
            if !begun.contains_key(&hint.queue) {
                begun.insert(hint.queue.clone(), Instant::now());
            }
        }
        drop(begun);
        self.heads.hint(ready)
    }

    pub(super) fn pop(&self, queue: &str, n: usize, quota: &Quota, now: Millis) -> Popped {
        let mut popped = self.heads.pop(queue, n, quota, now);
        if popped.entries.len() == n || popped.starved.is_some() || !self.begin_again(queue) {
            return popped;
        }
        self.heads.forget(queue);
        let mut left = *quota;
        popped.entries.iter().for_each(|(priority, _)| left.take(*priority));
        let again = self.heads.pop(queue, n - popped.entries.len(), &left, now);
        popped.entries.extend(again.entries);
        Popped { entries: popped.entries, ..again }
    }

    /// True where the head is old enough to be read again; it then counts as new.
    fn begin_again(&self, queue: &str) -> bool {
        let mut begun = self.begun();
        match begun.get_mut(queue) {
            Some(at) if at.elapsed() < READ_AGAIN => false,
            Some(at) => {
                *at = Instant::now();
                true
            }
            None => {
                begun.insert(queue.into(), Instant::now());
                false
            }
        }
    }

    pub(super) fn begin_refill(&self, queue: &str, priority: Priority) -> Option<Mark> {
        self.heads.begin_refill(queue, priority)
    }

    pub(super) fn end_refill(&self, queue: &str, priority: Priority, rows: &[Mark], complete: bool) {
        self.heads.end_refill(queue, priority, rows, complete);
    }

    pub(super) fn forget(&self, queue: &str) {
        self.begun().remove(queue);
        self.heads.forget(queue);
    }

    pub(super) fn depth(&self, queue: &str) -> usize {
        self.heads.depth(queue)
    }
}
