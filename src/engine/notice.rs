//! What the engine tells upwards, after a commit.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::Noted;
use crate::task::{NewTask, Priority, Ready, Status, TaskId, WorkerId};

/// Who is told. Calls come from the stage thread: they must not block.
pub trait Listener: Send + Sync {
    /// The queue has something to offer again.
    fn woken(&self, queue: &Arc<str>);
    /// Somebody wants to hear of changes; otherwise they are not collected.
    fn is_interested(&self) -> bool;
    fn changed(&self, changes: Changes);
    /// Children are left to be told of their parents' end.
    fn unresolved(&self);
    /// There is work on many tasks to be done.
    fn operation_begun(&self);
    /// Schedules were changed: the next tick may be another one.
    fn schedules_changed(&self) {}
    /// Tasks that run, and not here, are to stop; `at_once`: without a grace.
    fn cancelled(&self, ids: &[TaskId], at_once: bool) {
        let _ = (ids, at_once);
    }
    /// Something is wanted of this worker, or not any more.
    fn worker_asked(&self, worker: WorkerId) {
        let _ = worker;
    }
    /// Handlers have said something, on this node or another.
    fn noted(&self, noted: Vec<Noted>) {
        let _ = noted;
    }
    /// This node is held to be dead by the store: it must stop what it runs.
    fn fenced(&self);
}

/// What one commit changed, as hints for those who watch.
#[derive(Debug, Default, Clone)]
pub struct Changes {
    /// Some of the tasks.
    pub ids: Vec<TaskId>,
    /// There were more than `ids`.
    pub more: bool,
    /// How many tasks came into a status.
    pub counts: BTreeMap<Status, u32>,
    pub queues: BTreeSet<Arc<str>>,
}

impl Changes {
    pub const MAX_IDS: usize = 100;

    pub(super) fn add(&mut self, id: TaskId, queue: &Arc<str>, status: Status) {
        *self.counts.entry(status).or_default() += 1;
        if self.ids.len() < Self::MAX_IDS {
            self.ids.push(id);
        } else {
            self.more = true;
        }
        if !self.queues.contains(queue) {
            self.queues.insert(queue.clone());
        }
    }

    pub fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.queues.is_empty()
    }

    /// Joins what a later commit changed.
    pub fn merge(&mut self, later: Self) {
        let room = Self::MAX_IDS.saturating_sub(self.ids.len());
        self.more |= later.more || later.ids.len() > room;
        self.ids.extend(later.ids.into_iter().take(room));
        for (status, n) in later.counts {
            *self.counts.entry(status).or_default() += n;
        }
        self.queues.extend(later.queues);
    }
}

/// What is to be done once a commit is confirmed.
#[derive(Default)]
pub(super) struct After {
    /// Hints for the broker.
    pub(super) ready: Vec<Ready>,
    /// Lanes that have got tasks.
    pub(super) lanes: Vec<(Arc<str>, Priority, i64)>,
    /// `None` where nobody wants to know.
    pub(super) changes: Option<Changes>,
    /// Tasks that are over.
    pub(super) ended: Vec<TaskId>,
    /// Queues whose claim met the cap on running tasks.
    pub(super) at_cap: Vec<Arc<str>>,
    /// Queues of which a task has stopped running, where somebody waits for that.
    pub(super) freed: Option<BTreeSet<Arc<str>>>,
    /// Queues that are no longer.
    pub(super) deleted: Vec<Arc<str>>,
    /// Children are left to be told of their parents' end.
    pub(super) unresolved: bool,
}

impl After {
    /// A task that waits for no other.
    pub(super) fn submitted(&mut self, task: &NewTask) {
        let (mark, keyed) = ((task.ready_at(), task.id), task.flow.is_some());
        self.ready.push(Ready { queue: task.queue.clone(), priority: task.priority, keyed, mark });
        self.lanes.extend(task.flow.as_ref().map(|flow| (task.queue.clone(), task.priority, flow.lane().lane)));
    }

    pub(super) fn changed(&mut self, id: TaskId, queue: &Arc<str>, status: Status) {
        if let Some(changes) = &mut self.changes {
            changes.add(id, queue, status);
        }
        if let Some(freed) = self.freed.as_mut().filter(|freed| status != Status::Running && !freed.contains(queue)) {
            freed.insert(queue.clone());
        }
        if status.is_terminal() {
            self.ended.push(id);
        }
    }
}
