//! Remote workers of a cluster: any node answers for them.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::json;

use super::Cluster;
use crate::{
    remote_worker::{beat, complete, lease, register},
    support::eventually,
};

#[test]
fn a_worker_goes_on_by_another_node_when_the_one_that_leased_is_killed() {
    let cluster = Cluster::new();
    // Slow enough for a worker on a slow machine, soon enough for the test.
    let beats = [("WORKER_HEARTBEAT_INTERVAL", "5s")];
    let (first, other) = (cluster.node_with("a", &beats), cluster.node_with("b", &beats));
    let worker = register(&first, &["away"]);
    let ids = other.submit_all((0..20).map(|n| json!({"name": "away", "args": [n]})).collect());
    let mut leased = Vec::new();
    eventually("it has eight", || {
        leased.extend(lease(&first, &worker, 8 - leased.len() as u32));
        leased.len() == 8
    });
    first.kill();
    eventually("the node is found dead", || {
        let running: Vec<_> = leased.iter().collect();
        let (status, told) = beat(&other, &worker, &running);
        assert_eq!((status, &told["lost"]), (200, &json!([])));
        super::workers(&other, "dead") == 1
    });
    for task in &leased {
        assert_eq!(complete(&other, task, &task["args"][0]).0, 200);
    }
    let mut done = leased.len();
    eventually("all are done", || {
        for task in lease(&other, &worker, 8) {
            assert_eq!(complete(&other, &task, &task["args"][0]).0, 200);
            done += 1;
        }
        done == ids.len()
    });
    for (n, id) in ids.iter().enumerate() {
        let task = other.finished(id);
        assert_eq!((&task["result"], &task["attempt"], &task["crashes"]), (&json!(n), &json!(1), &json!(0)));
    }
}

#[test]
fn a_cancel_reaches_a_worker_that_waits_at_another_node() {
    let cluster = Cluster::new();
    let (one, other) = (cluster.node("a", "1"), cluster.node("b", "1"));
    let worker = register(&one, &["away"]);
    let id = one.submit(r#"{"name": "away"}"#);
    let task = lease(&other, &worker, 1).pop().unwrap();
    let waiting = json!({"running": [task["lease_id"]], "wait": "20s"}).to_string();
    std::thread::scope(|scope| {
        let told = scope.spawn(|| {
            let mut cancel = json!([]);
            eventually("it is told", || {
                cancel = other.call("POST", &format!("{worker}/heartbeat"), &waiting).1["cancel"].clone();
                cancel != json!([])
            });
            (cancel, Instant::now())
        });
        // Its first heartbeat waits by now, or it hears of the cancel at once.
        std::thread::park_timeout(Duration::from_millis(300));
        let asked = Instant::now();
        assert_eq!(one.call("POST", &format!("/api/v1/tasks/{id}/cancel"), "").0, 200);
        let (cancel, at) = told.join().unwrap();
        assert_eq!(cancel, json!([task["lease_id"]]));
        let took = at.saturating_duration_since(asked);
        assert!(took.as_secs_f64() < 2.0, "{took:?}");
    });
}

#[test]
fn what_is_said_at_one_node_is_heard_at_another() {
    let cluster = Cluster::new();
    let (one, other) = (cluster.node("a", "1"), cluster.node("b", "1"));
    let worker = register(&one, &["away"]);
    let id = one.submit(r#"{"name": "away"}"#);
    let task = lease(&one, &worker, 1).pop().unwrap();
    let lease = task["lease_id"].as_str().unwrap();
    let mut stream = TcpStream::connect(other.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut events = BufReader::new(stream).lines();
    assert!(events.next().unwrap().unwrap().contains("200"));
    assert_eq!(one.call("POST", &format!("/api/v1/leases/{lease}/progress"), r#"{"percent": 40}"#).0, 200);
    let lines = r#"{"lines": [{"message": "here"}]}"#;
    assert_eq!(one.call("POST", &format!("/api/v1/leases/{lease}/log"), lines).0, 200);
    let came = events.map_while(Result::ok).any(|line| line.contains(&id) && line.contains(r#""message":"here""#));
    assert!(came, "the other node tells of it");
    let shown = other.get(&format!("/api/v1/tasks/{id}/logs"));
    assert_eq!(shown["data"][0]["message"], "here");
    assert_eq!(other.task(&id)["progress"]["percent"], 40.0);
    assert_eq!(complete(&other, &task, &json!(null)).0, 200);
}
