//! Passing over who does not start now: a lane at its limit misses its turn, and in one of which only some are the others are asked.

use std::collections::HashMap;

use super::{Round, Walk};
use crate::{
    store::{StoreError, Tx},
    task::{Lane, Millis, Priority},
};

/// Sublanes of one lane that are looked into in one turn, where they do not start.
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

    /// `of`: what was picked for a lane from this one on counts towards its share.
    pub(super) fn pass_all(
        &mut self,
        tx: &mut dyn Tx,
        priority: Priority,
        mut passed: Vec<Lane>,
        of: (usize, &HashMap<i64, usize>),
    ) -> Result<(), StoreError> {
        let (before, share) = of;
        passed.dedup_by_key(|place| place.lane);
        for place in passed {
            let picks = self.picked.picks[before..].iter();
            let taken = picks.filter(|pick| pick.task.place.lane == place.lane).count();
            let most = share.get(&place.lane).copied().unwrap_or(1).saturating_sub(taken);
            if self.pass(tx, priority, place, most)? + taken == 0 {
                self.missed(priority, place.lane);
            }
        }
        Ok(())
    }

    /// Others of a lane of which one does not start now: from that one on and round to it again, at most so many. What is known
    /// not to start is not looked into. How many start.
    pub(super) fn pass(
        &mut self,
        tx: &mut dyn Tx,
        priority: Priority,
        from: Lane,
        most: usize,
    ) -> Result<usize, StoreError> {
        let (lane, known) = (from.lane, self.turn.blocked());
        let (mut left, mut steps, mut is_sure) = (most, STEPS, true);
        let mut walk = Walk::from(from.sublane.wrapping_add(1));
        'lane: while !walk.is_over && left > 0 && self.room(priority) > 0 {
            let look = walk.look(&mut self.looks, 1);
            if look == 0 {
                break;
            }
            let found = tx.sublanes_from(self.ask.queue, priority, Lane { lane, sublane: walk.at }, look)?;
            for sublane in walk.next(found, look) {
                if self.turn.is_blocked(lane, Some(sublane)) {
                    continue;
                }
                if steps == 0 || left == 0 || self.room(priority) == 0 || self.turn.is_blocked(lane, None) {
                    // It has not been looked into.
                    walk.is_over = false;
                    break 'lane;
                }
                steps -= 1;
                let picked = self.pick_from(tx, priority, Lane { lane, sublane }, left)?;
                left -= picked;
                self.picked.more |= picked > 0;
                is_sure &= picked > 0 || self.turn.is_blocked(lane, Some(sublane));
            }
        }
        if left > 0 && self.room(priority) > 0 && !(is_sure && walk.is_over) {
            // At once, as long as something is found out; then from another place each time.
            self.picked.more |= self.turn.blocked() > known;
            self.picked.blocked(self.ask.now + AGAIN);
        }
        Ok(most - left)
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
