//! What happened, as seen by those who took part: the clients, the handlers, the nemesis and at the end the store. All of it
//! on one machine, so that the moments (microseconds since 1970) can be compared.

use std::{fs, path::Path};

use jobqueue::task::Status;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{load::Planned, whole::Whole};

/// Microseconds since 1970.
pub(crate) type Micros = i64;

pub(crate) fn now() -> Micros {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_micros() as Micros
}

/// A line of a handler's log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) at: Micros,
    pub(crate) what: Moment,
    pub(crate) task: Uuid,
    pub(crate) attempt: u32,
    pub(crate) lease: Uuid,
    /// The task's number in the plan.
    pub(crate) n: usize,
    pub(crate) queue: String,
    pub(crate) node: String,
    pub(crate) pid: u32,
    /// Of the arguments as the handler got them.
    pub(crate) hash: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Moment {
    Start,
    Success,
    Failure,
    /// Asked to stop: a cancel, or the end of its node.
    Stopped,
}

/// A handler's run of one attempt.
#[derive(Debug, Clone)]
pub(crate) struct Execution {
    pub(crate) start: Line,
    /// `None`: its process was killed, or it was dropped.
    pub(crate) end: Option<(Micros, Moment)>,
}

/// The handlers' logs as executions, in the order of their starts.
pub(crate) fn executions(folder: &Path, nodes: &[&str]) -> Vec<Execution> {
    let mut all: Vec<Execution> = Vec::new();
    for node in nodes {
        let text = fs::read_to_string(folder.join(format!("{node}.handlers"))).unwrap_or_default();
        // A process that was killed may leave half a line.
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
        all.extend(paired(lines));
    }
    all.sort_by_key(|execution| execution.start.at);
    all
}

fn paired(lines: impl Iterator<Item = Line>) -> Vec<Execution> {
    let mut all: Vec<Execution> = Vec::new();
    let mut open = std::collections::HashMap::new();
    for line in lines {
        let key = (line.task, line.attempt, line.lease, line.pid);
        if line.what == Moment::Start {
            open.insert(key, all.len());
            all.push(Execution { start: line, end: None });
        } else if let Some(place) = open.remove(&key) {
            all[place].end = Some((line.at, line.what));
        }
    }
    all
}

/// What a client was told of one task it had submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Created(Uuid),
    /// This one, which is live, has its unique key.
    Deduplicated(Uuid),
    /// A live task has its unique key.
    KeyHeld,
    /// Nothing: no answer came before the deadline.
    Nothing,
    Refused,
}

/// A client's log of one task.
#[expect(dead_code, reason = "evidence: shown, not judged")]
#[derive(Debug, Clone)]
pub(crate) struct Submitted {
    pub(crate) n: usize,
    /// First time it was sent.
    pub(crate) sent: Micros,
    /// When the answer came.
    pub(crate) answered: Micros,
    /// More than one try: an answer was lost.
    pub(crate) tries: u32,
    pub(crate) told: Told,
    /// Of a refusal.
    pub(crate) detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CancelTold {
    /// It was waiting and is cancelled.
    WhileWaiting,
    WhileRunning,
    Over,
    Nothing,
}

#[derive(Debug, Clone)]
pub(crate) struct Cancel {
    pub(crate) task: Uuid,
    pub(crate) answered: Micros,
    pub(crate) told: CancelTold,
}

/// A queue paused: from the answer to the pause until the resume was first sent.
#[derive(Debug, Clone)]
pub(crate) struct Pause {
    pub(crate) queue: String,
    pub(crate) from: Micros,
    pub(crate) until: Micros,
}

/// A result as it was asked for over the API.
#[derive(Debug, Clone)]
pub(crate) struct Read {
    pub(crate) task: Uuid,
    /// When it was asked for, and when the answer was there.
    pub(crate) from: Micros,
    pub(crate) until: Micros,
    pub(crate) status: u16,
    pub(crate) result: String,
}

/// Something that was written where others may read it: a log, the metrics, a row.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) place: String,
    pub(crate) text: String,
}

/// What the nemesis did to a node, by which its leases may be lost.
#[derive(Debug, Clone)]
pub(crate) struct Harm {
    pub(crate) node: String,
    pub(crate) pid: u32,
    pub(crate) what: String,
    pub(crate) at: Micros,
}

