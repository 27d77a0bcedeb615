//! What the Python system this one replaces did wrong, one test for each defect: here it must be right.

use serde_json::{Value, json};

use crate::support::{Server, eventually};

fn start() -> (tempfile::TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    (folder, server)
}

/// Defects: keys were never enforced; two keys separated by a comma crashed it; routes that change were open.
#[test]
fn configured_keys_are_enforced_on_every_route() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_under(folder.path(), &[], &[("API_KEYS", "first-key-of-two,second-key-of-two")]);
    let call = |key: &str, method: &str, path: &str| {
        let headers = if key.is_empty() { String::new() } else { format!("X-API-Key: {key}\r\n") };
        let headers = format!("Content-Type: application/json\r\n{headers}");
        server.try_call(method, path, &headers, r#"{"name":"demo.echo"}"#).unwrap().0
    };
    for key in ["", "third-key", "first-key-of-two,second-key-of-two"] {
        for (method, path) in [("POST", "/api/v1/tasks"), ("GET", "/api/v1/stats"), ("POST", "/api/v1/queues/a/pause")]
        {
            assert_eq!(call(key, method, path), 401, "{key:?} {method} {path}");
        }
    }
    for key in ["first-key-of-two", "second-key-of-two"] {
        assert_eq!(call(key, "POST", "/api/v1/tasks"), 201);
    }
}

