//! May this task start now? The claim asks, and `explain` asks the same.

use super::{Millis, model::SUSPECT_CRASHES};

/// What a decision about one task is made from.
#[derive(Debug, Clone, Copy)]
pub struct Candidate {
    /// `None` unless it waits to be claimed.
    pub ready_at: Option<Millis>,
    pub expires_at: Option<Millis>,
    pub crashes: u32,
}

/// Why one task may not start now, whatever there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// It does not wait to be claimed: it runs, is over, or waits for its parents.
    NotWaiting,
    /// Its time has not come: its own, or that of its next attempt.
    NotDue(Millis),
    /// It should have started before: it expires instead.
    Expired,
    /// It has outlived two workers, and one of its like is on this node already.
    Suspect,
}

impl Candidate {
    pub const fn is_suspect(&self) -> bool {
        self.crashes >= SUSPECT_CRASHES
    }

    /// `suspect_allowed`: none is on the node that asks.
    pub const fn hold(&self, suspect_allowed: bool, now: Millis) -> Option<Hold> {
        match (self.ready_at, self.expires_at) {
            (None, _) => Some(Hold::NotWaiting),
            (Some(at), _) if at > now => Some(Hold::NotDue(at)),
            (_, Some(at)) if at <= now => Some(Hold::Expired),
            _ if self.is_suspect() && !suspect_allowed => Some(Hold::Suspect),
            _ => None,
        }
    }
}
