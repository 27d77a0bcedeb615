//! Operations that make tasks: these go the way of every submission, within the transaction of what makes them.

use tokio::sync::oneshot;

use super::{
    Engine, Submission,
    admin::{AdminOp, closed},
    notice::After,
    stage::Queues,
    submit::SubmitOp,
};
use crate::{
    store::{StoreError, StoredOutcome, Tx},
    task::{Millis, NewTask, TaskId},
};

/// What became of a task that was to be made.
pub(super) type Made = Result<TaskId, String>;

/// Stores tasks within a transaction.
pub(super) struct Maker<'a> {
    engine: &'a Engine,
    queues: &'a Queues,
    ops: &'a mut Vec<SubmitOp>,
}

impl Maker<'_> {
    pub(super) fn engine(&self) -> &Engine {
        self.engine
    }

    /// The task that holds the unique key counts for the one that was to be made.
    pub(super) fn make(&mut self, tx: &mut dyn Tx, tasks: Vec<NewTask>) -> Result<Vec<Made>, StoreError> {
        if tasks.is_empty() {
            return Ok(Vec::new());
        }
        match self.store(tx, tasks.clone())? {
            Ok(made) => Ok(made),
            Err(_) if tasks.len() > 1 => tasks.into_iter().map(|task| self.alone(tx, task)).collect(),
            Err(why) => Ok(vec![Err(why)]),
        }
    }

    /// What is wrong with one is not to be in the way of the others.
    fn alone(&mut self, tx: &mut dyn Tx, task: NewTask) -> Result<Made, StoreError> {
        let made = self.store(tx, vec![task])?;
        Ok(made.and_then(|made| made.into_iter().next().unwrap_or_else(|| Err("was not stored".into()))))
    }

    /// An error within: none of them is stored, and why.
    fn store(&mut self, tx: &mut dyn Tx, tasks: Vec<NewTask>) -> Result<Result<Vec<Made>, String>, StoreError> {
        let mut op = SubmitOp::within(self.engine, Submission { tasks, ..Submission::default() });
        tx.savepoint()?;
        if let Err(error) = op.run(self.engine, self.queues, tx) {
            if !error.is_refusal() {
                return Err(error);
            }
            tx.undo()?;
            log::error!("The store refuses the task of a schedule: {error}");
            return Ok(Err("the store refuses it".into()));
        }
        tx.keep()?;
        let made = match op.outcomes() {
            Err(refused) => return Ok(Err(refused.to_string())),
            Ok(outcomes) => outcomes.iter().zip(op.tasks()).map(|(outcome, task)| made(*outcome, task)).collect(),
        };
        self.ops.push(op);
        Ok(Ok(made))
    }
}

fn made(outcome: StoredOutcome, task: &NewTask) -> Made {
    match outcome {
        StoredOutcome::Created { id, .. } | StoredOutcome::Deduplicated { id } | StoredOutcome::Replaced { id } => {
            Ok(id)
        }
        StoredOutcome::Rejected { id } => Err(format!("its unique key is held by task {id}")),
        StoredOutcome::NoParent { id } => Err(format!("there is no task {id}, for which it waits")),
        StoredOutcome::AtCap => {
            Err(format!("tasks that are not over take up all of a cap of queue {:?} (at_cap)", &*task.queue))
        }
        StoredOutcome::Full => {
            Err(format!("as many tasks wait in queue {:?} as it may hold (max_depth)", &*task.queue))
        }
    }
}

struct Making<T, R> {
    engine: Engine,
    run: R,
    ops: Vec<SubmitOp>,
    done: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, R> AdminOp for Making<T, R>
where
    T: Send,
    R: FnMut(&mut Maker<'_>, &mut dyn Tx, Millis) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, queues: &Queues, tx: &mut dyn Tx, now: Millis) -> Result<(), StoreError> {
        self.ops.clear();
        let mut maker = Maker { engine: &self.engine, queues, ops: &mut self.ops };
        self.done = Some((self.run)(&mut maker, tx, now)?);
        Ok(())
    }

    fn ended(self: Box<Self>, result: Result<(), StoreError>, after: &mut After) {
        let Self { engine, ops, done, reply, .. } = *self;
        let answer = match (result, done) {
            (Ok(()), Some(done)) => {
                ops.into_iter().for_each(|op| op.committed(&engine.0.common, after));
                Ok(done)
            }
            (Err(error), _) => Err(error),
            (Ok(()), None) => return,
        };
        let _ = reply.send(answer);
    }
}

impl Engine {
    pub(super) async fn making<T: Send + 'static>(
        &self,
        run: impl FnMut(&mut Maker<'_>, &mut dyn Tx, Millis) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let op = Box::new(Making { engine: self.clone(), run, ops: Vec::new(), done: None, reply });
        self.0.inbox.admin(op).map_err(|_| closed())?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }
}
