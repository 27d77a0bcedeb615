//! The audit log: what changed something is in it, once, under the name of who did it.

use serde_json::{Value, json};

use crate::{
    access::{ask, make},
    support::Server,
};

async fn log(server: &Server, key: &str, query: &str) -> Vec<Value> {
    let list = ask(server, key, "GET", &format!("/api/v1/audit?limit=200{query}"), "").await;
    assert_eq!(list.status, 200, "{}", list.text());
    list.json()["data"].as_array().unwrap().clone()
}

#[actix::test]
async fn each_act_that_changes_something_is_written_down_once() {
    let server = Server::start().await;
    let (id, root) = make(&server, "", "root", json!({"scopes": ["admin"]})).await;
    let (_, ops) = make(&server, &root, "ops", json!({"scopes": ["operate"]})).await;
    let body = r#"{"name":"a","args":["not for the log"],"queue":"mail"}"#;
    let task = ask(&server, &root, "POST", "/api/v1/tasks", body).await.json()["id"].as_str().unwrap().to_owned();
    let act = async |method: &str, path: &str, body: &str, status: u16| {
        let done = ask(&server, &ops, method, &format!("/api/v1{path}"), body).await;
        assert_eq!(done.status, status, "{method} {path}: {}", done.text());
    };
    for (action, target, steps) in [
        (
            "task.cancel",
            task.as_str(),
            &[("POST", format!("/tasks/{task}/cancel"), r#"{"reason":"wrong"}"#, [200, 409])][..],
        ),
        ("task.retry", &task, &[("POST", format!("/tasks/{task}/retry"), "{}", [200, 409])]),
        ("result.ttl", &task, &[("PUT", format!("/tasks/{task}/result/ttl"), r#"{"ttl":"1h"}"#, [202, 0])]),
        ("queue.pause", "mail", &[("POST", "/queues/mail/pause".into(), "", [200, 200])]),
        ("queue.resume", "mail", &[("POST", "/queues/mail/resume".into(), "", [200, 200])]),
        ("queue.configure", "mail", &[("PUT", "/queues/mail".into(), r#"{"weight":3}"#, [200, 200])]),
        ("rate_limit.set", "mail", &[("PUT", "/queues/mail/rate-limit".into(), r#"{"limit":5}"#, [200, 200])]),
        ("rate_limit.delete", "mail", &[("DELETE", "/queues/mail/rate-limit".into(), "", [204, 204])]),
        ("queue.configure", "new", &[("PUT", "/queues/new".into(), "{}", [200, 200])]),
        ("queue.delete", "new", &[("DELETE", "/queues/new".into(), "", [204, 404])]),
    ] {
        let before = log(&server, &root, "").await.len();
        for (method, path, body, statuses) in steps {
            // The second time it changes nothing, or is refused.
            for status in statuses.iter().filter(|status| **status > 0) {
                act(method, path, body, *status).await;
            }
        }
        let rows = log(&server, &root, "").await;
        assert_eq!(rows.len(), before + 1, "{action}");
        let told = ["actor", "action", "target"].map(|field| rows[0][field].as_str().unwrap());
        assert_eq!(told, ["ops", action, target]);
    }
    let rows = log(&server, &root, "").await;
    let oldest = rows.last().unwrap();
    assert_eq!((&oldest["actor"], &oldest["target"]), (&json!("anonymous"), &json!(id)), "before there was a key");
    assert!(rows.windows(2).all(|pair| pair[0]["seq"].as_i64() > pair[1]["seq"].as_i64()));
    assert!(!json!(rows).to_string().contains("not for the log"));
    let cancel = &log(&server, &root, "&action=task.cancel").await[0];
    assert_eq!(cancel["detail"], json!({"reason": "wrong"}));
}

#[actix::test]
async fn the_log_is_filtered_and_paged() {
    let server = Server::start().await;
    let (_, root) = make(&server, "", "root", json!({"scopes": ["admin"]})).await;
    for name in ["a", "b", "c"] {
        let path = format!("/api/v1/queues/{name}");
        ask(&server, &root, "PUT", &path, r#"{"weight":2}"#).await;
        ask(&server, &root, "POST", &format!("{path}/pause"), "").await;
    }
    assert_eq!(log(&server, &root, "&actor=root").await.len(), 6);
    assert_eq!(log(&server, &root, "&action=queue.pause").await.len(), 3);
    assert_eq!(log(&server, &root, "&target=b&action=queue.pause").await.len(), 1);
    assert!(log(&server, &root, "&actor=nobody").await.is_empty());
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = ask(&server, &root, "GET", &format!("/api/v1/audit?actor=root&limit=4{cursor}"), "").await.json();
        seen.extend(page["data"].as_array().unwrap().iter().map(|row| row["seq"].as_i64().unwrap()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let whole: Vec<_> =
        log(&server, &root, "&actor=root").await.iter().map(|row| row["seq"].as_i64().unwrap()).collect();
    assert_eq!(seen, whole);
    ask(&server, &root, "GET", &format!("/api/v1/audit?actor=x{cursor}"), "")
        .await
        .assert_problem(422, "invalid_parameter");
}
