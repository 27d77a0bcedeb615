//! The shared heads do what those in process do, whatever is asked in whatever order; and with several nodes nothing that is
//! ready is left behind.

use std::{cell::Cell, collections::BTreeSet, sync::Arc};

use jobqueue::{
    broker::{Broker, InProcess, Pop, Popped, RedisBroker},
    task::{
        Gate, Mark, Millis, Order, Priority, QueueSettings, Quota, RateLimit, Ready, TaskId,
        rate::{Algorithm, LimitBy},
    },
};
use proptest::{prelude::*, test_runner::TestRunner};

use crate::server::Redis;

pub(crate) fn mark(at: Millis, n: u64) -> Mark {
    let mut id = [0xC3; 16];
    // Bytes that are no text, in an order that no locale has.
    id[8..].copy_from_slice(&n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    (at, TaskId::from_bytes(id))
}

pub(crate) fn ready(queue: &str, priority: Priority, mark: Mark) -> Ready {
    Ready { queue: queue.into(), priority, keyed: false, mark }
}

#[derive(Debug, Clone)]
enum Step {
    Hint {
        level: u8,
        at: Millis,
        count: usize,
    },
    Wait(Millis),
    Pop {
        n: usize,
        room: Option<u32>,
    },
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

/// A quota of so many in all, and of fewer of each class.
fn quota(room: Option<u32>) -> Quota {
    let Some(room) = room else { return Quota::UNLIMITED };
    let settings = QueueSettings { concurrency: Some(room), ..QueueSettings::default() };
    let rule = RateLimit {
        by: LimitBy::Priority,
        limit: [1 + room / 2, 1 + room / 3, 1 + room / 4],
        per: 60_000,
        algorithm: Algorithm::SlidingWindow,
        burst: 0,
        enabled: room % 2 == 0,
    };
    Gate::new(&settings, Some(&rule), None, 0, 0).quota()
}

fn rows(store: &BTreeSet<(Priority, Mark)>, priority: Priority, from: Option<Mark>, page: usize) -> Vec<Mark> {
    let lane = store.iter().filter(|(p, mark)| *p == priority && from.is_none_or(|from| *mark > from));
    lane.map(|(_, mark)| *mark).take(page).collect()
}

fn runner() -> TestRunner {
    TestRunner::new(ProptestConfig {
        cases: 60,
        max_shrink_iters: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })
}

#[test]
fn the_shared_head_is_as_the_one_in_process() {
    let redis = Redis::start();
    let (broker, cases) = (redis.broker(), Cell::new(0));
    let orders = prop::option::of(1..20_i64).prop_map(Order::new);
    let run = runner().run(&(prop::collection::vec(step(), 1..80), 1..600_usize, orders), |(steps, page, order)| {
        cases.set(cases.get() + 1);
        let result = compare(&broker, &format!("model-{}", cases.get()), steps, page, order);
        prop_assert_eq!(broker.outage(), None);
        result
    });
    run.unwrap();
}

/// One less than a shared gate has room for.
const GATE: usize = 255;

fn compare(
    broker: &RedisBroker,
    queue: &str,
    steps: Vec<Step>,
    page: usize,
    order: Order,
) -> Result<(), TestCaseError> {
    let (model, mut store) = (InProcess::default(), BTreeSet::new());
    let (mut now, mut made, mut starved) = (0, 0, None);
    let mut open: Option<(Priority, Option<Mark>)> = None;
    // Hints that the open gate keeps. A shared one that is full lets some go, and the lane vouches for less than the one here.
    let mut kept = 0;
    for step in steps {
        match step {
            Step::Hint { level, at, mut count } => {
                let priority = Priority::new(level).unwrap();
                if open.is_some_and(|(lane, _)| lane == priority) {
                    count = count.min(GATE - kept);
                    kept += count;
                }
                if count == 0 {
                    continue;
                }
                let hint = |n| ready(queue, priority, mark(now + at, made + n));
                let hints: Vec<_> = (0..count as u64).map(hint).collect();
                made += count as u64;
                store.extend(hints.iter().map(|hint| (priority, hint.mark)));
                let (woken, expected) = (broker.hint(&hints), model.hint(&hints));
                // Whoever waits is woken; one that was woken already may be again.
                prop_assert!(expected.iter().all(|queue| woken.contains(queue)), "{expected:?} {woken:?}");
            }
            Step::Wait(millis) => now += millis,
            // The one in process would offer what is popped between the two ends of a refill once more.
            Step::Pop { .. } if open.is_some() => {}
            Step::Pop { n, room } => {
                let pop = Pop { n, quota: quota(room), order, now };
                let (popped, expected) = (broker.pop(queue, &pop), model.pop(queue, &pop));
                prop_assert_eq!(&popped, &expected);
                // Only what a claim would take is gone from the store.
                for entry in &popped.entries {
                    store.remove(entry);
                }
                starved = popped.starved;
            }
            Step::Begin => {
                if let (Some(priority), None) = (starved.take(), open) {
                    let (from, expected) = (broker.begin_refill(queue, priority), model.begin_refill(queue, priority));
                    prop_assert_eq!(from, expected);
                    (open, kept) = (Some((priority, from)), 0);
                }
            }
            Step::End => {
                if let Some((priority, from)) = open.take() {
                    let rows = rows(&store, priority, from, page);
                    broker.end_refill(queue, priority, &rows, rows.len() < page);
                    model.end_refill(queue, priority, &rows, rows.len() < page);
                }
            }
        }
        if open.is_none() {
            prop_assert_eq!(broker.depth(queue), model.depth(queue));
        }
    }
    Ok(())
}

/// Two nodes refill and pop one queue at once, in any interleaving. Hints are never lost here, so no sweep is needed: in the
/// end all that is in the store has been popped.
#[test]
fn two_nodes_leave_nothing_behind() {
    let redis = Redis::start();
    let (nodes, cases) = ([redis.broker(), redis.broker()], Cell::new(0));
    let steps = prop::collection::vec((0..2_usize, 0..5_u8, 0..3_u8, 1..60_u64), 1..120);
    let run = runner().run(&(steps, 1..600_usize), |(steps, page)| {
        cases.set(cases.get() + 1);
        interleave(&nodes, &format!("two-{}", cases.get()), steps, page)
    });
    run.unwrap();
}

/// What the store would serve is what is served, in this order and no other; ready times are of today, as scores of Redis are
/// no whole numbers beyond all bounds.
#[test]
fn with_ageing_the_shared_head_serves_in_the_order_of_age_and_priority() {
    const NOW: Millis = 1_900_000_000_000;
    let redis = Redis::start();
    let (broker, cases) = (redis.broker(), Cell::new(0));
    let tasks = prop::collection::vec((0..10_u8, 0..40_000_i64), 1..400);
    let run = runner().run(&(tasks, 1..90_usize, 1..60_usize, 1_000..8_000_i64), |(tasks, page, n, ageing)| {
        cases.set(cases.get() + 1);
        let queue = format!("aged-{}", cases.get());
        let task =
            |(k, (level, ago)): (usize, (u8, Millis))| (Priority::new(level).unwrap(), mark(NOW - ago, k as u64));
        let mut store: BTreeSet<_> = tasks.into_iter().enumerate().map(task).collect();
        let mut expected: Vec<_> = store.iter().copied().collect();
        expected.sort_by_key(|(priority, mark)| (mark.0 - Millis::from(priority.level()) * ageing, *mark));
        let mut served = Vec::new();
        while served.len() < expected.len() {
            let pop = Pop { order: Order::new(Some(ageing)), ..Pop::any(n, NOW) };
            let popped = broker.pop(&queue, &pop);
            popped.entries.iter().for_each(|entry| {
                store.remove(entry);
            });
            if let Some(priority) = popped.starved {
                let from = broker.begin_refill(&queue, priority);
                let rows = rows(&store, priority, from, page);
                broker.end_refill(&queue, priority, &rows, rows.len() < page);
            }
            prop_assert!(!popped.entries.is_empty() || popped.starved.is_some());
            served.extend(popped.entries);
        }
        prop_assert_eq!(served, expected);
        Ok(())
    });
    run.unwrap();
}

type Opened = Option<(Priority, Vec<Mark>, bool)>;

fn interleave(
    nodes: &[RedisBroker; 2],
    queue: &str,
    steps: Vec<(usize, u8, u8, u64)>,
    page: usize,
) -> Result<(), TestCaseError> {
    let (mut store, mut made) = (BTreeSet::new(), 0);
    let mut open: [Opened; 2] = [None, None];
    for (which, kind, level, count) in steps {
        let node = &nodes[which];
        match kind {
            0 => {
                let priority = Priority::new(level).unwrap();
                let count = if level == 2 { count * 30 } else { count };
                let hint = |n| ready(queue, priority, mark((made + n) as i64 % 7, made + n));
                let hints: Vec<_> = (0..count).map(hint).collect();
                made += count;
                store.extend(hints.iter().map(|hint| (priority, hint.mark)));
                node.hint(&hints);
            }
            1 | 2 => {
                let popped = node.pop(queue, &Pop::any(count as usize, 100));
                for entry in &popped.entries {
                    store.remove(entry);
                }
                if let (Some(priority), None) = (popped.starved, &open[which]) {
                    // The store is read here, and told of only later.
                    let from = node.begin_refill(queue, priority);
                    let rows = rows(&store, priority, from, page);
                    let complete = rows.len() < page;
                    open[which] = Some((priority, rows, complete));
                }
            }
            _ => close(node, queue, &mut open[which]),
        }
    }
    for (node, open) in nodes.iter().zip(&mut open) {
        close(node, queue, open);
    }
    drain(&nodes[0], queue, &mut store, page);
    prop_assert!(store.is_empty(), "{} of {made} left behind", store.len());
    Ok(())
}

fn close(node: &RedisBroker, queue: &str, open: &mut Opened) {
    if let Some((priority, rows, complete)) = open.take() {
        node.end_refill(queue, priority, &rows, complete);
    }
}

/// Pops as the engine does until there is no more.
pub(crate) fn drain(node: &RedisBroker, queue: &str, store: &mut BTreeSet<(Priority, Mark)>, page: usize) {
    loop {
        let Popped { entries, starved, .. } = node.pop(queue, &Pop::any(100, 100));
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
    assert_eq!(one.pop("q", &Pop::any(5, 9)).entries.len(), 2);
    assert!(one.pop("q", &Pop::any(5, 9)).entries.is_empty());
    // Another gets all it asks for as its time comes, which does not mean that the first has.
    one.hint(&[ready("q", Priority::LOW, mark(50, 4))]);
    assert!(one.pop("q", &Pop::any(5, 40)).entries.is_empty());
    assert_eq!(other.pop("q", &Pop::any(1, 60)).entries.len(), 1);
    assert_eq!(hint(&other, 5), woken);
}

const LANE: Priority = Priority::MEDIUM;

/// Takes all that is there without asking the store.
fn take(node: &RedisBroker, n: usize) -> Vec<Mark> {
    node.pop("q", &Pop::any(n, 1_000)).entries.into_iter().map(|(_, mark)| mark).collect()
}

fn complete_all_but_the_lane(node: &RedisBroker) {
    for level in (0..=Priority::MAX).filter(|level| *level != LANE.level()) {
        let priority = Priority::new(level).unwrap();
        node.begin_refill("q", priority);
        node.end_refill("q", priority, &[], true);
    }
}

#[test]
fn the_first_of_two_refills_leaves_the_gate_to_the_second() {
    let redis = Redis::start();
    let (one, other) = (redis.broker(), redis.broker());
    complete_all_but_the_lane(&one);
    let marks: Vec<Mark> = (1..=5).map(|at| mark(at, at as u64)).collect();
    one.begin_refill("q", LANE);
    other.begin_refill("q", LANE);
    // Committed after both have read the store.
    one.hint(&[ready("q", LANE, marks[4])]);
    one.end_refill("q", LANE, &marks[..2], false);
    other.end_refill("q", LANE, &marks[..4], true);
    assert_eq!(take(&one, 9), marks);
}

#[test]
fn a_lane_that_was_trimmed_during_a_refill_does_not_vouch_for_what_it_let_go() {
    let redis = Redis::start();
    let (one, other) = (redis.broker(), redis.broker());
    complete_all_but_the_lane(&one);
    one.begin_refill("q", LANE);
    one.end_refill("q", LANE, &[mark(60, 0)], false);
    assert_eq!(take(&one, 1), [mark(60, 0)]);
    assert_eq!(one.begin_refill("q", LANE), Some(mark(60, 0)));
    let hints: Vec<_> = (1..=1_100).map(|n| ready("q", LANE, mark(n as i64 % 50, n))).collect();
    other.hint(&hints);
    // Or the lane would be trimmed once more when the refill ends.
    let taken = take(&other, 10);
    let late = mark(61, 5_000);
    one.end_refill("q", LANE, &[late], true);
    let mut store: BTreeSet<_> = hints.iter().map(|hint| (LANE, hint.mark)).chain([(LANE, late)]).collect();
    store.retain(|(_, mark)| !taken.contains(mark));
    drain(&one, "q", &mut store, 500);
    assert!(store.is_empty(), "{} left behind", store.len());
}
