//! What this version will not start with, because it would do something else than it was told.

use super::{Config, Effect, Entry, Fault, Origin, parse, settings};

/// The message for a setting that asks for another service.
pub(super) fn embedded_only(what: &str) -> String {
    format!(
        "this version runs embedded only (one SQLite file, no other service) and would not use it. \
         Unset {what}; the data is kept in ./data/jobqueue.db or in DATABASE_URL=sqlite://PATH"
    )
}

/// Pretending to be protected is worse than being open: the keys would not be asked for.
pub(super) const NO_KEYS: &str = "this version does not check API keys, so the API would be unprotected although keys \
     are set. Unset it, and keep the API on 127.0.0.1 or behind a proxy that authenticates";

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
    faults.extend(set(Effect::Refused).map(|entry| Fault { place: written_as(entry), problem: NO_KEYS.to_owned() }));
    faults
}

/// Everybody who reaches the port can run tasks: that must be said explicitly.
pub(super) fn open_address(config: &Config, entries: &[Entry]) -> Option<Fault> {
    if config.api.insecure_no_auth || config.api.host.is_empty() || parse::is_loopback(&config.api.host) {
        return None;
    }
    let place = entries
        .iter()
        .find(|entry| entry.setting.name == settings::API_HOST)
        .map_or_else(String::new, |entry| entry.origin.place(entry.setting.name, &entry.value));
    Some(Fault {
        place,
        problem: "would let everybody who reaches this address submit and cancel tasks: this version has no API keys. \
                  Use 127.0.0.1 (with a proxy that authenticates before it), or accept the risk with --insecure-no-auth"
            .into(),
    })
}

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
