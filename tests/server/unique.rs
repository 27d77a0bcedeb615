//! Unique keys of a server that is killed.

use serde_json::json;

use crate::support::{Server, eventually};

/// Each time in the midst of starts, ends and submissions: nobody's key is lost while it is held, and none is kept beyond that.
#[test]
fn a_kill_leaks_no_key_and_loses_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start_with(folder.path(), &["--concurrency", "4"]);
    let scopes =
        [r#"{}"#, r#"{"while": ["waiting"]}"#, r#"{"while": ["waiting", "running", "success"]}"#, r#"{"for": "1h"}"#];
    let task = |n: usize| {
        let scope = scopes[n % scopes.len()];
        format!(r#"{{"name": "demo.sleep", "args": [0.05], "unique_key": "k{n}", "unique": {scope}, "timeout": null}}"#)
    };
    let ids: Vec<String> = (0..40).map(|n| server.submit(&task(n))).collect();
    let waiting = server.submit(r#"{"name": "demo.echo", "delay": "1h", "unique_key": "waits"}"#);
    let done = |server: &Server| server.get("/api/v1/stats")["status_counts"]["success"].as_u64().unwrap();
    for round in 1..=3 {
        eventually("some are done", || done(&server) >= round * 8);
        server.kill();
        server = Server::start_with(folder.path(), &["--concurrency", "4"]);
        let again = server.call("POST", "/api/v1/tasks", r#"{"name": "demo.echo", "unique_key": "waits"}"#);
        assert_eq!((again.0, &again.1["id"]), (200, &json!(waiting)));
    }
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(server.finished(id)["status"], "success");
        let (status, answer) = server.call("POST", "/api/v1/tasks", &task(n));
        // The last two scopes reach beyond the end.
        let is_kept = n % scopes.len() >= 2;
        assert_eq!(
            (status, answer["id"] == json!(id)),
            if is_kept { (200, true) } else { (201, false) },
            "{n} {answer}"
        );
    }
}
