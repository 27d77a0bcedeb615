//! Heartbeats of remote workers: those that have come since the last round are renewed by one statement and answered by what
//! one read has found. One that waits is answered when there is something else to say than before.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use actix::prelude::*;
use tokio::sync::oneshot;

use super::{
    super::supervision::{Shutdown, tree_actor},
    Orders, RemoteHub,
};
use crate::{
    engine::Engine,
    store::{Holding, Renewed, StoreError},
    task::{Asked, LeaseToken, Millis, TaskId, WorkerId},
};

/// How often those that wait are looked at, whatever was heard or not heard; and the time limits of what they run.
const LOOK: Duration = Duration::from_secs(1);
/// A grant that is older and not among what its worker says it runs, twice, has not reached it.
const UNHEARD_AFTER: Millis = 10_000;
/// At least so far apart.
const TWICE: Duration = Duration::from_secs(2);
/// What was said to a worker is forgotten when it has been silent for so long.
const FORGET: Duration = Duration::from_secs(300);
/// Renewed at a time.
const ROUND: usize = 1_000;

/// A worker that lives.
pub struct Beat {
    pub worker: WorkerId,
    /// What it holds, by its own account.
    pub running: Vec<LeaseToken>,
    /// Bytes of memory.
    pub rss: Option<u64>,
    /// How long it waits for something to be said.
    pub wait: Duration,
    pub reply: oneshot::Sender<Beaten>,
}

/// The answer.
#[derive(Debug)]
pub enum Beaten {
    Alive(Orders),
    /// It is in this state, and what it held is not its own any more.
    Gone(String),
    NotFound,
    Failed(StoreError),
}

pub(super) enum Call {
    Beat(Beat),
    Cancelled(Vec<TaskId>, bool),
    /// Something is wanted of a worker.
    Asked,
}

struct Waiting {
    beat: Beat,
    until: Instant,
}

/// What a round has found.
struct Found {
    fresh: Vec<(Beat, Renewed)>,
    held: HashMap<WorkerId, Vec<Holding>>,
    asked: HashMap<WorkerId, Asked>,
}

/// Holds who waits, and what was said last.
pub struct Beats {
    hub: RemoteHub,
    engine: Engine,
    fresh: Vec<Beat>,
    /// The latest of each worker.
    waiting: HashMap<WorkerId, Waiting>,
    told: HashMap<WorkerId, (Orders, Instant)>,
    /// Grants that their worker did not name, and when it first did not.
    unheard: HashMap<WorkerId, HashMap<LeaseToken, Instant>>,
    forced: HashMap<TaskId, Instant>,
    in_round: bool,
    /// Those that wait are to be looked at.
    look: bool,
}

impl Beats {
    pub fn new(engine: Engine, hub: RemoteHub) -> Self {
        Self {
            hub,
            engine,
            fresh: Vec::new(),
            waiting: HashMap::new(),
            told: HashMap::new(),
            unheard: HashMap::new(),
            forced: HashMap::new(),
            in_round: false,
            look: false,
        }
    }

    fn listen(&mut self, ctx: &mut Context<Self>) {
        let hub = self.hub.clone();
        let heard = async move { hub.next_beats().await };
        ctx.spawn(heard.into_actor(self).map(|calls, actor, ctx| {
            for call in calls {
                match call {
                    Call::Beat(beat) => actor.fresh.push(beat),
                    Call::Asked => actor.look = true,
                    Call::Cancelled(ids, at_once) => actor.cancelled(ids, at_once),
                }
            }
            actor.round(ctx);
            actor.listen(ctx);
        }));
    }

    fn cancelled(&mut self, ids: Vec<TaskId>, at_once: bool) {
        self.look = true;
        if at_once {
            let now = Instant::now();
            self.forced.extend(ids.into_iter().map(|id| (id, now)));
        }
    }

