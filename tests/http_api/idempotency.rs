//! `Idempotency-Key`: the first answer again, whatever happened since.

use serde_json::{Value, json};

use crate::{
    access::make,
    support::{Response, Server},
};

async fn send(server: &Server, path: &str, key: &str, body: &str) -> Response {
    server.call("POST", path, &[("Idempotency-Key", key)], body.as_bytes()).await
}

#[actix::test]
async fn a_repeat_is_given_the_first_answer() {
    let server = Server::start().await;
    let body = r#"{"name":"a","delay":"1h","args":[1]}"#;
    let first = send(&server, "/api/v1/tasks", "k1", body).await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (201, None));
    for _ in 0..3 {
        let again = send(&server, "/api/v1/tasks", "k1", body).await;
        assert_eq!((again.status, again.header("idempotent-replayed")), (201, Some("true")));
        assert_eq!(again.text(), first.text());
        assert_eq!(again.header("location"), first.header("location"));
    }
    assert_eq!(server.stored(), 1);
    send(&server, "/api/v1/tasks", "k1", r#"{"name":"b"}"#).await.assert_problem(422, "idempotency_key_reused");
    send(&server, "/api/v1/tasks/batch", "k1", r#"{"tasks":[{"name":"a"}]}"#)
        .await
        .assert_problem(422, "idempotency_key_reused");
    assert_eq!(send(&server, "/api/v1/tasks", "k2", body).await.status, 201);
    assert_eq!(server.stored(), 2);
}

#[actix::test]
async fn a_batch_is_repeated_whole_and_a_refusal_stays_one() {
    let server = Server::start().await;
    let body = r#"{"tasks":[{"name":"a"},{"name":""},{"name":"b","unique_key":"u"},{"name":"c","unique_key":"u"}]}"#;
    let first = send(&server, "/api/v1/tasks/batch", "k", body).await;
    let again = send(&server, "/api/v1/tasks/batch", "k", body).await;
    assert_eq!((again.status, again.text()), (first.status, first.text()));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(server.stored(), 2);
    let holder = first.json()["results"][2]["id"].as_str().unwrap().to_owned();
    let reject = r#"{"name":"d","unique_key":"u","unique_conflict":"reject"}"#;
    send(&server, "/api/v1/tasks", "r", reject).await.assert_problem(409, "unique_key_held");
    assert_eq!(server.post(&format!("/api/v1/tasks/{holder}/cancel"), "").await.status, 200);
    send(&server, "/api/v1/tasks", "r", reject).await.assert_problem(409, "unique_key_held");
    assert_eq!(server.stored(), 2);
}

#[actix::test]
async fn a_key_has_a_form() {
    let server = Server::start().await;
    for key in ["", &"k".repeat(256), "a\tb", "ä"] {
        send(&server, "/api/v1/tasks", key, r#"{"name":"a"}"#).await.assert_problem(422, "invalid_header");
    }
    assert_eq!(send(&server, "/api/v1/tasks", &"k".repeat(255), r#"{"name":"a"}"#).await.status, 201);
    assert_eq!(server.stored(), 1);
}

/// A queue that is full is part of the first answer where anything else of the request was stored.
#[actix::test]
async fn a_batch_of_which_a_part_found_no_room_is_stored_once() {
    let server = Server::start().await;
    server.call("PUT", "/api/v1/queues/small", &[], br#"{"max_depth":1}"#).await;
    let body = r#"{"tasks":[{"name":"a"},{"name":"a","queue":"small"},{"name":"a","queue":"small"}]}"#;
    let first = send(&server, "/api/v1/tasks/batch", "k", body).await;
    let statuses =
        |reply: &Value| reply["results"].as_array().unwrap().iter().map(|item| item["status"].clone()).collect();
    let told: Vec<Value> = statuses(&first.json());
    assert_eq!(told, [201, 201, 429]);
    let again = send(&server, "/api/v1/tasks/batch", "k", body).await;
    assert_eq!((again.text(), again.header("idempotent-replayed")), (first.text(), Some("true")));
    assert_eq!(server.stored(), 2);
    // Where nothing was stored there is nothing to be repeated: it may be tried again.
    let none = r#"{"tasks":[{"name":"a","queue":"small"}]}"#;
    let told: Vec<Value> = statuses(&send(&server, "/api/v1/tasks/batch", "n", none).await.json());
    assert_eq!(told, [429]);
    let held = server.claim("small").await;
    let told: Vec<Value> = statuses(&send(&server, "/api/v1/tasks/batch", "n", none).await.json());
    assert_eq!(told, [201]);
    drop(held);
}

/// Nobody learns or blocks anything by the key of another.
#[actix::test]
async fn each_api_key_has_idempotency_keys_of_its_own() {
    let server = Server::start().await;
    let body = r#"{"name":"a","args":["secret"]}"#;
    let open = send(&server, "/api/v1/tasks", "k", body).await.json();
    let (_, root) = make(&server, "", "root", json!({"scopes": ["admin"]})).await;
    let (_, one) = make(&server, &root, "one", json!({"scopes": ["submit"]})).await;
    let (_, other) = make(&server, &root, "other", json!({"scopes": ["submit"]})).await;
    let send = async |secret: &str, path: &str, body: &str| {
        let headers = [("Idempotency-Key", "k"), ("X-API-Key", secret)];
        server.call("POST", path, &headers, body.as_bytes()).await
    };
    let mut ids = vec![open["id"].clone()];
    for secret in [&root, &one, &other] {
        let first = send(secret, "/api/v1/tasks", body).await;
        assert_eq!((first.status, first.header("idempotent-replayed")), (201, None), "{}", first.text());
        let again = send(secret, "/api/v1/tasks", body).await;
        assert_eq!((again.text(), again.header("idempotent-replayed")), (first.text(), Some("true")));
        send(secret, "/api/v1/tasks/batch", r#"{"tasks":[{"name":"a"}]}"#)
            .await
            .assert_problem(422, "idempotency_key_reused");
        ids.push(first.json()["id"].clone());
    }
    assert_eq!(server.stored(), 4);
    let different: std::collections::HashSet<_> = ids.iter().map(Value::to_string).collect();
    assert_eq!(different.len(), 4, "{ids:?}");
}
