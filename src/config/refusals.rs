//! What this version will not start with, because it would do something else than it was told.

use super::{Config, Effect, Entry, Fault, Origin};

/// The message for a setting that asks for another service.
pub(super) fn embedded_only(what: &str) -> String {
    format!(
        "this version runs embedded only (one SQLite file, no other service) and would not use it. \
         Unset {what}; the data is kept in ./data/jobqueue.db or in DATABASE_URL=sqlite://PATH"
    )
}

/// Faults of settings that must not be set, PostgreSQL's and Redis' in one line each.
pub(super) fn refused(entries: &[Entry]) -> Vec<Fault> {
    let set = |effect: Effect| {
        entries.iter().filter(move |entry| entry.setting.effect == effect && entry.origin != Origin::Default)
    };
    let mut faults = Vec::new();
    for service in ["postgres", "redis"] {
        let names: Vec<String> =
            set(Effect::OtherService).filter(|entry| entry.setting.name.starts_with(service)).map(written_as).collect();
        if !names.is_empty() {
            let place = names.join(", ");
            faults.push(Fault { problem: embedded_only(if names.len() == 1 { "it" } else { "them" }), place });
        }
    }
    faults
}

/// Keys that are easily guessed, in one line.
pub(super) fn short_keys(config: &Config) -> Option<String> {
    let short = config.api.keys.iter().filter(|key| key.reveal().len() < LEAST_KEY).count();
    (short > 0).then(|| {
        format!(
            "API_KEYS: {short} of the keys have fewer than {LEAST_KEY} characters and may be guessed; use longer ones"
        )
    })
}

const LEAST_KEY: usize = 16;

/// One line for all settings that are known but change nothing yet.
pub(super) fn without_effect(entries: &[Entry]) -> Option<String> {
    let names: Vec<String> = entries
        .iter()
        .filter(|entry| entry.setting.effect == Effect::NotYet && entry.origin != Origin::Default)
        .map(written_as)
        .collect();
    (!names.is_empty()).then(|| format!("known, but without effect in this version: {}", names.join(", ")))
}

/// The name by which the operator set it.
fn written_as(entry: &Entry) -> String {
    match &entry.origin {
        Origin::Default => entry.setting.name.to_owned(),
        Origin::Environment(name) | Origin::SecretFile { variable: name, .. } => name.clone(),
        Origin::Flag(flag) => (*flag).to_owned(),
        Origin::File { path, line } => format!("{}:{line}: {}", path.display(), entry.setting.name),
    }
}
