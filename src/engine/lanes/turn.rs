//! Where a node is in its round through the lanes of a queue, and which of them it has found at a limit.

use std::collections::{HashMap, VecDeque};

use crate::{
    store::Fronting,
    task::{Millis, Priority, QueueSettings, RateLimit},
};

/// Lanes and sublanes that are remembered to be at a limit. Others are found out again.
const MOST_BLOCKED: usize = 65_536;
/// What waits for a task to end is looked at again after so long: the task may be one of another node.
pub(super) const LOOK_AGAIN: Millis = 500;
/// Lanes of which the fair key is remembered.
const MOST_FAIR: usize = 65_536;
/// How long it is remembered that a lane is for other workers: it may be gone by then.
const OTHERS: Millis = 600_000;
const LEVELS: usize = Priority::MAX as usize + 1;

#[derive(Default)]
pub(super) struct Turn {
    levels: [Level; LEVELS],
    /// By lane and sublane, or the whole lane.
    blocked: HashMap<(i64, Option<i64>), Block>,
    /// As last seen: tasks that have ended, and the limits of keys.
    ends: u64,
    /// Lanes that were at a limit and are not any more: they need not be looked for.
    reopened: Vec<i64>,
    limits: (Option<RateLimit>, Option<u32>),
    /// Of lanes for some workers only: the lane of their fair key, by whose weight they are served.
    fair: HashMap<i64, i64>,
}

#[derive(Default, Clone, Copy)]
struct Level {
    /// Served last.
    last: Option<i64>,
    /// Tasks that were served since the round began, and in the round before: about as many lanes take turns.
    served: usize,
    before: usize,
    /// Lanes at their limit that were passed over since one was served.
    fruitless: usize,
    /// What tasks without keys are owed: they take turns with the lanes as if they were one.
    owed: f64,
}

#[derive(Clone, Copy)]
struct Block {
    until: Millis,
    /// It waits for a task to end, and is looked at again then.
    at_cap: bool,
    /// It is for other workers: nothing that happens makes it one of this one's.
    is_others: bool,
}

impl Turn {
    /// What may have changed since the last claim is forgotten.
    pub(super) fn begin(&mut self, settings: &QueueSettings, now: Millis, ends: u64) {
        let limits = (settings.key_rate_limit, settings.key_concurrency);
        if std::mem::replace(&mut self.limits, limits) != limits {
            self.blocked.clear();
        }
        let ended = std::mem::replace(&mut self.ends, ends) != ends;
        self.reopened.clear();
        let reopened = &mut self.reopened;
        self.blocked.retain(|(lane, _), block| {
            let stays = block.until > now && !(ended && block.at_cap);
            if !stays {
                reopened.push(*lane);
            }
            stays
        });
        self.reopened.sort_unstable();
        self.reopened.dedup();
    }

    /// At most so many.
    pub(super) fn reopened(&self, most: usize) -> Vec<i64> {
        self.reopened.iter().take(most).copied().collect()
    }

    pub(super) fn passed_over(&mut self, priority: Priority) {
        self.levels[usize::from(priority.level())].fruitless += 1;
    }

    /// Nothing is left to be looked at.
    pub(super) fn came_round(&mut self, priority: Priority) {
        self.levels[usize::from(priority.level())].fruitless = 0;
    }

    /// The next claim goes on there; whether it may find anything: each lane that was passed over is known to be at its limit.
    pub(super) fn stop_at(&mut self, priority: Priority, at: i64) -> bool {
        let blocked = self.blocked.len();
        let level = &mut self.levels[usize::from(priority.level())];
        level.last = at.checked_sub(1);
        let goes_on = level.fruitless <= blocked;
        if !goes_on {
            // Whoever is woken looks at all of them again.
            level.fruitless = 0;
        }
        goes_on
    }

    pub(super) fn next(&self, priority: Priority) -> i64 {
        self.level(priority).last.map_or(i64::MIN, |last| last.checked_add(1).unwrap_or(i64::MIN))
    }

    pub(super) fn served(&mut self, priority: Priority, lane: i64) {
        let level = &mut self.levels[usize::from(priority.level())];
        if level.last.is_some_and(|last| lane < last) {
            (level.before, level.served) = (level.served, 0);
        }
        level.served += 1;
        level.fruitless = 0;
        level.last = Some(lane);
    }

    /// Until then, or until a task ends.
    pub(super) fn block(&mut self, lane: i64, sublane: Option<i64>, until: Option<Millis>, now: Millis) {
        if self.blocked.len() < MOST_BLOCKED {
            let block = Block { until: until.unwrap_or(now + LOOK_AGAIN), at_cap: until.is_none(), is_others: false };
            self.blocked.insert((lane, sublane), block);
        }
    }

    pub(super) fn learn(&mut self, lane: i64, fair_lane: i64) {
        if self.fair.len() < MOST_FAIR {
            self.fair.insert(lane, fair_lane);
        }
    }

    pub(super) fn fair_lane(&self, lane: i64) -> i64 {
        self.fair.get(&lane).copied().unwrap_or(lane)
    }

    /// What is in it is for other workers than this.
    pub(super) fn leave(&mut self, lane: i64, now: Millis) {
        if self.blocked.len() < MOST_BLOCKED {
            self.blocked.insert((lane, None), Block { until: now + OTHERS, at_cap: false, is_others: true });
        }
    }

    pub(super) fn is_blocked(&self, lane: i64, sublane: Option<i64>) -> bool {
        self.blocked.contains_key(&(lane, sublane))
    }

    /// When the first of them may go on, and whether one waits for a task to end.
    pub(super) fn blocked_until(&self) -> (Option<Millis>, bool) {
        let limited = || self.blocked.values().filter(|block| !block.is_others);
        (limited().map(|block| block.until).min(), limited().any(|block| block.at_cap))
    }

    /// Of two of the same priority, one with keys and one without, which comes first.
    pub(super) fn is_turn_of_keys(&mut self, priority: Priority) -> bool {
        let level = &mut self.levels[usize::from(priority.level())];
        if level.owed >= 1.0 {
            level.owed -= 1.0;
            return false;
        }
        level.owed += 1.0 / level.before.max(level.served).max(1) as f64;
        true
    }

    fn level(&self, priority: Priority) -> Level {
        self.levels[usize::from(priority.level())]
    }
}

/// From each lane as many as its weight, and round again.
pub(super) fn in_turns(lanes: Vec<(usize, Vec<Fronting>)>) -> Vec<Fronting> {
    let mut order = Vec::with_capacity(lanes.iter().map(|(_, tasks)| tasks.len()).sum());
    let mut lanes: VecDeque<_> = lanes.into_iter().map(|(weight, tasks)| (weight, tasks.into_iter())).collect();
    while let Some((weight, mut tasks)) = lanes.pop_front() {
        order.extend(tasks.by_ref().take(weight));
        if tasks.len() > 0 {
            lanes.push_back((weight, tasks));
        }
    }
    order
}
