//! What a remote worker is told by the answer to a heartbeat.

use std::collections::{HashMap, HashSet};

use crate::{
    store::Holding,
    task::{Asked, LeaseToken, Millis, TaskId},
};

/// All that is to be said; the lists are sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Orders {
    /// These are to stop.
    pub cancel: Vec<LeaseToken>,
    /// Of them, those that have no time left to do so by themselves.
    pub cancel_at_once: Vec<LeaseToken>,
    /// These are not the worker's any more.
    pub lost: Vec<LeaseToken>,
    pub asked: Option<Asked>,
}

impl Orders {
    /// What to say of `running`, by what the store has the worker hold.
    pub(super) fn new(
        running: &[LeaseToken],
        held: &[Holding],
        asked: Option<Asked>,
        (now, grace): (Millis, Millis),
        is_forced: impl Fn(TaskId) -> bool,
    ) -> Self {
        let held: HashMap<LeaseToken, &Holding> = held.iter().map(|holding| (holding.token, holding)).collect();
        let mut orders = Self { asked, ..Self::default() };
        for token in running.iter().copied().collect::<HashSet<_>>() {
            let Some(holding) = held.get(&token) else {
                orders.lost.push(token);
                continue;
            };
            let late = holding.deadline.map(|deadline| now - deadline).filter(|late| *late >= 0);
            if !holding.cancel_requested && late.is_none() {
                continue;
            }
            orders.cancel.push(token);
            let forced = holding.cancel_requested && is_forced(token.task);
            if forced || late.is_some_and(|late| late >= grace) {
                orders.cancel_at_once.push(token);
            }
        }
        for list in [&mut orders.cancel, &mut orders.cancel_at_once, &mut orders.lost] {
            list.sort_unstable();
        }
        orders
    }
}
