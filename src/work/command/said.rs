//! What a command says of an attempt that has no result, because its exit code is not 0. What it has written to stdout is
//! looked at for this only then: of an attempt that ended with 0 it is the result, whatever is in it.
//!
//! ```json
//! {"$error": {"message": "no customer 17", "detail": "…", "retryable": false, "retry_after": "30s"}}
//! {"$snooze": "5m"}
//! ```
//! Of `$error` every member may be left out.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::task::{Millis, duration};

const ERROR: &str = "$error";
const SNOOZE: &str = "$snooze";

#[derive(Debug, PartialEq)]
pub(super) enum Said {
    /// What stdout has is not meant for us.
    Nothing,
    Error(Fault),
    /// Not now, but after so many milliseconds.
    Snooze(Millis),
    /// It is meant for us and cannot be understood: why not.
    Garbled(String),
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "an object")]
pub(super) struct Fault {
    pub(super) message: Option<String>,
    pub(super) detail: Option<String>,
    pub(super) retryable: Option<bool>,
    retry_after: Option<Value>,
}

impl Fault {
    /// When the next attempt is to be made, if that is said; `Err` says why it cannot be understood.
    pub(super) fn retry_after(&self) -> Result<Option<Millis>, String> {
        self.retry_after.as_ref().map(|written| time("retry_after", written)).transpose()
    }
}

pub(super) fn read(output: &[u8]) -> Said {
    let Ok(mut said) = serde_json::from_slice::<Map<String, Value>>(output) else { return Said::Nothing };
    let (error, snooze) = (said.remove(ERROR), said.remove(SNOOZE));
    match (error, snooze, said.is_empty()) {
        (None, None, _) => Said::Nothing,
        // Objects only: serde would take a list of the members' values, in order, for one.
        (Some(error @ Value::Object(_)), None, true) => match serde_json::from_value(error) {
            Ok(fault) => Said::Error(fault),
            Err(error) => Said::Garbled(format!("its {ERROR} cannot be understood: {error}")),
        },
        (Some(_), None, true) => Said::Garbled(format!("its {ERROR} is not an object")),
        (None, Some(written), true) => match time(SNOOZE, &written) {
            Ok(delay) => Said::Snooze(delay),
            Err(why) => Said::Garbled(why),
        },
        _ => Said::Garbled(format!("its output has more beside {ERROR} or {SNOOZE}, which stands alone")),
    }
}

pub(super) fn time(name: &str, written: &Value) -> Result<Millis, String> {
    let millis = match written {
        Value::String(text) => duration::parse(text),
        Value::Number(seconds) => seconds.as_f64().and_then(duration::from_seconds),
        _ => None,
    };
    millis.ok_or_else(|| format!("its {name} is {written}, not {}", duration::EXPECTED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_for_us_is_read() {
        assert_eq!(read(br#"  {"$snooze": "5m"}  "#), Said::Snooze(300_000));
        assert_eq!(read(br#"{"$snooze": 1.5}"#), Said::Snooze(1_500));
        assert_eq!(read(br#"{"$error": {}}"#), Said::Error(Fault::default()));
        let Said::Error(fault) = read(br#"{"$error": {"message": "m", "retryable": false, "retry_after": 30}}"#) else {
            panic!("no error");
        };
        assert_eq!((fault.message.as_deref(), fault.retryable), (Some("m"), Some(false)));
        assert_eq!(fault.retry_after(), Ok(Some(30_000)));
    }

    #[test]
    fn what_is_not_is_left_alone() {
        for output in
            ["", "null", "3", "oh no", "[{\"$snooze\": 1}]", r#"{"error": {}}"#, r#"{"$snooze": 1} {}"#, "\u{fffd}"]
        {
            assert_eq!(read(output.as_bytes()), Said::Nothing, "{output}");
        }
        assert_eq!(read(&[0xff, 0xfe]), Said::Nothing);
    }

    #[test]
    fn what_cannot_be_understood_says_why() {
        for (output, why) in [
            (r#"{"$error": "no"}"#, "not an object"),
            (r#"{"$error": ["m"]}"#, "not an object"),
            (r#"{"$error": {"retriable": true}}"#, "retriable"),
            (r#"{"$error": {"retryable": "no"}}"#, "boolean"),
            (r#"{"$error": {}, "result": 1}"#, "stands alone"),
            (r#"{"$error": {}, "$snooze": 1}"#, "stands alone"),
            (r#"{"$snooze": "soon"}"#, "\"soon\""),
            (r#"{"$snooze": -1}"#, "-1"),
            (r#"{"$snooze": null}"#, "null"),
        ] {
            let Said::Garbled(told) = read(output.as_bytes()) else { panic!("{output}") };
            assert!(told.contains(why), "{output}: {told}");
        }
        let Said::Error(fault) = read(br#"{"$error": {"retry_after": "later"}}"#) else { panic!("no error") };
        assert!(fault.retry_after().unwrap_err().contains("\"later\""));
    }
}
