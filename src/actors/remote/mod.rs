//! Remote workers: processes of their own that ask for tasks over the API. Their requests come in at the [`RemoteHub`]; two
//! actors answer them, [`Polls`] those for tasks and [`Beats`] the heartbeats. Neither holds anything that is not in the
//! store or asked for again by its worker: any node may answer any of them.

mod beats;
mod group;
mod orders;
mod polls;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::sync::{Notify, oneshot};

pub use beats::{Beat, Beaten, Beats};
pub use orders::Orders;
pub use polls::{Brought, InHand, Poll, Polls};

use crate::task::{Serves, TaskId, WorkerId};

/// Where the requests of remote workers come in. Cheap to clone.
#[derive(Clone)]
pub struct RemoteHub(Arc<Shared>);

struct Shared {
    heartbeat: Duration,
    grace: Duration,
    polls: Inbox<polls::Call>,
    beats: Inbox<beats::Call>,
    queues: Mutex<Queues>,
    serves: Mutex<HashMap<i64, Weak<Serves>>>,
}

/// Of which queues polls wait for tasks, and of which there may be some since they were last looked at.
#[derive(Default)]
struct Queues {
    followed: HashSet<Arc<str>>,
    woken: HashSet<Arc<str>>,
}

/// What waits for an actor, whichever life of it.
struct Inbox<T> {
    calls: Mutex<Vec<T>>,
    rouse: Notify,
}

impl<T> Default for Inbox<T> {
    fn default() -> Self {
        Self { calls: Mutex::default(), rouse: Notify::new() }
    }
}

/// Nothing under these locks can panic half way.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T> Inbox<T> {
    fn put(&self, call: T) {
        lock(&self.calls).push(call);
        self.rouse.notify_one();
    }

    fn take(&self) -> Vec<T> {
        std::mem::take(&mut *lock(&self.calls))
    }
}

impl RemoteHub {
    /// `heartbeat`: how often workers are to say that they live; `grace`: how long one may take to stop a task.
    pub fn new(heartbeat: Duration, grace: Duration) -> Self {
        Self(Arc::new(Shared {
            heartbeat,
            grace,
            polls: Inbox::default(),
            beats: Inbox::default(),
            queues: Mutex::default(),
            serves: Mutex::default(),
        }))
    }

    pub fn heartbeat(&self) -> Duration {
        self.0.heartbeat
    }

    pub fn grace(&self) -> Duration {
        self.0.grace
    }

    /// Waits for tasks on behalf of a worker. Whoever drops the answer's receiver waits no longer; what is granted too late
    /// goes back at once.
    pub fn poll(&self, poll: impl FnOnce(oneshot::Sender<Brought>) -> Poll) -> oneshot::Receiver<Brought> {
        let (reply, answer) = oneshot::channel();
        self.0.polls.put(polls::Call::Poll(poll(reply)));
        answer
    }

    pub fn beat(&self, beat: impl FnOnce(oneshot::Sender<Beaten>) -> Beat) -> oneshot::Receiver<Beaten> {
        let (reply, answer) = oneshot::channel();
        self.0.beats.put(beats::Call::Beat(beat(reply)));
        answer
    }

    /// The queue has something to offer.
    pub fn woken(&self, queue: &Arc<str>) {
        let mut queues = lock(&self.0.queues);
        if queues.followed.contains(queue) && queues.woken.insert(queue.clone()) {
            drop(queues);
            self.0.polls.rouse.notify_one();
        }
    }

    /// These tasks are to stop, should a worker that runs one speak to this node.
    pub fn cancelled(&self, ids: &[TaskId], at_once: bool) {
        if !ids.is_empty() {
            self.0.beats.put(beats::Call::Cancelled(ids.to_vec(), at_once));
        }
    }

    /// Something is wanted of a worker.
    pub fn asked(&self) {
        self.0.beats.put(beats::Call::Asked);
    }

    /// One for all who serve the same, so that ten thousand polls do not keep ten thousand lists.
    pub fn shared(&self, serves: Serves) -> Arc<Serves> {
        let mut all = lock(&self.0.serves);
        if let Some(known) = all.get(&serves.print()).and_then(Weak::upgrade) {
            return known;
        }
        all.retain(|_, serves| serves.strong_count() > 0);
        let serves = Arc::new(serves);
        all.insert(serves.print(), Arc::downgrade(&serves));
        serves
    }

    /// Ends the polls of workers that are to take nothing more.
    fn hush(&self, workers: Vec<WorkerId>) {
        self.0.polls.put(polls::Call::Quiet(workers));
    }

    /// Somebody waits for tasks, or did a moment ago.
    fn has_polls(&self) -> bool {
        !lock(&self.0.queues).followed.is_empty()
    }

    fn follow(&self, queue: &Arc<str>) {
        lock(&self.0.queues).followed.insert(queue.clone());
    }

    fn unfollow(&self, queue: &str) {
        lock(&self.0.queues).followed.remove(queue);
    }

    fn follow_none(&self) {
        *lock(&self.0.queues) = Queues::default();
    }

    /// What has come in for the polls; waits for it.
    async fn next_polls(&self) -> (Vec<polls::Call>, HashSet<Arc<str>>) {
        loop {
            let calls = self.0.polls.take();
            let woken = std::mem::take(&mut lock(&self.0.queues).woken);
            if !calls.is_empty() || !woken.is_empty() {
                return (calls, woken);
            }
            self.0.polls.rouse.notified().await;
        }
    }

    async fn next_beats(&self) -> Vec<beats::Call> {
        loop {
            let calls = self.0.beats.take();
            if !calls.is_empty() {
                return calls;
            }
            self.0.beats.rouse.notified().await;
        }
    }
}
