//! Which of the ticks that are due are made.

use super::{CatchUp, Millis, Rule, Ticks};

/// A tick that comes at most so late is made, whatever is said of those that were missed: a node has taken over from another,
/// or the store has started anew.
pub const GRACE: Millis = 10_000;
/// Most missed ticks that are made.
pub const MOST_CAUGHT_UP: usize = 1_000;
/// Of more than these it is only said that there were so many.
const MOST_COUNTED: usize = 10_000;

/// What is to be done at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The ticks to be made, oldest first.
    pub make: Vec<Millis>,
    /// Missed ticks that are left out.
    pub skipped: u64,
    /// What is looked at next; `None`: there is no tick any more. It may be due already, where there were too many at once.
    pub next: Option<Millis>,
}

impl Rule {
    /// What is to be done at `now`, where `next` is the first tick that has not been dealt with; at most `most` are made.
    pub fn plan(&self, name: &str, ticks: &Ticks, next: Millis, now: Millis, most: usize) -> Plan {
        let mut plan = Plan { next: Some(next), ..Plan::default() };
        let mut missed = self.leave_out(ticks, &mut plan, now);
        let mut looked_at = 0;
        while let Some(tick) = plan.next.filter(|tick| self.due(name, *tick) <= now) {
            if plan.make.len() + usize::from(missed.is_some()) >= most || looked_at >= MOST_COUNTED {
                break;
            }
            looked_at += 1;
            plan.next = ticks.next(tick);
            if self.due(name, tick) >= now - GRACE || self.catch_up == CatchUp::All {
                plan.make.push(tick);
                continue;
            }
            match self.catch_up {
                CatchUp::One => plan.skipped += u64::from(missed.replace(tick).is_some()),
                _ => plan.skipped += 1,
            }
        }
        if let Some(tick) = missed {
            plan.make.insert(0, tick);
        }
        plan
    }

    /// Deals with what is certainly missed, without going through all of it; the last of it where one stands for all.
    fn leave_out(&self, ticks: &Ticks, plan: &mut Plan, now: Millis) -> Option<Millis> {
        let first = plan.next?;
        let missed_until = now - GRACE - self.jitter.unwrap_or(0) - 1;
        if first > missed_until {
            return None;
        }
        let keep = match self.catch_up {
            CatchUp::Skip => 0,
            CatchUp::One => 1,
            CatchUp::All => MOST_CAUGHT_UP,
        };
        let from = if keep == 0 { missed_until } else { ticks.newest(keep, first - 1, missed_until) };
        plan.skipped += ticks.count(first - 1, from, MOST_COUNTED) as u64;
        plan.next = ticks.next(from);
        if self.catch_up != CatchUp::One {
            return None;
        }
        let last = plan.next.filter(|tick| *tick <= missed_until)?;
        plan.next = ticks.next(last);
        Some(last)
    }
}
