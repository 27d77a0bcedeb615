//! Nothing secret is written where it does not belong (18).

use super::Look;

pub(super) fn check(look: &mut Look<'_>) {
    let history = look.history;
    for written in &history.written {
        for secret in &history.secrets {
            if let Some(line) = written.text.lines().find(|line| line.contains(secret)) {
                look.broken_by_none(18, "a secret was written", format!("{secret} is in {}: {line}", written.place));
            }
        }
    }
}
