//! The supervision tree as people see it: one row for each actor, kept by its
//! supervisor and its obituary, read by the API and the dashboard.
//!
//! This is a mirror: no supervisor decides by it, so a stale row harms nobody.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use tokio::sync::watch;

use super::{
    mailbox::MailboxGauge,
    obituary::Exit,
    row::{ActorRow, LastPanic, Phase},
    spec::Strategy,
};

type Injector = Arc<dyn Fn() -> bool + Send + Sync>;

/// What the tree keeps of a life that has begun.
pub(super) struct Life {
    pub gauge: MailboxGauge,
    pub injector: Injector,
    pub strategy: Option<Strategy>,
}

struct Node {
    row: ActorRow,
    /// Order among siblings: that of their first start.
    order: u64,
    /// The present life. Reports of any other are too late, and ignored.
    incarnation: u64,
    life: Option<Life>,
}

#[derive(Default)]
struct Nodes {
    by_path: HashMap<Arc<str>, Node>,
    /// By kind, those of rows that are gone too.
    restarts: BTreeMap<&'static str, u64>,
    /// The last number given to a row or a life; each is given once.
    last_number: u64,
}

impl Nodes {
    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    fn children_of(&self, parent: Option<&str>) -> Vec<&Node> {
        let mut children: Vec<_> = self.by_path.values().filter(|node| node.row.parent.as_deref() == parent).collect();
        children.sort_unstable_by_key(|node| node.order);
        children
    }

    /// Takes a row and all below it out; the caller drops them unlocked.
    fn cut(&mut self, path: &str, cut: &mut Vec<Node>) {
        let below: Vec<_> = self.children_of(Some(path)).iter().map(|node| node.row.path.clone()).collect();
        for path in below {
            self.cut(&path, cut);
        }
        cut.extend(self.by_path.remove(path));
    }
}

/// A cheap handle to the one registry of all rows.
#[derive(Clone)]
pub struct Tree {
    nodes: Arc<Mutex<Nodes>>,
    changes: Arc<watch::Sender<u64>>,
}

impl Default for Tree {
    fn default() -> Self {
        Self { nodes: Arc::default(), changes: Arc::new(watch::Sender::new(0)) }
    }
}

impl Tree {
    /// A tree without rows.
    pub fn new() -> Self {
        Self::default()
    }

    /// All rows, each supervisor before its children, siblings in start order.
    pub fn snapshot(&self) -> Vec<ActorRow> {
        fn visit(nodes: &Nodes, parent: Option<&str>, rows: &mut Vec<ActorRow>) {
            for node in nodes.children_of(parent) {
                let mailbox = node.life.as_ref().map_or(0, |life| life.gauge.depth());
                rows.push(ActorRow { mailbox, ..node.row.clone() });
                visit(nodes, Some(&node.row.path), rows);
            }
        }
        let nodes = self.lock();
        let mut rows = Vec::with_capacity(nodes.by_path.len());
        visit(&nodes, None, &mut rows);
        rows
    }

    /// Restarts since the process began, by the kind of actor; of every kind that was ever started.
    pub fn restarts(&self) -> Vec<(&'static str, u64)> {
        self.lock().restarts.iter().map(|(kind, n)| (*kind, *n)).collect()
    }

    /// The row at this path.
    pub fn row(&self, path: &str) -> Option<ActorRow> {
        let nodes = self.lock();
        let node = nodes.by_path.get(path)?;
        let mailbox = node.life.as_ref().map_or(0, |life| life.gauge.depth());
        Some(ActorRow { mailbox, ..node.row.clone() })
    }

    /// Wakes when a row was added, changed (mailboxes apart) or removed.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Makes the actor at this path panic when it comes to the message, to try
    /// out its supervisor. False: there is none, or it is down.
    pub fn inject_panic(&self, path: &str) -> bool {
        let injector = {
            let nodes = self.lock();
            let life = nodes.by_path.get(path).and_then(|node| node.life.as_ref());
            life.map(|life| Arc::clone(&life.injector))
        };
        injector.is_some_and(|inject| inject())
    }

    /// Says, or no longer says, what is out of order with the actor at this path although it runs.
    pub fn note(&self, path: &str, note: Option<String>) {
        if let Some(node) = self.lock().by_path.get_mut(path) {
            node.row.note = note;
        }
        self.announce();
    }

