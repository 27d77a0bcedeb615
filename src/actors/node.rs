//! What the actors of a node share, and the engine's way to them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::{
    dead_letter::{Begun, DeadLetter},
    events::EventHub,
    heartbeat::{Heartbeat, LookAtOrders},
    queue::{QueueActor, Wake},
    reconcilers::{DependencyResolver, Poke},
    remote::RemoteHub,
    scheduler::{Scheduler, Tick},
    standing::Standing,
    stuck::StuckHandlers,
    supervision::{AddChild, Directory, Phase, Supervisor, Tree},
    tree,
};
use crate::{
    engine::{Changes, Engine, Listener, Noted},
    task::{TaskId, WorkerId},
    work::Registry,
};

/// How a node runs its tasks.
#[derive(Debug, Clone)]
pub struct NodeSettings {
    /// Tasks run at a time.
    pub slots: usize,
    /// Between two renewals of this node.
    pub heartbeat: Duration,
    /// How long running tasks may go on after the node is told to stop.
    pub drain: Duration,
    /// Between asking a handler to stop and ending it.
    pub grace: Duration,
    /// So many dead letters are an alert.
    pub dead_letter_alert: Option<u32>,
    /// The only queues it takes tasks of, each with its share of the slots where that is not the queue's own; empty: all.
    pub queues: BTreeMap<String, Option<u32>>,
    /// What tasks may require of it.
    pub labels: BTreeSet<String>,
}

impl NodeSettings {
    pub fn takes_from(&self, queue: &str) -> bool {
        self.queues.is_empty() || self.queues.contains_key(queue)
    }

    /// Its share of this node's slots, where that is not the queue's own.
    pub fn weight_of(&self, queue: &str) -> Option<u32> {
        self.queues.get(queue).copied().flatten()
    }
}

/// Shared by all actors. Holds no state of theirs.
pub struct Node {
    pub engine: Engine,
    pub registry: Registry,
    /// Where handlers run: never on an arbiter, and on threads that live as long as the process.
    pub handlers: tokio::runtime::Handle,
    pub settings: NodeSettings,
    pub directory: Directory,
    pub tree: Tree,
    pub events: EventHub,
    pub remote: RemoteHub,
    pub stuck: StuckHandlers,
    pub standing: Arc<Standing>,
    /// Cancelled when the store holds this node to be dead: its process is then to end.
    pub fenced: CancellationToken,
}

impl Node {
    /// The store holds this node to be dead: its tasks were taken away and may run elsewhere.
    pub fn fence(&self) {
        if !self.fenced.is_cancelled() {
            log::error!("The store holds this node to be dead: nothing is started any more, what runs is given up");
            self.fenced.cancel();
            self.engine.held().interrupt_all();
        }
    }

    /// Somebody may have asked something of this node.
    pub fn look_at_orders_soon(&self) {
        if let Some(heartbeat) = self.directory.get::<Heartbeat>(tree::HEARTBEAT) {
            heartbeat.do_send(LookAtOrders);
        }
    }

    /// Wakes a queue, and first its actor where it has none.
    pub fn wake(self: &Arc<Self>, queue: &Arc<str>) {
        if !self.settings.takes_from(queue) {
            return;
        }
        if let Some(actor) = self.directory.get::<QueueActor>(queue) {
            return actor.do_send(Wake);
        }
        // A queue that keeps crashing stays parked until an operator has looked at it.
        let row = self.tree.row(&tree::queue_path(queue));
        if row.is_some_and(|row| row.state == Phase::Parked) {
            return;
        }
        if let Some(queues) = self.directory.get::<Supervisor>(tree::QUEUES) {
            queues.do_send(AddChild(tree::queue(self, queue)));
        }
    }
}

/// The engine's listener.
pub struct Link(pub Arc<Node>);

impl Listener for Link {
    fn woken(&self, queue: &Arc<str>) {
        self.0.remote.woken(queue);
        self.0.wake(queue);
    }

    fn is_interested(&self) -> bool {
        self.0.events.is_watched()
    }

    fn changed(&self, changes: Changes) {
        self.0.events.changed(changes);
    }

    fn unresolved(&self) {
        if let Some(resolver) = self.0.directory.get::<DependencyResolver>(tree::DEPENDENCY_RESOLVER) {
            resolver.do_send(Poke);
        }
    }

    fn operation_begun(&self) {
        if let Some(keeper) = self.0.directory.get::<DeadLetter>(tree::DEAD_LETTER) {
            keeper.do_send(Begun);
        }
    }

    fn schedules_changed(&self) {
        if let Some(scheduler) = self.0.directory.get::<Scheduler>(tree::SCHEDULER) {
            scheduler.do_send(Tick);
        }
    }

    fn cancelled(&self, ids: &[TaskId], at_once: bool) {
        self.0.remote.cancelled(ids, at_once);
    }

    fn worker_asked(&self, worker: WorkerId) {
        if worker == self.0.engine.worker() {
            self.0.look_at_orders_soon();
        } else {
            self.0.remote.asked();
        }
    }

    fn noted(&self, noted: Vec<Noted>) {
        super::notes::tell(&self.0.events, &noted);
    }

    fn fenced(&self) {
        self.0.fence();
    }
}
