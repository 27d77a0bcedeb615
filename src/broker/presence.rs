//! Whether what the nodes share is there. One line in the log when it goes, one when it comes back.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use crate::{broker::Outage, task::Millis};

pub(super) struct Presence {
    /// What happens until it is back.
    meanwhile: &'static str,
    /// So that a call need not take the lock to see that there is nobody.
    away: AtomicBool,
    /// Raised by each outage: what began before it does not count after it.
    outages: AtomicU64,
    state: Mutex<State>,
}

struct State {
    outage: Option<Outage>,
    since: Instant,
}

impl Presence {
    /// Away until proved there, without a word: nothing has been tried yet.
    pub(super) fn new(meanwhile: &'static str) -> Self {
        let state = State { outage: None, since: Instant::now() };
        Self { meanwhile, away: AtomicBool::new(true), outages: AtomicU64::new(0), state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_away(&self) -> bool {
        self.away.load(Ordering::Acquire)
    }

    pub(super) fn outages(&self) -> u64 {
        self.outages.load(Ordering::Acquire)
    }

    pub(super) fn outage(&self) -> Option<Outage> {
        self.state().outage.clone()
    }

    /// True where this is news. A cause that changes meanwhile is told to those who ask, and not logged again.
    pub(super) fn lost(&self, error: String) -> bool {
        let mut state = self.state();
        self.away.store(true, Ordering::Release);
        if let Some(outage) = &mut state.outage {
            outage.error = error;
            return false;
        }
        self.outages.fetch_add(1, Ordering::AcqRel);
        let meanwhile = self.meanwhile;
        log::error!("{error}; {meanwhile}");
        *state = State { outage: Some(Outage { error, since: wall_clock(), meanwhile }), since: Instant::now() };
        true
    }

    /// `name` does what is said of it.
    pub(super) fn found(&self, name: &str, does: &str) {
        let mut state = self.state();
        match state.outage.take() {
            None => log::info!("{name} {does}"),
            Some(_) => {
                let away_ms = u64::try_from(state.since.elapsed().as_millis()).unwrap_or(u64::MAX);
                log::info!(away_ms; "{name} is back, and {does}");
            }
        }
        state.since = Instant::now();
        self.away.store(false, Ordering::Release);
    }
}

fn wall_clock() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}
