//! A slot runs one task at a time.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use actix::prelude::*;
use tokio_util::task::AbortOnDropHandle;

use super::{
    dispatcher::{Dispatcher, Idle},
    node::Node,
    supervision::{Ref, Shutdown, tree_actor},
    ticket::{Ticket, Validity},
    tree, warden,
};
use crate::{
    engine::Grant,
    store::{MOST_PASSED_ON, ParentRow},
    task::{Again, ErrorKind, Granted, LeaseId, Outcome, TaskError, TaskId},
    work,
};

/// A task to run, with the validity of the ticket it was got by.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Run(pub Grant, pub Validity);

/// Say so if you have nothing to do.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Report;

/// This attempt ignores that it was to end: go on without it.
#[derive(Message)]
#[rtype(result = "()")]
pub struct GiveUp {
    pub task: TaskId,
    pub lease: LeaseId,
}

/// A handler that was stuck has ended.
#[derive(Message)]
#[rtype(result = "()")]
struct Freed;

/// The run of this number has ended, its outcome is handed over.
#[derive(Message)]
#[rtype(result = "()")]
struct Done(u64);

struct Running {
    number: u64,
    task: Arc<Granted>,
    stop: work::StopSignal,
    hold: Hold,
    /// Dropped with the slot: the handler ends, what it started is killed, and the grant it holds goes back.
    _handler: AbortOnDropHandle<()>,
}

/// The grant of an attempt, which its handler ends, or its slot where that ignores its end: whoever is the first.
#[derive(Clone)]
struct Hold(Arc<Mutex<Option<Grant>>>);

impl Hold {
    fn new(grant: Grant) -> Self {
        Self(Arc::new(Mutex::new(Some(grant))))
    }

    fn is_in_time(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(Grant::is_in_time)
    }

    /// False where it was ended already.
    fn finish(&self, outcome: Outcome) -> bool {
        let grant = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        grant.map(|grant| grant.finish(outcome)).is_some()
    }
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
    /// For the end of a handler that is stuck, as there are too many of those to go on without it.
    waits: bool,
    draining: bool,
}

impl Slot {
    pub fn new(node: Arc<Node>, number: usize, name: Arc<str>) -> Self {
        Self { node, number, name, runs: 0, ticket: Weak::new(), running: None, waits: false, draining: false }
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
        self.running.is_none() && !self.waits && !self.draining
    }

    fn run(&mut self, grant: Grant) {
        self.runs += 1;
        grant.runs_in(self.number);
        let (number, stop, task) = (self.runs, grant.stop().clone(), grant.task().clone());
        let hold = Hold::new(grant);
        let (node, own, given) = (self.node.clone(), self.own_address(), (hold.clone(), task.clone(), stop.clone()));
        let at_work = stop.at_work();
        let attempt = async move {
            let (hold, task, stop) = given;
            let outcome = attempt(&node, &hold, &task, &stop).await;
            // The next task may start while this outcome commits.
            hold.finish(outcome);
            drop(at_work);
            if let Some(slot) = own {
                slot.do_send(Done(number));
            }
        };
        let handler = AbortOnDropHandle::new(self.node.handlers.spawn(attempt));
        self.running = Some(Running { number, task, stop, hold, _handler: handler });
    }

    /// Its attempt was ended, its handler was not and goes on: the slot is as good as new, while there are not too many of those.
    fn leave(&mut self, running: Running, ctx: &mut Context<Self>) {
        let Running { task, stop, .. } = running;
        let node = self.node.clone();
        let stuck = node.stuck.add(self.number, &task, node.engine.clock().now());
        log::error!(
            task = task.id.to_string().as_str(), name = task.name.as_str(), slot = self.number, replaced = stuck.replaced;
            "A handler ignores that its attempt has ended and goes on: it is stuck"
        );
        self.waits = !stuck.replaced;
        let number = self.number;
        note(&node, number, node.stuck.of_slot(number));
        actix::spawn(async move {
            stop.left().await;
            note(&node, number, node.stuck.remove(&stuck));
            log::warn!(task = task.id.to_string().as_str(); "A handler that was stuck has ended");
            // There is room for another one: whichever slot waits for that.
            for (_, slot) in node.directory.all::<Self>() {
                slot.do_send(Freed);
            }
        });
        self.free(ctx);
    }

