//! Tasks that share a queue by keys: turns, limits and caps of each key.

use std::collections::BTreeMap;

use jobqueue::{engine::Grant, task::Outcome};
use serde_json::{Value, json};

use crate::support::Server;

async fn put(server: &Server, path: &str, body: &Value) -> Value {
    let set = server.call("PUT", path, &[], body.to_string().as_bytes()).await;
    assert_eq!(set.status, 200, "{}", set.text());
    set.json()
}

async fn submit(server: &Server, tasks: Vec<Value>) -> Vec<String> {
    let mut ids = Vec::new();
    for part in tasks.chunks(1_000) {
        let answer = server.post("/api/v1/tasks/batch", &json!({"tasks": part}).to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        for item in answer.json()["results"].as_array().unwrap() {
            ids.push(item["id"].as_str().unwrap_or_else(|| panic!("{item}")).to_owned());
        }
    }
    ids
}

/// So many tasks, with the key they are told apart by in their arguments.
fn tasks(field: &str, key: &str, count: usize) -> Vec<Value> {
    vec![json!({"name": "a", "queue": "q", "kwargs": {"key": key}, field: key}); count]
}

fn key(grant: &Grant) -> String {
    serde_json::from_str::<Value>(&grant.task().kwargs).unwrap()["key"].as_str().unwrap().to_owned()
}

fn by_key(grants: &[Grant]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    grants.iter().for_each(|grant| *counts.entry(key(grant)).or_default() += 1);
    counts
}

fn counts<const N: usize>(of: [(&str, usize); N]) -> BTreeMap<String, usize> {
    of.into_iter().map(|(key, n)| (key.to_owned(), n)).collect()
}

#[actix::test]
async fn a_key_with_many_tasks_does_not_hold_up_those_with_few() {
    let server = Server::start().await;
    submit(&server, tasks("fair_key", "loud", 5_000)).await;
    let quiet: Vec<Value> = (0..30).flat_map(|n| tasks("fair_key", &format!("quiet-{n}"), 2)).collect();
    submit(&server, quiet).await;
    // Whatever the number of slots: each lane once, before any a second time.
    let mut started = Vec::new();
    for want in [1, 4, 7, 19] {
        let got = server.claim_some("q", want).await;
        assert_eq!(got.len(), want, "{:?} after {:?}", by_key(&got), by_key(&started));
        started.extend(got);
    }
    assert_eq!(started.len(), 31);
    assert_eq!(by_key(&started).len(), 31, "{:?}", by_key(&started));
    // Who has nothing left takes no turn.
    let rest = server.claim("q").await;
    assert_eq!(by_key(&rest)["loud"], 100 - 30);
    assert_eq!(by_key(&server.claim("q").await), counts([("loud", 100)]));
}

#[actix::test]
async fn weights_decide_how_many_a_turn() {
    let server = Server::start().await;
    put(&server, "/api/v1/queues/q", &json!({"fair_weights": {"big": 3}})).await;
    for name in ["big", "small", "other"] {
        submit(&server, tasks("fair_key", name, 500)).await;
    }
    assert_eq!(by_key(&server.claim("q").await), counts([("big", 60), ("small", 20), ("other", 20)]));
    let shown = server.get("/api/v1/queues/q").await.json();
    assert_eq!(shown["fair_weights"], json!({"big": 3}));
}

#[actix::test]
async fn priorities_come_before_turns_and_tasks_without_keys_take_theirs() {
    let server = Server::start().await;
    submit(&server, tasks("fair_key", "a", 300)).await;
    submit(&server, tasks("fair_key", "b", 300)).await;
    let high = json!({"name": "a", "queue": "q", "kwargs": {"key": "high"}, "fair_key": "a", "priority": 9});
    submit(&server, vec![high; 10]).await;
    submit(&server, vec![json!({"name": "a", "queue": "q", "kwargs": {"key": "none"}}); 300]).await;
    let first = server.claim_some("q", 10).await;
    assert_eq!(by_key(&first), counts([("high", 10)]));
    let mut next = Vec::new();
    for _ in 0..3 {
        next.extend(server.claim("q").await);
    }
    for (key, n) in by_key(&next) {
        assert!((85..=115).contains(&n), "{key}: {n} of 300");
    }
}

#[actix::test]
async fn each_rate_key_has_the_limit_for_itself_and_a_task_counts_what_it_costs() {
    let server = Server::start().await;
    let path = "/api/v1/queues/q/rate-limit";
    put(&server, path, &json!({"by": "rate_key", "limit": 6, "per": "1h"})).await;
    submit(&server, tasks("rate_key", "a", 200)).await;
    submit(&server, tasks("rate_key", "b", 4)).await;
    let dear = json!({"name": "a", "queue": "q", "kwargs": {"key": "dear"}, "rate_key": "dear", "cost": 4});
    submit(&server, vec![dear; 3]).await;
    let mut started = Vec::new();
    for _ in 0..3 {
        started.extend(server.claim_some("q", 100).await);
    }
    assert_eq!(by_key(&started), counts([("a", 6), ("b", 4), ("dear", 1)]));
    let of = async |key: &str| {
        let shown = server.get(&format!("{path}?by=rate_key&key={key}")).await.json();
        (shown["used"].as_u64().unwrap(), shown["remaining"].as_u64().unwrap())
    };
    assert_eq!((of("a").await, of("b").await, of("dear").await), ((6, 0), (4, 2), (4, 2)));
    assert_eq!(of("unknown").await, (0, 6));
    server.get(path).await.assert_problem(404, "rate_limit_not_set");
    // Edited live: in force with the next claim.
    put(&server, path, &json!({"by": "rate_key", "limit": 8, "per": "1h"})).await;
    let mut more = server.claim_some("q", 100).await;
    more.extend(server.claim_some("q", 100).await);
    assert_eq!(by_key(&more), counts([("a", 2), ("dear", 1)]));
    assert_eq!(server.call("DELETE", &format!("{path}?by=rate_key"), &[], b"").await.status, 204);
    let mut rest = server.claim("q").await;
    rest.extend(server.claim("q").await);
    assert_eq!((by_key(&rest)["dear"], by_key(&rest)["a"] > 100), (1, true));
}

#[actix::test]
async fn thousands_of_keys_at_their_limit_are_passed_over_and_are_not_looked_at_for_ever() {
    let server = Server::start().await;
    put(&server, "/api/v1/queues/q", &json!({"key_rate_limit": {"limit": 1, "per": "1h"}})).await;
    // More than one claim looks at.
    const KEYS: usize = 6_000;
    let all: Vec<Value> = (0..2 * KEYS).flat_map(|n| tasks("rate_key", &format!("key-{}", n % KEYS), 1)).collect();
    submit(&server, all).await;
    let (mut started, mut idle) = (Vec::new(), 0);
    for _ in 0..200 {
        let reply = server.claim_reply("q", 500).await;
        started.extend(reply.grants);
        if !reply.more {
            idle += 1;
            assert!(reply.blocked_until.is_some(), "somebody is to ask again when a limit opens");
        }
        if idle > 3 {
            break;
        }
    }
    assert_eq!((started.len(), by_key(&started).len()), (KEYS, KEYS));
    assert!(idle > 3, "a queue at its limits is asked again and again");
    // One that comes new is found among them.
    for name in ["new", "newer", "newest"] {
        submit(&server, tasks("rate_key", name, 1)).await;
        let (found, _) = until_blocked(&server, 8).await;
        assert_eq!(by_key(&found), counts([(name, 1)]));
    }
}

/// Until the queue has nothing more to give for now; how often it was asked.
async fn until_blocked(server: &Server, want: usize) -> (Vec<Grant>, usize) {
    let mut started = Vec::new();
    for asked in 1..500 {
        let reply = server.claim_reply("q", want).await;
        let is_last = !reply.more;
        started.extend(reply.grants);
        if is_last {
            return (started, asked);
        }
    }
    panic!("it is asked again and again");
}

#[actix::test]
async fn sublanes_at_their_limit_are_not_asked_for_ever() {
    for settings in [json!({"key_concurrency": 1}), json!({"key_concurrency": 1, "ageing": "1s"})] {
        let server = Server::start().await;
        put(&server, "/api/v1/queues/q", &settings).await;
        let task = |n: usize| {
            let user = format!("user-{}", n % 20);
            json!({"name": "a", "queue": "q", "kwargs": {"key": user}, "fair_key": "f", "concurrency_key": user})
        };
        submit(&server, (0..60).map(task).collect()).await;
        let mut running = Vec::new();
        // Each time from another place among the sublanes.
        for _ in 0..200 {
            running.extend(until_blocked(&server, 8).await.0);
        }
        assert_eq!((running.len(), by_key(&running).len()), (20, 20));
        let (none, asked) = until_blocked(&server, 8).await;
        assert_eq!((none.len(), asked), (0, 1));
    }
}

#[actix::test]
async fn who_is_too_dear_does_not_hold_up_others_once_it_is_gone() {
    let server = Server::start().await;
    put(&server, "/api/v1/queues/q", &json!({"key_rate_limit": {"limit": 10, "per": "1h"}})).await;
    let of = |cost: u32, priority: u8| {
        let key = format!("{cost}-{priority}");
        json!({"name": "a", "queue": "q", "rate_key": "k", "cost": cost, "priority": priority, "kwargs": {"key": key}})
    };
    submit(&server, vec![of(6, 5)]).await;
    let first = server.claim("q").await;
    assert_eq!(first.len(), 1);
    let ids = submit(&server, vec![of(5, 5), of(1, 5)]).await;
    assert!(until_blocked(&server, 8).await.0.is_empty());
    let within = async |what: &str| {
        let began = std::time::Instant::now();
        loop {
            let started = server.claim_some("q", 8).await;
            if !started.is_empty() {
                let keys = started.iter().map(key).collect::<Vec<_>>();
                started.into_iter().for_each(std::mem::forget); // they run on
                return keys;
            }
            assert!(began.elapsed().as_secs() < 10, "{what}");
        }
    };
    submit(&server, vec![of(1, 9)]).await;
    assert_eq!(within("a higher priority starts").await, ["1-9"]);
    assert_eq!(server.post(&format!("/api/v1/tasks/{}/cancel", ids[0]), "{}").await.status, 200);
    assert_eq!(within("whoever is next starts").await, ["1-5"]);
    drop(first);
}

#[actix::test]
async fn a_lane_whose_limit_has_opened_has_one_turn_like_the_others() {
    let server = Server::start().await;
    let limit = |limit: u32| json!({"key_rate_limit": {"limit": limit, "per": "400ms"}});
    put(&server, "/api/v1/queues/q", &limit(8)).await;
    let loud = json!({"name": "a", "queue": "q", "kwargs": {"key": "loud"}, "fair_key": "loud", "rate_key": "r"});
    submit(&server, vec![loud; 40]).await;
    let (first, _) = until_blocked(&server, 8).await;
    assert_eq!(first.len(), 8);
    for name in ["b", "c", "d", "e", "f", "g", "h"] {
        submit(&server, tasks("fair_key", name, 8)).await;
    }
    // Whatever was started by the others meanwhile: as long as they wait, the loud one has one turn of eight.
    let began = std::time::Instant::now();
    let mut last = Vec::new();
    while !last.iter().any(|grant| key(grant) == "loud") {
        assert!(began.elapsed().as_secs() < 10);
        let state = server.get("/api/v1/queues/q/rate-limit?by=rate_key&key=r").await.json();
        if state["remaining"] == 8 {
            last = server.claim_reply("q", 8).await.grants;
            assert_eq!(by_key(&last).get("loud").copied().unwrap_or_default(), 1, "{:?}", by_key(&last));
        }
    }
}

#[actix::test]
async fn a_limit_of_the_queue_tells_when_the_next_task_with_a_key_may_start() {
    let server = Server::start().await;
    put(&server, "/api/v1/queues/q", &json!({"rate_limit": {"limit": 2, "per": "1h"}})).await;
    submit(&server, tasks("fair_key", "a", 5)).await;
    let first = server.claim("q").await;
    assert_eq!(first.len(), 2);
    let reply = server.claim_reply("q", 5).await;
    assert!(reply.grants.is_empty() && reply.blocked_until.is_some());
}

#[actix::test]
async fn limits_of_queue_and_key_hold_together() {
    let server = Server::start().await;
    let settings = json!({"rate_limit": {"limit": 5, "per": "1h"}, "key_rate_limit": {"limit": 2, "per": "1h"}});
    put(&server, "/api/v1/queues/q", &settings).await;
    for name in ["a", "b", "c", "d"] {
        submit(&server, tasks("rate_key", name, 10)).await;
    }
    let mut started = Vec::new();
    for _ in 0..3 {
        started.extend(server.claim_some("q", 100).await);
    }
    let by_key = by_key(&started);
    assert_eq!(by_key.values().sum::<usize>(), 5, "{by_key:?}");
    assert!(by_key.values().all(|n| *n <= 2), "{by_key:?}");
}

#[actix::test]
async fn of_a_concurrency_key_no_more_run_than_may_and_who_ends_makes_room_at_once() {
    let server = Server::start().await;
    put(&server, "/api/v1/queues/q", &json!({"key_concurrency": 2})).await;
    submit(&server, tasks("concurrency_key", "a", 10)).await;
    submit(&server, tasks("concurrency_key", "b", 1)).await;
    let mut running = server.claim("q").await;
    running.extend(server.claim_some("q", 100).await);
    assert_eq!(by_key(&running), counts([("a", 2), ("b", 1)]));
    let place = running.iter().position(|grant| key(grant) == "a").unwrap();
    let first = running.swap_remove(place);
    let id = first.task().id.to_string();
    first.finish(Outcome::Success("null".into()));
    server.get(&format!("/api/v1/tasks/{id}/result?wait=10s")).await;
    let next = server.claim("q").await;
    assert_eq!(by_key(&next), counts([("a", 1)]));
    // Given back unfinished, it takes no place either.
    drop(next);
    let next = server.claim("q").await;
    assert_eq!(by_key(&next), counts([("a", 1)]));
    assert_eq!(server.claim_some("q", 100).await.len(), 0);
}

#[actix::test]
async fn keys_of_different_kinds_hold_together_and_one_at_its_limit_does_not_hold_up_its_fair_key() {
    let server = Server::start().await;
    put(&server, "/api/v1/queues/q", &json!({"key_concurrency": 1})).await;
    let of = |user: &str, n: usize| {
        let task =
            json!({"name": "a", "queue": "q", "fair_key": "tenant", "concurrency_key": user, "kwargs": {"key": user}});
        vec![task; n]
    };
    submit(&server, of("one", 50)).await;
    submit(&server, of("two", 50)).await;
    submit(&server, of("three", 1)).await;
    let mut running = Vec::new();
    for _ in 0..20 {
        running.extend(server.claim_some("q", 10).await);
    }
    assert_eq!(by_key(&running), counts([("one", 1), ("three", 1), ("two", 1)]));
}

#[actix::test]
async fn a_task_with_keys_comes_to_its_lane_when_its_time_has_come() {
    let server = Server::start().await;
    let late = json!({"name": "a", "queue": "q", "kwargs": {"key": "late"}, "fair_key": "late", "delay": "1s"});
    // Before it is submitted: on a slow machine its time may come soon after the answer.
    let began = std::time::Instant::now();
    let ids = submit(&server, vec![late]).await;
    assert_eq!(server.get(&format!("/api/v1/tasks/{}", ids[0])).await.json()["status"], "scheduled");
    let mut started = Vec::new();
    while started.is_empty() {
        assert!(began.elapsed().as_secs() < 20);
        started = server.claim_some("q", 5).await;
    }
    assert!(began.elapsed().as_millis() >= 1_000);
    // A failure waits for its back-off, and comes back to its lane.
    let failed = started.pop().unwrap();
    failed.finish(Outcome::failure(jobqueue::task::ErrorKind::Failure, "no"));
    let path = format!("/api/v1/tasks/{}/run-now", ids[0]);
    while server.post(&path, "{}").await.status != 200 {
        assert!(began.elapsed().as_secs() < 20);
    }
    assert_eq!(server.claim("q").await.len(), 1);
}

#[actix::test]
async fn what_waits_in_a_lane_can_be_moved_cancelled_listed_and_explained() {
    let server = Server::start().await;
    put(&server, "/api/v1/queues/q", &json!({"key_rate_limit": {"limit": 1, "per": "1h"}, "key_concurrency": 1})).await;
    let both = json!({"name": "a", "queue": "q", "rate_key": "r", "concurrency_key": "c", "kwargs": {"key": "x"}});
    let ids = submit(&server, vec![both; 4]).await;
    submit(&server, tasks("fair_key", "other", 3)).await;
    let running: Vec<Grant> = server.claim_some("q", 100).await;
    assert_eq!(by_key(&running)["x"], 1);
    let started = running.iter().find(|grant| key(grant) == "x").unwrap().task().id.to_string();
    let waiting: Vec<&String> = ids.iter().filter(|id| **id != started).collect();
    let task = server.get(&format!("/api/v1/tasks/{}", waiting[0])).await.json();
    assert_eq!((&task["rate_key"], &task["cost"], &task["concurrency_key"]), (&json!("r"), &json!(1), &json!("c")));
    let explained = server.get(&format!("/api/v1/tasks/{}/explain", waiting[1])).await.json();
    let codes: Vec<&str> =
        explained["reasons"].as_array().unwrap().iter().map(|reason| reason["code"].as_str().unwrap()).collect();
    assert!(codes.contains(&"key_rate_limit") && codes.contains(&"key_concurrency"), "{explained}");
    assert!(codes.contains(&"ahead"), "{explained}");
    let listed = server.get("/api/v1/tasks?queue=q&status=queued").await.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 3);
    // Moved into the future it leaves its lane; cancelled it is gone from it.
    let moved = server
        .call("PATCH", &format!("/api/v1/tasks/{}", waiting[0]), &[], br#"{"run_at":"2030-01-01T00:00:00Z"}"#)
        .await;
    assert_eq!((moved.status, &moved.json()["status"]), (200, &json!("scheduled")));
    assert_eq!(server.post(&format!("/api/v1/tasks/{}/cancel", waiting[1]), "{}").await.status, 200);
    put(&server, "/api/v1/queues/q", &json!({})).await;
    let left = server.claim("q").await;
    assert_eq!(left.iter().map(|grant| grant.task().id.to_string()).collect::<Vec<_>>(), [waiting[2].clone()]);
}

#[actix::test]
async fn bad_keys_are_refused_by_name() {
    let server = Server::start().await;
    put(&server, "/api/v1/queues/limited", &json!({"key_rate_limit": {"limit": 5, "per": "1m"}})).await;
    let long = "k".repeat(257);
    let huge = "k".repeat(10 << 20);
    for (fields, pointer) in [
        (json!({"fair_key": ""}), "/fair_key"),
        (json!({"fair_key": long}), "/fair_key"),
        (json!({"rate_key": "a\u{0}b"}), "/rate_key"),
        (json!({"concurrency_key": "a\nb"}), "/concurrency_key"),
        (json!({"concurrency_key": ""}), "/concurrency_key"),
        (json!({"rate_key": "a", "cost": 0}), "/cost"),
        (json!({"rate_key": "a", "cost": -1}), "/cost"),
        (json!({"rate_key": "a", "cost": 1_000_001}), "/cost"),
        (json!({"cost": 2}), "/cost"),
        (json!({"queue": "limited", "rate_key": "a", "cost": 6}), "/cost"),
    ] {
        let mut task = json!({"name": "a"});
        task.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let problem = server.post("/api/v1/tasks", &task.to_string()).await.assert_problem(422, "invalid_field");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{task}: {problem}");
    }
    let answer = server.post("/api/v1/tasks", &json!({"name": "a", "fair_key": huge}).to_string()).await;
    assert!(matches!(answer.status, 413 | 422), "{}", answer.status);
    assert_eq!(server.stored(), 0);
    let path = "/api/v1/queues/limited/rate-limit";
    server.get(&format!("{path}?by=moon")).await.assert_problem(422, "invalid_parameter");
    server.get(&format!("{path}?by=queue&key=a")).await.assert_problem(422, "invalid_parameter");
    server
        .call("DELETE", &format!("{path}?by=rate_key&key=a"), &[], b"")
        .await
        .assert_problem(422, "invalid_parameter");
}
