//! `LOG_LEVEL`: which records are written.

const WANTED: &str = "expected error, warn, info, debug, trace or off, or pairs such as info,jobqueue::engine=debug";

/// Checks a filter in env_logger's syntax (`level`, `target=level`, separated by commas, then `/text` that a message
/// must contain) and returns it in the form env_logger reads. The names of Python's levels are accepted.
///
/// Stricter than env_logger, which reads a mistyped level as the name of a module and then logs nothing: a target needs
/// its level.
///
/// # Errors
/// What would be right.
pub fn parse(text: &str) -> Result<String, String> {
    let (directives, contains) = text.split_once('/').map_or((text, None), |(left, right)| (left, Some(right)));
    let mut parts = Vec::new();
    for directive in directives.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
        parts.push(match directive.split_once('=') {
            Some((target, word)) if is_target(target.trim()) => format!("{}={}", target.trim(), level(word)?),
            Some(_) => return Err(WANTED.into()),
            None => level(directive)?.to_owned(),
        });
    }
    if parts.is_empty() {
        return Err(WANTED.into());
    }
    let filter = parts.join(",");
    Ok(contains.map_or(filter.clone(), |contains| format!("{filter}/{contains}")))
}

fn level(word: &str) -> Result<&'static str, String> {
    match word.trim().to_ascii_lowercase().as_str() {
        "error" | "critical" => Ok("error"),
        "warn" | "warning" => Ok("warn"),
        "info" => Ok("info"),
        "debug" => Ok("debug"),
        "trace" => Ok("trace"),
        "off" => Ok("off"),
        _ => Err(WANTED.into()),
    }
}

fn is_target(target: &str) -> bool {
    !target.is_empty() && target.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '-' | '.'))
}
