//! Why a task does not run now, and when it will: by the rules the claim goes by.

use super::Engine;
use crate::{
    store::{Counted, QueueRow, Reader, StoreError, TaskRow},
    task::{
        Gate, Millis, Status, TaskId,
        admission::{Candidate, Hold},
    },
};

/// Tasks ahead are counted up to this many.
pub const MOST_AHEAD: u64 = 10_000;
/// Parents that are named.
const NAMED: usize = 10;

/// Something that keeps a task from starting now.
#[derive(Debug, Clone, PartialEq)]
pub enum Reason {
    Running,
    Over(Status),
    /// So many parents are not over; some of them.
    Parents {
        unmet: u32,
        some: Vec<TaskId>,
    },
    /// Its time, or that of its next attempt, comes then.
    NotDue(Millis),
    /// It was not started in time: it expires with the next look.
    Expired,
    Paused,
    /// The limit is used up; the next permit is free then.
    RateLimit(Millis),
    /// As many of its queue run as may.
    Concurrency {
        limit: u32,
        running: u32,
    },
    /// It has outlived two workers and waits until no other such task is on the node.
    Suspect,
    /// So many tasks (at most [`MOST_AHEAD`]) come first.
    Ahead(u64),
    /// All slots of this node are taken.
    Slots,
}

impl Reason {
    /// The claim would not grant the task, whatever else there is.
    pub const fn is_hold(&self) -> bool {
        !matches!(self, Self::Ahead(_) | Self::Slots)
    }
}

/// What is known about a task's start.
#[derive(Debug, Clone)]
pub struct Explanation {
    pub task: TaskRow,
    /// Empty: it starts as soon as a slot asks.
    pub reasons: Vec<Reason>,
    /// Not before this moment, as far as time decides.
    pub not_before: Option<Millis>,
}

impl Engine {
    /// Reads the store: not for an arbiter. `slots` is how many tasks this node runs at a time.
    pub fn explain(&self, id: TaskId, slots: usize) -> Result<Option<Explanation>, StoreError> {
        let (reader, now) = (&**self.reader(), self.clock().now());
        let Some(task) = reader.task(id)? else { return Ok(None) };
        let mut reasons = match task.status {
            Status::Running => vec![Reason::Running],
            status if status.is_terminal() => vec![Reason::Over(status)],
            Status::Pending => vec![waits_for(reader, &task)?],
            _ => Vec::new(),
        };
        if reasons.is_empty() {
            let candidate = Candidate { ready_at: task.ready_at, expires_at: task.expires_at, crashes: task.crashes };
            reasons.extend(candidate.hold(!self.held().has_suspect(), now).and_then(reason));
        }
        if task.status.is_waiting() {
            if let Some(row) = reader.queue(&task.queue)? {
                reasons.extend(self.queue_holds(reader, &row, &task, now)?);
            }
            if let Some(at) = task.ready_at.filter(|at| *at <= now) {
                let ahead = reader.ahead(&task.queue, task.priority, (at, task.id), now, MOST_AHEAD)?;
                reasons.extend((ahead > 0).then_some(Reason::Ahead(ahead)));
            }
            reasons.extend((self.held().len() >= slots).then_some(Reason::Slots));
        }
        let until = |reason: &Reason| match reason {
            Reason::NotDue(at) | Reason::RateLimit(at) => Some(*at),
            _ => None,
        };
        let not_before = reasons.iter().filter_map(until).max();
        Ok(Some(Explanation { task, reasons, not_before }))
    }

    fn queue_holds(
        &self,
        reader: &dyn Reader,
        row: &QueueRow,
        task: &TaskRow,
        now: Millis,
    ) -> Result<Vec<Reason>, StoreError> {
        let mut reasons = Vec::new();
        reasons.extend(row.paused.then_some(Reason::Paused));
        let mut gate = self.gate_of(reader, row, now)?;
        if let Some(rule) = gate.rule().copied()
            && let Some(at) = gate.permits(rule.key(task.priority)).and_then(|permits| permits.next_at)
        {
            reasons.push(Reason::RateLimit(at));
        }
        if let Some(limit) = row.settings.concurrency.filter(|_| gate.is_at_cap()) {
            reasons.push(Reason::Concurrency { limit, running: gate.running() });
        }
        Ok(reasons)
    }

    /// The limits of a queue as its next claim will find them.
    pub fn gate_of(&self, reader: &dyn Reader, row: &QueueRow, now: Millis) -> Result<Gate, StoreError> {
        let counters = reader.counters(Some(&row.name))?;
        let running = counters.iter().filter(|row| row.kind == Counted::In(Status::Running)).map(|row| row.n);
        let running = u32::try_from(running.sum::<i64>()).unwrap_or(0);
        let default = self.default_rate_limit();
        Ok(Gate::new(&row.settings, default.as_ref(), reader.limit_state(&row.name)?, running, now))
    }
}

fn reason(hold: Hold) -> Option<Reason> {
    match hold {
        // Its status has said why.
        Hold::NotWaiting => None,
        Hold::NotDue(at) => Some(Reason::NotDue(at)),
        Hold::Expired => Some(Reason::Expired),
        Hold::Suspect => Some(Reason::Suspect),
    }
}

fn waits_for(reader: &dyn Reader, task: &TaskRow) -> Result<Reason, StoreError> {
    let parents = reader.parents(task.id)?;
    let open = parents.iter().filter(|parent| !parent.status.is_terminal());
    Ok(Reason::Parents { unmet: task.unmet, some: open.map(|parent| parent.id).take(NAMED).collect() })
}
