//! Values of flags: parsed, and JSON read from wherever the flag says.

use std::{fs, time::Duration};

use serde_json::value::RawValue;

use super::{Failure, terminal::Terminal};
use crate::task::{Priority, Status, duration, json, name};

/// A duration in any of the accepted forms.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let millis = duration::parse(text).and_then(|millis| u64::try_from(millis).ok());
    millis.map(Duration::from_millis).ok_or_else(|| format!("expected {}", duration::EXPECTED))
}

/// A time limit; `None`: none. A type of its own, because clap reads nested options its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit(pub(super) Option<Duration>);

pub(super) fn limit(text: &str) -> Result<Limit, String> {
    if text == "none" {
        return Ok(Limit(None));
    }
    match time(text) {
        Ok(time) if !time.is_zero() => Ok(Limit(Some(time))),
        _ => Err(format!("expected {}, more than 0, or \"none\" for no limit", duration::EXPECTED)),
    }
}

pub(super) fn priority(text: &str) -> Result<Priority, String> {
    Priority::parse_word(text)
        .or_else(|| text.parse().ok().and_then(Priority::new))
        .ok_or_else(|| "expected high, medium, low, or 0 (last) to 9 (first)".into())
}

pub(super) fn status(text: &str) -> Result<Status, String> {
    Status::parse(text).ok_or_else(|| {
        let all: Vec<&str> = Status::ALL.iter().map(|status| status.as_str()).collect();
        format!("expected one of {}", all.join(", "))
    })
}

pub(super) fn moment(text: &str) -> Result<jiff::Timestamp, String> {
    text.parse().map_err(|_| "expected a time with its zone, such as 2026-01-31T12:00:00Z or …+01:00".into())
}

pub(super) fn task_name(text: &str) -> Result<String, String> {
    name::task(text).map(|()| text.to_owned()).map_err(|fault| fault.to_string())
}

pub(super) fn queue_name(text: &str) -> Result<String, String> {
    name::queue(text).map(|()| text.to_owned()).map_err(|fault| fault.to_string())
}

/// What a worker must bear.
pub(super) fn label(text: &str) -> Result<String, String> {
    name::label(text).map(|()| text.to_owned()).map_err(|fault| fault.to_string())
}

/// A key by which tasks share a queue.
pub(super) fn key(text: &str) -> Result<String, String> {
    name::free(text, 256, "a key").map(|()| text.to_owned()).map_err(|fault| fault.to_string())
}

/// What a JSON flag must hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Array,
    Object,
}

/// The JSON given with a flag: the text itself, `@file`, or `-` for standard input. Kept byte for byte, checked before
/// anything is sent.
pub(super) fn json(
    flag: &str,
    given: &str,
    shape: Shape,
    terminal: &mut Terminal<'_>,
) -> Result<Box<RawValue>, Failure> {
    let text = read(flag, given, terminal)?;
    let (first, wanted, example) = match shape {
        Shape::Array => ('[', "a JSON array", "'[1, \"two\"]'"),
        Shape::Object => ('{', "a JSON object", "'{\"key\": 1}'"),
    };
    let value = RawValue::from_string(text.trim().to_owned()).map_err(|fault| {
        Failure::usage(format!("{flag} is not valid JSON: {fault}. Quote it for the shell: {flag} {example}"))
    })?;
    json::check(value.get()).map_err(|fault| Failure::usage(format!("{flag} cannot be sent: it {fault}")))?;
    if value.get().starts_with(first) {
        Ok(value)
    } else {
        Err(Failure::usage(format!("{flag} is not {wanted}; for example {flag} {example}")))
    }
}

fn read(flag: &str, given: &str, terminal: &mut Terminal<'_>) -> Result<String, Failure> {
    let unreadable = |what: &str, error| Failure::usage(format!("{flag}: cannot read {what}: {error}"));
    if given == "-" {
        let mut text = String::new();
        terminal.input.read_to_string(&mut text).map_err(|error| unreadable("standard input", error))?;
        return Ok(text);
    }
    match given.strip_prefix('@') {
        Some(path) => fs::read_to_string(path).map_err(|error| unreadable(path, error)),
        None => Ok(given.to_owned()),
    }
}
