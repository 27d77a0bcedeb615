//! Keys: made, shown once, checked, revoked.

use jobqueue::{
    engine::{Key, Settings},
    store::Act,
    task::{KeyId, Reach, Scope},
};
use serde_json::json;

use crate::{
    access::{ask, make},
    support::Server,
};

#[actix::test]
async fn without_a_key_everything_is_open_and_with_the_first_nothing_is() {
    let server = Server::start().await;
    assert_eq!(server.get("/api/v1/tasks").await.status, 200);
    let session = server.get("/api/v1/session").await.json();
    assert_eq!((&session["auth"], &session["scopes"][4]), (&json!(false), &json!("admin")));
    let first = ask(&server, "", "POST", "/api/v1/keys", r#"{"name":"ci","scopes":["submit"]}"#).await;
    assert_eq!(first.assert_problem(422, "first_key")["errors"][0]["pointer"], "/scopes");
    let (id, root) = make(&server, "", "root", json!({"scopes": ["admin"]})).await;
    server.get("/api/v1/tasks").await.assert_problem(401, "key_required");
    assert_eq!(ask(&server, &root, "GET", "/api/v1/tasks", "").await.status, 200);
    let header = [("X-API-Key", root.as_str())];
    assert_eq!(server.call("GET", "/api/v1/tasks", &header, b"").await.status, 200);
    // The end of the last key opens nothing again.
    assert_eq!(ask(&server, &root, "DELETE", &format!("/api/v1/keys/{id}"), "").await.status, 204);
    ask(&server, &root, "GET", "/api/v1/tasks", "").await.assert_problem(401, "key_revoked");
    server.get("/api/v1/tasks").await.assert_problem(401, "key_required");
}

#[actix::test]
async fn a_secret_is_shown_once_and_kept_nowhere() {
    let server = Server::start().await;
    let (id, root) = make(&server, "", "root", json!({"scopes": ["admin"]})).await;
    assert!(root.starts_with("jq_") && root.len() == 51 && root[3..].bytes().all(|byte| byte.is_ascii_hexdigit()));
    let (_, other) = make(&server, &root, "other", json!({"scopes": ["read", "submit"], "queues": ["a-*"]})).await;
    assert_ne!(root, other);
    let list = ask(&server, &root, "GET", "/api/v1/keys", "").await;
    assert!(!list.text().contains(&root) && !list.text().contains(&other));
    let list = list.json();
    assert_eq!(list["data"][0]["id"], json!(id));
    let shown = ["name", "scopes", "queues", "state", "expires_at"].map(|field| list["data"][1][field].clone());
    assert_eq!(json!(shown), json!(["other", ["read", "submit"], ["a-*"], "active", null]));
    let one = ask(&server, &root, "GET", &format!("/api/v1/keys/{id}"), "").await;
    assert_eq!(one.json(), list["data"][0]);
    for row in server.engine.reader().keys().unwrap() {
        assert!(!format!("{row:?}").contains(&root[3..]));
    }
    let audit = ask(&server, &root, "GET", "/api/v1/audit", "").await;
    assert!(audit.text().contains("key.create") && !audit.text().contains("jq_"));
}

#[actix::test]
async fn bad_keys_name_the_field() {
    let server = Server::start().await;
    let (_, root) = make(&server, "", "root", json!({"scopes": ["admin"]})).await;
    for (body, code, pointer) in [
        (r#"{"scopes":["read"]}"#, "missing_field", "/name"),
        (r#"{"name":"a"}"#, "missing_field", "/scopes"),
        (r#"{"name":"","scopes":["read"]}"#, "invalid_field", "/name"),
        (r#"{"name":"a\nb","scopes":["read"]}"#, "invalid_field", "/name"),
        (r#"{"name":"anonymous","scopes":["read"]}"#, "invalid_field", "/name"),
        (r#"{"name":"API_KEYS#1","scopes":["read"]}"#, "invalid_field", "/name"),
        (r#"{"name":"a","scopes":[]}"#, "invalid_field", "/scopes"),
        (r#"{"name":"a","scopes":["read","write"]}"#, "invalid_field", "/scopes/1"),
        (r#"{"name":"a","scopes":["read"],"queues":[]}"#, "invalid_field", "/queues"),
        (r#"{"name":"a","scopes":["read"],"queues":["ok","a b"]}"#, "invalid_field", "/queues/1"),
        (r#"{"name":"a","scopes":["read"],"queues":[""]}"#, "invalid_field", "/queues/0"),
        (r#"{"name":"a","scopes":["read"],"expires_at":"soon"}"#, "invalid_field", "/expires_at"),
        (r#"{"name":"a","scopes":["read"],"expires_at":"2020-01-01T00:00:00Z"}"#, "invalid_field", "/expires_at"),
        (r#"{"name":"a","scopes":["read"],"expires_in":0}"#, "invalid_field", "/expires_in"),
        (r#"{"name":"a","scopes":["read"],"secret":"x"}"#, "unknown_field", "/secret"),
    ] {
        let problem = ask(&server, &root, "POST", "/api/v1/keys", body).await.assert_problem(422, code);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}");
    }
    ask(&server, &root, "POST", "/api/v1/keys", r#"{"name":"root","scopes":["read"]}"#)
        .await
        .assert_problem(409, "key_name_taken");
    assert_eq!(ask(&server, &root, "GET", "/api/v1/keys", "").await.json()["data"].as_array().unwrap().len(), 1);
}

#[actix::test]
async fn odd_credentials_open_nothing() {
    let server = Server::start().await;
    let (_, root) = make(&server, "", "root", json!({"scopes": ["admin"]})).await;
    let upper = root.to_uppercase();
    let (short, long, basic) = (format!("Bearer {}", &root[..50]), format!("Bearer {root}0"), format!("Basic {root}"));
    for header in [
        ("Authorization", "Bearer"),
        ("Authorization", "Bearer "),
        ("Authorization", &short),
        ("Authorization", &long),
        ("Authorization", &basic),
        ("Authorization", &root),
        ("X-API-Key", &upper),
        ("X-API-Key", ""),
        ("Cookie", "jobqueue_session="),
        ("Cookie", "jobqueue_session=0; jobqueue_session"),
        ("X-Forwarded-For", "127.0.0.1"),
    ] {
        assert_eq!(server.call("GET", "/api/v1/tasks", &[header], b"").await.status, 401, "{header:?}");
    }
    let wrong = server.call("GET", "/api/v1/tasks", &[("X-API-Key", "jq_1")], b"").await;
    wrong.assert_problem(401, "invalid_key");
    assert!(wrong.header("www-authenticate").unwrap().contains("invalid_token"));
    let lower = format!("bearer  {root}");
    assert_eq!(server.call("GET", "/api/v1/tasks", &[("authorization", &lower)], b"").await.status, 200);
}

#[actix::test]
async fn health_without_a_key_is_a_probe_and_no_more() {
    let server = Server::start().await;
    let (_, root) = make(&server, "", "root", json!({"scopes": ["admin"]})).await;
    assert_eq!(server.get("/health").await.json(), json!({"status": "ok"}));
    assert_eq!(ask(&server, &root, "GET", "/health", "").await.json()["store"]["kind"], server.engine.reader().kind());
    for path in ["/healthz", "/readyz", "/openapi.json", "/ui/"] {
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }
}

#[actix::test]
async fn configured_keys_may_do_everything_and_are_not_stored() {
    let keys = vec![std::sync::Arc::new(Key::configured("API_KEYS#1", "from-the-environment"))];
    let server = Server::with_settings(Settings { keys, ..Settings::default() }, |_| {}).await;
    server.get("/api/v1/keys").await.assert_problem(401, "key_required");
    let list = ask(&server, "from-the-environment", "GET", "/api/v1/keys", "").await;
    assert_eq!(list.json()["data"], json!([]));
    make(&server, "from-the-environment", "ci", json!({"scopes": ["submit"]})).await;
    let audit = ask(&server, "from-the-environment", "GET", "/api/v1/audit", "").await.json();
    assert_eq!((&audit["data"][0]["actor"], &audit["data"][0]["action"]), (&json!("API_KEYS#1"), &json!("key.create")));
}

#[actix::test]
async fn what_others_change_in_the_store_is_learned_and_use_is_noted_there() {
    let server = Server::start().await;
    let (_, root) = make(&server, "", "root", json!({"scopes": ["admin"]})).await;
    assert_eq!(ask(&server, &root, "GET", "/api/v1/tasks", "").await.status, 200);
    server.engine.renew_keys().await.unwrap();
    let row = server.engine.reader().keys().unwrap().remove(0);
    assert!(row.last_used_at.is_some());
    let used = row.last_used_at;
    assert_eq!(ask(&server, &root, "GET", "/api/v1/tasks", "").await.status, 200);
    server.engine.renew_keys().await.unwrap();
    assert_eq!(server.engine.reader().keys().unwrap()[0].last_used_at, used, "once a minute is enough");

    let other = jobqueue::store::KeyRow {
        id: KeyId::random(),
        name: "other".into(),
        hash: jobqueue::engine::hash_key("elsewhere"),
        scopes: [Scope::Read].into_iter().collect(),
        queues: Reach::all(),
        created_at: 1,
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    };
    let id = other.id;
    let mut session = server.session();
    session.transaction(&mut |tx| tx.add_key(&other, false).map(drop)).unwrap();
    assert_eq!(ask(&server, "elsewhere", "GET", "/api/v1/tasks", "").await.status, 401);
    server.engine.renew_keys().await.unwrap();
    assert_eq!(ask(&server, "elsewhere", "GET", "/api/v1/tasks", "").await.status, 200);
    session.transaction(&mut |tx| tx.revoke_key(id, 2).map(drop)).unwrap();
    server.engine.renew_keys().await.unwrap();
    ask(&server, "elsewhere", "GET", "/api/v1/tasks", "").await.assert_problem(401, "key_revoked");
    let act = || Act::local("key.revoke", id);
    assert_eq!(server.engine.revoke_key(id, act()).await.unwrap(), jobqueue::store::KeyRevoked::Before);
}
