//! When a task may start, and by when it must have.

use std::borrow::Cow;

use super::check::Faults;
use crate::task::{Millis, duration};

const MAX_AHEAD: Millis = 5 * 366 * 24 * 3_600_000;
const MAX_AGE: Millis = 366 * 24 * 3_600_000;

/// A moment, and the time until then: a client gives one of the two at most.
type Written<'a> = (Option<Cow<'a, str>>, Option<Millis>);

pub(super) struct Times {
    pub(super) run_at: Option<Millis>,
    pub(super) end: End,
}

/// When it is not started any more: at a moment, and so long after its submission. The earlier counts.
#[derive(Clone, Copy)]
pub(super) struct End {
    at: Option<Millis>,
    within: Option<Millis>,
}

impl End {
    pub(super) fn of(self, submitted_at: Millis) -> Option<Millis> {
        [self.at, self.within.map(|within| submitted_at + within)].into_iter().flatten().min()
    }
}

/// How long after its submission a task may be started.
#[derive(Clone, Copy, Default)]
pub(super) struct Age {
    /// What its submitter says; null: for ever.
    pub(super) given: Option<Option<Millis>>,
    pub(super) of_queue: Option<Millis>,
}

impl Age {
    pub(super) fn max(self) -> Option<Millis> {
        self.given.unwrap_or(self.of_queue)
    }

    fn check(self, faults: &mut Faults, run_at: Option<Millis>, now: Millis) {
        check_age(faults, self.given.flatten());
        let Some(age) = self.max().filter(|age| run_at.is_some_and(|at| now + age <= at)) else { return };
        let detail = match self.given {
            Some(_) => "must be longer than the time until it may start, or it could never run".into(),
            None => format!(
                "tasks of this queue are started within {}: give a `max_age` that is longer than the time until it may \
                 start, or null for none",
                duration::to_text(age)
            ),
        };
        faults.invalid("/max_age", detail);
    }
}

pub(super) fn check_age(faults: &mut Faults, age: Option<Millis>) {
    if age.is_some_and(|age| !(1..=MAX_AGE).contains(&age)) {
        faults.invalid("/max_age", "must be more than 0 and at most 366 days");
    }
}

impl Times {
    pub(super) fn check(faults: &mut Faults, run: Written<'_>, expiry: Written<'_>, age: Age, now: Millis) -> Self {
        let run_at = moment(faults, run, ("run_at", "delay"), now);
        let within = expiry.1;
        let at_given = expiry.0.is_some();
        let expires_at = moment(faults, expiry, ("expires_at", "expires_in"), now);
        if expires_at.is_some_and(|at| at <= run_at.unwrap_or(now).max(now)) {
            let field = if at_given && within.is_none() { "/expires_at" } else { "/expires_in" };
            faults.invalid(field, "must be later than now and than the time it may start, or it could never run");
        }
        age.check(faults, run_at, now);
        let within = [within, age.max()].into_iter().flatten().min();
        Self { run_at, end: End { at: expires_at.filter(|_| at_given), within } }
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