    fn round(&mut self, ctx: &mut Context<Self>) {
        if self.in_round || (self.fresh.is_empty() && !self.look) {
            return;
        }
        self.in_round = true;
        let fresh: Vec<Beat> = self.fresh.drain(..self.fresh.len().min(ROUND)).collect();
        let looked_at =
            if std::mem::take(&mut self.look) { self.waiting.keys().copied().collect() } else { Vec::new() };
        let work = find(self.engine.clone(), fresh, looked_at);
        ctx.spawn(work.into_actor(self).map(|(found, looked_at), actor, ctx| {
            actor.in_round = false;
            if let Some(found) = found {
                actor.found(found, &looked_at, ctx);
            }
            actor.round(ctx);
        }));
    }

    fn found(&mut self, found: Found, looked_at: &[WorkerId], ctx: &mut Context<Self>) {
        let Found { fresh, held, asked } = found;
        let nothing = Vec::new();
        for worker in looked_at {
            let held = held.get(worker).unwrap_or(&nothing);
            let Some(waiting) = self.waiting.get(worker) else { continue };
            let orders = self.orders(&waiting.beat.running, held, asked.get(worker).copied());
            if self.is_news(*worker, &orders)
                && let Some(Waiting { beat, .. }) = self.waiting.remove(worker)
            {
                self.tell(beat, orders);
            }
        }
        self.hush(asked.into_keys().collect());
        for (beat, renewed) in fresh {
            let asked = match renewed {
                Renewed::Alive(asked) => asked,
                Renewed::Gone(state) => {
                    drop(beat.reply.send(Beaten::Gone(state)));
                    continue;
                }
                Renewed::NotFound => {
                    drop(beat.reply.send(Beaten::NotFound));
                    continue;
                }
            };
            let held = held.get(&beat.worker).unwrap_or(&nothing);
            self.look_for_unheard(&beat, held, ctx);
            let orders = self.orders(&beat.running, held, asked);
            if beat.wait.is_zero() || self.is_news(beat.worker, &orders) {
                self.tell(beat, orders);
            } else {
                let until = Instant::now() + beat.wait;
                // An earlier one of the same worker that waits is answered by this one.
                if let Some(before) = self.waiting.insert(beat.worker, Waiting { beat, until }) {
                    self.tell(before.beat, orders);
                }
            }
        }
    }

    fn orders(&self, running: &[LeaseToken], held: &[Holding], asked: Option<Asked>) -> Orders {
        let now = self.engine.clock().now();
        let grace = Millis::try_from(self.hub.grace().as_millis()).unwrap_or(Millis::MAX);
        Orders::new(running, held, asked, (now, grace), |id| self.forced.contains_key(&id))
    }

    fn is_news(&self, worker: WorkerId, orders: &Orders) -> bool {
        match self.told.get(&worker) {
            Some((told, _)) => told != orders,
            None => *orders != Orders::default(),
        }
    }

    fn tell(&mut self, beat: Beat, orders: Orders) {
        self.told.insert(beat.worker, (orders.clone(), Instant::now()));
        let _ = beat.reply.send(Beaten::Alive(orders));
    }

    fn hush(&self, asked: Vec<WorkerId>) {
        if !asked.is_empty() {
            self.hub.hush(asked);
        }
    }

    /// An answer to a poll may have got lost on its way.
    fn look_for_unheard(&mut self, beat: &Beat, held: &[Holding], ctx: &mut Context<Self>) {
        let old = self.engine.clock().now() - UNHEARD_AFTER;
        let running: HashSet<LeaseToken> = beat.running.iter().copied().collect();
        let before = self.unheard.remove(&beat.worker).unwrap_or_default();
        let (mut unheard, mut lost, now) = (HashMap::new(), HashSet::new(), Instant::now());
        for holding in held.iter().filter(|one| one.granted_at < old && !running.contains(&one.token)) {
            let since = before.get(&holding.token).copied().unwrap_or(now);
            if since.elapsed() >= TWICE {
                lost.insert(holding.token);
            } else {
                unheard.insert(holding.token, since);
            }
        }
        if !unheard.is_empty() {
            self.unheard.insert(beat.worker, unheard);
        }
        if lost.is_empty() {
            return;
        }
        let engine = self.engine.clone();
        let work = async move {
            match engine.release_unheard(lost).await {
                Ok(tasks) => {
                    log::warn!(tasks; "Tasks did not reach the remote worker they were granted to and go back")
                }
                Err(error) => log::debug!("Tasks that did not reach their worker could not be given back: {error}"),
            }
        };
        ctx.spawn(work.into_actor(self));
    }

