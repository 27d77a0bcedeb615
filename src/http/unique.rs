//! What makes a task the only one of its kind, as clients say it.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};
use utoipa::ToSchema;

use super::{check::Faults, draft::DurationWritten};
use crate::task::{
    KeyScope, Millis, Unique, UniqueConflict, duration, name,
    schedule::{UniqueRule, UniqueSettings},
    unique::{MAX_PARTS, Parts, WHOLE_CALL, derive},
};

const MAX_UNIQUE_KEY: usize = 256;
const MAX_PERIOD: Millis = 366 * 24 * 3_600_000;

/// The field `unique`.
pub(super) enum UniqueDraft<'a> {
    /// By everything that tells one call from another, or not at all.
    Whole(bool),
    Full(Settings<'a>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings<'a> {
    #[serde(borrow, default)]
    by: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow, default)]
    r#while: Option<Vec<Cow<'a, str>>>,
    #[serde(default, deserialize_with = "duration::deserialize_option")]
    r#for: Option<Millis>,
}

/// True: by its name and all of its arguments.
#[expect(dead_code, reason = "only its schema is used")]
#[derive(ToSchema)]
#[schema(as = Unique)]
#[serde(untagged)]
pub(super) enum UniqueWritten {
    Whole(bool),
    Full(SettingsWritten),
}

#[expect(dead_code, reason = "only its schema is used")]
#[derive(ToSchema)]
#[schema(as = UniqueSettings)]
pub(super) struct SettingsWritten {
    /// What the key is made of, instead of a `unique_key`: `name`, `args`, `kwargs`, `meta`, or a path into one of the last three,
    /// such as `args.0` or `kwargs.user.id`. `queue` may be named too: a key is of its queue in any case. There must be
    /// something at each path.
    #[schema(max_items = 20, example = json!(["name", "kwargs.user.id"]))]
    by: Option<Vec<String>>,
    /// In which statuses the task has its key: `waiting` and `running` if not given. Without `running` it lets go of it at its
    /// first start. With a status in which it is over it keeps it for the time that `for` gives, or until it is deleted.
    r#while: Option<Vec<ScopeWritten>>,
    /// So long after the submission a task that is over still has its key: however it has ended, or in the ways that `while`
    /// names. One that waits or runs for longer has it for longer.
    r#for: Option<DurationWritten>,
}

#[expect(dead_code, reason = "only its schema is used")]
#[derive(ToSchema)]
#[schema(as = UniqueScope)]
#[serde(rename_all = "snake_case")]
pub(super) enum ScopeWritten {
    Waiting,
    Running,
    Success,
    Failed,
    Timeout,
    Cancelled,
    Expired,
    Skipped,
}

#[expect(dead_code, reason = "only its schema is used")]
#[derive(ToSchema)]
#[schema(as = UniqueConflict)]
#[serde(rename_all = "snake_case")]
pub(super) enum ConflictWritten {
    Return,
    Reject,
    Replace,
}

impl<'de: 'a, 'a> Deserialize<'de> for UniqueDraft<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;

        impl<'de> Visitor<'de> for Written {
            type Value = UniqueDraft<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false or an object with `by`, `while` and `for`")
            }

            fn visit_bool<E: Error>(self, whole: bool) -> Result<Self::Value, E> {
                Ok(UniqueDraft::Whole(whole))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Settings::deserialize(MapAccessDeserializer::new(map)).map(UniqueDraft::Full)
            }
        }
        deserializer.deserialize_any(Written)
    }
}

