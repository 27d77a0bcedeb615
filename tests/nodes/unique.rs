//! Unique keys over several nodes: whichever is asked, whichever dies.

use std::sync::Barrier;

use serde_json::{Value, json};

use crate::{
    Cluster, lines, run,
    sql::submit,
    support::{Server, eventually},
};

fn three(cluster: &Cluster) -> Vec<Server> {
    ["a", "b", "c"].map(|name| cluster.quick(name)).into()
}

/// Posts of all threads at once, to the nodes in turn.
fn at_once(nodes: &[Server], posts: usize, body: impl Fn(usize) -> String + Sync) -> Vec<(u16, Value)> {
    let start = Barrier::new(posts);
    std::thread::scope(|scope| {
        let post = |n: usize| {
            let (start, body) = (&start, body(n));
            let node = &nodes[n % nodes.len()];
            scope.spawn(move || {
                start.wait();
                node.call("POST", "/api/v1/tasks", &body)
            })
        };
        let posts: Vec<_> = (0..posts).map(post).collect();
        posts.into_iter().map(|post| post.join().unwrap()).collect()
    })
}

#[test]
fn a_thousand_posts_at_once_on_three_nodes_make_one_task() {
    let cluster = Cluster::new();
    let nodes = three(&cluster);
    let mut database = cluster.database();
    let stored = "SELECT count(*)::text AS line FROM tasks";
    let task = r#"{"name": "demo.echo", "args": [17, {"a": 1.0}], "unique": true, "delay": "1h"}"#;
    let answers = at_once(&nodes, 1_000, |_| task.into());
    assert_eq!(answers.iter().filter(|(status, _)| *status == 201).count(), 1);
    assert_eq!(answers.iter().filter(|(status, task)| *status == 200 && task["deduplicated"] == true).count(), 999);
    assert!(answers.iter().all(|(_, task)| task["id"] == answers[0].1["id"]));
    assert_eq!(lines(&mut database, stored), ["1"]);
    // Also where all of them find a key whose time is over, and where all want to replace.
    let id = nodes[0].submit(r#"{"name": "demo.echo", "unique_key": "k", "unique": {"for": "1ms"}}"#);
    nodes[0].finished(&id);
    run(&mut database, "UPDATE tasks SET unique_until = 1 WHERE unique_key = 'k'");
    let body = r#"{"name": "demo.sleep", "args": [3600], "unique_key": "k", "unique": {"for": "1h"}}"#;
    let answers = at_once(&nodes, 200, |_| body.into());
    assert_eq!(answers.iter().filter(|(status, _)| *status == 201).count(), 1);
    assert_eq!(answers.iter().filter(|(status, _)| *status == 200).count(), 199);
    assert_eq!(lines(&mut database, stored), ["3"]);
    let body = |n: usize| {
        format!(
            r#"{{"name": "demo.echo", "args": [{n}], "delay": "1h", "unique_key": "r", "unique_conflict": "replace"}}"#
        )
    };
    let answers = at_once(&nodes, 200, body);
    assert_eq!(answers.iter().filter(|(status, _)| *status == 201).count(), 1);
    assert_eq!(answers.iter().filter(|(status, task)| *status == 200 && task["replaced"] == true).count(), 199);
    assert_eq!(lines(&mut database, stored), ["4"]);
    let generation = "SELECT generation::text AS line FROM tasks WHERE unique_key = 'r'";
    assert_eq!(lines(&mut database, generation), ["200"], "each replaced what the one before had made of it");
}

/// Nodes die with keys held, in every scope; what they held is let go when its task ends, and not before.
#[test]
fn a_dead_node_leaks_no_key() {
    let cluster = Cluster::new();
    let mut nodes = three(&cluster);
    let task = |n: usize| {
        let scope = [r#"["waiting", "running"]"#, r#"["waiting"]"#][n % 2];
        format!(r#"{{"name": "demo.sleep", "args": [0.2], "unique_key": "k{n}", "unique": {{"while": {scope}}}}}"#)
    };
    let ids: Vec<String> = (0..60).map(|n| nodes[n % 3].submit(&task(n))).collect();
    eventually("some run", || crate::count(&nodes[0], "running") > 4);
    nodes.pop().unwrap().kill();
    for (n, id) in ids.iter().enumerate().filter(|(n, _)| n % 2 == 0) {
        let (status, answer) = nodes[n % 2].call("POST", "/api/v1/tasks", &task(n));
        // It is this task's until its end, wherever it runs by now.
        let has_ended = status == 201 && nodes[0].task(id)["status"] == "success";
        assert!(has_ended || answer["id"] == json!(id), "{status} {answer}");
    }
    eventually("all are done", || crate::count(&nodes[0], "success") >= 60 && crate::count(&nodes[0], "running") == 0);
    let held = "SELECT live_key AS line FROM tasks WHERE live_key IS NOT NULL";
    let mut database = cluster.database();
    eventually("no key is held", || lines(&mut database, held).is_empty());
    for n in 0..60 {
        assert_eq!(nodes[n % 2].call("POST", "/api/v1/tasks", &task(n)).0, 201);
    }
}

/// A retry and a submission want one key: one of them has it.
#[test]
fn a_retry_and_a_submission_do_not_share_a_key() {
    let cluster = Cluster::new();
    let nodes = three(&cluster);
    assert_eq!(nodes[0].call("PUT", "/api/v1/queues/default", r#"{"paused": true}"#).0, 200);
    for n in 0..20 {
        let body = format!(r#"{{"name": "demo.echo", "unique_key": "k{n}"}}"#);
        let id = nodes[0].submit(&body);
        assert_eq!(nodes[0].call("POST", &format!("/api/v1/tasks/{id}/cancel"), "{}").0, 200);
        let (again, new) = std::thread::scope(|scope| {
            let again = scope.spawn(|| nodes[1].call("POST", &format!("/api/v1/tasks/{id}/retry"), ""));
            let new = scope.spawn(|| nodes[2].call("POST", "/api/v1/tasks", &body));
            (again.join().unwrap(), new.join().unwrap())
        });
        match (again.0, new.0) {
            (200, 200) => assert_eq!(new.1["id"], json!(id)),
            (409, 201) => {
                assert_eq!((&again.1["code"], &again.1["task_id"]), (&json!("unique_key_held"), &new.1["id"]))
            }
            _ => panic!("{again:?} {new:?}"),
        }
    }
}

#[test]
fn a_submission_by_sql_takes_over_a_key_whose_time_is_over() {
    let cluster = Cluster::new();
    let node = cluster.node("a", "2");
    let mut database = cluster.database();
    let id = node.submit(r#"{"name": "demo.echo", "unique_key": "k", "unique": {"for": "1h"}}"#);
    node.finished(&id);
    assert_eq!(submit(&mut database, "'demo.sleep', '[3600]', unique_key => 'k'"), id);
    run(&mut database, "UPDATE tasks SET unique_until = 1");
    let next = submit(&mut database, "'demo.sleep', '[3600]', unique_key => 'k'");
    assert_ne!(next, id);
    assert_eq!(lines(&mut database, "SELECT id::text AS line FROM tasks WHERE live_key = 'k'"), [next]);
}
