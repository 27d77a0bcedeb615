//! Rate limits: how many tasks may start in a time. Pure: what has been granted is kept by the store.
//!
//! Sliding window: in *no* span of `per` do more than `limit` tasks start. A permit given at t is used by a start within
//! [t, t + grace] and given back a whole `per` after that. Permits are counted in a hundred buckets of time, rounded
//! towards refusing. A limit of 5 s or more thus delivers at least 97 % of what it allows, a shorter one less: 90 % at 1 s.
//!
//! Token bucket: `burst` may start at once, and `limit` each `per` after that.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Millis, Priority, PriorityClass, duration};

/// Longest time from the grant to the start of a task under a sliding window; one that is later is given back unstarted.
/// A fiftieth of the window, within these: where a commit takes longer than the least, as on a slow disk, nothing of a
/// limited queue could ever start.
const GRACE: (Millis, Millis) = (100, 2_000);
/// Buckets a window is counted in.
const BUCKETS: Millis = 100;

/// How permits come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    #[default]
    SlidingWindow,
    TokenBucket,
}

/// Who shares a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitBy {
    /// All tasks of the queue.
    #[default]
    Queue,
    /// High, medium and low priority each have the limit for themselves.
    Priority,
}

/// The limit of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimit {
    pub by: LimitBy,
    /// Starts in `per`: of the queue, or of high, medium and low priority.
    pub limit: [u32; 3],
    /// Milliseconds.
    #[serde(with = "duration::as_text")]
    pub per: Millis,
    pub algorithm: Algorithm,
    /// Most starts at once of a token bucket; 0: as many as `limit`.
    pub burst: u32,
    pub enabled: bool,
}

impl RateLimit {
    pub const MAX_LIMIT: u32 = 1_000_000_000;
    pub const MIN_PER: Millis = 10;
    pub const MAX_PER: Millis = 30 * 24 * 3_600_000;

    /// The part of the limit that tasks of this priority count towards.
    pub const fn key(&self, priority: Priority) -> Key {
        match (self.by, priority.class()) {
            (LimitBy::Queue, _) => Key::Queue,
            (LimitBy::Priority, PriorityClass::High) => Key::High,
            (LimitBy::Priority, PriorityClass::Medium) => Key::Medium,
            (LimitBy::Priority, PriorityClass::Low) => Key::Low,
        }
    }

    /// The parts there are.
    pub const fn keys(&self) -> &'static [Key] {
        match self.by {
            LimitBy::Queue => &[Key::Queue],
            LimitBy::Priority => &[Key::High, Key::Medium, Key::Low],
        }
    }

    /// Starts in `per` for one part.
    pub const fn limit_of(&self, key: Key) -> u32 {
        match key {
            Key::Queue | Key::High => self.limit[0],
            Key::Medium => self.limit[1],
            Key::Low => self.limit[2],
        }
    }

    /// Starts must come soon after their grant for the window to be exact.
    pub fn start_within(&self) -> Option<Millis> {
        match self.algorithm {
            Algorithm::SlidingWindow => Some(self.grace()),
            Algorithm::TokenBucket => None,
        }
    }

    fn grace(&self) -> Millis {
        (self.per / 50).clamp(GRACE.0, GRACE.1)
    }

    fn burst_of(&self, key: Key) -> u32 {
        if self.burst > 0 { self.burst } else { self.limit_of(key) }
    }

    fn width(&self) -> Millis {
        ((self.per + BUCKETS - 1) / BUCKETS).max(1)
    }
}

/// One part of a queue's limit, with a state of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Queue,
    High,
    Medium,
    Low,
}

impl Key {
    pub const ALL: [Self; 4] = [Self::Queue, Self::High, Self::Medium, Self::Low];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.as_str() == text)
    }
}

/// What has been granted under one part of a limit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LimitState {
    /// The latest time seen: this state's time never goes back, whatever a clock does.
    last: Millis,
    /// Sliding window: width of a bucket, and permits by the number of their bucket.
    width: Millis,
    granted: BTreeMap<Millis, u32>,
    /// Token bucket: what is missing to a full one, in permits × milliseconds of `per`.
    missing: i64,
}

/// What may start now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permits {
    /// Permits that are in use.
    pub used: u32,
    pub free: u32,
    /// When the next one is free, where none is.
    pub next_at: Option<Millis>,
}

impl LimitState {
    /// Moves the state's time on and says what is free.
    pub fn permits(&mut self, rule: &RateLimit, key: Key, now: Millis) -> Permits {
        let elapsed = (now - self.last).max(0);
        self.last = self.last.max(now);
        match rule.algorithm {
            Algorithm::SlidingWindow => self.window(rule, rule.limit_of(key)),
            Algorithm::TokenBucket => self.bucket(rule, key, elapsed),
        }
    }

    /// Notes that `n` tasks were granted at the time of the last [`Self::permits`].
    pub fn take(&mut self, rule: &RateLimit, n: u32) {
        match rule.algorithm {
            Algorithm::SlidingWindow if n > 0 => {
                *self.granted.entry(self.last.div_euclid(self.width.max(1))).or_default() += n;
            }
            Algorithm::SlidingWindow => {}
            Algorithm::TokenBucket => self.missing = self.missing.saturating_add(i64::from(n).saturating_mul(rule.per)),
        }
    }

