//! An outcome the store has not taken yet, as it is written down, and how the next life of this node records it.

use std::{path::Path, sync::Arc, time::Duration};

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::{Engine, finish::FinishOp};
use crate::{
    store::{Recorded, StoreError, StoreErrorKind},
    task::{Granted, LeaseId, Millis, Priority, TaskId, Verdict, WorkerId},
};

/// How long a start waits until the store has taken what is owed.
const PATIENCE: Duration = Duration::from_secs(30);

/// How an attempt ended, with what the store needs to know of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Owed {
    worker: WorkerId,
    task: TaskId,
    lease: LeaseId,
    name: String,
    queue: String,
    priority: u8,
    attempt: u32,
    failures: u32,
    crashes: u32,
    #[serde(default)]
    expires_at: Option<Millis>,
    generation: u32,
    #[serde(default)]
    keyed: bool,
    #[serde(default)]
    workflow: Option<TaskId>,
    ready_at: Millis,
    started_at: Millis,
    verdict: Verdict,
}

impl Owed {
    pub(super) fn new(worker: WorkerId, task: &Granted, verdict: &Verdict) -> Self {
        Self {
            worker,
            task: task.id,
            lease: task.lease,
            name: task.name.clone(),
            queue: task.queue.to_string(),
            priority: task.priority.level(),
            attempt: task.attempt,
            failures: task.failures,
            crashes: task.crashes,
            expires_at: task.expires_at,
            generation: task.generation,
            keyed: task.keyed,
            workflow: task.workflow,
            ready_at: task.ready_at,
            started_at: task.started_at,
            verdict: verdict.clone(),
        }
    }

    /// The attempt as its end needs it, who made it, and how it ended.
    pub(super) fn parts(self) -> (Granted, WorkerId, Verdict) {
        let task = Granted {
            id: self.task,
            lease: self.lease,
            name: self.name,
            queue: self.queue.into(),
            priority: Priority::new(self.priority).unwrap_or_default(),
            args: String::new(),
            kwargs: String::new(),
            meta: None,
            attempt: self.attempt,
            failures: self.failures,
            crashes: self.crashes,
            snoozes: 0,
            max_retries: 0,
            retry: None,
            timeout_ms: None,
            expires_at: self.expires_at,
            generation: self.generation,
            keyed: self.keyed,
            parents: 0,
            workflow: self.workflow,
            has_dependants: false,
            ready_at: self.ready_at,
            started_at: self.started_at,
        };
        (task, self.worker, self.verdict)
    }
}

impl Engine {
    /// Records what an earlier life of this node has left in its spool. Before its leases are taken back, or its tasks would
    /// run again. Where a task was taken back meanwhile the lease is no longer the task's, and the outcome is dropped.
    pub async fn replay(&self, spool: &Path) -> Result<(), StoreError> {
        let left = self.take_left();
        if left.is_empty() {
            return Ok(());
        }
        let all = left.len();
        let answers: Vec<_> = left.into_iter().map(|owed| self.record(owed)).collect();
        let answers = tokio::time::timeout(PATIENCE, join_all(answers)).await.map_err(|_| {
            let message = format!(
                "has not taken the {all} outcomes that wait in {} within {} s; they stay there until the next start",
                spool.display(),
                PATIENCE.as_secs()
            );
            StoreError::new(StoreErrorKind::Unavailable, self.reader().name(), message)
        })?;
        let recorded = answers.iter().filter(|answer| matches!(answer, Ok(Recorded::Done(_)))).count();
        log::warn!(
            recorded, dropped = all - recorded;
            "Outcomes that the store could not take in an earlier life of this node were recorded from {}", spool.display()
        );
        Ok(())
    }

    fn record(&self, owed: Owed) -> oneshot::Receiver<Recorded> {
        let (task, worker, verdict) = owed.parts();
        let (reply, answer) = oneshot::channel();
        self.hand_over(FinishOp::replayed(Arc::new(task), worker, verdict, reply));
        answer
    }
}
