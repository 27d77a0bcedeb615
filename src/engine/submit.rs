//! Submit: one transaction for all that wait; conflicts come back per task.

use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::sync::oneshot;

use super::{Engine, inbox::SUBMIT_ROWS, notice::After, stage::Queues};
use crate::{
    store::{IdempotencyKey, StoreError, StoreErrorKind, StoredOutcome, Tx},
    task::{Millis, NewTask, Ready, UniqueConflict},
};

/// How long a submission waits for room before it is told to come back later.
const PATIENCE: Duration = Duration::from_secs(5);

/// A request to store tasks.
#[derive(Debug, Default)]
pub struct Submission {
    pub tasks: Vec<NewTask>,
    /// All of them or none.
    pub atomic: bool,
    pub idempotency: Option<IdempotencyKey>,
}

/// What became of it. `outcomes` has one entry for each of `tasks`, in order.
#[derive(Debug)]
pub struct SubmitReply {
    pub tasks: Vec<NewTask>,
    pub outcomes: Vec<StoredOutcome>,
    /// The request was answered before; these are the outcomes of then.
    pub replayed: bool,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum SubmitError {
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// An atomic request: the task at this place was refused, so nothing is stored.
    #[error("task {index} was refused: its unique key is held by a live task")]
    Conflict { index: usize, holder: crate::task::TaskId },
    #[error("there are {0} queues already, the most this server keeps")]
    TooManyQueues(usize),
    #[error("{SUBMIT_ROWS} tasks wait to be stored; try again in a moment")]
    Busy,
    #[error("the server is shutting down")]
    Closed,
    #[error(transparent)]
    Store(StoreError),
}

pub(super) struct SubmitOp {
    submission: Submission,
    outcomes: Vec<StoredOutcome>,
    replayed: bool,
    refused: Option<SubmitError>,
    reply: oneshot::Sender<Result<SubmitReply, SubmitError>>,
}

impl Engine {
    /// Stores tasks; returns after they are on the disk.
    pub async fn submit(&self, submission: Submission) -> Result<SubmitReply, SubmitError> {
        let rows = u32::try_from(submission.tasks.len().clamp(1, SUBMIT_ROWS)).unwrap_or(u32::MAX);
        let room = match self.0.inbox.room.try_acquire_many(rows) {
            Ok(room) => room,
            Err(_) => match tokio::time::timeout(PATIENCE, self.0.inbox.room.acquire_many(rows)).await {
                Ok(Ok(room)) => room,
                _ => return Err(SubmitError::Busy),
            },
        };
        let (reply, answer) = oneshot::channel();
        let op = SubmitOp { submission, outcomes: Vec::new(), replayed: false, refused: None, reply };
        self.0.inbox.submit(op).map_err(|_| SubmitError::Closed)?;
        let answer = answer.await.unwrap_or(Err(SubmitError::Closed));
        drop(room);
        answer
    }
}

impl SubmitOp {
    pub(super) fn rows(&self) -> usize {
        self.submission.tasks.len()
    }

    pub(super) fn run(
        &mut self,
        engine: &Engine,
        queues: &Queues,
        tx: &mut dyn Tx,
        now: Millis,
    ) -> Result<(), StoreError> {
        self.outcomes.clear();
        self.refused = None;
        self.replayed = false;
        if let Some(key) = &self.submission.idempotency
            && let Some((stored, outcomes)) = tx.recall(&key.key)?
        {
            if stored.body_hash == key.body_hash {
                self.outcomes = outcomes;
                self.replayed = true;
            } else {
                self.refused = Some(SubmitError::KeyReused);
            }
            return Ok(());
        }
        if !self.ensure_queues(engine, queues, tx, now)? {
            return Ok(());
        }
        if self.submission.atomic {
            tx.savepoint()?;
        }
        self.insert_all(tx)?;
        if self.submission.atomic {
            if self.refused.is_some() {
                return tx.undo();
            }
            tx.keep()?;
        }
        if let Some(key) = &self.submission.idempotency {
            tx.remember(key, &self.outcomes)?;
        }
        Ok(())
    }

    /// False where a queue more would be too many.
    fn ensure_queues(
        &mut self,
        engine: &Engine,
        queues: &Queues,
        tx: &mut dyn Tx,
        now: Millis,
    ) -> Result<bool, StoreError> {
        let new: HashSet<&Arc<str>> =
            self.submission.tasks.iter().map(|task| &task.queue).filter(|queue| !queues.contains(*queue)).collect();
        if new.is_empty() {
            return Ok(true);
        }
        let most = engine.0.settings.max_queues;
        if queues.len() + new.len() > most {
            self.refused = Some(SubmitError::TooManyQueues(most));
            return Ok(false);
        }
        for queue in new {
            tx.ensure_queue(queue, now)?;
        }
        Ok(true)
    }

    fn insert_all(&mut self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        for (index, task) in self.submission.tasks.iter().enumerate() {
            let outcome = match tx.insert(task)? {
                None => StoredOutcome::Created { id: task.id, at: task.created_at },
                Some(holder) if task.unique_conflict == UniqueConflict::Return => {
                    StoredOutcome::Deduplicated { id: holder.0 }
                }
                Some(holder) => {
                    if self.submission.atomic {
                        self.refused.get_or_insert(SubmitError::Conflict { index, holder: holder.0 });
                    }
                    StoredOutcome::Rejected { id: holder.0 }
                }
            };
            self.outcomes.push(outcome);
        }
        Ok(())
    }

    pub(super) fn committed(self, queues: &mut Queues, after: &mut After) {
        let Self { submission, outcomes, replayed, refused, reply } = self;
        if let Some(refused) = refused {
            let _ = reply.send(Err(refused));
            return;
        }
        if !replayed {
            for (task, outcome) in submission.tasks.iter().zip(&outcomes) {
                if !queues.contains(&task.queue) {
                    queues.insert(task.queue.clone());
                }
                if matches!(outcome, StoredOutcome::Created { .. }) {
                    after.changed(task.id, &task.queue, task.first_status());
                    let mark = (task.ready_at(), task.id);
                    after.ready.push(Ready { queue: task.queue.clone(), priority: task.priority, mark });
                }
            }
        }
        let _ = reply.send(Ok(SubmitReply { tasks: submission.tasks, outcomes, replayed }));
    }

    pub(super) fn failed(self, error: &StoreError) {
        let _ = self.reply.send(Err(SubmitError::Store(error.clone())));
    }
}

impl SubmitError {
    /// What the store said, where it was the store.
    pub fn store_kind(&self) -> Option<StoreErrorKind> {
        match self {
            Self::Store(error) => Some(error.kind),
            _ => None,
        }
    }
}
