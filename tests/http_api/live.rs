//! Server-sent events: followed, taken up again, ended.

use std::{sync::atomic::Ordering, time::Duration};

use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

use crate::{
    access::{ask, make},
    support::{DEADLINE, Server},
};

struct Follower(BufReader<TcpStream>);

impl Follower {
    async fn start(server: &Server, query: &str, last: Option<&str>) -> Self {
        Self::with(server, query, last, "").await
    }

    /// With a key.
    async fn with(server: &Server, query: &str, last: Option<&str>, key: &str) -> Self {
        let mut stream = server.connect().await;
        let mut last = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        if !key.is_empty() {
            last += &format!("X-API-Key: {key}\r\n");
        }
        let head = format!("GET /api/v1/events{query} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{last}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut follower = Self(BufReader::new(stream));
        follower.until("retry: 2000").await;
        follower
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = tokio::time::timeout(DEADLINE, self.0.read_line(&mut line)).await.expect("nothing came");
        (read.unwrap() > 0).then(|| line.trim_end().to_owned())
    }

    /// Reads to the first line that starts so.
    async fn until(&mut self, start: &str) -> String {
        loop {
            let line = self.line().await.expect("the stream ended");
            if line.starts_with(start) {
                return line;
            }
        }
    }

    /// Reads one event: id, topic, data.
    async fn event(&mut self) -> (String, String, serde_json::Value) {
        let id = self.until("id: ").await[4..].to_owned();
        let topic = self.until("event: ").await[7..].to_owned();
        let data = serde_json::from_str(&self.until("data: ").await[6..]).unwrap();
        (id, topic, data)
    }
}

#[actix::test]
async fn events_come_and_missed_ones_are_caught_up() {
    let server = Server::start().await;
    let mut follower = Follower::start(&server, "?topics=tasks", None).await;
    let mut other = Follower::start(&server, "", None).await;
    let id = server.submit(r#"{"name":"a"}"#).await;
    let (seen, topic, data) = follower.event().await;
    assert_eq!((topic.as_str(), &data["ids"][0], &data["counts"]["queued"]), ("tasks", &id.clone().into(), &1.into()));
    drop(follower);
    let second = server.submit(r#"{"name":"b"}"#).await;
    other.event().await;
    let (latest, _, _) = other.event().await;
    let mut again = Follower::start(&server, "?topics=tasks", Some(&seen)).await;
    let (next, _, data) = again.event().await;
    assert_eq!((&next, &data["ids"][0]), (&latest, &second.into()));
    let mut elsewhere = Follower::start(&server, "?topics=workers", Some("0")).await;
    server.draining.store(true, Ordering::SeqCst);
    while let Some(line) = elsewhere.line().await {
        assert!(!line.starts_with("id: "), "an event of another topic: {line}");
    }
}

#[actix::test]
async fn who_cannot_be_caught_up_is_told_to_read_again() {
    let (server, other) = (Server::start().await, Server::start().await);
    for last in ["999999", "not-a-number", "-1", "0", ""] {
        let mut follower = Follower::start(&server, "", Some(last)).await;
        follower.until("event: reset").await;
    }
    // That of another node, also where this one has sent as many events.
    let (mut one, mut two) = (Follower::start(&server, "", None).await, Follower::start(&other, "", None).await);
    server.submit(r#"{"name":"a"}"#).await;
    let (id, ..) = one.event().await;
    for _ in 0..2 {
        other.submit(r#"{"name":"a"}"#).await;
        two.event().await;
    }
    Follower::start(&other, "", Some(&id)).await.until("event: reset").await;
    // Whoever has seen nothing yet has missed nothing.
    let mut new = Follower::start(&server, "", None).await;
    server.submit(r#"{"name":"b"}"#).await;
    assert!(new.until("event: ").await != "event: reset");
}

#[actix::test]
async fn followers_are_limited_and_a_drain_ends_them() {
    let server = Server::with(|state| state.edge.max_subscribers = 1).await;
    let mut follower = Follower::start(&server, "", None).await;
    let response = server.get("/api/v1/events").await;
    response.assert_problem(503, "too_many_subscribers");
    assert!(response.header("retry-after").is_some());
    server.draining.store(true, Ordering::SeqCst);
    while follower.line().await.is_some() {}
    server.get("/api/v1/events").await.assert_problem(503, "draining");
}

#[actix::test]
async fn one_key_does_not_take_the_streams_of_all() {
    let server = Server::with(|state| state.edge.max_subscribers = 8).await;
    let (_, root) = make(&server, "", "root", json!({"scopes": ["admin"]})).await;
    let (_, greedy) = make(&server, &root, "greedy", json!({"scopes": ["read"]})).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push(Follower::with(&server, "", None, &greedy).await);
    }
    for method in ["GET", "HEAD"] {
        let refused = ask(&server, &greedy, method, "/api/v1/events", "").await;
        assert_eq!((refused.status, refused.header("retry-after")), (429, Some("5")), "{method}");
    }
    let refused = ask(&server, &greedy, "GET", "/api/v1/events", "").await.assert_problem(429, "too_many_streams");
    assert!(refused["detail"].as_str().unwrap().contains("this API key"), "{refused}");
    // The others' are there, and its own again when one has ended.
    let _other = Follower::with(&server, "", None, &root).await;
    drop(held.pop());
    while server.events.subscribers() > 2 {
        ask(&server, &root, "POST", "/api/v1/tasks", r#"{"name":"a"}"#).await;
    }
    let _again = Follower::with(&server, "", None, &greedy).await;
}

#[actix::test]
async fn a_head_request_opens_no_stream() {
    let server = Server::start().await;
    let response = server.call("HEAD", "/api/v1/events", &[], b"").await;
    assert_eq!((response.status, response.header("content-type")), (200, Some("text/event-stream")));
    assert_eq!(response.header("content-encoding"), Some("identity"));
}

#[actix::test]
async fn what_happened_while_nobody_followed_counts_as_missed() {
    let server = Server::with(|state| state.edge.keep_alive = Duration::from_millis(20)).await;
    let mut follower = Follower::start(&server, "", None).await;
    server.submit(r#"{"name":"a"}"#).await;
    let (seen, _, _) = follower.event().await;
    drop(follower);
    while server.events.subscribers() > 0 {
        tokio::task::yield_now().await;
    }
    server.submit(r#"{"name":"b"}"#).await;
    let mut again = Follower::start(&server, "", Some(&seen)).await;
    // Whatever comes first: the event that was missed, or word that some were.
    server.submit(r#"{"name":"c"}"#).await;
    let first = again.until("event: ").await;
    assert!(first == "event: reset" || again.until("data: ").await.contains(r#""queued":2"#), "{first}");
}