    /// Adds a row, or finds that of an earlier life of its supervisor, which
    /// keeps its history. Returns the path.
    pub(super) fn add(&self, parent: Option<&str>, name: &str, kind: &'static str) -> Arc<str> {
        let segment = name.replace('/', "%2F");
        let path: Arc<str> = match parent {
            Some(parent) => format!("{parent}/{segment}").into(),
            None => segment.into(),
        };
        let mut nodes = self.lock();
        let order = nodes.next_number();
        nodes.by_path.entry(Arc::clone(&path)).or_insert_with(|| Node {
            row: ActorRow {
                path: path.to_string(),
                parent: parent.map(str::to_owned),
                name: name.to_owned(),
                kind,
                state: Phase::Starting,
                strategy: None,
                restarts: 0,
                last_panic: None,
                started_at_ms: None,
                note: None,
                mailbox: 0,
            },
            order,
            incarnation: 0,
            life: None,
        });
        drop(nodes);
        self.announce();
        path
    }

    /// A new life begins; returns its number, unique in the process.
    pub(super) fn starting(&self, path: &str) -> u64 {
        let mut guard = self.lock();
        let nodes = &mut *guard;
        let incarnation = nodes.next_number();
        if let Some(node) = nodes.by_path.get_mut(path) {
            node.incarnation = incarnation;
            node.row.state = Phase::Starting;
            let restarts = nodes.restarts.entry(node.row.kind).or_default();
            if node.row.started_at_ms.replace(now_ms()).is_some() {
                node.row.restarts += 1;
                *restarts += 1;
            }
        }
        drop(guard);
        self.announce();
        incarnation
    }

    /// The actor has a mailbox.
    pub(super) fn attach(&self, path: &str, incarnation: u64, life: Life) {
        self.change(path, incarnation, |node| {
            node.row.strategy = life.strategy;
            node.life.replace(life)
        });
    }

    /// `started` has returned.
    pub(super) fn running(&self, path: &str, incarnation: u64) {
        self.change(path, incarnation, |node| {
            // It may have been asked to stop before it came to run.
            if node.row.state == Phase::Starting {
                node.row.state = Phase::Running;
            }
            None
        });
    }

    /// A life has ended; a second report of it changes nothing.
    pub(super) fn ended(&self, path: &str, incarnation: u64, exit: &Exit) {
        self.change(path, incarnation, |node| {
            node.incarnation = 0;
            node.row.state = Phase::Stopped;
            if *exit != Exit::Normal {
                node.row.last_panic = Some(LastPanic { message: exit.to_string(), at_ms: now_ms() });
            }
            node.life.take()
        });
    }

    pub(super) fn set_state(&self, path: &str, state: Phase) {
        if let Some(node) = self.lock().by_path.get_mut(path) {
            node.row.state = state;
        }
        self.announce();
    }

    /// Removes a row and all below it.
    pub(super) fn remove(&self, path: &str) {
        let mut cut = Vec::new();
        self.lock().cut(path, &mut cut);
        drop(cut);
        self.announce();
    }

    /// Removes the children that an earlier life of this supervisor had and the
    /// new one has not.
    pub(super) fn retain_children(&self, parent: &str, kept: &[Arc<str>]) {
        let mut cut = Vec::new();
        let mut nodes = self.lock();
        let gone: Vec<_> = nodes
            .children_of(Some(parent))
            .iter()
            .filter(|node| kept.iter().all(|path| **path != *node.row.path))
            .map(|node| node.row.path.clone())
            .collect();
        for path in gone {
            nodes.cut(&path, &mut cut);
        }
        drop(nodes);
        drop(cut);
        self.announce();
    }

    /// Changes the row of this life. What `change` returns is dropped after the
    /// lock: an injector may hold the last address of an actor, and with it
    /// queued messages whose drop is not known here.
    fn change(&self, path: &str, incarnation: u64, change: impl FnOnce(&mut Node) -> Option<Life>) {
        let mut nodes = self.lock();
        let old = match nodes.by_path.get_mut(path) {
            Some(node) if node.incarnation == incarnation => change(node),
            _ => return,
        };
        drop(nodes);
        drop(old);
        self.announce();
    }

    fn announce(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    // Poisoned or not, the rows are only shown: better shown than refused.
    fn lock(&self) -> MutexGuard<'_, Nodes> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wall clock, for people. Supervisors count on `tokio::time::Instant`.
fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis().try_into().unwrap_or(u64::MAX))
}
