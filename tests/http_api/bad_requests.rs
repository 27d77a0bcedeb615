//! Requests that are wrong before their body is, or have none: paths, methods, parameters, types, sizes.

use crate::support::Server;

const NOBODY: &str = "0198f2d4-7a3c-7c11-9a34-5b8e4d1f0c2a";

#[actix::test]
async fn unknown_paths_methods_and_ids_are_problems_too() {
    let server = Server::start().await;
    for path in
        ["/api", "/api/v1", "/api/v1/", "/api/v1/tasks/", "/api/v2/tasks", "/nothing", "/api/v1/tasks/x/y/z", "/%ff"]
    {
        server.get(path).await.assert_problem(404, "route_not_found");
        server.post(path, "{}").await.assert_problem(404, "route_not_found");
    }
    for (method, path, allow) in [
        ("PUT", "/api/v1/tasks", "GET, HEAD, POST"),
        ("POST", "/api/v1/queues/q", "GET, HEAD, PUT, DELETE"),
        ("DELETE", "/api/v1/queues/q/stats", "GET, HEAD"),
        ("GET", "/api/v1/tasks/batch", "POST"),
        ("OPTIONS", "/api/v1/stats", "GET, HEAD"),
        ("FROB", "/health", "GET, HEAD"),
        ("POST", "/ui/app.css", "GET, HEAD"),
    ] {
        let response = server.call(method, path, &[], b"").await;
        if path == "/api/v1/tasks/batch" {
            // The batch's path is also the address of a task called "batch", which is none.
            assert!(matches!(response.status, 404 | 405), "{}", response.text());
            continue;
        }
        response.assert_problem(405, "method_not_allowed");
        assert_eq!(response.header("allow"), Some(allow));
    }
    for path in [
        format!("/api/v1/tasks/{NOBODY}"),
        format!("/api/v1/tasks/{NOBODY}/result"),
        format!("/api/v1/tasks/{NOBODY}/attempts"),
    ] {
        server.get(&path).await.assert_problem(404, "task_not_found");
    }
    server.get(&format!("/api/v1/dlq/{NOBODY}")).await.assert_problem(404, "dead_letter_not_found");
    server.get(&format!("/api/v1/workers/{NOBODY}")).await.assert_problem(404, "worker_not_found");
    server.get("/api/v1/queues/none").await.assert_problem(404, "queue_not_found");
    server.get("/api/v1/queues/none/stats").await.assert_problem(404, "queue_not_found");
    for path in ["/api/v1/tasks/x", "/api/v1/dlq/1", "/api/v1/workers/%00", "/api/v1/tasks/%ff%fe"] {
        server.get(path).await.assert_problem(404, "invalid_id");
    }
    for path in ["cancel", "retry"] {
        let path = format!("/api/v1/tasks/{NOBODY}/{path}");
        server.post(&path, "").await.assert_problem(404, "task_not_found");
        server.post(&path, "[").await.assert_problem(400, "invalid_json");
        server.post(&path, r#"{"x":1}"#).await.assert_problem(422, "unknown_field");
    }
    server
        .post(&format!("/api/v1/tasks/{NOBODY}/cancel"), r#"{"force":"yes"}"#)
        .await
        .assert_problem(422, "invalid_field");
    server.post("/api/v1/queues/none/pause", "{}").await.assert_problem(404, "queue_not_found");
    server.post("/api/v1/system/faults/panic", r#"{"path":"root"}"#).await.assert_problem(404, "route_not_found");
}

#[actix::test]
async fn parameters_are_checked_by_name_and_value() {
    let server = Server::start().await;
    for (path, parameter, code) in [
        ("/tasks?stauts=queued", "stauts", "unknown_parameter"),
        ("/tasks?status=queued&status=failed", "status", "duplicate_parameter"),
        ("/tasks?status=done", "status", "invalid_parameter"),
        ("/tasks?status=", "status", "invalid_parameter"),
        ("/tasks?limit=0", "limit", "invalid_parameter"),
        ("/tasks?limit=201", "limit", "invalid_parameter"),
        ("/tasks?limit=1000000000", "limit", "invalid_parameter"),
        ("/tasks?limit=x", "limit", "invalid_parameter"),
        ("/tasks?sort=name", "sort", "invalid_parameter"),
        ("/tasks?cursor=AAAA", "cursor", "invalid_parameter"),
        ("/tasks?cursor=%F0%9F%98%80", "cursor", "invalid_parameter"),
        ("/tasks?worker=me", "worker", "invalid_parameter"),
        ("/tasks?include=everything", "include", "invalid_parameter"),
        ("/tasks?count=all", "count", "invalid_parameter"),
        ("/tasks?created_after=yesterday", "created_after", "invalid_parameter"),
        ("/tasks?created_before=99999-01-01T00:00:00Z", "created_before", "invalid_parameter"),
        ("/tasks?q=%00", "q", "invalid_parameter"),
        ("/tasks?queue=a%20b", "queue", "invalid_parameter"),
        ("/queues?x=1", "x", "unknown_parameter"),
        ("/stats?since=5m", "since", "unknown_parameter"),
        ("/dlq?reason=bad", "reason", "invalid_parameter"),
        ("/dlq?sort=x", "sort", "unknown_parameter"),
        ("/events?topics=weather", "topics", "invalid_parameter"),
        ("/tasks/0198f2d4-7a3c-7c11-9a34-5b8e4d1f0c2a/result?wait=301s", "wait", "invalid_parameter"),
        ("/tasks/0198f2d4-7a3c-7c11-9a34-5b8e4d1f0c2a/result?wait=-1", "wait", "invalid_parameter"),
    ] {
        let problem = server.get(&format!("/api/v1{path}")).await.assert_problem(422, code);
        assert_eq!(problem["errors"][0]["parameter"], parameter, "{path}: {problem}");
    }
    server.post("/api/v1/tasks?wiat=1s", r#"{"name":"a"}"#).await.assert_problem(422, "unknown_parameter");
    server.post("/api/v1/tasks?wait=1h", r#"{"name":"a"}"#).await.assert_problem(422, "invalid_parameter");
    assert_eq!(server.stored(), 0);
}

#[actix::test]
async fn a_body_must_be_json_by_its_type_and_utf8_by_its_bytes() {
    let server = Server::start().await;
    let body = br#"{"name":"a"}"#;
    for media in ["text/plain", "application/x-www-form-urlencoded", "application/xml", "", "nonsense"] {
        let response = server.call("POST", "/api/v1/tasks", &[("Content-Type", media)], body).await;
        response.assert_problem(415, "unsupported_media_type");
    }
    let gzip = [("Content-Type", "application/json"), ("Content-Encoding", "gzip")];
    server.call("POST", "/api/v1/tasks", &gzip, body).await.assert_problem(415, "unsupported_content_encoding");
    assert_eq!(server.stored(), 0);
    for media in ["application/json", "application/json; charset=utf-8", "Application/JSON", "application/vnd.x+json"] {
        let response = server.call("POST", "/api/v1/tasks", &[("Content-Type", media)], body).await;
        assert_eq!(response.status, 201, "{media}: {}", response.text());
    }
    assert_eq!(server.call("POST", "/api/v1/tasks", &[], body).await.status, 201, "a missing type is taken for JSON");
    let stored = server.stored();
    let response = server.call("POST", "/api/v1/tasks", &[], b"{\"name\":\"a\xff\"}").await;
    response.assert_problem(400, "invalid_utf8");
    assert_eq!(server.stored(), stored);
}

#[actix::test]
async fn a_body_has_a_largest_size_however_it_is_sent() {
    let server = Server::start().await;
    let of_size = |size: usize| {
        let shell = r#"{"name":"a","args":[""]}"#;
        shell.replace("\"\"", &format!("\"{}\"", "x".repeat(size - shell.len())))
    };
    assert_eq!(server.post("/api/v1/tasks", &of_size(1 << 20)).await.status, 201);
    server.post("/api/v1/tasks", &of_size((1 << 20) + 1)).await.assert_problem(413, "body_too_large");
    server.post("/api/v1/tasks", &of_size(20 << 20)).await.assert_problem(413, "body_too_large");
    let batch = |size| format!("{{\"tasks\":[{}]}}", of_size(size));
    assert_eq!(server.post("/api/v1/tasks/batch", &batch(7 << 20)).await.status, 200);
    server.post("/api/v1/tasks/batch", &batch(8 << 20)).await.assert_problem(413, "body_too_large");
    let stored = server.stored();
    let mut chunked = b"POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..20 {
        chunked.extend_from_slice(b"10000\r\n");
        chunked.resize(chunked.len() + 0x10000, b' ');
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    server.raw(&chunked).await.assert_problem(413, "body_too_large");
    assert_eq!(server.stored(), stored);
}
