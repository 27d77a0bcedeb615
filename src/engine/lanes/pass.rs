//! Passing over who is at a limit: a lane that is misses its turn, and in one of which only some are the others are asked.

use super::{Round, Walk};
use crate::{
    store::{StoreError, Tx},
    task::{Lane, Millis, Priority},
};

/// Sublanes not known to be at their limit that are tried in one lane in one turn.
const STEPS: usize = 32;
/// When it is tried again where it is not known when it will do.
const AGAIN: Millis = 500;

impl Round<'_> {
    /// Somebody of a lane is at a limit: the others of it are to be asked, if they are not too.
    pub(super) fn passed_over(&mut self, priority: Priority, place: Lane, passed: &mut Vec<Lane>) {
        if self.turn.is_blocked(place.lane, None) {
            self.missed(priority, place.lane);
        } else {
            passed.push(place);
        }
    }

    /// Where tasks gain priority as they wait, who waited at a limit comes early by that.
    pub(super) fn missed(&mut self, priority: Priority, lane: i64) {
        if self.ask.settings.ageing.is_none() {
            self.turn.missed(priority, lane);
        }
    }

    pub(super) fn pass_all(
        &mut self,
        tx: &mut dyn Tx,
        priority: Priority,
        mut passed: Vec<Lane>,
    ) -> Result<(), StoreError> {
        passed.dedup_by_key(|place| place.lane);
        passed.into_iter().try_for_each(|place| self.pass(tx, priority, place))
    }

    /// Others of a lane of which one is at a limit: of those that are not known to be, one after the other.
    fn pass(&mut self, tx: &mut dyn Tx, priority: Priority, from: Lane) -> Result<(), StoreError> {
        let (lane, known, mut steps, mut is_sure) = (from.lane, self.turn.blocked(), STEPS, true);
        let mut walk = Walk::from(from.sublane.wrapping_add(1));
        'lane: while !walk.is_over && self.room(priority) > 0 {
            let look = walk.look(&mut self.looks, 1);
            if look == 0 {
                break;
            }
            let found = tx.sublanes_from(self.ask.queue, priority, Lane { lane, sublane: walk.at }, look)?;
            for sublane in walk.next(found, look) {
                if self.turn.is_blocked(lane, Some(sublane)) {
                    continue;
                }
                if steps == 0 || self.turn.is_blocked(lane, None) {
                    break 'lane;
                }
                steps -= 1;
                if self.take_one(tx, priority, Lane { lane, sublane })? {
                    // Its lane has had its turn.
                    self.picked.more = true;
                    return Ok(());
                }
                is_sure &= self.turn.is_blocked(lane, Some(sublane));
            }
        }
        if self.room(priority) == 0 {
            return Ok(());
        }
        self.missed(priority, lane);
        if !(is_sure && steps > 0 && walk.is_over) {
            // As long as something is found out; then from another place each time.
            self.picked.more |= self.turn.blocked() > known;
            self.picked.blocked(self.ask.now + AGAIN);
        }
        Ok(())
    }

    /// The first task of a sublane, if it may start.
    fn take_one(&mut self, tx: &mut dyn Tx, priority: Priority, place: Lane) -> Result<bool, StoreError> {
        let next = tx.lane_fronts(self.ask.queue, priority, &[(place.lane, 1)], place.sublane)?;
        let next = next.into_iter().next().filter(|task| task.place == place && self.seen.insert(task.mark.1));
        let Some(task) = next else { return Ok(false) }; // taken already
        self.gate.load(tx, self.ask.queue, [&task.flow])?;
        let (since, before) = (task.mark.0, self.picked.picks.len());
        self.pick(priority, task, since);
        Ok(self.picked.picks.len() > before)
    }
}
