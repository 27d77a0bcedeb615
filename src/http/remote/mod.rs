//! Remote workers: processes in any language that register, lease tasks, say that they live, and report how attempts ended.
//! Whatever they say goes by the lease, so any node may be told.

mod conclude;
pub(super) mod heartbeat;
pub(super) mod lease;
pub(super) mod note;
mod outcome;
pub(super) mod outcomes;
pub(super) mod register;
pub(super) mod report;

use super::{ApiState, caller::Caller, code::Code, problem::Problem, workers::no_worker};
use crate::{
    store::{Hold, Leased, WorkerRow},
    task::{LeaseToken, WorkerId, WorkerKind},
};

impl ApiState {
    /// One that lives and is no node.
    async fn remote_worker(&self, id: WorkerId) -> Result<WorkerRow, Problem> {
        let found = self.read(move |reader| reader.worker(id)).await?;
        let row = found.filter(|row| row.kind == WorkerKind::Remote).ok_or_else(|| no_worker(id))?;
        if row.is_alive() { Ok(row) } else { Err(worker_dead(&row.state)) }
    }

    /// What leases are worth to a caller, in their order.
    async fn leases(&self, caller: &Caller, tokens: Vec<LeaseToken>) -> Result<Vec<Leased>, Problem> {
        let leased = self.engine.leased(tokens).await?;
        let seen = |leased| match leased {
            Leased::Held(hold) if !caller.sees(&hold.task.queue) => Leased::Lost,
            other => other,
        };
        Ok(leased.into_iter().map(seen).collect())
    }

    /// The attempt that runs under a lease.
    async fn hold(&self, caller: &Caller, token: LeaseToken) -> Result<Hold, Problem> {
        match self.leases(caller, vec![token]).await?.pop() {
            Some(Leased::Held(hold)) => Ok(*hold),
            _ => Err(lease_lost()),
        }
    }
}

fn lease_lost() -> Problem {
    let detail = "The task is not held under this lease, or not any more: it may be running elsewhere";
    Problem::new(Code::LeaseLost, detail)
}

fn worker_dead(state: &str) -> Problem {
    let detail = format!("The worker is {state}, and what it held was taken back: register again");
    Problem::new(Code::WorkerDead, detail)
}

fn draining() -> Problem {
    Problem::later(Code::Draining, "The server is shutting down", 1)
}
