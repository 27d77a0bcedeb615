//! A record as one line.

use std::fmt::{self, Write as _};

use env_logger::fmt::style::Style;
use jiff::Timestamp;
use log::{
    Record,
    kv::{Key, Value, VisitSource},
};

/// Names of the line itself; a key-value of the same name is written as `field.NAME`.
const RESERVED: [&str; 4] = ["ts", "level", "target", "msg"];

/// One JSON object: `ts` (RFC 3339 UTC, milliseconds), `level`, `target`, `msg`, then the key-values with their types.
pub(super) fn json(record: &Record<'_>, now: Timestamp) -> String {
    let mut line = String::with_capacity(256);
    // Writing to a String cannot fail.
    let _ = write!(line, r#"{{"ts":"{now:.3}","level":"{}","target":"#, level(record.level()));
    push_string(&mut line, record.target());
    line.push_str(r#","msg":"#);
    push_string(&mut line, &record.args().to_string());
    let _ = record.key_values().visit(&mut JsonPairs(&mut line));
    line.push_str("}\n");
    line
}

/// `2026-01-31T12:00:00.000Z INFO  target: message key=value`. Further lines of a message are indented, so that a line
/// that starts with a time is always the start of a record.
pub(super) fn text(record: &Record<'_>, now: Timestamp, style: Option<Style>) -> String {
    let style = style.unwrap_or_default();
    let mut line = String::with_capacity(160);
    let name = level(record.level()).to_ascii_uppercase();
    let _ = write!(line, "{now:.3} {style}{name:<5}{style:#} {}: ", Plain(record.target()));
    for (number, part) in record.args().to_string().lines().enumerate() {
        let _ = write!(line, "{}{}", if number == 0 { "" } else { "\n    " }, Plain(part));
    }
    let _ = record.key_values().visit(&mut TextPairs(&mut line));
    line.push('\n');
    line
}

const fn level(level: log::Level) -> &'static str {
    match level {
        log::Level::Error => "error",
        log::Level::Warn => "warn",
        log::Level::Info => "info",
        log::Level::Debug => "debug",
        log::Level::Trace => "trace",
    }
}

struct JsonPairs<'a>(&'a mut String);

impl<'kvs> VisitSource<'kvs> for JsonPairs<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), log::kv::Error> {
        self.0.push(',');
        if RESERVED.contains(&key.as_str()) {
            push_string(self.0, &format!("field.{key}"));
        } else {
            push_string(self.0, key.as_str());
        }
        self.0.push(':');
        match serde_json::to_string(&value) {
            Ok(json) => push_escaped(self.0, &json),
            Err(_) => push_string(self.0, &value.to_string()),
        }
        Ok(())
    }
}

struct TextPairs<'a>(&'a mut String);

impl<'kvs> VisitSource<'kvs> for TextPairs<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), log::kv::Error> {
        let value = value.to_string();
        let plain = !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || c.is_control() || c == '"');
        let _ = if plain {
            write!(self.0, " {}={value}", Plain(key.as_str()))
        } else {
            write!(self.0, " {}={value:?}", Plain(key.as_str()))
        };
        Ok(())
    }
}

/// Text whose control characters are written out: a message must not be able to command the reader's terminal.
struct Plain<'a>(&'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| {
            if c.is_control() && c != '\t' { write!(f, "{}", c.escape_unicode()) } else { f.write_char(c) }
        })
    }
}

fn push_string(line: &mut String, text: &str) {
    match serde_json::to_string(text) {
        Ok(json) => push_escaped(line, &json),
        Err(_) => line.push_str("null"),
    }
}

/// JSON leaves some characters alone that a terminal obeys or that some readers take for the end of a line.
fn push_escaped(line: &mut String, json: &str) {
    for c in json.chars() {
        if matches!(c, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}') {
            let _ = write!(line, "\\u{:04x}", c as u32);
        } else {
            line.push(c);
        }
    }
}
