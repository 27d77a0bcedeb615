//! Counters: a transaction adds up what it changed and writes one delta for each counter it touched.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    store::Counted,
    task::{End, Priority, Status, Tally, TaskId},
};

#[derive(Default, Clone)]
pub(super) struct Deltas {
    counters: BTreeMap<(Arc<str>, u8, i16), i64>,
    workflows: BTreeMap<TaskId, Moved>,
}

/// What a transaction changes in a workflow.
#[derive(Default, Clone, Copy)]
pub(super) struct Moved {
    pub(super) ended: Tally,
    pub(super) deleted: i64,
}

impl Deltas {
    pub(super) fn add(&mut self, queue: &Arc<str>, priority: Priority, kind: Counted, n: i64) {
        *self.counters.entry((queue.clone(), priority.level(), kind.code())).or_default() += n;
    }

    /// A task goes from one status to another.
    pub(super) fn step(&mut self, queue: &Arc<str>, priority: Priority, from: Status, to: Status) {
        self.add(queue, priority, Counted::In(from), -1);
        self.add(queue, priority, Counted::In(to), 1);
    }

    /// A task is over; its workflow, if it is of one, counts that.
    pub(super) fn ended(&mut self, workflow: Option<TaskId>, end: Option<End>) {
        self.move_end(workflow, end, 1);
    }

    /// A task that was over is so no longer.
    pub(super) fn reopened(&mut self, workflow: Option<TaskId>, end: Option<End>) {
        self.move_end(workflow, end, -1);
    }

    fn move_end(&mut self, workflow: Option<TaskId>, end: Option<End>, n: i64) {
        if let (Some(workflow), Some(end)) = (workflow, end) {
            self.workflows.entry(workflow).or_default().ended.add(end, n);
        }
    }

    pub(super) fn deleted(&mut self, workflow: TaskId) {
        self.workflows.entry(workflow).or_default().deleted += 1;
    }

    /// What is to be written to workflows, which is forgotten here; in the order of their ids.
    pub(super) fn take_workflows(&mut self) -> BTreeMap<TaskId, Moved> {
        std::mem::take(&mut self.workflows)
    }

    /// What this transaction has changed so far, over all priorities.
    pub(super) fn of(&self, queue: &str, kind: Counted) -> i64 {
        let ours = |(name, _, code): &(Arc<str>, u8, i16)| &**name == queue && *code == kind.code();
        self.counters.iter().filter(|(key, _)| ours(key)).map(|(_, n)| n).sum()
    }

    /// What has happened, as against what is in a status now.
    pub(super) fn events(&self) -> Vec<(Arc<str>, Counted, u64)> {
        let event = |((queue, _, code), n): (&(Arc<str>, u8, i16), &i64)| {
            let kind = Counted::from_code(*code).filter(|kind| !matches!(kind, Counted::In(_)))?;
            Some((queue.clone(), kind, u64::try_from(*n).ok()?))
        };
        self.counters.iter().filter_map(event).collect()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// What is not zero, which is forgotten here.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Delta> + use<> {
        let all = std::mem::take(&mut self.counters).into_iter().filter(|(_, n)| *n != 0);
        all.map(|((queue, priority, kind), n)| Delta { queue, priority: priority.into(), kind: kind.into(), n })
    }
}

/// What a transaction adds to a counter.
pub(super) struct Delta {
    pub(super) queue: Arc<str>,
    pub(super) priority: i32,
    pub(super) kind: i32,
    pub(super) n: i64,
}
