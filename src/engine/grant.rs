//! A grant: the right, and the duty, to end one attempt.

use std::{sync::Arc, time::Instant};

use super::Engine;
use crate::{
    task::{Granted, Outcome},
    work::StopSignal,
};

/// One task in this node's hands. It is ended by [`Grant::finish`]; dropped in any other way (a slot that crashed, a
/// message in the mailbox of one) it goes back to its queue at once, so that no path through the actors loses a task.
pub struct Grant {
    engine: Engine,
    task: Arc<Granted>,
    stop: StopSignal,
    start_by: Option<Instant>,
    finished: bool,
}

impl Grant {
    pub(super) fn new(engine: Engine, task: Granted, start_by: Option<Instant>) -> Self {
        let (task, stop) = (Arc::new(task), StopSignal::default());
        engine.held().add(task.clone(), stop.clone());
        Self { engine, task, stop, start_by, finished: false }
    }

    pub fn task(&self) -> &Arc<Granted> {
        &self.task
    }

    /// By which the handler is asked to stop.
    pub fn stop(&self) -> &StopSignal {
        &self.stop
    }

    /// It may still be started: a rate limit is exact only if starts follow soon after their grants.
    pub fn is_in_time(&self) -> bool {
        self.start_by.is_none_or(|by| Instant::now() <= by)
    }

    /// Says where it runs, for those who look.
    pub fn runs_in(&self, slot: usize) {
        self.engine.held().set_slot(self.task.id, slot);
    }

    /// Hands the outcome over to be recorded. Does not wait for the commit.
    pub fn finish(mut self, outcome: Outcome) {
        self.finished = true;
        self.engine.end(self.task.clone(), outcome);
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        if !self.finished {
            self.stop.interrupt();
            self.engine.end(self.task.clone(), Outcome::Interrupted);
        }
    }
}
