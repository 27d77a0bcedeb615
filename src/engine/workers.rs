//! Workers: they come, are renewed, are asked to go, and go. Of those that are no nodes also what they hold.

use std::collections::{HashMap, HashSet};

use super::{
    Engine,
    admin::{audited, blocking_read},
    notice::After,
};
use crate::{
    broker::Notice,
    store::{Act, Holding, Renewed, StoreError, Tx, WorkerAsked, WorkerInfo},
    task::{Asked, LeaseToken, Millis, Ready, WorkerId},
};

impl Engine {
    /// A process of its own that will ask for tasks.
    pub async fn register_worker(&self, worker: WorkerInfo) -> Result<(), StoreError> {
        self.admin(move |tx, _| tx.register_worker(&worker), |(), _| {}).await
    }

    /// Asks a worker to start nothing new, to end, or (`None`) to work again. A remote one hears of it with its next heartbeat.
    pub async fn ask_worker(
        &self,
        worker: WorkerId,
        asked: Option<Asked>,
        act: Act,
    ) -> Result<WorkerAsked, StoreError> {
        let ask = move |tx: &mut dyn Tx, now| {
            let done = tx.ask_worker(worker, asked)?;
            audited(tx, done == WorkerAsked::Done { again: false }, &act, now)?;
            Ok(done)
        };
        let done = self.admin(ask, |_, _| {}).await?;
        self.worker_asked(worker);
        self.tell_peers(Notice::WorkersAsked(vec![worker]));
        Ok(done)
    }

    /// What is asked of this node, as the store has it.
    pub async fn asked_of_this_node(&self) -> Result<Option<Asked>, StoreError> {
        let worker = self.worker();
        let row = blocking_read(self, move |reader| reader.worker(worker)).await?;
        Ok(row.and_then(|row| row.asked))
    }

    /// Renews remote workers, each with the memory it holds if it says so.
    pub async fn beat_all(&self, beats: Vec<(WorkerId, Option<u64>)>) -> Result<Vec<Renewed>, StoreError> {
        self.admin(move |tx, now| tx.beat_all(&beats, now), |_, _| {}).await
    }

    /// What these workers hold, by worker.
    pub async fn holdings(&self, workers: Vec<WorkerId>) -> Result<HashMap<WorkerId, Vec<Holding>>, StoreError> {
        let mut by_worker: HashMap<_, Vec<_>> = HashMap::new();
        for holding in blocking_read(self, move |reader| reader.holdings(&workers)).await? {
            by_worker.entry(holding.worker).or_default().push(holding);
        }
        Ok(by_worker)
    }

    /// Of which remote workers something is wanted.
    pub async fn asked_workers(&self) -> Result<HashMap<WorkerId, Asked>, StoreError> {
        Ok(blocking_read(self, |reader| reader.asked_workers()).await?.into_iter().collect())
    }

    /// A worker works no more: what it holds goes back to its queues, and no attempt is used up. False: there is none.
    pub async fn leave(&self, worker: WorkerId) -> Result<bool, StoreError> {
        let tell = |left: &Option<Vec<Ready>>, after: &mut After| after.ready.extend(left.iter().flatten().cloned());
        Ok(self.admin(move |tx, now| tx.leave(worker, now), tell).await?.is_some())
    }

    /// Gives tasks back that never reached the worker they were granted to.
    pub async fn release_unheard(&self, lost: HashSet<LeaseToken>) -> Result<usize, StoreError> {
        let lost: Vec<_> = lost.into_iter().map(|token| (token.task, token.lease)).collect();
        let tell = |released: &Vec<Ready>, after: &mut After| after.ready.extend(released.iter().cloned());
        Ok(self.admin(move |tx, now| tx.release(&lost, now), tell).await?.len())
    }

    /// Moves the deadline of a task that a remote worker holds, at most to `latest`; the new one. `None`: it is not held under
    /// this lease, or has no limit.
    pub async fn extend(&self, token: LeaseToken, by: Millis, latest: Millis) -> Result<Option<Millis>, StoreError> {
        self.admin(move |tx, _| tx.extend(token, by, latest), |_, _| {}).await
    }
}
