//! Claim: ids from the broker's head, granted by the store.

mod heads;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Claimer, Engine, Grant,
    batch::Moment,
    lanes::{Ask, KeyGate, Pick},
    notice::After,
};
use crate::{
    planted::{self, Bug},
    store::{Claim, Claimed, Entrance, StoreError, Tx},
    task::{
        FlowKeys, Gate, Granted, LeaseId, Mark, Millis, Order, Priority, QueueSettings, Quota, RateLimit, Ready,
        Status, TaskId, WorkerId,
    },
};

/// Tasks with keys that one claim lets into their lanes.
const ENTER: usize = 1_024;

/// What a claim brought: grants for this node's slots, or tasks for somebody else.
pub struct ClaimReply<T = Grant> {
    pub grants: Vec<T>,
    /// Tasks must have started by then for their limit to be exact.
    pub start_by: Option<Instant>,
    /// The queue may have more that is ready now.
    pub more: bool,
    pub paused: bool,
    /// The claimer is held to be dead by the store: it is granted nothing.
    pub fenced: bool,
    /// The queue's share of the slots; 0: nothing was asked.
    pub weight: u32,
    /// When the next task of the queue falls due.
    pub next_due: Option<Millis>,
    /// A limit is used up: when the next permit is free.
    pub blocked_until: Option<Millis>,
}

impl<T> Default for ClaimReply<T> {
    fn default() -> Self {
        Self {
            grants: Vec::new(),
            start_by: None,
            more: false,
            paused: false,
            fenced: false,
            weight: 0,
            next_due: None,
            blocked_until: None,
        }
    }
}

type Reply = Box<dyn FnOnce(Result<ClaimReply<Granted>, StoreError>) + Send>;

pub(super) struct ClaimOp {
    claimer: Claimer,
    queue: Arc<str>,
    want: usize,
    reply: Reply,
    /// Taken from the broker's head: given back to it if the transaction fails.
    entries: Vec<(Priority, Mark)>,
    /// Tasks with keys whose turn it is, from the store.
    picks: Vec<Pick>,
    /// Without keys and for neither the claimer nor this node: they are moved out of the way.
    others: Vec<(Priority, Mark)>,
    /// Of the entries, what a limit has no room for after all.
    surplus: Vec<(Priority, Mark)>,
    found: Found,
    claimed: Claimed,
}

/// What one run of the transaction has found.
#[derive(Default)]
struct Found {
    fenced: bool,
    paused: bool,
    weight: u32,
    drained: bool,
    /// More wait in lanes that were not looked at.
    more_lanes: bool,
    blocked: bool,
    at_cap: bool,
    next_due: Option<Millis>,
    blocked_until: Option<Millis>,
    /// Tasks must have started by then for their limit to be exact.
    start_by: Option<Instant>,
}

impl Found {
    fn start_within(&mut self, rule: Option<&RateLimit>, moment: Moment) {
        let within = rule.and_then(RateLimit::start_within).and_then(|within| u64::try_from(within).ok());
        let by = within.map(|within| moment.began + Duration::from_millis(within));
        self.start_by = [self.start_by, by].into_iter().flatten().min();
    }
}

impl Engine {
    /// `reply` is called after the commit, on the stage thread.
    pub(super) fn ask(
        &self,
        claimer: Claimer,
        queue: Arc<str>,
        want: usize,
        reply: impl FnOnce(Result<ClaimReply<Granted>, StoreError>) + Send + 'static,
    ) {
        if let Some(error) = self.owes_too_much() {
            return reply(Err(error));
        }
        let op = ClaimOp {
            claimer,
            queue,
            want,
            reply: Box::new(reply),
            entries: Vec::new(),
            others: Vec::new(),
            surplus: Vec::new(),
            picks: Vec::new(),
            found: Found::default(),
            claimed: Claimed::default(),
        };
        if let Err(op) = self.0.inbox.claim(op) {
            (op.reply)(Ok(ClaimReply::default()));
        }
    }

    /// A store that grants tasks but does not take outcomes: more would be owed than there are slots.
    fn owes_too_much(&self) -> Option<StoreError> {
        let trouble = self.trouble().filter(|_| self.waiting_outcomes().0 >= self.0.slots)?;
        Some(trouble.error)
    }

