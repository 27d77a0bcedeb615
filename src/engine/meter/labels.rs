//! Under which names figures are kept: a bounded number of queues, the first that come.

use std::{collections::HashMap, sync::Arc};

/// The name of all queues together. No queue has it.
pub const ALL_QUEUES: &str = "";
/// The name of the queues that have none of their own, and of a queue that is called so.
pub const OTHER_QUEUES: &str = "other";
/// Queues with figures of their own: each costs rows in the store and series in whatever collects them.
const MOST_QUEUES: usize = 100;

pub(super) const ALL: usize = 0;
const OTHER: usize = 1;

pub(super) struct Labels {
    names: Vec<Arc<str>>,
    places: HashMap<Arc<str>, usize>,
}

impl Default for Labels {
    fn default() -> Self {
        let (all, other): (Arc<str>, Arc<str>) = (ALL_QUEUES.into(), OTHER_QUEUES.into());
        Self { names: vec![all, other.clone()], places: HashMap::from([(other, OTHER)]) }
    }
}

impl Labels {
    /// Where a queue's figures are, if there are any. Asking gives no queue a place.
    pub(super) fn find(&self, queue: &str) -> Option<usize> {
        let known = self.places.get(queue).copied();
        known.or_else(|| (self.names.len() >= MOST_QUEUES + 2).then_some(OTHER))
    }

    pub(super) fn place(&mut self, queue: &str) -> usize {
        if let Some(place) = self.places.get(queue) {
            return *place;
        }
        let place = self.names.len();
        if place >= MOST_QUEUES + 2 {
            return OTHER;
        }
        let name: Arc<str> = queue.into();
        self.names.push(name.clone());
        self.places.insert(name, place);
        place
    }

    pub(super) fn name(&self, place: usize) -> &Arc<str> {
        &self.names[place]
    }
}
