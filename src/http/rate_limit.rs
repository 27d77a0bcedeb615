//! Rate limits of queues, as clients write and read them.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};
use utoipa::ToSchema;

use super::{check::Faults, code::Code, draft::DurationWritten, time::seconds};
use crate::task::{
    Gate, Millis, RateLimit, duration,
    rate::{Algorithm, Key, LimitBy, LimitState},
};

/// Limits of the classes of priority where a queue is limited by priority and no numbers are given.
const BY_PRIORITY: [i64; 3] = [1_000, 500, 100];
const MINUTE: Millis = 60_000;

/// A limit as it is set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schema(as = NewRateLimit)]
pub(super) struct RateLimitDraft<'a> {
    /// Starts within `per`: a number, or one each for `high`, `medium` and `low` (with `by: priority`).
    #[serde(default)]
    #[schema(value_type = Option<Numbers>)]
    limit: Option<Numbers>,
    /// 10 ms to 30 days; a minute if not given.
    #[serde(default, deserialize_with = "duration::deserialize_option")]
    #[schema(value_type = Option<DurationWritten>)]
    per: Option<Millis>,
    /// Another way to say `limit` for a minute.
    #[serde(default)]
    max_tasks_per_minute: Option<i64>,
    /// Most starts at once of a token bucket; as many as `limit` if not given.
    #[serde(default)]
    burst: Option<i64>,
    /// `queue`: all tasks share the limit. `priority`: high (7 to 9), medium (4 to 6) and low each have it for themselves.
    /// `rate_key`: the tasks of each rate key have it for themselves, and each counts as much as its `cost`.
    #[serde(borrow, default)]
    #[schema(value_type = Option<LimitBy>)]
    by: Option<Cow<'a, str>>,
    #[serde(default)]
    algorithm: Option<Algorithm>,
    #[serde(default)]
    enabled: Option<bool>,
}

#[derive(ToSchema)]
#[serde(untagged)]
#[schema(as = LimitNumbers)]
pub(super) enum Numbers {
    One(i64),
    Each(ByClass),
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ByClass {
    high: i64,
    medium: i64,
    low: i64,
}

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;

        impl<'de> Visitor<'de> for Written {
            type Value = Numbers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, or an object with high, medium and low")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Numbers, E> {
                Ok(Numbers::One(number))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Numbers, E> {
                Ok(Numbers::One(i64::try_from(number).unwrap_or(i64::MAX)))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Numbers, A::Error> {
                ByClass::deserialize(MapAccessDeserializer::new(map)).map(Numbers::Each)
            }
        }
        deserializer.deserialize_any(Written)
    }
}

/// Checks a limit; `pointer` is its place in the request.
pub(super) fn check(faults: &mut Faults, pointer: &str, draft: &RateLimitDraft<'_>) -> Option<RateLimit> {
    let at = |field: &str| format!("{pointer}/{field}");
    let by = match draft.by.as_deref() {
        None | Some("queue") => LimitBy::Queue,
        Some("priority") => LimitBy::Priority,
        Some("rate_key") => LimitBy::RateKey,
        Some(_) => {
            faults.invalid(at("by"), "must be \"queue\", \"priority\" or \"rate_key\"");
            return None;
        }
    };
    let (numbers, field) = match (&draft.limit, draft.max_tasks_per_minute, by) {
        (Some(_), Some(_), _) => {
            faults.invalid(at("max_tasks_per_minute"), "give either `limit` and `per`, or this");
            return None;
        }
        (None, Some(limit), _) => ([limit; 3], "max_tasks_per_minute"),
        (Some(Numbers::One(limit)), None, _) => ([*limit; 3], "limit"),
        (Some(Numbers::Each(each)), None, LimitBy::Priority) => ([each.high, each.medium, each.low], "limit"),
        (Some(Numbers::Each(_)), None, LimitBy::Queue | LimitBy::RateKey) => {
            faults.invalid(at("limit"), "must be one number unless `by` is \"priority\"");
            return None;
        }
        (None, None, LimitBy::Priority) => (BY_PRIORITY, "limit"),
        (None, None, LimitBy::Queue | LimitBy::RateKey) => {
            faults.add(Code::MissingField, at("limit"), "`limit` is required");
            return None;
        }
    };
    let number = |n: i64| u32::try_from(n).ok().filter(|n| (1..=RateLimit::MAX_LIMIT).contains(n));
    let limit = numbers.map(number);
    if limit.contains(&None) {
        let advice = format!("must be from 1 to {}; to let nothing start, pause the queue", RateLimit::MAX_LIMIT);
        faults.invalid(at(field), advice);
    }
    let per = if draft.max_tasks_per_minute.is_some() { MINUTE } else { draft.per.unwrap_or(MINUTE) };
    if draft.max_tasks_per_minute.is_some() && draft.per.is_some_and(|per| per != MINUTE) {
        faults.invalid(at("per"), "is a minute with `max_tasks_per_minute`");
    }
    if !(RateLimit::MIN_PER..=RateLimit::MAX_PER).contains(&per) {
        faults.invalid(at("per"), "must be from 10ms to 30d");
    }
    let algorithm = draft.algorithm.unwrap_or_default();
    let burst = draft.burst.unwrap_or(0);
    let in_range = u32::try_from(burst).ok().filter(|burst| *burst <= RateLimit::MAX_LIMIT);
    if in_range.is_none() {
        faults.invalid(at("burst"), format!("must be from 0 to {}", RateLimit::MAX_LIMIT));
    } else if burst > 0 && algorithm == Algorithm::SlidingWindow {
        faults.invalid(at("burst"), "has a meaning with `algorithm: token_bucket` only");
    }
    let [Some(high), Some(medium), Some(low)] = limit else { return None };
    let enabled = draft.enabled.unwrap_or(true);
    Some(RateLimit { by, limit: [high, medium, low], per, algorithm, burst: in_range?, enabled })
}

