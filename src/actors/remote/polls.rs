//! Polls for tasks: who waits is claimed for when a queue wakes that it serves, in the order in which they came, a few at a
//! time, and on only while that brings something. So ten thousand that wait cost nothing, and a wake does not rouse them all.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use actix::prelude::*;
use tokio::sync::oneshot;

use super::{
    super::supervision::{Shutdown, tree_actor},
    RemoteHub,
    group::{Group, Key},
};
use crate::{
    engine::{ClaimReply, Claimer, Engine},
    store::StoreError,
    task::{Granted, Millis, TaskId, WorkerId},
};

/// Claims under way at a time, of all groups.
const MOST_CLAIMS: usize = 64;
/// How often polls whose client has gone are let go of.
const TIDY: Duration = Duration::from_secs(1);
/// How long a group is remembered of which nobody waits.
const IDLE: Duration = Duration::from_secs(60);
/// When a group is looked at again that found nothing although there is more, and one whose claim has failed.
const AGAIN: Millis = 50;
const AFTER_FAILURE: Millis = 500;

/// A worker that waits for tasks.
pub struct Poll {
    pub claimer: Claimer,
    pub queues: Vec<Arc<str>>,
    /// At most so many.
    pub want: usize,
    /// It is answered when each of its queues was looked at once, whether there was anything or not.
    pub once: bool,
    pub reply: oneshot::Sender<Brought>,
}

/// What a poll has brought.
pub enum Brought {
    Tasks(InHand),
    Nothing,
    /// Its worker is held to be dead.
    Fenced,
    /// Its worker is to take nothing more.
    Quiet,
}

/// Tasks that are granted and not on their way to their worker yet: dropped, they go back, and no attempt is used up.
pub struct InHand {
    engine: Engine,
    worker: WorkerId,
    tasks: Vec<Granted>,
}

impl InHand {
    pub fn tasks(&self) -> &[Granted] {
        &self.tasks
    }

    /// Some of them, for whoever calls to see to.
    pub fn take(&mut self, some: &HashSet<TaskId>) -> Vec<Granted> {
        self.tasks.extract_if(.., |task| some.contains(&task.id)).collect()
    }

    /// These do not reach the worker now.
    pub fn give_back(&mut self, some: &HashSet<TaskId>) {
        let tasks = self.take(some);
        self.engine.give_back(self.worker, tasks);
    }

    pub const fn worker(&self) -> WorkerId {
        self.worker
    }

    /// The worker has them, as far as can be told.
    pub fn delivered(mut self) {
        self.tasks.clear();
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        let tasks = std::mem::take(&mut self.tasks);
        if !tasks.is_empty() {
            self.engine.give_back(self.worker, tasks);
        }
    }
}

pub(super) enum Call {
    Poll(Poll),
    Claimed(Claimed),
    Quiet(Vec<WorkerId>),
}

pub(super) struct Claimed {
    poll: u64,
    worker: WorkerId,
    group: Key,
    /// Of the group, when the claim began.
    wakes: u64,
    reply: Result<ClaimReply<Granted>, StoreError>,
}

pub(super) struct Waiting {
    poll: Poll,
    /// A claim for it is under way, or it waits for its turn to look at its queues once.
    pub(super) is_busy: bool,
    /// Queues that it has not looked at, where it does so once.
    left: Vec<Arc<str>>,
}

impl Waiting {
    /// Its client has gone.
    pub(super) fn is_over(&self) -> bool {
        self.poll.reply.is_closed()
    }
}

/// Holds who waits; what they are granted is in the store before it is here.
pub struct Polls {
    hub: RemoteHub,
    engine: Engine,
    polls: HashMap<u64, Waiting>,
    groups: HashMap<Arc<str>, HashMap<i64, Group>>,
    /// Groups that may find something.
    line: VecDeque<Key>,
    /// Polls that look at their queues once.
    once: VecDeque<u64>,
    claiming: usize,
    next_id: u64,
}

impl Polls {
    pub fn new(engine: Engine, hub: RemoteHub) -> Self {
        Self {
            hub,
            engine,
            polls: HashMap::new(),
            groups: HashMap::new(),
            line: VecDeque::new(),
            once: VecDeque::new(),
            claiming: 0,
            next_id: 0,
        }
    }

