//! Finish: what an outcome means, recorded while the lease holds.

use std::sync::{Arc, atomic::Ordering};

use tokio::sync::oneshot;

use super::{Engine, notice::After, owed::Owed};
use crate::{
    store::{Finished, Recorded, StoreError, Tx},
    task::{
        DeadReason, ErrorKind, Granted, Millis, Outcome, Ready, Status, TaskError, Verdict, WorkerId, outcome::decide,
    },
};

/// Why an outcome was not recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FinishError {
    /// The task is no longer held under this lease; the outcome is dropped.
    #[error("the lease is lost: the task was taken back and may be running elsewhere")]
    LeaseLost,
    #[error("the server is shutting down")]
    Closed,
}

pub(super) struct FinishOp {
    task: Arc<Granted>,
    /// Who made the attempt: this node, or an earlier life of it.
    worker: WorkerId,
    verdict: Verdict,
    recorded: Option<Recorded>,
    /// It is in the spool.
    pub(super) spooled: bool,
    reply: Option<oneshot::Sender<Recorded>>,
}

impl Engine {
    /// Hands an outcome over; the commit follows.
    pub(super) fn end(&self, task: Arc<Granted>, outcome: Outcome) {
        self.end_for(self.worker(), task, outcome);
    }

    /// Of a task that another worker has.
    pub(super) fn end_for(&self, worker: WorkerId, task: Arc<Granted>, outcome: Outcome) {
        let verdict = self.decide(&task, outcome);
        self.hand_over(FinishOp { task, worker, verdict, recorded: None, spooled: false, reply: None });
    }

    pub(super) fn hand_over(&self, op: FinishOp) {
        self.0.outcomes.fetch_add(1, Ordering::Relaxed);
        if self.0.inbox.finish(op).is_err() {
            self.settled(1);
            log::warn!("An outcome came after the shutdown; the next start runs its task again");
        }
    }

    /// Outcomes that wait no longer.
    pub(super) fn settled(&self, outcomes: usize) {
        self.0.outcomes.fetch_sub(outcomes, Ordering::Relaxed);
    }

    /// Hands an outcome over and waits for what the store says.
    pub async fn finish(&self, task: Arc<Granted>, outcome: Outcome) -> Result<Recorded, FinishError> {
        self.finish_for(self.worker(), task, outcome).await
    }

    /// The same for a task that another worker has.
    pub async fn finish_for(
        &self,
        worker: WorkerId,
        task: Arc<Granted>,
        outcome: Outcome,
    ) -> Result<Recorded, FinishError> {
        let (reply, recorded) = oneshot::channel();
        let verdict = self.decide(&task, outcome);
        self.hand_over(FinishOp { task, worker, verdict, recorded: None, spooled: false, reply: Some(reply) });
        match recorded.await {
            Ok(Recorded::LeaseLost) => Err(FinishError::LeaseLost),
            Ok(recorded) => Ok(recorded),
            Err(_) => Err(FinishError::Closed),
        }
    }

    fn decide(&self, task: &Granted, outcome: Outcome) -> Verdict {
        decide(task, outcome, &self.0.settings.retry, self.clock().now(), fastrand::f64())
    }
}

pub(super) fn run(ops: &mut [FinishOp], tx: &mut dyn Tx, now: Millis) -> Result<(), StoreError> {
    if ops.is_empty() {
        return Ok(());
    }
    let item = |op| {
        let FinishOp { task, worker, verdict, .. }: &FinishOp = op;
        Finished { task, worker: *worker, verdict }
    };
    let items: Vec<_> = ops.iter().map(item).collect();
    let recorded = tx.finish(&items, now)?;
    for (op, recorded) in ops.iter_mut().zip(recorded) {
        op.recorded = Some(recorded);
    }
    Ok(())
}

/// The store will not take these as they are (a result it cannot keep): recorded as failures instead, so that they end. How
/// many of the spool were given up.
pub(super) fn refused(engine: &Engine, ops: Vec<FinishOp>, error: &StoreError) -> usize {
    let mut given_up = 0;
    for op in ops {
        let told = matches!(&op.verdict, Verdict::Dead { error, .. } if error.kind == ErrorKind::Output);
        if told {
            log::error!(task = op.task.id.to_string().as_str(); "The outcome of a task cannot be recorded: {error}");
            engine.held().remove(op.task.id, op.task.lease);
            engine.meter().given_up(&op.task.queue, engine.clock().now());
            engine.settled(1);
            given_up += usize::from(op.spooled);
            continue;
        }
        let message = format!("the store refused the outcome: {}", error.message);
        let failure = TaskError::new(ErrorKind::Output, message);
        let verdict = Verdict::Dead { status: Status::Failed, reason: DeadReason::NotRetryable, error: failure };
        engine.0.inbox.put_back(vec![FinishOp { verdict, recorded: None, ..op }]);
    }
    given_up
}

impl FinishOp {
    /// One of an earlier life of this node, from the spool.
    pub(super) const fn replayed(
        task: Arc<Granted>,
        worker: WorkerId,
        verdict: Verdict,
        reply: oneshot::Sender<Recorded>,
    ) -> Self {
        Self { task, worker, verdict, recorded: None, spooled: true, reply: Some(reply) }
    }

    pub(super) fn owed(&self) -> Owed {
        Owed::new(self.worker, &self.task, &self.verdict)
    }

    pub(super) const fn worker(&self) -> WorkerId {
        self.worker
    }

    /// The attempt that has ended, and the status recorded of it, if it was.
    pub(super) fn ended(&self) -> (&Granted, Option<Status>) {
        let status = self.recorded.and_then(|recorded| match recorded {
            Recorded::Done(status) => Some(status),
            Recorded::Duplicate | Recorded::LeaseLost => None,
        });
        (&self.task, status)
    }

    pub(super) fn committed(self, engine: &Engine, after: &mut After) {
        let Self { task, worker, verdict, recorded, reply, .. } = self;
        engine.settled(1);
        engine.held().remove(task.id, task.lease);
        let recorded = recorded.unwrap_or(Recorded::LeaseLost);
        match recorded {
            Recorded::Done(status) => {
                let failed = status == Status::Retry || status.is_dead();
                let own = worker == engine.worker();
                engine.0.processed.fetch_add(u64::from(own), Ordering::Relaxed);
                engine.0.failed.fetch_add(u64::from(own && failed), Ordering::Relaxed);
                after.changed(task.id, &task.queue, status);
                after.ready.extend(ready_again(&task, &verdict, status));
            }
            Recorded::Duplicate => {}
            Recorded::LeaseLost => {
                engine.0.lost_leases.fetch_add(1, Ordering::Relaxed);
                log::warn!(
                    task = task.id.to_string().as_str(), attempt = task.attempt;
                    "An outcome came after its lease was taken away and is dropped"
                );
            }
        }
        if let Some(reply) = reply {
            let _ = reply.send(recorded);
        }
    }
}

/// Where the task waits from now on, if it does.
fn ready_again(task: &Granted, verdict: &Verdict, status: Status) -> Option<Ready> {
    let at = match verdict {
        Verdict::Retry { at, .. } if status == Status::Retry => *at,
        Verdict::Snooze { at } if status == Status::Scheduled => *at,
        Verdict::Release if status == Status::Queued => task.ready_at,
        _ => return None,
    };
    Some(Ready { queue: task.queue.clone(), priority: task.priority, keyed: task.keyed, mark: (at, task.id) })
}
