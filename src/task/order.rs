//! Who comes first among the tasks of a queue that are ready.
//!
//! Without ageing: the highest priority, and within one who is ready longest. A low priority may wait for ever.
//!
//! With ageing a task gains one level of priority for each `ageing` that it has been ready, without a ceiling. All that are
//! ready gain at the same pace, so their order never changes while they wait: it is that of `ready_at - level * ageing`,
//! and nothing has to be written or timed. Therefore **a task of level p is overtaken by one of level q > p only if that one
//! became ready less than (q - p) * ageing after it**, and by one of a level below its own only if that one has been ready so
//! much longer.

use super::{Mark, Millis, Priority, TaskId};

/// The order in which a queue is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Order {
    ageing: Option<Millis>,
}

/// A place in the order: the less, the sooner. Of two levels that are worth the same, the lower one is ready longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(Millis, u8);

impl Rank {
    /// Before all that there can be.
    pub(crate) const fn first(priority: Priority) -> Self {
        Self(Millis::MIN, priority.level())
    }
}

impl Order {
    /// Strictly by priority.
    pub const STRICT: Self = Self { ageing: None };
    pub const MIN_AGEING: Millis = 1_000;
    pub const MAX_AGEING: Millis = 30 * 24 * 3_600_000;

    /// `None`: strictly by priority.
    pub const fn new(ageing: Option<Millis>) -> Self {
        Self { ageing }
    }

    pub const fn ageing(self) -> Option<Millis> {
        self.ageing
    }

    /// The place of what is ready since then.
    pub fn rank(self, priority: Priority, since: Millis) -> Rank {
        let level = Millis::from(priority.level());
        match self.ageing {
            Some(ageing) => Rank(since.saturating_sub(level.saturating_mul(ageing)), priority.level()),
            None => Rank(-level, priority.level()),
        }
    }

    /// What of another priority comes before a task: that with a lesser mark than this. `None`: nothing does.
    pub fn before(self, priority: Priority, mark: Mark, other: Priority) -> Option<Mark> {
        const LAST: TaskId = TaskId::from_bytes([0xFF; 16]);
        if priority == other {
            return Some(mark);
        }
        let Some(ageing) = self.ageing else { return (other > priority).then_some((Millis::MAX, LAST)) };
        let ahead = Millis::from(other.level()) - Millis::from(priority.level());
        let same = mark.0.saturating_add(ahead.saturating_mul(ageing));
        Some((if other < priority { same } else { same - 1 }, LAST))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn task() -> impl Strategy<Value = (Priority, Mark)> {
        (0..=Priority::MAX, 0..20_000_i64, 0..3_u8)
            .prop_map(|(level, at, id)| (Priority::new(level).unwrap(), (at, TaskId::from_bytes([id; 16]))))
    }

    proptest! {
        /// The bound that is promised, from the definition: levels gained by waiting, whatever the moment.
        #[test]
        fn a_lower_priority_is_overtaken_only_by_what_is_ready_soon_after_it(one in task(), other in task(), ageing in 1_000..5_000_i64) {
            let order = Order::new(Some(ageing));
            let ((low, (since, _)), (high, (later, _))) = if one.0 <= other.0 { (one, other) } else { (other, one) };
            let levels = Millis::from(high.level() - low.level());
            if order.rank(high, later) < order.rank(low, since) {
                prop_assert!(later < since + levels * ageing || levels == 0);
            }
            let gained = |priority: Priority, since: Millis| Millis::from(priority.level()) * ageing + (100_000 - since);
            if gained(high, later) != gained(low, since) {
                let is_first = gained(high, later) > gained(low, since);
                prop_assert_eq!(order.rank(high, later) < order.rank(low, since), is_first);
            }
        }

        #[test]
        fn what_comes_before_is_what_has_a_lesser_rank(one in task(), other in task(), ageing in prop::option::of(1_000..5_000_i64)) {
            let order = Order::new(ageing);
            let place = |(priority, mark): (Priority, Mark)| {
                let mark_of_one = (priority == one.0 || ageing.is_some()).then_some(mark);
                (order.rank(priority, mark.0), mark_of_one)
            };
            let before = order.before(one.0, one.1, other.0).is_some_and(|mark| other.1 < mark);
            prop_assert_eq!(before, place(other) < place(one));
        }
    }
}
