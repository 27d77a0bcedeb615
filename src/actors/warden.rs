//! The warden: looks for attempts that ignore that they were to end, and has their slots give them up.
//!
//! A handler that yields is ended by the code that runs it, on its own thread (`work::perform`). One that never does keeps
//! that code from running as well, so somebody on another thread has to look.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix::prelude::*;

use super::{
    node::Node,
    slot::{GiveUp, Slot},
    supervision::{Shutdown, tree_actor},
    tree,
};

const EVERY: Duration = Duration::from_millis(250);
/// Beyond the grace: what ends in order, if at the last moment, is on its way.
pub(super) const BEYOND_GRACE: Duration = Duration::from_secs(1);

pub(super) struct Warden {
    node: Arc<Node>,
}

impl Warden {
    pub(super) const fn new(node: Arc<Node>) -> Self {
        Self { node }
    }

    fn look(&self) {
        let overdue = self.node.engine.held().overdue(self.node.settings.grace, BEYOND_GRACE, Instant::now());
        for (slot, task, lease) in overdue {
            if let Some(slot) = self.node.directory.get::<Slot>(&tree::slot_name(slot)) {
                slot.do_send(GiveUp { task, lease });
            }
        }
    }
}

impl Actor for Warden {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(EVERY, |warden, _| warden.look());
    }
}

impl Handler<Shutdown> for Warden {
    type Result = ();

    fn handle(&mut self, _: Shutdown, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

tree_actor!(Warden);
