//! What must hold of every store, whatever it is kept in: each in words, by the name it is reported under. How each is
//! looked for is the store's; the numbers in brackets are the guarantees it belongs to.

use super::StoreError;
use crate::task::Millis;

/// Reads a store and says what does not hold, from one snapshot and without changing anything.
pub trait Inspect {
    /// Every invariant that this kind of store can be asked for, in the order of [`INVARIANTS`], also those that hold.
    fn inspect(&mut self, now: Millis) -> Result<Vec<Inspected>, StoreError>;
}

/// One invariant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invariant {
    /// Stable, for programs.
    pub name: &'static str,
    /// What holds.
    pub says: &'static str,
}

/// What was found of one.
#[derive(Debug, Clone)]
pub struct Inspected {
    pub invariant: Invariant,
    pub violations: u64,
    /// Ids, or what else names the place: at most [`EXAMPLES`].
    pub examples: Vec<String>,
}

/// Most examples given of one violation.
pub const EXAMPLES: usize = 5;

/// `name: what holds`.
macro_rules! invariants {
    ($($name:literal: $says:literal;)+) => {
        pub const INVARIANTS: &[Invariant] = &[$(Invariant { name: $name, says: $says }),+];
    };
}

invariants! {
    "file_sound": "the database file is sound";
    "status_known": "every task has a status of this version";
    "running_held": "a running task is held under a lease by a worker";
    "lease_counts": "a lease counts its running tasks, and is gone with the last";
    "lease_of_live_worker": "whoever holds a lease is a worker that is alive";
    "claimable_has_time": "a task that is scheduled, queued or to be retried has the time at which it may start";
    "others_have_no_time": "a task that waits for parents, runs or is over has no time to start";
    "cancel_only_running": "a task that waits is not one that was asked to stop: it would have been cancelled";
    "unique_key_live": "a unique key is held exactly while its task is in a status of its scope";
    "unique_key_once": "no two tasks of a queue hold one unique key";
    "unique_scope_sound": "a scope belongs to a unique key, begins with the submission and has no gap";
    "pending_has_parents": "a task that waits for parents has parents to wait for";
    "pending_is_told": "no task waits for parents that are all over";
    "unmet_counts": "a task counts the parents it waits for";
    "started_after_parents": "no task has started while it waited for parents";
    "parent_tells": "a parent that somebody waits for knows that it has to tell";
    "dependencies_exist": "both ends of a dependency exist while its child waits";
    "dead_letter_is_dead": "a dead letter is a task that failed or timed out";
    "dead_is_dead_letter": "a task that failed or timed out is a dead letter";
    "keys_have_lane": "a task has a lane exactly where it has keys by which it shares its queue";
    "laned_can_start": "no task without keys is in a lane, nor one that waits for parents, runs or ran to its end";
    "attempts_numbered": "attempts are numbered from 1 without a gap, up to the task's own number";
    "attempts_of_tasks": "every attempt belongs to a task";
    "failures_within_retries": "no task has failed more often than its retries allow, nor more often than it ran";
    "over_has_end": "a task that is over has the time of its end";
    "result_of_success": "only a task that succeeded has a result";
    "not_early": "no task has started before the time it was to wait for";
    "expiry_noted": "a task that waits and can expire is noted for it";
    "age_has_end": "a task with a longest age has the time at which that is over, or an earlier one";
    "queue_exists": "every task is of a queue that exists";
    "schedule_next": "a schedule that ticks has its next tick and the time at which that is due, not before it; a paused one has neither";
    "counters_add_up": "the counters of each queue, priority and status are the numbers of its tasks";
    "workflow_counts": "the numbers of a workflow are those of its tasks, or of their ends where they are deleted";
    "workflow_state": "the state of a workflow is what its numbers say";
    "workflow_members": "each task of a workflow is known to it, and each that it knows is of it";
    "concurrency_kept": "no queue runs more tasks than its concurrency allows, unless that was lowered while they ran";
    "permits_within_limit": "no rate limit has given more permits than it allows, unless it was lowered after them";
}

/// The invariant of a name; a store that names another has not been told of it here.
pub fn invariant(name: &str) -> Option<Invariant> {
    INVARIANTS.iter().copied().find(|invariant| invariant.name == name)
}
