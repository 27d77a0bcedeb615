//! The keeper: brings Redis back, watches its generation, and sends what is to be told to the other nodes.
//!
//! The only one that connects for the callers, so that no stage thread waits for a name server or a handshake.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Shared, failure::Failure, link::Link, lock};
use crate::broker::{bus::Notice, message};

/// Between two looks at the generation: how long a flush may go unnoticed where no call meets it.
const LOOK: Duration = Duration::from_millis(500);
/// Between two tries, doubled up to the second.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// A Redis that stays for less is tried again as late as before: it may fail at the first real call.
const STEADY: Duration = Duration::from_secs(10);

pub(super) struct Keeper {
    shared: Arc<Shared>,
    /// For messages and looks; the callers have one of their own.
    link: Option<Link>,
    backoff: Duration,
    next_try: Instant,
    found_at: Option<Instant>,
    /// The latest outage that the listener was told of.
    told: u64,
    looked: Instant,
}

impl Keeper {
    /// Tries once before it returns, so that a node starts with what there is.
    pub(super) fn start(shared: Arc<Shared>) -> std::io::Result<()> {
        let now = Instant::now();
        let (backoff, next_try, looked) = (BACKOFF.0, now, now);
        let mut keeper = Self { shared, link: None, backoff, next_try, found_at: None, told: 0, looked };
        keeper.connect();
        std::thread::Builder::new().name("redis".into()).spawn(move || keeper.run()).map(drop)
    }

    fn run(mut self) {
        while !self.shared.outbox.is_closed() {
            let patience = if self.shared.presence.is_away() {
                self.next_try.saturating_duration_since(Instant::now())
            } else {
                LOOK.saturating_sub(self.looked.elapsed())
            };
            let notices = self.shared.outbox.take(patience);
            if self.shared.presence.is_away() {
                // What was to be told is out of date when somebody can be told again.
                self.link = None;
                let outages = self.shared.presence.outages();
                if std::mem::replace(&mut self.told, outages) != outages {
                    // Queues that slept until Redis wakes them look for themselves.
                    self.shared.tell(Notice::Missed);
                }
                if Instant::now() >= self.next_try {
                    self.connect();
                }
                continue;
            }
            if let Err(failure) = self.send(notices).and_then(|()| self.look()) {
                self.lost(&failure);
            }
        }
    }

    fn lost(&mut self, failure: &Failure) {
        self.link = None;
        self.shared.lost(failure);
    }

    fn connect(&mut self) {
        if self.found_at.take().is_some_and(|at| at.elapsed() > STEADY) {
            self.backoff = BACKOFF.0;
        }
        let distrusted = lock(&self.shared.generation).clone();
        match self.open(&distrusted) {
            Ok(()) => {
                self.found_at = Some(Instant::now());
                let name = format!("Redis at {}", self.shared.config.address());
                self.shared.presence.found(&name, "holds the heads of the queues, filled from the store");
                self.shared.own_heads.clear();
                // Whatever slept through the outage looks for work now.
                self.shared.tell(Notice::Missed);
            }
            Err(failure) => self.lost(&failure),
        }
        self.next_try = Instant::now() + self.backoff;
        self.backoff = (self.backoff * 2).min(BACKOFF.1);
    }

    fn open(&mut self, distrusted: &str) -> Result<(), Failure> {
        let mut own = self.shared.heads.connect()?;
        let generation = self.shared.heads.generation(&mut own, distrusted)?;
        let callers = self.shared.heads.connect()?;
        *lock(&self.shared.generation) = generation;
        *lock(&self.shared.link) = Some(callers);
        self.link = Some(own);
        self.looked = Instant::now();
        Ok(())
    }

    fn link(&mut self) -> Result<&mut Link, Failure> {
        self.link.as_mut().ok_or(Failure::Away)
    }

    fn send(&mut self, notices: Vec<Notice>) -> Result<(), Failure> {
        let channel = self.shared.heads.keys.channel();
        for notice in notices {
            for bytes in message::encode(&self.shared.node, notice, message::LONGEST) {
                self.link()?.command(redis::cmd("PUBLISH").arg(&channel).arg(bytes))?;
            }
        }
        Ok(())
    }

    /// A generation that is gone or another: the callers learn of it with their next call.
    fn look(&mut self) -> Result<(), Failure> {
        if self.looked.elapsed() < LOOK {
            return Ok(());
        }
        self.looked = Instant::now();
        let shared = self.shared.clone();
        let generation = shared.heads.generation(self.link()?, "")?;
        let mut known = lock(&shared.generation);
        let changed = *known != generation;
        *known = generation;
        drop(known);
        if changed {
            log::warn!("Redis has lost what it held; the heads of the queues are filled from the store");
            shared.tell(Notice::Missed);
        }
        Ok(())
    }
}
