//! Events: what the engine's commits changed, gathered for a tenth of a second and sent to those who watch.
//!
//! Events are hints. Who has missed some is told so (`reset`) and reads again; nothing depends on one arriving.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix::prelude::*;
use serde_json::json;
use tokio::sync::mpsc;

use super::supervision::{Shutdown, tree_actor};
use crate::engine::{Changes, KeyHash};

const GATHER: Duration = Duration::from_millis(100);
/// Events kept for those who come back after a short absence.
const KEPT: usize = 256;
/// Events a subscriber may be behind; one that is slower is cut off and comes back.
const BEHIND: usize = 64;

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    Tasks,
    Queues,
    Workers,
    /// How far tasks have come: who follows tasks is told.
    Progress,
    /// Lines of their logs, too.
    Log,
}

impl Topic {
    pub const ALL: [Self; 3] = [Self::Tasks, Self::Queues, Self::Workers];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tasks => "tasks",
            Self::Queues => "queues",
            Self::Workers => "workers",
            Self::Progress => "progress",
            Self::Log => "log",
        }
    }

    /// The topic by which it is followed.
    pub const fn family(self) -> Self {
        match self {
            Self::Progress | Self::Log => Self::Tasks,
            other => other,
        }
    }
}

/// One event. Ids increase by one.
#[derive(Debug, Clone)]
pub struct Event {
    pub id: u64,
    pub topic: Topic,
    /// JSON.
    pub data: Arc<str>,
}

/// What a new subscriber is given.
pub struct Subscription {
    /// Events since the one it had seen last; `None` where some of them are no longer kept.
    pub missed: Option<Vec<Event>>,
    pub events: mpsc::Receiver<Event>,
    key: Option<KeyHash>,
    hub: EventHub,
}

/// How many may follow.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    pub most: usize,
    /// Of them, by this key.
    pub by_key: Option<(KeyHash, usize)>,
}

/// Why one may not follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoom {
    /// There are as many as there may be.
    AtAll,
    /// This key follows as often as one may.
    ForKey,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        // Under the lock that a new subscriber takes: it then either finds somebody listening or hears that it missed some.
        let mut state = self.hub.state();
        if let Some(key) = self.key
            && let Some(own) = state.by_key.get_mut(&key)
        {
            *own -= 1;
            if *own == 0 {
                state.by_key.remove(&key);
            }
        }
        if self.hub.0.subscribers.fetch_sub(1, Ordering::SeqCst) == 1 {
            state.slept();
        }
    }
}

/// Where changes come in and subscribers sign up. Cheap to clone.
#[derive(Clone, Default)]
pub struct EventHub(Arc<Shared>);

#[derive(Default)]
struct Shared {
    origin: Origin,
    subscribers: AtomicUsize,
    state: Mutex<State>,
}

/// Whose events these are: another node, or another life of this one, numbers its own.
struct Origin(u32);

impl Default for Origin {
    fn default() -> Self {
        Self(fastrand::u32(..))
    }
}

#[derive(Default)]
struct State {
    pending: Changes,
    /// Events of other kinds that wait for the next round.
    others: Vec<(Topic, Arc<str>)>,
    last_id: u64,
    kept: VecDeque<Event>,
    senders: Vec<mpsc::Sender<Event>>,
    /// Subscribers, of those who have a key.
    by_key: HashMap<KeyHash, usize>,
}

impl Shared {
    fn room(&self, state: &State, room: Room) -> Result<(), NoRoom> {
        if self.subscribers.load(Ordering::SeqCst) >= room.most {
            return Err(NoRoom::AtAll);
        }
        let full = |(key, most)| state.by_key.get(&key).is_some_and(|own| *own >= most);
        if room.by_key.is_some_and(full) { Err(NoRoom::ForKey) } else { Ok(()) }
    }
}

impl EventHub {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody listens.
    pub fn is_watched(&self) -> bool {
        self.0.subscribers.load(Ordering::Relaxed) > 0
    }

