//! Logging in with a key, what a key that only reads is shown, and the end of a session.

use serde_json::json;

use crate::{Stage, support::Server};

const ROOT: &str = "a-root-key-for-this-test-only";

/// Makes a key; its id and secret.
fn key(server: &Server, name: &str, scopes: &[&str]) -> (String, String) {
    let headers = format!("Content-Type: application/json\r\nX-API-Key: {ROOT}\r\n");
    let body = json!({ "name": name, "scopes": scopes }).to_string();
    let (status, made, _) = server.try_call("POST", "/api/v1/keys", &headers, &body).unwrap();
    assert_eq!(status, 201, "{made}");
    (made["id"].as_str().unwrap().to_owned(), made["key"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn who_has_no_key_sees_nothing_and_who_may_only_read_changes_nothing() {
    let stage = Stage::open_under(&[("API_KEYS", ROOT)]).await;
    let (page, server) = (&stage.page, &stage.server);
    let headers = format!("Content-Type: application/json\r\nX-API-Key: {ROOT}\r\n");
    let (_, task, _) = server
        .try_call("POST", "/api/v1/tasks", &headers, r#"{"name":"demo.fail","args":["no"],"max_retries":0}"#)
        .unwrap();
    let path = format!("/ui/tasks/{}", task["id"].as_str().unwrap());

    page.open(&path).await;
    page.shows("label[for=field-key]", "API key").await;
    page.fill("#field-key", "jq_wrong").await;
    page.click(".login button").await;
    page.shows(".login .fault", "There is no such API key").await;

    let (id, reader) = key(server, "reader", &["read"]);
    page.fill("#field-key", &reader).await;
    page.click(".login button").await;
    // Where one was going, and without what one may not do.
    page.shows(".pill", "failed").await;
    page.shows(".bar-top .tag", "Read-only").await;
    let buttons = page.texts("main button").await;
    assert!(!buttons.iter().any(|text| text.contains("Retry") || text.contains("Cancel")), "{buttons:?}");
    page.lacks("a[href=new]").await;
    // No script can read the session.
    assert_eq!(page.run("return document.cookie").await, "");
    assert!(!page.run("return JSON.stringify([localStorage, sessionStorage])").await.to_string().contains("jq_"));
    page.reload().await;
    page.shows(".pill", "failed").await;

    // A key that is revoked is out at the next thing it asks for.
    let headers = format!("X-API-Key: {ROOT}\r\n");
    assert_eq!(server.try_call("DELETE", &format!("/api/v1/keys/{id}"), &headers, "").unwrap().0, 204);
    page.shows("label[for=field-key]", "API key").await;

    let (_, operator) = key(server, "operator", &["operate", "submit"]);
    page.fill("#field-key", &operator).await;
    page.click(".login button").await;
    page.shows("main button", "Retry").await;
    page.lacks(".bar-top .tag").await;
    page.click(".bar-top button.ghost").await;
    page.shows("label[for=field-key]", "API key").await;
    let console = page.console().await;
    assert!(console.iter().all(|entry| entry["source"] == "network"), "{console:?}");
}