    /// What time brings, whether anything was heard or not.
    fn tick(&mut self, ctx: &mut Context<Self>) {
        let now = Instant::now();
        let over = |waiting: &Waiting| waiting.until <= now || waiting.beat.reply.is_closed();
        let over: Vec<_> = self.waiting.extract_if(|_, waiting| over(waiting)).collect();
        for (worker, Waiting { beat, .. }) in over {
            let orders = self.told.get(&worker).map(|(orders, _)| orders.clone()).unwrap_or_default();
            self.tell(beat, orders);
        }
        self.told.retain(|_, (_, at)| at.elapsed() < FORGET);
        self.unheard.retain(|_, of| of.values().any(|at| at.elapsed() < FORGET));
        self.forced.retain(|_, at| at.elapsed() < FORGET);
        self.look = !self.waiting.is_empty() || self.hub.has_polls();
        self.round(ctx);
    }

    fn end_overdue(&mut self, ctx: &mut Context<Self>) {
        let engine = self.engine.clone();
        let grace = Millis::try_from(self.hub.grace().as_millis()).unwrap_or(Millis::MAX);
        let work = async move {
            match engine.end_overdue(grace).await {
                Ok(0) => {}
                Ok(tasks) => log::warn!(tasks; "Tasks of remote workers were out of time and are ended"),
                Err(error) => log::debug!("Tasks of remote workers that are out of time could not be ended: {error}"),
            }
        };
        ctx.spawn(work.into_actor(self).map(|(), _, ctx| {
            ctx.run_later(LOOK, Self::end_overdue);
        }));
    }
}

/// Renews those that are new, and reads what there is to be said. Where the store fails the new ones hear of it and the
/// others wait on.
async fn find(engine: Engine, fresh: Vec<Beat>, looked_at: Vec<WorkerId>) -> (Option<Found>, Vec<WorkerId>) {
    match read(&engine, &fresh, &looked_at).await {
        Ok((renewed, held, asked)) => {
            let fresh = fresh.into_iter().zip(renewed).collect();
            (Some(Found { fresh, held, asked }), looked_at)
        }
        Err(error) => {
            for beat in fresh {
                let _ = beat.reply.send(Beaten::Failed(error.clone()));
            }
            (None, looked_at)
        }
    }
}

type Read = (Vec<Renewed>, HashMap<WorkerId, Vec<Holding>>, HashMap<WorkerId, Asked>);

async fn read(engine: &Engine, fresh: &[Beat], looked_at: &[WorkerId]) -> Result<Read, StoreError> {
    let beats: Vec<_> = fresh.iter().map(|beat| (beat.worker, beat.rss)).collect();
    let renewed = if beats.is_empty() { Vec::new() } else { engine.beat_all(beats).await? };
    let alive = fresh.iter().zip(&renewed).filter(|(_, renewed)| matches!(renewed, Renewed::Alive(_)));
    let workers: HashSet<_> = alive.map(|(beat, _)| beat.worker).chain(looked_at.iter().copied()).collect();
    let held = if workers.is_empty() { HashMap::new() } else { engine.holdings(workers.into_iter().collect()).await? };
    Ok((renewed, held, engine.asked_workers().await?))
}

impl Actor for Beats {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.listen(ctx);
        ctx.run_interval(LOOK, Self::tick);
        self.end_overdue(ctx);
    }
}

impl Handler<Shutdown> for Beats {
    type Result = ();

    fn handle(&mut self, _: Shutdown, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

tree_actor!(Beats);
