//! Results are given out until their time is over.

use jobqueue::{store::RetentionLimits, task::Outcome};
use serde_json::json;

use crate::support::Server;

async fn succeeded(server: &Server, task: &str) -> String {
    let id = server.submit(task).await;
    server.claim("default").await.remove(0).finish(Outcome::Success("42".into()));
    server.get(&format!("/api/v1/tasks/{id}/result?wait=30s")).await;
    id
}

#[actix::test]
async fn a_result_expires_while_its_task_stays() {
    let server = Server::start().await;
    let id = succeeded(&server, r#"{"name":"a"}"#).await;
    let path = format!("/api/v1/tasks/{id}/result");
    let result = server.get(&path).await.json();
    assert_eq!(result["result"], 42);
    assert!(result["expires_at"].is_string(), "{result}");
    let put = async |body: &str| {
        server.call("PUT", &format!("{path}/ttl"), &[("Content-Type", "application/json")], body.as_bytes()).await
    };
    put(r#"{"ttl":"400d"}"#).await.assert_problem(422, "invalid_field");
    put("{}").await.assert_problem(422, "missing_field");
    assert_eq!(put(r#"{"ttl":"2h"}"#).await.json()["result"], 42);
    put(r#"{"ttl":0}"#).await.assert_problem(410, "result_expired");
    server.get(&path).await.assert_problem(410, "result_expired");
    put(r#"{"ttl":"2h"}"#).await.assert_problem(410, "result_expired");
    let task = server.get(&format!("/api/v1/tasks/{id}")).await.json();
    assert_eq!((&task["status"], task.get("result")), (&json!("success"), None));
}

#[actix::test]
async fn a_result_can_be_deleted_and_a_retry_has_a_new_one() {
    let server = Server::start().await;
    let id = succeeded(&server, r#"{"name":"a"}"#).await;
    let path = format!("/api/v1/tasks/{id}/result");
    assert_eq!(server.call("DELETE", &path, &[], b"").await.status, 204);
    server.get(&path).await.assert_problem(410, "result_expired");
    server.post(&format!("/api/v1/tasks/{id}/retry"), "").await;
    server.claim("default").await.remove(0).finish(Outcome::Success("43".into()));
    assert_eq!(server.get(&format!("{path}?wait=30s")).await.json()["result"], 43);
    let waiting = server.submit(r#"{"name":"a"}"#).await;
    server.call("DELETE", &format!("/api/v1/tasks/{waiting}/result"), &[], b"").await.assert_problem(409, "no_result");
}

#[actix::test]
async fn a_task_brings_its_own_time() {
    let server = Server::start().await;
    let id = succeeded(&server, r#"{"name":"a","result_ttl":0}"#).await;
    server.get(&format!("/api/v1/tasks/{id}/result")).await.assert_problem(410, "result_expired");
}

#[actix::test]
async fn finished_tasks_go_after_their_queue_s_time() {
    let server = Server::start().await;
    let keep = br#"{"retention":{"success":"0s"}}"#;
    server.call("PUT", "/api/v1/queues/default", &[("Content-Type", "application/json")], keep).await;
    let gone = succeeded(&server, r#"{"name":"a"}"#).await;
    let stays = server.submit(r#"{"name":"a","queue":"other"}"#).await;
    server.post(&format!("/api/v1/tasks/{stays}/cancel"), "").await;
    let prune = async || {
        let now = server.engine.clock().now();
        let (day, week) = (86_400_000, 7 * 86_400_000);
        let limits = RetentionLimits {
            audit_before: 0,
            now,
            success_before: now - day,
            others_before: now - week,
            idempotency_before: now - day,
            workers_before: now - day,
            minutes_before: now - day,
            hours_before: now - week,
            rows: 10,
        };
        server.engine.prune(limits, None).await.unwrap();
        server.get(&format!("/api/v1/tasks/{gone}")).await.status == 404
    };
    while !prune().await {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.get(&format!("/api/v1/tasks/{stays}")).await.json()["status"], "cancelled");
    assert_eq!(server.get("/api/v1/queues/default").await.json()["status_counts"]["success"], 0);
}
