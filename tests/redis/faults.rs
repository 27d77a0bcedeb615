//! Redis is flushed, killed, stopped, filled up, given an old dump or another password: the node goes on.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use jobqueue::{
    broker::{Broker, Pop, RedisBroker},
    task::{Mark, Priority},
};
use nix::sys::signal::Signal;

use crate::{
    model::{drain, mark, ready},
    server::{Redis, eventually},
};

const LANE: Priority = Priority::MEDIUM;

/// A lane of which all is known and that has these ids.
fn fill(broker: &RedisBroker, ids: std::ops::Range<u64>) -> BTreeSet<(Priority, Mark)> {
    let mut store = BTreeSet::new();
    drain(broker, "q", &mut store, 10);
    let hints: Vec<_> = ids.map(|n| ready("q", LANE, mark(1, n))).collect();
    broker.hint(&hints);
    assert_eq!(broker.depth("q"), hints.len());
    hints.iter().map(|hint| (LANE, hint.mark)).collect()
}

/// Whatever has become of Redis, what is in the store is found, and within 2 s.
fn goes_on(broker: &RedisBroker, mut store: BTreeSet<(Priority, Mark)>) {
    let began = Instant::now();
    drain(broker, "q", &mut store, 10);
    assert!(store.is_empty(), "{} left behind", store.len());
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

fn is_back(broker: &RedisBroker) {
    eventually("Redis is used again", || broker.outage().is_none());
}

fn knows_nothing(broker: &RedisBroker) {
    let popped = broker.pop("q", &Pop::any(1, 9));
    assert_eq!((popped.entries.len(), popped.starved.map(Priority::level)), (0, Some(9)));
}

#[test]
fn a_flush_is_noticed_and_all_is_read_again() {
    let redis = Redis::start();
    let broker = redis.broker();
    let store = fill(&broker, 0..50);
    redis.command(&["FLUSHALL"]);
    goes_on(&broker, store);
    assert_eq!(broker.outage(), None);
    // One that no call meets is noticed too.
    redis.command(&["FLUSHALL"]);
    eventually("a new generation", || redis.command(&["EXISTS", "jobqueue:generation"]) == redis::Value::Int(1));
}

#[test]
fn nothing_to_hint_at_is_no_outage() {
    let redis = Redis::start();
    let broker = redis.broker();
    assert!(broker.hint(&[]).is_empty());
    assert_eq!(broker.outage(), None);
}

#[test]
fn a_script_cache_that_is_emptied_costs_nothing() {
    let redis = Redis::start();
    let broker = redis.broker();
    let store = fill(&broker, 0..50);
    redis.command(&["SCRIPT", "FLUSH"]);
    let hints: Vec<_> = (0..40).map(|n| ready(&format!("q{n}"), LANE, mark(1, n))).collect();
    assert_eq!(broker.hint(&hints).len(), 40);
    redis.command(&["SCRIPT", "FLUSH"]);
    goes_on(&broker, store);
    assert_eq!(broker.outage(), None);
}

#[test]
fn a_killed_redis_is_done_without_and_not_trusted_when_it_is_back() {
    let mut redis = Redis::start();
    let broker = redis.broker();
    let store = fill(&broker, 0..50);
    redis.kill();
    let before = Instant::now();
    assert_eq!(broker.hint(&[ready("q", LANE, mark(1, 99))]).len(), 1, "the queue is woken, whatever Redis thought");
    assert!(before.elapsed() < Duration::from_secs(1));
    goes_on(&broker, store);
    let outage = broker.outage().unwrap();
    assert!(
        outage.error.contains(&redis.address()) && outage.since > 0 && outage.meanwhile.contains("store"),
        "{outage:?}"
    );
    redis.start_again(&[]);
    is_back(&broker);
    knows_nothing(&broker);
}

#[test]
fn an_old_dump_is_not_trusted_by_those_who_saw_the_restart_nor_by_those_who_start_after_it() {
    let mut redis = Redis::start();
    let broker = redis.broker();
    fill(&broker, 0..50);
    redis.command(&["SAVE"]);
    assert!(redis.dump().exists());
    broker.hint(&[ready("q", LANE, mark(1, 77))]);
    redis.kill();
    redis.start_again(&[]);
    let other = redis.broker();
    assert_eq!(other.outage(), None);
    knows_nothing(&other);
    drop(other);
    eventually("the one that was there is back", || {
        broker.pop("q", &Pop::any(1, 9));
        broker.outage().is_none()
    });
    knows_nothing(&broker);
}

#[test]
fn a_stopped_redis_holds_nobody_up() {
    let redis = Redis::start();
    let broker = redis.broker();
    let store = fill(&broker, 0..50);
    redis.signal(Signal::SIGSTOP);
    let before = Instant::now();
    let hints: Vec<_> = (0..40).map(|n| ready(&format!("q{n}"), LANE, mark(1, n))).collect();
    broker.hint(&hints);
    assert!(before.elapsed() < Duration::from_secs(1), "one answer is waited for, not forty: {:?}", before.elapsed());
    goes_on(&broker, store);
    assert!(broker.outage().unwrap().error.contains("does not answer in time"), "{:?}", broker.outage());
    redis.signal(Signal::SIGCONT);
    is_back(&broker);
    knows_nothing(&broker);
}

#[test]
fn a_full_redis_is_away_until_it_has_room() {
    let redis = Redis::start();
    let broker = redis.broker();
    let store = fill(&broker, 0..50);
    redis.command(&["CONFIG", "SET", "maxmemory", "1"]);
    broker.hint(&[ready("q", LANE, mark(1, 77))]);
    assert!(broker.outage().unwrap().error.contains("maxmemory"), "{:?}", broker.outage());
    goes_on(&broker, store);
    redis.command(&["CONFIG", "SET", "maxmemory", "0"]);
    is_back(&broker);
}

#[test]
fn a_lane_that_redis_has_evicted_is_not_taken_for_an_empty_one() {
    let redis = Redis::start();
    let broker = redis.broker();
    let store = fill(&broker, 0..50);
    redis.command(&["DEL", "{jobqueue:q}:lane:5"]);
    goes_on(&broker, store);
    let store = fill(&broker, 50..90);
    redis.command(&["DEL", "{jobqueue:q}:state"]);
    goes_on(&broker, store);
    assert_eq!(broker.outage(), None);
}

#[test]
fn a_key_that_something_else_has_overwritten_is_an_outage_that_says_so() {
    let redis = Redis::start();
    let broker = redis.broker();
    let store = fill(&broker, 0..50);
    redis.command(&["SET", "{jobqueue:q}:state", "what?"]);
    goes_on(&broker, store);
    assert!(broker.outage().unwrap().error.contains("WRONGTYPE"), "{:?}", broker.outage());
}

#[test]
fn a_password_is_used_and_a_wrong_one_is_named_but_not_shown() {
    let redis = Redis::start();
    let broker = redis.broker();
    let store = fill(&broker, 0..50);
    redis.command(&["CONFIG", "SET", "requirepass", "new-secret"]);
    let kill = redis::cmd("AUTH").arg("new-secret").clone();
    let mut link = redis.client().get_connection().unwrap();
    kill.exec(&mut link).unwrap();
    redis::cmd("CLIENT").arg(&["KILL", "TYPE", "normal"]).exec(&mut link).unwrap();
    goes_on(&broker, store);
    eventually("the cause is found", || broker.outage().is_some_and(|outage| outage.error.contains("REDIS_PASSWORD")));

    let wrong = redis.broker_of(&format!("redis://:wrong-secret@{}", redis.address()));
    let error = wrong.outage().unwrap().error;
    assert!(error.contains("refuses the password of user default") && error.contains("REDIS_PASSWORD"), "{error}");
    assert!(!error.contains("wrong-secret"), "{error}");
    goes_on(&wrong, fill_own(&wrong));
    let right = redis.broker_of(&format!("redis://:new-secret@{}", redis.address()));
    assert_eq!(right.outage(), None);
    fill(&right, 0..5);
}

/// Hints while Redis is away.
fn fill_own(broker: &RedisBroker) -> BTreeSet<(Priority, Mark)> {
    let hints: Vec<_> = (0..50).map(|n| ready("q", LANE, mark(1, n))).collect();
    broker.hint(&hints);
    hints.iter().map(|hint| (LANE, hint.mark)).collect()
}

#[test]
fn the_rights_that_the_documentation_names_are_enough() {
    let redis = Redis::start();
    let documented = include_str!("../../docs/redis.md");
    let rule = documented.lines().find_map(|line| line.strip_prefix("ACL SETUSER jobqueue ")).unwrap();
    let words: Vec<&str> = ["ACL", "SETUSER", "jobqueue"].into_iter().chain(rule.split_whitespace()).collect();
    redis.command(&words);
    let password = words.iter().find_map(|word| word.strip_prefix('>')).unwrap();
    let broker = redis.broker_of(&format!("redis://jobqueue:{password}@{}", redis.address()));
    assert_eq!(broker.outage(), None);
    let store = fill(&broker, 0..1_024);
    goes_on(&broker, store);
    assert_eq!(broker.outage(), None);
    let other = redis.broker_of(&format!("redis://jobqueue:{password}@{}", redis.address()));
    crate::bus::a_wake_goes_from(&other, &broker);

    redis.command(&["ACL", "SETUSER", "jobqueue", "-zadd"]);
    broker.hint(&[ready("q", LANE, mark(1, 1))]);
    let error = broker.outage().unwrap().error;
    assert!(error.contains("does not let user jobqueue") && error.contains("docs/redis.md"), "{error}");
}

#[test]
fn a_redis_that_is_not_there_at_the_start_is_waited_for() {
    let mut redis = Redis::start();
    redis.kill();
    let broker = redis.broker();
    let error = broker.outage().unwrap().error;
    assert!(error.contains("cannot reach Redis at redis://127.0.0.1") && error.contains("Start it"), "{error}");
    goes_on(&broker, fill_own(&broker));
    redis.start_again(&[]);
    is_back(&broker);
    fill(&broker, 0..5);
}

/// While Redis is away the hints of other nodes do not come in: a head of our own that has run dry is read again.
#[test]
fn tasks_of_other_nodes_are_found_while_redis_is_away() {
    let mut redis = Redis::start();
    redis.kill();
    let broker = redis.broker();
    let mut store = BTreeSet::new();
    drain(&broker, "q", &mut store, 10);
    store.extend((0..2_500).map(|n| (LANE, mark(1, n))));
    eventually("they are found", || {
        drain(&broker, "q", &mut store, 1_000);
        store.is_empty()
    });
}

/// A node that dies between the two ends of a refill must not keep the gate open.
#[test]
fn a_refill_that_never_ends_is_given_up() {
    let redis = Redis::start();
    let (dead, broker) = (redis.broker(), redis.broker());
    let store = fill(&broker, 0..50);
    redis.command(&["DEL", "{jobqueue:q}:lane:5"]);
    assert_eq!(dead.begin_refill("q", LANE), None);
    let redis::Value::Array(fields) = redis.command(&["HKEYS", "{jobqueue:q}:gates"]) else { panic!("no list") };
    let [redis::Value::BulkString(field)] = &fields[..] else { panic!("{fields:?}") };
    // Its time is over.
    redis.command(&["HSET", "{jobqueue:q}:gates", std::str::from_utf8(field).unwrap(), "1"]);
    broker.hint(&[ready("q", LANE, mark(1, 500))]);
    assert_eq!(redis.command(&["EXISTS", "{jobqueue:q}:gates"]), redis::Value::Int(0));
    // Should it live after all, what it has read is no more than hints.
    dead.end_refill("q", LANE, &[mark(1, 3)], true);
    let popped = broker.pop("q", &Pop::any(1, 9));
    assert_eq!(popped.starved, Some(LANE));
    goes_on(&broker, store);
}

#[test]
fn a_million_hints_take_less_than_two_megabytes() {
    let redis = Redis::start();
    let broker = redis.broker();
    let mut store = BTreeSet::new();
    drain(&broker, "q", &mut store, 10);
    let before = redis.figure("used_memory");
    for chunk in 0..1_000 {
        let hint = |n: u64| ready("q", Priority::new((n % 10) as u8).unwrap(), mark(1_000_000 - n as i64, n));
        let hints: Vec<_> = (0..1_000).map(|n| hint(chunk * 1_000 + n)).collect();
        broker.hint(&hints);
    }
    // With all gates open and full as well.
    for level in 0..10 {
        let priority = Priority::new(level).unwrap();
        broker.begin_refill("q", priority);
        let hints: Vec<_> = (0..2_000).map(|n| ready("q", priority, mark(2_000_000, 5_000_000 + n))).collect();
        broker.hint(&hints);
    }
    let keys = redis.figure("used_memory") - before;
    eprintln!("{keys} bytes, {} ids", broker.depth("q"));
    assert_eq!(broker.depth("q"), 10 * 1_024);
    assert!(keys < 2_000_000, "{keys}");
    assert_eq!(broker.outage(), None);
}
