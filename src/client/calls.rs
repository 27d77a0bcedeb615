//! The requests: pure values, built from what a caller wants.

use std::time::Duration;

use hyper::{Method, header::HeaderValue};
use serde::Serialize;

use super::{Error, ListQuery, TaskRequest, url::encode};
use crate::task::{TaskId, duration};

/// Longest wait asked of the server in one request; longer ones are made of several.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(super) method: Method,
    /// From `/api/v1` on, with the query.
    pub(super) path: String,
    /// JSON.
    pub(super) body: Option<String>,
    pub(super) idempotency_key: Option<HeaderValue>,
    /// How long the server is asked to hold the answer back.
    pub(super) wait: Duration,
}

impl Call {
    fn new(method: Method, path: String) -> Self {
        Self { method, path: format!("/api/v1{path}"), body: None, idempotency_key: None, wait: Duration::ZERO }
    }

    fn json(mut self, body: &impl Serialize) -> Result<Self, Error> {
        self.body = Some(serde_json::to_string(body)?);
        Ok(self)
    }

    fn wait(mut self, wait: Duration) -> Self {
        if !wait.is_zero() {
            let millis = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX).max(1);
            self.path = format!("{}?wait={}", self.path, duration::to_text(millis));
            self.wait = wait;
        }
        self
    }

    pub(crate) fn submit(request: &TaskRequest, wait: Option<Duration>) -> Result<Self, Error> {
        let call = Self::new(Method::POST, "/tasks".into()).wait(wait.unwrap_or_default()).json(request)?;
        let key = request.idempotency_key.as_deref().map(HeaderValue::from_str).transpose();
        Ok(Self { idempotency_key: key.map_err(|_| Error::Key("idempotency key"))?, ..call })
    }

    pub(crate) fn submit_batch(requests: &[TaskRequest], atomic: bool) -> Result<Self, Error> {
        #[derive(Serialize)]
        struct Batch<'a> {
            tasks: &'a [TaskRequest],
            atomic: bool,
        }
        Self::new(Method::POST, "/tasks/batch".into()).json(&Batch { tasks: requests, atomic })
    }

    pub(crate) fn get(id: TaskId) -> Self {
        Self::new(Method::GET, format!("/tasks/{id}"))
    }

    pub(crate) fn result(id: TaskId, wait: Duration) -> Self {
        Self::new(Method::GET, format!("/tasks/{id}/result")).wait(wait)
    }

    pub(crate) fn list(query: &ListQuery) -> Self {
        let limit = query.limit.map(|limit| limit.to_string());
        let pairs = [
            ("status", query.status.map(|status| status.as_str())),
            ("queue", query.queue.as_deref()),
            ("name", query.name.as_deref()),
            ("tag", query.tag.as_deref()),
            ("limit", limit.as_deref()),
            ("cursor", query.cursor.as_deref()),
            ("include", query.include_payload.then_some("args,result")),
        ];
        Self::read("/tasks").query(&pairs)
    }

    pub(crate) fn cancel(id: TaskId, reason: Option<&str>, force: bool) -> Result<Self, Error> {
        #[derive(Serialize)]
        struct Cancel<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            reason: Option<&'a str>,
            #[serde(skip_serializing_if = "std::ops::Not::not")]
            force: bool,
        }
        Self::new(Method::POST, format!("/tasks/{id}/cancel")).json(&Cancel { reason, force })
    }

    pub(crate) fn retry(id: TaskId) -> Self {
        Self { body: Some("{}".into()), ..Self::new(Method::POST, format!("/tasks/{id}/retry")) }
    }

    /// `workflow` is the body as the server takes it.
    pub(crate) fn submit_workflow(workflow: String, key: Option<&str>) -> Result<Self, Error> {
        let key = key.map(HeaderValue::from_str).transpose().map_err(|_| Error::Key("idempotency key"))?;
        let call = Self::new(Method::POST, "/workflows".into());
        Ok(Self { body: Some(workflow), idempotency_key: key, ..call })
    }

    /// `key` is the body as the server takes it.
    pub(crate) fn create_key(key: String) -> Self {
        Self { body: Some(key), ..Self::new(Method::POST, "/keys".into()) }
    }

    /// Reads what is at a path, from `/api/v1` on.
    pub(crate) fn read(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path.into())
    }

    pub(crate) fn post(path: impl Into<String>, body: &impl Serialize) -> Result<Self, Error> {
        Self::new(Method::POST, path.into()).json(body)
    }

    pub(crate) fn put(path: impl Into<String>, body: &impl Serialize) -> Result<Self, Error> {
        Self::new(Method::PUT, path.into()).json(body)
    }

    pub(crate) fn patch(path: impl Into<String>, body: &impl Serialize) -> Result<Self, Error> {
        Self::new(Method::PATCH, path.into()).json(body)
    }

    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path.into())
    }

    /// A probe, outside of `/api/v1`.
    pub(crate) fn probe(path: &str) -> Self {
        Self { path: path.to_owned(), ..Self::read("") }
    }

    /// Adds those that have a value to the query.
    pub(crate) fn query(mut self, pairs: &[(&str, Option<&str>)]) -> Self {
        for (name, value) in pairs.iter().filter_map(|(name, value)| value.map(|value| (name, value))) {
            let separator = if self.path.contains('?') { '&' } else { '?' };
            self.path = format!("{}{separator}{name}={}", self.path, encode(value));
        }
        self
    }

    pub(crate) fn queue_stats(queue: &str) -> Self {
        Self::new(Method::GET, format!("/queues/{}/stats", encode(queue)))
    }
}
