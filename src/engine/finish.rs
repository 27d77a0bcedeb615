//! Finish: what an outcome means, recorded while the lease holds.

use std::sync::{Arc, atomic::Ordering};

use tokio::sync::oneshot;

use super::{Engine, notice::After};
use crate::{
    store::{Finished, Recorded, StoreError, Tx},
    task::{DeadReason, ErrorKind, Granted, Millis, Outcome, Ready, Status, TaskError, Verdict, outcome::decide},
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
    verdict: Verdict,
    recorded: Option<Recorded>,
    reply: Option<oneshot::Sender<Recorded>>,
}

impl Engine {
    /// Hands an outcome over; the commit follows.
    pub(super) fn end(&self, task: Arc<Granted>, outcome: Outcome) {
        let verdict = self.decide(&task, outcome);
        let op = FinishOp { task, verdict, recorded: None, reply: None };
        if self.0.inbox.finish(op).is_err() {
            log::warn!("An outcome came after the shutdown; the next start runs its task again");
        }
    }

    /// Hands an outcome over and waits for what the store says.
    pub async fn finish(&self, task: Arc<Granted>, outcome: Outcome) -> Result<Recorded, FinishError> {
        let (reply, recorded) = oneshot::channel();
        let verdict = self.decide(&task, outcome);
        let op = FinishOp { task, verdict, recorded: None, reply: Some(reply) };
        self.0.inbox.finish(op).map_err(|_| FinishError::Closed)?;
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

pub(super) fn run(engine: &Engine, ops: &mut [FinishOp], tx: &mut dyn Tx, now: Millis) -> Result<(), StoreError> {
    if ops.is_empty() {
        return Ok(());
    }
    let worker = engine.worker();
    let items: Vec<_> = ops.iter().map(|op| Finished { task: &op.task, worker, verdict: &op.verdict }).collect();
    let recorded = tx.finish(&items, now)?;
    for (op, recorded) in ops.iter_mut().zip(recorded) {
        op.recorded = Some(recorded);
    }
    Ok(())
}

/// The store will not take these as they are (a result it cannot keep): recorded as failures instead, so that they end.
pub(super) fn refused(engine: &Engine, ops: Vec<FinishOp>, error: &StoreError) {
    for op in ops {
        let told = matches!(&op.verdict, Verdict::Dead { error, .. } if error.kind == ErrorKind::Output);
        if told {
            log::error!(task = op.task.id.to_string().as_str(); "The outcome of a task cannot be recorded: {error}");
            engine.held().remove(op.task.id, op.task.lease);
            engine.meter().given_up(&op.task.queue, engine.clock().now());
            continue;
        }
        let message = format!("the store refused the outcome: {}", error.message);
        let failure = TaskError::new(ErrorKind::Output, message);
        let verdict = Verdict::Dead { status: Status::Failed, reason: DeadReason::NotRetryable, error: failure };
        engine.0.inbox.put_back(vec![FinishOp { verdict, recorded: None, ..op }]);
    }
}

impl FinishOp {
    /// The attempt that has ended, and the status recorded of it, if it was.
    pub(super) fn ended(&self) -> (&Granted, Option<Status>) {
        let status = self.recorded.and_then(|recorded| match recorded {
            Recorded::Done(status) => Some(status),
            Recorded::Duplicate | Recorded::LeaseLost => None,
        });
        (&self.task, status)
    }

    pub(super) fn committed(self, engine: &Engine, after: &mut After) {
        let Self { task, verdict, recorded, reply } = self;
        engine.held().remove(task.id, task.lease);
        let recorded = recorded.unwrap_or(Recorded::LeaseLost);
        match recorded {
            Recorded::Done(status) => {
                engine.0.processed.fetch_add(1, Ordering::Relaxed);
                engine.0.failed.fetch_add(u64::from(status == Status::Retry || status.is_dead()), Ordering::Relaxed);
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
        Verdict::Release if status == Status::Queued => task.ready_at,
        _ => return None,
    };
    Some(Ready { queue: task.queue.clone(), priority: task.priority, mark: (at, task.id) })
}
