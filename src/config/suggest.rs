//! "Did you mean …?"

use std::{collections::BTreeMap, ffi::OsString};

use super::SETTINGS;

/// The candidate that is most like `wrong`, if one is close enough to be what was meant.
pub(super) fn closest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_ascii_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&wrong, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().min(wrong.len()) / 5)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Variables that nobody reads, and those that they were probably meant to be.
pub(super) fn misspelt(env: &BTreeMap<OsString, OsString>) -> Vec<(String, &'static str)> {
    let known = || SETTINGS.iter().flat_map(|setting| setting.env.iter().copied());
    let is_known = |name: &str| known().any(|known| known == name.strip_suffix("_FILE").unwrap_or(name));
    let slip = |name: &OsString| {
        let name = name.to_str().filter(|name| name.len() >= 8 && !is_known(name))?;
        let meant = known().find(|known| strsim::damerau_levenshtein(name, known) == 1)?;
        Some((name.to_owned(), meant))
    };
    env.keys().filter_map(slip).collect()
}

/// ` (did you mean "…"?)`, or nothing.
pub(super) fn hint(suggestion: Option<&str>) -> String {
    suggestion.map(|name| format!("; did you mean \"{name}\"?")).unwrap_or_default()
}
