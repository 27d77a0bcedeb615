//! What can go wrong between a client and a server.

use std::{fmt, io, time::Duration};

use serde::Deserialize;

/// Why a call failed. The texts say what happened, to which server, and what helps.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server's address cannot be used.
    #[error("{url:?} cannot be used as the server's address: {why}")]
    Url { url: String, why: &'static str },
    /// The API key or the idempotency key cannot be sent.
    #[error("the {0} contains characters that no HTTP header can carry")]
    Key(&'static str),
    /// The arguments cannot be written as JSON.
    #[error("cannot be written as JSON: {0}")]
    Encode(#[from] serde_json::Error),
    /// No connection.
    #[error(
        "cannot reach the server at {url}: {}. Start it with `jobqueue serve`, or name another with --url or \
         JOBQUEUE_URL",
        cause(.source)
    )]
    Unreachable { url: String, source: io::Error },
    /// No answer in time. Whether the request was carried out is unknown.
    #[error(
        "the server at {url} did not answer within {} s; whether the request was carried out is unknown",
        .after.as_secs_f64()
    )]
    Timeout { url: String, after: Duration },
    /// The connection ended before the answer. Whether the request was carried out is unknown.
    #[error(
        "the connection to {url} broke before the answer ({cause}); whether the request was carried out is unknown"
    )]
    Broken { url: String, cause: String },
    /// The server refused the request and said why.
    #[error("{0}")]
    Api(Box<Problem>),
    /// Something answered that does not behave as a jobqueue server.
    #[error("{url} does not answer like a jobqueue server: {what}. Check the address (--url, JOBQUEUE_URL)")]
    Unexpected { url: String, what: String },
}

impl Error {
    /// The server says that there is no such thing.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Api(problem) if problem.status == 404)
    }

    /// There was no answer from a server: another try may find it.
    pub const fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Timeout { .. } | Self::Broken { .. })
    }

    /// The problem the server described, if it did.
    pub const fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Api(problem) => Some(problem),
            _ => None,
        }
    }
}

/// `connection refused`, without the number of the operating system's error.
fn cause(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

/// An RFC 9457 problem.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Problem {
    /// The HTTP status.
    #[serde(default)]
    pub status: u16,
    /// Stable, for programs.
    #[serde(default)]
    pub code: String,
    #[serde(default)]
    pub title: String,
    /// One sentence about this occurrence.
    #[serde(default)]
    pub detail: String,
    #[serde(default)]
    pub request_id: Option<String>,
    /// What is wrong with single fields.
    #[serde(default)]
    pub errors: Vec<FieldProblem>,
}

/// What is wrong with one field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct FieldProblem {
    /// A JSON pointer, such as `/args`; of a query its parameter.
    #[serde(default, alias = "field", alias = "parameter")]
    pub pointer: String,
    #[serde(default, alias = "message")]
    pub detail: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if self.detail.is_empty() { &self.title } else { &self.detail };
        write!(f, "{} (HTTP {}", if text.is_empty() { "the server refused the request" } else { text }, self.status)?;
        if !self.code.is_empty() {
            write!(f, ", {}", self.code)?;
        }
        f.write_str(")")?;
        self.errors.iter().try_for_each(|error| match error.pointer.as_str() {
            "" if error.detail == *text => Ok(()), // it is about the whole, and has been said
            "" => write!(f, "; {}", error.detail),
            pointer => write!(f, "; {pointer}: {}", error.detail),
        })
    }
}
