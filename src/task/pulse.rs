//! Whether other nodes live, as one of them sees it: a node is dead whose heartbeats have not moved for its whole time on
//! the observer's own clock, one that never jumps. What any node's wall clock says does not matter.

use std::{collections::HashMap, time::Duration};

use super::{Millis, WorkerId};

/// Longest pause between two looks. After a longer one the observer may itself have been stopped, or cut off from the
/// store, and must not hold that against the others.
const LONGEST_PAUSE: Millis = 3_000;

/// Beyond three heartbeats that were missed.
const GRACE: Millis = 3_000;

/// How long a worker is waited for that says so often that it lives.
pub fn patience(heartbeat: Duration) -> Millis {
    3 * Millis::try_from(heartbeat.as_millis()).unwrap_or(Millis::MAX / 6) + GRACE
}

/// A node as the store has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulse {
    pub worker: WorkerId,
    /// Goes up by one with each heartbeat.
    pub beats: i64,
    /// Without one for so long it is dead.
    pub patience: Millis,
}

/// What one node has seen of the others.
#[derive(Debug, Default)]
pub struct Pulses {
    /// The count last seen, and since when it has been that.
    seen: HashMap<WorkerId, (i64, Millis)>,
    looked_at: Option<Millis>,
}

impl Pulses {
    /// Looks at those that are held to be alive; the dead ones. `now` is of a clock that never jumps.
    pub fn look(&mut self, now: Millis, pulses: &[Pulse]) -> Vec<WorkerId> {
        if self.looked_at.is_some_and(|before| now - before > LONGEST_PAUSE) {
            self.forget();
        }
        self.looked_at = Some(now);
        let before = std::mem::take(&mut self.seen);
        let mut dead = Vec::new();
        for pulse in pulses {
            let since = match before.get(&pulse.worker) {
                Some((beats, since)) if *beats == pulse.beats => *since,
                _ => now,
            };
            self.seen.insert(pulse.worker, (pulse.beats, since));
            if now - since >= pulse.patience {
                dead.push(pulse.worker);
            }
        }
        dead
    }

    /// The store could not be reached: nobody could renew, and all get their whole time again.
    pub fn forget(&mut self) {
        self.seen.clear();
        self.looked_at = None;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PATIENCE: Millis = 12_000;

    fn pulse(worker: WorkerId, beats: i64) -> Pulse {
        Pulse { worker, beats, patience: PATIENCE }
    }

    #[test]
    fn who_stops_is_dead_after_its_time_and_not_before() {
        let (worker, mut pulses) = (WorkerId::new(), Pulses::default());
        for second in 0..12 {
            assert_eq!(pulses.look(second * 1_000, &[pulse(worker, 7)]), [], "{second}");
        }
        assert_eq!(pulses.look(12_000, &[pulse(worker, 7)]), [worker]);
        assert_eq!(pulses.look(12_500, &[pulse(worker, 8)]), [], "it lives after all");
    }

    #[test]
    fn a_pause_of_the_observer_or_of_the_store_is_held_against_nobody() {
        let (worker, mut pulses) = (WorkerId::new(), Pulses::default());
        for second in 0..10 {
            pulses.look(second * 1_000, &[pulse(worker, 7)]);
        }
        assert_eq!(pulses.look(60_000, &[pulse(worker, 7)]), [], "the observer was stopped");
        pulses.look(62_000, &[pulse(worker, 7)]);
        pulses.forget();
        for second in 63..75 {
            assert_eq!(pulses.look(second * 1_000, &[pulse(worker, 7)]), [], "{second}");
        }
        assert_eq!(pulses.look(75_000, &[pulse(worker, 7)]), [worker]);
    }

    proptest! {
        /// Whatever the pauses between looks and beats: who beats within its time is never dead, who has stopped is dead
        /// once looked at for its time and the length of one look.
        #[test]
        fn only_who_stops_dies(
            looks in prop::collection::vec(1_i64..=LONGEST_PAUSE, 20..200),
            beat_every in 1_i64..PATIENCE - LONGEST_PAUSE,
            stops_after in 0_i64..200_000,
        ) {
            let (worker, mut pulses, mut now, mut first_dead) = (WorkerId::new(), Pulses::default(), 0, None);
            for pause in looks {
                now += pause;
                let beats = now.min(stops_after) / beat_every;
                if !pulses.look(now, &[pulse(worker, beats)]).is_empty() {
                    first_dead.get_or_insert(now);
                }
            }
            let last_beat = stops_after / beat_every * beat_every;
            match first_dead {
                Some(at) => prop_assert!(at - last_beat >= PATIENCE, "{at} after {last_beat}"),
                None => prop_assert!(now - last_beat < PATIENCE + 2 * LONGEST_PAUSE, "{now} after {last_beat}"),
            }
        }
    }
}
