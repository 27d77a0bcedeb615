//! Where a value came from, and what is wrong with it.

use std::{fmt, path::PathBuf};

use super::Setting;

/// The layer a value was taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Default,
    File {
        path: PathBuf,
        /// 1 = the first.
        line: usize,
    },
    /// The variable's name.
    Environment(String),
    /// A file named by a variable that ends in `_FILE`.
    SecretFile {
        variable: String,
        path: PathBuf,
    },
    /// The flag, with its dashes.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::SecretFile { variable, path } => write!(f, "environment {variable} ({})", path.display()),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

impl Origin {
    /// The place as people would write the value there, for messages: `API_PORT=70000`, `--port 70000`,
    /// `jobqueue.toml:3: api.port = 70000`. Secrets are masked by the caller.
    pub(super) fn place(&self, setting: &str, value: &str) -> String {
        match self {
            Self::Default => format!("{setting} (default)"),
            Self::File { path, line } => format!("{}:{line}: {setting} = {value}", path.display()),
            Self::Environment(name) => format!("{name}={value}"),
            Self::SecretFile { variable, path } => format!("{variable}={}", path.display()),
            Self::Flag(flag) => format!("{flag} {value}"),
        }
    }
}

/// One setting as it holds: a line of `config show`.
#[derive(Debug, Clone)]
pub struct Entry {
    pub setting: &'static Setting,
    /// As written; `***` for a secret that is set.
    pub value: String,
    pub origin: Origin,
}

/// One thing that is wrong: one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// File and line, variable or flag, with the value.
    pub place: String,
    /// What is wrong and what would be right.
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}

/// Everything that is wrong with a configuration: one line per fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(.faults))]
pub struct ConfigError {
    pub faults: Vec<Fault>,
}

fn lines(faults: &[Fault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// A text that must not be printed: its `Debug` form hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
