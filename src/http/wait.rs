//! Waiting for a task to be over, on behalf of a client.

use std::{pin::pin, time::Duration};

use super::{ApiState, caller::Caller, problem::Problem};
use crate::{store::TaskRow, task::TaskId};

/// How often the long requests look whether the server drains: it has no other way to tell them.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A task may end on another node, and what that one tells may be lost: so often it is looked up all the same.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl ApiState {
    /// The task once it is over, or as it is when the patience ends or the server drains. `None`: there is no such task.
    pub(super) async fn wait_for(
        &self,
        caller: &Caller,
        id: TaskId,
        patience: Duration,
    ) -> Result<Option<TaskRow>, Problem> {
        let over = tokio::time::Instant::now() + patience;
        loop {
            let now = tokio::time::Instant::now();
            // The interest is registered before the task is read, so that its end cannot fall between the two.
            let watch = self.engine.watch(id);
            let mut ended = pin!(watch.ended());
            ended.as_mut().enable();
            let row = self.read(move |reader| reader.task(id)).await?;
            caller.check_still_good(self)?;
            if row.as_ref().is_none_or(|row| row.status.is_terminal()) || self.is_draining() || now >= over {
                return Ok(row);
            }
            let until = if self.engine.has_peers() { over.min(now + LOOK_AGAIN) } else { over };
            tokio::select! {
                () = ended => {}
                () = tokio::time::sleep_until(until) => {}
                () = self.drained() => return Ok(row),
            }
        }
    }

    /// Completes when the server drains.
    pub(super) async fn drained(&self) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        while !self.is_draining() {
            look.tick().await;
        }
    }
}
