//! Work on many tasks: begun by an operator, done a bounded number at a time, gone on with after a crash.

use super::{
    Engine,
    admin::{audited, blocking_read, redriven},
    notice::After,
};
use crate::{
    store::{
        Act, Action, Among, Cancelled, Deleted, Operation, OperationState, OperationStep, Page, Reader, Redriven,
        StoreError, Tx,
    },
    task::{Millis, TaskId},
};

/// Tasks dealt with in one transaction.
const STEP: usize = 250;

/// What was done to one task.
enum Dealt {
    Cancelled(Cancelled),
    Redriven(Redriven),
    Deleted(Deleted),
}

impl Dealt {
    const fn is_done(&self) -> bool {
        matches!(
            self,
            Self::Cancelled(Cancelled::Done(_) | Cancelled::Asked { .. })
                | Self::Redriven(Redriven::Done(_) | Redriven::Waits(_))
                | Self::Deleted(Deleted::Done)
        )
    }
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stepped {
    pub looked_at: usize,
    pub over: bool,
}

impl Engine {
    /// Begins an operation on all tasks there are now and that its filter matches.
    pub async fn begin_operation(
        &self,
        action: Action,
        among: Among,
        rate: Option<f64>,
        act: Act,
    ) -> Result<Operation, StoreError> {
        let begin = move |tx: &mut dyn Tx, now: Millis| {
            let operation = Operation {
                id: TaskId::new(),
                action,
                among: among.clone(),
                rate,
                state: OperationState::Running,
                position: None,
                done: 0,
                refused: 0,
                created_at: now,
                finished_at: None,
            };
            tx.begin_operation(&operation)?;
            tx.audit(&Act { target: operation.id.to_string(), ..act.clone() }, now)?;
            Ok(operation)
        };
        let operation = self.admin(begin, |_, _| {}).await?;
        if let Some(listener) = self.listener() {
            listener.operation_begun();
        }
        Ok(operation)
    }

    /// False where it does not run.
    pub async fn cancel_operation(&self, id: TaskId, act: Act) -> Result<bool, StoreError> {
        let cancel = move |tx: &mut dyn Tx, now| {
            let done = tx.cancel_operation(id, now)?;
            audited(tx, done, &act, now)?;
            Ok(done)
        };
        self.admin(cancel, |_, _| {}).await
    }

    /// Deals with the next tasks of an operation, at most `most` of them.
    pub async fn step_operation(&self, operation: &Operation, most: usize) -> Result<Stepped, StoreError> {
        let (wanted, most) = (operation.clone(), most.min(STEP));
        let (tasks, next) = blocking_read(self, move |reader| candidates(reader, &wanted, most)).await?;
        let (looked_at, over) = (tasks.len(), next.is_none());
        let step = OperationStep {
            id: operation.id,
            action: operation.action,
            from: operation.position,
            to: next.or(tasks.last().copied()).or(operation.position),
            last: over,
            tasks,
        };
        let tasks = step.tasks.clone();
        let run = move |tx: &mut dyn Tx, now: Millis| {
            tx.savepoint()?;
            let dealt = deal(tx, step.action, &step.tasks, now)?;
            let done = dealt.iter().filter(|dealt| dealt.is_done()).count() as u64;
            if tx.advance_operation(&step, done, now)? {
                tx.keep()?;
                return Ok(dealt);
            }
            // It was cancelled meanwhile, or somebody else has done these.
            tx.undo()?;
            Ok(Vec::new())
        };
        self.dealt(tasks, run).await?;
        Ok(Stepped { looked_at, over })
    }

    /// Does the same at once to a few tasks; how many of them it was done to. `act` is written down for each of those.
    pub async fn deal_with(&self, action: Action, tasks: Vec<TaskId>, act: Act) -> Result<usize, StoreError> {
        let meant = tasks.clone();
        let run = move |tx: &mut dyn Tx, now: Millis| {
            let dealt = deal(tx, action, &tasks, now)?;
            for (id, _) in tasks.iter().zip(&dealt).filter(|(_, dealt)| dealt.is_done()) {
                tx.audit(&Act { target: id.to_string(), ..act.clone() }, now)?;
            }
            Ok(dealt)
        };
        let dealt = self.dealt(meant, run).await?;
        Ok(dealt.iter().filter(|dealt| dealt.is_done()).count())
    }

    async fn dealt(
        &self,
        tasks: Vec<TaskId>,
        run: impl FnMut(&mut dyn Tx, Millis) -> Result<Vec<Dealt>, StoreError> + Send + 'static,
    ) -> Result<Vec<Dealt>, StoreError> {
        let told = tasks.clone();
        let dealt = self.admin(run, move |dealt, after| tell(&told, dealt, after)).await?;
        for (id, dealt) in tasks.iter().zip(&dealt) {
            if matches!(dealt, Dealt::Cancelled(Cancelled::Asked { .. })) {
                self.stop_handler(*id, false);
            }
        }
        Ok(dealt)
    }
}

fn candidates(
    reader: &dyn Reader,
    operation: &Operation,
    most: usize,
) -> Result<(Vec<TaskId>, Option<TaskId>), StoreError> {
    let page = Page { limit: most, from: operation.position, backwards: false, ascending: true };
    match &operation.among {
        Among::Tasks(filter) => {
            // Those that came later are not meant.
            let before = filter.created_before.map_or(operation.created_at, |at| at.min(operation.created_at));
            let filter = crate::store::TaskFilter { created_before: Some(before + 1), ..filter.clone() };
            let page = reader.tasks(&filter, &page)?;
            Ok((page.rows.iter().map(|row| row.id).collect(), page.next))
        }
        Among::DeadLetters(filter) => {
            let page = reader.dead_letters(filter, &page)?;
            let meant = page.rows.iter().filter(|row| row.died_at <= operation.created_at);
            Ok((meant.map(|row| row.task_id).collect(), page.next))
        }
    }
}

fn deal(tx: &mut dyn Tx, action: Action, tasks: &[TaskId], now: Millis) -> Result<Vec<Dealt>, StoreError> {
    let one = |id: &TaskId| {
        Ok(match action {
            Action::Cancel => Dealt::Cancelled(tx.cancel(*id, None, now)?),
            Action::Retry | Action::Redrive => Dealt::Redriven(tx.redrive(*id, None, now)?),
            Action::Delete | Action::Discard => Dealt::Deleted(tx.delete(*id)?),
        })
    };
    tasks.iter().map(one).collect()
}

fn tell(tasks: &[TaskId], dealt: &[Dealt], after: &mut After) {
    for (id, dealt) in tasks.iter().zip(dealt) {
        if let Dealt::Redriven(done) = dealt {
            redriven(*id, done, after);
        }
    }
}
