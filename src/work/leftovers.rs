//! What commands leave behind: processes that have left the group of their command, by `setsid` or a second fork.
//!
//! Each run has a number, which its processes carry in their environment and inherit. One thread looks through the
//! machine's processes for numbers whose run is over, and kills those: at once for a run that was stopped or holds its
//! output open, for the others some time later for all of them together, and never when nothing has run meanwhile
//! (`docs/decisions/0011-leftovers.md`).

mod scan;

use std::{
    collections::HashSet,
    io,
    sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;
use uuid::Uuid;

pub(super) use scan::{VARIABLE, kill_all};

/// From one look to the next, where none is urgent: at least this, and so many times what a look takes.
const PAUSE: Duration = Duration::from_secs(1);
const SHARE: u32 = 50;

/// One start of a command. Dropped, it is over, and so is what carries its number.
#[derive(Debug)]
pub(super) struct Run {
    number: u64,
    urgent: bool,
    /// Who waits for the end of what is left.
    waiting: Option<oneshot::Sender<()>>,
}

#[derive(Default)]
struct State {
    last: u64,
    /// Runs that go on.
    live: HashSet<u64>,
    /// A run has ended since the last look began.
    ended: bool,
    urgent: bool,
    waiting: Vec<oneshot::Sender<()>>,
    watched: bool,
}

/// Of this process, among all that there are or were on this machine.
static INSTANCE: LazyLock<String> = LazyLock::new(|| Uuid::new_v4().simple().to_string());
static STATE: LazyLock<Mutex<State>> = LazyLock::new(Mutex::default);
static CHANGED: Condvar = Condvar::new();

/// What the marks of this process's runs begin with.
pub(super) fn instance() -> &'static str {
    &INSTANCE
}

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Run {
    /// Before its command is started: from then on its number is not over.
    pub(super) fn begin() -> io::Result<Self> {
        let mut state = state();
        if !state.watched {
            thread::Builder::new().name("leftovers".into()).stack_size(256 * 1024).spawn(watch)?;
            state.watched = true;
        }
        state.last += 1;
        let number = state.last;
        state.live.insert(number);
        Ok(Self { number, urgent: false, waiting: None })
    }

    /// The value of [`VARIABLE`] for its command.
    pub(super) fn mark(&self) -> String {
        format!("{}.{}", instance(), self.number)
    }

    /// It was not left to end by itself.
    pub(super) fn stopped(&mut self) {
        self.urgent = true;
    }

    /// Ends it; resolves when what it has left is killed.
    pub(super) async fn end(mut self) {
        let (done, told) = oneshot::channel();
        (self.urgent, self.waiting) = (true, Some(done));
        drop(self);
        let _ = told.await;
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let mut state = state();
        state.live.remove(&self.number);
        state.urgent |= self.urgent;
        state.waiting.extend(self.waiting.take());
        // One that looks already, or will, is not woken for each.
        if !std::mem::replace(&mut state.ended, true) || self.urgent {
            CHANGED.notify_one();
        }
    }
}

fn watch() {
    let mut pause = Duration::ZERO;
    loop {
        let waiting = next(pause);
        let began = Instant::now();
        let is_over = |number: u64| !state().live.contains(&number);
        for (task, processes) in kill_all(instance(), is_over) {
            log::warn!(task = task.as_str(), processes; "What a task has left running is killed");
        }
        pause = PAUSE.max(began.elapsed() * SHARE);
        for done in waiting {
            let _ = done.send(());
        }
    }
}

/// When it is time to look again; who waits for that.
fn next(pause: Duration) -> Vec<oneshot::Sender<()>> {
    let began = Instant::now();
    let mut state = state();
    while !(state.urgent || state.ended && began.elapsed() >= pause) {
        state = if state.ended {
            let left = pause.saturating_sub(began.elapsed());
            CHANGED.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
        } else {
            CHANGED.wait(state).unwrap_or_else(PoisonError::into_inner)
        };
    }
    // What is just being executed shows no environment for a moment: after an urgent look there is one more.
    state.ended = std::mem::take(&mut state.urgent);
    std::mem::take(&mut state.waiting)
}
