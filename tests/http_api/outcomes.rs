//! What a handler may say besides "done" and "failed", and how long a task may be tried at all.

use jobqueue::task::{Again, ErrorKind, Outcome, TaskError};
use serde_json::{Value, json};

use crate::support::{DEADLINE, Server};

const HOUR: i64 = 3_600_000;

fn failure(again: Again) -> Outcome {
    Outcome::Failure { error: TaskError::new(ErrorKind::Failure, "no"), again }
}

async fn task(server: &Server, id: &str) -> Value {
    server.get(&format!("/api/v1/tasks/{id}")).await.json()
}

/// Reads the task until it is so.
async fn until(server: &Server, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let began = std::time::Instant::now();
    loop {
        let task = task(server, id).await;
        if is_so(&task) {
            return task;
        }
        assert!(began.elapsed() < DEADLINE, "{task}");
        tokio::task::yield_now().await;
    }
}

/// Looks for tasks whose time is over until this one is seen to be.
async fn expired(server: &Server, id: &str) -> Value {
    let began = std::time::Instant::now();
    loop {
        server.engine.expire(100).await.unwrap();
        let task = task(server, id).await;
        if task["status"] == "expired" {
            return task;
        }
        assert!(began.elapsed() < DEADLINE, "{task}");
        tokio::task::yield_now().await;
    }
}

/// Claims the one task that is ready, ends its attempt, and waits until that is recorded.
async fn attempt(server: &Server, outcome: Outcome) -> Value {
    let grant = server.claim("default").await.remove(0);
    let id = grant.task().id.to_string();
    grant.finish(outcome);
    until(server, &id, |task| task["status"] != "running").await
}

fn time(task: &Value, field: &str) -> i64 {
    task[field]
        .as_str()
        .unwrap_or_else(|| panic!("{field}: {task}"))
        .parse::<jiff::Timestamp>()
        .unwrap()
        .as_millisecond()
}

/// It is counted from the end of the attempt, which is recorded a moment later.
fn is_about(delay: i64, found: i64) -> bool {
    (delay - 20_000..=delay).contains(&found)
}

async fn run_now(server: &Server, id: &str) {
    assert_eq!(server.post(&format!("/api/v1/tasks/{id}/run-now"), "{}").await.status, 200);
}

