//! Where the claims of this node are in their rounds: by queue, and by what the claimer serves. Two that serve different tasks
//! pass different lanes by.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::turn::Turn;
use crate::task::Millis;

/// Kinds of claimers of a queue that are remembered, whether they come again or not.
const MOST: usize = 16;
/// Beyond those, one that has not come for so long is forgotten.
const UNUSED: Millis = 60_000;

#[derive(Default)]
struct Kept {
    turn: Turn,
    used: Millis,
}

/// Of each queue of which tasks with keys were claimed.
#[derive(Default)]
pub(in super::super) struct Turns(Mutex<HashMap<Arc<str>, HashMap<i64, Kept>>>);

impl Turns {
    fn all(&self) -> MutexGuard<'_, HashMap<Arc<str>, HashMap<i64, Kept>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For the time of one claim.
    pub(super) fn take(&self, queue: &str, print: i64) -> Turn {
        let mut all = self.all();
        let kept = all.get_mut(queue).and_then(|of_queue| of_queue.get_mut(&print));
        kept.map(|kept| std::mem::take(&mut kept.turn)).unwrap_or_default()
    }

    pub(super) fn keep(&self, queue: &Arc<str>, print: i64, turn: Turn, now: Millis) {
        let mut all = self.all();
        let of_queue = all.entry(queue.clone()).or_default();
        of_queue.insert(print, Kept { turn, used: now });
        if of_queue.len() > MOST {
            of_queue.retain(|_, kept| now - kept.used < UNUSED);
        }
    }

    pub(super) fn with<T>(&self, queue: &Arc<str>, print: i64, look: impl FnOnce(&mut Turn) -> T) -> T {
        look(&mut self.all().entry(queue.clone()).or_default().entry(print).or_default().turn)
    }

    /// Of every kind of claimers of a queue that is remembered.
    pub(super) fn each(&self, queue: &str, mut look: impl FnMut(&mut Turn)) {
        if let Some(of_queue) = self.all().get_mut(queue) {
            of_queue.values_mut().for_each(|kept| look(&mut kept.turn));
        }
    }

    /// Of those that came last.
    pub(super) fn latest<T>(&self, queue: &str, look: impl FnOnce(&Turn) -> T) -> Option<T> {
        let all = self.all();
        let kept = all.get(queue)?.values().max_by_key(|kept| kept.used)?;
        Some(look(&kept.turn))
    }

    pub(super) fn forget(&self, queue: &str) {
        self.all().remove(queue);
    }
}