/// An outcome that was on the disk of a node when it was killed.
#[derive(Debug, Clone)]
pub(crate) struct Spooled {
    pub(crate) node: String,
    pub(crate) pid: u32,
    pub(crate) task: Uuid,
    pub(crate) attempt: u32,
}

/// A node's process ended without being told to.
#[expect(dead_code, reason = "evidence: shown, not judged")]
#[derive(Debug, Clone)]
pub(crate) struct Exit {
    pub(crate) node: String,
    pub(crate) pid: u32,
    pub(crate) code: String,
    pub(crate) log: String,
}

#[expect(dead_code, reason = "evidence: shown, not judged")]
#[derive(Debug, Clone)]
pub(crate) struct TaskRow {
    pub(crate) id: Uuid,
    pub(crate) queue: String,
    pub(crate) status: Status,
    pub(crate) created_at: i64,
    pub(crate) run_at: Option<i64>,
    pub(crate) expires_at: Option<i64>,
    pub(crate) started_at: Option<i64>,
    pub(crate) finished_at: Option<i64>,
    pub(crate) attempt: u32,
    pub(crate) failures: u32,
    pub(crate) crashes: u32,
    pub(crate) max_retries: u32,
    pub(crate) worker: Option<Uuid>,
    pub(crate) lease: Option<Uuid>,
    pub(crate) unique_key: Option<String>,
    pub(crate) kwargs: String,
    pub(crate) result: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct AttemptRow {
    pub(crate) task: Uuid,
    pub(crate) number: u32,
    pub(crate) worker: Option<Uuid>,
    pub(crate) started_at: Option<i64>,
    pub(crate) finished_at: Option<i64>,
    pub(crate) outcome: String,
    pub(crate) next_delay_ms: Option<i64>,
}

#[derive(Debug, Clone)]
pub(crate) struct WorkerRow {
    pub(crate) id: Uuid,
    pub(crate) pid: u32,
    pub(crate) state: String,
}

#[derive(Debug, Clone)]
pub(crate) struct DeadRow {
    pub(crate) task: Uuid,
    pub(crate) reason: String,
}

#[derive(Debug, Clone)]
pub(crate) struct TieRow {
    pub(crate) parent: Uuid,
    pub(crate) child: Uuid,
    pub(crate) run_anyway: bool,
}

/// The sum of a counter's rows.
#[derive(Debug, Clone)]
pub(crate) struct CounterRow {
    pub(crate) queue: String,
    pub(crate) kind: i32,
    pub(crate) sum: i64,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Store {
    pub(crate) tasks: Vec<TaskRow>,
    pub(crate) attempts: Vec<AttemptRow>,
    pub(crate) workers: Vec<WorkerRow>,
    pub(crate) dead: Vec<DeadRow>,
    pub(crate) ties: Vec<TieRow>,
    pub(crate) counters: Vec<CounterRow>,
    /// Leases that are left.
    pub(crate) leases: usize,
}

/// A queue's bounds, as they were set before the load and never changed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bounds {
    pub(crate) queue: String,
    pub(crate) concurrency: Option<usize>,
    /// They are those of each tenant.
    pub(crate) of_each: bool,
    /// Starts, and in how many milliseconds.
    pub(crate) rate: Option<(usize, i64)>,
}

/// Everything the checker looks at.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    pub(crate) plan: Vec<Planned>,
    pub(crate) bounds: Vec<Bounds>,
    pub(crate) submitted: Vec<Submitted>,
    pub(crate) cancels: Vec<Cancel>,
    pub(crate) pauses: Vec<Pause>,
    pub(crate) executions: Vec<Execution>,
    pub(crate) harms: Vec<Harm>,
    pub(crate) exits: Vec<Exit>,
    pub(crate) spooled: Vec<Spooled>,
    /// How long a node's silence is borne.
    pub(crate) patience_ms: u64,
    /// When the nemesis did anything at all.
    pub(crate) deeds: Vec<Micros>,
    /// A result as it was given out over the API, by task.
    pub(crate) results: Vec<(Uuid, String)>,
    /// Of those that are given out for a while only.
    pub(crate) reads: Vec<Read>,
    /// What no log may have in it.
    pub(crate) secrets: Vec<&'static str>,
    pub(crate) written: Vec<Written>,
    pub(crate) store: Store,
    pub(crate) whole: Whole,
}
