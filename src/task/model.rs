//! A task on its way in and a task in a worker's hand.

use std::sync::Arc;

use super::{FlowKeys, Lane, LeaseId, LeaseToken, Millis, Parent, Priority, RetryPolicy, Status, TaskId, Unique};

/// A validated task, ready to be stored.
#[derive(Debug, Clone)]
pub struct NewTask {
    pub id: TaskId,
    pub name: String,
    pub queue: Arc<str>,
    pub priority: Priority,
    /// JSON array, as text.
    pub args: String,
    /// JSON object, as text.
    pub kwargs: String,
    /// Retries after the first attempt: 3 = at most 4 attempts.
    pub max_retries: u32,
    /// `None`: the node's default at the time of the failure.
    pub retry: Option<RetryPolicy>,
    /// `None`: no limit.
    pub timeout_ms: Option<Millis>,
    /// Not before this moment.
    pub run_at: Option<Millis>,
    /// Not started by then, it is over: also where it waits for another attempt. The end of its age, if it has one, or earlier.
    pub expires_at: Option<Millis>,
    /// How long after its submission, or the redrive, it may be started at all.
    pub max_age_ms: Option<Millis>,
    /// How long its result is given out after its end; `None`: the server's default.
    pub result_ttl_ms: Option<Millis>,
    /// It waits for these.
    pub parents: Vec<Parent>,
    /// The workflow it is a node of.
    pub workflow: Option<TaskId>,
    /// Tasks that are stored with it wait for it.
    pub has_dependants: bool,
    /// It is the only one of its key.
    pub unique: Option<Box<Unique>>,
    /// Where it has such keys.
    pub flow: Option<Box<FlowKeys>>,
    pub tags: Vec<String>,
    /// JSON object, as text.
    pub meta: Option<String>,
    pub created_at: Millis,
    /// Where it starts, where its parents decide that: known once it is stored.
    pub by_parents: Option<Status>,
}

impl NewTask {
    /// A task with nothing but a name: what the library's and the tests' builders start from.
    pub fn named(name: impl Into<String>, queue: impl Into<Arc<str>>, now: Millis) -> Self {
        Self { name: name.into(), queue: queue.into(), ..Self::new(now) }
    }

    /// A task with a new id and everything still to be said.
    pub fn new(now: Millis) -> Self {
        Self {
            id: TaskId::new(),
            name: String::new(),
            queue: Arc::default(),
            priority: Priority::default(),
            args: "[]".into(),
            kwargs: "{}".into(),
            max_retries: 3,
            retry: None,
            timeout_ms: Some(300_000),
            run_at: None,
            expires_at: None,
            max_age_ms: None,
            result_ttl_ms: None,
            parents: Vec::new(),
            workflow: None,
            has_dependants: false,
            unique: None,
            flow: None,
            tags: Vec::new(),
            meta: None,
            created_at: now,
            by_parents: None,
        }
    }

    /// Where it starts: a time in the future makes it scheduled.
    pub fn first_status(&self) -> Status {
        let by_time = if self.ready_at() > self.created_at { Status::Scheduled } else { Status::Queued };
        self.by_parents.unwrap_or(by_time)
    }

    /// Where it waits, if it shares its queue by keys.
    pub fn lane(&self) -> Option<Lane> {
        self.flow.as_ref().map(|keys| keys.lane())
    }

    pub fn unique_key(&self) -> Option<&str> {
        self.unique.as_ref().map(|unique| unique.key.as_str())
    }

    /// The keys as they are stored.
    pub fn flow_text(&self) -> Option<String> {
        self.flow.as_ref().map(|keys| serde_json::to_string(keys).unwrap_or_default())
    }

    /// When it may be claimed.
    pub fn ready_at(&self) -> Millis {
        self.run_at.map_or(self.created_at, |at| at.max(self.created_at))
    }
}

/// A task granted to this node: all that is needed to run it and to decide what its outcome means.
#[derive(Debug, Clone, PartialEq)]
pub struct Granted {
    pub id: TaskId,
    pub lease: LeaseId,
    pub name: String,
    pub queue: Arc<str>,
    pub priority: Priority,
    pub args: String,
    pub kwargs: String,
    pub meta: Option<String>,
    /// Number of this attempt, 1 = the first.
    pub attempt: u32,
    /// Failed attempts before this one.
    pub failures: u32,
    /// Attempts that ended with the death of their worker.
    pub crashes: u32,
    /// How often a handler has put it off; those attempts are not counted.
    pub snoozes: u32,
    pub max_retries: u32,
    pub retry: Option<RetryPolicy>,
    pub timeout_ms: Option<Millis>,
    /// It is not started any more from this moment on.
    pub expires_at: Option<Millis>,
    pub generation: u32,
    /// It has keys by which it shares its queue.
    pub keyed: bool,
    /// Tasks it has waited for.
    pub parents: u32,
    /// The workflow it is a node of.
    pub workflow: Option<TaskId>,
    /// Others wait for it, or did so when it was granted.
    pub has_dependants: bool,
    pub ready_at: Millis,
    pub started_at: Millis,
}

impl Granted {
    pub const fn token(&self) -> LeaseToken {
        LeaseToken { task: self.id, lease: self.lease }
    }

    /// It could not start at that moment, because its time is over by then.
    pub const fn expires_by(&self, at: Millis) -> bool {
        matches!(self.expires_at, Some(end) if end <= at)
    }

    /// When its time is over, if it has a limit.
    pub const fn deadline(&self) -> Option<Millis> {
        match self.timeout_ms {
            Some(limit) => Some(self.started_at + limit),
            None => None,
        }
    }

    /// Has outlived two workers: it may be what kills them.
    pub const fn is_suspect(&self) -> bool {
        self.crashes >= SUSPECT_CRASHES
    }
}

/// Crashes that make a task a suspect: it then runs alone among its like on a node.
pub const SUSPECT_CRASHES: u32 = 2;
/// Crashes that make it a dead letter with the reason `poison`.
pub const POISON_CRASHES: u32 = 3;
