//! The only code that changes a task's state: one verb, one function. Store and broker in the right order.
//!
//! A verb becomes an operation in the [`inbox`]; a [`stage`] thread takes all that wait, runs them in one transaction,
//! and only after the commit answers the callers, tells the broker and wakes who is to be woken.

mod admin;
mod batch;
mod bound;
mod claim;
mod claimer;
mod explain;
mod finish;
mod grant;
mod held;
mod inbox;
mod keys;
mod lanes;
mod maker;
mod meter;
mod notes;
mod notice;
mod operations;
mod owed;
mod peers;
mod queues;
mod remote;
mod schedules;
mod spool;
mod stage;
mod submit;
mod trouble;
mod watch;
mod workers;
mod workflows;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

pub use claim::ClaimReply;
pub use claimer::Claimer;
pub use explain::{Explanation, MOST_AHEAD, MOST_LANES, MOST_WORKERS, Reason};
pub use finish::FinishError;
pub use grant::Grant;
pub use held::{HeldTask, HeldTasks};
pub use keys::{Key, KeyHash, KeyRefused, Keys, hash as hash_key};
pub use meter::{ALL_QUEUES, Meter, OTHER_QUEUES, Snapshot};
pub use notes::Noted;
pub use notice::{Changes, Listener};
pub use operations::Stepped;
pub use queues::QueueChanged;
pub use remote::Concluded;
pub use schedules::{NewSchedule, Put, ScheduleChanged, Ticked, Triggered};
pub use submit::{Submission, SubmitError, SubmitReply};
pub use trouble::{Trouble, meanwhile};
pub use watch::Watch;

pub use crate::broker::Outage;
use crate::{
    broker::{Broker, Bus},
    clock::Clock,
    store::{Reader, Session, StoreError, WorkerInfo},
    task::{RateLimit, RetryPolicy, TaskDefaults, WorkerId},
};

/// What the engine decides by.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Retry policy of tasks that bring none.
    pub retry: RetryPolicy,
    /// What tasks get that are made here, by schedules.
    pub defaults: TaskDefaults,
    /// Most queues there may be: each costs memory and an actor while it is busy.
    pub max_queues: usize,
    /// Limit of queues that have none of their own.
    pub rate_limit: Option<RateLimit>,
    /// Keys that are good although they are not in the store.
    pub keys: Vec<Arc<Key>>,
    /// The file in which outcomes wait while the store takes nothing; `None`: in memory alone.
    pub spool: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            retry: RetryPolicy::default(),
            defaults: TaskDefaults::default(),
            max_queues: 10_000,
            rate_limit: None,
            keys: Vec::new(),
            spool: None,
        }
    }
}

/// A handle on the engine: cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    inbox: inbox::Inbox,
    common: stage::Common,
    reader: Arc<dyn Reader>,
    broker: Arc<dyn Broker>,
    clock: Arc<dyn Clock>,
    settings: Settings,
    /// This node.
    own: Claimer,
    slots: usize,
    held: HeldTasks,
    watches: watch::Watches,
    journal: notes::Journal,
    settings_of: queues::KnownSettings,
    turns: lanes::Turns,
    keys: Keys,
    trouble: trouble::Present,
    listener: OnceLock<Arc<dyn Listener>>,
    bus: OnceLock<Arc<dyn Bus>>,
    /// Heard besides it.
    line: OnceLock<Arc<dyn Bus>>,
    meter: Meter,
    lost_leases: AtomicU64,
    processed: AtomicU64,
    failed: AtomicU64,
    /// Outcomes that were handed over and are not in the store yet.
    outcomes: AtomicUsize,
    spool_bytes: AtomicU64,
    /// Since the last time that all of them were counted.
    schedules_added: AtomicUsize,
    /// What an earlier life has left in the spool.
    left: Mutex<Vec<owed::Owed>>,
}

/// The threads that commit. They end when the engine is closed and everything in the inbox is done.
pub struct StageThreads(Vec<std::thread::JoinHandle<()>>);

impl StageThreads {
    /// Waits until all that was asked for before the close is on the disk.
    pub fn join(self) {
        for thread in self.0 {
            if thread.join().is_err() {
                log::error!("A stage thread panicked; what it had not committed was not acknowledged either");
            }
        }
    }
}

