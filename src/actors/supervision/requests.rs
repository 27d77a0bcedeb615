//! What a supervisor can be asked while it runs.

use std::sync::Arc;

use actix::{Handler, Message};

use super::{
    slot::{Slot, Want},
    spec::ChildSpec,
    supervisor::Supervisor,
};

/// Starts a child after the others. The answer is false, and nothing happens,
/// if one of this name is alive (or waits for its restart), or the supervisor
/// is about to stop. A name that was parked, ended or removed may be added
/// again; one that is still stopping is started as soon as it has stopped.
#[derive(Message, Clone)]
#[rtype(result = "bool")]
pub struct AddChild(pub ChildSpec);

/// Stops a child within its grace and forgets it. False: there is none.
#[derive(Message, Debug, Clone)]
#[rtype(result = "bool")]
pub struct RemoveChild {
    /// The child's name.
    pub name: Arc<str>,
}

/// Starts a parked child with a clean count. False: there is none parked.
#[derive(Message, Debug, Clone)]
#[rtype(result = "bool")]
pub struct Unpark {
    /// The child's name.
    pub name: Arc<str>,
}

impl Supervisor {
    /// Makes a child wanted; [`Supervisor::step`] starts it.
    pub(super) fn add(&mut self, spec: ChildSpec) -> bool {
        if self.stopping {
            return false;
        }
        let known = self.slots.iter_mut().find(|slot| slot.spec.name == spec.name);
        if let Some(slot) = known {
            let alive = matches!(slot.want, Want::Run | Want::Restart);
            if !alive {
                slot.spec = spec;
                slot.revive();
            }
            return !alive;
        }
        let path = self.tree.add(Some(&self.path), &spec.name, spec.kind);
        self.slots.push(Slot::new(spec, path));
        true
    }
}

impl Handler<AddChild> for Supervisor {
    type Result = bool;

    fn handle(&mut self, AddChild(spec): AddChild, ctx: &mut Self::Context) -> bool {
        let added = self.add(spec);
        self.step(ctx);
        added
    }
}

impl Handler<RemoveChild> for Supervisor {
    type Result = bool;

    fn handle(&mut self, remove: RemoveChild, ctx: &mut Self::Context) -> bool {
        let named = |slot: &&mut Slot| slot.spec.name == remove.name && slot.want != Want::Gone;
        let found = self.slots.iter_mut().find(named);
        let removed = found.map(|slot| slot.want = Want::Gone).is_some();
        self.step(ctx);
        removed
    }
}

impl Handler<Unpark> for Supervisor {
    type Result = bool;

    fn handle(&mut self, unpark: Unpark, ctx: &mut Self::Context) -> bool {
        let parked = |slot: &&mut Slot| slot.spec.name == unpark.name && slot.want == Want::Parked;
        let found = self.slots.iter_mut().find(parked);
        let unparked = found.map(Slot::revive).is_some();
        self.step(ctx);
        unparked
    }
}
