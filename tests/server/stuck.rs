//! Handlers that ignore that they are to end.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::support::{Server, eventually, program};

fn start(folder: &Path, slots: &str) -> Server {
    fs::write(folder.join("jobqueue.toml"), "[worker]\ncancel_grace = \"200ms\"\ndrain_timeout = \"2s\"\n").unwrap();
    Server::start_with(folder, &["--concurrency", slots])
}

fn stuck(server: &Server) -> Vec<Value> {
    server.get("/api/v1/workers")["data"][0]["stuck"].as_array().unwrap().clone()
}

fn metric(server: &Server, name: &str) -> f64 {
    let (_, text) = server.text("/metrics");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap().trim().parse().unwrap()
}

fn runs(server: &Server) {
    let echo = server.submit(r#"{"name": "demo.echo", "timeout": "1m"}"#);
    assert_eq!(server.finished(&echo)["status"], "success");
}

#[test]
fn a_future_that_never_yields_is_stuck_and_its_slot_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), "2");
    let spin = r#"{"name": "fault.spin", "args": [3600], "timeout": "100ms", "max_retries": 0}"#;
    let ids = [server.submit(spin), server.submit(spin)];
    for id in &ids {
        let task = server.finished(id);
        assert_eq!((&task["status"], &task["error"]["kind"]), (&json!("timeout"), &json!("timeout")), "{task}");
        assert!(task["error"]["detail"].as_str().unwrap().contains("stuck"), "{task}");
    }
    eventually("both are shown", || stuck(&server).len() == 2);
    for shown in stuck(&server) {
        assert!(ids.iter().any(|id| shown["task_id"] == **id), "{shown}");
        assert_eq!((&shown["name"], &shown["replaced"]), (&json!("fault.spin"), &json!(true)));
    }
    assert_eq!(metric(&server, "jobqueue_stuck_handlers"), 2.0);
    let notes = |server: &Server| {
        let actors = server.get("/api/v1/system/actors");
        actors["data"].as_array().unwrap().iter().filter(|actor| actor["note"].is_string()).count()
    };
    assert!(notes(&server) >= 1);
    // There are as many of them as slots: the node says so, and goes on.
    assert_eq!(server.get("/health")["status"], "degraded");
    runs(&server);
    // The next one keeps its slot, though its attempt ends.
    let third = server.submit(spin);
    assert_eq!(server.finished(&third)["status"], "timeout");
    eventually("it is shown", || stuck(&server).iter().any(|shown| shown["replaced"] == false));
    runs(&server);
}

#[test]
fn a_stuck_handler_that_ends_after_all_is_shown_no_more_and_its_result_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), "1");
    let ids = ["fault.spin", "fault.thread.deaf"].map(|name| {
        let task = format!(r#"{{"name": "{name}", "args": [6], "timeout": "100ms", "max_retries": 0}}"#);
        let id = server.submit(&task);
        assert_eq!(server.finished(&id)["status"], "timeout");
        id
    });
    eventually("one is shown", || !stuck(&server).is_empty());
    eventually("none is", || stuck(&server).is_empty());
    assert_eq!(metric(&server, "jobqueue_stuck_handlers"), 0.0);
    assert_eq!(server.get("/health")["status"], "ok");
    for id in &ids {
        assert_eq!(server.task(id)["status"], "timeout");
    }
    runs(&server);
}

#[test]
fn a_thread_is_asked_to_stop_and_left_when_it_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), "2");
    let (polite, deaf) = ("fault.thread.sleep", "fault.thread.deaf");
    for name in [polite, deaf] {
        let id = server.submit(&format!(r#"{{"name": "{name}", "args": [3600], "timeout": null}}"#));
        server.until(&id, |task| task["status"] == "running");
        assert_eq!(server.call("POST", &format!("/api/v1/tasks/{id}/cancel"), "{}").0, 200);
        assert_eq!(server.finished(&id)["status"], "cancelled");
        assert!(name == deaf || stuck(&server).is_empty(), "it has ended as it was asked to");
    }
    eventually("it is shown", || stuck(&server).len() == 1);
    assert_eq!(server.get("/health")["status"], "ok", "one of two");
    runs(&server);
}

#[test]
fn a_thread_does_what_a_function_does() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), "2");
    let end = |task: &str| server.finished(&server.submit(task));
    assert_eq!(end(r#"{"name": "fault.thread.sleep", "args": [0.01]}"#)["result"], json!(0.01));
    for (name, kind) in [("fail", "failure"), ("panic", "panic"), ("flood", "output")] {
        let task = end(&format!(r#"{{"name": "fault.thread.{name}", "max_retries": 0}}"#));
        assert_eq!((&task["status"], &task["error"]["kind"]), (&json!("failed"), &json!(kind)), "{task}");
    }
    let task = end(r#"{"name": "fault.thread.sleep", "args": ["long"], "max_retries": 3}"#);
    assert_eq!((&task["error"]["kind"], &task["attempt"]), (&json!("arguments"), &json!(1)));
}

#[test]
fn a_node_stops_although_a_handler_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), "2");
    let ids = ["fault.spin", "fault.thread.deaf"].map(|name| {
        let id = server.submit(&format!(r#"{{"name": "{name}", "args": [3600], "timeout": null}}"#));
        server.until(&id, |task| task["status"] == "running");
        id
    });
    server.signal("-TERM");
    assert_eq!(server.wait(), Some(0));
    let checked = program(folder.path()).args(["check"]).output().unwrap();
    assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stdout));
    let server = start(folder.path(), "2");
    for id in &ids {
        // Given back, not failed: the node has ended in order.
        let task = server.until(id, |task| task["status"] == "running");
        assert_eq!((&task["crashes"], &task["failures"]), (&json!(0), &json!(0)), "{task}");
    }
}