/// Defects: cancel and DELETE always answered 500; the result always 404; a purge removed nothing; sizes were 0.
#[test]
fn what_is_submitted_can_be_counted_cancelled_purged_read_and_deleted() {
    let (_folder, server) = start();
    let call = |method: &str, path: &str| server.call(method, &format!("/api/v1{path}"), "");
    server.call("PUT", "/api/v1/queues/default", r#"{"paused":true}"#);
    let ids = server.submit_all(vec![json!({"name": "demo.echo", "args": [7]}); 3]);
    let stats = |queue: &str| server.get(&format!("/api/v1/queues/{queue}/stats"));
    assert_eq!(stats("default")["status_counts"]["queued"], 3);
    assert_eq!(call("POST", &format!("/tasks/{}/cancel", ids[0])).0, 200);
    assert_eq!(call("DELETE", &format!("/tasks/{}", ids[0])).0, 204);
    assert_eq!(call("GET", &format!("/tasks/{}", ids[0])).0, 404);
    assert_eq!(call("POST", "/queues/default/purge").0, 202);
    eventually("it is purged", || stats("default")["status_counts"]["cancelled"] == 2);
    let done = server.submit(r#"{"name":"demo.echo","args":[7],"queue":"other"}"#);
    assert_eq!(server.finished(&done)["status"], "success");
    let (status, result) = call("GET", &format!("/tasks/{done}/result"));
    assert_eq!((status, &result["status"]), (200, &json!("success")));
    assert!(!result["result"].is_null(), "{result}");
}

/// Defects: `unique` was ignored; status said queued where the database said pending; `max_retries` 0 became 3 and
/// `timeout` 0 became 300; negative numbers and empty names were accepted.
#[test]
fn what_is_said_of_a_task_is_what_counts() {
    let (_folder, server) = start();
    let (status, task) = server.call("POST", "/api/v1/tasks", r#"{"name":"no.such","max_retries":0,"delay":"1h"}"#);
    assert_eq!((status, &task["max_retries"]), (201, &json!(0)));
    let id = task["id"].as_str().unwrap();
    for list in ["?status=scheduled", "?status=scheduled&queue=default"] {
        assert_eq!(server.get(&format!("/api/v1/tasks{list}"))["data"][0]["id"], json!(id));
    }
    assert_eq!(server.task(id)["status"], task["status"]);
    for (field, value) in [
        ("name", json!("")),
        ("max_retries", json!(-1)),
        ("timeout", json!(0)),
        ("timeout", json!(-5)),
        ("priority", json!(-1)),
    ] {
        let mut body = json!({"name": "demo.echo"});
        body[field] = value;
        let (status, problem) = server.call("POST", "/api/v1/tasks", &body.to_string());
        assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!(format!("/{field}"))), "{body}");
    }
    let unique = r#"{"name":"demo.echo","args":[1],"unique":true,"delay":"1h"}"#;
    let (first, again) = (server.call("POST", "/api/v1/tasks", unique), server.call("POST", "/api/v1/tasks", unique));
    assert_eq!((first.0, again.0, &again.1["deduplicated"]), (201, 200, &json!(true)));
    assert_eq!(first.1["id"], again.1["id"]);
}

/// Defects: some routes were shadowed by others; dead letters were written where nobody read; limits were set in one
/// process and applied in another; the metrics' library was not used.
#[test]
fn every_report_answers_and_tells_what_is() {
    let (_folder, server) = start();
    let id = server.submit(r#"{"name":"demo.fail","args":["no"],"max_retries":0}"#);
    server.finished(&id);
    assert_eq!(server.get("/api/v1/dlq")["data"][0]["task_id"], json!(id));
    assert_eq!(server.get("/api/v1/dlq/stats")["total"], 1);
    assert_eq!(server.get("/api/v1/workers")["data"][0]["state"], "alive");
    assert!(server.get("/api/v1/stats/history")["points"].is_array());
    assert_eq!(server.call("PUT", "/api/v1/queues/default/rate-limit", r#"{"limit":1,"per":"1h"}"#).0, 200);
    let ids = server.submit_all(vec![json!({"name": "demo.echo"}); 5]);
    eventually("one has run", || ids.iter().any(|id| server.task(id)["status"] == "success"));
    let limit = server.get("/api/v1/queues/default/rate-limit");
    assert_eq!((&limit["used"], &limit["remaining"]), (&json!(1), &json!(0)));
    assert!(limit["next_permit_in_s"].as_f64().unwrap() > 3_500.0, "{limit}");
    assert_eq!(ids.iter().filter(|id| server.task(id)["status"] == "success").count(), 1);
    let (status, _, metrics) = server.try_call("GET", "/metrics", "", "").unwrap();
    assert_eq!(status, 200, "{metrics}");
}

/// Defects: a task with parents waited for ever; a worker served one queue only.
#[test]
fn children_run_and_every_queue_is_served() {
    let (_folder, server) = start();
    let parent = server.submit(r#"{"name":"demo.echo","queue":"one"}"#);
    let child = server.submit(&json!({"name": "demo.echo", "queue": "two", "depends_on": [parent]}).to_string());
    assert_eq!(server.finished(&child)["status"], "success");
}

/// Defect: arguments were unpickled, so that whoever could write to the store could run code.
#[test]
fn arguments_are_data_and_come_back_as_they_were() {
    let (_folder, server) = start();
    let hostile = [
        "cos\nsystem\n(S'touch hacked'\ntR.",
        "\u{80}\u{4}\u{95}",
        "<script>alert(1)</script>",
        "'; DROP TABLE tasks; --",
    ];
    let id = server.submit(&json!({"name": "demo.echo", "args": hostile}).to_string());
    let task = server.finished(&id);
    assert_eq!((&task["status"], &task["args"]), (&json!("success"), &json!(hostile)));
    assert_ne!(task["result"], Value::Null);
}

/// Defect: figures that were asked for at once hung the server.
#[test]
fn figures_may_be_asked_for_at_once() {
    let (_folder, server) = start();
    server.submit_all(vec![json!({"name": "demo.echo"}); 1_000]);
    std::thread::scope(|scope| {
        for path in ["/api/v1/stats", "/api/v1/queues", "/api/v1/workers", "/api/v1/system/actors", "/health"].repeat(8)
        {
            let server = &server;
            scope.spawn(move || assert!(server.get(path).is_object(), "{path}"));
        }
    });
    assert_eq!(server.get("/health")["status"], "ok");
}