    /// What bounds a queue now; `None`: nothing does.
    fn gate(
        &self,
        tx: &mut dyn Tx,
        queue: &str,
        settings: &QueueSettings,
        now: Millis,
    ) -> Result<Option<Gate>, StoreError> {
        let default = self.0.settings.rate_limit.as_ref();
        if settings.is_unlimited() && default.is_none() {
            return Ok(None);
        }
        let state = tx.limit_state(&planted::limit_of(queue, self.worker()))?;
        let running = if settings.concurrency.is_some() { tx.running(queue)? } else { 0 };
        Ok(Some(Gate::new(settings, default, state, running, now)))
    }
}

impl ClaimOp {
    /// For this node's slots.
    fn is_own(&self, engine: &Engine) -> bool {
        self.claimer.worker == engine.worker()
    }

    pub(super) fn queue(&self) -> &str {
        &self.queue
    }

    pub(super) fn worker(&self) -> WorkerId {
        self.claimer.worker
    }

    pub(super) fn granted(&self) -> &[Granted] {
        &self.claimed.tasks
    }

    pub(super) fn run(&mut self, engine: &Engine, tx: &mut dyn Tx, moment: Moment) -> Result<(), StoreError> {
        let now = moment.now;
        (self.found, self.claimed) = (Found::default(), Claimed::default());
        self.entries.append(&mut self.surplus);
        let Entrance { fenced, paused, weight, settings, laned, unlaned } =
            tx.entrance(&self.queue, self.claimer.worker, engine.default_rate_limit().is_some())?;
        (self.found.fenced, self.found.paused, self.found.weight) = (fenced, paused, weight);
        if fenced || paused {
            return Ok(());
        }
        let order = Order::new(settings.ageing);
        let mut gate = engine.gate(tx, &self.queue, &settings, now)?;
        let quota = gate.as_mut().map_or(Quota::UNLIMITED, Gate::quota);
        if self.is_own(engine) {
            self.fill(engine, tx, quota, order, now)?;
        } else {
            self.look(engine, tx, quota, order, now)?;
        }
        self.picks.clear();
        let mut key_gate = None;
        if laned || unlaned.is_some() {
            let unlaned = self.enter_lanes(tx, unlaned, now)?;
            let gate = key_gate.insert(KeyGate::new(&settings, &self.claimer.serves, now));
            let ask = Ask {
                queue: &self.queue,
                settings: &settings,
                want: self.want,
                now,
                print: self.claimer.serves.print(),
            };
            let picked = engine.take_turns(tx, &ask, gate, quota)?;
            self.found.next_due = [self.found.next_due, unlaned].into_iter().flatten().min();
            self.join(engine, picked, quota, order);
        }
        self.grant(engine, tx, now)?;
        if let Some(gate) = key_gate {
            self.settle(gate, tx, moment)?;
        }
        match &mut gate {
            Some(gate) => self.count(gate, engine, tx, moment),
            None => Ok(()),
        }
    }

    fn grant(&mut self, engine: &Engine, tx: &mut dyn Tx, now: Millis) -> Result<(), StoreError> {
        let mut claim = Claim {
            queue: self.queue.clone(),
            worker: self.claimer.worker,
            lease: LeaseId::random(),
            now,
            suspect_allowed: !self.is_own(engine) || !engine.held().has_suspect(),
            laned: false,
            serves: self.claimer.serves.clone(),
            timed: !self.is_own(engine),
        };
        if !self.entries.is_empty() || !self.others.is_empty() {
            let hints: Vec<_> = self.entries.iter().chain(&self.others).copied().collect();
            self.claimed = tx.claim(&claim, &hints)?;
            planted::linger(Bug::HintBeforeCommit);
        }
        if !self.picks.is_empty() {
            claim.suspect_allowed &= !self.claimed.tasks.iter().any(Granted::is_suspect);
            (claim.lease, claim.laned) = (LeaseId::random(), true);
            let hints: Vec<_> = self.picks.iter().map(|pick| (pick.priority, pick.mark())).collect();
            let claimed = tx.claim(&claim, &hints)?;
            // What somebody else holds at this moment is still in its lane.
            self.found.more_lanes |= !claimed.passed_over.is_empty();
            self.claimed.tasks.extend(claimed.tasks);
            self.claimed.put_off.extend(claimed.put_off);
            self.claimed.moved.extend(claimed.moved);
        }
        Ok(())
    }

