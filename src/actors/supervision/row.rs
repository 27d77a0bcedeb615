//! What is shown of one actor.

use serde::Serialize;

use super::spec::Strategy;

/// Where an actor is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Being made; `started` has not returned yet.
    Starting,
    /// Handles messages.
    Running,
    /// Down, waits for its back-off or for siblings.
    Restarting,
    /// Kept crashing and is left down until it is unparked: an alarm.
    Parked,
    /// Asked to stop, within its grace.
    Stopping,
    /// Down, and nobody is about to start it.
    Stopped,
}

/// The last end of an actor that was no normal one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastPanic {
    /// The panic's payload, or what else ended it ("thread lost", "gave up: …").
    pub message: String,
    /// Wall clock, milliseconds since 1970.
    pub at_ms: u64,
}

/// One actor of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ActorRow {
    /// Names from the root down, "root/queues/default". A slash inside a name
    /// is written `%2F`.
    pub path: String,
    /// Path of the supervisor; none for the root.
    pub parent: Option<String>,
    /// Last part of the path, as given.
    pub name: String,
    /// What it is: "Queue", "Slot", "Supervisor".
    pub kind: &'static str,
    /// Where it is in its life.
    pub state: Phase,
    /// How it restarts its children; supervisors only.
    pub strategy: Option<Strategy>,
    /// Starts after the first one, since the process began.
    pub restarts: u64,
    /// Its last end that was no normal one.
    pub last_panic: Option<LastPanic>,
    /// Start of the present life, or of the last: wall clock, ms since 1970.
    pub started_at_ms: Option<u64>,
    /// What is out of order although it runs.
    pub note: Option<String>,
    /// Messages that wait now; 0 while it is down.
    pub mailbox: usize,
}
