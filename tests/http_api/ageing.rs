//! Tasks that gain priority as they wait: how long a low one may be overtaken.

use jobqueue::{
    engine::Submission,
    task::{FlowKeys, Millis, NewTask, Priority},
};
use serde_json::{Value, json};

use crate::support::Server;

const HIGH: usize = 60;
/// Between two tasks of high priority.
const PACE: Millis = 10_000;
/// Levels from low to high, at a minute each: of what is ready later than this, nothing overtakes.
const WITHIN: usize = 36;

/// A task of low priority, and an hour of tasks of high priority every ten seconds from the same moment on: their ids, the low
/// one's first. With keys, those of high priority are in three lanes.
async fn stream(server: &Server, ageing: Option<&str>, keyed: (bool, bool)) -> Vec<String> {
    let set = server.call("PUT", "/api/v1/queues/q", &[], json!({"ageing": ageing}).to_string().as_bytes()).await;
    assert_eq!((set.status, &set.json()["ageing"]), (200, &json!(ageing)), "{}", set.text());
    let began = server.engine.clock().now() - 3_600_000;
    let task = |priority, at, key: Option<String>| NewTask {
        priority,
        flow: key.map(|key| Box::new(FlowKeys { fair_key: Some(key), ..FlowKeys::default() })),
        ..NewTask::named("a", "q", at)
    };
    let mut tasks = vec![task(Priority::LOW, began, keyed.0.then(|| "low".into()))];
    for n in 0..HIGH {
        let key = keyed.1.then(|| format!("high-{}", n % 3));
        tasks.push(task(Priority::HIGH, began + n as Millis * PACE, key));
    }
    let ids = tasks.iter().map(|task| task.id.to_string()).collect();
    server.engine.submit(Submission { tasks, ..Submission::default() }).await.unwrap();
    ids
}

/// How many started in the claims before the one that brought the task.
async fn started_before(server: &Server, id: &str, want: usize) -> usize {
    let mut started = 0;
    loop {
        let grants = server.claim_some("q", want).await;
        assert!(!grants.is_empty(), "it has not come among {started}");
        if grants.iter().any(|grant| grant.task().id.to_string() == id) {
            return started;
        }
        started += grants.len();
        grants.into_iter().for_each(std::mem::forget); // they run on
    }
}

#[actix::test]
async fn a_low_priority_is_overtaken_only_by_what_is_ready_soon_after_it() {
    let server = Server::start().await;
    let ids = stream(&server, Some("1m"), (false, false)).await;
    assert_eq!(started_before(&server, &ids[0], 1).await, WITHIN);
}

#[actix::test]
async fn without_ageing_it_waits_for_all_of_them() {
    let server = Server::start().await;
    let ids = stream(&server, None, (false, false)).await;
    assert_eq!(started_before(&server, &ids[0], 1).await, HIGH);
}

#[actix::test]
async fn the_bound_holds_for_tasks_with_keys_but_for_a_round_of_their_lanes() {
    for keyed in [(true, true), (true, false), (false, true)] {
        for want in [1, 7] {
            let server = Server::start().await;
            let ids = stream(&server, Some("1m"), keyed).await;
            let before = started_before(&server, &ids[0], want).await;
            assert!(before <= WITHIN + 3 && before + want > WITHIN - 3, "{before} with {want} slots, keys {keyed:?}");
        }
    }
}

#[actix::test]
async fn without_ageing_keys_make_no_difference() {
    for keyed in [(true, true), (true, false), (false, true)] {
        let server = Server::start().await;
        let ids = stream(&server, None, keyed).await;
        assert_eq!(started_before(&server, &ids[0], 1).await, HIGH, "keys {keyed:?}");
    }
}

#[actix::test]
async fn explain_counts_those_who_come_first_by_age() {
    let server = Server::start().await;
    let ids = stream(&server, Some("1m"), (false, false)).await;
    let ahead = async |id: &str| {
        let explained = server.get(&format!("/api/v1/tasks/{id}/explain")).await.json();
        let reasons = explained["reasons"].as_array().unwrap().clone();
        let ahead = reasons.iter().find(|reason| reason["code"] == "ahead");
        ahead.map_or(0, |reason| reason["count"].as_u64().unwrap())
    };
    assert_eq!(ahead(&ids[0]).await, WITHIN as u64);
    assert_eq!(ahead(&ids[1]).await, 0);
    assert_eq!(ahead(&ids[WITHIN]).await, WITHIN as u64 - 1, "the last that overtakes");
    assert_eq!(ahead(&ids[WITHIN + 1]).await, WITHIN as u64 + 1, "the first that does not: the low one is ahead of it");
    assert_eq!(started_before(&server, &ids[WITHIN + 1], 1).await, WITHIN + 1);
}

#[actix::test]
async fn ageing_is_shown_as_it_was_set_and_is_off_where_it_is_not() {
    let server = Server::start().await;
    for (set, shown) in [
        (json!({"ageing": "1s"}), json!("1s")),
        (json!({"ageing": "30d"}), json!("30d")),
        (json!({"ageing": 90}), json!("90s")),
        (json!({"ageing": null}), Value::Null),
        (json!({"ageing": "5m"}), json!("5m")),
        (json!({}), Value::Null),
    ] {
        let answer = server.call("PUT", "/api/v1/queues/q", &[], set.to_string().as_bytes()).await;
        assert_eq!((answer.status, &answer.json()["ageing"]), (200, &shown), "{set}");
        assert_eq!(server.get("/api/v1/queues/q").await.json()["ageing"], shown);
    }
}