impl UniqueDraft<'_> {
    /// For those who keep it.
    pub(super) fn into_rule(self) -> UniqueRule {
        let owned = |words: Vec<Cow<'_, str>>| words.into_iter().map(Cow::into_owned).collect();
        match self {
            Self::Whole(whole) => UniqueRule::Whole(whole),
            Self::Full(Settings { by, r#while, r#for }) => {
                UniqueRule::Full(UniqueSettings { by: by.map(owned), r#while: r#while.map(owned), r#for })
            }
        }
    }
}

/// As given with a task.
pub(super) struct Given<'a> {
    pub(super) key: Option<String>,
    pub(super) unique: Option<UniqueDraft<'a>>,
    pub(super) conflict: Option<Cow<'a, str>>,
    pub(super) has_parents: bool,
}

/// `parts`: none where they are wrong themselves.
pub(super) fn check(
    faults: &mut Faults,
    given: Given<'_>,
    parts: Option<Parts<'_>>,
    now: Millis,
) -> Option<Box<Unique>> {
    let Given { key, unique, conflict, has_parents } = given;
    if let Some(key) = &key {
        faults.named("/unique_key", name::free(key, MAX_UNIQUE_KEY, "a unique key"));
    }
    let conflict = conflict.and_then(|text| check_conflict(faults, &text));
    let wants_key = key.is_some() || !matches!(unique, None | Some(UniqueDraft::Whole(false)));
    if !wants_key && conflict.is_some() {
        faults.invalid("/unique_conflict", "has a meaning beside `unique_key` or `unique` only");
    }
    if conflict == Some(UniqueConflict::Replace) && has_parents {
        faults.invalid(
            "/depends_on",
            "cannot be given with `unique_conflict` \"replace\": a task that is replaced keeps its parents",
        );
    }
    let (by, settings) = match unique {
        None | Some(UniqueDraft::Whole(false)) => (None, None),
        Some(UniqueDraft::Whole(true)) => (Some(WHOLE_CALL.map(Cow::Borrowed).to_vec()), None),
        Some(UniqueDraft::Full(mut settings)) => (settings.by.take(), Some(settings)),
    };
    if key.is_some() && by.is_some() {
        let place = if settings.is_some() { "/unique/by" } else { "/unique" };
        faults.invalid(place, "cannot be given beside `unique_key`: the key is given or made, not both");
    }
    if key.is_none() && by.is_none() && settings.is_some() {
        faults.invalid("/unique/by", "must say what the key is made of, unless `unique_key` is given: true instead of the object is name and arguments");
    }
    let (scope, until) = settings.map_or((KeyScope::LIVE, None), |settings| check_scope(faults, &settings, now));
    let key = key.or_else(|| by.and_then(|by| make(faults, &by, parts?)))?;
    Some(Box::new(Unique { key, conflict: conflict.unwrap_or_default(), scope, until }))
}

fn check_conflict(faults: &mut Faults, text: &str) -> Option<UniqueConflict> {
    let conflict = UniqueConflict::parse(text);
    if conflict.is_none() {
        faults.invalid("/unique_conflict", "must be \"return\", \"reject\" or \"replace\"");
    }
    conflict
}

fn check_scope(faults: &mut Faults, settings: &Settings<'_>, now: Millis) -> (KeyScope, Option<Millis>) {
    let default = if settings.r#for.is_some() { KeyScope::ALWAYS } else { KeyScope::LIVE };
    let words = settings.r#while.as_ref().map(|words| KeyScope::parse(words.iter().map(AsRef::as_ref)));
    let scope = match words.transpose() {
        Ok(scope) => scope.unwrap_or(default),
        Err(fault) => {
            faults.invalid("/unique/while", fault.to_string());
            return (default, None);
        }
    };
    if settings.r#for.is_some_and(|period| !(1..=MAX_PERIOD).contains(&period)) {
        faults.invalid("/unique/for", "must be more than 0 and at most 366 days");
    } else if settings.r#for.is_some() && !scope.outlives() {
        let detail = "is how long a task that is over keeps its key, and `while` names no status in which one is";
        faults.invalid("/unique/for", detail);
    }
    (scope, settings.r#for.map(|period| now + period))
}

fn make(faults: &mut Faults, by: &[Cow<'_, str>], parts: Parts<'_>) -> Option<String> {
    if !(1..=MAX_PARTS).contains(&by.len()) {
        faults.invalid("/unique/by", format!("has 1 to {MAX_PARTS} entries, not {}", by.len()));
        return None;
    }
    derive(by, parts).map_err(|(place, detail)| faults.invalid(format!("/unique/by/{place}"), detail)).ok()
}
