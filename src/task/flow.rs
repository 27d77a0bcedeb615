//! The keys by which a task shares its queue with others: whose turn it is, which limits it is under, and for which workers it
//! is.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Serves;

/// As given with the task, and found out of it. At least one of the keys is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FlowKeys {
    /// Tasks of different fair keys take turns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fair_key: Option<String>,
    /// Tasks of one rate key share the limit that the queue sets for each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_key: Option<String>,
    /// What the task takes of that limit; 0: one.
    #[serde(skip_serializing_if = "is_default")]
    pub cost: u32,
    /// Of one concurrency key no more run at a time than the queue allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency_key: Option<String>,
    /// Its name, once somebody has come upon it who has no handler for that: from then on it is where only those look who have
    /// one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handler: Option<String>,
    /// Labels that a worker must bear to run it, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<String>,
}

/// Where a task with keys waits. Two keys with the same hash would share a lane: they would take turns as one, and while one of
/// them is at its limit the other waits too. No limit is counted by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane {
    /// Those that take turns.
    pub lane: i64,
    /// Within a lane: those that are under the same limits, and served in order.
    pub sublane: i64,
}

impl FlowKeys {
    /// Most that a task may take of its limit.
    pub const MAX_COST: u32 = 1_000_000;

    /// Most labels that a task may require.
    pub const MAX_REQUIRES: usize = 16;

    pub const fn is_empty(&self) -> bool {
        self.has_no_key() && !self.asks_for_worker()
    }

    const fn has_no_key(&self) -> bool {
        self.fair_key.is_none() && self.rate_key.is_none() && self.concurrency_key.is_none()
    }

    const fn asks_for_worker(&self) -> bool {
        self.handler.is_some() || !self.requires.is_empty()
    }

    /// Without a fair key the limits decide who takes turns: who is at one does not hold up the others. Tasks that are not for
    /// the same workers are in lanes of their own, so that a worker passes by what is for others without a look into it.
    pub fn lane(&self) -> Lane {
        let or_none = |key: &Option<String>| key.as_ref().map_or_else(String::new, |key| format!("={key}"));
        let (kind, key) = match (&self.fair_key, &self.rate_key, &self.concurrency_key) {
            (Some(key), ..) => ("fair", key.as_str()),
            (None, Some(key), _) => ("rate", key.as_str()),
            (None, None, Some(key)) => ("concurrency", key.as_str()),
            (None, None, None) => ("worker", ""),
        };
        let lane = if self.asks_for_worker() {
            // No label has a comma.
            hash(&[kind, key, &or_none(&self.handler), &self.requires.join(",")])
        } else {
            hash(&[kind, key])
        };
        Lane { lane, sublane: hash(&["limits", &or_none(&self.rate_key), &or_none(&self.concurrency_key)]) }
    }

    /// The lane of its fair key, where it is in another one because of what a worker must have for it.
    pub fn fair_lane(&self) -> Option<i64> {
        self.fair_key.as_deref().filter(|_| self.asks_for_worker()).map(lane_of_fair_key)
    }

    /// As far as the keys tell: who has no handler for it may have to find that out.
    pub fn is_for(&self, worker: &Serves) -> bool {
        self.handler.as_ref().is_none_or(|name| worker.has_name(name)) && worker.has_labels(&self.requires)
    }

    /// Where only those look who have a handler for this name.
    pub fn of_handler(self, name: &str) -> Self {
        Self { handler: Some(name.to_owned()), ..self }
    }

    pub const fn cost(&self) -> u32 {
        if self.cost == 0 { 1 } else { self.cost }
    }

    /// Whoever is in its lane is under the limit of this rate key too.
    pub const fn shares_rate_key(&self) -> bool {
        self.fair_key.is_none() && self.rate_key.is_some()
    }

    /// Whoever is in its lane is under the cap of this concurrency key too.
    pub const fn shares_concurrency_key(&self) -> bool {
        self.fair_key.is_none() && self.rate_key.is_none()
    }
}

/// Where tasks of a fair key wait.
pub fn lane_of_fair_key(key: &str) -> i64 {
    hash(&["fair", key])
}

fn is_default(cost: &u32) -> bool {
    *cost <= 1
}

/// The same on every node and in every version: it is stored.
pub(super) fn hash(parts: &[&str]) -> i64 {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part.as_bytes());
    }
    digest.finalize().first_chunk().map_or(0, |bytes| i64::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(fair: Option<&str>, rate: Option<&str>, concurrency: Option<&str>) -> FlowKeys {
        FlowKeys {
            fair_key: fair.map(str::to_owned),
            rate_key: rate.map(str::to_owned),
            concurrency_key: concurrency.map(str::to_owned),
            ..FlowKeys::default()
        }
    }

    #[test]
    fn who_shares_a_turn_and_who_a_limit() {
        let lane = |fair, rate, concurrency| keys(fair, rate, concurrency).lane();
        assert_eq!(lane(Some("a"), Some("r"), None).lane, lane(Some("a"), Some("s"), Some("c")).lane);
        assert_ne!(lane(Some("a"), Some("r"), None).sublane, lane(Some("a"), Some("s"), None).sublane);
        assert_ne!(lane(Some("a"), None, None).lane, lane(None, Some("a"), None).lane);
        assert_ne!(lane(None, Some("a"), None).lane, lane(None, None, Some("a")).lane);
        // One key cannot be written so that it looks like two.
        assert_ne!(lane(None, Some("a=b"), None).sublane, lane(None, Some("a"), Some("b")).sublane);
        assert_ne!(lane(None, Some(""), None).sublane, lane(None, None, Some("")).sublane);
    }

    #[test]
    fn what_is_for_other_workers_is_in_another_lane_under_the_same_limits() {
        let of = |keys: FlowKeys, name: &str, requires: &[&str]| {
            let requires = requires.iter().map(|label| (*label).to_owned()).collect();
            FlowKeys { requires, ..keys }.of_handler(name).lane()
        };
        for keys in [FlowKeys::default(), keys(Some("f"), None, None), keys(None, Some("r"), Some("c"))] {
            let of = |name, requires| of(keys.clone(), name, requires);
            let lanes = [of("a", &[]), of("b", &[]), of("a", &["gpu"]), of("a", &["gpu", "big"]), keys.lane()];
            assert!((1..lanes.len()).all(|n| !lanes[..n].iter().any(|other| other.lane == lanes[n].lane)), "{lanes:?}");
            assert!(lanes.iter().all(|lane| lane.sublane == lanes[0].sublane), "{lanes:?}");
        }
        let fair = keys(Some("f"), None, None);
        assert_eq!(fair.clone().of_handler("a").fair_lane(), Some(fair.lane().lane));
        assert_eq!(fair.fair_lane(), None);
    }

    #[test]
    fn a_hash_is_the_same_for_ever() {
        assert_eq!(lane_of_fair_key("tenant-7"), 5_592_577_642_951_064_268);
    }
}
