//! What this version will not start with, because it would do something else than it was told.

use super::{Config, Effect, Entry, Fault, Origin, parse};

fn no_redis(what: &str) -> String {
    format!(
        "Redis only speeds up nodes that share PostgreSQL, and the store is a SQLite file. Unset {what}, or set DATABASE_URL=postgres://…"
    )
}

/// The address of PostgreSQL by its parts, where any is set and no whole one is.
pub(super) fn postgres_by_parts(config: &mut Config) {
    let set = |name: &str| config.entries.iter().any(|e| e.setting.name == name && e.origin != Origin::Default);
    if set("database_url")
        || !["host", "port", "db", "user", "password"].iter().any(|part| set(&format!("postgres.{part}")))
    {
        return;
    }
    config.database = parse::postgres(&config.postgres);
}

/// Faults of settings that must not be set, Redis' in one line.
pub(super) fn refused(config: &Config) -> Vec<Fault> {
    let set = |entry: &&Entry| entry.setting.effect == Effect::OnlyWithPostgres && entry.origin != Origin::Default;
    let mut faults = Vec::new();
    let names: Vec<String> = config.entries.iter().filter(set).map(written_as).collect();
    if !names.is_empty() && config.database.file().is_some() {
        let place = names.join(", ");
        faults.push(Fault { problem: no_redis(if names.len() == 1 { "it" } else { "them" }), place });
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
