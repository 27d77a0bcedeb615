//! What waits without keys, and how it is joined with what waits in lanes.

use super::ClaimOp;
use crate::{
    broker::Pop,
    engine::{Engine, lanes::Picked},
    store::{StoreError, Tx},
    task::{Mark, Millis, Order, Priority, Quota},
};

/// Rows read at a time when a lane is used up.
const REFILL: usize = 1_024;
/// Tasks of each priority that a claim for somebody else looks at.
const LOOK: usize = 256;

impl ClaimOp {
    /// The first tasks of the queue, for a worker that is not this node, past the broker's head. What it can run is for it.
    /// What neither it nor this node can run finds its lane: it would be in the way of what comes after it. The others are left
    /// to this node, which comes to them in their order.
    pub(super) fn look(
        &mut self,
        engine: &Engine,
        tx: &mut dyn Tx,
        mut quota: Quota,
        order: Order,
        now: Millis,
    ) -> Result<(), StoreError> {
        self.entries.clear();
        self.others.clear();
        let own = engine.own_claimer().serves;
        let mut first: Vec<(Priority, Mark, String)> = Vec::new();
        for priority in tx.ready_levels(&self.queue)? {
            let rows = tx.ready_names(&self.queue, priority, now, LOOK.max(self.want))?;
            first.extend(rows.into_iter().map(|(mark, name)| (priority, mark, name)));
        }
        first.sort_by_key(|(priority, mark, _)| (order.rank(*priority, mark.0), *mark));
        self.found.drained = true;
        for (priority, mark, name) in first {
            if self.claimer.serves.has_name(&name) {
                let room = quota.room(priority) > 0;
                if self.entries.len() < self.want && room {
                    quota.take(priority);
                    self.entries.push((priority, mark));
                } else {
                    self.found.drained = false;
                    self.found.blocked |= !room;
                }
            } else if !own.has_name(&name) {
                self.others.push((priority, mark));
            }
        }
        Ok(())
    }

    /// Pops until there is enough or nothing; a lane that is used up is refilled before one that comes later is served.
    pub(super) fn fill(
        &mut self,
        engine: &Engine,
        tx: &mut dyn Tx,
        mut quota: Quota,
        order: Order,
        now: Millis,
    ) -> Result<(), StoreError> {
        let broker = engine.broker();
        // Taken by an earlier run of this transaction, which was rolled back.
        let (kept, surplus) = std::mem::take(&mut self.entries).into_iter().partition(|(priority, _)| {
            let room = quota.room(*priority) > 0;
            if room {
                quota.take(*priority);
            }
            room
        });
        (self.entries, self.surplus) = (kept, surplus);
        while self.entries.len() < self.want {
            let popped = broker.pop(&self.queue, &Pop { n: self.want - self.entries.len(), quota, order, now });
            popped.entries.iter().for_each(|(priority, _)| quota.take(*priority));
            self.entries.extend(popped.entries);
            self.found.next_due = popped.next_due;
            self.found.blocked = popped.blocked || !self.surplus.is_empty();
            let Some(priority) = popped.starved else {
                self.found.drained = self.entries.len() < self.want;
                break;
            };
            let horizon = broker.begin_refill(&self.queue, priority);
            let rows = tx.ready_after(&self.queue, priority, horizon, REFILL)?;
            broker.end_refill(&self.queue, priority, &rows, rows.len() < REFILL);
        }
        Ok(())
    }

    /// What waits in lanes beside what waits without keys: in the queue's order, and in turns within one priority.
    pub(super) fn join(&mut self, engine: &Engine, picked: Picked, mut quota: Quota, order: Order) {
        self.found.more_lanes |= picked.more;
        self.found.at_cap |= picked.at_cap;
        self.found.blocked |= picked.no_room;
        self.found.blocked_until = picked.blocked_until;
        // Whoever got all that was asked for is to ask again.
        self.found.more_lanes |= picked.picks.len() >= self.want;
        let mut picks = picked.picks.into_iter().peekable();
        let mut entries = std::mem::take(&mut self.entries).into_iter().peekable();
        loop {
            let keyed = match (picks.peek(), entries.peek()) {
                (None, None) => break,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (Some(pick), Some((priority, _))) if pick.priority == *priority => {
                    engine.is_turn_of_keys(&self.queue, self.claimer.serves.print(), *priority)
                }
                (Some(pick), Some((priority, mark))) => {
                    order.rank(pick.priority, pick.since) < order.rank(*priority, mark.0)
                }
            };
            let priority =
                if keyed { picks.peek().map(|pick| pick.priority) } else { entries.peek().map(|(one, _)| *one) };
            let full = self.picks.len() + self.entries.len() >= self.want;
            let room = !full && priority.is_some_and(|priority| quota.room(priority) > 0);
            if let Some(priority) = priority.filter(|_| room) {
                quota.take(priority);
            }
            match (keyed, room) {
                (true, true) => self.picks.extend(picks.next()),
                (true, false) => {
                    picks.next();
                    self.found.more_lanes = true;
                }
                (false, true) => self.entries.extend(entries.next()),
                (false, false) => {
                    self.surplus.extend(entries.next());
                    self.found.drained = false;
                }
            }
        }
    }
}
