//! What has been granted under the limit of a queue, kept in terms that no change of the limit changes: when starts were
//! granted, to tasks of which class, and how many permits a bucket of each part lacks. A rule is applied to it as though it
//! had always been in force, whatever the rule was when the permits were given: nothing is converted, so nothing depends on
//! when a change is first looked at. Starts are known for as long as the rule of their time counted them.

use serde::{Deserialize, Serialize};

use super::{Algorithm, Key, Millis, Permits, RateLimit};
use crate::task::Priority;

/// Debts are counted in these parts of a permit: fine enough for any rate, and with room for any burst.
const PERMIT: i64 = 1_000_000_000;

/// Of a whole queue.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LimitState {
    /// The latest time seen: this state's time never goes back, whatever a clock does.
    last: Millis,
    /// Permits for starts, by the latest moment at which they are used: of high, medium and low priority.
    starts: Vec<(Millis, [u32; 3])>,
    /// What is missing to a full bucket, by [`Key`].
    debts: [i64; 4],
    /// The rule of the last grant, and since when.
    rule: Option<RateLimit>,
    since: Millis,
}

impl LimitState {
    /// Moves the state's time on and says what is free.
    pub fn permits(&mut self, rule: &RateLimit, key: Key, now: Millis) -> Permits {
        self.permits_for(rule, key, 1, now)
    }

    /// The same for whoever wants so many at once, or all there can be.
    pub fn permits_for(&mut self, rule: &RateLimit, key: Key, want: u32, now: Millis) -> Permits {
        self.go_on(rule, now);
        let want = want.clamp(1, rule.most(key).max(1));
        match rule.algorithm {
            Algorithm::SlidingWindow => self.window(rule, key, want),
            Algorithm::TokenBucket => self.bucket(rule, key, want),
        }
    }

    /// Notes that a task was granted at the time of the last [`Self::permits`].
    pub fn take(&mut self, rule: &RateLimit, priority: Priority) {
        self.take_many(rule, priority, 1);
    }

    /// The same of one that counts as so many.
    pub fn take_many(&mut self, rule: &RateLimit, priority: Priority, n: u32) {
        let key = Key::of(priority);
        for key in [Key::Queue, key] {
            let debt = &mut self.debts[key as usize];
            *debt = debt.saturating_add(PERMIT * i64::from(n));
        }
        let (until, width) = (self.last + rule.grace(), rule.width());
        let changed = self.rule != Some(*rule);
        if changed {
            (self.rule, self.since) = (Some(*rule), self.last);
        }
        let latest = self.starts.last_mut().filter(|(latest, _)| {
            // What was given under another rule is told apart.
            !changed && latest.div_euclid(width) == until.div_euclid(width)
        });
        match latest {
            Some((latest, counts)) => {
                *latest = until.max(*latest);
                add(counts, key, n);
            }
            None => {
                let mut counts = [0; 3];
                add(&mut counts, key, n);
                self.starts.push((until, counts));
            }
        }
    }

    /// Permits in use that were given under this rule, where they are more than it allows.
    pub fn excess(&self, rule: &RateLimit, key: Key) -> Option<(u32, u32)> {
        if self.rule != Some(*rule) {
            return None;
        }
        let (used, most) = match rule.algorithm {
            Algorithm::SlidingWindow => {
                let own = self.starts.iter().filter(|(until, _)| *until >= self.since + rule.grace());
                (own.map(|(_, counts)| of(counts, key)).fold(0, u32::saturating_add), rule.limit_of(key))
            }
            Algorithm::TokenBucket => {
                let debt = self.debts[key as usize] / PERMIT;
                (u32::try_from(debt).unwrap_or(u32::MAX), rule.burst_of(key))
            }
        };
        (used > most).then_some((used, most))
    }

    /// From then on nothing of it matters under this rule.
    pub fn matters_until(&self, rule: &RateLimit) -> Millis {
        let debts = Key::ALL.map(|key| self.last.saturating_add(earned_in(rule, key, self.debts[key as usize])));
        let starts = self.starts.iter().map(|(until, _)| until + rule.per);
        starts.chain(debts).max().unwrap_or(self.last)
    }

    fn go_on(&mut self, rule: &RateLimit, now: Millis) {
        let elapsed = (now - self.last).max(0);
        self.last = self.last.max(now);
        for key in Key::ALL {
            // A bucket lacks no more than its size, also at the moment of the last grant.
            let debt = self.debts[key as usize].min(i64::from(rule.burst_of(key)) * PERMIT);
            let debt = i128::from(debt) - earned(rule, key, elapsed);
            self.debts[key as usize] = i64::try_from(debt.max(0)).unwrap_or(i64::MAX);
        }
        self.starts.retain(|(until, _)| until + rule.per > self.last);
    }

    fn window(&self, rule: &RateLimit, key: Key, want: u32) -> Permits {
        let limit = rule.limit_of(key);
        let used = self.starts.iter().map(|(_, counts)| of(counts, key)).fold(0, u32::saturating_add);
        let free = limit.saturating_sub(used);
        let next_at = (free < want).then(|| {
            // Under another rule a later permit may have been for an earlier start.
            let mut starts: Vec<_> = self.starts.iter().map(|(until, counts)| (*until, of(counts, key))).collect();
            starts.sort_unstable();
            let mut over = u64::from(used) + u64::from(want) - u64::from(limit);
            let freed = starts.iter().find(|(_, n)| {
                over = over.saturating_sub(u64::from(*n));
                over == 0
            });
            freed.map_or(self.last, |(until, _)| until + rule.per)
        });
        Permits { used, free, next_at }
    }

    fn bucket(&self, rule: &RateLimit, key: Key, want: u32) -> Permits {
        let (size, debt) = (i64::from(rule.burst_of(key)), self.debts[key as usize]);
        let free = (size * PERMIT - debt).max(0) / PERMIT;
        let want = i64::from(want);
        let next_at =
            (free < want).then(|| self.last.saturating_add(earned_in(rule, key, debt - (size - want) * PERMIT)));
        let free = u32::try_from(free).unwrap_or(u32::MAX);
        Permits { used: rule.burst_of(key).saturating_sub(free), free, next_at }
    }
}

/// What a bucket is given in a time.
fn earned(rule: &RateLimit, key: Key, elapsed: Millis) -> i128 {
    i128::from(elapsed) * i128::from(rule.limit_of(key)) * i128::from(PERMIT) / i128::from(rule.per.max(1))
}

/// The time in which it is given as much.
fn earned_in(rule: &RateLimit, key: Key, debt: i64) -> Millis {
    let rate = i128::from(rule.limit_of(key).max(1)) * i128::from(PERMIT);
    let time = (i128::from(debt.max(0)) * i128::from(rule.per) + rate - 1) / rate;
    i64::try_from(time).unwrap_or(i64::MAX)
}

fn add(counts: &mut [u32; 3], key: Key, n: u32) {
    let class = match key {
        Key::Queue | Key::High => 0,
        Key::Medium => 1,
        Key::Low => 2,
    };
    counts[class] = counts[class].saturating_add(n);
}

/// Those that count towards a part.
fn of(counts: &[u32; 3], key: Key) -> u32 {
    match key {
        Key::Queue => counts.iter().copied().fold(0, u32::saturating_add),
        Key::High => counts[0],
        Key::Medium => counts[1],
        Key::Low => counts[2],
    }
}
