//! The supervisor: an actor that keeps its children as they are wanted.
//!
//! Each event (a child's end, a timer, a request) only changes what is *wanted*
//! of some children; [`Supervisor::step`] then does what can be done now. So
//! nothing blocks: while one child takes its grace, others are restarted, added
//! or removed, and a stop that comes in the midst of a restart needs no case.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use tokio::time::Instant;

use super::{
    child::Watch,
    directory::Directory,
    mailbox::{Shutdown, tree_actor},
    obituary::{Down, Exit, Verdict, panic_message},
    row::Phase,
    slot::{Doing, Recent, Slot, Want},
    spec::{Restart, StopOrder, Strategy, SupervisorSpec},
    tree::Tree,
};

/// Keeps its children as they are wanted, see the module. It is not made by
/// hand: `Root::start` makes the topmost, [`Watch::supervise`] the others.
pub struct Supervisor {
    pub(super) path: Arc<str>,
    pub(super) tree: Tree,
    directory: Directory,
    spec: SupervisorSpec,
    /// In start order.
    pub(super) slots: Vec<Slot>,
    /// The restarts of all children, for a supervisor that escalates.
    recent: Recent,
    /// True once it was asked to stop, or has given up.
    pub(super) stopping: bool,
    verdict: Verdict,
}

tree_actor!(Supervisor);

impl Supervisor {
    pub(super) fn new(watch: &Watch, spec: SupervisorSpec, verdict: Verdict) -> Self {
        Self {
            path: Arc::clone(&watch.path),
            tree: watch.tree.clone(),
            directory: watch.directory.clone(),
            spec,
            slots: Vec::new(),
            recent: Recent::default(),
            stopping: false,
            verdict,
        }
    }

    /// Takes the next step towards what is wanted; does nothing if there is none.
    pub(super) fn step(&mut self, ctx: &mut Context<Self>) {
        if self.stopping {
            self.dismiss();
        }
        self.stop_unwanted(ctx);
        self.forget_gone();
        if self.stopping && self.slots.is_empty() {
            return ctx.stop();
        }
        self.start_due(ctx);
    }

    /// Chooses who goes next while the supervisor stops.
    fn dismiss(&mut self) {
        if self.spec.one_for_one() && self.spec.stop_order == StopOrder::LastFirst {
            while let Some(last) = self.slots.last_mut() {
                last.want = Want::Gone;
                if !last.is_down() {
                    return;
                }
                self.forget_gone();
            }
        }
        for slot in &mut self.slots {
            slot.want = Want::Gone;
        }
    }

    /// Stops those who are up and should not be; where they depend on each
    /// other, the last one first and the next when it is down.
    fn stop_unwanted(&mut self, ctx: &mut Context<Self>) {
        let ordered = !self.spec.one_for_one();
        for i in (0..self.slots.len()).rev() {
            if ordered && self.slots.iter().any(Slot::is_ending) {
                return;
            }
            if self.slots[i].is_to_stop() {
                self.stop_child(i, ctx);
            }
        }
    }

    fn stop_child(&mut self, i: usize, ctx: &mut Context<Self>) {
        let slot = &mut self.slots[i];
        let Doing::Running(child) = std::mem::replace(&mut slot.doing, Doing::Nothing) else {
            return;
        };
        let incarnation = child.incarnation;
        slot.doing = Doing::Ending { incarnation, exit: None };
        self.tree.set_state(&slot.path, Phase::Stopping);
        let path = Arc::clone(&slot.path);
        let stop = child.stop(slot.spec.grace).into_actor(self);
        // In this context, so that the leash goes when the supervisor does.
        ctx.spawn(stop.map(move |exit, _, ctx| {
            if exit.is_none() {
                log::error!(actor:% = path; "An actor's thread is stuck; its supervisor waits no longer");
                ctx.notify(Down { incarnation, exit: Exit::Lost });
            }
        }));
    }

    fn forget_gone(&mut self) {
        // Rows outlive a supervisor that stops: its parent may start it again.
        let (tree, keep_rows) = (&self.tree, self.stopping);
        self.slots.retain(|slot| {
            let gone = slot.want == Want::Gone && slot.is_down();
            if gone && keep_rows {
                tree.set_state(&slot.path, Phase::Stopped);
            } else if gone {
                tree.remove(&slot.path);
            }
            !gone
        });
    }

    /// Starts those who are due, in order; where they depend on each other, only
    /// once all that are to be restarted are down and due.
    fn start_due(&mut self, ctx: &mut Context<Self>) {
        let now = Instant::now();
        let waiting = |slot: &Slot| slot.want == Want::Restart && !slot.is_to_start(now);
        if !self.spec.one_for_one() && self.slots.iter().any(waiting) {
            return;
        }
        for i in 0..self.slots.len() {
            if self.slots[i].is_to_start(now) {
                self.start_child(i, ctx);
            }
        }
    }

