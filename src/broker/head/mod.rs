//! The head of one queue: bounded lanes, each with a horizon.
//!
//! Invariant: every claimable task of the lane at or below the horizon has been in the lane since the horizon was set.
//! A hint above it is dropped, because the refill that resumes there will find it.

mod aged;

use std::collections::BTreeSet;

use super::{Pop, Popped};
use crate::task::{Mark, Priority};

/// Ids kept in one lane: ten lanes keep a queue's head near ten thousand.
pub(super) const LANE_MAX: usize = 1_024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Horizon {
    /// Nothing is known.
    Start,
    Until(Mark),
    /// All there is is here.
    Complete,
}

#[derive(Debug)]
struct Lane {
    ids: BTreeSet<Mark>,
    horizon: Horizon,
    /// Hints that came while the store is being read.
    gate: Option<Vec<Mark>>,
    /// The last pop had no room for it.
    blocked: bool,
}

impl Default for Lane {
    fn default() -> Self {
        Self { ids: BTreeSet::new(), horizon: Horizon::Start, gate: None, blocked: false }
    }
}

impl Lane {
    fn hint(&mut self, mark: Mark) {
        if let Some(gate) = &mut self.gate {
            gate.push(mark);
        }
        if Horizon::Until(mark) <= self.horizon {
            self.ids.insert(mark);
            self.trim();
        }
    }

    fn end_refill(&mut self, rows: &[Mark], complete: bool) {
        self.ids.extend(rows);
        self.horizon = match (complete, rows.last()) {
            (true, _) => Horizon::Complete,
            (false, Some(last)) => Horizon::Until(*last),
            (false, None) => self.horizon,
        };
        for mark in self.gate.take().unwrap_or_default() {
            if Horizon::Until(mark) <= self.horizon {
                self.ids.insert(mark);
            }
        }
        self.trim();
    }

    fn trim(&mut self) {
        while self.ids.len() > LANE_MAX {
            self.ids.pop_last();
            if let Some(last) = self.ids.last() {
                self.horizon = Horizon::Until(*last);
            }
        }
    }

    fn is_starved(&self) -> bool {
        self.ids.is_empty() && self.horizon != Horizon::Complete
    }
}

/// All lanes of a queue, by priority.
#[derive(Debug)]
pub(super) struct Head {
    lanes: [Lane; Priority::MAX as usize + 1],
    /// The last pop found less than was asked for: whoever asks must be woken by the next hint.
    drained: bool,
}

impl Default for Head {
    fn default() -> Self {
        Self { lanes: Default::default(), drained: true }
    }
}

impl Head {
    /// True where the queue is to be woken.
    pub(super) fn hint(&mut self, priority: Priority, mark: Mark) -> bool {
        let lane = self.lane(priority);
        lane.hint(mark);
        !lane.blocked && std::mem::take(&mut self.drained)
    }

    pub(super) fn pop(&mut self, pop: &Pop) -> Popped {
        let popped = if pop.order.ageing().is_some() { self.pop_aged(pop) } else { self.pop_by_priority(pop) };
        self.drained = popped.entries.len() < pop.n && popped.starved.is_none();
        popped
    }

    fn pop_by_priority(&mut self, &Pop { n, mut quota, now, .. }: &Pop) -> Popped {
        let mut popped = Popped::default();
        for level in (0..=Priority::MAX).rev() {
            let Some(priority) = Priority::new(level) else { continue };
            let lane = self.lane(priority);
            while popped.entries.len() < n
                && lane.ids.first().is_some_and(|(at, _)| *at <= now)
                && quota.room(priority) > 0
            {
                popped.entries.extend(lane.ids.pop_first().map(|mark| (priority, mark)));
                quota.take(priority);
            }
            let due = lane.ids.first().map(|(at, _)| *at);
            // What the lane has is ready, or nobody knows: whoever gives room back asks again.
            lane.blocked = quota.room(priority) == 0 && (lane.is_starved() || due.is_some_and(|at| at <= now));
            if lane.blocked {
                popped.blocked = true;
                continue;
            }
            if lane.is_starved() {
                popped.starved = Some(priority);
                break;
            }
            if popped.entries.len() == n {
                break;
            }
            popped.next_due = [popped.next_due, due].into_iter().flatten().min();
        }
        popped
    }

    pub(super) fn begin_refill(&mut self, priority: Priority) -> Option<Mark> {
        let lane = self.lane(priority);
        lane.gate.get_or_insert_default();
        match lane.horizon {
            Horizon::Until(mark) => Some(mark),
            Horizon::Start | Horizon::Complete => None,
        }
    }

