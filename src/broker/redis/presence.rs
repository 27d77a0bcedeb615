//! Whether Redis is there. One line in the log when it goes, one when it comes back.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use crate::{broker::Outage, task::Millis};

const MEANWHILE: &str = "this node reads what is ready from the store by itself; nothing is lost, tasks of other nodes \
                         may start up to 2 s later";

pub(super) struct Presence {
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
    pub(super) fn new() -> Self {
        let state = State { outage: None, since: Instant::now() };
        Self { away: AtomicBool::new(true), outages: AtomicU64::new(0), state: Mutex::new(state) }
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
        log::error!("{error}; {MEANWHILE}");
        *state =
            State { outage: Some(Outage { error, since: wall_clock(), meanwhile: MEANWHILE }), since: Instant::now() };
        true
    }

    pub(super) fn found(&self, address: &str) {
        let mut state = self.state();
        match state.outage.take() {
            None => log::info!("Redis at {address} holds the heads of the queues"),
            Some(_) => {
                let away_ms = u64::try_from(state.since.elapsed().as_millis()).unwrap_or(u64::MAX);
                log::info!(away_ms; "Redis at {address} is back; its heads are filled from the store");
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