    fn window(&mut self, rule: &RateLimit, limit: u32) -> Permits {
        let width = rule.width();
        if self.width != width {
            // The window was changed: a permit counts as given at the end of its old bucket, but not after now.
            let old = std::mem::replace(&mut self.width, width).max(1);
            for (index, n) in std::mem::take(&mut self.granted) {
                let given = ((index + 1) * old - 1).min(self.last);
                *self.granted.entry(given.div_euclid(width)).or_default() += n;
            }
        }
        let free_at = |index: Millis| (index + 1) * width + rule.per + rule.grace();
        self.granted.retain(|index, _| free_at(*index) > self.last);
        let used: u32 = self.granted.values().sum();
        let mut over = used.saturating_sub(limit) + 1;
        let next_at = (used >= limit).then(|| {
            let freed = self.granted.iter().find(|(_, n)| {
                over = over.saturating_sub(**n);
                over == 0
            });
            freed.map_or(self.last, |(index, _)| free_at(*index))
        });
        Permits { used, free: limit.saturating_sub(used), next_at }
    }

    fn bucket(&mut self, rule: &RateLimit, key: Key, elapsed: Millis) -> Permits {
        let (limit, size) = (i64::from(rule.limit_of(key)), i64::from(rule.burst_of(key)));
        self.missing = self.missing.saturating_sub(elapsed.saturating_mul(limit)).max(0);
        let full = size.saturating_mul(rule.per);
        let free = (full - self.missing).max(0) / rule.per;
        let next_at = (free == 0).then(|| {
            let wanted = self.missing - (full - rule.per);
            self.last + (wanted + limit - 1) / limit.max(1)
        });
        let free = u32::try_from(free).unwrap_or(u32::MAX);
        Permits { used: rule.burst_of(key).saturating_sub(free), free, next_at }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(limit: u32, per: Millis, algorithm: Algorithm, burst: u32) -> RateLimit {
        RateLimit { by: LimitBy::Queue, limit: [limit; 3], per, algorithm, burst, enabled: true }
    }

    proptest! {
        /// Whatever is asked for at whatever times, and whenever within its grace each task starts.
        #[test]
        fn no_window_holds_more_starts_than_the_limit(
            limit in 1..20_u32, per in 10..30_000_i64,
            steps in prop::collection::vec((0..700_i64, 1..15_u32, 0.0..=1.0_f64), 1..200),
        ) {
            let rule = rule(limit, per, Algorithm::SlidingWindow, 0);
            let (mut state, mut now, mut starts) = (LimitState::default(), 1_000_000, Vec::new());
            for (pause, want, late) in steps {
                now += pause;
                let permits = state.permits(&rule, Key::Queue, now);
                prop_assert_eq!(permits.next_at.is_some(), permits.free == 0);
                let n = want.min(permits.free);
                state.take(&rule, n);
                starts.extend((0..n).map(|_| now + (late * rule.grace() as f64) as Millis));
            }
            starts.sort_unstable();
            for (index, first) in starts.iter().enumerate() {
                let within = starts[index..].iter().take_while(|start| **start < first + per).count();
                prop_assert!(within <= limit as usize, "{} starts from {}", within, first);
            }
        }

        /// The moment told is the first at which a permit is free.
        #[test]
        fn the_next_permit_comes_when_it_was_said_to(
            limit in 1..20_u32, per in 10..5_000_i64, burst in 0..30_u32, window in any::<bool>(),
            steps in prop::collection::vec((0..900_i64, 1..15_u32), 1..60),
        ) {
            let algorithm = if window { Algorithm::SlidingWindow } else { Algorithm::TokenBucket };
            let rule = rule(limit, per, algorithm, burst);
            let (mut state, mut now) = (LimitState::default(), 1_000_000);
            for (pause, want) in steps {
                now += pause;
                let permits = state.permits(&rule, Key::Queue, now);
                if let Some(at) = permits.next_at {
                    prop_assert!(at > now);
                    prop_assert_eq!(state.clone().permits(&rule, Key::Queue, at - 1).free, 0);
                    prop_assert!(state.clone().permits(&rule, Key::Queue, at).free > 0);
                }
                state.take(&rule, want.min(permits.free));
            }
        }

        /// Of a token bucket: never more than the burst and what has come in since.
        #[test]
        fn a_bucket_gives_the_burst_and_the_rate(
            limit in 1..20_u32, per in 10..5_000_i64, burst in 1..30_u32,
            steps in prop::collection::vec((0..900_i64, 1..40_u32), 1..60),
        ) {
            let rule = rule(limit, per, Algorithm::TokenBucket, burst);
            let (mut state, mut now, mut taken) = (LimitState::default(), 1_000_000, 0_i64);
            for (pause, want) in steps {
                now += pause;
                let n = want.min(state.permits(&rule, Key::Queue, now).free);
                state.take(&rule, n);
                taken += i64::from(n);
                prop_assert!(taken * per <= i64::from(burst) * per + (now - 1_000_000) * i64::from(limit));
            }
        }
    }

    #[test]
    fn a_clock_that_goes_back_gives_no_permits_twice() {
        let rule = rule(2, 1_000, Algorithm::SlidingWindow, 0);
        let mut state = LimitState::default();
        assert_eq!(state.permits(&rule, Key::Queue, 50_000).free, 2);
        state.take(&rule, 2);
        assert_eq!(state.permits(&rule, Key::Queue, 10_000).free, 0);
    }

    #[test]
    fn a_changed_window_forgets_no_permit() {
        let (short, long) = (rule(5, 1_000, Algorithm::SlidingWindow, 0), rule(5, 60_000, Algorithm::SlidingWindow, 0));
        let mut state = LimitState::default();
        state.permits(&short, Key::Queue, 10_000);
        state.take(&short, 5);
        assert_eq!(state.permits(&long, Key::Queue, 10_500).free, 0);
        assert!(state.permits(&long, Key::Queue, 72_000).free > 0);
        // Nor does it keep one longer than the new window says.
        state.take(&long, 5);
        assert_eq!(state.permits(&short, Key::Queue, 72_100).free, 0);
        assert_eq!(state.permits(&short, Key::Queue, 73_300).free, 5);
    }
}
