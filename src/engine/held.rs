//! The tasks in this node's hands: granted, outcome not recorded yet.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    task::{Granted, LeaseId, TaskId},
    work::StopSignal,
};

/// One of them.
#[derive(Clone)]
pub struct HeldTask {
    pub task: Arc<Granted>,
    /// The slot it runs in, once it does.
    pub slot: Option<usize>,
    /// When its time there is over.
    deadline: Option<Instant>,
    stop: StopSignal,
}

#[derive(Default)]
pub struct HeldTasks(Mutex<HashMap<TaskId, HeldTask>>);

impl HeldTasks {
    fn tasks(&self) -> MutexGuard<'_, HashMap<TaskId, HeldTask>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, task: Arc<Granted>, stop: StopSignal) {
        self.tasks().insert(task.id, HeldTask { task, slot: None, deadline: None, stop });
    }

    pub(super) fn set_slot(&self, id: TaskId, slot: usize) {
        if let Some(held) = self.tasks().get_mut(&id) {
            held.slot = Some(slot);
            let limit = held.task.timeout_ms.and_then(|limit| u64::try_from(limit).ok());
            held.deadline = limit.and_then(|limit| Instant::now().checked_add(Duration::from_millis(limit)));
        }
    }

    /// Slot, task and lease of the attempts whose end is overdue by `beyond`, as their handlers ignore it.
    pub fn overdue(&self, grace: Duration, beyond: Duration, now: Instant) -> Vec<(usize, TaskId, LeaseId)> {
        let tasks = self.tasks();
        let overdue = tasks.values().filter(|held| held.stop.is_overdue(held.deadline, grace, beyond, now));
        overdue.filter_map(|held| Some((held.slot?, held.task.id, held.task.lease))).collect()
    }

    /// Forgets a task whose outcome is recorded, unless it has been granted here again meanwhile.
    pub(super) fn remove(&self, id: TaskId, lease: LeaseId) {
        let mut tasks = self.tasks();
        if tasks.get(&id).is_some_and(|held| held.task.lease == lease) {
            tasks.remove(&id);
        }
    }

    /// Asks a task's handler to stop, or ends it at once; false where it is not held here.
    pub(super) fn cancel(&self, id: TaskId, at_once: bool) -> bool {
        let held = self.tasks().get(&id).cloned();
        held.is_some_and(|held| {
            if at_once {
                held.stop.cancel_at_once();
            } else {
                held.stop.cancel();
            }
            true
        })
    }

    /// Asks every handler to give its task back.
    pub fn interrupt_all(&self) {
        let held: Vec<_> = self.tasks().values().cloned().collect();
        for task in held {
            task.stop.interrupt();
        }
    }

    pub fn contains(&self, id: TaskId, lease: LeaseId) -> bool {
        self.tasks().get(&id).is_some_and(|held| held.task.lease == lease)
    }

    /// A task is aboard that has outlived two workers.
    pub fn has_suspect(&self) -> bool {
        self.tasks().values().any(|held| held.task.is_suspect())
    }

    pub fn list(&self) -> Vec<HeldTask> {
        self.tasks().values().cloned().collect()
    }

    pub fn len(&self) -> usize {
        self.tasks().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
