//! A slot runs one task at a time.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use actix::prelude::*;
use tokio_util::task::AbortOnDropHandle;

use super::{
    dispatcher::{Dispatcher, Idle},
    node::Node,
    supervision::{Ref, Shutdown, tree_actor},
    ticket::{Ticket, Validity},
    tree,
};
use crate::{engine::Grant, store::ParentRow, task::Outcome, work};

/// A task to run, with the validity of the ticket it was got by.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Run(pub Grant, pub Validity);

/// Say so if you have nothing to do.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Report;

/// The run of this number has ended, its outcome is handed over.
#[derive(Message)]
#[rtype(result = "()")]
struct Done(u64);

struct Running {
    number: u64,
    stop: work::StopSignal,
    /// Dropped with the slot: the handler ends, what it started is killed, and the grant it holds goes back.
    _handler: AbortOnDropHandle<()>,
}

/// Owns the handler task, its cancel and its time limit, and nothing else.
pub struct Slot {
    node: Arc<Node>,
    number: usize,
    name: Arc<str>,
    runs: u64,
    /// The ticket that was handed out last, if it is still on its way.
    ticket: Weak<()>,
    running: Option<Running>,
    draining: bool,
}

impl Slot {
    pub fn new(node: Arc<Node>, number: usize, name: Arc<str>) -> Self {
        Self { node, number, name, runs: 0, ticket: Weak::new(), running: None, draining: false }
    }

    fn report(&mut self) {
        if self.ticket.strong_count() > 0 {
            return; // it comes back, used or unused
        }
        let (dispatcher, own) = (self.node.directory.get::<Dispatcher>(tree::DISPATCHER), self.own_address());
        // Without a dispatcher nothing is lost: the next one asks.
        if let (Some(dispatcher), Some(own)) = (dispatcher, own) {
            let validity = Validity::default();
            self.ticket = validity.watch();
            dispatcher.do_send(Idle(Ticket::new(self.number, own, self.node.directory.clone(), validity)));
        }
    }

    fn own_address(&self) -> Option<Ref<Self>> {
        self.node.directory.get(&self.name)
    }

    fn is_idle(&self) -> bool {
        self.running.is_none() && !self.draining
    }

    fn run(&mut self, grant: Grant) {
        self.runs += 1;
        grant.runs_in(self.number);
        let (number, stop) = (self.runs, grant.stop().clone());
        let (node, own, signal) = (self.node.clone(), self.own_address(), stop.clone());
        let attempt = async move {
            let outcome = attempt(&node, &grant, &signal).await;
            // The next task may start while this outcome commits.
            grant.finish(outcome);
            if let Some(slot) = own {
                slot.do_send(Done(number));
            }
        };
        let handler = AbortOnDropHandle::new(self.node.handlers.spawn(attempt));
        self.running = Some(Running { number, stop, _handler: handler });
    }

    /// How long a running task is left alone after the node is told to stop.
    fn patience(&self) -> Duration {
        self.node.settings.drain.saturating_sub(self.node.settings.grace)
    }
}

async fn attempt(node: &Node, grant: &Grant, stop: &work::StopSignal) -> Outcome {
    let task = grant.task();
    let mut parents = Vec::new();
    if task.parents > 0 {
        let (reader, id, count) = (node.engine.reader().clone(), task.id, task.parents);
        match tokio::task::spawn_blocking(move || reader.parents(id, count)).await {
            Ok(Ok(rows)) => parents = rows.into_iter().map(parent).collect(),
            Ok(Err(error)) => {
                log::warn!("A task goes back to its queue, its parents' results cannot be read: {error}");
                return Outcome::Interrupted;
            }
            Err(_) => return Outcome::Interrupted,
        }
    }
    if !grant.is_in_time() {
        return Outcome::Interrupted;
    }
    let assignment = work::Assignment::new(task.clone(), parents).with_notes(node.engine.notes(task));
    work::perform(&node.registry, assignment, stop, node.settings.grace).await
}

fn parent(row: ParentRow) -> work::Parent {
    let ParentRow { id, name, status, result, error, .. } = row;
    work::Parent { id, name, status, result, error }
}

impl Actor for Slot {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        self.report();
    }
}

impl Handler<Run> for Slot {
    type Result = ();

    fn handle(&mut self, Run(grant, validity): Run, _: &mut Self::Context) {
        drop(validity);
        if self.is_idle() {
            self.run(grant);
        } // otherwise the grant is dropped here, and its task goes back to the queue
    }
}

impl Handler<Report> for Slot {
    type Result = ();

    fn handle(&mut self, _: Report, _: &mut Self::Context) {
        if self.is_idle() {
            self.report();
        }
    }
}

impl Handler<Done> for Slot {
    type Result = ();

    fn handle(&mut self, Done(number): Done, ctx: &mut Self::Context) {
        if self.running.as_ref().is_none_or(|running| running.number != number) {
            return;
        }
        self.running = None;
        if self.draining {
            ctx.stop();
        } else {
            self.report();
        }
    }
}

impl Handler<Shutdown> for Slot {
    type Result = ();

    fn handle(&mut self, _: Shutdown, ctx: &mut Self::Context) {
        self.draining = true;
        if self.running.is_none() {
            return ctx.stop();
        }
        ctx.run_later(self.patience(), |slot, _| {
            if let Some(running) = &slot.running {
                running.stop.interrupt();
            }
        });
    }
}

tree_actor!(Slot);
