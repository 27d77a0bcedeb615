//! Schedules of several nodes: each tick is one task, whoever dies.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::{
    Cluster,
    support::{Server, eventually},
    ticks::{gapless, ticks},
};

fn three(cluster: &Cluster) -> Vec<Server> {
    let node = |name: &str| cluster.start(name, &["--concurrency", "2"], &[("WORKER_HEARTBEAT_INTERVAL", "1s")]);
    vec![node("a"), node("b"), node("c")]
}

/// When the next tick is due.
fn next(server: &Server) -> i64 {
    let next = server.get("/api/v1/schedules/s")["next_at"].clone();
    next.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

fn until(at: i64) {
    let now = || i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    while now() < at {
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

#[test]
fn one_of_three_nodes_is_killed_at_each_tick_and_no_tick_is_lost_or_doubled() {
    let cluster = Cluster::new();
    let mut nodes = three(&cluster);
    let body = json!({"every": "1s", "task": {"name": "demo.echo"}}).to_string();
    assert_eq!(nodes[0].call("PUT", "/api/v1/schedules/s", &body).0, 201);
    for round in 0..9 {
        // A little before it, at it, and a little after: in the midst of whatever it is made by.
        until(next(&nodes[1]) + [-2, 0, 2][round % 3]);
        nodes.remove(0).kill();
        let name = ["a", "b", "c"][round % 3];
        nodes.push(cluster.start(name, &["--concurrency", "2"], &[("WORKER_HEARTBEAT_INTERVAL", "1s")]));
    }
    let made = |server: &Server| server.get("/api/v1/schedules/s")["made"].as_u64().unwrap();
    let before = made(&nodes[0]);
    eventually("it goes on", || made(&nodes[0]) > before + 1);
    nodes[1].call("POST", "/api/v1/schedules/s/pause", "{}");
    let (ticks, shown) = (ticks(&nodes[2], "s"), nodes[2].get("/api/v1/schedules/s"));
    gapless(&ticks, 1_000);
    assert_eq!((ticks.len() as u64, &shown["missed"]), (made(&nodes[2]), &json!(0)), "{shown}");
    assert!(ticks.len() >= 9, "{ticks:?}");
}

#[test]
fn nodes_share_many_schedules_that_are_due_at_once_and_hear_of_each_others_edits() {
    let cluster = Cluster::new();
    let nodes = three(&cluster);
    for n in 0..60 {
        let body = json!({"cron": "* * * * * *", "task": {"name": "demo.echo", "args": [n]}}).to_string();
        assert_eq!(nodes[n % 3].call("PUT", &format!("/api/v1/schedules/s{n}"), &body).0, 201);
    }
    let made = |n: usize| nodes[n % 3].get(&format!("/api/v1/schedules/s{n}"))["made"].as_u64().unwrap();
    eventually("all have ticked", || (0..60).all(|n| made(n) > 3));
    for n in 0..60 {
        let path = format!("/api/v1/schedules/s{n}/pause");
        assert_eq!(nodes[(n + 1) % 3].call("POST", &path, "{}").0, 200);
    }
    for n in [0, 17, 59] {
        gapless(&ticks(&nodes[0], &format!("s{n}")), 1_000);
    }
}
