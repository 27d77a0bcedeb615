//! `jobqueue doctor`: what is wrong with a set-up, why it matters and what to do about it.
//!
//! Each file looks at one part and returns what it found; nothing is changed, and what is tried out is taken back. A
//! further store is a further file beside `database.rs`, chosen by what the configuration names.

mod clock;
mod configuration;
mod database;
mod handlers;
mod machine;
mod network;
mod storage;

use crate::config::{Config, Sources};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Ok,
    /// It works, but somebody should look.
    Warning,
    /// The server does not start, or does not do what it is there for.
    Error,
}

impl Verdict {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What was looked at: stable, for programs.
    pub check: &'static str,
    pub verdict: Verdict,
    pub what: String,
    /// Empty where all is well.
    pub why: String,
    pub fix: String,
}

impl Finding {
    fn ok(check: &'static str, what: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Ok, what: what.into(), why: String::new(), fix: String::new() }
    }

    fn warning(check: &'static str, what: impl Into<String>, why: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Warning, what: what.into(), why: why.into(), fix: fix.into() }
    }

    fn error(check: &'static str, what: impl Into<String>, why: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Error, what: what.into(), why: why.into(), fix: fix.into() }
    }
}

/// Looks at everything that a server of this configuration would meet.
pub fn examine(sources: &Sources) -> Vec<Finding> {
    let (config, faults) = Config::examine(sources);
    // Whether a server runs already explains a port that is taken and a database that is held.
    let running = network::server_of(&config);
    let mut findings = configuration::examine(&config, &faults);
    findings.extend(network::examine(&config, running));
    findings.extend(storage::examine(&config));
    findings.extend(database::examine(&config, running));
    findings.extend(handlers::examine(&config, sources));
    findings.extend(machine::examine(&config));
    findings.extend(clock::examine(&config));
    findings
}
