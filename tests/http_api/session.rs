//! Sessions of the dashboard: a cookie that stands for a key.

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{
    access::{ask, make},
    support::{DEADLINE, Response, Server},
};

fn login(key: &str) -> String {
    json!({ "key": key }).to_string()
}

fn cookie(response: &Response) -> String {
    response.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

async fn with(server: &Server, cookie: &str, method: &str, path: &str) -> Response {
    server.call(method, path, &[("Cookie", &format!("theme=dark; {cookie}"))], b"").await
}

#[actix::test]
async fn a_session_is_its_key_until_that_is_revoked() {
    let server = Server::start().await;
    let (_, root) = make(&server, "", "root", json!({"scopes": ["admin"]})).await;
    let (id, ops) = make(&server, &root, "ops", json!({"scopes": ["operate"], "queues": ["a*"]})).await;
    server.post("/api/v1/session", &login("jq_wrong")).await.assert_problem(401, "invalid_key");
    server.get("/api/v1/session").await.assert_problem(401, "key_required");
    let opened = server.post("/api/v1/session", &login(&format!(" {ops}\n"))).await;
    assert_eq!(opened.status, 200);
    let set = opened.header("set-cookie").unwrap();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
        assert!(set.contains(part), "{set}");
    }
    assert!(!set.contains("Secure") && !set.contains(&ops[3..]), "{set}");
    let who = json!({"auth": true, "name": "ops", "scopes": ["read", "operate"], "queues": ["a*"]});
    assert_eq!(opened.json(), who);
    let cookie = cookie(&opened);
    assert_eq!(with(&server, &cookie, "GET", "/api/v1/session").await.json(), who);
    assert_eq!(with(&server, &cookie, "GET", "/api/v1/tasks").await.status, 200);
    with(&server, &cookie, "GET", "/api/v1/keys").await.assert_problem(403, "missing_scope");
    // A cookie does not make a page of another origin one of ours.
    let foreign = [("Cookie", cookie.as_str()), ("Origin", "http://evil.example")];
    server.call("POST", "/api/v1/queues/a/pause", &foreign, b"").await.assert_problem(403, "cross_origin");
    // A key that is sent counts, and a wrong one is not made up for by a session.
    let both = [("Cookie", cookie.as_str()), ("X-API-Key", "jq_wrong")];
    server.call("GET", "/api/v1/tasks", &both, b"").await.assert_problem(401, "invalid_key");
    ask(&server, &root, "DELETE", &format!("/api/v1/keys/{id}"), "").await;
    with(&server, &cookie, "GET", "/api/v1/tasks").await.assert_problem(401, "key_revoked");
}

#[actix::test]
async fn a_session_ends_when_it_is_closed() {
    let server = Server::start().await;
    let (_, root) = make(&server, "", "root", json!({"scopes": ["admin"]})).await;
    let cookie = cookie(&server.post("/api/v1/session", &login(&root)).await);
    assert_eq!(with(&server, &cookie, "GET", "/api/v1/keys").await.status, 200);
    let closed = with(&server, &cookie, "DELETE", "/api/v1/session").await;
    assert_eq!(closed.status, 204);
    assert!(
        closed.header("set-cookie").unwrap().contains("jobqueue_session=; ")
            && closed.header("set-cookie").unwrap().contains("Max-Age=0")
    );
    with(&server, &cookie, "GET", "/api/v1/keys").await.assert_problem(401, "invalid_key");
    assert_eq!(server.call("DELETE", "/api/v1/session", &[], b"").await.status, 204);
    let body = login(&root);
    let own = format!("https://{}", server.address);
    let over_tls = [("Origin", own.as_str()), ("Content-Type", "application/json")];
    let opened = server.call("POST", "/api/v1/session", &over_tls, body.as_bytes()).await;
    assert!(opened.header("set-cookie").unwrap().ends_with("; Secure"));
}

#[actix::test]
async fn the_event_stream_works_with_the_cookie_and_ends_with_the_key() {
    let server = Server::start().await;
    let (_, root) = make(&server, "", "root", json!({"scopes": ["admin"]})).await;
    let (id, reader) = make(&server, &root, "reader", json!({"scopes": ["read"]})).await;
    let cookie = cookie(&server.post("/api/v1/session", &login(&reader)).await);
    let mut stream = server.connect().await;
    let head = format!("GET /api/v1/events HTTP/1.1\r\nHost: {}\r\nCookie: {cookie}\r\n\r\n", server.address);
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut seen = String::new();
    while !seen.contains("retry: 2000") {
        let mut bytes = [0; 1024];
        let n = tokio::time::timeout(DEADLINE, stream.read(&mut bytes)).await.unwrap().unwrap();
        seen += std::str::from_utf8(&bytes[..n]).unwrap();
    }
    assert!(seen.starts_with("HTTP/1.1 200"), "{seen}");
    ask(&server, &root, "DELETE", &format!("/api/v1/keys/{id}"), "").await;
    // The next event finds the key revoked: the stream ends instead of telling of it.
    ask(&server, &root, "POST", "/api/v1/tasks", r#"{"name":"a","queue":"secret"}"#).await;
    let mut rest = Vec::new();
    let mut bytes = [0; 1024];
    loop {
        let n = tokio::time::timeout(DEADLINE, stream.read(&mut bytes)).await.unwrap().unwrap();
        rest.extend_from_slice(&bytes[..n]);
        if n == 0 || rest.ends_with(b"0\r\n\r\n") {
            break;
        }
    }
    assert!(!String::from_utf8_lossy(&rest).contains("secret"));
}
