//! The broker of the embedded deployment: heads in memory.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Broker, Pop, Popped, head::Head};
use crate::task::{Mark, Priority, Ready};

/// Heads by queue, under one lock: its holders do a few set operations and nothing else.
#[derive(Default)]
pub struct InProcess {
    heads: Mutex<HashMap<Arc<str>, Head>>,
}

impl InProcess {
    fn heads(&self) -> MutexGuard<'_, HashMap<Arc<str>, Head>> {
        // A panic elsewhere cannot leave a head unsound for long: heads are rebuilt from the store at need.
        self.heads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn head<'a>(heads: &'a mut HashMap<Arc<str>, Head>, queue: &str) -> &'a mut Head {
    heads.entry(queue.into()).or_default()
}

impl Broker for InProcess {
    fn hint(&self, ready: &[Ready]) -> Vec<Arc<str>> {
        let mut woken = Vec::new();
        let mut heads = self.heads();
        for hint in ready {
            let woke = match heads.get_mut(&hint.queue) {
                Some(head) => head.hint(hint.priority, hint.mark),
                None => head(&mut heads, &hint.queue).hint(hint.priority, hint.mark),
            };
            if woke {
                woken.push(hint.queue.clone());
            }
        }
        woken
    }

    fn pop(&self, queue: &str, pop: &Pop) -> Popped {
        head(&mut self.heads(), queue).pop(pop)
    }

    fn begin_refill(&self, queue: &str, priority: Priority) -> Option<Mark> {
        head(&mut self.heads(), queue).begin_refill(priority)
    }

    fn end_refill(&self, queue: &str, priority: Priority, rows: &[Mark], complete: bool) {
        head(&mut self.heads(), queue).end_refill(priority, rows, complete);
    }

    fn forget(&self, queue: &str) {
        self.heads().remove(queue);
    }

    fn depth(&self, queue: &str) -> usize {
        self.heads().get(queue).map_or(0, Head::depth)
    }

    fn kind(&self) -> &'static str {
        "in_process"
    }
}
