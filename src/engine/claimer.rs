//! Who claims: this node for its slots, or a worker that asks this node for tasks and runs them elsewhere.

use std::sync::Arc;

use super::{ClaimReply, Engine, Grant, Submission};
use crate::{
    store::StoreError,
    task::{Granted, NewTask, Outcome, Serves, WorkerId},
};

/// In whose name tasks are granted, and which ones it can run.
#[derive(Debug, Clone)]
pub struct Claimer {
    pub worker: WorkerId,
    pub serves: Arc<Serves>,
}

impl Engine {
    /// This node.
    pub fn own_claimer(&self) -> Claimer {
        self.0.own.clone()
    }

    /// Claims up to `want` ready tasks of a queue for this node's own slots. `reply` is called after the commit, on the stage
    /// thread.
    pub fn claim(
        &self,
        queue: Arc<str>,
        want: usize,
        reply: impl FnOnce(Result<ClaimReply, StoreError>) + Send + 'static,
    ) {
        if self.0.own.serves.is_nothing() {
            return reply(Ok(ClaimReply::default()));
        }
        let engine = self.clone();
        self.ask(self.own_claimer(), queue, want, move |answer| reply(answer.map(|answer| engine.held_here(answer))));
    }

    /// Claims tasks for a worker that is not this process: `reply` has them in its hands, on the stage thread. What cannot be
    /// handed on it gives to [`Engine::give_back`]; what it neither hands on nor gives back is under a lease that no slot of
    /// this node knows. That a task has started counts from the grant. Of tasks that have outlived two workers one claim
    /// brings one at most.
    pub fn claim_for(
        &self,
        claimer: Claimer,
        queue: Arc<str>,
        want: usize,
        reply: impl FnOnce(Result<ClaimReply<Granted>, StoreError>) + Send + 'static,
    ) {
        self.ask(claimer, queue, want, reply);
    }

    /// Gives tasks back that were granted to a worker and did not reach it: no attempt is used up. Does not wait for the
    /// commit.
    pub fn give_back(&self, worker: WorkerId, tasks: Vec<Granted>) {
        for task in tasks {
            self.end_for(worker, Arc::new(task), Outcome::Interrupted);
        }
    }

    /// Tasks for which this node has no handler go to the lanes of their names at once: it would come upon them in vain. Where
    /// it runs nothing at all that is not so: then what has a fair key stays in one lane for each key, whatever the names.
    pub(super) fn laid(&self, mut submission: Submission) -> Submission {
        let serves = &self.0.own.serves;
        let is_fair = |task: &NewTask| task.flow.as_ref().is_some_and(|keys| keys.fair_key.is_some());
        let tasks = submission.tasks.iter_mut().filter(|task| !serves.has_name(&task.name));
        for task in tasks.filter(|task| !(serves.is_nothing() && is_fair(task))) {
            task.flow.get_or_insert_default().handler = Some(task.name.clone());
        }
        submission
    }

    fn held_here(&self, answer: ClaimReply<Granted>) -> ClaimReply {
        let ClaimReply { grants, start_by, more, paused, fenced, weight, next_due, blocked_until } = answer;
        let grants = grants.into_iter().map(|task| Grant::new(self.clone(), task, start_by)).collect();
        ClaimReply { grants, start_by, more, paused, fenced, weight, next_due, blocked_until }
    }
}
