//! Cron patterns: five fields, or six with seconds in front. Whether a local time matches, and the next one that does.

use std::cmp::Ordering;

use croner::{
    CivilDate, CivilDateTime, CivilTime, Cron, CronDateTime, Resolution, Weekday,
    errors::CronError,
    parser::{CronParser, Seconds, Year},
};
use jiff::civil::DateTime;

/// Longest text: a list of every minute has 169 characters.
const MAX_TEXT: usize = 256;
/// A pattern that matches nothing until then never does: the search for it ends there. Leap days come after eight years at most,
/// those on one day of the week after forty.
const YEARS: &str = "1970-2199";
const LAST_YEAR: i32 = 2199;
const FIELDS: [&str; 6] = ["second", "minute", "hour", "day of month", "month", "day of week"];

/// A pattern that matches at least once.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    cron: Cron,
    /// It is written with a `*` for seconds, minutes or hours: it follows the clock, whatever that shows. One without is
    /// meant once for each time it names.
    pub(super) follows_clock: bool,
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.len() > MAX_TEXT {
            return Err(format!("has at most {MAX_TEXT} characters"));
        }
        let plain = match text.to_ascii_lowercase().as_str() {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            _ => text,
        };
        let mut fields: Vec<&str> = plain.split_ascii_whitespace().collect();
        match fields.len() {
            5 => fields.insert(0, "0"),
            6 => {}
            n => {
                return Err(format!(
                    "has {n} fields; expected five (minute, hour, day of month, month, day of week), or six with seconds \
                     in front, or @hourly, @daily, @weekly, @monthly, @yearly"
                ));
            }
        }
        for (index, field) in fields.iter().enumerate() {
            check_characters(index, field)?;
        }
        let follows_clock = fields[..3].iter().any(|field| field.contains('*'));
        // As in cron: where neither has a `*`, either of the days will do.
        let both_days = fields[3].contains('*') || fields[5].contains('*');
        fields.push(YEARS);
        let parser =
            CronParser::builder().seconds(Seconds::Required).year(Year::Required).dom_and_dow(both_days).build();
        let cron = parser.parse(&fields.join(" ")).map_err(|error| explained(&fields, &error))?;
        let pattern = Self { cron, follows_clock };
        if pattern.next_local(DateTime::constant(2000, 1, 1, 0, 0, 0, 0), true).is_none() {
            return Err("matches no time: there is no such day".into());
        }
        Ok(pattern)
    }

    /// The first local time from this one on, or after it, that matches.
    pub(super) fn next_local(&self, from: DateTime, inclusive: bool) -> Option<DateTime> {
        let found = self.cron.find_next_occurrence(&Local(from), inclusive).ok()?;
        (i32::from(found.0.year()) <= LAST_YEAR).then_some(found.0)
    }
}

/// The parser takes letters anywhere, and more signs than are meant here.
fn check_characters(index: usize, field: &str) -> Result<(), String> {
    let named = matches!(index, 4 | 5);
    let special: &[char] = match index {
        3 => &['L', 'W', 'l', 'w', '?'],
        5 => &['L', 'l', '#', '?'],
        _ => &[],
    };
    let allowed = |c: char| {
        c.is_ascii_digit()
            || matches!(c, '*' | ',' | '-' | '/')
            || special.contains(&c)
            || (named && c.is_ascii_alphabetic())
    };
    match field.chars().find(|c| !allowed(*c)) {
        Some(c) => Err(format!("the {} field cannot contain {c:?}", FIELDS[index])),
        None if index == 5 && field.split(',').any(|day| day.eq_ignore_ascii_case("L")) => {
            Err("an L alone is no day of week: the last Friday of a month is \"FRI#L\" or \"5L\"".into())
        }
        None if field.split(',').any(str::is_empty) => {
            Err(format!("the {} field {field:?} has a list with nothing between its commas", FIELDS[index]))
        }
        None => Ok(()),
    }
}

/// The parser does not say which field it means: each is tried by itself.
fn explained(fields: &[&str], error: &CronError) -> String {
    let alone = |index: usize| {
        let mut parts = ["0", "0", "0", "1", "1", "*", YEARS];
        parts[index] = fields[index];
        let parser = CronParser::builder().seconds(Seconds::Required).year(Year::Required).build();
        parser.parse(&parts.join(" ")).err()
    };
    const RANGES: [&str; 6] = ["0-59", "0-59", "0-23", "1-31", "1-12 or JAN-DEC", "0-7 or SUN-SAT"];
    let found = (0..FIELDS.len()).find(|index| alone(*index).is_some());
    match found {
        Some(index) => format!(
            "the {} field {:?} is not possible: expected numbers of {}, lists (1,2), ranges (1-5) and steps (*/5)",
            FIELDS[index], fields[index], RANGES[index]
        ),
        None => format!("is no cron pattern: {error}"),
    }
}

/// A local time of no zone: the summer time is dealt with elsewhere.
#[derive(Debug, Clone, Copy)]
struct Local(DateTime);

impl CronDateTime for Local {
    fn to_civil(&self) -> CivilDateTime {
        let part = |n: i8| u32::from(n.unsigned_abs());
        let date = CivilDate::from_parts_unchecked(self.0.year().into(), part(self.0.month()), part(self.0.day()));
        let time = CivilTime::from_parts_unchecked(part(self.0.hour()), part(self.0.minute()), part(self.0.second()));
        CivilDateTime::new(date, time)
    }

    fn civil_weekday(&self) -> Weekday {
        Weekday::from_days_from_sunday(u32::from(self.0.weekday().to_sunday_zero_offset().unsigned_abs()))
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let part = |n: u32| i8::try_from(n).map_err(|_| CronError::InvalidDate);
        let year = i16::try_from(civil.year()).map_err(|_| CronError::InvalidDate)?;
        let (month, day) = (part(civil.month())?, part(civil.day())?);
        let (hour, minute, second) = (part(civil.hour())?, part(civil.minute())?, part(civil.second())?);
        let time = DateTime::new(year, month, day, hour, minute, second, 0).map_err(|_| CronError::InvalidDate)?;
        Ok(Resolution::Single(Self(time)))
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        self.0.checked_add(jiff::SignedDuration::from_secs(seconds)).ok().map(Self)
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}
