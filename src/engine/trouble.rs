//! What keeps the store from taking anything, for those who ask how the server is.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{
    store::{StoreError, StoreErrorKind},
    task::Millis,
};

/// The store fails: nothing has been committed since.
#[derive(Debug, Clone)]
pub struct Trouble {
    /// The latest failure.
    pub error: StoreError,
    pub since: Millis,
}

/// What happens until it is over.
pub const fn meanwhile(kind: StoreErrorKind) -> &'static str {
    match kind {
        StoreErrorKind::Refused => "the request is answered with an error",
        StoreErrorKind::Full => "submissions are answered 507, running tasks go on and their outcomes wait",
        _ => "submissions are answered 503, running tasks go on and their outcomes wait",
    }
}

/// What a stage could not commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// They are owed: the stage tries until they are committed.
    Outcomes,
    /// Nobody tries it again, so that any commit shows that the store is back.
    Anything,
}

#[derive(Default)]
pub(super) struct Present(Mutex<Both>);

#[derive(Default)]
struct Both {
    outcomes: Option<Trouble>,
    anything: Option<Trouble>,
}

impl Present {
    fn both(&self) -> MutexGuard<'_, Both> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is(&self) -> Option<Trouble> {
        let both = self.both();
        both.outcomes.as_ref().or(both.anything.as_ref()).cloned()
    }

    pub(super) fn failed(&self, what: What, error: &StoreError, now: Millis) {
        let mut both = self.both();
        let of = match what {
            What::Outcomes => &mut both.outcomes,
            What::Anything => &mut both.anything,
        };
        let since = of.as_ref().map_or(now, |trouble| trouble.since);
        *of = Some(Trouble { error: error.clone(), since });
    }

    /// Something was committed.
    pub(super) fn over(&self, what: What) {
        let mut both = self.both();
        both.anything = None;
        if what == What::Outcomes {
            both.outcomes = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_commit_ends_the_trouble_but_that_of_outcomes() {
        let (present, error) = (Present::default(), StoreError::new(StoreErrorKind::Unavailable, &"it".into(), "away"));
        present.failed(What::Anything, &error, 1);
        present.failed(What::Anything, &error, 2);
        assert_eq!(present.is().unwrap().since, 1);
        present.failed(What::Outcomes, &error, 3);
        present.over(What::Anything);
        assert_eq!(present.is().unwrap().since, 3);
        present.failed(What::Anything, &error, 4);
        present.over(What::Outcomes);
        assert!(present.is().is_none());
    }
}
