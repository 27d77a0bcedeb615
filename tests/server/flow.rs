//! Keys by which tasks share a queue, seen from outside: when tasks really start, through kills.

use std::{collections::BTreeMap, time::Instant};

use serde_json::{Value, json};

use crate::support::{
    Server, eventually, is_long,
    starts::{most_in_a_window, starts},
};

fn done(server: &Server, queue: &str) -> u64 {
    server.get(&format!("/api/v1/queues/{queue}/stats"))["status_counts"]["success"].as_u64().unwrap_or_default()
}

fn set(server: &Server, queue: &str, settings: &Value) {
    let (status, answer) = server.call("PUT", &format!("/api/v1/queues/{queue}"), &settings.to_string());
    assert_eq!(status, 200, "{answer}");
}

#[test]
fn no_key_starts_more_than_its_limit_in_any_window_even_through_a_kill() {
    let (keys, each, limit, window) = if is_long() { (50, 40, 10, 2_000) } else { (20, 12, 4, 500) };
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start_with(folder.path(), &["--concurrency", "32"]);
    set(&server, "keyed", &json!({"key_rate_limit": {"limit": limit, "per": format!("{window}ms")}}));
    let mut ids: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for _ in 0..each {
        // In turns, as tenants come.
        let task = |key: usize| json!({"name": "fault.clock", "queue": "keyed", "rate_key": format!("tenant-{key}")});
        let round = server.submit_all((0..keys).map(task).collect());
        round.into_iter().enumerate().for_each(|(key, id)| ids.entry(key).or_default().push(id));
    }
    let all = (keys * each) as u64;
    eventually("some are done", || done(&server, "keyed") >= all / 3);
    server.kill();
    server = Server::start_with(folder.path(), &["--concurrency", "32"]);
    eventually("all are done", || done(&server, "keyed") == all);
    for (key, ids) in &ids {
        let starts = starts(&server, ids);
        assert!(most_in_a_window(&starts, window) <= limit, "tenant-{key}: {starts:?}");
    }
}

#[test]
fn a_cap_of_a_key_is_neither_exceeded_nor_leaked_through_kills() {
    let (keys, each, cap) = (8, 10, 2);
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start_with(folder.path(), &["--concurrency", "32"]);
    set(&server, "capped", &json!({"key_concurrency": cap}));
    let task = |n: usize| json!({"name": "demo.sleep", "args": [0.05], "queue": "capped", "concurrency_key": format!("user-{}", n % keys)});
    server.submit_all((0..keys * each).map(task).collect());
    let most = |server: &Server| {
        let running = server.get("/api/v1/tasks?queue=capped&status=running&limit=200");
        let mut by_key: BTreeMap<String, usize> = BTreeMap::new();
        for task in running["data"].as_array().unwrap() {
            *by_key.entry(task["concurrency_key"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        by_key.into_values().max().unwrap_or_default()
    };
    let mut seen = 0;
    for part in 1..=2 {
        eventually("some are done", || {
            seen = seen.max(most(&server));
            done(&server, "capped") >= (part * keys * each / 3) as u64
        });
        server.kill();
        server = Server::start_with(folder.path(), &["--concurrency", "32"]);
    }
    // Were a place kept by a task of a dead life, its key would stand still.
    eventually("all are done", || {
        seen = seen.max(most(&server));
        done(&server, "capped") == (keys * each) as u64
    });
    assert!((1..=cap).contains(&seen), "{seen} at a time");
}

#[test]
fn a_tenant_with_one_task_does_not_wait_for_one_with_thousands() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(folder.path(), &["--concurrency", "4"]);
    let loud = json!({"name": "demo.sleep", "args": [0.02], "queue": "shared", "fair_key": "loud"});
    server.submit_all(vec![loud; 4_000]);
    eventually("the loud one runs", || done(&server, "shared") > 20);
    let began = Instant::now();
    // Counted before they are taken in: the first may have ended before their submission is answered.
    let before = done(&server, "shared");
    let quiet = (0..10)
        .map(|n| json!({"name": "demo.sleep", "args": [0.02], "queue": "shared", "fair_key": format!("quiet-{n}")}))
        .collect();
    let quiet = server.submit_all(quiet);
    for id in &quiet {
        server.until(id, |task| task["status"] == "success");
    }
    // Eleven lanes take turns: before the last of the ten has ended, about as many of the loud one, and those that ran
    // already or while the ten were taken in.
    let others = done(&server, "shared") - before - 10;
    assert!(others <= 200, "{others} of the loud one came first, in {:?}", began.elapsed());
    assert!(done(&server, "shared") < 3_000, "the loud one is still at work");
}
