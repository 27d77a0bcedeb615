//! Workers as the store knows them, and what those that are no nodes hold.

use std::sync::Arc;

use super::StoreError;
use crate::task::{
    Asked, Granted, LeaseId, LeaseToken, Millis, Offer, Ready, Serves, Status, TaskId, WorkerId, WorkerKind,
};

/// A worker that registers.
#[derive(Debug, Clone, Default)]
pub struct WorkerInfo {
    pub id: WorkerId,
    pub kind: WorkerKind,
    /// What its lives have in common: where this is the same, a later one may take over what an earlier one held.
    pub node: Option<String>,
    pub name: Option<String>,
    pub client: Option<String>,
    pub host: String,
    pub pid: u32,
    pub version: String,
    pub slots: u32,
    /// Tasks that a remote one may hold beyond its slots.
    pub prefetch: u32,
    pub started_at: Millis,
    /// Without a heartbeat for so long it is dead.
    pub patience: Millis,
    /// The only queues it takes tasks of; empty: all.
    pub queues: Vec<String>,
    pub serves: Arc<Serves>,
}

impl WorkerInfo {
    /// What others are told of it.
    pub fn offer(&self) -> Offer {
        Offer::of(&self.queues, &self.serves)
    }
}

/// A worker as it is shown.
#[derive(Debug, Clone)]
pub struct WorkerRow {
    pub id: WorkerId,
    pub kind: WorkerKind,
    pub name: Option<String>,
    /// The program by which a remote one speaks to the API.
    pub client: Option<String>,
    pub host: String,
    pub pid: u32,
    pub version: String,
    pub state: String,
    pub asked: Option<Asked>,
    pub slots: u32,
    /// Tasks that a remote one may hold beyond its slots.
    pub prefetch: u32,
    pub offer: Offer,
    pub rss_bytes: Option<u64>,
    pub started_at: Millis,
    pub beat_at: Millis,
}

impl WorkerRow {
    /// Its state as an operator sees it.
    pub fn shown_state(&self) -> &str {
        match (&*self.state, self.asked) {
            ("alive", Some(Asked::Quiet)) => "quiet",
            (state, _) => state,
        }
    }

    /// It may hold tasks.
    pub fn is_alive(&self) -> bool {
        matches!(&*self.state, "alive" | "draining")
    }
}

/// What became of a wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerAsked {
    /// It will hear of it, if it has not been asked the same before.
    Done {
        again: bool,
    },
    /// It works no more: it is in this state.
    Gone(String),
    NotFound,
}

/// What became of a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewed {
    /// It lives, and this is wanted of it.
    Alive(Option<Asked>),
    /// It is in this state: what it held is not its own any more.
    Gone(String),
    NotFound,
}

/// A task that a worker has in hand.
#[derive(Debug, Clone)]
pub struct Holding {
    pub worker: WorkerId,
    pub token: LeaseToken,
    pub granted_at: Millis,
    pub queue: String,
    pub name: String,
    pub cancel_requested: bool,
    /// When its time is over, if it has a limit.
    pub deadline: Option<Millis>,
}

/// What a lease is worth.
#[derive(Debug, Clone)]
pub enum Leased {
    /// The task runs under it; without its arguments.
    Held(Box<Hold>),
    /// How the task was left under it: it is in this status now.
    Over(Status),
    /// It is not the task's, or not any more.
    Lost,
}

#[derive(Debug, Clone)]
pub struct Hold {
    pub task: Granted,
    pub worker: WorkerId,
    pub cancel_requested: bool,
    pub deadline: Option<Millis>,
}

/// A lease one of whose tasks may be out of time, and when each that has a limit is.
#[derive(Debug, Clone)]
pub struct Overdue {
    pub lease: LeaseId,
    pub deadlines: Vec<(LeaseToken, Millis)>,
}

/// The statements that change workers; part of [`super::Tx`].
pub trait WorkerTx {
    fn register_worker(&mut self, worker: &WorkerInfo) -> Result<(), StoreError>;
    /// Renews a worker; false where it is no longer held to be alive.
    fn beat(&mut self, worker: WorkerId, now: Millis) -> Result<bool, StoreError>;
    /// Renews several, with the memory they hold where they say so.
    fn beat_all(&mut self, beats: &[(WorkerId, Option<u64>)], now: Millis) -> Result<Vec<Renewed>, StoreError>;
    /// Of a worker that is held to be alive; a dead one stays dead.
    fn set_worker_state(&mut self, worker: WorkerId, state: &str) -> Result<(), StoreError>;
    /// Writes down what is wanted of it; `None`: that it works.
    fn ask_worker(&mut self, worker: WorkerId, asked: Option<Asked>) -> Result<WorkerAsked, StoreError>;
    /// It works no more, and what it holds goes back; `None`: there is no such worker.
    fn leave(&mut self, worker: WorkerId, now: Millis) -> Result<Option<Vec<Ready>>, StoreError>;
    /// Moves a task's deadline by so much, at most to `latest`; the new one. `None`: it does not run under this lease, or has
    /// no limit.
    fn extend(&mut self, token: LeaseToken, by: Millis, latest: Millis) -> Result<Option<Millis>, StoreError>;
    /// When the lease is to be looked at next.
    fn set_due(&mut self, lease: LeaseId, due: Option<Millis>) -> Result<(), StoreError>;
}

/// Reads of workers; part of [`super::Reader`].
pub trait WorkerReader {
    fn worker(&self, id: WorkerId) -> Result<Option<WorkerRow>, StoreError>;
    /// Remote workers that live and of which something is wanted.
    fn asked_workers(&self) -> Result<Vec<(WorkerId, Asked)>, StoreError>;
    /// What runs under the leases of these workers.
    fn holdings(&self, workers: &[WorkerId]) -> Result<Vec<Holding>, StoreError>;
    /// In the order of the tokens.
    fn leased(&self, tokens: &[LeaseToken]) -> Result<Vec<Leased>, StoreError>;
    /// Leases that were due by then, at most so many.
    fn overdue(&self, by: Millis, limit: usize) -> Result<Vec<Overdue>, StoreError>;
    /// When these were submitted, and their tags.
    fn origins(&self, tasks: &[TaskId]) -> Result<Vec<(TaskId, Millis, Vec<String>)>, StoreError>;
}
