//! The shared heads do what those in process do, whatever is asked in whatever order; and with several nodes nothing that is
//! ready is left behind.

use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock, Mutex},
};

use jobqueue::{
    broker::{Broker, InProcess, Popped, redis::RedisBroker},
    task::{Gate, Mark, Millis, Priority, QueueSettings, Quota, RateLimit, Ready, TaskId},
};
use proptest::prelude::*;

use crate::server::Redis;

/// One for all cases, under a lock: each case has a queue of its own.
static REDIS: LazyLock<Mutex<(Redis, RedisBroker, RedisBroker, u64)>> = LazyLock::new(|| {
    let redis = Redis::start();
    let (one, other) = (redis.broker(), redis.broker());
    Mutex::new((redis, one, other, 0))
});

pub(crate) fn mark(at: Millis, n: u64) -> Mark {
    let mut id = [0xC3; 16];
    // Bytes that are no text, in an order that no locale has.
    id[8..].copy_from_slice(&n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    (at, TaskId::from_bytes(id))
}

pub(crate) fn ready(queue: &str, priority: Priority, mark: Mark) -> Ready {
    Ready { queue: queue.into(), priority, mark }
}

#[derive(Debug, Clone)]
enum Step {
    Hint { level: u8, at: Millis, count: usize },
    Wait(Millis),
    Pop { n: usize, room: Option<u32> },
    /// Opens the gate of the lane that starved last.
    Begin,
    /// Reads the store and closes it.
    End,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..10_u8, 0..40_i64, 1..30_usize).prop_map(|(level, at, count)| Step::Hint { level, at, count }),
        1 => (0..3_u8, 0..9_i64).prop_map(|(level, at)| Step::Hint { level, at, count: 1_300 }),
        1 => (0..30_i64).prop_map(Step::Wait),
        4 => (1..200_usize, prop::option::of(0..20_u32)).prop_map(|(n, room)| Step::Pop { n, room }),
        3 => Just(Step::Begin),
        3 => Just(Step::End),
    ]
}

/// A quota of so many in all, and as many of each class.
fn quota(room: Option<u32>) -> Quota {
    let Some(room) = room else { return Quota::UNLIMITED };
    let settings = QueueSettings { concurrency: Some(room), ..QueueSettings::default() };
    let rule: Option<RateLimit> = None;
    Gate::new(&settings, rule.as_ref(), [], 0, 0).quota()
}

