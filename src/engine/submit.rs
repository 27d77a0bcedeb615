//! Submit: one transaction for all that wait; conflicts come back per task.

mod whole;

use std::{
    collections::{HashMap, HashSet},
    iter::Peekable,
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{
    Engine,
    bound::{self, NoRoom},
    inbox::SUBMIT_ROWS,
    notice::After,
    stage::{Common, Queues},
};
use crate::{
    store::{IdempotencyKey, Inserted, NewWorkflow, StoreError, StoreErrorKind, StoredOutcome, Tx},
    task::{NewTask, Parent, Status, TaskId, UniqueConflict, graph},
};

/// How long a submission waits for room before it is told to come back later.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one waits for the store, which may be frozen in the midst of it: a statement ends within that time or fails.
const ANSWER: Duration = Duration::from_secs(30);

/// A request to store tasks.
#[derive(Debug, Default)]
pub struct Submission {
    pub tasks: Vec<NewTask>,
    /// All of them or none.
    pub atomic: bool,
    pub idempotency: Option<IdempotencyKey>,
    /// What the tasks are the nodes and callbacks of, parents before their children. Then it is all of them or none, and a
    /// unique key that is held refuses it, whatever its task says.
    pub workflow: Option<NewWorkflow>,
}

/// What became of it. `outcomes` has one entry for each of `tasks`, in order.
#[derive(Debug)]
pub struct SubmitReply {
    pub tasks: Vec<NewTask>,
    pub outcomes: Vec<StoredOutcome>,
    /// The request was answered before; these are the outcomes of then.
    pub replayed: bool,
    /// The workflow that the tasks are of.
    pub workflow: Option<TaskId>,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum SubmitError {
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// An atomic request: the task at this place was refused, so nothing is stored.
    #[error("task {index} was refused: its unique key is held by another task")]
    Conflict { index: usize, holder: TaskId },
    /// Tasks of the request wait for each other in a circle, at these places.
    #[error("tasks {0:?} wait for each other in a circle")]
    Cycle(Vec<usize>),
    /// An atomic request: the task at this place waits for one there is not.
    #[error("task {index} waits for {parent}, which does not exist")]
    NoParent { index: usize, parent: TaskId },
    /// An atomic request: the task at this place would overfill its queue.
    #[error("the queue of task {index} is full")]
    Full { index: usize },
    /// An atomic request: the task at this place is beyond a cap of its queue, which rejects such.
    #[error("tasks that are not over take up all that may run at a time in the queue of task {index}, or of its key")]
    AtCap { index: usize },
    #[error("there are {0} queues already, the most this server keeps")]
    TooManyQueues(usize),
    #[error("{SUBMIT_ROWS} tasks wait to be stored; try again in a moment")]
    Busy,
    #[error("the server is shutting down")]
    Closed,
    #[error(transparent)]
    Store(StoreError),
}

pub(super) struct SubmitOp {
    submission: Submission,
    /// Parents first; `None`: as given.
    order: Option<Vec<usize>>,
    outcomes: Vec<StoredOutcome>,
    replayed: bool,
    refused: Option<SubmitError>,
    /// Parents as they were asked for, of tasks whose parents are others that hold their unique keys: should this
    /// transaction be rolled back and run again, others may hold them.
    asked: Vec<(usize, Vec<Parent>)>,
    /// `None`: it is part of another operation, which asks for what became of it.
    reply: Option<oneshot::Sender<Result<SubmitReply, SubmitError>>>,
    /// Free again when this is gone, not when its caller is.
    _room: Option<OwnedSemaphorePermit>,
}

impl Engine {
    /// Stores tasks; returns after they are on the disk.
    pub async fn submit(&self, submission: Submission) -> Result<SubmitReply, SubmitError> {
        let order = order(&submission.tasks)?;
        let rows = u32::try_from(submission.tasks.len().clamp(1, SUBMIT_ROWS)).unwrap_or(u32::MAX);
        let room = self.0.inbox.room.clone();
        let room = match room.clone().try_acquire_many_owned(rows) {
            Ok(room) => room,
            Err(_) => match tokio::time::timeout(PATIENCE, room.acquire_many_owned(rows)).await {
                Ok(Ok(room)) => room,
                _ => return Err(SubmitError::Busy),
            },
        };
        let (reply, answer) = oneshot::channel();
        let op = SubmitOp { order, reply: Some(reply), _room: Some(room), ..SubmitOp::within(self, submission) };
        self.0.inbox.submit(op).map_err(|_| SubmitError::Closed)?;
        match tokio::time::timeout(ANSWER, answer).await {
            Ok(answer) => answer.unwrap_or(Err(SubmitError::Closed)),
            Err(_) => {
                let message = format!("no answer within {} s", ANSWER.as_secs());
                let store = self.reader().name();
                Err(SubmitError::Store(StoreError::new(StoreErrorKind::Indeterminate, store, message)))
            }
        }
    }
}

/// All that wait. Requests that want nothing but their tasks stored share one statement.
pub(super) fn run(engine: &Engine, queues: &Queues, ops: &mut [SubmitOp], tx: &mut dyn Tx) -> Result<(), StoreError> {
    for ops in ops.chunk_by_mut(|one, next| one.is_plain(engine, queues) && next.is_plain(engine, queues)) {
        if let [only] = ops {
            only.run(engine, queues, tx)?;
            continue;
        }
        let tasks: Vec<_> = ops.iter().flat_map(|op| &op.submission.tasks).collect();
        let mut inserted = tx.insert(&tasks)?.into_iter();
        for op in ops {
            (op.refused, op.replayed) = (None, false);
            op.outcomes = vec![StoredOutcome::Full; op.rows()];
            for (index, inserted) in inserted.by_ref().take(op.rows()).enumerate() {
                op.inserted(index, inserted);
            }
            op.refused = None;
        }
    }
    Ok(())
}

impl SubmitOp {
    /// Tasks without parents that another operation makes.
    pub(super) fn within(engine: &Engine, submission: Submission) -> Self {
        let (outcomes, asked) = Default::default();
        let (order, refused, reply, _room) = (None, None, None, None);
        Self { submission: engine.laid(submission), order, outcomes, replayed: false, refused, asked, reply, _room }
    }

    /// What became of each of its tasks, unless all of them were refused.
    pub(super) fn outcomes(&self) -> Result<&[StoredOutcome], &SubmitError> {
        self.refused.as_ref().map_or(Ok(&self.outcomes), Err)
    }

    pub(super) fn tasks(&self) -> &[NewTask] {
        &self.submission.tasks
    }

    /// It can be stored along with others: to queues there are, without bounds, and each task for itself.
    fn is_plain(&self, engine: &Engine, queues: &Queues) -> bool {
        let to_plain = |task: &NewTask| queues.contains(&task.queue) && !bound::is_bounded(engine, &task.queue);
        !self.submission.atomic
            && self.submission.workflow.is_none()
            && self.submission.idempotency.is_none()
            && self.order.is_none()
            && self.submission.tasks.iter().all(to_plain)
    }

    fn ensure_queues(&self, queues: &Queues, tx: &mut dyn Tx) -> Result<(), StoreError> {
        let stored = self.submission.tasks.iter().zip(&self.outcomes);
        let stored = stored.filter(|(_, outcome)| matches!(outcome, StoredOutcome::Created { .. }));
        let new = stored.map(|(task, _)| task).filter(|task| !queues.contains(&task.queue));
        let new: HashMap<&str, _> = new.map(|task| (&*task.queue, task.created_at)).collect();
        new.into_iter().try_for_each(|(queue, at)| tx.ensure_queue(queue, at))
    }

    /// Nobody waits for it any more.
    pub(super) fn is_given_up(&self) -> bool {
        self.reply.as_ref().is_some_and(oneshot::Sender::is_closed)
    }

    pub(super) fn rows(&self) -> usize {
        self.submission.tasks.len()
    }

    pub(super) fn run(&mut self, engine: &Engine, queues: &Queues, tx: &mut dyn Tx) -> Result<(), StoreError> {
        self.outcomes.clear();
        self.refused = None;
        self.replayed = false;
        if let Some(key) = &self.submission.idempotency
            && let Some((stored, outcomes)) = tx.recall(&key.key)?
        {
            if stored.body_hash == key.body_hash {
                self.recall(outcomes);
                self.replayed = true;
            } else {
                self.refused = Some(SubmitError::KeyReused);
            }
            return Ok(());
        }
        if self.brings_too_many_queues(engine, queues, tx)? {
            return Ok(());
        }
        let is_whole = self.submission.atomic || self.submission.workflow.is_some();
        if is_whole {
            tx.savepoint()?;
        }
        if self.submission.workflow.is_some() {
            self.insert_workflow(engine, tx)?;
        } else {
            self.insert_all(engine, tx)?;
        }
        self.ensure_queues(queues, tx)?;
        if !is_whole {
            // Each is answered for itself.
            self.refused = None;
        } else if self.refused.is_some() {
            return tx.undo();
        } else {
            tx.keep()?;
        }
        // For want of room nothing has been stored: that may be otherwise in a moment. Where anything has, the refusals are
        // part of the answer, or a repeat would store it once more.
        let stored = self.outcomes.iter().any(|outcome| matches!(outcome, StoredOutcome::Created { .. }));
        let room = |outcome: &StoredOutcome| matches!(outcome, StoredOutcome::Full | StoredOutcome::AtCap);
        let passing = !stored && self.outcomes.iter().any(room);
        if let Some(key) = self.submission.idempotency.as_ref().filter(|_| !passing) {
            tx.remember(key, &self.told())?;
        }
        Ok(())
    }

    /// The store is asked, as other nodes make and delete queues too; only for those that are new here, which are few.
    fn brings_too_many_queues(
        &mut self,
        engine: &Engine,
        queues: &Queues,
        tx: &mut dyn Tx,
    ) -> Result<bool, StoreError> {
        let named = self.submission.tasks.iter().map(|task| &task.queue);
        let new: HashSet<&str> = named.filter(|queue| !queues.contains(*queue)).map(|queue| &**queue).collect();
        if new.is_empty() {
            return Ok(false);
        }
        let (most, new) = (engine.0.settings.max_queues, new.into_iter().collect::<Vec<_>>());
        let too_many = tx.queues_besides(&new)? + new.len() as u64 > most as u64;
        if too_many {
            self.refused = Some(SubmitError::TooManyQueues(most));
        }
        Ok(too_many)
    }

    fn insert_all(&mut self, engine: &Engine, tx: &mut dyn Tx) -> Result<(), StoreError> {
        self.outcomes = vec![StoredOutcome::Full; self.submission.tasks.len()];
        for (index, parents) in self.asked.drain(..) {
            self.submission.tasks[index].parents = parents;
        }
        // The order is needed again should this transaction be rolled back and run in parts.
        let order = self.order.clone();
        let mut left = order.unwrap_or_else(|| (0..self.submission.tasks.len()).collect()).into_iter().peekable();
        // A parent whose unique key is held is the holder.
        let mut moved = HashMap::new();
        while left.peek().is_some() {
            let together = self.together(engine, &mut left);
            for &index in &together {
                let parents = &mut self.submission.tasks[index].parents;
                if let Some(others) = graph::moved(parents, &moved) {
                    self.asked.push((index, std::mem::replace(parents, others)));
                }
            }
            if let [only] = together[..]
                && let task = &self.submission.tasks[only]
                && let Some(why) = bound::no_room(engine, tx, &task.queue, &[task])?
            {
                self.no_room(only, why);
                continue;
            }
            let tasks: Vec<_> = together.iter().map(|&index| &self.submission.tasks[index]).collect();
            for (&index, inserted) in together.iter().zip(tx.insert(&tasks)?) {
                match self.inserted(index, inserted) {
                    StoredOutcome::Deduplicated { id } | StoredOutcome::Replaced { id } => {
                        moved.insert(self.submission.tasks[index].id, id);
                    }
                    StoredOutcome::Created { .. } => bound::stored(engine, tx, &self.submission.tasks[index])?,
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// The next tasks that can be stored by one call: none is another's parent, and none goes where the depth is bounded,
    /// unless it is the only one.
    fn together(&self, engine: &Engine, left: &mut Peekable<impl Iterator<Item = usize>>) -> Vec<usize> {
        let tasks = &self.submission.tasks;
        let (mut together, mut ids) = (Vec::new(), HashSet::new());
        while let Some(&next) = left.peek() {
            let bounded = bound::is_bounded(engine, &tasks[next].queue);
            let follows = tasks[next].parents.iter().any(|parent| ids.contains(&parent.id));
            if !together.is_empty() && (bounded || follows) {
                break;
            }
            together.push(next);
            left.next();
            if bounded {
                break;
            }
            if self.order.is_some() {
                ids.insert(tasks[next].id);
            }
        }
        together
    }

    fn no_room(&mut self, index: usize, why: NoRoom) {
        let (outcome, refused) = match why {
            NoRoom::Full => (StoredOutcome::Full, SubmitError::Full { index }),
            NoRoom::AtCap => (StoredOutcome::AtCap, SubmitError::AtCap { index }),
        };
        self.outcomes[index] = outcome;
        self.refused.get_or_insert(refused);
    }

    fn inserted(&mut self, index: usize, inserted: Inserted) -> StoredOutcome {
        let is_workflow = self.submission.workflow.is_some();
        let task = &mut self.submission.tasks[index];
        let outcome = match inserted {
            Inserted::As(status) => {
                task.by_parents = matches!(status, Status::Pending | Status::Skipped).then_some(status);
                StoredOutcome::Created { id: task.id, at: task.created_at, by_parents: task.by_parents }
            }
            Inserted::NoParent(id) => {
                self.refused.get_or_insert(SubmitError::NoParent { index, parent: id });
                StoredOutcome::NoParent { id }
            }
            Inserted::KeyHeld(id)
                if !is_workflow && task.unique.as_ref().is_some_and(|one| one.conflict == UniqueConflict::Return) =>
            {
                StoredOutcome::Deduplicated { id }
            }
            Inserted::Replaced(id) => StoredOutcome::Replaced { id },
            Inserted::KeyHeld(id) => {
                self.refused.get_or_insert(SubmitError::Conflict { index, holder: id });
                StoredOutcome::Rejected { id }
            }
        };
        self.outcomes[index] = outcome;
        outcome
    }

    pub(super) fn committed(self, common: &Common, after: &mut After) {
        let Self { submission, outcomes, replayed, refused, reply, .. } = self;
        if let Some(refused) = refused {
            reply.map(|reply| reply.send(Err(refused)));
            return;
        }
        if !replayed {
            for (task, outcome) in submission.tasks.iter().zip(&outcomes) {
                if matches!(outcome, StoredOutcome::Created { .. }) {
                    common.queue_made(&task.queue);
                    after.changed(task.id, &task.queue, task.first_status());
                    if task.by_parents.is_some() {
                        continue;
                    }
                    after.submitted(task);
                }
            }
        }
        let workflow = submission.workflow.map(|workflow| workflow.id);
        reply.map(|reply| reply.send(Ok(SubmitReply { tasks: submission.tasks, outcomes, replayed, workflow })));
    }

    pub(super) fn failed(self, error: &StoreError) {
        self.reply.map(|reply| reply.send(Err(SubmitError::Store(error.clone()))));
    }
}

/// An order with parents first, where any of the tasks has some.
fn order(tasks: &[NewTask]) -> Result<Option<Vec<usize>>, SubmitError> {
    if tasks.iter().all(|task| task.parents.is_empty()) {
        return Ok(None);
    }
    let order = graph::order(tasks.iter().map(|task| (task.id, task.parents.as_slice())));
    order.map(Some).map_err(SubmitError::Cycle)
}

impl SubmitError {
    /// What the store said, where it was the store.
    pub fn store_kind(&self) -> Option<StoreErrorKind> {
        match self {
            Self::Store(error) => Some(error.kind),
            _ => None,
        }
    }
}
