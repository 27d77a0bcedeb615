//! One queue: turns idle slots into running tasks.

use std::{sync::Arc, time::Duration};

use actix::prelude::*;

use super::{
    dispatcher::{Dispatcher, Filled, Open},
    node::Node,
    rate_limiter::{Block, RateLimiter},
    scheduler::{Due, Scheduler},
    supervision::{Ref, Shutdown, tree_actor},
    ticket::Ticket,
    tree,
};
use crate::{engine::ClaimReply, store::StoreError, task::Millis};

/// How long a queue without work keeps its actor.
const IDLE: Duration = Duration::from_secs(60);
/// How long a queue waits after the store has failed it.
const AFTER_FAILURE: Millis = 500;

/// There may be something to run.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Wake;

/// Slots to fill.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Fill(pub Vec<Ticket>);

/// The dispatcher has started anew and wants to know who is open.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Announce;

/// A claim has ended.
#[derive(Message)]
#[rtype(result = "()")]
struct Claimed {
    unused: usize,
    outcome: Result<Left, StoreError>,
}

/// What is left in the queue after a claim.
struct Left {
    more: bool,
    weight: u32,
    next_due: Option<Millis>,
    blocked_until: Option<Millis>,
}

/// Holds no tasks: what waits is in the store, its head in the broker.
pub struct QueueActor {
    node: Arc<Node>,
    name: Arc<str>,
    /// As the last claim found it; until the first it counts as any other.
    weight: u32,
    open: bool,
    /// Woken since the claim under way was sent: what it finds may be out of date.
    woken: bool,
    claiming: bool,
    /// A task of it waits for its time.
    due: bool,
    quiet_since: std::time::Instant,
}

impl QueueActor {
    pub fn new(node: Arc<Node>, name: Arc<str>) -> Self {
        let quiet_since = std::time::Instant::now();
        let weight = node.settings.weight_of(&name).unwrap_or(1);
        Self { node, name, weight, open: false, woken: false, claiming: false, due: false, quiet_since }
    }

    fn dispatcher(&self) -> Option<Ref<Dispatcher>> {
        self.node.directory.get(tree::DISPATCHER)
    }

    fn announce(&mut self, address: Option<Ref<Self>>) {
        self.open = true;
        // Without a dispatcher nothing is lost: the next one asks.
        if let (Some(dispatcher), Some(address)) = (self.dispatcher(), address) {
            dispatcher.do_send(Open { queue: self.name.clone(), weight: self.weight, address });
        }
    }

    fn own_address(&self) -> Option<Ref<Self>> {
        self.node.directory.get(&self.name)
    }

    fn after_claim(&mut self, outcome: Result<Left, StoreError>) -> bool {
        match outcome {
            Ok(Left { more, weight, next_due, blocked_until }) => {
                let own = self.node.settings.weight_of(&self.name);
                self.weight = own.unwrap_or(if weight > 0 { weight } else { self.weight });
                self.due = next_due.is_some() || blocked_until.is_some();
                if let Some(until) = blocked_until {
                    self.block(until);
                }
                if let (Some(at), Some(scheduler)) = (next_due, self.node.directory.get::<Scheduler>(tree::SCHEDULER)) {
                    scheduler.do_send(Due { queue: self.name.clone(), at });
                }
                more || self.woken
            }
            Err(error) => {
                log::warn!(queue = &*self.name; "A claim failed, the queue waits a moment: {error}");
                self.block(self.node.engine.clock().now() + AFTER_FAILURE);
                false
            }
        }
    }

    /// The rate limiter wakes the queue at this moment; should it crash, the sweep does.
    fn block(&self, until: Millis) {
        if let Some(limiter) = self.node.directory.get::<RateLimiter>(tree::RATE_LIMITER) {
            limiter.do_send(Block { queue: self.name.clone(), until });
        }
    }

    /// A queue that is not used gives its actor back; the next hint makes it a new one.
    fn stop_if_idle(&mut self, ctx: &mut Context<Self>) {
        let idle = !self.open && !self.claiming && !self.due && self.quiet_since.elapsed() >= IDLE;
        if idle && self.node.engine.forget_if_empty(&self.name) {
            ctx.stop();
        }
    }
}

impl Actor for QueueActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let address = self.own_address();
        self.announce(address);
        ctx.run_interval(IDLE / 4, |actor, ctx| actor.stop_if_idle(ctx));
    }
}

impl Handler<Wake> for QueueActor {
    type Result = ();

    fn handle(&mut self, _: Wake, _: &mut Self::Context) {
        self.quiet_since = std::time::Instant::now();
        self.woken = true;
        if !self.open {
            let address = self.own_address();
            self.announce(address);
        }
    }
}

impl Handler<Announce> for QueueActor {
    type Result = ();

    fn handle(&mut self, _: Announce, _: &mut Self::Context) {
        if self.open {
            let address = self.own_address();
            self.announce(address);
        }
    }
}

impl Handler<Fill> for QueueActor {
    type Result = ();

    fn handle(&mut self, Fill(tickets): Fill, _: &mut Self::Context) {
        self.woken = false;
        self.claiming = true;
        self.quiet_since = std::time::Instant::now();
        let (want, address) = (tickets.len(), self.own_address());
        let claimed = move |reply: Result<ClaimReply, StoreError>| {
            let mut tickets = tickets;
            let outcome = reply.map(|mut reply| {
                for grant in std::mem::take(&mut reply.grants) {
                    match tickets.pop() {
                        Some(ticket) => ticket.run(grant),
                        None => drop(grant), // more than was asked for: it goes back
                    }
                }
                let ClaimReply { more, weight, next_due, blocked_until, .. } = reply;
                Left { more, weight, next_due, blocked_until }
            });
            let unused = tickets.len();
            drop(tickets);
            if let Some(address) = address {
                address.do_send(Claimed { unused, outcome });
            }
        };
        self.node.engine.claim(self.name.clone(), want, claimed);
    }
}

impl Handler<Claimed> for QueueActor {
    type Result = ();

    fn handle(&mut self, Claimed { unused, outcome }: Claimed, _: &mut Self::Context) {
        self.claiming = false;
        self.open = self.after_claim(outcome);
        if let Some(dispatcher) = self.dispatcher() {
            dispatcher.do_send(Filled { queue: self.name.clone(), unused, open: self.open, weight: self.weight });
        }
    }
}

impl Handler<Shutdown> for QueueActor {
    type Result = ();

    fn handle(&mut self, _: Shutdown, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

tree_actor!(QueueActor);
