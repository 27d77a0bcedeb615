//! How a command fails: a sentence and an exit code.

use std::io;

use crate::{client, config::ConfigError};

/// Why a command did not do what it was asked to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    code: u8,
    /// Empty where everything has been said.
    message: String,
}

impl Failure {
    /// It was tried and failed: exit code 1.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { code: 1, message: message.into() }
    }

    /// It was asked for in a way that cannot be right (arguments, environment, file): exit code 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { code: 2, message: message.into() }
    }

    /// There is no such thing: exit code 3.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self { code: 3, message: message.into() }
    }

    /// The server, or the database, cannot be reached: exit code 4.
    pub fn unreachable(message: impl Into<String>) -> Self {
        Self { code: 4, message: message.into() }
    }

    /// Ends without a word.
    pub(super) const fn silent(code: u8) -> Self {
        Self { code, message: String::new() }
    }

    /// The process' exit code.
    pub const fn code(&self) -> u8 {
        self.code
    }

    /// The sentence; empty where everything has been said.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl From<client::Error> for Failure {
    fn from(error: client::Error) -> Self {
        let message = error.to_string();
        match error {
            client::Error::Url { .. } | client::Error::Key(_) => Self::usage(message),
            error if error.is_not_found() => Self::not_found(message),
            error if error.is_unreachable() => Self::unreachable(message),
            _ => Self::failed(message),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // `jobqueue list | head`: the reader has what it wanted.
            io::ErrorKind::BrokenPipe => Self::silent(0),
            _ => Self::failed(format!("cannot write the output: {error}")),
        }
    }
}
