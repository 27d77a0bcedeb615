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
async fn work_on_many_tasks_is_written_down_as_what_it_was_and_so_is_each_named_one() {
    let server = Server::start().await;
    let (_, root) = make(&server, "", "root", json!({"scopes": ["admin"]})).await;
    let call = async |method: &str, path: &str, body: &str, status: u16| {
        let done = ask(&server, &root, method, &format!("/api/v1{path}"), body).await;
        assert_eq!(done.status, status, "{method} {path}: {}", done.text());
        if done.body.is_empty() { Value::Null } else { done.json() }
    };
    let submit = async || call("POST", "/tasks", r#"{"name":"a"}"#, 201).await["id"].as_str().unwrap().to_owned();
    let (one, two) = (submit().await, submit().await);
    call("PATCH", &format!("/tasks/{one}"), r#"{"priority":9}"#, 200).await;
    call("POST", &format!("/tasks/{one}/run-now"), "", 200).await;
    let ids = json!({"action": "cancel", "ids": [one, two]});
    call("POST", "/tasks/bulk", &json!({"action": "cancel", "ids": [one, two], "dry_run": true}).to_string(), 200)
        .await;
    call("POST", "/tasks/bulk", &ids.to_string(), 200).await;
    call("POST", "/tasks/bulk", &ids.to_string(), 200).await;
    call("DELETE", &format!("/tasks/{one}"), "", 204).await;
    let operation = call("POST", "/tasks/bulk", r#"{"action":"delete","filter":{"name":"a"}}"#, 202).await;
    call("DELETE", "/dlq?all=true&dry_run=true", "", 200).await;
    let rows = log(&server, &root, "").await;
    let told: Vec<_> = rows.iter().rev().map(|row| (row["action"].as_str().unwrap(), &row["target"])).collect();
    let (one, two, operation) = (json!(one), json!(two), &operation["id"]);
    let wanted = [
        ("task.change", &one),
        ("task.run_now", &one),
        ("task.cancel", &one),
        ("task.cancel", &two),
        ("task.delete", &one),
        ("operation.begin", operation),
    ];
    assert_eq!(told[1..], wanted, "after the key's own");
    assert_eq!(rows[0]["detail"]["action"], "delete");
    assert_eq!(rows[0]["detail"]["among"]["tasks"]["name"], "a");
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