    fn listen(&mut self, ctx: &mut Context<Self>) {
        let hub = self.hub.clone();
        let heard = async move { hub.next_polls().await };
        ctx.spawn(heard.into_actor(self).map(|(calls, woken), actor, ctx| {
            woken.iter().for_each(|queue| actor.wake(queue));
            for call in calls {
                match call {
                    Call::Poll(poll) => actor.add(poll),
                    Call::Claimed(claimed) => actor.claimed(claimed, ctx),
                    Call::Quiet(workers) => actor.hush(&workers.into_iter().collect()),
                }
            }
            actor.serve();
            actor.listen(ctx);
        }));
    }

    fn add(&mut self, poll: Poll) {
        self.next_id += 1;
        let (id, print) = (self.next_id, poll.claimer.serves.print());
        // Each begins with another of its queues, so that none of them comes last for all.
        let first = usize::try_from(id).unwrap_or_default() % poll.queues.len().max(1);
        let queues = poll.queues[first..].iter().chain(&poll.queues[..first]).cloned().collect::<Vec<_>>();
        if poll.once {
            self.polls.insert(id, Waiting { poll, is_busy: true, left: queues });
            return self.once.push_back(id);
        }
        self.polls.insert(id, Waiting { poll, is_busy: false, left: Vec::new() });
        for queue in queues {
            self.hub.follow(&queue);
            self.groups.entry(queue.clone()).or_default().entry(print).or_insert_with(Group::new).add(id);
            self.line_up(&(queue, print));
        }
    }

    fn group(&mut self, key: &Key) -> Option<&mut Group> {
        self.groups.get_mut(&key.0)?.get_mut(&key.1)
    }

    fn line_up(&mut self, key: &Key) {
        if let Some(group) = self.group(key).filter(|group| group.has_work() && !group.in_line) {
            group.in_line = true;
            self.line.push_back(key.clone());
        }
    }

    fn wake(&mut self, queue: &Arc<str>) {
        let prints: Vec<i64> = self.groups.get(queue).into_iter().flat_map(HashMap::keys).copied().collect();
        for print in prints {
            self.open(&(queue.clone(), print));
        }
    }

    fn open(&mut self, key: &Key) {
        if let Some(group) = self.group(key) {
            group.wake();
            self.line_up(key);
        }
    }

    fn serve(&mut self) {
        while self.claiming < MOST_CLAIMS {
            if let Some(id) = self.once.pop_front() {
                self.look_once(id);
                continue;
            }
            let Some(key) = self.line.pop_front() else { return };
            let Some(group) = self.groups.get_mut(&key.0).and_then(|all| all.get_mut(&key.1)) else { continue };
            group.in_line = false;
            if !group.has_work() {
                continue;
            }
            let Some(id) = group.next(&self.polls) else { continue };
            group.claiming += 1;
            let wakes = group.wakes;
            self.claim(id, key.clone(), wakes);
            self.line_up(&key);
        }
    }

    fn look_once(&mut self, id: u64) {
        let Some(waiting) = self.polls.get_mut(&id) else { return };
        match waiting.left.pop().filter(|_| !waiting.is_over()) {
            Some(queue) => {
                let key = (queue, waiting.poll.claimer.serves.print());
                self.claim(id, key, 0);
            }
            None => drop(self.polls.remove(&id).map(|waiting| waiting.poll.reply.send(Brought::Nothing))),
        }
    }

    fn claim(&mut self, id: u64, group: Key, wakes: u64) {
        let Some(waiting) = self.polls.get_mut(&id) else { return };
        waiting.is_busy = true;
        self.claiming += 1;
        let (hub, worker) = (self.hub.clone(), waiting.poll.claimer.worker);
        let (claimer, queue, want) = (waiting.poll.claimer.clone(), group.0.clone(), waiting.poll.want);
        self.engine.claim_for(claimer, queue, want, move |reply| {
            hub.0.polls.put(Call::Claimed(Claimed { poll: id, worker, group, wakes, reply }));
        });
    }

