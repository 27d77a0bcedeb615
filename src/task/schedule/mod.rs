//! Schedules: when they tick, and which of those that are due are made.
//!
//! A schedule ticks by a `cron` pattern in a time zone, or `every` so often. Nothing in here knows what time it is.

mod cron;
mod plan;
mod template;
#[cfg(test)]
mod tests;
mod ticks;
mod unique;

pub use plan::{GRACE, MOST_CAUGHT_UP, Plan};
pub use template::{Meta, Template, TemplateFault};
pub use ticks::Ticks;
pub use unique::{UniqueRule, UniqueSettings};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Millis, duration, name};
use cron::Pattern;

/// Shortest and longest time between two ticks of `every`.
pub const EVERY: std::ops::RangeInclusive<Millis> = 1_000..=366 * 86_400_000;
pub const MAX_JITTER: Millis = 86_400_000;
/// The zone of a schedule that names none.
pub const UTC: &str = "UTC";
/// The first would be in the way of `/schedules/preview`; the others never arrive: clients take them out of a path.
const RESERVED: [&str; 3] = ["preview", ".", ".."];

/// Names in a database of zones that say where the machine is, or that nobody has said.
const OF_THE_MACHINE: [&str; 3] = ["localtime", "posixrules", "Factory"];

/// What happens to ticks that nobody was there to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// They are left out.
    Skip,
    /// The last of them is made, for all of them.
    #[default]
    One,
    /// The last thousand of them are made.
    All,
}

/// What happens to a tick while the task of an earlier one is not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// It is made all the same.
    #[default]
    Allow,
    /// It is left out.
    Skip,
}

/// When a schedule ticks, as it is written. Exactly one of `cron` and `every` is given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Rule {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", with = "optional")]
    pub every: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    pub catch_up: CatchUp,
    pub overlap: Overlap,
    /// Each tick comes later by up to this, by how much is told by its name and time alone.
    #[serde(skip_serializing_if = "Option::is_none", with = "optional")]
    pub jitter: Option<Millis>,
}

/// A field and what is wrong with it.
pub type RuleFault = (&'static str, String);

impl Rule {
    /// What it says, made ready for counting; `anchor` is the moment from which `every` counts.
    pub fn compile(&self, anchor: Millis) -> Result<Ticks, Vec<RuleFault>> {
        let mut faults = Vec::new();
        let zone = match self.timezone.as_deref().map_or(Ok(jiff::tz::TimeZone::UTC), zone) {
            Ok(zone) => Some(zone),
            Err(fault) => {
                faults.push(("timezone", fault));
                None
            }
        };
        let jitter = self.jitter.unwrap_or(0);
        if !(0..=MAX_JITTER).contains(&jitter) {
            faults.push(("jitter", "must be at most 24 hours".into()));
        }
        let ticks = match (&self.cron, self.every) {
            (Some(text), None) => match (Pattern::parse(text), zone) {
                (Ok(pattern), Some(zone)) => Ticks::cron(pattern, zone),
                (pattern, _) => {
                    faults.extend(pattern.err().map(|fault| ("cron", fault)));
                    None
                }
            },
            (None, Some(every)) => {
                if !EVERY.contains(&every) {
                    faults.push(("every", "must be from 1 second to 366 days".into()));
                } else if jitter >= every {
                    faults.push(("jitter", "must be shorter than `every`".into()));
                }
                if self.timezone.is_some() {
                    faults.push(("timezone", "has a meaning beside `cron` only: `every` counts elapsed time".into()));
                }
                Ticks::every(every, anchor)
            }
            (None, None) => {
                faults.push(("cron", "give either `cron` or `every`".into()));
                None
            }
            (Some(_), Some(_)) => {
                faults.push(("every", "give either `cron` or `every`, not both".into()));
                None
            }
        };
        ticks.filter(|_| faults.is_empty()).ok_or(faults)
    }

    /// When a tick of the schedule of this name is due.
    pub fn due(&self, name: &str, tick: Millis) -> Millis {
        tick + self.delay(name, tick)
    }

    /// The same on every node.
    fn delay(&self, name: &str, tick: Millis) -> Millis {
        let Some(jitter) = self.jitter.filter(|jitter| *jitter > 0) else { return 0 };
        let hash = Sha256::new().chain_update(name).chain_update([0]).chain_update(tick.to_be_bytes()).finalize();
        let mut first = [0; 8];
        first.copy_from_slice(&hash[..8]);
        Millis::try_from(u64::from_be_bytes(first) % (jitter.unsigned_abs() + 1)).unwrap_or(0)
    }
}

/// Schedule: like a queue, and not what is a route already.
pub fn check_name(text: &str) -> Result<(), name::InvalidName> {
    name::schedule(text)?;
    if RESERVED.contains(&text) {
        return Err(name::InvalidName(format!("{text:?} is not possible as the name of a schedule")));
    }
    Ok(())
}

fn zone(text: &str) -> Result<jiff::tz::TimeZone, String> {
    let unknown = || {
        format!(
            "there is no time zone {text:?}: give a name of the IANA database, such as \"Europe/Berlin\" or \"UTC\""
        )
    };
    if OF_THE_MACHINE.iter().any(|name| text.eq_ignore_ascii_case(name)) {
        return Err(format!(
            "{text:?} is not the same zone on every machine: name it, such as \"Europe/Berlin\" or \"UTC\""
        ));
    }
    // What stands for "unknown" in the database is no zone of anybody's.
    let zone = jiff::tz::TimeZone::get(text).ok().filter(|zone| !zone.is_unknown());
    zone.filter(|_| text.len() <= 64).ok_or_else(unknown)
}

mod optional {
    use super::{Millis, duration};

    pub(super) fn serialize<S: serde::Serializer>(value: &Option<Millis>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(millis) => duration::as_text::serialize(millis, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Millis>, D::Error> {
        duration::deserialize_option(deserializer)
    }
}
