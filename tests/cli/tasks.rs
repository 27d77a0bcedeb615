//! `result`, `amend`, `run-now`, `delete`.

use crate::{run::ask, support::Server};

#[test]
fn a_result_is_printed_bare() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let id = server.submit(r#"{"name": "demo.add", "args": [1, 2]}"#);
    let ran = ask(&server, &["result", &id, "--wait"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "3\n"), "{ran:?}");
    assert_eq!(ask(&server, &["result", &id, "--json"]).json()["status"], "success");
    let fails = server.submit(r#"{"name": "demo.fail", "args": ["no"], "max_retries": 0}"#);
    ask(&server, &["result", &fails, "--wait=10s"]).is(1, &["the task ended as failed: no"]);
    let waits = server.submit(r#"{"name": "demo.echo", "delay": "1h"}"#);
    ask(&server, &["result", &waits]).is(1, &["the task is scheduled", "--wait"]);
    ask(&server, &["result", "01920000-0000-7000-8000-000000000001"]).is(3, &["HTTP 404"]);
}

#[test]
fn a_waiting_task_is_changed_run_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let id = server.submit(r#"{"name": "demo.echo", "delay": "1h"}"#);
    ask(&server, &["amend", &id]).is(2, &["--priority"]);
    ask(&server, &["amend", &id, "--priority", "high", "--delay", "2h"]).is(0, &["priority 8", "scheduled"]);
    assert_eq!(server.task(&id)["priority"], 8);
    ask(&server, &["explain", &id]).is(0, &["Its time has not come yet"]);
    ask(&server, &["delete", &id]).is(1, &["cancel it first"]);
    ask(&server, &["run-now", &id]).is(0, &[&id]);
    server.finished(&id);
    ask(&server, &["amend", &id, "--priority", "low"]).is(1, &["Only a task that waits can be changed"]);
    ask(&server, &["delete", &id, &id]).is(3, &["deleted 1"]);
}
