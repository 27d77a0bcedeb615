//! Nodes that come and go in order, and cancels that outlive those that do not.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    Cluster, count,
    support::{Server, eventually},
    within_a_second, workers,
};

fn id_of(node: &Server) -> String {
    let workers = node.get("/api/v1/workers")["data"].as_array().unwrap().clone();
    let own = workers.iter().find(|worker| worker["pid"] == node.pid() && worker["state"] != "stopped");
    own.unwrap()["id"].as_str().unwrap().to_owned()
}

fn ask(node: &Server, id: &str, verb: &str) {
    let (status, answer) = node.call("POST", &format!("/api/v1/workers/{id}/{verb}"), "");
    assert_eq!(status, 200, "{answer}");
}

#[test]
fn a_node_is_made_quiet_and_stopped_through_another() {
    let cluster = Cluster::new();
    let (first, other) = (cluster.node("a", "2"), cluster.node("b", "2"));
    let (first_id, other_id) = (id_of(&first), id_of(&other));
    ask(&other, &first_id, "quiet");
    ask(&other, &other_id, "quiet");
    eventually("both are shown", || workers(&first, "quiet") == 2);
    // They have heard of it: what comes now nobody takes. A second says more than any look would take.
    let began = Instant::now();
    let mut ids = Vec::new();
    eventually("a second is over", || {
        if ids.len() < 20 {
            ids.push(first.submit(r#"{"name": "demo.echo"}"#));
        }
        began.elapsed() > Duration::from_millis(1_500)
    });
    let last = first.submit(r#"{"name": "demo.echo"}"#);
    assert_eq!(first.task(&last)["status"], "queued");
    ask(&first, &other_id, "resume");
    within_a_second("the other one works", || other.task(&last)["status"] == "success");
    assert_eq!(first.task(&last)["worker_id"], other_id.as_str());
    ask(&other, &first_id, "stop");
    assert_eq!(first.wait(), Some(0));
    eventually("it is shown", || workers(&other, "stopped") == 1);
    for id in &ids {
        assert_eq!(other.until(id, |task| task["status"] == "success")["attempt"], 1);
    }
}

#[test]
fn a_rolling_restart_under_load_loses_nothing_and_uses_up_no_attempt() {
    let cluster = Cluster::new();
    let names = ["a", "b", "c"];
    // A drain that is shorter than some tasks: those are given back and run again, by the next life or by another node.
    let start = |name: &str| cluster.start(name, &["--concurrency", "4", "--drain-timeout", "1s"], &[]);
    let entrance = cluster.node_with("entrance", &[]);
    ask(&entrance, &id_of(&entrance), "quiet");
    let mut nodes: Vec<Option<Server>> = names.map(|name| Some(start(name))).into();
    let (over, restarts) = (AtomicBool::new(false), 2);
    let ids = thread::scope(|scope| {
        let load = scope.spawn(|| {
            let (mut ids, mut n) = (Vec::new(), 0_u64);
            while !over.load(Ordering::Relaxed) {
                let task = |n: u64| match n % 20 {
                    0 => json!({"name": "demo.sleep", "args": [2.5]}),
                    1..6 => json!({"name": "demo.sleep", "args": [0.05]}),
                    _ => json!({"name": "demo.echo", "args": [n]}),
                };
                ids.extend(entrance.submit_all((n..n + 20).map(task).collect()));
                n += 20;
                thread::park_timeout(Duration::from_millis(100));
            }
            ids
        });
        for round in 0..restarts {
            for (place, name) in names.iter().enumerate() {
                let node = nodes[place].take().unwrap();
                let before = count(&entrance, "success");
                node.signal("-TERM");
                assert_eq!(node.wait(), Some(0), "{name} in round {round}");
                nodes[place] = Some(start(name));
                eventually("work goes on", || count(&entrance, "success") > before);
            }
        }
        over.store(true, Ordering::Relaxed);
        load.join().unwrap()
    });
    let all = u64::try_from(ids.len()).unwrap();
    eventually("all are done", || count(&entrance, "success") == all);
    assert!(all > 100, "{all}");
    for id in &ids {
        let task: Value = entrance.task(id);
        let used = ["failures", "crashes"].map(|field| task[field].as_u64().unwrap());
        assert_eq!(used, [0, 0], "{task}");
    }
    assert_eq!(workers(&entrance, "dead"), 0);
}

#[test]
fn a_cancel_survives_the_end_of_the_node_that_runs_it() {
    let cluster = Cluster::new();
    let config = "[tasks.deaf]\ncommand = [\"sh\", \"-c\", \"trap '' TERM; : > deaf; while :; do sleep 60; done\"]\n\n[worker]\ncancel_grace = \"1h\"\n";
    for name in ["a", "b"] {
        let own = cluster.folder.path().join(name);
        std::fs::create_dir_all(&own).unwrap();
        std::fs::write(own.join("jobqueue.toml"), config).unwrap();
    }
    let first = cluster.quick("a");
    let id = first.submit(r#"{"name": "deaf"}"#);
    eventually("it hears nothing", || cluster.folder.path().join("a/deaf").exists());
    let other = cluster.quick("b");
    assert_eq!(other.call("POST", &format!("/api/v1/tasks/{id}/cancel"), "").0, 200);
    first.kill();
    // Everything goes down before anybody has taken it back.
    other.kill();
    assert!(!cluster.folder.path().join("b/deaf").exists());
    let other = cluster.quick("b");
    let task = other.until(&id, |task| task["status"] == "cancelled");
    assert_eq!(task["attempt"], 1, "{task}");
    assert!(!cluster.folder.path().join("b/deaf").exists(), "it was run again");
}
