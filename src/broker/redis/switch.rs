//! Each call of the broker: to Redis while it is there, else to heads of our own.

use std::sync::{Arc, atomic::Ordering};

use super::{Refill, Shared, failure::Failure, link::Link, lock};
use crate::{
    broker::{Broker as _, Pop, Popped, bus::Notice},
    task::{Mark, Priority, Ready},
};

impl Shared {
    /// Calls Redis. `None`: it is away, perhaps since this very call.
    fn try_redis<T>(&self, call: impl FnOnce(&mut Link, &mut Arc<str>) -> Result<T, Failure>) -> Option<T> {
        if self.presence.is_away() {
            return None;
        }
        let mut link = lock(&self.link);
        // Another thread may have waited in vain while this one waited for the lock.
        let mut held = link.take()?;
        let mut known = lock(&self.generation).clone();
        let before = known.clone();
        match call(&mut held, &mut known) {
            Ok(done) => {
                *link = Some(held);
                if before != known {
                    *lock(&self.generation) = known;
                }
                Some(done)
            }
            Err(failure) => {
                drop(link);
                self.lost(&failure);
                None
            }
        }
    }

    /// Redis is of no use any more. Who called goes on without it; the keeper sees to the rest.
    pub(super) fn lost(&self, failure: &Failure) {
        *lock(&self.link) = None;
        if self.presence.lost(failure.describe(&self.config)) {
            // Filled anew: what an earlier outage has left there is old.
            self.own_heads.clear();
        }
        self.outbox.nudge();
    }

    pub(super) fn hint(&self, ready: &[Ready]) -> Vec<Arc<str>> {
        let woken = self.try_redis(|link, known| self.heads.hint(link, known, ready));
        woken.unwrap_or_else(|| self.own_heads.hint(ready))
    }

    pub(super) fn pop(&self, queue: &str, pop: &Pop) -> Popped {
        let popped = self.try_redis(|link, known| self.heads.pop(link, known, queue, pop));
        popped.unwrap_or_else(|| self.own_heads.pop(queue, pop))
    }

    pub(super) fn begin_refill(&self, queue: &str, priority: Priority) -> Option<Mark> {
        let token = format!("{}:{:08x}", self.node, fastrand::u32(..));
        let begun = self.try_redis(|link, known| {
            let horizon = self.heads.begin_refill(link, known, queue, priority, &token)?;
            Ok((horizon, known.clone()))
        });
        let (horizon, refill) = match begun {
            Some((horizon, generation)) => (horizon, Refill::Shared { token, generation }),
            None => {
                let outage = self.presence.outages();
                (self.own_heads.begin_refill(queue, priority), Refill::Own { outage })
            }
        };
        lock(&self.refills).insert((queue.into(), priority), refill);
        horizon
    }

    /// Rows read for a head that is no longer in use are dropped: they were read from the horizon of that one.
    pub(super) fn end_refill(&self, queue: &str, priority: Priority, rows: &[Mark], complete: bool) {
        match lock(&self.refills).remove(&(queue.into(), priority)) {
            Some(Refill::Shared { token, generation }) => {
                self.try_redis(|link, _| {
                    self.heads.end_refill(link, &generation, (queue, priority, &token), rows, complete)
                });
            }
            Some(Refill::Own { outage }) if outage == self.presence.outages() => {
                self.own_heads.end_refill(queue, priority, rows, complete);
            }
            Some(Refill::Own { .. }) | None => {}
        }
    }

    pub(super) fn depth(&self, queue: &str) -> usize {
        let depth = self.try_redis(|link, _| self.heads.depth(link, queue));
        depth.unwrap_or_else(|| self.own_heads.depth(queue))
    }

    /// Hands a notice to whoever listens.
    pub(super) fn tell(&self, notice: Notice) {
        if let Some(listener) = self.listener.get() {
            listener.heard(notice);
        }
    }

    pub(super) fn count_malformed(&self) {
        // One line for the first: somebody else uses the channel, or another version does.
        if self.malformed.fetch_add(1, Ordering::Relaxed) == 0 {
            log::warn!("A message on {} was not understood; more of them are only counted", self.heads.keys.channel());
        }
    }
}
