//! When a task may start, and by when it must have.

use std::borrow::Cow;

use super::check::Faults;
use crate::task::Millis;

const MAX_AHEAD: Millis = 5 * 366 * 24 * 3_600_000;

/// A moment, and the time until then: a client gives one of the two at most.
type Written<'a> = (Option<Cow<'a, str>>, Option<Millis>);

pub(super) struct Times {
    pub(super) run_at: Option<Millis>,
    pub(super) expires_at: Option<Millis>,
}

impl Times {
    pub(super) fn check(faults: &mut Faults, run: Written<'_>, expiry: Written<'_>, now: Millis) -> Self {
        let run_at = moment(faults, run, ("run_at", "delay"), now);
        let (at_given, in_given) = (expiry.0.is_some(), expiry.1.is_some());
        let expires_at = moment(faults, expiry, ("expires_at", "expires_in"), now);
        if expires_at.is_some_and(|at| at <= run_at.unwrap_or(now).max(now)) {
            let field = if at_given && !in_given { "/expires_at" } else { "/expires_in" };
            faults.invalid(field, "must be later than now and than the time it may start, or it could never run");
        }
        Self { run_at, expires_at }
    }
}

pub(super) fn moment(
    faults: &mut Faults,
    (at, within): Written<'_>,
    names: (&str, &str),
    now: Millis,
) -> Option<Millis> {
    let (field, at) = match (at, within) {
        (None, None) => return None,
        (Some(_), Some(_)) => {
            faults.invalid(format!("/{}", names.1), format!("give either `{}` or `{}`, not both", names.0, names.1));
            return None;
        }
        (None, Some(within)) => (names.1, now + within),
        (Some(text), None) => match text.parse::<jiff::Timestamp>() {
            Ok(moment) => (names.0, moment.as_millisecond()),
            Err(_) => {
                let detail = "must be a time such as 2026-01-31T12:00:00Z, with its offset from UTC";
                faults.invalid(format!("/{}", names.0), detail);
                return None;
            }
        },
    };
    if at > now + MAX_AHEAD {
        faults.invalid(format!("/{field}"), "must be at most 5 years from now");
    }
    Some(at)
}
