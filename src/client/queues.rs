//! What is set for a queue, how its limits stand, and why a task of it waits.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Call, Client, Error, encode};
use crate::task::{AtCap, Millis, Status, TaskId, duration, rate::Algorithm};

/// A rate limit to set: so many starts in each span of time.
#[derive(Debug, Clone, Serialize)]
pub struct RateLimitRequest {
    limit: u32,
    per: String,
    algorithm: Algorithm,
    #[serde(skip_serializing_if = "Option::is_none")]
    burst: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'static str>,
}

impl RateLimitRequest {
    /// In no span of `per` do more than `limit` start.
    pub fn window(limit: u32, per: Duration) -> Self {
        Self { limit, per: text(per), algorithm: Algorithm::SlidingWindow, burst: None, by: None }
    }

    /// `burst` may start at once, and `limit` in each `per` after that.
    pub fn bucket(limit: u32, per: Duration, burst: u32) -> Self {
        Self { algorithm: Algorithm::TokenBucket, burst: Some(burst), ..Self::window(limit, per) }
    }

    /// High, medium and low priority each have it for themselves. Not for the limit of rate keys.
    #[must_use]
    pub const fn by_priority(mut self) -> Self {
        self.by = Some("priority");
        self
    }
}

/// All that is set for a queue: what is not given is as the server has it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct QueueRequest {
    paused: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_limit: Option<RateLimitRequest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrency: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_rate_limit: Option<RateLimitRequest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_concurrency: Option<u32>,
    at_cap: AtCap,
    fair_weights: BTreeMap<String, u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ageing: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_depth: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_age: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
}

impl QueueRequest {
    pub fn new() -> Self {
        Self::default()
    }

    /// Nothing of it starts until it is resumed.
    #[must_use]
    pub const fn paused(mut self) -> Self {
        self.paused = true;
        self
    }

    /// Its share of the slots against that of other queues, 1 to 1000.
    #[must_use]
    pub const fn weight(mut self, weight: u32) -> Self {
        self.weight = Some(weight);
        self
    }

    /// The limit that all of its tasks share.
    #[must_use]
    pub fn rate_limit(mut self, limit: RateLimitRequest) -> Self {
        self.rate_limit = Some(limit);
        self
    }

    /// The limit that the tasks of each rate key have for themselves.
    #[must_use]
    pub fn key_rate_limit(mut self, limit: RateLimitRequest) -> Self {
        self.key_rate_limit = Some(limit);
        self
    }

    /// Most tasks that run at a time, over all nodes.
    #[must_use]
    pub const fn concurrency(mut self, most: u32) -> Self {
        self.concurrency = Some(most);
        self
    }

    /// Most tasks of one concurrency key that run at a time, over all nodes.
    #[must_use]
    pub const fn key_concurrency(mut self, most: u32) -> Self {
        self.key_concurrency = Some(most);
        self
    }

    /// What becomes of a submission beyond a cap.
    #[must_use]
    pub const fn at_cap(mut self, at_cap: AtCap) -> Self {
        self.at_cap = at_cap;
        self
    }

    /// Tasks that a fair key is served at a turn, 1 to 1000.
    #[must_use]
    pub fn fair_weight(mut self, key: impl Into<String>, weight: u32) -> Self {
        self.fair_weights.insert(key.into(), weight);
        self
    }

    /// How long a task waits for one more level of priority.
    #[must_use]
    pub fn ageing(mut self, time: Duration) -> Self {
        self.ageing = Some(text(time));
        self
    }

    /// Most tasks that wait.
    #[must_use]
    pub const fn max_depth(mut self, most: u32) -> Self {
        self.max_depth = Some(most);
        self
    }

    /// How long after their submission tasks that do not say so themselves may be started.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(text(age));
        self
    }

    /// Only if the queue is at this version.
    #[must_use]
    pub const fn version(mut self, version: u32) -> Self {
        self.version = Some(version);
        self
    }
}

/// A queue as the server shows it.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Queue {
    pub name: String,
    pub paused: bool,
    pub weight: u32,
    /// Raised by each change.
    pub version: u32,
    /// In short, such as `100 per 60s`.
    pub rate_limit: Option<String>,
    pub key_rate_limit: Option<String>,
    pub concurrency: Option<u32>,
    pub key_concurrency: Option<u32>,
    pub at_cap: AtCap,
    pub fair_weights: BTreeMap<String, u32>,
    pub ageing: Option<String>,
    pub max_age: Option<String>,
    pub total_queued: u64,
}

/// How a rate limit stands.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct RateLimitState {
    pub per: String,
    pub enabled: bool,
    /// Starts that count against it now, and how many are left.
    pub used: u32,
    pub remaining: u32,
    /// 0 where a task may start now.
    pub next_permit_in_s: f64,
}

/// Why a task does not run now.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Explanation {
    pub task_id: TaskId,
    pub status: Status,
    /// In one sentence.
    pub summary: String,
    /// Empty where it starts as soon as a slot is free.
    pub reasons: Vec<Reason>,
    /// RFC 3339 in UTC: it does not start before.
    pub not_before: Option<String>,
}

/// Something that keeps a task from starting now.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Reason {
    /// Stable, such as `key_rate_limit`.
    pub code: String,
    pub detail: String,
    /// RFC 3339 in UTC.
    pub until: Option<String>,
    pub count: Option<u64>,
}

fn text(time: Duration) -> String {
    duration::to_text(Millis::try_from(time.as_millis()).unwrap_or(Millis::MAX))
}

fn path(queue: &str, below: &str) -> String {
    format!("/queues/{}{below}", encode(queue))
}

impl Client {
    /// # Errors
    /// [`Error::Api`] with status 404 for a queue that does not exist.
    pub async fn queue(&self, queue: &str) -> Result<Queue, Error> {
        self.send(&Call::read(path(queue, ""))).await?.json()
    }

    /// Replaces all that is set for a queue, in force with the next task that starts; makes the queue where there is none.
    ///
    /// # Errors
    /// [`Error::Api`] with status 422 for what is not possible, 409 where it is at another version.
    pub async fn put_queue(&self, queue: &str, request: &QueueRequest) -> Result<Queue, Error> {
        self.send(&Call::put(path(queue, ""), request)?).await?.json()
    }

    /// How the rate limit of a queue stands.
    ///
    /// # Errors
    /// [`Error::Api`] with status 404 where there is none.
    pub async fn rate_limit(&self, queue: &str) -> Result<RateLimitState, Error> {
        self.send(&Call::read(path(queue, "/rate-limit"))).await?.json()
    }

    /// How the limit that each rate key has for itself stands for this one.
    ///
    /// # Errors
    /// [`Error::Api`] with status 404 where there is none.
    pub async fn key_rate_limit(&self, queue: &str, key: &str) -> Result<RateLimitState, Error> {
        let call = Call::read(path(queue, "/rate-limit")).query(&[("by", Some("rate_key")), ("key", Some(key))]);
        self.send(&call).await?.json()
    }

    /// Why a task does not run now, and when it will.
    ///
    /// # Errors
    /// [`Error::Api`] with status 404 where there is none.
    pub async fn explain(&self, id: TaskId) -> Result<Explanation, Error> {
        self.send(&Call::read(format!("/tasks/{id}/explain"))).await?.json()
    }
}
