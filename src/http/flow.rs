//! The keys by which a task shares its queue, and what a worker must have for it, as clients give them.

use std::collections::BTreeMap;

use super::check::Faults;
use crate::task::{FlowKeys, QueueSettings, name, rate::Key};

/// Characters of a key.
pub(super) const MAX_KEY: usize = 256;
const MAX_WEIGHT: i64 = 1_000;
const MAX_WEIGHTS: usize = 1_000;

/// As given with a task.
pub(super) struct Given {
    pub(super) fair_key: Option<String>,
    pub(super) rate_key: Option<String>,
    pub(super) cost: Option<i64>,
    pub(super) concurrency_key: Option<String>,
    pub(super) requires: Option<Vec<String>>,
}

pub(super) fn check_key(faults: &mut Faults, pointer: &str, key: Option<&str>) {
    if let Some(key) = key {
        faults.named(pointer, name::free(key, MAX_KEY, "a key"));
    }
}

pub(super) fn check(faults: &mut Faults, given: Given, settings: Option<&QueueSettings>) -> Option<Box<FlowKeys>> {
    let Given { fair_key, rate_key, cost, concurrency_key, requires } = given;
    check_key(faults, "/fair_key", fair_key.as_deref());
    check_key(faults, "/rate_key", rate_key.as_deref());
    check_key(faults, "/concurrency_key", concurrency_key.as_deref());
    let number = cost.map(|cost| u32::try_from(cost).ok().filter(|cost| (1..=FlowKeys::MAX_COST).contains(cost)));
    match number {
        Some(None) => faults.invalid("/cost", format!("must be a number from 1 to {}", FlowKeys::MAX_COST)),
        Some(_) if rate_key.is_none() => faults.invalid("/cost", "has a meaning beside `rate_key` only"),
        _ => {}
    }
    let cost = number.flatten().unwrap_or(1);
    let most = settings.and_then(|settings| settings.key_rate_limit).filter(|rule| rule.enabled);
    if let Some(most) = most.map(|rule| rule.most(Key::Queue)).filter(|most| cost > *most) {
        faults.invalid("/cost", format!("is more than a rate key of this queue may ever use at once ({most})"));
    }
    let (cost, requires) = (if cost > 1 { cost } else { 0 }, labels(faults, requires.unwrap_or_default()));
    let keys = FlowKeys { fair_key, rate_key, cost, concurrency_key, handler: None, requires };
    (!keys.is_empty()).then(|| Box::new(keys))
}

/// In order, each once: so that who asks for the same waits in the same place.
fn labels(faults: &mut Faults, mut labels: Vec<String>) -> Vec<String> {
    if labels.len() > FlowKeys::MAX_REQUIRES {
        let most = FlowKeys::MAX_REQUIRES;
        faults.invalid("/requires", format!("has at most {most} labels, not {}", labels.len()));
        return Vec::new();
    }
    for (index, label) in labels.iter().enumerate() {
        faults.named(&format!("/requires/{index}"), name::label(label));
    }
    labels.sort_unstable();
    labels.dedup();
    labels
}

/// What is set for fair keys.
pub(super) fn weights(faults: &mut Faults, given: Option<&BTreeMap<String, i64>>) -> BTreeMap<String, u32> {
    let Some(given) = given else { return BTreeMap::new() };
    if given.len() > MAX_WEIGHTS {
        faults.invalid("/fair_weights", format!("has at most {MAX_WEIGHTS} keys, not {}", given.len()));
        return BTreeMap::new();
    }
    let mut weights = BTreeMap::new();
    for (key, weight) in given {
        // A pointer to a name with a slash in it (RFC 6901).
        let pointer = format!("/fair_weights/{}", key.replace('~', "~0").replace('/', "~1"));
        check_key(faults, &pointer, Some(key));
        match u32::try_from(*weight).ok().filter(|_| (1..=MAX_WEIGHT).contains(weight)) {
            Some(weight) => {
                weights.insert(key.clone(), weight);
            }
            None => faults.invalid(&pointer, format!("must be a number from 1 to {MAX_WEIGHT}")),
        }
    }
    weights
}
