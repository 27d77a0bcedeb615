//! Past what does not start now, within a lane.

use super::{AGAIN, LOOK, Round};
use crate::{
    store::{StoreError, Tx},
    task::{Lane, Priority},
};

/// Sublanes of one lane that are looked into in one turn, where they do not start.
const STEPS: usize = 8;

impl Round<'_> {
    /// Others of a lane of which one does not start now: from that one on and round to it again, at most so many. What is known
    /// not to start is not looked at.
    pub(super) fn pass(
        &mut self,
        tx: &mut dyn Tx,
        priority: Priority,
        from: Lane,
        most: usize,
    ) -> Result<(), StoreError> {
        let lane = from.lane;
        let after = from.sublane.checked_add(1).map(|first| (first, i64::MAX));
        let (mut left, mut steps) = (most, STEPS);
        for (first, last) in after.into_iter().chain([(i64::MIN, from.sublane)]) {
            let found = tx.sublanes_from(self.ask.queue, priority, Lane { lane, sublane: first }, LOOK)?;
            let has_more = found.len() == LOOK && found.last().is_some_and(|sublane| *sublane < last);
            for sublane in found.into_iter().take_while(|sublane| *sublane <= last) {
                if left == 0 || self.room(priority) == 0 {
                    return Ok(());
                }
                if self.turn.is_blocked(lane, Some(sublane)) {
                    continue;
                }
                if steps == 0 {
                    self.picked.blocked(self.ask.now + AGAIN);
                    return Ok(());
                }
                steps -= 1;
                let picked = self.pick_from(tx, priority, Lane { lane, sublane }, left)?;
                left -= picked;
                self.picked.more |= picked > 0;
            }
            if has_more {
                // Another pivot finds them.
                self.picked.blocked(self.ask.now + AGAIN);
                return Ok(());
            }
        }
        Ok(())
    }

    /// How many of the first of a sublane start.
    fn pick_from(
        &mut self,
        tx: &mut dyn Tx,
        priority: Priority,
        place: Lane,
        most: usize,
    ) -> Result<usize, StoreError> {
        let mut tasks = tx.lane_fronts(self.ask.queue, priority, &[(place.lane, most)], place.sublane)?;
        tasks.retain(|task| task.place == place && !self.seen.contains(&task.mark.1));
        self.gate.load(tx, self.ask.queue, tasks.iter().map(|task| &task.flow))?;
        let before = self.picked.picks.len();
        for task in tasks {
            let since = task.mark.0;
            self.seen.insert(task.mark.1);
            if self.room(priority) == 0 || !self.pick(priority, task, since) {
                break;
            }
        }
        Ok(self.picked.picks.len() - before)
    }
}