    /// Lets tasks with keys into their lanes whose time has come; when the next one does.
    fn enter_lanes(
        &mut self,
        tx: &mut dyn Tx,
        unlaned: Option<Millis>,
        now: Millis,
    ) -> Result<Option<Millis>, StoreError> {
        if unlaned.is_none_or(|at| at > now) {
            return Ok(unlaned);
        }
        let entered = tx.enter_lanes(&self.queue, now, ENTER)?;
        self.found.more_lanes |= entered == ENTER;
        // Whether another one waits for its time the next claim sees.
        Ok(Some(now + 1))
    }

    /// Takes the permits and places of tasks with keys that were granted.
    fn settle(&mut self, gate: KeyGate, tx: &mut dyn Tx, moment: Moment) -> Result<(), StoreError> {
        let flows: HashMap<TaskId, &FlowKeys> =
            self.picks.iter().map(|pick| (pick.mark().1, &pick.task.flow)).collect();
        let granted: Vec<_> =
            self.claimed.tasks.iter().filter_map(|task| Some((task, *flows.get(&task.id)?))).collect();
        if granted.iter().any(|(_, flow)| flow.rate_key.is_some()) {
            self.found.start_within(gate.rule(), moment);
        }
        gate.settle(tx, &self.queue, &granted)
    }

    /// Takes the permits of what was granted, and finds when the next one is free.
    fn count(&mut self, gate: &mut Gate, engine: &Engine, tx: &mut dyn Tx, moment: Moment) -> Result<(), StoreError> {
        if !self.claimed.tasks.is_empty() {
            gate.take(self.claimed.tasks.iter().map(|task| task.priority));
            if let Some((state, until)) = gate.state() {
                tx.keep_limit_state(&planted::limit_of(&self.queue, engine.worker()), state, until)?;
            }
            self.found.start_within(gate.rule(), moment);
        }
        if self.found.blocked {
            self.found.at_cap |= gate.is_at_cap();
            self.found.blocked_until = [self.found.blocked_until, gate.next_permit()].into_iter().flatten().min();
        }
        Ok(())
    }

    pub(super) fn committed(self, engine: &Engine, after: &mut After) {
        let is_own = self.is_own(engine);
        let Self { queue, reply, entries, surplus, found, claimed, .. } = self;
        let Claimed { tasks, put_off, moved, passed_over } = claimed;
        if found.paused || found.fenced {
            give_back(engine, &queue, entries.iter().chain(&surplus));
            if let Some(listener) = engine.listener().filter(|_| found.fenced && is_own) {
                listener.fenced();
            }
            let Found { paused, fenced, .. } = found;
            return reply(Ok(ClaimReply { paused, fenced, ..ClaimReply::default() }));
        }
        let put_off_until = put_off.iter().map(|ready| ready.mark.0).min();
        if !put_off.is_empty() {
            // Who asks hears of the time by the reply: no wake is wanted.
            engine.hint(&put_off);
        }
        // Whoever can run them is to look: another node, or a worker that waits here.
        after.ready.extend(moved);
        if is_own {
            give_back(engine, &queue, surplus.iter().chain(&passed_over));
        }
        for task in &tasks {
            after.changed(task.id, &task.queue, Status::Running);
        }
        if found.at_cap {
            after.at_cap.push(queue);
        }
        let next_due = [found.next_due, put_off_until].into_iter().flatten().min();
        reply(Ok(ClaimReply {
            grants: tasks,
            start_by: found.start_by,
            more: !found.drained || found.more_lanes || !passed_over.is_empty(),
            paused: false,
            fenced: false,
            weight: found.weight,
            next_due,
            blocked_until: found.blocked_until,
        }));
    }

    pub(super) fn failed(self, engine: &Engine, error: &StoreError) {
        if planted::is(Bug::HintBeforeCommit) {
            return self.committed(engine, &mut After::default());
        }
        give_back(engine, &self.queue, self.entries.iter().chain(&self.surplus));
        (self.reply)(Err(error.clone()));
    }
}

fn give_back<'a>(engine: &Engine, queue: &Arc<str>, entries: impl Iterator<Item = &'a (Priority, Mark)>) {
    let ready = |(priority, mark): &(Priority, Mark)| Ready {
        queue: queue.clone(),
        priority: *priority,
        keyed: false,
        mark: *mark,
    };
    let ready: Vec<_> = entries.map(ready).collect();
    if !ready.is_empty() {
        engine.wake_peers(&engine.broker().hint(&ready));
    }
}
