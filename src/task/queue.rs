//! What an operator sets for a queue, and what of it may start now.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Millis, Priority, RetryPolicy, duration,
    rate::{Key, LimitState, Permits, RateLimit},
};

/// Settings beyond pause and weight. What is absent is as the server has it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct QueueSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    /// Most tasks running at a time, over all nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// Of each rate key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_rate_limit: Option<RateLimit>,
    /// Most tasks of one concurrency key running at a time, over all nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_concurrency: Option<u32>,
    /// What becomes of a submission when the tasks that are not over yet would take up all of these caps.
    #[serde(skip_serializing_if = "AtCap::is_default")]
    pub at_cap: AtCap,
    /// Tasks that a fair key is served at a turn, where that is not one.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fair_weights: BTreeMap<String, u32>,
    /// How long a task waits for one more level of priority; absent: priorities are strict.
    #[serde(skip_serializing_if = "Option::is_none", with = "optional")]
    pub ageing: Option<Millis>,
    /// Most tasks waiting; a submission beyond is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_depth: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPolicy>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub timeout: Option<Limit>,
    /// How long after its submission a task that does not say so itself may be started.
    #[serde(skip_serializing_if = "Option::is_none", with = "optional")]
    pub max_age: Option<Millis>,
    /// How long finished tasks are kept: those that succeeded and the others.
    #[serde(skip_serializing_if = "Option::is_none", with = "optional")]
    pub keep_success: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none", with = "optional")]
    pub keep_others: Option<Millis>,
}

/// What becomes of tasks beyond a cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AtCap {
    /// They wait until there is room.
    #[default]
    Wait,
    /// They are not accepted.
    Reject,
}

impl AtCap {
    // serde gives a reference.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
    const fn is_default(&self) -> bool {
        matches!(self, Self::Wait)
    }
}

/// A time limit, or that there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Limit(pub Option<Millis>);

/// Null is a value: no limit. serde would take it for absence.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Limit>, D::Error> {
    Limit::deserialize(deserializer).map(Some)
}

mod optional {
    use super::{Millis, duration};

    pub(super) fn serialize<S: serde::Serializer>(value: &Option<Millis>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(millis) => duration::as_text::serialize(millis, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Millis>, D::Error> {
        duration::deserialize_option(deserializer)
    }
}

impl QueueSettings {
    /// Submissions are counted, and refused beyond a number.
    pub const fn is_bounded(&self) -> bool {
        self.max_depth.is_some() || matches!(self.at_cap, AtCap::Reject)
    }

    /// Nothing limits what starts.
    pub const fn is_unlimited(&self) -> bool {
        self.rate_limit.is_none()
            && self.concurrency.is_none()
            && self.key_rate_limit.is_none()
            && self.key_concurrency.is_none()
    }
}

/// How many tasks of each priority may be taken at once: what the broker's pop is bounded by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    total: usize,
    /// By [`Key`].
    parts: Option<([usize; 4], RateLimit)>,
}

impl Quota {
    pub const UNLIMITED: Self = Self { total: usize::MAX, parts: None };

    /// Tasks of this priority that may still be taken.
    pub fn room(&self, priority: Priority) -> usize {
        let part = self.parts.map_or(usize::MAX, |(parts, rule)| parts[rule.key(priority) as usize]);
        self.total.min(part)
    }

    /// For those who count elsewhere: the room in all, the part of each priority, and the room of each part.
    pub fn by_level(&self) -> (usize, [u8; Priority::MAX as usize + 1], [usize; 4]) {
        let mut levels = [0; Priority::MAX as usize + 1];
        let Some((parts, rule)) = self.parts else { return (self.total, levels, [usize::MAX; 4]) };
        for level in 0..=Priority::MAX {
            if let Some(priority) = Priority::new(level) {
                levels[usize::from(level)] = rule.key(priority) as u8;
            }
        }
        (self.total, levels, parts)
    }

    pub fn take(&mut self, priority: Priority) {
        self.total = self.total.saturating_sub(1);
        if let Some((parts, rule)) = &mut self.parts {
            let part = &mut parts[rule.key(priority) as usize];
            *part = part.saturating_sub(1);
        }
    }
}

/// The limits of a queue within one transaction: read, counted against, and written back.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    rule: Option<RateLimit>,
    state: LimitState,
    concurrency: Option<u32>,
    running: u32,
    now: Millis,
}

impl Gate {
    pub fn new(
        settings: &QueueSettings,
        default: Option<&RateLimit>,
        state: Option<LimitState>,
        running: u32,
        now: Millis,
    ) -> Self {
        let rule = settings.rate_limit.or(default.copied()).filter(|rule| rule.enabled);
        Self { rule, state: state.unwrap_or_default(), concurrency: settings.concurrency, running, now }
    }

    pub const fn rule(&self) -> Option<&RateLimit> {
        self.rule.as_ref()
    }

    pub const fn running(&self) -> u32 {
        self.running
    }

    /// What may start now.
    pub fn quota(&mut self) -> Quota {
        let total = self.concurrency.map_or(usize::MAX, |most| most.saturating_sub(self.running) as usize);
        let parts = self.rule.map(|rule| {
            let mut parts = [0; 4];
            for key in rule.keys() {
                parts[*key as usize] = self.state.permits(&rule, *key, self.now).free as usize;
            }
            (parts, rule)
        });
        Quota { total, parts }
    }

    /// The running tasks use up the cap: it opens when one of them ends, not at a time.
    pub fn is_at_cap(&self) -> bool {
        self.concurrency.is_some_and(|most| self.running >= most)
    }

    /// One part of the limit, as it stands.
    pub fn permits(&mut self, key: Key) -> Option<Permits> {
        let rule = self.rule?;
        Some(self.state.permits(&rule, key, self.now))
    }

    /// When the first of the parts that are used up has a permit again.
    pub fn next_permit(&mut self) -> Option<Millis> {
        let keys = self.rule.map_or(&[][..], |rule| rule.keys());
        keys.iter().filter_map(|key| self.permits(*key)?.next_at).min()
    }

    /// Counts tasks that were granted.
    pub fn take(&mut self, granted: impl IntoIterator<Item = Priority>) {
        for priority in granted {
            self.running += 1;
            if let Some(rule) = self.rule {
                self.state.take(&rule, priority);
            }
        }
    }

    /// What is to be kept of it, and until when it matters.
    pub fn state(&self) -> Option<(&LimitState, Millis)> {
        self.rule.as_ref().map(|rule| (&self.state, self.state.matters_until(rule)))
    }
}
