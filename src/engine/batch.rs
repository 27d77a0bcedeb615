//! The operations of one transaction.

use std::time::Instant;

use super::{
    Engine,
    admin::AdminOp,
    claim::ClaimOp,
    finish::{self, FinishOp},
    notice::After,
    stage::{Common, Queues},
    submit::{self, SubmitOp},
};
use crate::{
    store::{Effects, StoreError, Tx},
    task::Millis,
};

/// The time of a transaction: the store's, and the same moment on the clock that never jumps.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: Millis,
    pub(super) began: Instant,
}

/// In the order in which they are run: what frees comes before what takes, what takes before what adds.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) finishes: Vec<FinishOp>,
    pub(super) claims: Vec<ClaimOp>,
    pub(super) submits: Vec<SubmitOp>,
    pub(super) admins: Vec<Box<dyn AdminOp>>,
    pub(super) effects: Effects,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn len(&self) -> usize {
        self.finishes.len() + self.claims.len() + self.submits.len() + self.admins.len()
    }

    /// May be run again after a rollback: each operation then forgets what it had answered.
    pub(super) fn run(
        &mut self,
        engine: &Engine,
        queues: &Queues,
        tx: &mut dyn Tx,
        moment: Moment,
    ) -> Result<(), StoreError> {
        let now = moment.now;
        finish::run(&mut self.finishes, tx, now)?;
        for op in &mut self.claims {
            op.run(engine, tx, moment)?;
        }
        submit::run(engine, queues, &mut self.submits, tx)?;
        for op in &mut self.admins {
            op.run(queues, tx, now)?;
        }
        tx.settle(now)?;
        self.effects = tx.effects();
        Ok(())
    }

    /// The transaction is on the disk.
    pub(super) fn committed(self, engine: &Engine, common: &Common, after: &mut After) {
        for op in self.finishes {
            op.committed(engine, after);
        }
        for op in self.claims {
            op.committed(engine, after);
        }
        for op in self.submits {
            op.committed(common, after);
        }
        for op in self.admins {
            op.ended(Ok(()), after);
        }
        after.ready.extend(self.effects.ready);
        after.unresolved |= self.effects.unresolved;
        for (id, queue, status) in self.effects.changed {
            after.changed(id, &queue, status);
        }
    }

    /// Nothing of it was kept. Outcomes are given back: they are owed.
    pub(super) fn failed(self, engine: &Engine, error: &StoreError, after: &mut After) -> Vec<FinishOp> {
        for op in self.claims {
            op.failed(engine, error);
        }
        for op in self.submits {
            op.failed(error);
        }
        for op in self.admins {
            op.ended(Err(error.clone()), after);
        }
        self.finishes
    }

    /// Two halves, to find the one item the store refuses.
    pub(super) fn halves(mut self) -> (Self, Self) {
        let mut second = Self::default();
        if self.len() <= 1 {
            return (self, second);
        }
        if self.finishes.len() == self.len() {
            second.finishes = self.finishes.split_off(self.finishes.len() / 2);
        } else if !self.finishes.is_empty() {
            second.finishes = std::mem::take(&mut self.finishes);
        } else if self.submits.len() == self.len() {
            second.submits = self.submits.split_off(self.submits.len() / 2);
        } else if !self.submits.is_empty() {
            second.submits = std::mem::take(&mut self.submits);
        } else if self.claims.len() == self.len() {
            second.claims = self.claims.split_off(self.claims.len() / 2);
        } else if !self.claims.is_empty() {
            second.claims = std::mem::take(&mut self.claims);
        } else {
            second.admins = self.admins.split_off(self.admins.len() / 2);
        }
        (self, second)
    }
}
