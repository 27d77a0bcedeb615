//! What is done to whole workflows.

use super::{
    Engine,
    admin::{audited, redriven},
};
use crate::{
    store::{Act, StoreError, Tx, WorkflowCancelled, WorkflowRetried},
    task::{Millis, TaskId},
};

impl Engine {
    /// Those of its tasks that wait are cancelled at once and together; the handlers of those that run are asked to stop.
    pub async fn cancel_workflow(
        &self,
        id: TaskId,
        reason: Option<String>,
        act: Act,
    ) -> Result<WorkflowCancelled, StoreError> {
        let cancel = move |tx: &mut dyn Tx, now| {
            let done = tx.cancel_workflow(id, reason.as_deref(), now)?;
            audited(tx, matches!(done, WorkflowCancelled::Done { changed: true, .. }), &act, now)?;
            Ok(done)
        };
        let done = self.admin(cancel, |_, _| {}).await?;
        if let WorkflowCancelled::Done { running, .. } = &done {
            running.iter().for_each(|task| self.stop_handler(*task, false));
        }
        Ok(done)
    }

    /// Runs what did not succeed once more; all that can, or nothing.
    pub async fn retry_workflow(&self, id: TaskId, act: Act) -> Result<WorkflowRetried, StoreError> {
        let retry = move |tx: &mut dyn Tx, now: Millis| {
            tx.savepoint()?;
            let done = tx.retry_workflow(id, now)?;
            if !matches!(done, WorkflowRetried::Done { .. }) {
                tx.undo()?;
                return Ok(done);
            }
            tx.keep()?;
            tx.audit(&act, now)?;
            Ok(done)
        };
        let tell = |done: &WorkflowRetried, after: &mut super::notice::After| {
            if let WorkflowRetried::Done { tasks, .. } = done {
                tasks.iter().for_each(|(task, done)| redriven(*task, done, after));
            }
        };
        self.admin(retry, tell).await
    }
}
