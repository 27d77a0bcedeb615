//! The task that a schedule makes at each tick. Written as the API writes a submission, so that what was given reads back the
//! same; what it leaves out is as the queue and the server have it at the tick.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::unique::{self, UniqueRule};
use crate::task::{
    FlowKeys, Millis, NewTask, Priority, QueueSettings, RetryPolicy, TaskDefaults, UniqueConflict, duration, rate::Key,
    unique::Parts,
};

/// Keys of `meta` that tell which schedule and tick have made a task.
const SCHEDULE: &str = "schedule";
const TICK: &str = "tick";

/// Values as they were written: a number of any size is exact.
pub type Meta = BTreeMap<String, Box<RawValue>>;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    pub name: String,
    pub queue: String,
    pub priority: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kwargs: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPolicy>,
    /// Null: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "nullable")]
    pub timeout: Option<Option<Millis>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "super::optional")]
    pub delay: Option<Millis>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "super::optional")]
    pub expires_in: Option<Millis>,
    /// Null: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "nullable")]
    pub max_age: Option<Option<Millis>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "super::optional")]
    pub result_ttl: Option<Millis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique: Option<UniqueRule>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub unique_conflict: UniqueConflict,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fair_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_key: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Meta::is_empty")]
    pub meta: Meta,
}

/// Why a template makes no task at present.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TemplateFault(String);

impl Template {
    /// The key of `meta` that is not free for those who write one.
    pub fn reserved(meta: &Meta) -> Option<&'static str> {
        [SCHEDULE, TICK].into_iter().find(|key| meta.contains_key(*key))
    }

    /// The task of a tick, or one out of turn.
    pub fn task(
        &self,
        schedule: &str,
        tick: Option<Millis>,
        now: Millis,
        defaults: &TaskDefaults,
        queue: Option<&QueueSettings>,
    ) -> Result<NewTask, TemplateFault> {
        let (max_retries, timeout_ms) = defaults.of(&self.name, queue);
        let max_age_ms = self.max_age.unwrap_or_else(|| queue.and_then(|queue| queue.max_age));
        let run_at = self.delay.map(|delay| now + delay);
        if max_age_ms.is_some_and(|age| age <= self.delay.unwrap_or(0)) {
            return Err(TemplateFault("its `max_age` is over before it may start".into()));
        }
        let flow = self.flow();
        let most = queue.and_then(|queue| queue.key_rate_limit).filter(|rule| rule.enabled);
        if let Some(most) = most.map(|rule| rule.most(Key::Queue)).filter(|most| flow.cost() > *most) {
            return Err(TemplateFault(format!("its `cost` is more than a rate key may ever use at once ({most})")));
        }
        let text =
            |part: &Option<Box<RawValue>>, empty: &str| part.as_ref().map_or(empty, |part| part.get()).to_owned();
        let (args, kwargs) = (text(&self.args, "[]"), text(&self.kwargs, "{}"));
        let mut meta = self.meta.clone();
        // By what was written: each tick would make another key.
        let written = (!meta.is_empty()).then(|| serde_json::to_string(&meta).ok()).flatten();
        let parts =
            Parts { name: &self.name, queue: &self.queue, args: &args, kwargs: &kwargs, meta: written.as_deref() };
        let key = self.unique_key.as_deref();
        let unique =
            unique::unique(key, self.unique.as_ref(), self.unique_conflict, parts, now).map_err(TemplateFault)?;
        let at = tick.and_then(|tick| jiff::Timestamp::from_millisecond(tick).ok()).map(|at| at.to_string());
        for (key, value) in [(SCHEDULE, Some(schedule)), (TICK, at.as_deref())] {
            if let Some(value) = value.and_then(|value| serde_json::value::to_raw_value(value).ok()) {
                meta.insert(key.into(), value);
            }
        }
        Ok(NewTask {
            name: self.name.clone(),
            queue: self.queue.as_str().into(),
            priority: Priority::new(self.priority).unwrap_or_default(),
            args,
            kwargs,
            max_retries: self.max_retries.unwrap_or(max_retries),
            retry: self.retry.or_else(|| queue?.retry),
            timeout_ms: self.timeout.unwrap_or(timeout_ms),
            run_at,
            expires_at: [self.expires_in, max_age_ms].into_iter().flatten().min().map(|within| now + within),
            max_age_ms,
            result_ttl_ms: self.result_ttl,
            unique,
            flow: (!flow.is_empty()).then(|| Box::new(flow)),
            tags: self.tags.clone(),
            meta: serde_json::to_string(&meta).ok(),
            ..NewTask::new(now)
        })
    }

    fn flow(&self) -> FlowKeys {
        FlowKeys {
            fair_key: self.fair_key.clone(),
            rate_key: self.rate_key.clone(),
            cost: self.cost.filter(|cost| *cost > 1).unwrap_or(0),
            concurrency_key: self.concurrency_key.clone(),
            handler: None,
            requires: self.requires.clone(),
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A duration whose null means something other than its absence.
mod nullable {
    use super::{Millis, duration};

    pub(super) fn serialize<S: serde::Serializer>(
        value: &Option<Option<Millis>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value.flatten() {
            Some(millis) => duration::as_text::serialize(&millis, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Option<Millis>>, D::Error> {
        duration::deserialize_option(deserializer).map(Some)
    }
}
