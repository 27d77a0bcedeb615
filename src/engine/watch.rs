//! Waiting for a task to be over.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::Notify;

use super::Engine;
use crate::task::TaskId;

#[derive(Default)]
pub(super) struct Watches {
    by_task: Mutex<HashMap<TaskId, (Arc<Notify>, usize)>>,
    /// So that a commit nobody waits for takes no lock.
    count: AtomicUsize,
}

impl Watches {
    fn by_task(&self) -> MutexGuard<'_, HashMap<TaskId, (Arc<Notify>, usize)>> {
        self.by_task.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ended(&self, ids: &[TaskId]) {
        if ids.is_empty() || self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let by_task = self.by_task();
        for (notify, _) in ids.iter().filter_map(|id| by_task.get(id)) {
            notify.notify_waiters();
        }
    }
}

impl Watches {
    /// Ends may have been missed: whoever waits looks again.
    pub(super) fn all(&self) {
        if self.count.load(Ordering::SeqCst) > 0 {
            self.by_task().values().for_each(|(notify, _)| notify.notify_waiters());
        }
    }
}

/// An interest in the end of a task. Register it *before* reading the task, so that no end falls between the two.
pub struct Watch {
    engine: Engine,
    id: TaskId,
    notify: Arc<Notify>,
}

impl Engine {
    pub fn watch(&self, id: TaskId) -> Watch {
        let watches = &self.0.watches;
        watches.count.fetch_add(1, Ordering::SeqCst);
        let mut by_task = watches.by_task();
        let (notify, users) = by_task.entry(id).or_default();
        *users += 1;
        Watch { engine: self.clone(), id, notify: notify.clone() }
    }
}

impl Watch {
    /// Completes when the task ends. Create it, poll it once (`enable`), read the task, then await it.
    pub fn ended(&self) -> tokio::sync::futures::Notified<'_> {
        self.notify.notified()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let watches = &self.engine.0.watches;
        let mut by_task = watches.by_task();
        if let Some((_, users)) = by_task.get_mut(&self.id) {
            *users -= 1;
            if *users == 0 {
                by_task.remove(&self.id);
            }
        }
        drop(by_task);
        watches.count.fetch_sub(1, Ordering::SeqCst);
    }
}
