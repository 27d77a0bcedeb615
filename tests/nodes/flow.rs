//! Keys by which tasks share a queue, over several nodes: limits and caps are those of the key, whichever node starts a task.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    Cluster, count,
    redis_server::Redis,
    support::{
        self, Server, eventually,
        starts::{most_in_a_window, starts},
    },
};

fn set(server: &Server, queue: &str, settings: &Value) {
    let (status, answer) = server.call("PUT", &format!("/api/v1/queues/{queue}"), &settings.to_string());
    assert_eq!(status, 200, "{answer}");
}

/// Three nodes with a Redis of their own, where the run has one.
fn three(cluster: &Cluster, redis: Option<&Redis>) -> Vec<Server> {
    let url = redis.map(Redis::url);
    let node = |name: &str| {
        let mut variables = vec![("WORKER_HEARTBEAT_INTERVAL", "1s")];
        variables.extend(url.as_deref().map(|url| ("REDIS_URL", url)));
        cluster.start(name, &["--concurrency", "12"], &variables)
    };
    vec![node("a"), node("b"), node("c")]
}

/// Whoever of them is asked, and whichever of them dies; the heads are flushed in the middle, where there is a Redis.
#[test]
fn three_nodes_start_no_more_of_any_key_than_its_limit() {
    let (keys, each, limit, window) = (50, 12, 4, 1_000);
    let (cluster, redis) = (Cluster::new(), support::store::redis(std::path::Path::new("x")).map(|_| Redis::start()));
    let mut nodes = three(&cluster, redis.as_ref());
    set(&nodes[0], "keyed", &json!({"key_rate_limit": {"limit": limit, "per": format!("{window}ms")}}));
    let mut ids: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for round in 0..each {
        let task = |key: usize| json!({"name": "fault.clock", "queue": "keyed", "rate_key": format!("tenant-{key}")});
        let told = nodes[round % 3].submit_all((0..keys).map(task).collect());
        told.into_iter().enumerate().for_each(|(key, id)| ids.entry(key).or_default().push(id));
    }
    eventually("a third is done", || count(&nodes[0], "success") >= 200);
    if let Some(redis) = &redis {
        redis.command(&["FLUSHALL"]);
    }
    nodes.pop().unwrap().kill();
    eventually("all are done", || count(&nodes[0], "success") == (keys * each) as u64);
    for (key, ids) in &ids {
        let starts = starts(&nodes[1], ids);
        assert!(most_in_a_window(&starts, window) <= limit, "tenant-{key}: {starts:?}");
    }
}

#[test]
fn a_cap_of_a_key_is_that_of_all_nodes_and_a_dead_node_gives_its_places_back() {
    let cluster = Cluster::new();
    let mut nodes = three(&cluster, None);
    set(&nodes[0], "capped", &json!({"key_concurrency": 3}));
    let task = |n: usize| {
        let key = format!("user-{}", n % 4);
        json!({"name": "demo.sleep", "args": [0.1], "queue": "capped", "concurrency_key": key})
    };
    for node in &nodes {
        node.submit_all((0..40).map(task).collect());
    }
    let mut seen = 0;
    let mut look = |server: &Server| {
        let running = server.get("/api/v1/tasks?queue=capped&status=running&limit=200");
        let mut by_key: BTreeMap<String, usize> = BTreeMap::new();
        for task in running["data"].as_array().unwrap() {
            *by_key.entry(task["concurrency_key"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        seen = seen.max(by_key.into_values().max().unwrap_or_default());
        count(server, "success")
    };
    eventually("a third is done", || look(&nodes[0]) >= 40);
    nodes.pop().unwrap().kill();
    eventually("all are done", || look(&nodes[0]) == 120);
    assert!((1..=3).contains(&seen), "{seen} at a time");
}
