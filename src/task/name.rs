//! What names may look like. They end up in URLs, log lines, metric labels and Redis keys.

/// A name that does not fit; the text says what would.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidName(pub String);

/// Queue: 1 to 64 of `A-Z a-z 0-9 . _ -`.
pub fn queue(text: &str) -> Result<(), InvalidName> {
    plain(text, 64, "a queue name", |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

/// Schedule: 1 to 64 of `A-Z a-z 0-9 . _ -`.
pub fn schedule(text: &str) -> Result<(), InvalidName> {
    plain(text, 64, "a schedule's name", |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

/// Task name: 1 to 128 of `A-Z a-z 0-9 . _ - : /`.
pub fn task(text: &str) -> Result<(), InvalidName> {
    named(text, "a task name")
}

/// Workflow: like a task.
pub fn workflow(text: &str) -> Result<(), InvalidName> {
    named(text, "a workflow's name")
}

/// What a worker bears and a task may require: 1 to 64 of `A-Z a-z 0-9 . _ - : /`.
pub fn label(text: &str) -> Result<(), InvalidName> {
    plain(text, 64, "a label", |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':' | '/'))
}

/// Unique key, idempotency key, tag: 1 to `max` characters, none of them a control character.
pub fn free(text: &str, max: usize, what: &str) -> Result<(), InvalidName> {
    if text.is_empty() || text.chars().count() > max {
        return Err(InvalidName(format!("{what} has 1 to {max} characters, not {}", text.chars().count())));
    }
    match text.chars().find(|c| c.is_control()) {
        Some(c) => Err(InvalidName(format!("{what} cannot contain the control character U+{:04X}", c as u32))),
        None => Ok(()),
    }
}

fn named(text: &str, what: &str) -> Result<(), InvalidName> {
    plain(text, 128, what, |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':' | '/'))
}

fn plain(text: &str, max: usize, what: &str, allowed: impl Fn(char) -> bool) -> Result<(), InvalidName> {
    if text.is_empty() || text.len() > max {
        return Err(InvalidName(format!("{what} has 1 to {max} characters, not {}", text.chars().count())));
    }
    match text.chars().find(|&c| !allowed(c)) {
        Some(c) => Err(InvalidName(format!("{what} cannot contain {c:?}: use letters, digits, '.', '_' and '-'"))),
        None => Ok(()),
    }
}
