//! Errors as RFC 9457 problem documents: one shape for everything that goes wrong.

use std::fmt;

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{code::Code, edge};
use crate::task::TaskId;

/// What is wrong with one part of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Fault {
    /// Where in the body, as a JSON pointer (RFC 6901).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pointer: Option<String>,
    /// Which query parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parameter: Option<String>,
    /// Which header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) header: Option<String>,
    pub(super) detail: String,
}

impl Fault {
    pub(super) fn at(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: Some(pointer.into()), detail: detail.into(), ..Self::default() }
    }

    pub(super) fn parameter(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { parameter: Some(name.into()), detail: detail.into(), ..Self::default() }
    }

    pub(super) fn header(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { header: Some(name.into()), detail: detail.into(), ..Self::default() }
    }
}

/// The document, as sent.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemBody<'a> {
    /// A link, relative to the server, to what this code means.
    #[serde(rename = "type")]
    kind: String,
    title: String,
    status: u16,
    detail: &'a str,
    /// The path of the request.
    instance: &'a str,
    code: Code,
    /// The same as in the header `X-Request-Id`.
    request_id: &'a str,
    /// Each part of the request that is wrong.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Fault],
    /// The task in the way, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    task_id: Option<TaskId>,
}

/// An error on its way out. The request's path and id are added at the edge.
#[derive(Debug)]
pub(super) struct Problem(Box<Inner>);

#[derive(Debug)]
struct Inner {
    status: StatusCode,
    code: Code,
    detail: String,
    errors: Vec<Fault>,
    headers: Vec<(HeaderName, HeaderValue)>,
    task_id: Option<TaskId>,
    /// The rest of the request is not read: nothing else can follow on this connection.
    close: bool,
    /// Path and request id, where no edge comes after.
    context: Option<(String, String)>,
}

impl Problem {
    pub(super) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            status: code.status(),
            code,
            detail: detail.into(),
            errors: Vec::new(),
            headers: Vec::new(),
            task_id: None,
            close: false,
            context: None,
        }))
    }

    /// For these faults; the first one is the detail.
    pub(super) fn invalid(code: Code, errors: Vec<Fault>) -> Self {
        let detail = errors.first().map(|fault| fault.detail.clone()).unwrap_or_default();
        let mut problem = Self::new(code, detail);
        problem.0.errors = errors;
        problem
    }

    /// An error of the framework's own.
    pub(super) fn refused(status: StatusCode, detail: impl Into<String>) -> Self {
        let mut problem = Self::new(Code::Refused, detail);
        problem.0.status = status;
        problem
    }

    /// The same request may succeed after `seconds`.
    pub(super) fn later(code: Code, detail: impl Into<String>, seconds: u64) -> Self {
        Self::new(code, detail).with(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// A defect of ours. What it was is in the log, under the request's id.
    pub(super) fn internal() -> Self {
        let detail = "The server could not do this. The log has more under the request id.";
        Self::new(Code::Internal, detail)
    }

    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    pub(super) fn closing(mut self) -> Self {
        self.0.close = true;
        self
    }

    pub(super) fn about(mut self, task: TaskId) -> Self {
        self.0.task_id = Some(task);
        self
    }

    pub(super) fn in_context(mut self, path: &str, request_id: &str) -> Self {
        self.0.context = Some((path.to_owned(), request_id.to_owned()));
        self
    }

    /// The same, of a body that is a part of the request's: `prefix` goes before each pointer.
    pub(super) fn under(mut self, prefix: &str) -> Self {
        for fault in &mut self.0.errors {
            fault.pointer = fault.pointer.take().map(|pointer| format!("{prefix}{pointer}"));
        }
        self
    }

    pub(super) fn status(&self) -> StatusCode {
        self.0.status
    }

    pub(super) fn code(&self) -> Code {
        self.0.code
    }

    pub(super) fn detail(&self) -> &str {
        &self.0.detail
    }

    pub(super) fn errors(&self) -> &[Fault] {
        &self.0.errors
    }

    pub(super) fn task_id(&self) -> Option<TaskId> {
        self.0.task_id
    }

    /// The response for a request of this path and id.
    pub(super) fn render(&self, path: &str, request_id: &str) -> HttpResponse {
        let inner = &*self.0;
        let body = ProblemBody {
            kind: format!("/docs/errors#{}", inner.code.name()),
            title: title(inner.code.name()),
            status: inner.status.as_u16(),
            detail: &inner.detail,
            instance: path,
            code: inner.code,
            request_id,
            errors: &inner.errors,
            task_id: inner.task_id,
        };
        let mut response = HttpResponse::build(inner.status);
        response.content_type("application/problem+json");
        for header in &inner.headers {
            response.append_header(header.clone());
        }
        if inner.close {
            response.force_close();
        }
        response.body(serde_json::to_vec(&body).unwrap_or_default())
    }
}

/// `unknown_field` → `Unknown field`.
fn title(code: &str) -> String {
    let mut title = code.replace('_', " ");
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    title
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.name(), self.0.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.0.status
    }

    fn error_response(&self) -> HttpResponse {
        let (path, id) = self.0.context.as_ref().map_or(("", ""), |(path, id)| (path, id));
        let mut response = self.render(path, id);
        edge::dress(response.headers_mut(), id);
        response
    }
}