    fn claimed(&mut self, claimed: Claimed, ctx: &mut Context<Self>) {
        let Claimed { poll: id, worker, group: key, wakes, reply } = claimed;
        // A claim of an earlier life of this actor is counted nowhere here.
        self.claiming = self.claiming.saturating_sub(1);
        let reply = reply.unwrap_or_else(|error| {
            log::debug!(queue = &*key.0; "A claim for a remote worker failed, the queue waits a moment: {error}");
            let again = self.engine.clock().now() + AFTER_FAILURE;
            ClaimReply { blocked_until: Some(again), ..ClaimReply::default() }
        });
        let ClaimReply { grants, more, fenced, next_due, blocked_until, .. } = reply;
        let found = !grants.is_empty();
        let is_once = self.polls.get(&id).is_some_and(|waiting| waiting.poll.once);
        if let Some(group) = self.group(&key).filter(|_| !is_once) {
            group.claiming = group.claiming.saturating_sub(1);
            group.used = Instant::now();
            // Where it was woken meanwhile it stays open.
            group.open &= (found && more) || group.wakes != wakes;
        }
        let again = (more && !found).then(|| self.engine.clock().now() + AGAIN);
        if let Some(at) = [next_due, blocked_until, again].into_iter().flatten().min() {
            self.open_at(&key, at, ctx);
        }
        match (found, fenced) {
            (true, _) => self.answer(id, worker, grants),
            (false, true) => drop(self.polls.remove(&id).map(|waiting| waiting.poll.reply.send(Brought::Fenced))),
            (false, false) if is_once => self.once.push_back(id),
            (false, false) => self.wait_on(id, &key),
        }
        self.line_up(&key);
    }

    fn answer(&mut self, id: u64, worker: WorkerId, tasks: Vec<Granted>) {
        let hand = InHand { engine: self.engine.clone(), worker, tasks };
        // Where nobody waits for it any more it is dropped here.
        if let Some(waiting) = self.polls.remove(&id) {
            let _ = waiting.poll.reply.send(Brought::Tasks(hand));
        }
    }

    /// It has found nothing there, and may elsewhere.
    fn wait_on(&mut self, id: u64, key: &Key) {
        let Some(waiting) = self.polls.get_mut(&id) else { return };
        waiting.is_busy = false;
        let queues = waiting.poll.queues.clone();
        if let Some(group) = self.group(key) {
            group.put_back(id);
        }
        for queue in queues {
            self.line_up(&(queue, key.1));
        }
    }

    /// A limit, or a task's time: the group opens by itself then.
    fn open_at(&mut self, key: &Key, at: Millis, ctx: &mut Context<Self>) {
        let now = self.engine.clock().now();
        let Some(group) = self.group(key) else { return };
        if group.opens_at.is_some_and(|before| before <= at && before > now) {
            return;
        }
        group.opens_at = Some(at);
        let (key, wait) = (key.clone(), Duration::from_millis(u64::try_from(at - now).unwrap_or(0).max(1)));
        ctx.run_later(wait, move |actor, _| {
            if let Some(group) = actor.group(&key).filter(|group| group.opens_at == Some(at)) {
                group.opens_at = None;
            }
            actor.open(&key);
            actor.serve();
        });
    }

    fn hush(&mut self, workers: &HashSet<WorkerId>) {
        let meant = |(id, waiting): (&u64, &Waiting)| {
            (!waiting.is_busy && workers.contains(&waiting.poll.claimer.worker)).then_some(*id)
        };
        let meant: Vec<u64> = self.polls.iter().filter_map(meant).collect();
        for id in meant {
            drop(self.polls.remove(&id).map(|waiting| waiting.poll.reply.send(Brought::Quiet)));
        }
    }

    fn tidy(&mut self) {
        // Where one is being claimed for, what it is granted has to be given back.
        self.polls.retain(|_, waiting| waiting.is_busy || !waiting.is_over());
        let (polls, hub) = (&self.polls, &self.hub);
        self.groups.retain(|queue, groups| {
            groups.retain(|_, group| {
                group.forget_over(polls);
                !group.is_empty() || group.claiming > 0 || group.used.elapsed() < IDLE
            });
            if groups.is_empty() {
                hub.unfollow(queue);
            }
            !groups.is_empty()
        });
    }
}

impl Actor for Polls {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // Who waited for an earlier life of this actor asks again, and each group begins by looking.
        self.hub.follow_none();
        self.listen(ctx);
        ctx.run_interval(TIDY, |actor, _| actor.tidy());
    }
}

impl Handler<Shutdown> for Polls {
    type Result = ();

    fn handle(&mut self, _: Shutdown, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

tree_actor!(Polls);
