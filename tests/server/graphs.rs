//! Tasks that wait for others, under kill -9: never early, never stuck.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::support::{Server, eventually};

struct Node {
    fails: bool,
    /// Place of the parent, and whether this one runs although that one fails.
    parents: Vec<(usize, bool)>,
}

/// A graph drawn from a seed: each task waits for some of those before it.
fn draw(random: &mut fastrand::Rng, size: usize) -> Vec<Node> {
    let node = |place: usize| {
        let mut parents: Vec<usize> =
            (0..random.usize(0..4)).filter(|_| place > 0).map(|_| random.usize(0..place)).collect();
        parents.sort_unstable();
        parents.dedup();
        let parents = parents.into_iter().map(|parent| (parent, random.u8(0..3) == 0)).collect();
        Node { fails: random.u8(0..6) == 0, parents }
    };
    (0..size).map(node).collect()
}

/// How each must end.
fn expected(graph: &[Node]) -> Vec<&'static str> {
    let mut ends: Vec<&'static str> = Vec::new();
    for node in graph {
        let held = node.parents.iter().any(|(parent, anyway)| ends[*parent] != "success" && !anyway);
        ends.push(if held {
            "skipped"
        } else if node.fails {
            "failed"
        } else {
            "success"
        });
    }
    ends
}

fn submit(server: &Server, graph: &[Node], order: &[usize]) -> HashMap<usize, String> {
    let place_in_batch: HashMap<usize, usize> = order.iter().enumerate().map(|(index, node)| (*node, index)).collect();
    let task = |node: &usize| {
        let Node { fails, parents } = &graph[*node];
        let name = if *fails { "demo.fail" } else { "fault.clock" };
        let edge = |(parent, anyway): &(usize, bool)| json!({"index": place_in_batch[parent], "on_failure": if *anyway { "run" } else { "skip" }});
        let parents: Vec<_> = parents.iter().map(edge).collect();
        json!({"name": name, "args": if *fails { json!(["no"]) } else { json!([]) }, "max_retries": 0, "depends_on": parents})
    };
    let body = json!({"tasks": order.iter().map(task).collect::<Vec<_>>()});
    let (status, reply) = server.call("POST", "/api/v1/tasks/batch", &body.to_string());
    assert_eq!(status, 200, "{reply}");
    let ids = reply["results"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned());
    order.iter().copied().zip(ids).collect()
}

#[test]
fn a_graph_ends_as_it_must_whatever_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    let mut server = Server::start_with(folder.path(), &["--concurrency", "4"]);
    let mut graphs = Vec::new();
    for _ in 0..4 {
        let graph = draw(&mut random, 120);
        let mut order: Vec<usize> = (0..graph.len()).collect();
        random.shuffle(&mut order);
        let ids = submit(&server, &graph, &order);
        graphs.push((graph, ids));
        let before = server.get("/api/v1/stats")["totals"]["succeeded"].as_u64().unwrap();
        // So many that those which the last kill has hit are over, who come first: one that is hit three times is a poison.
        eventually("some more are done", || {
            server.get("/api/v1/stats")["totals"]["succeeded"].as_u64().unwrap() >= before + 12
        });
        server.kill();
        server = Server::start_with(folder.path(), &["--concurrency", "4"]);
    }
    let open = ["pending", "scheduled", "queued", "running", "retry"];
    eventually("none is stuck", || {
        let counts = server.get("/api/v1/stats")["status_counts"].clone();
        open.iter().all(|status| counts[status].as_u64().unwrap_or_default() == 0)
    });
    for (graph, ids) in &graphs {
        let tasks: Vec<Value> = (0..graph.len()).map(|place| server.task(&ids[&place])).collect();
        let wanted = expected(graph);
        let wrong: Vec<_> = tasks.iter().zip(&wanted).filter(|(task, end)| task["status"] != **end).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
        for (node, task) in graph.iter().zip(&tasks).filter(|(_, task)| task["status"] != "skipped") {
            for (parent, _) in &node.parents {
                let (started, ended) =
                    (task["started_at"].as_str().unwrap(), tasks[*parent]["finished_at"].as_str().unwrap());
                assert!(started >= ended, "{task} started before {} was over", tasks[*parent]);
            }
        }
    }
}

#[test]
fn a_child_of_ten_thousand_parents_waits_for_every_one() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(folder.path(), &["--concurrency", "64"]);
    assert_eq!(server.call("PUT", "/api/v1/queues/default", r#"{"paused":true}"#).0, 200);
    let parents = server.submit_all(vec![json!({"name": "demo.echo"}); 10_000]);
    let child = server.submit(&json!({"name": "demo.echo", "queue": "child", "depends_on": parents}).to_string());
    assert_eq!(server.task(&child)["status"], "pending");
    assert_eq!(server.call("POST", "/api/v1/queues/default/resume", "").0, 200);
    server.until(&child, |task| task["status"] == "success");
    assert_eq!(server.get("/api/v1/queues/default/stats")["status_counts"]["success"], 10_000);
}

#[test]
fn results_without_bound_are_not_passed_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let echo = json!({"name": "demo.echo", "args": ["x".repeat(900 << 10)]}).to_string();
    let parents: Vec<String> = (0..75).map(|_| server.submit(&echo)).collect();
    let child = server.submit(&json!({"name": "demo.echo", "depends_on": parents}).to_string());
    let child = server.finished(&child);
    assert_eq!((&child["status"], &child["error"]["kind"]), (&json!("failed"), &json!("arguments")), "{child}");
    assert!(child["error"]["message"].as_str().unwrap().contains("64 MiB"), "{}", child["error"]);
    let around = server.get(&format!("/api/v1/tasks/{}/dependencies", child["id"].as_str().unwrap()));
    assert_eq!(around["parents"].as_array().unwrap().len(), 75);
}

#[test]
fn a_command_is_given_what_its_parents_left() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("jobqueue.toml"),
        "[tasks.parents]\ncommand = [\"sed\", \"s/.*\\\"parents\\\":\\\\({[^}]*}\\\\).*/\\\\1/\"]\n",
    )
    .unwrap();
    let server = Server::start(folder.path());
    let parent = server.submit(r#"{"name": "demo.add", "args": [1, 2]}"#);
    let child = server.submit(&format!(r#"{{"name": "parents", "depends_on": ["{parent}"]}}"#));
    let child = server.finished(&child);
    assert_eq!(child["result"], json!({ parent: 3 }), "{child}");
}
