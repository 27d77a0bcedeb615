//! The requests: pure values, built from what a caller wants.

use std::time::Duration;

use hyper::{Method, header::HeaderValue};
use serde::Serialize;

use super::{Error, ListQuery, TaskRequest, url::encode};
use crate::task::{KeyId, TaskId, duration};

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
        Self::new(Method::GET, format!("/tasks{}", query_of(&pairs)))
    }

    pub(crate) fn cancel(id: TaskId, reason: Option<&str>) -> Result<Self, Error> {
        #[derive(Serialize)]
        struct Cancel<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            reason: Option<&'a str>,
        }
        Self::new(Method::POST, format!("/tasks/{id}/cancel")).json(&Cancel { reason })
    }

    pub(crate) fn retry(id: TaskId) -> Self {
        Self { body: Some("{}".into()), ..Self::new(Method::POST, format!("/tasks/{id}/retry")) }
    }

    /// `key` is the body as the server takes it.
    pub(crate) fn create_key(key: String) -> Self {
        Self { body: Some(key), ..Self::new(Method::POST, "/keys".into()) }
    }

    pub(crate) fn keys() -> Self {
        Self::new(Method::GET, "/keys".into())
    }

    pub(crate) fn revoke_key(id: KeyId) -> Self {
        Self::new(Method::DELETE, format!("/keys/{id}"))
    }

    /// Pairs of parameter and value.
    pub(crate) fn audit(query: &[(&str, Option<&str>)]) -> Self {
        Self::new(Method::GET, format!("/audit{}", query_of(query)))
    }

    pub(crate) fn queue_stats(queue: &str) -> Self {
        Self::new(Method::GET, format!("/queues/{}/stats", encode(queue)))
    }
}

/// With its question mark, if there is anything to ask.
fn query_of(pairs: &[(&str, Option<&str>)]) -> String {
    let given = pairs.iter().filter_map(|(name, value)| value.map(|value| format!("{name}={}", encode(value))));
    let text = given.collect::<Vec<_>>().join("&");
    if text.is_empty() { text } else { format!("?{text}") }
}
