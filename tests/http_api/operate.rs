//! What an operator does and sees: cancel, retry, pause, dead letters, figures, workers, health.

use std::sync::atomic::Ordering;

use jobqueue::task::{ErrorKind, Outcome};
use serde_json::json;

use crate::support::Server;

/// A task that has failed for good.
async fn dead(server: &Server) -> String {
    let id = server.submit(r#"{"name":"a","max_retries":0}"#).await;
    server.claim("default").await.remove(0).finish(Outcome::failure(ErrorKind::Exit, "exit code 3"));
    assert_eq!(server.get(&format!("/api/v1/tasks/{id}/result?wait=30s")).await.json()["status"], "failed");
    id
}

#[actix::test]
async fn cancel_and_retry_go_by_the_status() {
    let server = Server::start().await;
    let id = server.submit(r#"{"name":"a"}"#).await;
    let (cancel, retry) = (format!("/api/v1/tasks/{id}/cancel"), format!("/api/v1/tasks/{id}/retry"));
    server.post(&retry, "{}").await.assert_problem(409, "task_not_finished");
    let done = server.post(&cancel, r#"{"reason":"by mistake"}"#).await.json();
    assert_eq!(done, json!({"id": id, "status": "cancelled", "cancel_requested": true}));
    let error = server.get(&format!("/api/v1/tasks/{id}")).await.json()["error"].clone();
    assert!(error["message"].as_str().unwrap().contains("by mistake"), "{error}");
    server.post(&cancel, "").await.assert_problem(409, "task_finished");
    let again = server.post(&retry, "").await;
    assert_eq!(
        (again.status, again.json()["status"].clone(), again.json()["generation"].clone()),
        (200, "queued".into(), 2.into())
    );
    let mut grants = server.claim("default").await;
    assert_eq!(server.post(&cancel, "{}").await.json()["status"], "running");
    assert_eq!(server.get(&format!("/api/v1/tasks/{id}")).await.json()["cancel_requested"], true);
    grants.remove(0).finish(Outcome::Cancelled);
    assert_eq!(server.get(&format!("/api/v1/tasks/{id}/result?wait=30s")).await.json()["status"], "cancelled");
    server.post(&cancel, r#"{"reason":""}"#).await.assert_problem(422, "invalid_field");
}

#[actix::test]
async fn dead_letters_are_listed_and_retried() {
    let server = Server::start().await;
    let (first, second) = (dead(&server).await, dead(&server).await);
    let page = server.get("/api/v1/dlq?limit=1").await.json();
    assert_eq!((&page["data"][0]["task_id"], &page["data"][0]["reason"]), (&json!(second), &json!("exhausted")));
    assert_eq!(page["data"][0]["error"], json!({"kind": "exit", "message": "exit code 3"}));
    let next = page["next_cursor"].as_str().unwrap();
    let page = server.get(&format!("/api/v1/dlq?limit=1&cursor={next}")).await.json();
    assert_eq!(page["data"][0]["task_id"], json!(first));
    assert_eq!(page["next_cursor"], json!(null));
    assert_eq!(server.get("/api/v1/dlq?reason=poison").await.json()["data"], json!([]));
    let letter = server.get(&format!("/api/v1/dlq/{first}")).await.json();
    assert_eq!((&letter["name"], &letter["attempts"]), (&json!("a"), &json!(1)));
    let retried = server.post(&format!("/api/v1/dlq/{first}/retry"), "{}").await.json();
    assert_eq!((&retried["id"], &retried["status"]), (&json!(first), &json!("queued")));
    server.post(&format!("/api/v1/dlq/{first}/retry"), "{}").await.assert_problem(404, "dead_letter_not_found");
    assert_eq!(server.get("/api/v1/stats").await.json()["dead_letters"], 1);
}

#[actix::test]
async fn queues_tell_what_waits_and_can_be_paused() {
    let server = Server::start().await;
    for body in [r#"{"name":"a","priority":9}"#, r#"{"name":"a"}"#, r#"{"name":"a","priority":0,"delay":60}"#] {
        server.submit(body).await;
    }
    let queue = server.post("/api/v1/queues/default/pause", "{}").await.json();
    assert_eq!((&queue["paused"], &queue["total_queued"]), (&json!(true), &json!(3)));
    assert_eq!(queue["queued_by_priority"], json!({"high": 1, "medium": 1, "low": 1}));
    assert_eq!((&queue["status_counts"]["queued"], &queue["status_counts"]["scheduled"]), (&json!(2), &json!(1)));
    assert_eq!(queue["status_counts"].as_object().unwrap().len(), 11);
    assert!(queue["oldest_ready_s"].as_f64().unwrap() >= 0.0);
    assert!(server.claim("default").await.is_empty());
    assert_eq!(server.post("/api/v1/queues/default/resume", "").await.json()["paused"], false);
    assert_eq!(server.claim("default").await.len(), 2);
    let stats = server.get("/api/v1/queues/default/stats").await.json();
    assert_eq!((&stats["queue"], &stats["rate_limit"]), (&json!("default"), &json!(null)));
    let list = server.get("/api/v1/queues").await.json();
    assert_eq!((&list["data"][0]["name"], &list["next_cursor"]), (&json!("default"), &json!(null)));
}

#[actix::test]
async fn figures_and_workers_follow_the_work() {
    let server = Server::start().await;
    server.submit(r#"{"name":"a"}"#).await;
    let grants = server.claim("default").await;
    grants[0].runs_in(2);
    let stats = server.get("/api/v1/stats").await.json();
    assert_eq!((&stats["slots"], &stats["workers"]), (&json!({"total": 2, "busy": 1}), &json!(1)));
    assert_eq!((&stats["status_counts"]["running"], &stats["totals"]["submitted"]), (&json!(1), &json!(1)));
    assert_eq!(stats["oldest_ready_s"], json!(null));
    let worker = server.get("/api/v1/workers").await.json()["data"][0].clone();
    assert_eq!(
        (&worker["host"], &worker["state"], &worker["slots_total"]),
        (&json!("here"), &json!("alive"), &json!(2))
    );
    assert_eq!((&worker["slots"][0]["task_id"], &worker["slots"][1]["name"]), (&json!(null), &json!("a")));
    let path = format!("/api/v1/workers/{}", worker["id"].as_str().unwrap());
    assert_eq!(server.get(&path).await.json()["slots"], worker["slots"]);
    assert_eq!(server.get("/api/v1/system/actors").await.json()["data"], json!([]));
}

#[actix::test]
async fn probes_tell_of_a_drain() {
    let server = Server::start().await;
    let health = server.get("/health").await.json();
    assert_eq!(health["status"], "ok");
    let kind = server.engine.reader().kind();
    let store = json!({"kind": kind, "status": "ok", "outcomes_waiting": 0, "spool_bytes": 0});
    let broker = json!({"kind": server.engine.broker().kind(), "status": "ok"});
    assert_eq!((&health["store"], &health["broker"]), (&store, &broker));
    assert_eq!(server.get("/readyz").await.status, 200);
    server.draining.store(true, Ordering::SeqCst);
    let problem = server.get("/readyz").await;
    problem.assert_problem(503, "draining");
    assert!(problem.header("retry-after").is_some());
    let refused = server.post("/api/v1/tasks", r#"{"name":"a"}"#).await;
    refused.assert_problem(503, "draining");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(server.get("/healthz").await.status, 200);
    assert_eq!(server.get("/health").await.json()["status"], "degraded");
    assert_eq!(server.stored(), 0);
}

#[actix::test]
async fn a_closed_engine_is_a_503() {
    let server = Server::start().await;
    server.engine.close();
    let response = server.post("/api/v1/tasks", r#"{"name":"a"}"#).await;
    response.assert_problem(503, "shutting_down");
    assert!(response.header("retry-after").is_some());
}

#[actix::test]
async fn faults_exist_only_where_they_are_allowed() {
    let server = Server::with(|state| state.allow_faults = true).await;
    let path = "/api/v1/system/faults/panic";
    server.post(path, r#"{"path":"root/none"}"#).await.assert_problem(404, "actor_not_found");
    server.post(path, "{}").await.assert_problem(422, "missing_field");
}
