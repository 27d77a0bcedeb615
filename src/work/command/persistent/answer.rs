//! What a child says in a line.
//!
//! ```json
//! {"id": "…", "result": {"sum": 3}}
//! {"id": "…", "error": {"message": "no customer 17", "detail": "…", "retryable": false, "retry_after": "30s"}}
//! {"id": "…", "snooze": "5m"}
//! ```
//! and before that, as often as it likes, how far it has come, a line of its log, or that it lives:
//! ```json
//! {"id": "…", "progress": {"percent": 40, "message": "page 4 of 10"}}
//! {"id": "…", "log": {"level": "warn", "message": "page 3 is empty"}}
//! {"id": "…", "heartbeat": true}
//! ```

use serde::{Deserialize, Deserializer};
use serde_json::{Value, value::RawValue};

use crate::{
    task::{LogLevel, Millis, Progress, TaskId, json},
    work::{
        Notes,
        command::said::{self, Fault},
    },
};

/// An answer to the task in flight.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    Result(String),
    Error(Fault),
    Snooze(Millis),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Written<'a> {
    id: String,
    #[serde(borrow, default, deserialize_with = "given")]
    result: Option<&'a RawValue>,
    error: Option<Fault>,
    snooze: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoteWritten<'a> {
    #[serde(borrow)]
    id: std::borrow::Cow<'a, str>,
    progress: Option<ProgressWritten>,
    log: Option<LineWritten>,
    heartbeat: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProgressWritten {
    percent: Option<f64>,
    message: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LineWritten {
    #[serde(default)]
    level: LogLevel,
    message: String,
}

/// Whether the line is none that ends the attempt, but says something of it; it is noted.
pub(super) fn is_note(line: &[u8], task: TaskId, notes: &dyn Notes) -> bool {
    let Ok(written) = serde_json::from_slice::<NoteWritten<'_>>(line) else { return false };
    if written.id != task.to_string() {
        return false;
    }
    match written {
        NoteWritten { progress: Some(said), log: None, heartbeat: None, .. } => {
            notes.progress(Progress::new(said.percent, said.message.as_deref()));
            true
        }
        NoteWritten { progress: None, log: Some(said), heartbeat: None, .. } => {
            notes.log(said.level, &said.message);
            true
        }
        NoteWritten { progress: None, log: None, heartbeat: Some(true), .. } => true,
        _ => false,
    }
}

/// Null is a result.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// `Err` says what is wrong with the line.
pub(super) fn read(line: &[u8], task: TaskId) -> Result<Answer, String> {
    let text = std::str::from_utf8(line).map_err(|_| "its line is not UTF-8".to_owned())?;
    let written: Written<'_> = serde_json::from_str(text).map_err(|error| {
        let begin: String = text.chars().take(80).collect();
        format!("its line is not an answer: {error}; the line begins with {begin:?}")
    })?;
    if written.id != task.to_string() {
        let begin: String = written.id.chars().take(80).collect();
        return Err(format!("it answered for {begin:?}, which is not the task that it was given"));
    }
    match written {
        Written { result: Some(result), error: None, snooze: None, .. } => match json::check(result.get()) {
            Ok(()) => Ok(Answer::Result(result.get().to_owned())),
            Err(fault) => Err(format!("its result {fault}")),
        },
        Written { result: None, error: Some(error), snooze: None, .. } => Ok(Answer::Error(error)),
        Written { result: None, error: None, snooze: Some(snooze), .. } => {
            said::time("snooze", &snooze).map(Answer::Snooze)
        }
        _ => Err("its line has none, or more than one, of result, error and snooze".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rest: &str) -> Result<Answer, String> {
        let task = TaskId::new();
        read(format!(r#"{{"id":"{task}"{rest}}}"#).as_bytes(), task)
    }

    #[test]
    fn an_answer_is_one_of_three() {
        assert_eq!(of(r#","result":null"#), Ok(Answer::Result("null".into())));
        assert_eq!(of(r#","result": {"a" : [1]} "#), Ok(Answer::Result(r#"{"a" : [1]}"#.into())));
        assert_eq!(of(r#","snooze":"5m""#), Ok(Answer::Snooze(300_000)));
        assert_eq!(of(r#","error":{}"#), Ok(Answer::Error(Fault::default())));
    }

    #[test]
    fn what_is_no_answer_is_told() {
        let deep = format!(r#","result":{}{}"#, "[".repeat(65), "]".repeat(65));
        for (rest, told) in [
            ("", "none, or more than one"),
            (r#","result":1,"snooze":1"#, "none, or more than one"),
            (r#","result":1,"status":"ok""#, "unknown field `status`"),
            (r#","snooze":-1"#, "its snooze is -1"),
            (r#","error":"boom""#, "invalid type"),
            (r#","result":"\u0000""#, "U+0000"),
            (&deep, "deeper"),
        ] {
            let found = of(rest).unwrap_err();
            assert!(found.contains(told), "{rest}: {found}");
        }
        let task = TaskId::new();
        for (line, told) in [
            (&b"\xff"[..], "not UTF-8"),
            (b"hello", "begins with \"hello\""),
            (b"[1]", "not an answer"),
            (br#"{"result":1}"#, "missing field `id`"),
            (br#"{"id":"7","result":1}"#, "answered for \"7\""),
        ] {
            let found = read(line, task).unwrap_err();
            assert!(found.contains(told), "{found}");
        }
    }
}
