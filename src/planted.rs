//! Bugs on purpose, by which `tests/chaos` proves that its checker finds them. Only in a build with the feature
//! `planted-bugs`, and there only the one that `JOBQUEUE_PLANTED_BUG` names; without the feature nothing is left of it.

use std::borrow::Cow;

use crate::{
    store::WorkerRow,
    task::{Millis, Pulse, WorkerId},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    /// An outcome is recorded whoever holds the task now.
    NoLeaseCheck,
    /// An attempt that ends frees the children, whether its task is over or not.
    ChildrenEarly,
    /// Children are told by what the statement that ended their parent had seen before it waited.
    ChildrenInOneStatement,
    /// Slots are told of grants although their transaction has failed.
    HintBeforeCommit,
    /// Each node has rate limits of its own.
    LimiterPerNode,
    /// A node is dead whose last heartbeat is old by the wall clock.
    WallClockReaper,
    /// A restart takes back its predecessor's tasks, and only then looks at the outcomes it has left.
    SpoolAfterReap,
    /// The shared heads give out the lowest priority first.
    LowestFirst,
}

#[cfg(not(feature = "planted-bugs"))]
mod chosen {
    use super::{Bug, Millis};

    pub(crate) const fn is(_: Bug) -> bool {
        false
    }

    pub(crate) const fn clock_skew() -> Millis {
        0
    }
}

#[cfg(feature = "planted-bugs")]
mod chosen {
    use std::sync::OnceLock;

    use super::{Bug, Millis};

    pub(crate) fn is(bug: Bug) -> bool {
        static CHOSEN: OnceLock<Option<String>> = OnceLock::new();
        let name = match bug {
            Bug::NoLeaseCheck => "no-lease-check",
            Bug::ChildrenEarly => "children-early",
            Bug::ChildrenInOneStatement => "children-in-one-statement",
            Bug::HintBeforeCommit => "hint-before-commit",
            Bug::LimiterPerNode => "limiter-per-node",
            Bug::WallClockReaper => "wall-clock-reaper",
            Bug::SpoolAfterReap => "spool-after-reap",
            Bug::LowestFirst => "lowest-first",
        };
        CHOSEN.get_or_init(|| std::env::var("JOBQUEUE_PLANTED_BUG").ok()).as_deref() == Some(name)
    }

    /// A wall clock that goes wrong by so many milliseconds: no bug by itself.
    pub(crate) fn clock_skew() -> Millis {
        static SKEW: OnceLock<Millis> = OnceLock::new();
        let given = || std::env::var("JOBQUEUE_CLOCK_SKEW").ok().and_then(|skew| skew.parse().ok());
        *SKEW.get_or_init(|| given().unwrap_or(0))
    }
}

pub(crate) use chosen::{clock_skew, is};

/// Where a bug needs others to be quick, they are given time.
pub(crate) fn linger(bug: Bug) {
    if is(bug) {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// Whose rate limit a node looks at.
pub(crate) fn limit_of(queue: &str, worker: WorkerId) -> Cow<'_, str> {
    if is(Bug::LimiterPerNode) { format!("{queue} of {worker}").into() } else { queue.into() }
}

/// How the script that takes from a head goes through its lanes.
pub(crate) fn pop_script(script: &str) -> Cow<'_, str> {
    if is(Bug::LowestFirst) {
        script.replace("for level = 9, 0, -1 do", "for level = 0, 9 do").into()
    } else {
        script.into()
    }
}

/// Those that are dead if wall clocks are believed.
pub(crate) fn dead_by_wall_clock(seen: &[Pulse], workers: &[WorkerRow], now: Millis) -> Vec<WorkerId> {
    let beat_at = |pulse: &&Pulse| workers.iter().find(|row| row.id == pulse.worker).map_or(now, |row| row.beat_at);
    seen.iter().filter(|pulse| now - beat_at(pulse) > pulse.patience).map(|pulse| pulse.worker).collect()
}
