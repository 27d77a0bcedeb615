//! Why a task does not run now, and when it will: by the rules the claim goes by.

use super::Engine;
use crate::{
    store::{Counted, LaneAhead, QueueRow, Reader, StoreError, TaskRow},
    task::{
        FlowKeys, Gate, Lack, Millis, Order, Priority, RateLimit, Status, TaskId,
        admission::{Candidate, Hold},
        rate::Key,
    },
};

/// Tasks ahead are counted up to this many.
pub const MOST_AHEAD: u64 = 10_000;
/// Lanes are counted up to this many.
pub const MOST_LANES: u64 = 1_000;
/// Workers that are looked at: where there are more, one of them may be able to run a task.
pub const MOST_WORKERS: usize = 1_000;
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
    RateLimit {
        rule: RateLimit,
        until: Millis,
    },
    /// As many of its queue run as may.
    Concurrency {
        limit: u32,
        running: u32,
    },
    /// The limit of its rate key is used up; enough for it is free then.
    KeyRateLimit {
        rule: RateLimit,
        until: Millis,
    },
    /// As many of its concurrency key run as may.
    KeyConcurrency {
        limit: u32,
        running: u32,
    },
    /// No worker that is alive and takes tasks can run it: what those lack that come closest; `None`: there is none.
    NoWorker(Option<Lack>),
    /// It has outlived two workers and waits until no other such task is on the node.
    Suspect,
    /// It expires at this moment, and cannot start before.
    Expires(Millis),
    /// So many tasks (at most [`MOST_AHEAD`]) come first.
    Ahead(u64),
    /// So many other lanes (at most [`MOST_LANES`]) take turns with its own.
    Turns {
        lanes: u64,
        /// Of them, those whose turn comes first on this node; `None`: there are too many to say.
        before: Option<u64>,
        /// The keys of the lane whose turn is next, where that is not its own.
        next: Option<FlowKeys>,
    },
    /// Tasks of a higher priority wait in lanes.
    HigherLanes,
    /// All slots of this node are taken.
    Slots,
}

impl Reason {
    /// The claim would not grant the task, whatever else there is.
    pub const fn is_hold(&self) -> bool {
        !matches!(self, Self::Ahead(_) | Self::Turns { .. } | Self::HigherLanes | Self::Slots)
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
        if task.status.is_waiting() {
            reasons.extend(self.own_holds(&task, now));
            reasons.extend(no_worker(reader, &task)?);
            let (mut gate, mut order) = (Gate::default(), Order::STRICT);
            if let Some(row) = reader.queue(&task.queue)? {
                (gate, order) = (self.gate_of(reader, &row, now)?, Order::new(row.settings.ageing));
                reasons.extend(queue_holds(&mut gate, &row, &task));
                reasons.extend(key_holds(reader, &row, &task, now)?);
            }
            if task.flow.is_some() {
                if task.ready_at.is_some_and(|at| at <= now) {
                    reasons.extend(self.turns_of(reader, &task)?);
                }
            } else if let Some(at) = task.ready_at.filter(|at| *at <= now) {
                let ahead = ahead(reader, &mut gate, order, (&task, at), now)?;
                reasons.extend((ahead > 0).then_some(Reason::Ahead(ahead)));
            }
            reasons.extend((self.held().len() >= slots).then_some(Reason::Slots));
        }
        let until = |reason: &Reason| match reason {
            Reason::NotDue(at) | Reason::RateLimit { until: at, .. } | Reason::KeyRateLimit { until: at, .. } => {
                Some(*at)
            }
            _ => None,
        };
        let not_before = reasons.iter().filter_map(until).max();
        let too_late =
            |at: &Millis| task.status.is_waiting() && not_before.is_some_and(|start| start >= *at) && *at > now;
        reasons.extend(task.expires_at.filter(too_late).map(Reason::Expires));
        Ok(Some(Explanation { task, reasons, not_before }))
    }

    /// What of the task itself keeps it. One that waits for its parents keeps its time until they are done.
    fn own_holds(&self, task: &TaskRow, now: Millis) -> Vec<Reason> {
        let ready_at = match task.status {
            Status::Pending => Some(task.run_at.unwrap_or(now)),
            _ => task.ready_at,
        };
        let candidate = Candidate { ready_at, expires_at: task.expires_at, crashes: task.crashes };
        let hold = candidate.hold(!self.held().has_suspect(), now);
        let mut reasons: Vec<Reason> = hold.and_then(reason).into_iter().collect();
        // It will be one when its time has come.
        let suspect = candidate.is_suspect() && self.held().has_suspect();
        reasons.extend((suspect && matches!(hold, Some(Hold::NotDue(_)))).then_some(Reason::Suspect));
        reasons
    }

