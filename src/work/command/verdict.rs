//! What a command's end means.

use std::{io, os::unix::process::ExitStatusExt, process::ExitStatus};

use nix::sys::signal::Signal;
use serde::de::IgnoredAny;

use super::{
    CommandSpec,
    said::{self, Said},
};
use crate::task::{Again, ErrorKind, Outcome, TaskError, json};

/// All that is known of a command that has ended, except how.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// All of stdout, up to the limit.
    pub(super) output: Vec<u8>,
    /// The end of stderr.
    pub(super) log: Vec<u8>,
    /// It wrote more to stdout than it may and was killed for it.
    pub(super) too_long: bool,
    /// It was asked to end before it did.
    pub(super) asked: bool,
}

impl Ended {
    /// The outcome of the attempt.
    pub(super) fn outcome(mut self, status: io::Result<ExitStatus>, spec: &CommandSpec) -> Outcome {
        // While it was read, it could grow to twice that.
        self.log.drain(..self.log.len().saturating_sub(spec.stderr_limit));
        if self.too_long {
            return self.failure(ErrorKind::Output, format!("its output is longer than {} bytes", spec.output_limit));
        }
        match status {
            Err(error) => self.failure(ErrorKind::Exit, format!("cannot learn how it ended: {error}")),
            Ok(status) => match (status.code(), status.signal()) {
                (Some(0), _) => self.result(),
                (Some(code), _) => self.without_result(code, spec),
                (None, signal) => self.failure(ErrorKind::Signal, ended_by(signal.unwrap_or_default())),
            },
        }
    }

    fn result(mut self) -> Outcome {
        let text = match String::from_utf8(std::mem::take(&mut self.output)) {
            Ok(text) => text,
            Err(_) => return self.failure(ErrorKind::Output, "its output is not UTF-8".into()),
        };
        let text = text.trim_matches([' ', '\t', '\r', '\n']);
        if text.is_empty() {
            // Many programs exit with 0 when they are asked to end: that is no result.
            return match self.asked {
                true => self.failure(ErrorKind::Signal, "ended without a result when it was asked to end".into()),
                false => Outcome::Success("null".into()),
            };
        }
        if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
            return self.failure(ErrorKind::Output, format!("its output is not one JSON value: {error}"));
        }
        match json::check(text) {
            Ok(()) => Outcome::Success(text.into()),
            Err(fault) => self.failure(ErrorKind::Output, format!("its output {fault}")),
        }
    }

    /// The exit code says that it failed, and stdout may say more.
    fn without_result(&self, code: i32, spec: &CommandSpec) -> Outcome {
        let permanent = u8::try_from(code).is_ok_and(|code| spec.permanent_exit_codes.contains(&code));
        let by_code = if permanent { Again::Never } else { Again::ByPolicy };
        let error = self.error(ErrorKind::Exit, format!("exit code {code}"));
        match said::read(&self.output) {
            Said::Nothing => Outcome::Failure { error, again: by_code },
            Said::Garbled(why) => Outcome::Failure { error: error.with_note(why), again: by_code },
            Said::Snooze(delay) => Outcome::Snoozed(delay),
            Said::Error(fault) => told(error, &fault, by_code),
        }
    }

    /// A child that was to go on and did not.
    pub(super) fn without_answer(self, status: io::Result<ExitStatus>, spec: &CommandSpec) -> Outcome {
        match status {
            Ok(status) if status.success() => {
                self.failure(ErrorKind::Exit, "it ended (exit code 0) before it answered".into())
            }
            status => self.outcome(status, spec),
        }
    }

    pub(super) fn failure(&self, kind: ErrorKind, what: String) -> Outcome {
        Outcome::Failure { error: self.error(kind, what), again: Again::ByPolicy }
    }

    /// The last line of stderr says most; where an exit code is all there is to say, that line comes first.
    fn error(&self, kind: ErrorKind, what: String) -> TaskError {
        let log = String::from_utf8_lossy(&self.log);
        let log = log.trim_end();
        let last = log.lines().map(str::trim).rfind(|line| !line.is_empty());
        let message = match last {
            Some(line) if kind == ErrorKind::Exit => format!("{} ({what})", start(line, TaskError::MAX_MESSAGE - 100)),
            Some(line) if kind == ErrorKind::Signal => format!("{what}: {line}"),
            _ => what,
        };
        TaskError::new(kind, message).with_detail(end(log, TaskError::MAX_DETAIL))
    }
}

/// What the command says of its failure comes before what can be told from outside.
pub(super) fn told(mut error: TaskError, fault: &said::Fault, by_code: Again) -> Outcome {
    if let Some(message) = &fault.message {
        error = TaskError { detail: error.detail, ..TaskError::new(error.kind, message) };
    }
    if let Some(detail) = &fault.detail {
        error = error.with_detail(detail);
    }
    let again = match (fault.retryable, fault.retry_after()) {
        (Some(false), _) => Again::Never,
        (_, Ok(Some(delay))) => Again::After(delay),
        (Some(true), Ok(None)) => Again::ByPolicy,
        (None, Ok(None)) => by_code,
        (said, Err(why)) => {
            error = error.with_note(format!("{why}: the retry policy decides"));
            if said.is_none() { by_code } else { Again::ByPolicy }
        }
    };
    Outcome::Failure { error, again }
}

fn ended_by(signal: i32) -> String {
    match Signal::try_from(signal) {
        Ok(name) => format!("ended by signal {signal} ({name})"),
        Err(_) => format!("ended by signal {signal}"),
    }
}

fn start(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

fn end(text: &str, max: usize) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(max))..]
}
