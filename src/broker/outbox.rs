//! What waits to be told to the other nodes: coalesced and bounded, so that a slow channel costs no memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    broker::bus::{Events, Notice},
    task::{TaskId, WorkerId},
};

/// Events are gathered for so long; everything else goes at once.
const GATHER: Duration = Duration::from_millis(100);
/// What one message carries at most.
const NAMES: usize = 500;
/// What may wait. Beyond it notices are shed: the sweep and the heartbeat find what they told.
const WAITING: usize = 10_000;

#[derive(Default)]
pub(super) struct Outbox {
    waiting: Mutex<Waiting>,
    filled: Condvar,
}

#[derive(Default)]
struct Waiting {
    wakes: BTreeSet<Arc<str>>,
    submitted: BTreeSet<Arc<str>>,
    queues: BTreeSet<Arc<str>>,
    /// With whether they are to end at once.
    cancels: BTreeMap<TaskId, bool>,
    keys: bool,
    workers: BTreeSet<WorkerId>,
    events: Option<(Instant, Events)>,
    /// Somebody wants the one who sends to look up.
    nudged: bool,
    closed: bool,
    shed: u64,
}

impl Waiting {
    fn is_urgent(&self) -> bool {
        self.nudged
            || self.closed
            || self.keys
            || !(self.wakes.is_empty()
                && self.submitted.is_empty()
                && self.queues.is_empty()
                && self.cancels.is_empty()
                && self.workers.is_empty())
    }

    fn add<T: Ord>(set: &mut BTreeSet<T>, more: Vec<T>, shed: &mut u64) {
        for one in more {
            if set.len() < WAITING {
                set.insert(one);
            } else {
                *shed += 1;
            }
        }
    }
}

impl Outbox {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put(&self, notice: Notice) {
        let mut waiting = self.waiting();
        let Waiting { wakes, submitted, queues, cancels, keys, workers, events, shed, .. } = &mut *waiting;
        match notice {
            Notice::Wake(names) => Waiting::add(wakes, names, shed),
            Notice::QueuesChanged(names) => Waiting::add(queues, names, shed),
            Notice::Submitted(names) => Waiting::add(submitted, names, shed),
            Notice::Cancel { ids, at_once } => {
                for id in ids {
                    if cancels.len() < WAITING || cancels.contains_key(&id) {
                        *cancels.entry(id).or_default() |= at_once;
                    } else {
                        *shed += 1;
                    }
                }
            }
            Notice::KeysChanged => *keys = true,
            Notice::WorkersAsked(asked) => Waiting::add(workers, asked, shed),
            Notice::Events(more) => match events {
                Some((_, gathered)) => gathered.merge(more),
                None => {
                    let mut first = Events::default();
                    first.merge(more);
                    *events = Some((Instant::now(), first));
                    // Who sends has to learn when these are due.
                    self.filled.notify_one();
                }
            },
            Notice::Unresolved | Notice::Missed => {}
        }
        if waiting.is_urgent() {
            self.filled.notify_one();
        }
    }

    pub(super) fn nudge(&self) {
        self.waiting().nudged = true;
        self.filled.notify_one();
    }

    pub(super) fn close(&self) {
        self.waiting().closed = true;
        self.filled.notify_one();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.waiting().closed
    }

    /// Notices that there was no room for.
    pub(super) fn shed(&self) -> u64 {
        self.waiting().shed
    }

    /// How long nothing is to be sent, if nothing more comes; at most `most`.
    pub(super) fn quiet(&self, most: Duration) -> Duration {
        let waiting = self.waiting();
        if waiting.is_urgent() {
            return Duration::ZERO;
        }
        let due = waiting.events.as_ref().map(|(at, _)| (*at + GATHER).saturating_duration_since(Instant::now()));
        due.map_or(most, |due| due.min(most))
    }

    /// What is to be sent; waits for it, but not beyond `patience`.
    pub(super) fn take(&self, patience: Duration) -> Vec<Notice> {
        let over = Instant::now() + patience;
        let mut waiting = self.waiting();
        loop {
            let now = Instant::now();
            let due = waiting.events.as_ref().map(|(at, _)| *at + GATHER);
            if waiting.is_urgent() || due.is_some_and(|due| due <= now) || now >= over {
                break;
            }
            let until = due.map_or(over, |due| due.min(over));
            let waited = self.filled.wait_timeout(waiting, until.saturating_duration_since(now));
            waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        waiting.nudged = false;
        let due = waiting.events.as_ref().is_some_and(|(at, _)| at.elapsed() >= GATHER);
        let events = if due { waiting.events.take() } else { None };
        let mut notices = Vec::new();
        let (forced, asked): (Vec<_>, Vec<_>) =
            std::mem::take(&mut waiting.cancels).into_iter().partition(|(_, at_once)| *at_once);
        for (cancels, at_once) in [(forced, true), (asked, false)] {
            let ids = cancels.into_iter().map(|(id, _)| id).collect();
            notices.extend(pieces(ids).map(|ids| Notice::Cancel { ids, at_once }));
        }
        notices.extend(names(&mut waiting.wakes).map(Notice::Wake));
        notices.extend(names(&mut waiting.submitted).map(Notice::Submitted));
        notices.extend(names(&mut waiting.queues).map(Notice::QueuesChanged));
        notices.extend(std::mem::take(&mut waiting.keys).then_some(Notice::KeysChanged));
        let workers = std::mem::take(&mut waiting.workers).into_iter().collect();
        notices.extend(pieces(workers).map(Notice::WorkersAsked));
        notices.extend(events.map(|(_, events)| Notice::Events(events)));
        notices
    }
}

fn names(set: &mut BTreeSet<Arc<str>>) -> impl Iterator<Item = Vec<Arc<str>>> {
    pieces(std::mem::take(set).into_iter().collect())
}

fn pieces<T: Clone>(all: Vec<T>) -> impl Iterator<Item = Vec<T>> {
    let pieces: Vec<Vec<T>> = all.chunks(NAMES).map(<[T]>::to_vec).collect();
    pieces.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_coalesced_and_bounded() {
        let outbox = Outbox::default();
        for n in 0..WAITING + 7 {
            outbox.put(Notice::Wake(vec![format!("q{n}").as_str().into()]));
            outbox.put(Notice::Wake(vec!["q1".into()]));
        }
        let notices = outbox.take(Duration::ZERO);
        assert_eq!(notices.len(), WAITING / NAMES);
        assert!(outbox.shed() >= 7);
        assert!(outbox.take(Duration::ZERO).is_empty());
    }

    #[test]
    fn events_are_gathered_and_the_rest_is_not_held_up_by_them() {
        let outbox = Outbox::default();
        let events = || Events { ids: (0..60).map(|_| TaskId::new()).collect(), ..Events::default() };
        outbox.put(Notice::Events(events()));
        outbox.put(Notice::Events(events()));
        outbox.put(Notice::KeysChanged);
        assert_eq!(outbox.take(Duration::from_secs(9)), [Notice::KeysChanged]);
        let sent = outbox.take(Duration::from_secs(9));
        let [Notice::Events(events)] = &sent[..] else { panic!("{sent:?}") };
        assert!(events.more && events.ids.len() == Events::MAX_IDS);
    }
}
