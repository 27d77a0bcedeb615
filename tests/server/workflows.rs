//! Workflows under kill -9: never early, never stuck, callbacks once for each end.

use serde_json::{Value, json};

use crate::{
    support::{self, Server, eventually},
    workflows as graphs,
};

#[path = "../../examples/workflow.rs"]
mod example;

#[path = "../support/drawn.rs"]
mod drawn;

#[test]
fn the_example_runs() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let client = jobqueue::client::Client::new(server.url()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(runtime.block_on(example::sum(&client)).unwrap(), "success: 10");
}

#[test]
fn random_workflows_under_kill_9_run_in_order_to_their_end_and_call_back_once() {
    let seeds = if support::is_long() { 12 } else { 2 };
    for seed in 0..seeds {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Server::start(folder.path());
        let mut random = fastrand::Rng::with_seed(seed);
        let drawn: Vec<drawn::Graph> = (0..6).map(|_| drawn::Graph::draw(&mut random, 40)).collect();
        let ids: Vec<Value> = drawn.iter().map(|graph| graph.submit(&server)).collect();
        for _ in 0..2 {
            let some = random.usize(20..120);
            let ended = |server: &Server| {
                let numbers = ids.iter().map(|one| graphs::get(server, one["id"].as_str().unwrap()));
                let ended = numbers
                    .map(|one| one["progress"]["total"].as_u64().unwrap() - one["progress"]["open"].as_u64().unwrap());
                ended.sum::<u64>() as usize
            };
            eventually("some are done", || ended(&server) >= some);
            server.kill();
            server = Server::start(folder.path());
        }
        for (graph, submitted) in drawn.iter().zip(&ids) {
            graph.check(&server, submitted);
        }
    }
}

#[test]
fn a_retry_after_a_kill_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let body = json!({
        "tasks": {"a": {"name": "demo.echo"}, "b": {"name": "demo.fail", "args": ["no"], "max_retries": 0, "depends_on": ["a"]},
            "c": {"name": "demo.echo", "depends_on": ["b"]}},
        "on_success": {"name": "demo.echo"}, "on_failure": {"name": "demo.echo"},
    });
    let id = graphs::submit(&server, &body.to_string());
    for round in 1..=3 {
        graphs::ended(&server, &id, "failed");
        let called = || graphs::get(&server, &id)["callbacks"]["on_failure"]["status"] == "success";
        eventually("it is called", called);
        let callback = graphs::get(&server, &id)["callbacks"]["on_failure"]["id"].as_str().unwrap().to_owned();
        assert_eq!(server.task(&callback)["generation"], round, "once for each end");
        if round < 3 {
            assert_eq!(server.call("POST", &format!("/api/v1/workflows/{id}/retry"), "").0, 200);
        }
    }
    server.kill();
    let server = Server::start(folder.path());
    let progress = &graphs::get(&server, &id)["progress"];
    assert_eq!((&progress["success"], &progress["failed"], &progress["skipped"]), (&json!(1), &json!(1), &json!(1)));
}
