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

#[derive(Default)]
pub(super) struct Present(Mutex<Option<Trouble>>);

impl Present {
    fn trouble(&self) -> MutexGuard<'_, Option<Trouble>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is(&self) -> Option<Trouble> {
        self.trouble().clone()
    }

    pub(super) fn failed(&self, error: &StoreError, now: Millis) {
        let mut trouble = self.trouble();
        let since = trouble.as_ref().map_or(now, |trouble| trouble.since);
        *trouble = Some(Trouble { error: error.clone(), since });
    }

    pub(super) fn over(&self) {
        *self.trouble() = None;
    }
}
