//! The verbs of operators and of the periodic duties. Rare, so each is a closure in the next transaction.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{Engine, notice::After, stage::Queues};
use crate::{
    planted::{self, Bug},
    store::{
        Act, Amended, Amendment, Cancelled, Deleted, Pruned, Reader, Reaped, Redriven, ResultChanged, RetentionLimits,
        StoreError, StoreErrorKind, Tx,
    },
    task::{LeaseId, LeaseToken, Millis, Priority, Pulses, Ready, Status, TaskId},
};

/// An operation of the store's that is no submit, claim or finish.
pub(super) trait AdminOp: Send {
    fn run(&mut self, queues: &Queues, tx: &mut dyn Tx, now: Millis) -> Result<(), StoreError>;
    fn ended(self: Box<Self>, result: Result<(), StoreError>, after: &mut After);
}

struct Admin<T, R, A> {
    run: R,
    after: A,
    done: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, R, A> AdminOp for Admin<T, R, A>
where
    T: Send,
    R: FnMut(&mut dyn Tx, Millis) -> Result<T, StoreError> + Send,
    A: FnOnce(&T, &mut After) + Send,
{
    fn run(&mut self, _: &Queues, tx: &mut dyn Tx, now: Millis) -> Result<(), StoreError> {
        self.done = Some((self.run)(tx, now)?);
        Ok(())
    }

    fn ended(self: Box<Self>, result: Result<(), StoreError>, after: &mut After) {
        let Self { after: tell, done, reply, .. } = *self;
        let answer = match (result, done) {
            (Ok(()), Some(done)) => {
                tell(&done, after);
                Ok(done)
            }
            (Err(error), _) => Err(error),
            (Ok(()), None) => return,
        };
        let _ = reply.send(answer);
    }
}

pub(super) fn closed() -> StoreError {
    let store: Arc<str> = "this server".into();
    StoreError::new(StoreErrorKind::Unavailable, &store, "it is shutting down")
}

impl Engine {
    pub(super) async fn admin<T: Send + 'static>(
        &self,
        run: impl FnMut(&mut dyn Tx, Millis) -> Result<T, StoreError> + Send + 'static,
        after: impl FnOnce(&T, &mut After) + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let op = Box::new(Admin { run, after, done: None, reply });
        self.0.inbox.admin(op).map_err(|_| closed())?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Waiting: cancelled at once. Running: noted, and its handler is asked to stop; with `force` it is ended without a grace.
    pub async fn cancel(
        &self,
        id: TaskId,
        reason: Option<String>,
        force: bool,
        act: Act,
    ) -> Result<Cancelled, StoreError> {
        let cancel = move |tx: &mut dyn Tx, now| {
            let done = tx.cancel(id, reason.as_deref(), now)?;
            audited(tx, matches!(done, Cancelled::Done(_) | Cancelled::Asked { again: false }), &act, now)?;
            Ok(done)
        };
        let done = self.admin(cancel, |_, _| {}).await?;
        if matches!(done, Cancelled::Asked { .. }) {
            self.stop_handler(id, force);
        }
        Ok(done)
    }

    /// Runs a task that is over again, as a new generation; with other arguments if some are given.
    pub async fn redrive(
        &self,
        id: TaskId,
        arguments: Option<(String, String)>,
        act: Act,
    ) -> Result<Redriven, StoreError> {
        let again = move |tx: &mut dyn Tx, now| {
            let done = tx.redrive(id, arguments.as_ref(), now)?;
            audited(tx, matches!(done, Redriven::Done(_) | Redriven::Waits(_)), &act, now)?;
            Ok(done)
        };
        self.admin(again, move |done, after| redriven(id, done, after)).await
    }

    /// Deletes a task that is over.
    pub async fn delete(&self, id: TaskId, act: Act) -> Result<Deleted, StoreError> {
        let delete = move |tx: &mut dyn Tx, now| {
            let done = tx.delete(id)?;
            audited(tx, done == Deleted::Done, &act, now)?;
            Ok(done)
        };
        self.admin(delete, |_, _| {}).await
    }

    /// Changes a task that waits.
    pub async fn amend(&self, id: TaskId, change: Amendment, act: Act) -> Result<Amended, StoreError> {
        let tell = |done: &Amended, after: &mut After| {
            if let Amended::Done(_, Some(ready)) = done {
                after.ready.push(ready.clone());
            }
        };
        let amend = move |tx: &mut dyn Tx, now| {
            let done = tx.amend(id, &change, now)?;
            audited(tx, matches!(done, Amended::Done(..)), &act, now)?;
            Ok(done)
        };
        self.admin(amend, tell).await
    }