    pub(super) fn end_refill(&mut self, priority: Priority, rows: &[Mark], complete: bool) {
        self.lane(priority).end_refill(rows, complete);
    }

    pub(super) fn depth(&self) -> usize {
        self.lanes.iter().map(|lane| lane.ids.len()).sum()
    }

    fn lane(&mut self, priority: Priority) -> &mut Lane {
        &mut self.lanes[usize::from(priority.level())]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::task::{Millis, Order, TaskId};

    fn mark(at: Millis, n: u64) -> Mark {
        let mut id = [0; 16];
        id[8..].copy_from_slice(&n.to_be_bytes());
        (at, TaskId::from_bytes(id))
    }

    /// Pops as the engine does: a starved lane is refilled from the store before the next try.
    fn pop_all(head: &mut Head, store: &BTreeSet<(Priority, Mark)>, pop: &Pop, page: usize) -> Vec<(Priority, Mark)> {
        let mut got = Vec::new();
        loop {
            let popped = head.pop(&Pop { n: pop.n - got.len(), ..*pop });
            got.extend(popped.entries);
            let Some(priority) = popped.starved else { return got };
            let from = head.begin_refill(priority);
            let lane = store.iter().filter(|(p, mark)| *p == priority && from.is_none_or(|from| *mark > from));
            let rows: Vec<Mark> = lane.map(|(_, mark)| *mark).take(page).collect();
            head.end_refill(priority, &rows, rows.len() < page);
            if got.len() == pop.n {
                return got;
            }
        }
    }

    proptest! {
        /// Whatever is submitted and popped in whatever order: nothing ready is left behind, nobody overtakes who may not,
        /// a lane is served in order, nothing is early.
        #[test]
        fn the_head_serves_what_the_store_would(steps in prop::collection::vec((0..3_u8, 0..10_u8, 0..40_i64, 1..30_usize), 1..200), page in 1..8_usize, ageing in prop::option::of(1..20_i64)) {
            let order = Order::new(ageing);
            let mut head = Head::default();
            let mut store = BTreeSet::new();
            let mut now = 0;
            for (n, (kind, level, at, count)) in steps.into_iter().enumerate() {
                let priority = Priority::new(level).unwrap();
                match kind {
                    0 => {
                        for k in 0..count {
                            let mark = mark(now + at, (n * 100 + k) as u64);
                            store.insert((priority, mark));
                            head.hint(priority, mark);
                        }
                    }
                    1 => now += at,
                    _ => {
                        let got = pop_all(&mut head, &store, &Pop { order, ..Pop::any(count, now) }, page);
                        let mut want: Vec<_> = store.iter().filter(|(_, mark)| mark.0 <= now).copied().collect();
                        want.sort_by_key(|(priority, mark)| {
                            let level = Millis::from(priority.level());
                            (ageing.map_or(-level, |ageing| mark.0 - level * ageing), *mark)
                        });
                        want.truncate(count);
                        prop_assert_eq!(&got, &want);
                        for entry in got {
                            store.remove(&entry);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_lane_is_bounded_and_resumes_from_its_horizon() {
        let mut head = Head::default();
        head.end_refill(Priority::MEDIUM, &[], true);
        for n in 0..5_000 {
            head.hint(Priority::MEDIUM, mark(1, n));
        }
        assert_eq!(head.depth(), LANE_MAX);
        assert_eq!(head.begin_refill(Priority::MEDIUM), Some(mark(1, LANE_MAX as u64 - 1)));
    }

    #[test]
    fn a_hint_during_a_refill_is_not_lost() {
        let mut head = Head::default();
        assert_eq!(head.begin_refill(Priority::MEDIUM), None);
        // Committed after the store was read, before the refill ended.
        head.hint(Priority::MEDIUM, mark(5, 1));
        head.end_refill(Priority::MEDIUM, &[mark(1, 0)], true);
        assert_eq!(head.depth(), 2);
    }

    #[test]
    fn a_queue_is_woken_once_until_it_is_drained_again() {
        let mut head = Head::default();
        for level in 0..=Priority::MAX {
            head.end_refill(Priority::new(level).unwrap(), &[], true);
        }
        assert!(head.hint(Priority::LOW, mark(1, 1)));
        assert!(!head.hint(Priority::LOW, mark(1, 2)));
        assert_eq!(head.pop(&Pop::any(2, 9)).entries.len(), 2);
        assert!(!head.hint(Priority::LOW, mark(1, 3)), "the pop got all it asked for: whoever asks will ask again");
        assert_eq!(head.pop(&Pop::any(2, 9)).entries.len(), 1);
        assert!(head.hint(Priority::LOW, mark(1, 4)));
    }
}