    /// What comes before a task with keys whose time has come.
    fn turns_of(&self, reader: &dyn Reader, task: &TaskRow) -> Result<Vec<Reason>, StoreError> {
        let LaneAhead { own, lanes, before, next, above } =
            reader.lane_ahead(task, self.next_turn(&task.queue, task.priority), MOST_LANES)?;
        let mut reasons = Vec::new();
        reasons.extend(above.then_some(Reason::HigherLanes));
        reasons.extend((own > 0).then_some(Reason::Ahead(own)));
        let is_all = lanes + 1 < MOST_LANES;
        let turns = Reason::Turns { lanes, before: is_all.then_some(before), next: next.filter(|_| is_all) };
        reasons.extend((lanes > 0).then_some(turns));
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

/// By the rows of the workers, which say what each can run.
fn no_worker(reader: &dyn Reader, task: &TaskRow) -> Result<Option<Reason>, StoreError> {
    let offers = reader.offers(MOST_WORKERS)?;
    let requires = task.flow.as_ref().map_or(&[][..], |keys| &keys.requires);
    let lacks: Option<Vec<Lack>> =
        offers.iter().map(|offer| offer.lacks(&task.queue, Some(&task.name), requires)).collect();
    let lacks = lacks.filter(|lacks| lacks.len() < MOST_WORKERS);
    Ok(lacks.map(|lacks| Reason::NoWorker(lacks.into_iter().max())))
}

fn queue_holds(gate: &mut Gate, row: &QueueRow, task: &TaskRow) -> Vec<Reason> {
    let mut reasons = Vec::new();
    reasons.extend(row.paused.then_some(Reason::Paused));
    if let Some(rule) = gate.rule().copied()
        && let Some(at) = gate.permits(rule.key(task.priority)).and_then(|permits| permits.next_at)
    {
        reasons.push(Reason::RateLimit { rule, until: at });
    }
    if let Some(limit) = row.settings.concurrency.filter(|_| gate.is_at_cap()) {
        reasons.push(Reason::Concurrency { limit, running: gate.running() });
    }
    reasons
}

/// What the limits of its keys keep it from, by the same arithmetic as the claim's.
fn key_holds(reader: &dyn Reader, row: &QueueRow, task: &TaskRow, now: Millis) -> Result<Vec<Reason>, StoreError> {
    let (mut reasons, Some(flow)) = (Vec::new(), &task.flow) else { return Ok(Vec::new()) };
    if let (Some(rule), Some(key)) = (row.settings.key_rate_limit.filter(|rule| rule.enabled), &flow.rate_key) {
        let mut state = reader.key_limit(&row.name, key)?.unwrap_or_default();
        let next = state.permits_for(&rule, Key::Queue, flow.cost(), now).next_at;
        reasons.extend(next.map(|until| Reason::KeyRateLimit { rule, until }));
    }
    if let (Some(limit), Some(key)) = (row.settings.key_concurrency, &flow.concurrency_key) {
        let running = reader.key_running(&row.name, key)?;
        reasons.extend((running >= limit).then_some(Reason::KeyConcurrency { limit, running }));
    }
    Ok(reasons)
}

/// Tasks that come before one that is ready. Of those under another part of the limit no more than that part lets start.
fn ahead(
    reader: &dyn Reader,
    gate: &mut Gate,
    order: Order,
    (task, at): (&TaskRow, Millis),
    now: Millis,
) -> Result<u64, StoreError> {
    let key = |priority| gate.rule().map_or(Key::Queue, |rule| rule.key(priority));
    let own = key(task.priority);
    let lanes = (0..=Priority::MAX).rev().filter_map(Priority::new);
    let lanes = lanes.filter_map(|lane| Some((lane, order.before(task.priority, (at, task.id), lane)?, key(lane))));
    let lanes: Vec<_> = lanes.collect();
    let mut room = Key::ALL.map(|part| {
        let permits = if part == own { None } else { gate.permits(part) };
        permits.map_or(MOST_AHEAD, |permits| permits.free.into())
    });
    let mut ahead = 0;
    for (lane, before, part) in lanes {
        let most = room[part as usize].min(MOST_AHEAD - ahead);
        if most > 0 {
            // What is not ready yet is ahead of nobody.
            let before = Some(before).filter(|before| before.0 <= now);
            let found = reader.ahead(&task.queue, lane, before, now, most)?;
            room[part as usize] -= found;
            ahead += found;
        }
    }
    Ok(ahead)
}

fn waits_for(reader: &dyn Reader, task: &TaskRow) -> Result<Reason, StoreError> {
    let parents = reader.parent_states(task.id, task.parents)?;
    let open = parents.iter().filter(|parent| !parent.status.is_terminal());
    Ok(Reason::Parents { unmet: task.unmet, some: open.map(|parent| parent.id).take(NAMED).collect() })
}