    pub async fn set_result_ttl(&self, id: TaskId, ttl: Millis, act: Act) -> Result<ResultChanged, StoreError> {
        let set = move |tx: &mut dyn Tx, now| {
            let done = tx.set_result_ttl(id, ttl)?;
            audited(tx, done == ResultChanged::Done, &act, now)?;
            Ok(done)
        };
        self.admin(set, |_, _| {}).await
    }

    pub async fn delete_result(&self, id: TaskId, act: Act) -> Result<ResultChanged, StoreError> {
        let delete = move |tx: &mut dyn Tx, now| {
            let done = tx.delete_result(id)?;
            audited(tx, done == ResultChanged::Done, &act, now)?;
            Ok(done)
        };
        self.admin(delete, |_, _| {}).await
    }

    /// Tells children of the end of their parents, a bounded number; false where none is left to be told.
    pub async fn resolve(&self, limit: usize) -> Result<bool, StoreError> {
        if !blocking_read(self, |reader| reader.has_unresolved()).await? {
            return Ok(false);
        }
        self.admin(move |tx, now| tx.resolve(limit, now), |_, _| {}).await
    }

    /// Ends tasks that were not started in time, a bounded number; false where none is left.
    pub async fn expire(&self, limit: usize) -> Result<bool, StoreError> {
        let now = self.clock().now();
        if blocking_read(self, |reader| reader.next_expiry()).await?.is_none_or(|at| at > now) {
            return Ok(false);
        }
        self.admin(move |tx, now| tx.expire(limit, now), |_, _| {}).await
    }

