//! Rate limits: how many tasks may start in a time. Pure: what has been granted is kept by the store ([`LimitState`]).
//!
//! Sliding window: in *no* span of `per` do more than `limit` tasks start. A permit given at t is used by a start within
//! [t, t + grace] and given back a whole `per` after that. Permits are counted in a hundred buckets of time, rounded
//! towards refusing. A limit of 5 s or more thus delivers at least 97 % of what it allows, a shorter one less: 90 % at 1 s.
//!
//! Token bucket: `burst` may start at once, and `limit` each `per` after that.

mod state;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use state::LimitState;

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
    /// The tasks of each rate key have it for themselves; each counts as much as it costs.
    RateKey,
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
        match self.by {
            LimitBy::Queue | LimitBy::RateKey => Key::Queue,
            LimitBy::Priority => Key::of(priority),
        }
    }

    /// The parts there are.
    pub const fn keys(&self) -> &'static [Key] {
        match self.by {
            LimitBy::Queue | LimitBy::RateKey => &[Key::Queue],
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

    /// Most that can be taken at once.
    pub fn most(&self, key: Key) -> u32 {
        match self.algorithm {
            Algorithm::SlidingWindow => self.limit_of(key),
            Algorithm::TokenBucket => self.burst_of(key),
        }
    }

    fn burst_of(&self, key: Key) -> u32 {
        if self.burst > 0 { self.burst } else { self.limit_of(key) }
    }

    fn width(&self) -> Millis {
        ((self.per + BUCKETS - 1) / BUCKETS).max(1)
    }
}

/// One part of a queue's limit.
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

    const fn of(priority: Priority) -> Self {
        match priority.class() {
            PriorityClass::High => Self::High,
            PriorityClass::Medium => Self::Medium,
            PriorityClass::Low => Self::Low,
        }
    }
}

/// What may start now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permits {
    /// Permits that are in use.
    pub used: u32,
    pub free: u32,
    /// When there are as many as were asked for, where there are not now.
    pub next_at: Option<Millis>,
}