    fn free(&mut self, ctx: &mut Context<Self>) {
        if self.draining {
            ctx.stop();
        } else if self.is_idle() {
            self.report();
        }
    }

    /// How long a running task is left alone after the node is told to stop.
    fn patience(&self) -> Duration {
        self.node.settings.drain.saturating_sub(self.node.settings.grace)
    }
}

fn note(node: &Node, slot: usize, stuck: usize) {
    let note = (stuck > 0).then(|| format!("{stuck} handlers are stuck: their attempts have ended, they go on"));
    node.tree.note(&tree::slot_path(slot), note);
}

async fn attempt(node: &Node, hold: &Hold, task: &Arc<Granted>, stop: &work::StopSignal) -> Outcome {
    let mut parents = Vec::new();
    if task.parents > 0 {
        let (reader, id, count) = (node.engine.reader().clone(), task.id, task.parents);
        match tokio::task::spawn_blocking(move || reader.parents(id, count)).await {
            Ok(Ok(Some(rows))) => parents = rows.into_iter().map(parent).collect(),
            Ok(Ok(None)) => return too_much(count),
            Ok(Err(error)) => {
                log::warn!("A task goes back to its queue, its parents' results cannot be read: {error}");
                return Outcome::Interrupted;
            }
            Err(_) => return Outcome::Interrupted,
        }
    }
    if !hold.is_in_time() {
        return Outcome::Interrupted;
    }
    let assignment = work::Assignment::new(task.clone(), parents).with_notes(node.engine.notes(task));
    work::perform(&node.registry, assignment, stop, node.settings.grace).await
}

/// What its parents pass on to a task is too much. It would be so the next time too.
pub fn too_much(parents: u32) -> Outcome {
    let message = format!(
        "the results of its {parents} parents have more than {} MiB together: let them keep such results elsewhere and return \
         where they are",
        MOST_PASSED_ON >> 20
    );
    Outcome::Failure { error: TaskError::new(ErrorKind::Arguments, message), again: Again::Never }
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
        let Some(running) = self.running.as_ref().filter(|running| running.number == number) else { return };
        if !running.stop.is_at_work() {
            self.running = None;
            return self.free(ctx);
        }
        // A thread goes on. One that was not given any time to end in order has a moment more.
        let stop = running.stop.clone();
        let wait = async move { tokio::time::timeout(warden::BEYOND_GRACE, stop.left()).await.is_ok() };
        ctx.spawn(wait.into_actor(self).map(|left, slot, ctx| match slot.running.take() {
            Some(running) if !left => slot.leave(running, ctx),
            _ => slot.free(ctx),
        }));
    }
}

impl Handler<GiveUp> for Slot {
    type Result = ();

    fn handle(&mut self, GiveUp { task, lease }: GiveUp, ctx: &mut Self::Context) {
        let meant = |running: &Running| running.task.id == task && running.task.lease == lease;
        let Some(running) = self.running.take_if(|running| meant(running)) else { return };
        let outcome = work::given_up(&running.stop, running.task.timeout_ms);
        if running.hold.finish(outcome) {
            self.leave(running, ctx);
        } else {
            self.running = Some(running); // its end is on its way
        }
    }
}

impl Handler<Freed> for Slot {
    type Result = ();

    fn handle(&mut self, _: Freed, ctx: &mut Self::Context) {
        if self.waits && self.node.stuck.readmit(self.number) {
            self.waits = false;
            self.free(ctx);
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
