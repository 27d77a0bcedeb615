//! Heads of a node's own on a store that others work on too: where there is no Redis, or while it is away.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    broker::{Broker, InProcess, Pop, Popped},
    task::{Mark, Priority, Ready},
};

/// The hints of other nodes do not reach these heads, so one that has run dry may only look complete. It is read from the
/// store again where another node has told of the queue, else not more often than this: an idle queue must not keep the
/// store busy.
const READ_AGAIN: Duration = Duration::from_millis(500);

#[derive(Default)]
pub(super) struct OwnHeads {
    heads: InProcess,
    /// When each head was last begun from nothing.
    begun: Mutex<HashMap<Arc<str>, Instant>>,
    /// Queues that others have put tasks into since their head was begun.
    behind: Mutex<HashSet<Arc<str>>>,
}

impl OwnHeads {
    fn behind(&self) -> MutexGuard<'_, HashSet<Arc<str>>> {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begun(&self) -> MutexGuard<'_, HashMap<Arc<str>, Instant>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of it belongs to an outage that is over.
    pub(super) fn clear(&self) {
        self.behind().clear();
        for (queue, _) in self.begun().drain() {
            self.heads.forget(&queue);
        }
    }

    /// True where the head is to be read again; it then counts as new.
    fn begin_again(&self, queue: &str) -> bool {
        let told = self.behind().remove(queue);
        let mut begun = self.begun();
        match begun.get_mut(queue) {
            Some(at) if !told && at.elapsed() < READ_AGAIN => false,
            Some(at) => {
                *at = Instant::now();
                true
            }
            None => {
                begun.insert(queue.into(), Instant::now());
                told
            }
        }
    }
}

impl Broker for OwnHeads {
    fn hint(&self, ready: &[Ready]) -> Vec<Arc<str>> {
        let mut begun = self.begun();
        for hint in ready {
            if !begun.contains_key(&hint.queue) {
                begun.insert(hint.queue.clone(), Instant::now());
            }
        }
        drop(begun);
        self.heads.hint(ready)
    }

    fn pop(&self, queue: &str, pop: &Pop) -> Popped {
        let mut popped = self.heads.pop(queue, pop);
        if popped.entries.len() == pop.n || popped.starved.is_some() || !self.begin_again(queue) {
            return popped;
        }
        self.heads.forget(queue);
        let mut left = pop.quota;
        popped.entries.iter().for_each(|(priority, _)| left.take(*priority));
        let again = self.heads.pop(queue, &Pop { n: pop.n - popped.entries.len(), quota: left, ..*pop });
        popped.entries.extend(again.entries);
        Popped { entries: popped.entries, ..again }
    }

    fn begin_refill(&self, queue: &str, priority: Priority) -> Option<Mark> {
        self.heads.begin_refill(queue, priority)
    }

    fn end_refill(&self, queue: &str, priority: Priority, rows: &[Mark], complete: bool) {
        self.heads.end_refill(queue, priority, rows, complete);
    }

    fn forget(&self, queue: &str) {
        self.behind().remove(queue);
        self.begun().remove(queue);
        self.heads.forget(queue);
    }

    fn depth(&self, queue: &str) -> usize {
        self.heads.depth(queue)
    }

    fn look_again(&self, queue: &str) -> bool {
        self.behind().insert(queue.into());
        true
    }

    fn kind(&self) -> &'static str {
        "in_process"
    }
}