    fn start_child(&mut self, i: usize, ctx: &mut Context<Self>) {
        let slot = &mut self.slots[i];
        slot.want = Want::Run;
        slot.since = Instant::now();
        let incarnation = self.tree.starting(&slot.path);
        let watch = Watch::new(
            (Arc::clone(&slot.path), Arc::clone(&slot.spec.name)),
            incarnation,
            slot.spec.mailbox,
            &self.tree,
            &self.directory,
            Some(ctx.address().downgrade().recipient()),
        );
        log::debug!(actor:% = slot.path; "An actor is started");
        let start = Arc::clone(&slot.spec.start);
        slot.doing = match catch_unwind(AssertUnwindSafe(|| start(watch))) {
            Ok(child) => Doing::Running(child),
            // The watch was dropped with the panic, so a `Down` is on its way.
            Err(payload) => Doing::Ending { incarnation, exit: Some(Exit::Panicked(panic_message(payload))) },
        };
    }

    /// A child ended that was wanted up.
    fn child_failed(&mut self, i: usize, exit: &Exit, ctx: &mut Context<Self>) {
        let slot = &mut self.slots[i];
        if !slot.restarts_after(exit) {
            log::info!(actor:% = slot.path; "An actor ended and is not restarted: {exit}");
            // An ended transient child comes back with its group, if it has one.
            let returns = !self.spec.one_for_one() && slot.spec.restart == Restart::Transient;
            slot.want = if returns { Want::Ended } else { Want::Gone };
            return;
        }
        let now = Instant::now();
        let failures = slot.fail(self.spec.intensity.within);
        let recent = match self.spec.parks() {
            true => &mut slot.recent,
            false => &mut self.recent,
        };
        if !recent.bears(now, &self.spec.intensity) {
            return self.give_up_on(i, exit);
        }
        let delay = self.spec.backoff.after(failures);
        log::error!(
            actor:% = slot.path, failures = failures, delay_ms = delay.as_millis() as u64;
            "An actor failed and is restarted: {exit}"
        );
        let group = match self.spec.strategy {
            Strategy::OneForOne => i..i + 1,
            Strategy::RestForOne => i..self.slots.len(),
            Strategy::OneForAll => 0..self.slots.len(),
        };
        for slot in &mut self.slots[group] {
            if slot.want != Want::Gone {
                slot.want = Want::Restart;
                slot.due = now + delay;
                if slot.is_down() {
                    self.tree.set_state(&slot.path, Phase::Restarting);
                }
            }
        }
        ctx.run_later(delay, |supervisor, ctx| supervisor.step(ctx));
    }

    /// A child exceeded the intensity.
    fn give_up_on(&mut self, i: usize, exit: &Exit) {
        let slot = &mut self.slots[i];
        let intensity = self.spec.intensity;
        if self.stopping {
            // On the way out anyway; the others keep their turn.
            slot.want = Want::Gone;
        } else if self.spec.parks() {
            log::error!(
                actor:% = slot.path, alarm = true, max_restarts = intensity.max_restarts;
                "An actor keeps failing and is parked until it is unparked: {exit}"
            );
            slot.want = Want::Parked;
            self.tree.set_state(&slot.path, Phase::Parked);
        } else {
            let reason = format!(
                "more than {} restarts in {:?}, the last of {}: {exit}",
                intensity.max_restarts, intensity.within, slot.path
            );
            log::error!(actor:% = self.path; "A supervisor gives up: {reason}");
            // Set once: it stops after this.
            let _ = self.verdict.set(reason);
            slot.want = Want::Gone; // not to be started again in its turn
            self.stopping = true;
        }
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        for spec in self.spec.children.clone() {
            let name = Arc::clone(&spec.name);
            if !self.add(spec) {
                log::error!(actor:% = self.path; "Two children are named {name}; the second is ignored");
            }
        }
        let paths: Vec<_> = self.slots.iter().map(|s| Arc::clone(&s.path)).collect();
        self.tree.retain_children(&self.path, &paths);
        self.step(ctx);
    }
}

impl Handler<Down> for Supervisor {
    type Result = ();

    fn handle(&mut self, down: Down, ctx: &mut Self::Context) {
        let of = |slot: &Slot| slot.incarnation() == Some(down.incarnation);
        let Some(i) = self.slots.iter().position(of) else {
            return; // a life that is over already
        };
        let slot = &mut self.slots[i];
        let exit = match std::mem::replace(&mut slot.doing, Doing::Nothing) {
            Doing::Ending { exit: Some(exit), .. } => exit,
            _ => down.exit,
        };
        // News to the tree only if the obituary could not tell it.
        self.tree.ended(&slot.path, down.incarnation, &exit);
        match slot.want {
            Want::Run => self.child_failed(i, &exit, ctx),
            Want::Restart => self.tree.set_state(&slot.path, Phase::Restarting),
            Want::Gone | Want::Parked | Want::Ended => {}
        }
        self.step(ctx);
    }
}

impl Handler<Shutdown> for Supervisor {
    type Result = ();

    fn handle(&mut self, _: Shutdown, ctx: &mut Self::Context) {
        self.stopping = true;
        self.step(ctx);
    }
}
