//! What a supervisor is told: its children, and how it treats them.
//!
//! Specs are plain, cloneable, `Send` values, so a child can be added by a
//! message and a supervisor that is restarted starts from the same page.

use std::{sync::Arc, time::Duration};

use serde::Serialize;

use super::child::{Child, Watch};

/// Who is restarted with a child that failed. A supervisor starts its children
/// in the order of the list; the last two also stop and start them in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// The child alone: siblings do not depend on each other.
    OneForOne,
    /// All children: each depends on each.
    OneForAll,
    /// The child and those listed after it: each depends on those before it.
    RestForOne,
}

/// Which ends of a child are followed by a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// Every end.
    Permanent,
    /// Every end but a normal one (`ctx.stop()`).
    Transient,
    /// None: the child is forgotten.
    Temporary,
}

/// How many restarts are bearable: more than `max_restarts` inside one sliding
/// window of `within`, and restarting is not the cure.
#[derive(Debug, Clone, Copy)]
pub struct Intensity {
    /// Restarts allowed inside the window; 0 gives up at the first failure.
    pub max_restarts: usize,
    /// Length of the window; a child up for longer than this starts its
    /// back-off from the first step again.
    pub within: Duration,
}

impl Default for Intensity {
    fn default() -> Self {
        Self { max_restarts: 5, within: Duration::from_secs(60) }
    }
}

/// The wait before a restart: `first`, doubled with each failure, up to `cap`.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    /// Wait after the first failure.
    pub first: Duration,
    /// Longest wait.
    pub cap: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(100), cap: Duration::from_secs(10) }
    }
}

impl Backoff {
    /// The wait after the `failures`-th failure in a row (1 = the first).
    pub fn after(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(16);
        self.first.saturating_mul(1 << doublings).min(self.cap)
    }
}

/// How the children of a one_for_one supervisor stop when it stops itself.
/// The other strategies imply dependence and always stop last first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopOrder {
    /// All at once: the stop takes as long as the slowest child.
    Together,
    /// One after the other, the last in the list first. Children whose turn has
    /// not come go on running, and are still restarted if they fail.
    LastFirst,
}

/// What a supervisor does when a child exceeds the intensity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnGiveUp {
    /// Stop the other children and itself; the parent decides. The restarts of
    /// all children count together.
    Escalate,
    /// Leave this child down, state `parked`, until it is unparked or added
    /// again. Each child has a window of its own. Only for one_for_one: where
    /// siblings depend on the child, its absence is theirs, and this escalates.
    ParkChild,
}

/// One child of a supervisor.
#[derive(Clone)]
pub struct ChildSpec {
    pub(super) name: Arc<str>,
    pub(super) kind: &'static str,
    pub(super) restart: Restart,
    pub(super) grace: Duration,
    pub(super) mailbox: usize,
    pub(super) start: Arc<dyn Fn(Watch) -> Child + Send + Sync>,
}

impl ChildSpec {
    /// A permanent child with 5 s of grace and a mailbox of 1024.
    ///
    /// `name` is unique among siblings and, in the directory, among actors of
    /// one type. `kind` is what people see ("Queue", "Slot"). `start` makes the
    /// actor anew at each start: `|watch| watch.start(MyActor::new())`.
    pub fn new(
        name: impl Into<Arc<str>>,
        kind: &'static str,
        start: impl Fn(Watch) -> Child + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            kind,
            restart: Restart::Permanent,
            grace: Duration::from_secs(5),
            mailbox: 1024,
            start: Arc::new(start),
        }
    }

    /// A supervisor as a child. Its grace is unbounded: each of its children is
    /// bounded, and cutting it short would cut theirs.
    pub fn supervisor(name: impl Into<Arc<str>>, spec: SupervisorSpec) -> Self {
        Self::new(name, "Supervisor", move |watch| watch.supervise(spec.clone())).grace(Duration::MAX)
    }

    /// Sets which ends are followed by a restart.
    pub fn restart(mut self, restart: Restart) -> Self {
        self.restart = restart;
        self
    }

    /// Sets how long the child may take to stop before it is ended.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets the depth at which `Ref::try_send` refuses.
    pub fn mailbox(mut self, capacity: usize) -> Self {
        self.mailbox = capacity;
        self
    }
}

/// A supervisor's settings and its first children.
#[derive(Clone)]
pub struct SupervisorSpec {
    pub(super) strategy: Strategy,
    pub(super) intensity: Intensity,
    pub(super) backoff: Backoff,
    pub(super) stop_order: StopOrder,
    pub(super) on_give_up: OnGiveUp,
    pub(super) children: Vec<ChildSpec>,
}

impl SupervisorSpec {
    /// No children yet; 5 restarts in 60 s, then escalation; back-off from
    /// 100 ms to 10 s; independent children stop together.
    pub fn new(strategy: Strategy) -> Self {
        Self {
            strategy,
            intensity: Intensity::default(),
            backoff: Backoff::default(),
            stop_order: StopOrder::Together,
            on_give_up: OnGiveUp::Escalate,
            children: Vec::new(),
        }
    }

    /// Sets how many restarts are bearable.
    pub fn intensity(mut self, max_restarts: usize, within: Duration) -> Self {
        self.intensity = Intensity { max_restarts, within };
        self
    }

    /// Sets the wait before a restart.
    pub fn backoff(mut self, first: Duration, cap: Duration) -> Self {
        self.backoff = Backoff { first, cap };
        self
    }

    /// Sets how independent children stop.
    pub fn stop_order(mut self, order: StopOrder) -> Self {
        self.stop_order = order;
        self
    }

    /// Sets what happens when a child exceeds the intensity.
    pub fn on_give_up(mut self, action: OnGiveUp) -> Self {
        self.on_give_up = action;
        self
    }

    /// Adds a child after those already listed.
    pub fn child(mut self, child: ChildSpec) -> Self {
        self.children.push(child);
        self
    }

    pub(super) fn one_for_one(&self) -> bool {
        self.strategy == Strategy::OneForOne
    }

    pub(super) fn parks(&self) -> bool {
        self.one_for_one() && self.on_give_up == OnGiveUp::ParkChild
    }
}
