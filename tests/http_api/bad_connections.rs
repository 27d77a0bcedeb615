//! What no HTTP library would send.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use crate::support::{Response, Server};

#[actix::test]
async fn a_body_that_does_not_end_is_cut_off() {
    let server = Server::with(|state| state.edge.body_deadline = Duration::from_millis(200)).await;
    let mut stream = server.connect().await;
    let head = "POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{\"name\":";
    stream.write_all(head.as_bytes()).await.unwrap();
    Response::read(&mut stream).await.assert_problem(408, "body_timeout");
    // A byte now and then does not buy time.
    let mut stream = server.connect().await;
    let head = "POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let drip = actix::spawn(async move {
        while writer.write_all(b"1\r\n \r\n").await.is_ok() {
            ticks.tick().await;
        }
    });
    let mut bytes = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut bytes);
    let _ = tokio::time::timeout(crate::support::DEADLINE, read).await.expect("still open");
    assert!(bytes.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&bytes));
    drip.abort();
    assert_eq!(server.stored(), 0);
}

#[actix::test]
async fn a_request_with_two_lengths_is_refused() {
    let server = Server::start().await;
    let body = r#"{"name":"a"}"#;
    for headers in [
        "Content-Length: 12\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 12",
        "Content-Length: 12\r\nContent-Length: 13",
        "Content-Length: -1",
        "Content-Length: 12, 12",
    ] {
        let request = format!("POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n{body}");
        let response = server.raw(request.as_bytes()).await;
        assert_eq!(response.status, 400, "{headers}: {}", response.text());
    }
    assert_eq!(server.stored(), 0);
}

#[actix::test]
async fn heads_have_a_largest_size_and_the_server_goes_on() {
    let server = Server::start().await;
    let huge = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: {}\r\n\r\n", "a".repeat(300_000));
    assert!((400..500).contains(&server.raw(huge.as_bytes()).await.status));
    let many = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X-A: a\r\n".repeat(200));
    assert!((400..500).contains(&server.raw(many.as_bytes()).await.status));
    for garbage in ["GET\r\n\r\n", "\u{16}\u{3}\u{1}", "GET / HTTP/9.9\r\n\r\n"] {
        let mut stream = server.connect().await;
        stream.write_all(garbage.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut bytes = Vec::new();
        let read = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut bytes);
        let _ = tokio::time::timeout(crate::support::DEADLINE, read).await.expect("still open");
    }
    assert_eq!(server.get("/healthz").await.status, 200);
}

#[actix::test]
async fn http_1_0_is_served_and_closed() {
    let server = Server::start().await;
    let response = server.raw(b"GET /healthz HTTP/1.0\r\n\r\n").await;
    assert_eq!((response.status, response.json()["status"].clone()), (200, "ok".into()));
    let body = r#"{"name":"a"}"#;
    let post = format!("POST /api/v1/tasks HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    assert_eq!(server.raw(post.as_bytes()).await.status, 201);
    assert_eq!(server.raw(b"GET /healthz HTTP/1.1\r\n\r\n").await.status, 400, "HTTP/1.1 has a Host");
}

#[actix::test]
async fn a_body_that_breaks_off_stores_nothing() {
    let server = Server::start().await;
    let mut stream = server.connect().await;
    let head = "POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{\"name\":\"a\"}";
    stream.write_all(head.as_bytes()).await.unwrap();
    drop(stream);
    assert_eq!(server.get("/healthz").await.status, 200);
    assert_eq!(server.stored(), 0);
}
