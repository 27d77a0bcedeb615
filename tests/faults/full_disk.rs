//! A disk without room.
//!
//! A small file system needs privileges to mount; a limit on the size of files gives EFBIG, which SQLite reports as an
//! I/O error and not as a full disk; a limit on SQLite's pages leaves the log writable. So a small library between the
//! server and the C library refuses what would make a file longer, with the error and at the places of a full disk.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::json;

use crate::support::{Server, eventually};

/// Compiles the library, with the compiler that has compiled SQLite.
fn library(folder: &Path) -> PathBuf {
    let built = folder.join("full_disk.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/full_disk.c");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let status = Command::new(compiler).args(["-shared", "-fPIC", "-O1", "-o"]).arg(&built).arg(source).status();
    assert!(status.unwrap().success());
    built
}

#[test]
fn a_full_disk_refuses_submissions_and_keeps_what_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let (sign, library) = (folder.path().join("full"), library(folder.path()));
    let variables = [("FULL_DISK", sign.to_str().unwrap()), ("LD_PRELOAD", library.to_str().unwrap())];
    let mut server = Server::start_under(folder.path(), &[], &variables);
    let running = server.submit(r#"{"name": "demo.sleep", "args": [1]}"#);
    let mut acknowledged = vec![running.clone()];
    acknowledged.extend(server.submit_all(vec![json!({"name": "demo.add", "args": [1, 2], "delay": "2s"}); 50]));
    server.until(&running, |task| task["status"] == "running");

    fs::write(&sign, "").unwrap();
    for (path, body) in [
        ("/api/v1/tasks", r#"{"name": "demo.echo"}"#),
        ("/api/v1/tasks/batch", r#"{"tasks": [{"name": "demo.echo"}]}"#),
    ] {
        let (status, problem) = server.call("POST", path, body);
        assert_eq!((status, &problem["code"]), (507, &json!("store_full")), "{problem}");
    }
    let (status, problem) = server.call("POST", &format!("/api/v1/tasks/{running}/cancel"), "");
    assert_eq!((status, &problem["code"]), (507, &json!("store_full")), "{problem}");
    // Reads work, and say what is wrong.
    assert_eq!(server.task(&running)["status"], "running");
    assert_eq!(server.get("/api/v1/tasks?limit=100")["data"].as_array().unwrap().len(), acknowledged.len());
    assert_eq!(server.try_call("GET", "/ui/", "", "").unwrap().0, 200);
    let (status, health) = server.call("GET", "/health", "");
    assert_eq!(
        (status, &health["status"], &health["store"]["status"]),
        (503, &json!("down"), &json!("full")),
        "{health}"
    );
    let error = health["store"]["error"].as_str().unwrap();
    assert!(error.contains("jobqueue.db") && error.contains("disk is full"), "{health}");
    assert!(health["store"]["since"].is_string() && health["store"]["meanwhile"].is_string(), "{health}");
    assert_eq!(server.call("GET", "/readyz", "").0, 503);
    // The handler has ended long ago; its outcome waits for room.
    eventually("its slot is free again", || server.get("/api/v1/workers")["data"][0]["slots"][0]["task_id"].is_null());
    assert!(server.is_up());

    fs::remove_file(&sign).unwrap();
    eventually("it takes submissions again", || {
        let (status, task) = server.call("POST", "/api/v1/tasks", r#"{"name": "demo.echo"}"#);
        acknowledged.extend(task["id"].as_str().filter(|_| status == 201).map(str::to_owned));
        status == 201
    });
    assert_eq!(server.call("GET", "/health", "").0, 200);
    for id in &acknowledged {
        let task = server.finished(id);
        assert_eq!((&task["status"], &task["attempt"]), (&json!("success"), &json!(1)), "{task}");
    }
    assert_eq!(server.get("/api/v1/stats")["totals"]["submitted"], acknowledged.len());
    server.signal("-TERM");
    assert_eq!(server.wait(), Some(0));
}
