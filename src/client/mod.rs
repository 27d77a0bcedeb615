//! A client of a jobqueue server: what another Rust process, and our own command line, use to submit and watch tasks.
//!
//! ```no_run
//! use std::time::Duration;
//! use jobqueue::client::{Client, TaskRequest};
//!
//! # async fn example() -> Result<(), jobqueue::client::Error> {
//! let client = Client::new("http://127.0.0.1:8000")?;
//! let task = client.submit(&TaskRequest::new("process_data").args(&[1, 2, 3])?.queue("reports")).await?.task;
//! if let Some(end) = client.wait(task.id, Duration::from_secs(60)).await? {
//!     println!("{}: {:?}", end.status, end.result);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Tasks that depend on each other are submitted as one workflow: see [`Workflow`].
//!
//! Tasks for many tenants share a queue by keys: they take turns, and each tenant has limits for itself.
//!
//! ```
//! use jobqueue::client::TaskRequest;
//!
//! let tenant = "tenant-7";
//! TaskRequest::new("process_data").fair_key(tenant).rate_key(tenant).cost(5).concurrency_key(tenant);
//! ```
//!
//! The limits and weights are those of the queue ([`Client::put_queue`], [`QueueRequest`]); [`Client::explain`] says what a
//! task waits for.

mod calls;
mod error;
#[cfg(test)]
pub(crate) mod fake;
mod http;
mod model;
mod queues;
mod request;
mod schedules;
#[cfg(test)]
mod tests;
mod url;
mod workflow;

use std::{fmt, sync::Arc, time::Duration};

use serde::Deserialize;

pub(crate) use calls::{Call, LONGEST_WAIT};
pub use error::{Error, FieldProblem, Problem};
pub(crate) use http::Reply;
pub use model::{BatchItem, CancelAnswer, ListQuery, Page, QueueStats, QueuedByPriority, Submitted, Task, TaskResult};
pub use queues::{Explanation, Queue, QueueRequest, RateLimitRequest, RateLimitState, Reason};
pub use request::TaskRequest;
pub use schedules::{Schedule, ScheduleRequest};
pub(crate) use url::encode;
pub use workflow::{Callback, Dependency, Node, Workflow, WorkflowInfo, WorkflowProgress, WorkflowSubmitted};

use crate::task::TaskId;

/// A connection to one server. Cheap to clone; clones share their idle connections. Needs a running Tokio runtime.
#[derive(Clone)]
pub struct Client {
    http: Arc<http::Http>,
}

/// How a [`Client`] connects.
#[derive(Clone)]
pub struct ClientBuilder {
    url: String,
    api_key: Option<String>,
    timeout: Duration,
    connect_timeout: Duration,
}

impl ClientBuilder {
    /// Sent as `Authorization: Bearer`.
    #[must_use]
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// Longest time for one request and its answer, not counting a wait that the request itself asks for. 30 s.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Longest time to get a connection. 5 s.
    #[must_use]
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// # Errors
    /// [`Error::Url`] for an address that is no `http://host[:port][/prefix]`, [`Error::Key`] for a key that no header
    /// can carry. Nothing is connected yet.
    pub fn build(self) -> Result<Client, Error> {
        let base = url::Base::parse(&self.url)?;
        let http = http::Http::new(base, self.api_key.as_deref(), self.timeout, self.connect_timeout)?;
        Ok(Client { http: Arc::new(http) })
    }
}

/// The key stays out of it.
impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").field("url", &self.url).finish_non_exhaustive()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("url", &self.http.url()).finish_non_exhaustive()
    }
}

impl Client {
    /// A client of the server at `http://host[:port][/prefix]`, without a key.
    ///
    /// # Errors
    /// See [`ClientBuilder::build`].
    pub fn new(url: impl Into<String>) -> Result<Self, Error> {
        Self::builder(url).build()
    }

    /// A client whose key and timeouts can be set.
    pub fn builder(url: impl Into<String>) -> ClientBuilder {
        ClientBuilder {
            url: url.into(),
            api_key: None,
            timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(5),
        }
    }

    /// Submits one task.
    ///
    /// A broken connection leaves open whether the task was accepted; with an idempotency key the call can be repeated
    /// without a second task.
    ///
    /// # Errors
    /// [`Error::Api`] where the server refuses it, else as every call: the server cannot be reached, is too slow, or is
    /// no jobqueue server.
    pub async fn submit(&self, request: &TaskRequest) -> Result<Submitted, Error> {
        submitted(&self.send(&Call::submit(request, None)?).await?)
    }

