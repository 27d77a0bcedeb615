//! The pop of a queue whose tasks gain priority as they wait.

use super::{Head, Horizon, Lane};
use crate::{
    broker::{Pop, Popped},
    task::{Millis, Order, Priority, Rank},
};

impl Lane {
    /// The place of what comes next, as far as it is ready. What only the store knows comes behind the horizon.
    fn next(&self, order: Order, priority: Priority, now: Millis) -> Option<Rank> {
        match (self.ids.first(), self.horizon) {
            (Some((at, _)), _) => (*at <= now).then(|| order.rank(priority, *at)),
            (None, Horizon::Start) => Some(Rank::first(priority)),
            (None, Horizon::Until((at, _))) => Some(order.rank(priority, at)),
            (None, Horizon::Complete) => None,
        }
    }
}

impl Head {
    /// As [`Head::pop`], for an order in which any lane may hold what comes first. One that is used up is to be refilled
    /// where what is beyond its horizon could come before all that is here.
    pub(super) fn pop_aged(&mut self, &Pop { n, mut quota, order, now }: &Pop) -> Popped {
        let mut popped = Popped::default();
        while popped.entries.len() < n {
            let levels = (0..=Priority::MAX).filter_map(Priority::new).filter(|priority| quota.room(*priority) > 0);
            let mut places: Vec<_> = levels
                .filter_map(|priority| Some((self.lane(priority).next(order, priority, now)?, priority)))
                .collect();
            places.sort_unstable();
            let Some((_, priority)) = places.first().copied() else { break };
            let lane = self.lane(priority);
            if lane.is_starved() {
                popped.starved = Some(priority);
                break;
            }
            // Nothing changes for the others meanwhile.
            let second = places.get(1).map(|(rank, _)| *rank);
            while popped.entries.len() < n
                && quota.room(priority) > 0
                && !lane.is_starved()
                && lane.next(order, priority, now).is_some_and(|rank| second.is_none_or(|second| rank < second))
            {
                popped.entries.extend(lane.ids.pop_first().map(|mark| (priority, mark)));
                quota.take(priority);
            }
        }
        let is_all = popped.entries.len() < n && popped.starved.is_none();
        for priority in (0..=Priority::MAX).filter_map(Priority::new) {
            let lane = self.lane(priority);
            let due = lane.ids.first().map(|(at, _)| *at);
            lane.blocked = quota.room(priority) == 0 && (lane.is_starved() || due.is_some_and(|at| at <= now));
            popped.blocked |= lane.blocked;
            if is_all && !lane.blocked {
                popped.next_due = [popped.next_due, due].into_iter().flatten().min();
            }
        }
        popped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::TaskId;

    #[test]
    fn a_lane_is_asked_for_only_if_what_it_might_have_comes_first() {
        let (low, high) = (Priority::new(0).unwrap(), Priority::new(9).unwrap());
        let mark = |at| (at, TaskId::from_bytes([7; 16]));
        let mut head = Head::default();
        for priority in (0..=Priority::MAX).filter_map(Priority::new) {
            head.end_refill(priority, &[], true);
        }
        head.lane(low).horizon = Horizon::Until(mark(1_000));
        head.hint(high, mark(9_999));
        head.hint(high, mark(10_001));
        let pop = Pop { order: Order::new(Some(1_000)), ..Pop::any(5, 20_000) };
        // The first is worth 999; what is beyond the horizon of the low one is worth 1000 at least.
        let popped = head.pop(&pop);
        assert_eq!((popped.entries, popped.starved), (vec![(high, mark(9_999))], Some(low)));
        head.end_refill(low, &[mark(1_001)], true);
        let popped = head.pop(&pop);
        assert_eq!(popped.entries, [(low, mark(1_001)), (high, mark(10_001))]);
    }
}
