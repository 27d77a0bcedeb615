//! Durations as people write them: `"250ms"`, `"30s"`, `"5m"`, `"1h"`, `"7d"`, or a number of seconds.

use serde::{Deserialize, Deserializer};

use super::Millis;

/// What is accepted, for error messages.
pub const EXPECTED: &str = "a duration such as \"250ms\", \"30s\", \"5m\", \"1h\" or \"7d\", or a number of seconds";

/// Milliseconds, or `None` where the text is no duration or is negative, not finite or too large to add to a time.
pub fn parse(text: &str) -> Option<Millis> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale = match unit.trim_start() {
        "ms" => 1.0,
        "s" | "" => 1_000.0,
        "m" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        _ => return None,
    };
    from_float(number.parse::<f64>().ok()? * scale)
}

/// Milliseconds from a number of seconds.
pub fn from_seconds(seconds: f64) -> Option<Millis> {
    from_float(seconds * 1_000.0)
}

fn from_float(millis: f64) -> Option<Millis> {
    // 10^14 ms are three thousand years: beyond that a sum with the present time could leave the calendar.
    (millis.is_finite() && (0.0..=1e14).contains(&millis)).then(|| millis.round() as Millis)
}

/// The shortest exact text: `1500` → `"1500ms"`, `90000` → `"90s"`, `3600000` → `"1h"`.
pub fn to_text(millis: Millis) -> String {
    for (scale, unit) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")] {
        if millis != 0 && millis % scale == 0 {
            return format!("{}{unit}", millis / scale);
        }
    }
    if millis == 0 { "0s".into() } else { format!("{millis}ms") }
}

/// A duration field: text or a number of seconds.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a duration such as \"250ms\", \"30s\", \"5m\", \"1h\" or \"7d\", or a number of seconds"
)]
enum Written {
    Seconds(f64),
    Text(String),
}

/// Reads a duration in any of its forms, as milliseconds.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Millis, D::Error> {
    let millis = match Written::deserialize(deserializer)? {
        Written::Seconds(seconds) => from_seconds(seconds),
        Written::Text(text) => parse(&text),
    };
    millis.ok_or_else(|| serde::de::Error::custom(format_args!("expected {EXPECTED}, not negative")))
}

/// Reads an optional duration; `null` is `None`.
pub fn deserialize_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Millis>, D::Error> {
    #[derive(Deserialize)]
    struct Wrapped(#[serde(deserialize_with = "deserialize")] Millis);
    Ok(Option::<Wrapped>::deserialize(deserializer)?.map(|wrapped| wrapped.0))
}

/// `#[serde(with = …)]`: written as the shortest text, read in any form.
pub mod as_text {
    pub use super::deserialize;
    use super::{Millis, to_text};

    pub fn serialize<S: serde::Serializer>(millis: &Millis, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&to_text(*millis))
    }
}
