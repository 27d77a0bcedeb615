//! Wakes by time: one moment for each queue, the earliest that was asked for.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use crate::task::Millis;

/// Which queue is to be woken when.
#[derive(Default)]
pub(super) struct Timers {
    by_time: BTreeSet<(Millis, Arc<str>)>,
    by_queue: HashMap<Arc<str>, Millis>,
}

impl Timers {
    /// Asks for a wake; an earlier one that was asked for stands.
    pub(super) fn add(&mut self, queue: Arc<str>, at: Millis) {
        if let Some(&earlier) = self.by_queue.get(&queue) {
            if earlier <= at {
                return;
            }
            self.by_time.remove(&(earlier, queue.clone()));
        }
        self.by_queue.insert(queue.clone(), at);
        self.by_time.insert((at, queue));
    }

    /// Takes the queues whose time has come.
    pub(super) fn due(&mut self, now: Millis) -> Vec<Arc<str>> {
        let mut due = Vec::new();
        while self.by_time.first().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, queue)) = self.by_time.pop_first() {
                self.by_queue.remove(&queue);
                due.push(queue);
            }
        }
        due
    }

    /// The earliest moment, if any was asked for.
    pub(super) fn next(&self) -> Option<Millis> {
        self.by_time.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_woken_once_at_the_earliest_moment_asked_for() {
        let mut timers = Timers::default();
        let queue: Arc<str> = "q".into();
        timers.add(queue.clone(), 50);
        timers.add(queue.clone(), 20);
        timers.add(queue.clone(), 90);
        assert_eq!(timers.next(), Some(20));
        assert_eq!(timers.due(19), Vec::<Arc<str>>::new());
        assert_eq!(timers.due(100), vec![queue]);
        assert_eq!(timers.next(), None);
    }
}
