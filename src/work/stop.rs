//! The signal that ends a running attempt.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;

/// Why an attempt is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The node goes down: the task is given back.
    Interrupt,
    /// Its time is over.
    Timeout,
    /// A caller does not want it any more.
    Cancel,
}

/// Asks one attempt to end. All clones are the same signal; it cannot be taken back.
///
/// A later, stronger reason replaces an earlier one (cancel before timeout before interrupt): a task that is cancelled
/// while its node goes down must not come back.
#[derive(Debug, Clone, Default)]
pub struct StopSignal(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    reason: AtomicU8,
    at_once: AtomicBool,
    changed: Notify,
    /// When it was first asked to end, and when its grace was taken away.
    asked: OnceLock<Instant>,
    hurried: OnceLock<Instant>,
    at_work: AtomicUsize,
    left: Notify,
}

/// While it lives, something of the attempt is at work: its future, or a thread that nobody can end.
#[derive(Debug)]
pub struct AtWork(Arc<Shared>);

impl Drop for AtWork {
    fn drop(&mut self) {
        if self.0.at_work.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.left.notify_waiters();
        }
    }
}

impl StopSignal {
    /// Nothing requested yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A caller cancelled the task.
    pub fn cancel(&self) {
        self.raise(StopReason::Cancel);
    }

    /// A caller cancelled the task and does not wait for its handler: there is no grace, or no more of it.
    pub fn cancel_at_once(&self) {
        self.0.at_once.store(true, Ordering::Release);
        self.0.hurried.get_or_init(Instant::now);
        self.raise(StopReason::Cancel);
    }

    /// The node goes down.
    pub fn interrupt(&self) {
        self.raise(StopReason::Interrupt);
    }

    /// The time limit is reached: the runner's to say.
    pub(super) fn time_out(&self) {
        self.raise(StopReason::Timeout);
    }

    /// Why it is to end, `None` while it is not.
    pub fn reason(&self) -> Option<StopReason> {
        match self.0.reason.load(Ordering::Acquire) {
            0 => None,
            code if code == code_of(StopReason::Interrupt) => Some(StopReason::Interrupt),
            code if code == code_of(StopReason::Timeout) => Some(StopReason::Timeout),
            _ => Some(StopReason::Cancel),
        }
    }

    /// Resolves once a reason was given.
    pub async fn requested(&self) {
        // Made before the look at the reason: it hears every signal given from here on, so none falls in between.
        let change = self.0.changed.notified();
        if self.reason().is_none() {
            change.await;
        }
    }

    /// Resolves once there is no grace any more.
    pub(super) async fn at_once(&self) {
        loop {
            let change = self.0.changed.notified();
            if self.0.at_once.load(Ordering::Acquire) {
                return;
            }
            change.await;
        }
    }

    /// Until this is dropped, the attempt is not over, whatever was recorded of it.
    pub fn at_work(&self) -> AtWork {
        self.0.at_work.fetch_add(1, Ordering::AcqRel);
        AtWork(Arc::clone(&self.0))
    }

    /// Whether anything of the attempt goes on.
    pub fn is_at_work(&self) -> bool {
        self.0.at_work.load(Ordering::Acquire) > 0
    }

    /// Resolves once nothing of the attempt goes on.
    pub async fn left(&self) {
        loop {
            let left = self.0.left.notified();
            if !self.is_at_work() {
                return;
            }
            left.await;
        }
    }

    /// Whether it was to be over by now: its grace, which began with the signal or at its deadline, and `beyond` have passed.
    pub fn is_overdue(&self, deadline: Option<Instant>, grace: Duration, beyond: Duration, now: Instant) -> bool {
        let since = |moment: Option<Instant>| moment.map(|moment| now.saturating_duration_since(moment));
        let asked = [self.0.asked.get().copied(), deadline].map(since);
        since(self.0.hurried.get().copied()).is_some_and(|hurried| hurried > beyond)
            || asked.into_iter().flatten().any(|asked| asked > grace + beyond)
    }

    fn raise(&self, reason: StopReason) {
        self.0.asked.get_or_init(Instant::now);
        self.0.reason.fetch_max(code_of(reason), Ordering::AcqRel);
        self.0.changed.notify_waiters();
    }
}

const fn code_of(reason: StopReason) -> u8 {
    reason as u8 + 1
}