impl Engine {
    /// Starts the engine: with one session a stage thread for everything, with six two for submissions and one each for
    /// claims, outcomes, the rest and the heartbeat.
    pub fn start(
        mut sessions: Vec<Box<dyn Session>>,
        reader: Arc<dyn Reader>,
        broker: Arc<dyn Broker>,
        clock: Arc<dyn Clock>,
        settings: Settings,
        worker: &WorkerInfo,
    ) -> Result<(Self, StageThreads), StoreError> {
        if let Some(session) = sessions.first_mut() {
            session.transaction(&mut |tx| tx.register_worker(worker))?;
        }
        let known = reader.queues()?;
        let meter = Meter::new(worker.slots, clock.now());
        let keys = Keys::new(&settings.keys, reader.keys()?);
        let (spool, left) = settings.spool.as_deref().and_then(opened).unzip();
        let engine = Self(Arc::new(Inner {
            inbox: inbox::Inbox::new(sessions.len()),
            common: stage::Common::default(),
            reader,
            broker,
            clock,
            settings,
            own: Claimer { worker: worker.id, serves: worker.serves.clone() },
            slots: usize::try_from(worker.slots).unwrap_or(usize::MAX),
            held: HeldTasks::default(),
            watches: watch::Watches::default(),
            journal: notes::Journal::default(),
            settings_of: queues::KnownSettings::default(),
            turns: lanes::Turns::default(),
            keys,
            trouble: trouble::Present::default(),
            listener: OnceLock::new(),
            bus: OnceLock::new(),
            line: OnceLock::new(),
            meter,
            lost_leases: AtomicU64::new(0),
            processed: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            outcomes: AtomicUsize::new(0),
            spool_bytes: AtomicU64::new(spool.as_ref().map_or(0, spool::Spool::bytes)),
            schedules_added: AtomicUsize::new(0),
            left: Mutex::new(left.unwrap_or_default()),
        }));
        let mut queues = stage::Queues::new();
        for row in known {
            let name: Arc<str> = row.name.into();
            engine.0.settings_of.set(&name, row.settings);
            queues.insert(name);
        }
        *engine.0.common.queues.write().unwrap_or_else(PoisonError::into_inner) = queues;
        let threads = stage_threads(&engine, sessions, spool).map_err(|error| {
            let store: Arc<str> = "this process".into();
            let message = format!("cannot start the stage threads: {error}");
            StoreError::new(crate::store::StoreErrorKind::Unavailable, &store, message)
        })?;
        Ok((engine, StageThreads(threads)))
    }

    /// Who is told of wakes and changes. Set once, by the actors.
    pub fn listen(&self, listener: Arc<dyn Listener>) {
        if self.0.listener.set(listener).is_err() {
            log::warn!("The engine has a listener already; the second one is ignored");
        }
    }

    /// Takes nothing more; what was taken is still done.
    pub fn close(&self) {
        self.0.inbox.close();
    }

    pub fn reader(&self) -> &Arc<dyn Reader> {
        &self.0.reader
    }

    pub fn broker(&self) -> &Arc<dyn Broker> {
        &self.0.broker
    }

    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    pub fn worker(&self) -> WorkerId {
        self.0.own.worker
    }

    /// Tasks granted to this node whose outcome is not recorded yet.
    pub fn held(&self) -> &HeldTasks {
        &self.0.held
    }

    /// The limit of queues that have none of their own.
    pub fn default_rate_limit(&self) -> Option<RateLimit> {
        self.0.settings.rate_limit
    }

    /// Commits of this node that ended tasks.
    fn ends(&self) -> u64 {
        self.0.common.ends()
    }

    /// Why nothing can be committed at present, if so.
    pub fn trouble(&self) -> Option<Trouble> {
        self.0.trouble.is()
    }

    /// What this node has done, in figures.
    pub fn meter(&self) -> &Meter {
        &self.0.meter
    }

    /// Outcomes that came after their lease was taken away, since the start.
    pub fn lost_leases(&self) -> u64 {
        self.0.lost_leases.load(Ordering::Relaxed)
    }

    /// Attempts this node has ended since the start, whichever way.
    pub fn processed(&self) -> u64 {
        self.0.processed.load(Ordering::Relaxed)
    }

    /// Attempts of those that failed.
    pub fn failed(&self) -> u64 {
        self.0.failed.load(Ordering::Relaxed)
    }

    /// Outcomes that are not in the store yet, and the bytes of those that are safe in the spool.
    pub fn waiting_outcomes(&self) -> (usize, u64) {
        (self.0.outcomes.load(Ordering::Relaxed), self.0.spool_bytes.load(Ordering::Relaxed))
    }

    fn take_left(&self) -> Vec<owed::Owed> {
        std::mem::take(&mut self.0.left.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn listener(&self) -> Option<&Arc<dyn Listener>> {
        self.0.listener.get()
    }
}

/// A node whose spool cannot be used does its work all the same.
fn opened(path: &Path) -> Option<(spool::Spool, Vec<owed::Owed>)> {
    let opened = spool::Spool::open(path);
    if let Err(error) = &opened {
        log::error!(
            "{} cannot be used: {error}. While the store takes nothing, outcomes wait in memory alone, and a node that is \
             killed meanwhile has its tasks run again",
            path.display()
        );
    }
    opened.ok()
}

fn stage_threads(
    engine: &Engine,
    sessions: Vec<Box<dyn Session>>,
    mut spool: Option<spool::Spool>,
) -> std::io::Result<Vec<std::thread::JoinHandle<()>>> {
    let duties: &[inbox::Duty] = if sessions.len() == 1 { &[inbox::Duty::Everything] } else { &inbox::Duty::EACH };
    let start = |(session, duty): (_, &inbox::Duty)| {
        let spool = if duty.takes(inbox::Duty::Finishes) { spool.take() } else { None };
        let stage = stage::Stage::new(engine.clone(), *duty, session, spool);
        std::thread::Builder::new().name("stage".into()).spawn(move || stage.run())
    };
    sessions.into_iter().zip(duties).map(start).collect()
}