    /// Renews this node; false where the store holds it to be dead.
    pub async fn beat(&self) -> Result<bool, StoreError> {
        let (worker, (reply, answer)) = (self.worker(), oneshot::channel());
        let run = move |tx: &mut dyn Tx, now| tx.beat(worker, now);
        let op = Box::new(Admin { run, after: |_: &bool, _: &mut After| {}, done: None, reply });
        self.0.inbox.beat(op).map_err(|_| closed())?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    pub async fn set_worker_state(&self, state: &'static str) -> Result<(), StoreError> {
        let worker = self.worker();
        self.admin(move |tx, _| tx.set_worker_state(worker, state), |_, _| {}).await
    }

    /// Takes back what earlier lives of this node held: all other workers of the store, or where it is shared those of this
    /// node. The lock on its data folder is the proof that they are dead; `culprit` is the attempt that is known to have
    /// brought the last one down.
    pub async fn reap_predecessors(
        &self,
        node: Option<String>,
        culprit: Option<LeaseToken>,
    ) -> Result<Reaped, StoreError> {
        let worker = self.worker();
        let tell = |reaped: &Reaped, after: &mut After| after.ready.extend(reaped.requeued.iter().cloned());
        self.admin(move |tx, now| tx.reap_others(Some(worker), node.as_deref(), culprit, now), tell).await
    }

    /// Other nodes may work on the same store.
    pub fn is_shared(&self) -> bool {
        self.reader().kind() != "sqlite"
    }

    /// Stops handlers of tasks here whose cancel was asked for on another node, should its word not have come.
    pub async fn hear_cancels(&self) -> Result<(), StoreError> {
        let ids: Vec<TaskId> = self.held().list().iter().map(|held| held.task.id).collect();
        if ids.is_empty() {
            return Ok(());
        }
        for id in blocking_read(self, move |reader| reader.cancelled_among(&ids)).await? {
            self.0.held.cancel(id, false);
        }
        Ok(())
    }

    /// Looks at the heartbeats of the other nodes, and takes back what those held that have fallen silent.
    pub async fn reap_silent(&self, pulses: &mut Pulses, now: Millis) -> Result<Reaped, StoreError> {
        let own = self.worker();
        let seen = match blocking_read(self, |reader| reader.pulses()).await {
            Ok(seen) => seen,
            Err(error) => {
                pulses.forget();
                return Err(error);
            }
        };
        let mut dead = pulses.look(now, &seen);
        if planted::is(Bug::WallClockReaper) {
            let workers = blocking_read(self, |reader| reader.workers()).await?;
            dead = planted::dead_by_wall_clock(&seen, &workers, self.clock().now());
        }
        let mut all = Reaped::default();
        for pulse in seen.into_iter().filter(|pulse| pulse.worker != own && dead.contains(&pulse.worker)) {
            let tell = |reaped: &Reaped, after: &mut After| after.ready.extend(reaped.requeued.iter().cloned());
            let reaped = self.admin(move |tx, now| tx.reap(&pulse, now), tell).await?;
            all.workers += reaped.workers;
            all.requeued.extend(reaped.requeued);
            all.poisoned.extend(reaped.poisoned);
            all.cancelled.extend(reaped.cancelled);
        }
        Ok(all)
    }

    /// Gives back tasks that the store says this node holds and that are nowhere in it: a crash between claim and run.
    pub async fn release_lost(&self, older_than: Millis) -> Result<usize, StoreError> {
        let before = self.clock().now() - older_than;
        let (engine, worker) = (self.clone(), self.worker());
        let held = blocking(move || engine.reader().held(worker)).await?;
        let lost: Vec<(TaskId, LeaseId)> = held
            .into_iter()
            .filter(|held| held.granted_at < before && !self.held().contains(held.task, held.lease))
            .map(|held| (held.task, held.lease))
            .collect();
        if lost.is_empty() {
            return Ok(0);
        }
        // Most are tasks of a batch that have ended while others of it still run: the store leaves those alone.
        let tell = |released: &Vec<_>, after: &mut After| after.ready.extend(released.iter().cloned());
        let released = self.admin(move |tx, now| tx.release(&lost, now), tell).await?;
        Ok(released.len())
    }

    /// Repairs lost hints of a queue: what the store has ready at the front of each lane is told to the broker again. The
    /// queue is then woken whether the broker thinks it asleep or not: its actor may have died in the midst of a claim.
    pub async fn sweep_queue(&self, queue: &Arc<str>, rows: usize) -> Result<(), StoreError> {
        let (engine, name) = (self.clone(), queue.clone());
        let now = self.clock().now();
        blocking(move || engine.hint_all(&name, rows, now)).await
    }

    /// The same, of what is ready by `until`; blocks.
    pub(super) fn hint_all(&self, queue: &Arc<str>, rows: usize, until: Millis) -> Result<(), StoreError> {
        let mut ready = Vec::new();
        for level in 0..=Priority::MAX {
            let Some(priority) = Priority::new(level) else { continue };
            let marks = self.reader().ready_after(queue, priority, None, rows)?;
            let due = marks.into_iter().filter(|mark| mark.0 <= until);
            ready.extend(due.map(|mark| Ready { queue: queue.clone(), priority, keyed: false, mark }));
        }
        self.wake_peers(&self.broker().hint(&ready));
        if !ready.is_empty() || self.reader().has_laned(queue, until)? {
            self.wake(queue);
        }
        Ok(())
    }

    /// Deletes what is too old, a bounded number of rows.
    pub async fn prune(&self, limits: RetentionLimits, after: Option<TaskId>) -> Result<Pruned, StoreError> {
        self.admin(move |tx, _| tx.prune(&limits, after), |_, _| {}).await
    }

    pub(super) fn wake(&self, queue: &Arc<str>) {
        if let Some(listener) = self.listener() {
            listener.woken(queue);
        }
    }
}

pub(super) fn redriven(id: TaskId, done: &Redriven, after: &mut After) {
    match done {
        Redriven::Done(ready) => {
            after.changed(id, &ready.queue, Status::Queued);
            after.ready.push(ready.clone());
        }
        Redriven::Waits(queue) => after.changed(id, queue, Status::Pending),
        _ => {}
    }
}

/// Writes an act down where it has changed something, in the transaction of the change.
pub(super) fn audited(tx: &mut dyn Tx, changed: bool, act: &Act, now: Millis) -> Result<(), StoreError> {
    if changed { tx.audit(act, now) } else { Ok(()) }
}

pub(super) async fn blocking_read<T: Send + 'static>(
    engine: &Engine,
    read: impl FnOnce(&dyn Reader) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let reader = engine.reader().clone();
    blocking(move || read(&*reader)).await
}

/// A blocking read off the arbiter.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        let store: Arc<str> = "this server".into();
        Err(StoreError::new(StoreErrorKind::Unavailable, &store, format!("a read did not end: {error}")))
    })
}
