//! The limits of keys within one transaction: read, counted against, and written back.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::turn::LOOK_AGAIN;
use crate::{
    store::{StoreError, Tx},
    task::{
        FlowKeys, Granted, Millis, QueueSettings, RateLimit, Serves,
        rate::{Key, LimitState, Permits},
    },
};

/// Why a task does not start now.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum Refused {
    /// What is left is for others of this claim, should they get it.
    UntilNextClaim,
    /// The worker cannot run it, nor what else is in its lane.
    NotServed,
    /// Its key is at a limit until then; `None`: until a task ends.
    For {
        until: Option<Millis>,
        /// So is whoever else is in its lane.
        whole_lane: bool,
    },
}

pub(in super::super) struct KeyGate {
    serves: Arc<Serves>,
    rule: Option<RateLimit>,
    cap: Option<u32>,
    now: Millis,
    states: HashMap<String, LimitState>,
    running: HashMap<String, u32>,
    /// What was admitted by this claim and has not been granted yet.
    reserved: HashMap<String, u32>,
}

impl KeyGate {
    pub(in super::super) fn new(settings: &QueueSettings, serves: &Arc<Serves>, now: Millis) -> Self {
        Self {
            serves: serves.clone(),
            rule: settings.key_rate_limit.filter(|rule| rule.enabled),
            cap: settings.key_concurrency,
            now,
            states: HashMap::new(),
            running: HashMap::new(),
            reserved: HashMap::new(),
        }
    }

    pub(in super::super) const fn rule(&self) -> Option<&RateLimit> {
        self.rule.as_ref()
    }

    /// Reads what is known of the keys of tasks that are about to be asked for.
    pub(super) fn load<'a>(
        &mut self,
        tx: &mut dyn Tx,
        queue: &str,
        flows: impl IntoIterator<Item = &'a FlowKeys>,
    ) -> Result<(), StoreError> {
        let (mut rate, mut concurrency) = (HashSet::new(), HashSet::new());
        for flow in flows {
            rate.extend(flow.rate_key.as_deref().filter(|key| !self.states.contains_key(*key)));
            concurrency.extend(flow.concurrency_key.as_deref().filter(|key| !self.running.contains_key(*key)));
        }
        if self.rule.is_some() && !rate.is_empty() {
            let keys: Vec<&str> = rate.into_iter().collect();
            let mut states = tx.key_limits(queue, &keys)?;
            self.states.extend(keys.iter().map(|key| ((*key).to_owned(), states.remove(*key).unwrap_or_default())));
        }
        if let Some(cap) = self.cap.filter(|_| !concurrency.is_empty()) {
            let keys: Vec<&str> = concurrency.into_iter().collect();
            let counts = tx.key_holds(queue, &keys, cap)?;
            let count = |key: &&str| ((*key).to_owned(), counts.get(*key).copied().unwrap_or(0));
            self.running.extend(keys.iter().map(count));
        }
        Ok(())
    }

    /// May this one start? Then it has a place until the end of this claim.
    pub(super) fn admit(&mut self, flow: &FlowKeys) -> Result<(), Refused> {
        if !flow.is_for(&self.serves) {
            return Err(Refused::NotServed);
        }
        let mut reserve = None;
        if let (Some(rule), Some(key)) = (self.rule, &flow.rate_key) {
            let cost = flow.cost().min(rule.most(Key::Queue));
            let permits = self.states.entry(key.clone()).or_default().permits_for(&rule, Key::Queue, cost, self.now);
            let reserved = self.reserved.get(&of_rate(key)).copied().unwrap_or(0);
            if permits.next_at.is_some() {
                let until = self.next_look(&rule, key, permits);
                return Err(Refused::For { until, whole_lane: flow.shares_rate_key() });
            }
            if permits.free < reserved.saturating_add(cost) {
                return Err(Refused::UntilNextClaim);
            }
            reserve = Some((of_rate(key), cost));
        }
        if let (Some(cap), Some(key)) = (self.cap, &flow.concurrency_key) {
            let running = self.running.get(key).copied().unwrap_or(0);
            let reserved = self.reserved.entry(of_concurrency(key)).or_default();
            if running >= cap {
                return Err(Refused::For { until: None, whole_lane: flow.shares_concurrency_key() });
            }
            if running + *reserved >= cap {
                return Err(Refused::UntilNextClaim);
            }
            *reserved += 1;
        }
        if let Some((key, cost)) = reserve {
            *self.reserved.entry(key).or_default() += cost;
        }
        Ok(())
    }

    /// Until then nobody of a rate key need be asked. Where something is left that is too little for one who costs more, another
    /// may come first a moment later: by its priority, or because that one was cancelled.
    fn next_look(&mut self, rule: &RateLimit, key: &str, permits: Permits) -> Option<Millis> {
        if permits.free > 0 {
            return permits.next_at.map(|at| at.min(self.now + LOOK_AGAIN));
        }
        self.states.get_mut(key).and_then(|state| state.permits(rule, Key::Queue, self.now).next_at)
    }

    /// Counts what was granted, and writes it down.
    pub(in super::super) fn settle(
        mut self,
        tx: &mut dyn Tx,
        queue: &str,
        granted: &[(&Granted, &FlowKeys)],
    ) -> Result<(), StoreError> {
        let mut touched = HashSet::new();
        let mut held = Vec::new();
        for (task, flow) in granted {
            if let (Some(rule), Some(key)) = (self.rule, &flow.rate_key) {
                let cost = flow.cost().min(rule.most(Key::Queue));
                self.states.entry(key.clone()).or_default().take_many(&rule, task.priority, cost);
                touched.insert(key.as_str());
            }
            // Without a cap too: one that is set later is to count what runs already.
            held.extend(flow.concurrency_key.as_deref().map(|key| (key, task.id, task.lease)));
        }
        if let Some(rule) = self.rule.filter(|_| !touched.is_empty()) {
            let kept = self.states.iter().filter(|(key, _)| touched.contains(key.as_str()));
            let kept: Vec<_> =
                kept.map(|(key, state)| (key.as_str(), state, rounded(state.matters_until(&rule), rule.per))).collect();
            tx.keep_key_limits(queue, &kept)?;
        }
        if !held.is_empty() {
            tx.hold_keys(queue, &held)?;
        }
        Ok(())
    }
}

/// Kept a little longer than it matters, so that most grants leave the time as it is, which an index is of.
fn rounded(until: Millis, per: Millis) -> Millis {
    let step = (per / 4).max(10_000);
    until.div_euclid(step).saturating_add(1).saturating_mul(step)
}

fn of_rate(key: &str) -> String {
    format!("rate {key}")
}

fn of_concurrency(key: &str) -> String {
    format!("concurrency {key}")
}
