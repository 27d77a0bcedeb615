//! When a schedule ticks.
//!
//! **Summer time.** A pattern with a `*` for seconds, minutes or hours follows the clock: it ticks whenever the clock of its
//! zone shows a time that matches, so `*/5 * * * *` goes on every five minutes of elapsed time, through both kinds of night.
//! A pattern that names its times (`30 2 * * *`, `0 9,17 * * *`) ticks once for each of them: where the clock leaps over one,
//! at the moment it has leapt; where the clock shows one twice, the first time.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use super::{Millis, cron::Pattern};

/// The moments at which a schedule ticks, none earlier than the one before.
#[derive(Debug, Clone)]
pub struct Ticks(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Cron(Box<Pattern>, TimeZone),
    Every { period: Millis, anchor: Millis },
}

impl Ticks {
    pub(super) fn cron(pattern: Pattern, zone: TimeZone) -> Option<Self> {
        Some(Self(Kind::Cron(Box::new(pattern), zone)))
    }

    pub(super) fn every(period: Millis, anchor: Millis) -> Option<Self> {
        (period > 0).then_some(Self(Kind::Every { period, anchor }))
    }

    /// The first tick after a moment; `None` where there is none any more.
    pub fn next(&self, after: Millis) -> Option<Millis> {
        match &self.0 {
            Kind::Every { period, anchor } => {
                let passed = (after - anchor).div_euclid(*period).max(0);
                anchor.checked_add(period.checked_mul(passed + 1)?)
            }
            Kind::Cron(pattern, zone) => {
                let after = Timestamp::from_second(after.div_euclid(1_000)).ok()?;
                let next = if pattern.follows_clock {
                    next_by_clock(pattern, zone, after)
                } else {
                    next_by_name(pattern, zone, after)
                };
                next.map(Timestamp::as_millisecond)
            }
        }
    }

    /// The next `n` ticks after a moment.
    pub fn preview(&self, after: Millis, n: usize) -> Vec<Millis> {
        std::iter::successors(self.next(after), |tick| self.next(*tick)).take(n).collect()
    }

    /// Ticks after one moment, up to another one, counted up to `most`.
    pub fn count(&self, after: Millis, until: Millis, most: usize) -> usize {
        if let Kind::Every { period, anchor } = &self.0 {
            let passed = |at: Millis| (at - anchor).div_euclid(*period).max(0);
            return usize::try_from(passed(until) - passed(after)).unwrap_or(0).min(most);
        }
        let mut last = after;
        (0..most)
            .take_while(|_| self.next(last).filter(|next| *next <= until).map(|next| last = next).is_some())
            .count()
    }

    /// A moment after which at most `most` ticks come up to `until`, and at least half as many where there are; it is not
    /// before `after`. By halving: looking back from `until` would need the arithmetic of the clock a second time.
    pub fn newest(&self, most: usize, after: Millis, until: Millis) -> Millis {
        if let Kind::Every { period, .. } = &self.0 {
            let first = Millis::try_from(most).unwrap_or(Millis::MAX).saturating_mul(*period);
            return until.saturating_sub(first).max(after);
        }
        if self.count(after, until, most + 1) <= most {
            return after;
        }
        let (mut too_early, mut late) = (after, until);
        while late - too_early > 1_000 {
            let middle = too_early + (late - too_early) / 2;
            match self.count(middle, until, most + 1) {
                n if n > most => too_early = middle,
                n if n >= most.div_ceil(2) => return middle,
                _ => late = middle,
            }
        }
        late
    }
}

/// Between two changes of the clock the offset is constant: the search goes from stretch to stretch.
fn next_by_clock(pattern: &Pattern, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
    let (mut from, mut inclusive) = (after, false);
    // From where it was searched, and what was found.
    let mut known: Option<(DateTime, DateTime)> = None;
    let mut changes = zone.following(after);
    loop {
        let offset = zone.to_offset(from);
        let local = offset.to_datetime(from);
        let found = match known {
            // The clock has not gone back to where the search began, which may match by itself, or behind it.
            Some((searched, found)) if searched < local && local <= found => found,
            _ => pattern.next_local(local, inclusive)?,
        };
        known = Some((local, found));
        let at = offset.to_timestamp(found).ok()?;
        match changes.next().map(|change| change.timestamp()) {
            Some(change) if at >= change => (from, inclusive) = (change, true),
            _ => return Some(at),
        }
    }
}

fn next_by_name(pattern: &Pattern, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
    let mut local = zone.to_offset(after).to_datetime(after);
    loop {
        // Of those the clock shows a second time, the first time is over.
        local = pattern.next_local(local, false)?;
        let ambiguous = zone.to_ambiguous_timestamp(local);
        let at = match ambiguous.offset() {
            jiff::tz::AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).ok()?,
            jiff::tz::AmbiguousOffset::Fold { before, .. } => before.to_timestamp(local).ok()?,
            jiff::tz::AmbiguousOffset::Gap { after, .. } => {
                // Before the leap by the offset that holds after it: the next change is the leap.
                let before = after.to_timestamp(local).ok()?;
                zone.following(before).next()?.timestamp()
            }
        };
        if at > after {
            return Some(at);
        }
    }
}
