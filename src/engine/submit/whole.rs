//! A workflow is stored as one: all of its tasks by one statement, or nothing.

use std::collections::BTreeMap;

use super::{Submission, SubmitOp};
use crate::{
    engine::{Engine, bound},
    store::{StoreError, StoredOutcome, Tx},
    task::NewTask,
};

impl SubmitOp {
    /// What is remembered of the answer: the workflow comes after its tasks.
    pub(super) fn told(&self) -> Vec<StoredOutcome> {
        let whole = self.submission.workflow.as_ref();
        let whole = whole.map(|new| StoredOutcome::Created { id: new.id, at: new.created_at, by_parents: None });
        self.outcomes.iter().copied().chain(whole).collect()
    }

    pub(super) fn recall(&mut self, mut told: Vec<StoredOutcome>) {
        if let Some(workflow) = &mut self.submission.workflow
            && let Some(StoredOutcome::Created { id, .. }) = told.pop()
        {
            workflow.id = id;
        }
        self.outcomes = told;
    }

    /// In one call, however deep its graph is.
    pub(super) fn insert_workflow(&mut self, engine: &Engine, tx: &mut dyn Tx) -> Result<(), StoreError> {
        self.outcomes = vec![StoredOutcome::Full; self.rows()];
        let Submission { tasks, workflow: Some(workflow), .. } = &self.submission else { return Ok(()) };
        let mut bounded: BTreeMap<&str, (usize, Vec<&NewTask>)> = BTreeMap::new();
        for (index, task) in tasks.iter().enumerate().filter(|(_, task)| bound::is_bounded(engine, &task.queue)) {
            bounded.entry(&task.queue).or_insert((index, Vec::new())).1.push(task);
        }
        for (queue, (index, within)) in &bounded {
            if let Some(why) = bound::no_room(engine, tx, queue, within)? {
                let index = *index;
                self.no_room(index, why);
                return Ok(());
            }
        }
        tx.begin_workflow(workflow, tasks)?;
        let inserted = tx.insert(&tasks.iter().collect::<Vec<_>>())?;
        for task in bounded.into_values().flat_map(|(_, within)| within) {
            bound::stored(engine, tx, task)?;
        }
        for (index, inserted) in inserted.into_iter().enumerate() {
            self.inserted(index, inserted);
        }
        Ok(())
    }
}
