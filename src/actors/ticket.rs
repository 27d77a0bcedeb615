//! A ticket: the right to fill one idle slot.

use std::sync::{Arc, Weak};

use super::{
    dispatcher::{Dispatcher, Idle},
    slot::{Run, Slot},
    supervision::{Directory, Ref},
    tree,
};
use crate::engine::Grant;

/// An idle slot on its way from the dispatcher through a queue and the store. Dropped unused (nothing was ready, or the
/// queue's actor crashed with it in its mailbox) it goes back to the dispatcher: no slot is ever forgotten.
pub struct Ticket {
    pub slot: usize,
    address: Option<Ref<Slot>>,
    directory: Directory,
    validity: Validity,
}

/// Lives as long as the ticket, and on with the task that comes of it until the slot has it in hand. By this a slot knows
/// whether its ticket is still on its way: with two of them it would be given two tasks.
#[derive(Default)]
pub struct Validity(Arc<()>);

impl Validity {
    pub fn watch(&self) -> Weak<()> {
        Arc::downgrade(&self.0)
    }
}

impl Ticket {
    pub fn new(slot: usize, address: Ref<Slot>, directory: Directory, validity: Validity) -> Self {
        Self { slot, address: Some(address), directory, validity }
    }

    /// Runs a task in the slot. If the slot is gone, the grant is dropped with the message and the task goes back.
    pub fn run(mut self, grant: Grant) {
        if let Some(slot) = self.address.take() {
            slot.do_send(Run(grant, std::mem::take(&mut self.validity)));
        }
    }

    /// The slot has a newer ticket.
    pub fn void(mut self) {
        self.address = None;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let Some(address) = self.address.take() else { return };
        if let Some(dispatcher) = self.directory.get::<Dispatcher>(tree::DISPATCHER) {
            let validity = std::mem::take(&mut self.validity);
            dispatcher.do_send(Idle(Self::new(self.slot, address, self.directory.clone(), validity)));
        }
    }
}
