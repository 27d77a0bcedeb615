//! When a failed attempt is tried again.

use serde::{Deserialize, Serialize};

use super::{Millis, duration};

/// How the delay grows with the number of failures n (1 = the first).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// initial × base^(n-1)
    #[default]
    Exponential,
    /// initial × n
    Linear,
    /// initial
    Fixed,
    /// initial × the n-th Fibonacci number (1, 1, 2, 3, 5, …)
    Fibonacci,
}

/// Delay after the n-th failure: by `strategy`, at most `max`, then spread by `jitter`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetryPolicy {
    pub strategy: Strategy,
    /// Growth factor of the exponential strategy, 1 to 100.
    pub base: f64,
    /// Milliseconds before the first retry.
    #[serde(with = "duration::as_text")]
    pub initial: Millis,
    /// Cap in milliseconds.
    #[serde(with = "duration::as_text")]
    pub max: Millis,
    /// Spread the delay evenly over its upper half, so that tasks that failed together do not return together
    /// ("equal jitter": AWS Architecture Blog, Exponential Backoff And Jitter, 2015).
    pub jitter: bool,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { strategy: Strategy::Exponential, base: 2.0, initial: 1_000, max: 300_000, jitter: true }
    }
}

impl RetryPolicy {
    /// The delay in milliseconds after `failures` failed attempts. `random` is drawn from 0..1 by the caller.
    pub fn delay(&self, failures: u32, random: f64) -> Millis {
        let n = failures.max(1);
        let grown = match self.strategy {
            Strategy::Exponential => self.initial as f64 * self.base.powi((n - 1).min(10_000) as i32),
            Strategy::Linear => self.initial as f64 * f64::from(n),
            Strategy::Fixed => self.initial as f64,
            Strategy::Fibonacci => self.initial as f64 * fibonacci(n),
        };
        let capped = grown.min(self.max as f64);
        let delay = if self.jitter { capped * (1.0 + random.clamp(0.0, 1.0)) / 2.0 } else { capped };
        delay.ceil() as Millis
    }

    /// The field that is out of range and what would be right, if any is.
    pub fn fault(&self) -> Option<(&'static str, String)> {
        const LONGEST: Millis = 30 * 24 * 3_600_000;
        if !(1.0..=100.0).contains(&self.base) {
            return Some(("base", format!("must be a number from 1 to 100, not {}", self.base)));
        }
        for (field, value) in [("initial", self.initial), ("max", self.max)] {
            if !(0..=LONGEST).contains(&value) {
                return Some((field, "must be between 0 and 30 days".into()));
            }
        }
        (self.initial > self.max).then(|| ("initial", "must not be longer than retry.max".into()))
    }
}

fn fibonacci(n: u32) -> f64 {
    let (mut current, mut next) = (1.0_f64, 1.0_f64);
    for _ in 1..n.min(1_000) {
        (current, next) = (next, current + next);
    }
    current
}
