//! The supervision tree: who restarts whom. The only file that says so.
//!
//! ```text
//! root (one_for_one; children stop one after the other, last first)
//! ├─ heartbeat            own thread
//! ├─ metrics
//! ├─ events
//! ├─ note_taker           what handlers say
//! ├─ dependency_resolver  ┐
//! ├─ dead_letter          │ reconcilers
//! ├─ scheduler            │
//! ├─ pruner               ┘
//! ├─ key_keeper
//! ├─ rate_limiter
//! ├─ warden
//! ├─ slots (one_for_one)  ── slot-1 … slot-N    drain together
//! ├─ queues (one_for_one; a queue that keeps crashing is parked) ── one for each busy queue
//! ├─ dispatcher
//! ├─ remote_beats         heartbeats of remote workers, time limits of what they run
//! └─ remote_polls         remote workers that wait for tasks
//! ```

use std::{sync::Arc, time::Duration};

use super::{
    dead_letter::DeadLetter,
    dispatcher::Dispatcher,
    events::Events,
    heartbeat::Heartbeat,
    keys::KeyKeeper,
    metrics::Metrics,
    node::Node,
    notes::NoteTaker,
    queue::QueueActor,
    rate_limiter::RateLimiter,
    reconcilers::{DependencyResolver, Pruner},
    remote::{Beats, Polls},
    scheduler::Scheduler,
    slot::Slot,
    supervision::{ChildSpec, OnGiveUp, Restart, Root, StopOrder, Strategy, SupervisorSpec},
    warden::Warden,
};

pub const ROOT: &str = "root";
pub const HEARTBEAT: &str = "heartbeat";
pub const SLOTS: &str = "slots";
pub const QUEUES: &str = "queues";
pub const DISPATCHER: &str = "dispatcher";
pub const SCHEDULER: &str = "scheduler";
pub const RATE_LIMITER: &str = "rate_limiter";
pub const DEAD_LETTER: &str = "dead_letter";
pub const DEPENDENCY_RESOLVER: &str = "dependency_resolver";

/// Beyond the drain: a slot that is told to end then needs a moment to kill what it runs.
const BEYOND_DRAIN: Duration = Duration::from_secs(2);
/// Pause before the first restart, doubled up to the second.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(5));
const MINUTE: Duration = Duration::from_secs(60);

/// Where a queue's actor stands in the tree.
pub fn queue_path(queue: &str) -> String {
    format!("{ROOT}/{QUEUES}/{queue}")
}

/// What a slot is called in the directory.
pub fn slot_name(number: usize) -> String {
    format!("slot-{number}")
}

/// Where a slot stands in the tree.
pub fn slot_path(number: usize) -> String {
    format!("{ROOT}/{SLOTS}/{}", slot_name(number))
}

/// Starts the tree on this thread's arbiter.
pub fn start(node: &Arc<Node>) -> Root {
    let spec = SupervisorSpec::new(Strategy::OneForOne)
        .intensity(20, MINUTE)
        .backoff(BACKOFF.0, BACKOFF.1)
        .stop_order(StopOrder::LastFirst)
        .child(heartbeat(node))
        .child(child(node, "metrics", "Metrics", Metrics::new))
        .child(child(node, "events", "Events", |node| Events::new(node.events.clone())))
        .child(child(node, "note_taker", "NoteTaker", |node| NoteTaker::new(node.engine.clone(), node.events.clone())))
        .child(child(node, DEPENDENCY_RESOLVER, "DependencyResolver", DependencyResolver::new))
        .child(child(node, DEAD_LETTER, "DeadLetter", DeadLetter::new))
        .child(child(node, SCHEDULER, "Scheduler", Scheduler::new))
        .child(child(node, "pruner", "Pruner", Pruner::new))
        .child(child(node, "key_keeper", "KeyKeeper", KeyKeeper::new))
        .child(child(node, RATE_LIMITER, "RateLimiter", RateLimiter::new))
        .child(child(node, "warden", "Warden", Warden::new))
        .child(ChildSpec::supervisor(SLOTS, slots(node)))
        .child(ChildSpec::supervisor(QUEUES, queues()))
        .child(child(node, DISPATCHER, "Dispatcher", Dispatcher::new))
        .child(child(node, "remote_beats", "Beats", |node| Beats::new(node.engine.clone(), node.remote.clone())))
        .child(child(node, "remote_polls", "Polls", |node| Polls::new(node.engine.clone(), node.remote.clone())));
    Root::start(ROOT, spec, &node.tree, &node.directory)
}

fn child<A: super::supervision::TreeActor>(
    node: &Arc<Node>,
    name: &'static str,
    kind: &'static str,
    make: impl Fn(Arc<Node>) -> A + Send + Sync + 'static,
) -> ChildSpec {
    let node = node.clone();
    ChildSpec::new(name, kind, move |watch| watch.start(make(node.clone())))
}

fn heartbeat(node: &Arc<Node>) -> ChildSpec {
    let node = node.clone();
    ChildSpec::new(HEARTBEAT, "Heartbeat", move |watch| {
        let node = node.clone();
        watch.start_alone(move || Heartbeat::new(node))
    })
}

fn slots(node: &Arc<Node>) -> SupervisorSpec {
    // A slot's crash is one task's attempt interrupted: many slots may have many before something is wrong.
    let most = 20 + 5 * node.settings.slots;
    let spec = SupervisorSpec::new(Strategy::OneForOne)
        .intensity(most, MINUTE)
        .backoff(BACKOFF.0, BACKOFF.1)
        .stop_order(StopOrder::Together);
    (1..=node.settings.slots).fold(spec, |spec, number| spec.child(slot(node, number)))
}

fn slot(node: &Arc<Node>, number: usize) -> ChildSpec {
    let (grace, node) = (node.settings.drain + BEYOND_DRAIN, node.clone());
    let name: Arc<str> = slot_name(number).into();
    let own = name.clone();
    ChildSpec::new(name, "Slot", move |watch| watch.start(Slot::new(node.clone(), number, own.clone()))).grace(grace)
}

fn queues() -> SupervisorSpec {
    SupervisorSpec::new(Strategy::OneForOne)
        .intensity(20, MINUTE)
        .backoff(BACKOFF.0, BACKOFF.1)
        .stop_order(StopOrder::Together)
        .on_give_up(OnGiveUp::ParkChild)
}

/// One queue's actor: ends by itself when idle, and is then forgotten.
pub fn queue(node: &Arc<Node>, name: &Arc<str>) -> ChildSpec {
    let (node, own) = (node.clone(), name.clone());
    ChildSpec::new(name.clone(), "Queue", move |watch| watch.start(QueueActor::new(node.clone(), own.clone())))
        .restart(Restart::Transient)
}
