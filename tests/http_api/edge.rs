//! What every request passes: hosts, origins, headers, HEAD, files.

use crate::support::Server;

#[actix::test]
async fn every_answer_is_dressed() {
    let server = Server::start().await;
    for path in ["/healthz", "/api/v1/tasks", "/nothing", "/", "/ui/", "/openapi.json", "/ui/none.js"] {
        let response = server.get(path).await;
        let policy = response.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'self';") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(response.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert!(response.header("x-request-id").is_some_and(|id| id.len() == 16), "{path}");
        let cache = if path == "/ui/" { "no-cache" } else { "no-store" };
        assert_eq!(response.header("cache-control"), Some(cache), "{path}");
    }
    let response = server.call("GET", "/healthz", &[("X-Request-Id", "abc-1")], b"").await;
    assert_eq!(response.header("x-request-id"), Some("abc-1"));
    let response = server.call("GET", "/nothing", &[("X-Request-Id", "a b")], b"").await;
    response.assert_problem(404, "route_not_found");
    assert_ne!(response.header("x-request-id"), Some("a b"));
}

#[actix::test]
async fn a_server_on_loopback_answers_to_its_own_names_only() {
    let server = Server::with(|state| state.edge.hosts.push("jobs.internal".into())).await;
    for host in ["localhost", "LOCALHOST:1", "127.0.0.1:8000", "[::1]", "[::1]:8000", "jobs.internal:80"] {
        assert_eq!(server.call("GET", "/healthz", &[("Host", host)], b"").await.status, 200, "{host}");
    }
    for host in ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "[::2]:1", ""]
    {
        for (method, path) in [("GET", "/api/v1/tasks"), ("POST", "/api/v1/tasks"), ("DELETE", "/x"), ("GET", "/ui/")] {
            server.call(method, path, &[("Host", host)], b"").await.assert_problem(421, "wrong_host");
        }
    }
}

#[actix::test]
async fn a_page_of_another_origin_changes_nothing() {
    let server = Server::start().await;
    let own = format!("http://{}", server.address);
    let body = br#"{"name":"a"}"#;
    for header in [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
        ("Sec-Fetch-Site", "none"),
        ("Origin", "http://evil.example"),
        ("Origin", "http://127.0.0.1:1"),
        ("Origin", "null"),
    ] {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            server.call(method, "/api/v1/tasks", &[header], body).await.assert_problem(403, "cross_origin");
        }
        assert_eq!(server.call("GET", "/api/v1/tasks", &[header], b"").await.status, 200);
    }
    assert_eq!(server.stored(), 0);
    for header in [("Sec-Fetch-Site", "same-origin"), ("Origin", own.as_str())] {
        assert_eq!(server.call("POST", "/api/v1/tasks", &[header], body).await.status, 201);
    }
}

#[actix::test]
async fn head_is_get_without_the_body() {
    let server = Server::start().await;
    server.submit(r#"{"name":"a"}"#).await;
    for path in [
        "/api/v1/tasks",
        "/api/v1/queues",
        "/api/v1/queues/default",
        "/health",
        "/openapi.json",
        "/ui/",
        "/ui/index.html",
    ] {
        let (head, get) = (server.call("HEAD", path, &[], b"").await, server.get(path).await);
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
    }
    assert_eq!(server.call("HEAD", "/nothing", &[], b"").await.status, 404);
}

#[actix::test]
async fn the_dashboard_is_served_with_its_types_and_tags() {
    let server = Server::start().await;
    let root = server.get("/").await;
    assert_eq!((root.status, root.header("location")), (302, Some("/ui/")));
    let index = server.get("/ui/").await;
    assert_eq!((index.status, index.header("content-type")), (200, Some("text/html; charset=utf-8")));
    for path in ["/ui", "/ui/index.html", "/ui/tasks", "/ui/tasks/0198f2d4", "/ui/queues/x"] {
        assert_eq!(server.get(path).await.body, index.body, "{path}");
    }
    for path in ["/ui/none.js", "/ui/js/none.css", "/ui/../Cargo.toml", "/ui/%2e%2e/Cargo.toml", "/ui/..%2fCargo.toml"]
    {
        assert_eq!(server.get(path).await.status, 404, "{path}");
    }
    let tag = index.header("etag").unwrap();
    let again = server.call("GET", "/ui/", &[("If-None-Match", tag)], b"").await;
    assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, Some(tag)));
    assert_eq!(server.call("GET", "/ui/", &[("If-None-Match", "W/\"x\"")], b"").await.status, 200);
}
