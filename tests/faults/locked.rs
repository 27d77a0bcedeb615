//! Another program holds the lock on the file.

use diesel::{SqliteConnection, connection::SimpleConnection as _};
use serde_json::json;

use crate::{
    file::connect,
    support::{Server, eventually, program},
};

/// Takes SQLite's write lock, which is held until the connection is dropped.
fn lock(folder: &std::path::Path) -> SqliteConnection {
    let mut connection = connect(&folder.join("data/jobqueue.db"));
    connection.batch_execute("PRAGMA busy_timeout = 60000; BEGIN IMMEDIATE").unwrap();
    connection
}

#[test]
fn a_locked_file_refuses_submissions_until_it_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let running = server.submit(r#"{"name": "demo.sleep", "args": [1]}"#);
    server.until(&running, |task| task["status"] == "running");
    let lock = lock(folder.path());
    let (status, problem) = server.call("POST", "/api/v1/tasks", r#"{"name": "demo.echo"}"#);
    assert_eq!((status, &problem["code"]), (503, &json!("store_unavailable")), "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("another program holds a lock"), "{problem}");
    assert_eq!(server.task(&running)["status"], "running");
    let (status, health) = server.call("GET", "/health", "");
    assert_eq!((status, &health["store"]["status"]), (503, &json!("locked")), "{health}");

    drop(lock);
    eventually("it takes submissions again", || {
        server.call("POST", "/api/v1/tasks", r#"{"name": "demo.echo"}"#).0 == 201
    });
    assert_eq!(server.call("GET", "/health", "").0, 200);
    let task = server.finished(&running);
    assert_eq!((&task["status"], &task["attempt"]), (&json!("success"), &json!(1)));
    server.signal("-TERM");
    assert_eq!(server.wait(), Some(0));
}

#[test]
fn a_server_does_not_start_on_a_locked_file_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    server.signal("-TERM");
    assert_eq!(server.wait(), Some(0));
    let lock = lock(folder.path());
    let refused = program(folder.path()).args(["serve", "--port", "0", "--log-level", "error"]).output().unwrap();
    drop(lock);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    for part in ["jobqueue.db", "another program holds a lock on the file", "Stop it"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    drop(Server::start(folder.path()));
}
