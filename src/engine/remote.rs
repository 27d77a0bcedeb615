//! How attempts end that a remote worker made: by what it says, under its lease, to whichever node; or by the clock.

use std::sync::Arc;

use futures_util::future::join_all;

use super::{Engine, FinishError, admin::blocking_read};
use crate::{
    store::{Hold, Leased, Recorded, StoreError, StoreErrorKind},
    task::{ErrorKind, LeaseId, LeaseToken, Millis, Outcome, Status, TaskError, duration},
};

/// Leases looked at in one go.
const OVERDUE: usize = 200;

/// What became of what a worker said of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concluded {
    /// The status the task is in now.
    Done(Status),
    /// It was said before; the task is in this status now.
    Duplicate(Status),
    /// The task is not held under this lease, or not any more: what was said is dropped.
    LeaseLost,
}

impl Engine {
    /// What leases are worth, in their order.
    pub async fn leased(&self, tokens: Vec<LeaseToken>) -> Result<Vec<Leased>, StoreError> {
        blocking_read(self, move |reader| reader.leased(&tokens)).await
    }

    /// Records how attempts ended that others made; what became of each.
    pub async fn conclude(&self, ended: Vec<(Hold, Outcome)>) -> Result<Vec<Concluded>, StoreError> {
        let tokens: Vec<_> = ended.iter().map(|(hold, _)| hold.task.token()).collect();
        let ends = ended.into_iter().map(|(hold, outcome)| {
            let Hold { task, worker, .. } = hold;
            self.finish_for(worker, Arc::new(task), outcome)
        });
        let mut concluded = Vec::with_capacity(tokens.len());
        for (recorded, token) in join_all(ends).await.into_iter().zip(tokens) {
            concluded.push(match recorded {
                Ok(Recorded::Done(status)) => Concluded::Done(status),
                Ok(Recorded::Duplicate) => self.said_before(token).await?,
                Ok(Recorded::LeaseLost) | Err(FinishError::LeaseLost) => Concluded::LeaseLost,
                Err(FinishError::Closed) => return Err(super::admin::closed()),
            });
        }
        Ok(concluded)
    }

    /// Rare: two reports of one attempt have crossed.
    async fn said_before(&self, token: LeaseToken) -> Result<Concluded, StoreError> {
        let now = self.leased(vec![token]).await?.pop();
        Ok(match now {
            Some(Leased::Over(status)) => Concluded::Duplicate(status),
            _ => Concluded::LeaseLost,
        })
    }

    /// Ends attempts that nobody's slot runs and whose time, and the grace after it, is over. Any node may: it is done under
    /// the lease. How many were ended.
    pub async fn end_overdue(&self, grace: Millis) -> Result<usize, StoreError> {
        let now = self.clock().now();
        let due = blocking_read(self, move |reader| reader.overdue(now - grace, OVERDUE)).await?;
        let mut late = Vec::new();
        for overdue in &due {
            let over = overdue.deadlines.iter().filter(|(_, deadline)| deadline + grace <= now);
            late.extend(over.map(|(token, _)| *token));
        }
        let mut ended = Vec::new();
        for leased in self.leased(late).await? {
            if let Leased::Held(hold) = leased {
                let error = out_of_time(&hold);
                ended.push((*hold, Outcome::TimedOut(error)));
            }
        }
        let concluded = self.conclude(ended).await?;
        let next = due.into_iter().map(|overdue| {
            let later = overdue.deadlines.iter().map(|(_, deadline)| *deadline);
            (overdue.lease, later.filter(|deadline| deadline + grace > now).min())
        });
        self.look_again_at(next.collect()).await?;
        Ok(concluded.iter().filter(|one| matches!(one, Concluded::Done(_))).count())
    }

    async fn look_again_at(&self, next: Vec<(LeaseId, Option<Millis>)>) -> Result<(), StoreError> {
        if next.is_empty() {
            return Ok(());
        }
        let set =
            move |tx: &mut dyn crate::store::Tx, _| next.iter().try_for_each(|(lease, due)| tx.set_due(*lease, *due));
        self.admin(set, |(), _| {}).await
    }

    /// Where outcomes are owed already, more are not taken: whoever has them keeps them.
    pub fn takes_outcomes(&self) -> Result<(), StoreError> {
        match self.trouble() {
            Some(trouble) if trouble.error.kind != StoreErrorKind::Refused => Err(trouble.error),
            _ => Ok(()),
        }
    }
}

/// In the words of an attempt that a node has made.
fn out_of_time(hold: &Hold) -> TaskError {
    let allowed = hold.deadline.map_or(0, |deadline| deadline - hold.task.started_at);
    TaskError::new(ErrorKind::Timeout, format!("did not finish within {}", duration::to_text(allowed)))
}
