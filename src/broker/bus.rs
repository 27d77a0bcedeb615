//! What nodes tell each other. Everything on the bus is a hint: it may be lost, doubled, late, or made up.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::Outage;
use crate::task::{Status, TaskId, WorkerId};

/// Something one node tells all the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// These queues have something to offer again.
    Wake(Vec<Arc<str>>),
    /// Tasks have come into these queues, and the heads of other nodes have not been told which.
    Submitted(Vec<Arc<str>>),
    /// The handlers of these tasks are to stop, wherever they run; `at_once`: without a grace.
    Cancel { ids: Vec<TaskId>, at_once: bool },
    /// What is set for these queues has changed, or they are paused or not.
    QueuesChanged(Vec<Arc<str>>),
    /// Keys of the API were made or revoked.
    KeysChanged,
    /// Something was asked of these workers.
    WorkersAsked(Vec<WorkerId>),
    /// Children were submitted past the nodes, and their parents are to be asked. Only `jobqueue_submit` says it.
    Unresolved,
    /// Tasks have changed.
    Events(Events),
    /// Never sent: notices may have been missed, so everything is to be looked at again.
    Missed,
}

/// What the commits of some moments have changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Events {
    /// How many tasks came into a status.
    pub counts: BTreeMap<Status, u32>,
    pub queues: BTreeSet<Arc<str>>,
    /// Some of the tasks.
    pub ids: Vec<TaskId>,
    /// There were more than `ids`.
    pub more: bool,
    /// Tasks that are over, for those who wait for one.
    pub ended: Vec<TaskId>,
    /// There were more than `ended`.
    pub ended_more: bool,
    /// Some of the tasks whose handlers have said something, each with the piece of its log that was written down.
    #[serde(default)]
    pub noted: Vec<(TaskId, TaskId)>,
}

impl Events {
    pub const MAX_IDS: usize = 100;
    pub const MAX_ENDED: usize = 500;
    pub const MAX_NOTED: usize = 100;

    /// Joins what came later; what there is no room for is only counted.
    pub fn merge(&mut self, later: Self) {
        let Self { counts, queues, ids, more, ended, ended_more, noted } = later;
        for (status, n) in counts {
            let count = self.counts.entry(status).or_default();
            *count = count.saturating_add(n);
        }
        self.queues.extend(queues);
        self.more |= more | extend(&mut self.ids, ids, Self::MAX_IDS);
        self.ended_more |= ended_more | extend(&mut self.ended, ended, Self::MAX_ENDED);
        extend(&mut self.noted, noted, Self::MAX_NOTED);
    }
}

/// True where not all of them have room.
fn extend<T>(ids: &mut Vec<T>, more: Vec<T>, most: usize) -> bool {
    let room = most.saturating_sub(ids.len());
    let too_many = more.len() > room;
    ids.extend(more.into_iter().take(room));
    too_many
}

/// Who hears what other nodes tell. Calls come from a thread of the bus, and may block for a moment.
pub trait BusListener: Send + Sync {
    fn heard(&self, notice: Notice);
}

/// The way to the other nodes. Own notices do not come back.
pub trait Bus: Send + Sync {
    /// Never blocks and never fails: what cannot be sent is dropped.
    fn publish(&self, notice: Notice);

    /// Names the one who hears; set once.
    fn listen(&self, listener: Arc<dyn BusListener>);

    /// Why nothing is heard, if so.
    fn silence(&self) -> Option<Outage> {
        None
    }
}

/// The bus of a node that is alone.
pub struct NoBus;

impl Bus for NoBus {
    fn publish(&self, _: Notice) {}
    fn listen(&self, _: Arc<dyn BusListener>) {}
}