#[actix::test]
async fn a_snooze_is_no_attempt() {
    let server = Server::start().await;
    let id = server.submit(r#"{"name":"a","max_retries":0}"#).await;
    for snoozes in 1..=3 {
        let task = attempt(&server, Outcome::Snoozed(HOUR)).await;
        assert_eq!((&task["status"], &task["snoozes"]), (&json!("scheduled"), &json!(snoozes)));
        assert_eq!((&task["attempt"], &task["failures"], &task["error"]), (&json!(0), &json!(0), &json!(null)));
        assert_eq!((&task["started_at"], &task["worker_id"]), (&json!(null), &json!(null)));
        let wait = time(&task, "ready_at") - time(&task, "created_at");
        assert!((HOUR..HOUR + 60_000).contains(&wait), "{wait}");
        assert!(server.claim("default").await.is_empty(), "its time has not come");
        let explained = server.get(&format!("/api/v1/tasks/{id}/explain")).await.json();
        assert_eq!(explained["reasons"][0]["code"], "not_due");
        assert_eq!(server.get(&format!("/api/v1/tasks/{id}/attempts")).await.json()["data"], json!([]));
        run_now(&server, &id).await;
    }
    let done = attempt(&server, Outcome::Success("1".into())).await;
    assert_eq!((&done["status"], &done["attempt"], &done["snoozes"]), (&json!("success"), &json!(1), &json!(3)));
    let window = server.get("/api/v1/stats?window=5m").await.json()["window"].clone();
    assert_eq!((&window["snoozed"], &window["failed_attempts"], &window["retried"]), (&json!(3), &json!(0), &json!(0)));
    let metrics = server.get("/metrics").await.text();
    assert!(metrics.contains("jobqueue_snoozed_total{queue=\"default\"} 3"), "{metrics}");
}

#[actix::test]
async fn a_snoozed_task_can_be_cancelled_and_started_anew() {
    let server = Server::start().await;
    let id = server.submit(r#"{"name":"a","unique_key":"k"}"#).await;
    attempt(&server, Outcome::Snoozed(HOUR)).await;
    assert_eq!(server.post(&format!("/api/v1/tasks/{id}/cancel"), "{}").await.json()["status"], "cancelled");
    assert_eq!(server.get(&format!("/api/v1/tasks/{id}/attempts")).await.json()["data"], json!([]));
    assert_eq!(server.post(&format!("/api/v1/tasks/{id}/retry"), "").await.json()["snoozes"], 0);
    // A cancel that was asked for while it ran is not put off with it.
    let grant = server.claim("default").await.remove(0);
    server.post(&format!("/api/v1/tasks/{id}/cancel"), "{}").await;
    grant.finish(Outcome::Snoozed(HOUR));
    let over = server.get(&format!("/api/v1/tasks/{id}/result?wait=30s")).await.json();
    assert_eq!(over["status"], "cancelled");
}

#[actix::test]
async fn a_handler_says_when_it_is_tried_again_and_uses_up_a_retry() {
    let server = Server::start().await;
    let id = server.submit(r#"{"name":"a","max_retries":1}"#).await;
    let waits = attempt(&server, failure(Again::After(HOUR))).await;
    assert_eq!((&waits["status"], &waits["failures"]), (&json!("retry"), &json!(1)));
    let attempts = server.get(&format!("/api/v1/tasks/{id}/attempts")).await.json();
    assert_eq!(attempts["data"][0]["outcome"], "failure");
    assert!(is_about(HOUR, attempts["data"][0]["next_delay_ms"].as_i64().unwrap()), "{attempts}");
    run_now(&server, &id).await;
    let dead = attempt(&server, failure(Again::After(0))).await;
    assert_eq!((&dead["status"], &dead["failures"]), (&json!("failed"), &json!(2)));
    assert_eq!(server.get(&format!("/api/v1/dlq/{id}")).await.json()["reason"], "exhausted");
}

#[actix::test]
async fn what_nobody_can_wait_for_is_left_to_the_policy() {
    let server = Server::start().await;
    server.submit(r#"{"name":"a","retry":{"strategy":"fixed","initial":"1h","max":"1h","jitter":false}}"#).await;
    let task = attempt(&server, failure(Again::After(-1))).await;
    let detail = task["error"]["detail"].as_str().unwrap();
    assert!(detail.contains("the retry policy decides"), "{detail}");
    let wait = time(&task, "ready_at") - time(&task, "finished_at");
    assert!(is_about(HOUR, wait), "{wait}");
}

#[actix::test]
async fn an_error_for_good_is_a_dead_letter_at_once() {
    let server = Server::start().await;
    let id = server.submit(r#"{"name":"a","max_retries":9}"#).await;
    let dead = attempt(&server, failure(Again::Never)).await;
    assert_eq!((&dead["status"], &dead["failures"]), (&json!("failed"), &json!(1)));
    assert_eq!(server.get("/api/v1/dlq?reason=not_retryable").await.json()["data"][0]["task_id"], json!(id));
}

#[actix::test]
async fn beyond_its_age_nothing_is_waited_for() {
    let server = Server::start().await;
    let tried = server.submit(r#"{"name":"a","max_age":"30m"}"#).await;
    let view = task(&server, &tried).await;
    assert_eq!(view["max_age_ms"], 1_800_000);
    assert_eq!(time(&view, "expires_at") - time(&view, "created_at"), 1_800_000);
    let explained = server.get(&format!("/api/v1/tasks/{tried}/explain")).await.json();
    assert_eq!((&explained["expires_by"], &explained["expires_at"]), (&json!("max_age"), &view["expires_at"]));
    let dead = attempt(&server, failure(Again::After(HOUR))).await;
    assert_eq!((&dead["status"], &dead["error"]["message"]), (&json!("failed"), &json!("no")));
    assert!(dead["error"]["detail"].as_str().unwrap().contains("max_age"), "{dead}");
    let letter = server.get("/api/v1/dlq?reason=expired").await.json()["data"][0].clone();
    assert_eq!((&letter["task_id"], &letter["reason"]), (&json!(tried), &json!("expired")));
    let snoozed = server.submit(r#"{"name":"a","max_age":"30m"}"#).await;
    let child = server.submit(&format!(r#"{{"name":"b","depends_on":["{snoozed}"]}}"#)).await;
    let over = attempt(&server, Outcome::Snoozed(HOUR)).await;
    assert_eq!((&over["status"], &over["error"]["kind"]), (&json!("expired"), &json!("expired")));
    while server.engine.resolve(100).await.unwrap() {}
    assert_eq!(task(&server, &child).await["status"], "skipped");
    let window = server.get("/api/v1/stats?window=5m").await.json()["window"].clone();
    assert_eq!((&window["expired"], &window["dead"], &window["snoozed"]), (&json!(1), &json!(1), &json!(0)));
    // Started anew it has as long again.
    let again = server.post(&format!("/api/v1/dlq/{tried}/retry"), "{}").await.json();
    assert!(time(&again, "expires_at") > time(&dead, "expires_at"), "{again}");
    let waits = attempt(&server, failure(Again::After(HOUR / 4))).await;
    assert_eq!(waits["status"], "retry");
    let explained = server.get(&format!("/api/v1/tasks/{tried}/explain")).await.json();
    assert_eq!(explained["expires_by"], "max_age");
}

#[actix::test]
async fn a_task_that_waits_beyond_its_age_expires() {
    let server = Server::start().await;
    let id = server.submit(r#"{"name":"a","max_age":"1ms"}"#).await;
    let view = expired(&server, &id).await;
    assert_eq!(view["error"]["kind"], "expired");
    assert!(server.claim("default").await.is_empty());
}

/// Its time was over while it ran, and nobody claims from its queue.
#[actix::test]
async fn a_task_given_back_after_its_age_expires_in_a_paused_queue_too() {
    let server = Server::start().await;
    let id = server.submit(r#"{"name":"a","max_age":"2s"}"#).await;
    let grant = server.claim("default").await.remove(0);
    assert_eq!(server.post("/api/v1/queues/default/pause", "{}").await.status, 200);
    let end = time(&task(&server, &id).await, "expires_at");
    while jiff::Timestamp::now().as_millisecond() <= end {
        tokio::task::yield_now().await;
    }
    while server.engine.expire(100).await.unwrap() {}
    assert_eq!(task(&server, &id).await["status"], "running", "what runs goes on");
    drop(grant);
    let view = expired(&server, &id).await;
    assert_eq!((&view["attempt"], &view["failures"]), (&json!(1), &json!(0)));
}

/// It failed in time and could not start again in time.
#[actix::test]
async fn what_expires_after_a_failure_says_what_that_was() {
    let server = Server::start().await;
    let id = server.submit(r#"{"name":"a","max_age":"2s"}"#).await;
    attempt(&server, failure(Again::After(1_500))).await;
    assert_eq!(server.post("/api/v1/queues/default/pause", "{}").await.status, 200);
    let view = expired(&server, &id).await;
    assert_eq!(view["error"]["detail"], "its last attempt: no");
}

#[actix::test]
async fn the_earlier_of_two_bounds_counts() {
    let server = Server::start().await;
    for (bounds, millis, by) in [
        (r#""max_age":"2h","expires_in":"1h""#, HOUR, "expires_at"),
        (r#""max_age":"1h","expires_in":"2h""#, HOUR, "max_age"),
        (r#""max_age":"1h","expires_at":"2030-01-01T00:00:00Z""#, HOUR, "max_age"),
        (r#""max_age":3600"#, HOUR, "max_age"),
    ] {
        let view = server.post("/api/v1/tasks", &format!(r#"{{"name":"a",{bounds}}}"#)).await.json();
        assert_eq!(time(&view, "expires_at") - time(&view, "created_at"), millis, "{bounds}");
        let id = view["id"].as_str().unwrap();
        assert_eq!(task(&server, id).await["expires_at"], view["expires_at"]);
        let explained = server.get(&format!("/api/v1/tasks/{id}/explain")).await.json();
        assert_eq!(explained["expires_by"], by, "{bounds}");
    }
    let none = server.post("/api/v1/tasks", r#"{"name":"a","max_age":null}"#).await.json();
    assert_eq!((&none["expires_at"], &none["max_age_ms"]), (&json!(null), &json!(null)));
}

#[actix::test]
async fn a_repeat_is_told_the_end_of_then() {
    let server = Server::start().await;
    for (key, bounds) in [("a", r#""max_age":"1h""#), ("b", r#""max_age":"2h","expires_in":"1h""#)] {
        let body = format!(r#"{{"name":"a",{bounds}}}"#);
        let send = async || server.call("POST", "/api/v1/tasks", &[("Idempotency-Key", key)], body.as_bytes()).await;
        let (first, second) = (send().await, send().await);
        assert_eq!(second.header("idempotent-replayed"), Some("true"));
        assert_eq!(first.json(), second.json());
    }
}

#[actix::test]
async fn a_queue_has_an_age_for_tasks_that_bring_none() {
    let server = Server::start().await;
    let put = server.call("PUT", "/api/v1/queues/q", &[], br#"{"max_age":"1h"}"#).await;
    assert_eq!((put.status, &put.json()["max_age"]), (200, &json!("1h")));
    let submit = async |rest: &str| server.post("/api/v1/tasks", &format!(r#"{{"name":"a","queue":"q"{rest}}}"#)).await;
    assert_eq!(submit("").await.json()["max_age_ms"], HOUR);
    assert_eq!(submit(r#","max_age":"5s""#).await.json()["max_age_ms"], 5_000);
    let free = submit(r#","max_age":null"#).await.json();
    assert_eq!((&free["max_age_ms"], &free["expires_at"]), (&json!(null), &json!(null)));
    let problem = submit(r#","delay":"2h""#).await.assert_problem(422, "invalid_field");
    assert_eq!(problem["errors"][0]["pointer"], "/max_age");
    assert_eq!(submit(r#","delay":"2h","max_age":"3h""#).await.status, 201);
    assert_eq!(submit(r#","delay":"2h","max_age":null"#).await.status, 201);
    for wrong in [r#"{"max_age":0}"#, r#"{"max_age":"367d"}"#] {
        let refused = server.call("PUT", "/api/v1/queues/q", &[], wrong.as_bytes()).await;
        assert_eq!(refused.assert_problem(422, "invalid_field")["errors"][0]["pointer"], "/max_age", "{wrong}");
    }
    // Given back to the server.
    assert_eq!(server.call("PUT", "/api/v1/queues/q", &[], b"{}").await.json()["max_age"], json!(null));
    assert_eq!(submit("").await.json()["max_age_ms"], json!(null));
}

#[actix::test]
async fn an_age_that_cannot_be_is_refused_by_its_name() {
    let server = Server::start().await;
    for wrong in [
        r#""max_age":0"#,
        r#""max_age":"0s""#,
        r#""max_age":"367d""#,
        r#""max_age":"10s","delay":"10s""#,
        r#""max_age":"10s","delay":"11s""#,
        r#""max_age":"1d","run_at":"2030-01-01T00:00:00Z""#,
    ] {
        let refused = server.post("/api/v1/tasks", &format!(r#"{{"name":"a",{wrong}}}"#)).await;
        assert_eq!(refused.assert_problem(422, "invalid_field")["errors"][0]["pointer"], "/max_age", "{wrong}");
    }
    for wrong in [r#""max_age":-5"#, r#""max_age":"soon""#, r#""max_age":true"#, r#""max_age":[]"#] {
        let refused = server.post("/api/v1/tasks", &format!(r#"{{"name":"a",{wrong}}}"#)).await;
        assert_eq!(
            (refused.status, refused.json()["errors"][0]["pointer"].as_str()),
            (422, Some("/max_age")),
            "{wrong}"
        );
    }
    assert_eq!(server.stored(), 0);
}
