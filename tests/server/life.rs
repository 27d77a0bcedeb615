//! A task's life as a client sees it.

use serde_json::json;

use crate::support::{Server, eventually};

#[test]
fn a_task_runs_and_leaves_its_result() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let task =
        server.submit(r#"{"name": "demo.add", "args": [1, 2], "tags": ["a"], "meta": {"big": 12345678901234567890}}"#);
    let task = server.finished(&task);
    assert_eq!((&task["status"], &task["result"], &task["attempt"]), (&json!("success"), &json!(3), &json!(1)));
    let (_, _, head) = server.try_call("GET", "/ui/", "", "").unwrap();
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/html"), "{head}");
}

#[test]
fn a_failing_task_is_retried_and_then_a_dead_letter_that_can_be_retried() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let retry = r#"{"initial": "10ms", "jitter": false}"#;
    let id = server.submit(&format!(r#"{{"name": "demo.fail", "args": ["no"], "max_retries": 2, "retry": {retry}}}"#));
    let task = server.finished(&id);
    assert_eq!((&task["status"], &task["attempt"], &task["failures"]), (&json!("failed"), &json!(3), &json!(3)));
    assert_eq!(task["error"]["kind"], "failure");
    let attempts = server.get(&format!("/api/v1/tasks/{id}/attempts"));
    assert_eq!(attempts["data"].as_array().unwrap().len(), 3, "{attempts}");
    let dead = server.get(&format!("/api/v1/dlq/{id}"));
    assert_eq!(dead["reason"], "exhausted");
    assert_eq!(server.get("/api/v1/stats")["dead_letters"], 1);
    let (status, again) = server.call("POST", &format!("/api/v1/dlq/{id}/retry"), "");
    assert_eq!((status, &again["generation"]), (200, &json!(2)));
    server.finished(&id);
    let attempts = server.get(&format!("/api/v1/tasks/{id}/attempts"));
    assert_eq!(attempts["data"].as_array().unwrap().len(), 6, "{attempts}");
}

#[test]
fn priorities_are_strict_and_a_paused_queue_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(folder.path(), &["--concurrency", "1"]);
    let first = server.submit(r#"{"name": "demo.echo"}"#);
    server.finished(&first);
    assert_eq!(server.call("POST", "/api/v1/queues/default/pause", "").0, 200);
    let levels = ["low", "high", "medium", "high", "low"];
    let ids = levels.map(|level| server.submit(&format!(r#"{{"name": "demo.echo", "priority": "{level}"}}"#)));
    for id in &ids {
        assert_eq!(server.task(id)["status"], "queued");
    }
    assert_eq!(server.call("POST", "/api/v1/queues/default/resume", "").0, 200);
    let mut order: Vec<_> = ids.iter().map(|id| server.finished(id)).collect();
    // Each has been granted alone, so the times of start tell the order; equal ones are in the order of their ids.
    order.sort_by_key(|task| {
        (task["started_at"].to_string(), std::cmp::Reverse(task["priority"].as_u64()), task["id"].to_string())
    });
    let order: Vec<_> = order.iter().map(|task| task["priority"].as_u64().unwrap()).collect();
    assert_eq!(order, [8, 8, 5, 2, 2]);
}

#[test]
fn waiting_and_running_tasks_can_be_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let waiting = server.submit(r#"{"name": "demo.echo", "delay": "1h"}"#);
    assert_eq!(server.task(&waiting)["status"], "scheduled");
    let (status, body) = server.call("POST", &format!("/api/v1/tasks/{waiting}/cancel"), r#"{"reason": "no need"}"#);
    assert_eq!((status, &body["status"]), (200, &json!("cancelled")));
    assert_eq!(server.task(&waiting)["error"]["message"], "cancelled by a caller: no need");
    assert_eq!(server.call("POST", &format!("/api/v1/tasks/{waiting}/cancel"), "").0, 409);
    let running = server.submit(r#"{"name": "demo.sleep", "args": [3600]}"#);
    server.until(&running, |task| task["status"] == "running");
    let (status, body) = server.call("POST", &format!("/api/v1/tasks/{running}/cancel"), r#"{"reason": "too long"}"#);
    assert_eq!((status, &body["status"], &body["cancel_requested"]), (200, &json!("running"), &json!(true)));
    let task = server.finished(&running);
    assert_eq!(
        (&task["status"], &task["error"]["message"]),
        (&json!("cancelled"), &json!("cancelled by a caller: too long"))
    );
}

#[test]
fn a_forced_cancel_does_not_wait_for_a_handler_that_ignores_it() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[tasks.deaf]\ncommand = [\"sh\", \"-c\", \"trap '' TERM; : > deaf; while :; do sleep 60; done\"]\n\n[worker]\ncancel_grace = \"1h\"\n";
    std::fs::write(folder.path().join("jobqueue.toml"), config).unwrap();
    let server = Server::start_with(folder.path(), &["--concurrency", "1"]);
    let id = server.submit(r#"{"name": "deaf"}"#);
    eventually("it hears nothing", || folder.path().join("deaf").exists());
    let path = format!("/api/v1/tasks/{id}/cancel");
    assert_eq!(server.call("POST", &path, "").0, 200);
    assert_eq!(server.task(&id)["status"], "running", "it has an hour");
    let (status, body) = server.call("POST", &path, r#"{"force": true, "reason": "now"}"#);
    assert_eq!((status, &body["cancel_requested"]), (200, &json!(true)));
    assert_eq!(server.finished(&id)["status"], "cancelled");
    let next = server.submit(r#"{"name": "demo.echo"}"#);
    assert_eq!(server.finished(&next)["status"], "success", "its slot is free");
}

#[test]
fn a_task_out_of_time_is_a_timeout() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let id = server.submit(r#"{"name": "demo.sleep", "args": [3600], "timeout": "100ms", "max_retries": 0}"#);
    let task = server.finished(&id);
    assert_eq!((&task["status"], &task["error"]["kind"]), (&json!("timeout"), &json!("timeout")));
}

#[test]
fn a_thousand_posts_at_once_with_one_key_make_one_task() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let body = r#"{"name": "demo.sleep", "args": [3600], "unique_key": "k"}"#;
    let start = std::sync::Barrier::new(1_000);
    let answers: Vec<_> = std::thread::scope(|scope| {
        let post = || {
            start.wait();
            server.call("POST", "/api/v1/tasks", body)
        };
        let posts: Vec<_> = (0..1_000).map(|_| scope.spawn(post)).collect();
        posts.into_iter().map(|post| post.join().unwrap()).collect()
    });
    assert_eq!(answers.iter().filter(|(status, _)| *status == 201).count(), 1);
    assert_eq!(answers.iter().filter(|(status, task)| *status == 200 && task["deduplicated"] == true).count(), 999);
    assert!(answers.iter().all(|(_, task)| task["id"] == answers[0].1["id"]));
    assert_eq!(server.get("/api/v1/stats")["totals"]["submitted"], 1);
}

#[test]
fn keys_make_a_submission_unique() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let body = r#"{"name": "demo.echo", "delay": "1h", "unique_key": "k"}"#;
    let id = server.submit(body);
    let (status, again) = server.call("POST", "/api/v1/tasks", body);
    assert_eq!((status, &again["id"], &again["deduplicated"]), (200, &json!(id), &json!(true)));
    let rejecting = r#"{"name": "demo.echo", "unique_key": "k", "unique_conflict": "reject"}"#;
    assert_eq!(server.call("POST", "/api/v1/tasks", rejecting).0, 409);

    let headers = "Content-Type: application/json\r\nIdempotency-Key: once\r\n";
    let send = |body: &str| server.try_call("POST", "/api/v1/tasks", headers, body).unwrap();
    let (status, first, _) = send(r#"{"name": "demo.echo"}"#);
    assert_eq!(status, 201);
    let (status, replay, head) = send(r#"{"name": "demo.echo"}"#);
    assert_eq!((status, &replay), (201, &first));
    assert!(head.to_lowercase().contains("idempotent-replayed: true"), "{head}");
    assert_eq!(send(r#"{"name": "demo.add"}"#).0, 422);
}
