//! Who loses their key while a request is under way is refused like anybody without one.

use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use crate::{
    access::{ask, make},
    support::{Response, Server},
};

/// Sends the head of a request that makes a key, and half of its body.
async fn half_a_key(server: &Server, header: &str) -> (tokio::net::TcpStream, &'static str) {
    const BODY: &str = r#"{"name":"late","scopes":["admin"]}"#;
    let mut stream = server.connect().await;
    let (length, address) = (BODY.len(), server.address);
    let head = format!(
        "POST /api/v1/keys HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n{header}\
         Connection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&BODY.as_bytes()[..5]).await.unwrap();
    (stream, &BODY[5..])
}

#[actix::test]
async fn a_body_that_comes_after_the_end_of_its_key_makes_nothing() {
    let server = Server::start().await;
    let (mut before, rest) = half_a_key(&server, "").await;
    // It is read once the server answers another request on its threads.
    server.get("/healthz").await;
    let (_, root) = make(&server, "", "root", json!({"scopes": ["admin"]})).await;
    before.write_all(rest.as_bytes()).await.unwrap();
    Response::read(&mut before).await.assert_problem(401, "key_required");

    let (id, thief) = make(&server, &root, "thief", json!({"scopes": ["admin"]})).await;
    let (mut late, rest) = half_a_key(&server, &format!("X-API-Key: {thief}\r\n")).await;
    server.get("/healthz").await;
    assert_eq!(ask(&server, &root, "DELETE", &format!("/api/v1/keys/{id}"), "").await.status, 204);
    late.write_all(rest.as_bytes()).await.unwrap();
    Response::read(&mut late).await.assert_problem(401, "key_revoked");
    let keys = ask(&server, &root, "GET", "/api/v1/keys", "").await.json();
    assert_eq!(keys["data"].as_array().unwrap().len(), 2, "{keys}");
}

#[actix::test]
async fn of_many_first_keys_at_once_one_is_made() {
    let server = Server::start().await;
    let body = |n: usize| json!({"name": format!("first-{n}"), "scopes": ["admin"]}).to_string();
    let bodies: Vec<_> = (0..16).map(body).collect();
    let answers =
        futures_util::future::join_all(bodies.iter().map(|body| ask(&server, "", "POST", "/api/v1/keys", body)));
    let made = answers.await.iter().filter(|answer| answer.status == 201).count();
    assert_eq!((made, server.engine.reader().keys().unwrap().len()), (1, 1));
}

#[actix::test]
async fn a_long_poll_ends_with_its_key() {
    let server = Server::start().await;
    let (_, root) = make(&server, "", "root", json!({"scopes": ["admin"]})).await;
    let (id, reader) = make(&server, &root, "reader", json!({"scopes": ["read"]})).await;
    let task =
        ask(&server, &root, "POST", "/api/v1/tasks", r#"{"name":"a"}"#).await.json()["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/tasks/{task}/result?wait=30s");
    let (poll, ()) = tokio::join!(ask(&server, &reader, "GET", &path, ""), async {
        server.get("/healthz").await;
        ask(&server, &root, "DELETE", &format!("/api/v1/keys/{id}"), "").await;
        ask(&server, &root, "POST", &format!("/api/v1/tasks/{task}/cancel"), "").await;
    });
    poll.assert_problem(401, "key_revoked");
}

#[actix::test]
async fn a_long_poll_of_a_client_that_is_gone_is_over() {
    let server = Server::with(|state| state.edge.max_connections = 1).await;
    let id = server.submit(r#"{"name":"a"}"#).await;
    let mut stream = server.connect().await;
    let (address, head) = (server.address, format!("GET /api/v1/tasks/{id}/result?wait=300s HTTP/1.1\r\n"));
    stream.write_all(format!("{head}Host: {address}\r\n\r\n").as_bytes()).await.unwrap();
    drop(stream);
    // There is room for one connection only.
    let next = tokio::time::timeout(Duration::from_secs(30), server.get("/healthz")).await;
    assert_eq!(next.unwrap().status, 200);
}

#[actix::test]
async fn a_key_that_is_configured_too_cannot_be_revoked_in_vain() {
    use std::sync::Arc;

    use jobqueue::engine::{Key, Settings};
    let settings = Settings { keys: vec![Arc::new(Key::configured("API_KEYS#1", "root"))], ..Settings::default() };
    let server = Server::with_settings(settings, |_| {}).await;
    let (id, secret) = make(&server, "root", "ops", json!({"scopes": ["admin"]})).await;
    assert_eq!(ask(&server, &secret, "DELETE", &format!("/api/v1/keys/{id}"), "").await.status, 204);
    for name in ["local ", "Anonymous", "api_keys#1", "ro\u{200b}ot", "a\u{a0}b", "\u{202e}lacol"] {
        let body = json!({"name": name, "scopes": ["read"]}).to_string();
        let refused = ask(&server, "root", "POST", "/api/v1/keys", &body).await.assert_problem(422, "invalid_field");
        assert_eq!(refused["errors"][0]["pointer"], "/name", "{name:?}");
    }
}

#[actix::test]
async fn other_arguments_need_the_right_to_submit_and_an_expired_result_is_nowhere() {
    let server = Server::start().await;
    let (_, root) = make(&server, "", "root", json!({"scopes": ["admin"]})).await;
    let (_, ops) = make(&server, &root, "ops", json!({"scopes": ["operate"]})).await;
    let id = ask(&server, &root, "POST", "/api/v1/tasks", r#"{"name":"a","max_retries":0}"#).await.json()["id"].clone();
    server
        .claim("default")
        .await
        .remove(0)
        .finish(jobqueue::task::Outcome::failure(jobqueue::task::ErrorKind::Exit, "no"));
    let id = id.as_str().unwrap();
    ask(&server, &root, "GET", &format!("/api/v1/tasks/{id}/result?wait=30s"), "").await;
    let path = format!("/api/v1/dlq/{id}/retry");
    ask(&server, &ops, "POST", &path, r#"{"args":["evil"]}"#).await.assert_problem(403, "missing_scope");
    assert_eq!(ask(&server, &ops, "POST", &path, "").await.status, 200);
    server.claim("default").await.remove(0).finish(jobqueue::task::Outcome::Success("7".into()));
    ask(&server, &root, "GET", &format!("/api/v1/tasks/{id}/result?wait=30s"), "").await;
    let list = format!("/api/v1/tasks?q={id}&include=result");
    assert_eq!(ask(&server, &root, "GET", &list, "").await.json()["data"][0]["result"], 7);
    ask(&server, &root, "PUT", &format!("/api/v1/tasks/{id}/result/ttl"), r#"{"ttl":"1ms"}"#).await;
    assert!(ask(&server, &root, "GET", &list, "").await.json()["data"][0]["result"].is_null());
}

#[actix::test]
async fn settings_in_force_are_those_that_were_stored_last() {
    let server = Server::start().await;
    for round in 0..30 {
        let path = format!("/api/v1/queues/s{round}");
        let put = async |body: &'static str| {
            server.call("PUT", &path, &[("Content-Type", "application/json")], body.as_bytes()).await;
        };
        tokio::join!(
            put(r#"{"max_depth":1,"paused":true}"#),
            put(r#"{"max_depth":null,"paused":true}"#),
            put(r#"{"max_depth":1,"paused":true}"#),
            put(r#"{"max_depth":null,"paused":true}"#)
        );
        let shown = server.get(&path).await.json()["max_depth"].clone();
        let task = format!(r#"{{"name":"a","queue":"s{round}"}}"#);
        let first = server.post("/api/v1/tasks", &task).await.status;
        let second = server.post("/api/v1/tasks", &task).await.status;
        assert_eq!((first, second), (201, if shown == 1 { 429 } else { 201 }), "{round}: {shown}");
    }
}
