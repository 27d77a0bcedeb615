//! The dispatcher: idle slots to open queues, by weight.
//!
//! Stride scheduling (Waldspurger and Weihl, 1995): each queue has a pass, which grows by 1 / weight for each slot it is
//! given; the queue with the lowest pass is next. A queue that opens starts at the lowest pass of the others, so time
//! spent closed earns no credit.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actix::prelude::*;

use super::{
    node::Node,
    queue::{Announce, Fill, QueueActor},
    slot::{Report, Slot},
    supervision::{Ref, Shutdown, tree_actor},
    ticket::Ticket,
};

/// Most slots a queue is given at once: a claim is one transaction, and others wait for it.
const MOST_AT_ONCE: usize = 512;
/// So many are given at once however few there are.
const FEW: usize = 8;
/// How often slots are asked whether they are idle, should a ticket be lost in a way nobody thought of.
const ROLL_CALL: Duration = Duration::from_secs(5);

/// A slot has nothing to do.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Idle(pub Ticket);

/// A queue may have something to run.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Open {
    pub queue: Arc<str>,
    pub weight: u32,
    pub address: Ref<QueueActor>,
}

/// A queue has used what it was given.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Filled {
    pub queue: Arc<str>,
    /// Slots that were given and come back.
    pub unused: usize,
    /// It may have more that is ready.
    pub open: bool,
    pub weight: u32,
}

struct OpenQueue {
    address: Ref<QueueActor>,
    weight: f64,
    pass: f64,
    /// It has slots in hand and has not answered yet.
    filling: bool,
}

/// The node is quiet no longer.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Resume;

/// Holds nothing that cannot be asked for again: who has slots and what is open.
pub struct Dispatcher {
    node: Arc<Node>,
    /// By slot number.
    idle: BTreeMap<usize, Ticket>,
    open: BTreeMap<Arc<str>, OpenQueue>,
    dispatching: bool,
    /// Slots given in one round.
    most_at_once: usize,
}

#[derive(Message)]
#[rtype(result = "()")]
struct Dispatch;

impl Dispatcher {
    pub fn new(node: Arc<Node>) -> Self {
        // Half of them: while the tasks of one half are recorded, those of the other are granted. All at once would take
        // turns for ever.
        let most_at_once = node.settings.slots.div_ceil(2).clamp(FEW, MOST_AT_ONCE);
        Self { node, idle: BTreeMap::new(), open: BTreeMap::new(), dispatching: false, most_at_once }
    }

    /// After the messages that wait already, so that a burst of them makes one round.
    fn dispatch_soon(&mut self, ctx: &mut Context<Self>) {
        if !self.dispatching && !self.idle.is_empty() && !self.open.is_empty() {
            self.dispatching = true;
            ctx.notify(Dispatch);
        }
    }

    /// How many of `slots` each queue that can take some is given.
    fn shares(&mut self, slots: usize) -> Vec<(Arc<str>, usize)> {
        let mut shares: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        let mut takers: Vec<_> = self.open.iter_mut().filter(|(_, queue)| !queue.filling).collect();
        if let [(name, only)] = takers.as_mut_slice() {
            let given = slots.min(self.most_at_once);
            only.pass += given as f64 / only.weight;
            return vec![(name.clone(), given)];
        }
        for _ in 0..slots.min(self.most_at_once) {
            let next = takers.iter_mut().min_by(|(_, a), (_, b)| a.pass.total_cmp(&b.pass));
            let Some((name, queue)) = next else { break };
            queue.pass += 1.0 / queue.weight;
            *shares.entry(name.clone()).or_default() += 1;
        }
        shares.into_iter().collect()
    }

    fn dispatch(&mut self) {
        if self.node.standing.is_quiet() {
            return; // slots and queues wait here
        }
        for (name, share) in self.shares(self.idle.len()) {
            let Some(queue) = self.open.get_mut(&name) else { continue };
            queue.filling = true;
            let mut slots = Vec::with_capacity(share);
            while slots.len() < share {
                match self.idle.pop_first() {
                    Some((_, ticket)) => slots.push(ticket),
                    None => break,
                }
            }
            queue.address.do_send(Fill(slots));
        }
    }

    /// Asks everybody what a crash has made us forget.
    fn roll_call(&self) {
        for (_, slot) in self.node.directory.all::<Slot>() {
            slot.do_send(Report);
        }
    }
}

impl Actor for Dispatcher {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.roll_call();
        for (_, queue) in self.node.directory.all::<QueueActor>() {
            queue.do_send(Announce);
        }
        ctx.run_interval(ROLL_CALL, |actor, _| {
            // A queue whose actor is gone will announce its successor.
            actor.open.retain(|_, queue| queue.address.connected());
            actor.roll_call();
        });
    }
}

impl Handler<Idle> for Dispatcher {
    type Result = ();

    fn handle(&mut self, Idle(ticket): Idle, ctx: &mut Self::Context) {
        if let Some(older) = self.idle.insert(ticket.slot, ticket) {
            older.void();
        }
        self.dispatch_soon(ctx);
    }
}

impl Handler<Open> for Dispatcher {
    type Result = ();

    fn handle(&mut self, Open { queue, weight, address }: Open, ctx: &mut Self::Context) {
        let lowest = self.open.values().map(|queue| queue.pass).min_by(f64::total_cmp).unwrap_or(0.0);
        let weight = f64::from(weight.max(1));
        let pass = self.open.get(&queue).map_or(lowest, |open| open.pass);
        self.open.insert(queue, OpenQueue { address, weight, pass, filling: false });
        self.dispatch_soon(ctx);
    }
}

impl Handler<Filled> for Dispatcher {
    type Result = ();

    fn handle(&mut self, Filled { queue, unused, open, weight }: Filled, ctx: &mut Self::Context) {
        if let Some(entry) = self.open.get_mut(&queue) {
            entry.filling = false;
            entry.pass -= unused as f64 / entry.weight; // it was charged for all it was given
            entry.weight = f64::from(weight.max(1));
            if !open {
                self.open.remove(&queue);
            }
        }
        self.dispatch_soon(ctx);
    }
}

impl Handler<Dispatch> for Dispatcher {
    type Result = ();

    fn handle(&mut self, _: Dispatch, _: &mut Self::Context) {
        self.dispatching = false;
        self.dispatch();
    }
}

impl Handler<Resume> for Dispatcher {
    type Result = ();

    fn handle(&mut self, _: Resume, ctx: &mut Self::Context) {
        self.dispatch_soon(ctx);
    }
}

impl Handler<Shutdown> for Dispatcher {
    type Result = ();

    fn handle(&mut self, _: Shutdown, ctx: &mut Self::Context) {
        // Nothing starts any more; the tickets find no dispatcher and go.
        ctx.stop();
    }
}

tree_actor!(Dispatcher);
