//! Quiet, and at work again: by signals, by the command line, by the API.

use std::process::Output;

use serde_json::{Value, json};

use crate::support::{Server, eventually, program};

fn state(server: &Server) -> Value {
    server.get("/api/v1/workers")["data"][0]["state"].clone()
}

fn worker(server: &Server) -> String {
    server.get("/api/v1/workers")["data"][0]["id"].as_str().unwrap().to_owned()
}

fn command(server: &Server, folder: &std::path::Path, arguments: &[&str]) -> Output {
    program(folder).args(arguments).args(["--url", &server.url()]).output().unwrap()
}

/// What is submitted to a quiet node waits; `resume` has it run.
fn waits_until(server: &Server, resume: impl FnOnce()) {
    eventually("it is quiet", || state(server) == "quiet");
    let id = server.submit(r#"{"name": "demo.echo"}"#);
    // Another one that is cancelled proves that the node is at its duties meanwhile.
    let other = server.submit(r#"{"name": "demo.echo", "delay": "1h"}"#);
    assert_eq!(server.call("POST", &format!("/api/v1/tasks/{other}/cancel"), "{}").0, 200);
    assert_eq!(server.task(&id)["status"], "queued");
    resume();
    assert_eq!(server.finished(&id)["status"], "success");
    eventually("it is shown", || state(server) == "alive");
}

#[test]
fn signals_make_a_node_quiet_and_have_it_work_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let running = server.submit(r#"{"name": "demo.sleep", "args": [3600]}"#);
    server.until(&running, |task| task["status"] == "running");
    server.signal("-TSTP");
    waits_until(&server, || server.signal("-CONT"));
    server.signal("-TSTP");
    waits_until(&server, || server.signal("-TSTP"));
    assert_eq!(server.task(&running)["status"], "running", "what runs goes on");
    // A signal to go on says nothing of what was asked for otherwise.
    assert_eq!(server.call("POST", &format!("/api/v1/workers/{}/quiet", worker(&server)), "{}").0, 200);
    server.signal("-CONT");
    let id = worker(&server);
    waits_until(&server, || assert_eq!(server.call("POST", &format!("/api/v1/workers/{id}/resume"), "").0, 200));
    let acts = server.get("/api/v1/audit?action=worker.quiet");
    assert_eq!(acts["data"].as_array().unwrap().len(), 3, "{acts}");
}

#[test]
fn the_command_line_does_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let id = worker(&server);
    let quiet = command(&server, folder.path(), &["worker", "quiet", &id]);
    assert!(quiet.status.success(), "{}", String::from_utf8_lossy(&quiet.stderr));
    assert!(String::from_utf8_lossy(&quiet.stdout).contains("quiet"));
    waits_until(&server, || {
        assert!(command(&server, folder.path(), &["worker", "resume", "--all"]).status.success());
    });
    assert_eq!(command(&server, folder.path(), &["worker", "quiet"]).status.code(), Some(2));
    let nobody = "01920000-0000-7000-8000-000000000001";
    assert_eq!(command(&server, folder.path(), &["worker", "stop", nobody]).status.code(), Some(3));
    // Asked to stop, it ends as by SIGTERM; what it runs is given back.
    let running = server.submit(r#"{"name": "demo.sleep", "args": [0.5]}"#);
    server.until(&running, |task| task["status"] == "running");
    assert!(command(&server, folder.path(), &["worker", "stop", &id]).status.success());
    assert_eq!(server.wait(), Some(0));
    let server = Server::start(folder.path());
    let task = server.finished(&running);
    assert_eq!((&task["status"], &task["attempt"]), (&json!("success"), &json!(1)), "it was let end");
    // Nothing is left to be asked of the one that has stopped.
    let (status, problem) = server.call("POST", &format!("/api/v1/workers/{id}/quiet"), "{}");
    assert_eq!((status, &problem["code"]), (409, &json!("worker_gone")));
    assert_eq!(server.call("POST", &format!("/api/v1/workers/{}/quiet", worker(&server)), r#"{"for": 3}"#).0, 422);
}
