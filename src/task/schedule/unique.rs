//! What makes each task of a schedule the only one of its kind, as a submission says it.

use serde::{Deserialize, Serialize};

use crate::task::{
    KeyScope, Millis, Unique, UniqueConflict,
    unique::{Parts, WHOLE_CALL, derive},
};

/// The field `unique`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum UniqueRule {
    Whole(bool),
    Full(UniqueSettings),
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UniqueSettings {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#while: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "super::optional")]
    pub r#for: Option<Millis>,
}

/// It has been checked when the schedule was set; an error says what does not hold any more.
pub(super) fn unique(
    key: Option<&str>,
    rule: Option<&UniqueRule>,
    conflict: UniqueConflict,
    parts: Parts<'_>,
    now: Millis,
) -> Result<Option<Box<Unique>>, String> {
    let none = UniqueSettings::default();
    let (by, settings) = match rule {
        None | Some(UniqueRule::Whole(false)) => (None, &none),
        Some(UniqueRule::Whole(true)) => (Some(WHOLE_CALL.map(str::to_owned).to_vec()), &none),
        Some(UniqueRule::Full(settings)) => (settings.by.clone(), settings),
    };
    let key = match (key, by) {
        (Some(key), _) => key.to_owned(),
        (None, Some(by)) => derive(&by, parts).map_err(|(_, detail)| detail)?,
        (None, None) => return Ok(None),
    };
    let scope = match &settings.r#while {
        Some(words) => KeyScope::parse(words.iter().map(String::as_str)).map_err(|fault| fault.to_string())?,
        None if settings.r#for.is_some() => KeyScope::ALWAYS,
        None => KeyScope::LIVE,
    };
    Ok(Some(Box::new(Unique { key, conflict, scope, until: settings.r#for.map(|period| now + period) })))
}