/// The limit of each rate key, of which `by` need not be said.
pub(super) fn check_of_keys(faults: &mut Faults, pointer: &str, draft: &RateLimitDraft<'_>) -> Option<RateLimit> {
    if draft.by.as_deref().is_some_and(|by| by != "rate_key") {
        faults.invalid(format!("{pointer}/by"), "must be \"rate_key\", or left out");
        return None;
    }
    check(faults, pointer, draft).map(|rule| RateLimit { by: LimitBy::RateKey, ..rule })
}

/// A limit as it is shown.
#[derive(Serialize, ToSchema)]
#[schema(as = RateLimit)]
pub(super) struct RateLimitView {
    /// Starts within `per`: a number, or one each for `high`, `medium` and `low`.
    #[schema(value_type = Numbers)]
    limit: serde_json::Value,
    per: String,
    by: LimitBy,
    algorithm: Algorithm,
    burst: u32,
    enabled: bool,
    /// Starts that count against the limit now, and how many are left.
    used: u32,
    remaining: u32,
    /// Seconds until the next task may start; 0 where one may now.
    next_permit_in_s: f64,
    /// The same for each class of priority, where the limit is by priority.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    by_priority: BTreeMap<&'static str, PartView>,
    /// `queue`: set for this queue. `default`: the server's, for queues without one.
    source: &'static str,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RateLimitPart)]
pub(super) struct PartView {
    limit: u32,
    used: u32,
    remaining: u32,
    next_permit_in_s: f64,
}

impl RateLimitView {
    /// Of a rate key under which this has been granted.
    pub(super) fn of_key(rule: &RateLimit, mut state: LimitState, now: Millis) -> Self {
        let permits = state.permits(rule, Key::Queue, now);
        Self {
            limit: rule.limit_of(Key::Queue).into(),
            per: duration::to_text(rule.per),
            by: rule.by,
            algorithm: rule.algorithm,
            burst: rule.burst,
            enabled: rule.enabled,
            used: permits.used,
            remaining: permits.free,
            next_permit_in_s: permits.next_at.map_or(0.0, |at| seconds(now, at.max(now))),
            by_priority: BTreeMap::new(),
            source: "queue",
        }
    }

    /// `gate` holds what has been granted; a limit that is switched off has no gate of its own.
    pub(super) fn of(rule: &RateLimit, gate: &mut Gate, own: bool, now: Millis) -> Self {
        let mut part = |key: Key| {
            let limit = rule.limit_of(key);
            let permits = gate.permits(key);
            let wait = permits.and_then(|permits| permits.next_at).map_or(0.0, |at| seconds(now, at.max(now)));
            let (used, remaining) = permits.map_or((0, limit), |permits| (permits.used, permits.free));
            PartView { limit, used, remaining, next_permit_in_s: wait }
        };
        let parts: Vec<_> = rule.keys().iter().map(|key| (key.as_str(), part(*key))).collect();
        let sum = |of: fn(&PartView) -> u32| parts.iter().fold(0, |sum: u32, (_, part)| sum.saturating_add(of(part)));
        let by_class = rule.by == LimitBy::Priority;
        let limit = match rule.limit {
            [high, medium, low] if by_class => serde_json::json!({"high": high, "medium": medium, "low": low}),
            [limit, ..] => limit.into(),
        };
        Self {
            limit,
            per: duration::to_text(rule.per),
            by: rule.by,
            algorithm: rule.algorithm,
            burst: rule.burst,
            enabled: rule.enabled,
            used: sum(|part| part.used),
            remaining: sum(|part| part.remaining),
            next_permit_in_s: parts.iter().map(|(_, part)| part.next_permit_in_s).fold(f64::INFINITY, f64::min),
            by_priority: if by_class { parts.into_iter().collect() } else { BTreeMap::new() },
            source: if own { "queue" } else { "default" },
        }
    }
}