fn rows(store: &BTreeSet<(Priority, Mark)>, priority: Priority, from: Option<Mark>, page: usize) -> Vec<Mark> {
    let lane = store.iter().filter(|(p, mark)| *p == priority && from.is_none_or(|from| *mark > from));
    lane.map(|(_, mark)| *mark).take(page).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_shared_head_is_as_the_one_in_process(steps in prop::collection::vec(step(), 1..80), page in 1..600_usize) {
        let mut shared = REDIS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        shared.3 += 1;
        let (queue, broker, model) = (format!("model-{}", shared.3), &shared.1, InProcess::default());
        let mut store = BTreeSet::new();
        let (mut now, mut made, mut starved) = (0, 0, None);
        let mut open: Option<(Priority, Option<Mark>)> = None;
        for step in steps {
            match step {
                Step::Hint { level, at, count } => {
                    let priority = Priority::new(level).unwrap();
                    let hints: Vec<_> = (0..count as u64).map(|n| ready(&queue, priority, mark(now + at, made + n))).collect();
                    made += count as u64;
                    store.extend(hints.iter().map(|hint| (priority, hint.mark)));
                    let (woken, expected) = (broker.hint(&hints), model.hint(&hints));
                    // Whoever waits is woken; one that was woken already may be again.
                    prop_assert!(expected.iter().all(|queue| woken.contains(queue)), "{expected:?} {woken:?}");
                }
                Step::Wait(millis) => now += millis,
                Step::Pop { n, room } => {
                    let quota = quota(room);
                    let (popped, expected) = (broker.pop(&queue, n, &quota, now), model.pop(&queue, n, &quota, now));
                    prop_assert_eq!(&popped, &expected);
                    // Only what a claim would take is gone from the store.
                    popped.entries.iter().for_each(|entry| { store.remove(entry); });
                    starved = popped.starved;
                }
                Step::Begin => if let (Some(priority), None) = (starved, open) {
                    let (from, expected) = (broker.begin_refill(&queue, priority), model.begin_refill(&queue, priority));
                    prop_assert_eq!(from, expected);
                    open = Some((priority, from));
                },
                Step::End => if let Some((priority, from)) = open.take() {
                    let rows = rows(&store, priority, from, page);
                    broker.end_refill(&queue, priority, &rows, rows.len() < page);
                    model.end_refill(&queue, priority, &rows, rows.len() < page);
                },
            }
            if open.is_none() {
                prop_assert_eq!(broker.depth(&queue), model.depth(&queue));
            }
        }
        prop_assert_eq!(broker.outage(), None);
    }

    /// Two nodes refill and pop one queue at once, in any interleaving. Hints are never lost here, so no sweep is needed:
    /// in the end all that is in the store has been popped.
    #[test]
    fn two_nodes_leave_nothing_behind(
        steps in prop::collection::vec((any::<bool>(), 0..5_u8, 0..3_u8, 1..60_u64), 1..120),
        page in 1..600_usize,
    ) {
        let mut shared = REDIS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        shared.3 += 1;
        let queue = format!("two-{}", shared.3);
        let nodes = [&shared.1, &shared.2];
        let mut store = BTreeSet::new();
        let mut made = 0;
        let mut open: [Option<(Priority, Vec<Mark>, bool)>; 2] = [None, None];
        for (which, kind, level, count) in steps {
            let (node, which) = (nodes[usize::from(which)], usize::from(which));
            match kind {
                0 => {
                    let priority = Priority::new(level).unwrap();
                    let count = if level == 2 { count * 30 } else { count };
                    let hints: Vec<_> = (0..count).map(|n| ready(&queue, priority, mark((made + n) as i64 % 7, made + n))).collect();
                    made += count;
                    store.extend(hints.iter().map(|hint| (priority, hint.mark)));
                    node.hint(&hints);
                }
                1 | 2 => {
                    let popped = node.pop(&queue, count as usize, &Quota::UNLIMITED, 100);
                    popped.entries.iter().for_each(|entry| { store.remove(entry); });
                    if let (Some(priority), None) = (popped.starved, &open[which]) {
                        // The store is read here, and told of only later.
                        let from = node.begin_refill(&queue, priority);
                        let rows = rows(&store, priority, from, page);
                        let complete = rows.len() < page;
                        open[which] = Some((priority, rows, complete));
                    }
                }
                _ => if let Some((priority, rows, complete)) = open[which].take() {
                    node.end_refill(&queue, priority, &rows, complete);
                },
            }
        }
        for (node, open) in nodes.iter().zip(open) {
            if let Some((priority, rows, complete)) = open {
                node.end_refill(&queue, priority, &rows, complete);
            }
        }
        drain(nodes[0], &queue, &mut store, page);
        prop_assert!(store.is_empty(), "{} of {made} left behind", store.len());
    }
}

/// Pops as the engine does until there is no more.
fn drain(node: &RedisBroker, queue: &str, store: &mut BTreeSet<(Priority, Mark)>, page: usize) {
    loop {
        let Popped { entries, starved, .. } = node.pop(queue, 100, &Quota::UNLIMITED, 100);
        let none = entries.is_empty();
        entries.iter().for_each(|entry| {
            store.remove(entry);
        });
        match starved {
            Some(priority) => {
                let from = node.begin_refill(queue, priority);
                let rows = rows(store, priority, from, page);
                node.end_refill(queue, priority, &rows, rows.len() < page);
            }
            None if none => return,
            None => {}
        }
    }
}

#[test]
fn a_queue_wakes_every_node_that_got_less_than_it_asked_for() {
    let redis = Redis::start();
    let (one, other) = (redis.broker(), redis.broker());
    let mut store = BTreeSet::new();
    drain(&one, "q", &mut store, 10);
    let hint = |node: &RedisBroker, n| node.hint(&[ready("q", Priority::LOW, mark(1, n))]);
    let woken: Vec<Arc<str>> = vec!["q".into()];
    assert_eq!(hint(&one, 1), woken);
    assert_eq!(hint(&other, 2), Vec::<Arc<str>>::new(), "it is awake");
    assert_eq!(one.pop("q", 5, &Quota::UNLIMITED, 9).entries.len(), 2);
    // The other gets all it asks for, which does not mean that the first has.
    assert_eq!(hint(&other, 3), woken);
}