    pub fn subscribers(&self) -> usize {
        self.0.subscribers.load(Ordering::Relaxed)
    }

    /// Whether one more may sign up.
    pub fn room(&self, room: Room) -> Result<(), NoRoom> {
        self.0.room(&self.state(), room)
    }

    /// Signs up; `last_seen` is the id of the last event the subscriber had.
    pub fn subscribe(&self, last_seen: Option<u64>, room: Room) -> Result<Subscription, NoRoom> {
        let (sender, events) = mpsc::channel(BEHIND);
        let mut state = self.state();
        self.0.room(&state, room)?;
        self.0.subscribers.fetch_add(1, Ordering::SeqCst);
        let key = room.by_key.map(|(key, _)| key);
        if let Some(key) = key {
            *state.by_key.entry(key).or_default() += 1;
        }
        state.senders.push(sender);
        let missed = match last_seen {
            None => Some(Vec::new()),
            // Seen what this process has not sent: it comes from an earlier life of the server.
            Some(last) if last > state.last_id => None,
            Some(last) => {
                let oldest = state.kept.front().map_or(state.last_id + 1, |event| event.id);
                (last + 1 >= oldest).then(|| state.kept.iter().filter(|event| event.id > last).cloned().collect())
            }
        };
        Ok(Subscription { missed, events, key, hub: self.clone() })
    }

    /// How an event is called outside.
    pub fn name(&self, id: u64) -> String {
        format!("{:08x}-{id}", self.0.origin.0)
    }

    /// The id in a name; none where it is not of this hub.
    pub fn id(&self, name: &str) -> Option<u64> {
        let (origin, id) = name.split_once('-')?;
        (u32::from_str_radix(origin, 16) == Ok(self.0.origin.0)).then(|| id.parse().ok())?
    }

    /// Takes what a commit changed; sent with the next round.
    pub fn changed(&self, changes: Changes) {
        self.state().pending.merge(changes);
    }

    /// Something about workers or a queue, as JSON.
    pub fn tell(&self, topic: Topic, data: &serde_json::Value) {
        if self.is_watched() {
            self.state().others.push((topic, data.to_string().into()));
        }
    }

    fn flush(&self) {
        let mut state = self.state();
        let changes = std::mem::take(&mut state.pending);
        let others = std::mem::take(&mut state.others);
        if !changes.counts.is_empty() {
            let counts: serde_json::Map<_, _> =
                changes.counts.iter().map(|(status, n)| (status.as_str().to_owned(), json!(n))).collect();
            let data = json!({"queues": changes.queues, "ids": changes.ids, "counts": counts, "more": changes.more});
            state.send(Topic::Tasks, data.to_string().into());
        } else {
            for queue in &changes.queues {
                state.send(Topic::Queues, json!({"queue": queue}).to_string().into());
            }
        }
        for (topic, data) in others {
            state.send(topic, data);
        }
    }
}

impl State {
    /// Nobody listens, so changes are no longer collected: whoever had the events up to now will have missed some.
    fn slept(&mut self) {
        self.last_id += 1;
        self.kept.clear();
        self.pending = Changes::default();
        self.others.clear();
    }

    fn send(&mut self, topic: Topic, data: Arc<str>) {
        self.last_id += 1;
        let event = Event { id: self.last_id, topic, data };
        // A full channel is dropped with its subscriber: it will sign up again and be told what it missed.
        self.senders.retain(|sender| sender.try_send(event.clone()).is_ok());
        self.kept.push_back(event);
        if self.kept.len() > KEPT {
            self.kept.pop_front();
        }
    }
}

/// Sends what has gathered.
pub struct Events(EventHub);

impl Events {
    pub fn new(hub: EventHub) -> Self {
        Self(hub)
    }
}

impl Actor for Events {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(GATHER, |actor, _| {
            if actor.0.is_watched() {
                actor.0.flush();
            }
        });
    }
}

impl Handler<Shutdown> for Events {
    type Result = ();

    fn handle(&mut self, _: Shutdown, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

tree_actor!(Events);
