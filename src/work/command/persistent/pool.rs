//! Children without a task.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures_util::FutureExt;

use super::child::Child;

/// A child that had nothing to do for so long ends.
const IDLE_LIFE: Duration = Duration::from_secs(300);

#[derive(Default)]
pub(super) struct Pool {
    /// The one that was used last is at the end, and is used next.
    idle: Mutex<Vec<(Child, Instant)>>,
}

impl Pool {
    /// One that waits for a task. Those that have died meanwhile, or say what nobody has asked for, are gone with this.
    pub(super) fn take(&self) -> Option<Child> {
        loop {
            let (mut child, _) = self.lock().pop()?;
            if child.stirs().now_or_never().is_none() {
                return Some(child);
            }
            log::warn!("A persistent child has ended, or has written something, without a task; another one is used");
        }
    }

    pub(super) fn put(&self, child: Child) {
        let now = Instant::now();
        let mut idle = self.lock();
        let old = idle.partition_point(|(_, since)| now.duration_since(*since) > IDLE_LIFE);
        let old: Vec<_> = idle.drain(..old).collect();
        idle.push((child, now));
        // Killing them takes a moment.
        drop(idle);
        drop(old);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Child, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