    /// Submits one task and waits for its end, at most `up_to`. Look at the status of the task that comes back: it may
    /// not be over.
    ///
    /// # Errors
    /// As [`Self::submit`].
    pub async fn submit_and_wait(&self, request: &TaskRequest, up_to: Duration) -> Result<Submitted, Error> {
        let until = tokio::time::Instant::now() + up_to;
        let first = submitted(&self.send(&Call::submit(request, Some(up_to.min(LONGEST_WAIT)))?).await?)?;
        if first.task.status.is_terminal() {
            return Ok(first);
        }
        self.wait(first.task.id, until.saturating_duration_since(tokio::time::Instant::now())).await?;
        Ok(Submitted { task: self.get(first.task.id).await?, ..first })
    }

    /// Submits up to 1000 tasks in one request; the answers are in the order of the requests. With `atomic`, all or
    /// none are accepted. Idempotency keys of the requests are not used.
    ///
    /// # Errors
    /// As [`Self::submit`], for the request as a whole; what is wrong with one task is in its answer.
    pub async fn submit_batch(&self, requests: &[TaskRequest], atomic: bool) -> Result<Vec<BatchItem>, Error> {
        #[derive(Deserialize)]
        struct Answer {
            results: Vec<BatchItem>,
        }
        Ok(self.send(&Call::submit_batch(requests, atomic)?).await?.json::<Answer>()?.results)
    }

    /// The task as it is now.
    ///
    /// # Errors
    /// [`Error::Api`] with status 404 where there is none; [`Error::is_not_found`].
    pub async fn get(&self, id: TaskId) -> Result<Task, Error> {
        self.send(&Call::get(id)).await?.json()
    }

    /// How the task ended; `None` if it has not ended.
    ///
    /// # Errors
    /// [`Error::Api`] with status 404 where there is no such task, 410 where its result has expired.
    pub async fn result(&self, id: TaskId) -> Result<Option<TaskResult>, Error> {
        self.wait(id, Duration::ZERO).await
    }

    /// Waits until the task has ended, at most `up_to`; `None` if it has not ended by then.
    ///
    /// # Errors
    /// As [`Self::result`].
    pub async fn wait(&self, id: TaskId, up_to: Duration) -> Result<Option<TaskResult>, Error> {
        let until = tokio::time::Instant::now() + up_to;
        loop {
            let asked = tokio::time::Instant::now();
            let left = until.saturating_duration_since(asked).min(LONGEST_WAIT);
            let reply = self.send(&Call::result(id, left)).await?;
            if reply.status != 202 {
                return reply.json().map(Some);
            }
            if tokio::time::Instant::now() >= until {
                return Ok(None);
            }
            // A server that answers early (it is stopping, or does not know `wait`) must not be asked in a tight loop.
            tokio::time::sleep_until((asked + Duration::from_millis(200)).min(until)).await;
        }
    }

    /// One page of tasks. Lists leave out arguments and results unless [`ListQuery::include_payload`] is set.
    ///
    /// # Errors
    /// As every call.
    pub async fn list(&self, query: &ListQuery) -> Result<Page<Task>, Error> {
        self.send(&Call::list(query)).await?.json()
    }

    /// Cancels a task that waits, or asks a running one to stop.
    ///
    /// # Errors
    /// [`Error::Api`] with status 409 for a task that has ended, 404 where there is none.
    pub async fn cancel(&self, id: TaskId, reason: Option<&str>) -> Result<CancelAnswer, Error> {
        self.send(&Call::cancel(id, reason, false)?).await?.json()
    }

    /// Runs a task that has ended once more, with its retries given back.
    ///
    /// # Errors
    /// [`Error::Api`] with status 409 for a task that has not ended, 404 where there is none.
    pub async fn retry(&self, id: TaskId) -> Result<Task, Error> {
        self.send(&Call::retry(id)).await?.json()
    }

    /// What waits and what became of a queue's tasks.
    ///
    /// # Errors
    /// [`Error::Api`] with status 404 for a queue that does not exist.
    pub async fn queue_stats(&self, queue: &str) -> Result<QueueStats, Error> {
        self.send(&Call::queue_stats(queue)).await?.json()
    }

    /// One request; an answer of status 400 and above is an error.
    pub(crate) async fn send(&self, call: &Call) -> Result<Reply, Error> {
        self.http.send(call).await
    }
}

/// The answer to a submission is a task with, at times, one field more.
pub(crate) fn submitted(reply: &Reply) -> Result<Submitted, Error> {
    #[derive(Deserialize)]
    struct More {
        #[serde(default)]
        deduplicated: bool,
        #[serde(default)]
        replaced: bool,
    }
    // Read twice instead of flattened: serde's flattening cannot keep raw JSON.
    let More { deduplicated, replaced } = reply.json()?;
    Ok(Submitted { task: reply.json()?, deduplicated, replaced, replayed: reply.replayed })
}
