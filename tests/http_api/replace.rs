//! `unique_conflict: "replace"`: a task that waits becomes what is asked for now.

use jobqueue::task::{Again, ErrorKind, Outcome, TaskError};
use serde_json::{Value, json};

use crate::support::{DEADLINE, Server};

const REPLACE: &str = r#""unique_key": "k", "unique_conflict": "replace""#;

async fn get(server: &Server, id: &str) -> Value {
    server.get(&format!("/api/v1/tasks/{id}")).await.json()
}

async fn until(server: &Server, id: &str, status: &str) -> Value {
    let began = std::time::Instant::now();
    loop {
        let task = get(server, id).await;
        if task["status"] == status {
            return task;
        }
        assert!(began.elapsed() < DEADLINE, "{task}");
        tokio::task::yield_now().await;
    }
}

async fn replace(server: &Server, fields: &str) -> Value {
    let answer = server.post("/api/v1/tasks", &format!("{{{REPLACE}, {fields}}}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let task = answer.json();
    assert_eq!((&task["replaced"], &task["deduplicated"]), (&json!(true), &json!(null)), "{task}");
    task
}

#[actix::test]
async fn everything_that_was_asked_for_is_replaced() {
    let server = Server::start().await;
    let id = server
        .submit(&format!(
            r#"{{{REPLACE}, "name": "old", "args": [1], "kwargs": {{"a": 1}}, "priority": 9, "delay": "1h", "max_retries": 1,
            "retry": {{"strategy": "fixed"}}, "timeout": "1s", "max_age": "2h", "result_ttl": "1m", "tags": ["old"],
            "meta": {{"old": 1}}, "fair_key": "old", "rate_key": "old", "cost": 2, "unique": {{"for": "1d"}}}}"#
        ))
        .await;
    let before = get(&server, &id).await;
    let task = replace(
        &server,
        r#""name": "new", "args": [2, "ü"], "kwargs": {}, "priority": 1, "delay": "3h", "max_retries": 7, "timeout": null,
        "result_ttl": "1h", "tags": ["new", "two"], "concurrency_key": "new", "unique": {"while": ["waiting"]}"#,
    )
    .await;
    assert_eq!(task["id"], json!(id));
    for (field, value) in [
        ("name", json!("new")),
        ("args", json!([2, "ü"])),
        ("kwargs", json!({})),
        ("priority", json!(1)),
        ("status", json!("scheduled")),
        ("max_retries", json!(7)),
        ("retry", json!(null)),
        ("timeout_ms", json!(null)),
        ("max_age_ms", json!(null)),
        ("expires_at", json!(null)),
        ("result_ttl_ms", json!(3_600_000)),
        ("tags", json!(["new", "two"])),
        ("meta", json!(null)),
        ("fair_key", json!(null)),
        ("rate_key", json!(null)),
        ("cost", json!(null)),
        ("concurrency_key", json!("new")),
        ("unique_key", json!("k")),
        ("unique", json!({"while": ["waiting"], "until": null})),
        ("created_at", before["created_at"].clone()),
        ("generation", json!(2)),
        ("run_at", task["ready_at"].clone()),
    ] {
        assert_eq!(task[field], value, "{field}");
    }
    let moment = |task: &Value| task["run_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond();
    assert!((7_200_000..7_260_000).contains(&(moment(&task) - moment(&before))));
    let counts = server.get("/api/v1/queues/default/stats").await.json()["status_counts"].clone();
    assert_eq!(counts["scheduled"], 1, "{counts}");
    assert_eq!(server.stored(), 1);
    // Without a time it is ready at once.
    let now = replace(&server, r#""name": "now", "args": [3]"#).await;
    assert_eq!((&now["status"], &now["run_at"], &now["generation"]), (&json!("queued"), &json!(null), &json!(3)));
    let granted = server.claim("default").await;
    assert_eq!(granted.len(), 1);
    assert_eq!((&*granted[0].task().name, &*granted[0].task().args), ("now", "[3]"));
}

#[actix::test]
async fn the_order_and_the_lanes_are_those_of_what_is_asked_for_now() {
    let server = Server::start().await;
    let first = server.submit(&format!("{{{REPLACE}, \"name\": \"a\"}}")).await;
    let second = server.submit(r#"{"name": "b"}"#).await;
    // It keeps its place, unless it is to wait.
    replace(&server, r#""name": "c""#).await;
    let grants = server.claim_some("default", 2).await;
    assert_eq!(grants.iter().map(|grant| &*grant.task().name).collect::<Vec<_>>(), ["c", "b"]);
    grants.into_iter().for_each(|grant| grant.finish(Outcome::Success("1".into())));
    for id in [&first, &second] {
        until(&server, id, "success").await;
    }
    server.submit(&format!("{{{REPLACE}, \"name\": \"a\", \"priority\": 9}}")).await;
    server.submit(r#"{"name": "b"}"#).await;
    replace(&server, r#""name": "late", "delay": "1h", "priority": 9"#).await;
    let grants = server.claim_some("default", 2).await;
    assert_eq!(grants.iter().map(|grant| &*grant.task().name).collect::<Vec<_>>(), ["b"]);
    // From one lane to another, out of them and in again: it is found each time, and once.
    for (round, keys) in
        [r#""fair_key": "x""#, r#""fair_key": "y""#, r#""priority": 2"#, r#""priority": 7, "fair_key": "x""#]
            .into_iter()
            .enumerate()
    {
        replace(&server, &format!(r#""name": "n", "args": [{round}], {keys}"#)).await;
        if round < 3 {
            continue;
        }
        let mut grants = server.claim_some("default", 10).await;
        assert_eq!(grants.len(), 1);
        let grant = grants.remove(0);
        assert_eq!((&*grant.task().args, grant.task().priority.level(), grant.task().keyed), ("[3]", 7, true));
        let id = grant.task().id.to_string();
        grant.finish(Outcome::Success("1".into()));
        until(&server, &id, "success").await;
    }
    let out = server.submit(r#"{"name": "n", "unique_key": "k2", "fair_key": "x"}"#).await;
    let body = r#"{"name": "n", "unique_key": "k2", "unique_conflict": "replace"}"#;
    assert_eq!(server.post("/api/v1/tasks", body).await.json()["replaced"], true);
    let grants = server.claim_some("default", 10).await;
    assert_eq!(grants.iter().map(|grant| grant.task().id.to_string()).collect::<Vec<_>>(), [out]);
    assert!(!grants[0].task().keyed);
}

#[actix::test]
async fn only_what_waits_is_replaced() {
    let server = Server::start().await;
    let body =
        format!("{{{REPLACE}, \"name\": \"a\", \"unique\": {{\"while\": [\"waiting\", \"running\", \"success\"]}}}}");
    let id = server.submit(&body).await;
    let grant = server.claim("default").await.remove(0);
    let problem = server.post("/api/v1/tasks", &body).await.assert_problem(409, "unique_key_held");
    assert_eq!(problem["task_id"], json!(id));
    assert!(problem["detail"].as_str().unwrap().contains("only a task that waits"), "{problem}");
    // All or nothing.
    let atomic = format!(r#"{{"tasks": [{{"name": "other"}}, {body}], "atomic": true}}"#);
    server.post("/api/v1/tasks/batch", &atomic).await.assert_problem(409, "unique_key_held");
    assert_eq!(server.stored(), 1);
    grant.finish(Outcome::Success("1".into()));
    until(&server, &id, "success").await;
    server.post("/api/v1/tasks", &body).await.assert_problem(409, "unique_key_held");
    assert_eq!(get(&server, &id).await["generation"], 1);
    // What is let go at the start has another one instead: the last word is never lost.
    let debounced = |n: usize| {
        let scope = r#""unique": {"by": ["name"], "while": ["waiting"]}, "unique_conflict": "replace""#;
        format!(r#"{{"name": "d", "args": [{n}], {scope}}}"#)
    };
    let first = server.submit(&debounced(1)).await;
    assert_eq!(server.post("/api/v1/tasks", &debounced(2)).await.json()["id"], json!(first));
    let grant = server.claim("default").await.remove(0);
    assert_eq!(grant.task().args, "[2]");
    let second = server.submit(&debounced(3)).await;
    assert_ne!(second, first);
}

#[actix::test]
async fn a_task_that_has_run_starts_anew_and_one_that_waits_for_others_still_does() {
    let server = Server::start().await;
    let retry = r#""retry": {"initial": "1h", "max": "1h", "jitter": false}"#;
    let id = server.submit(&format!("{{{REPLACE}, \"name\": \"a\", {retry}}}")).await;
    let error = TaskError::new(ErrorKind::Failure, "no");
    server.claim("default").await.remove(0).finish(Outcome::Failure { error, again: Again::ByPolicy });
    until(&server, &id, "retry").await;
    let task = replace(&server, r#""name": "a", "args": [2]"#).await;
    assert_eq!((&task["status"], &task["attempt"], &task["failures"]), (&json!("queued"), &json!(0), &json!(0)));
    assert_eq!((&task["error"], &task["generation"]), (&json!(null), &json!(2)));
    let attempts = server.get(&format!("/api/v1/tasks/{id}/attempts")).await.json();
    assert_eq!(attempts["data"].as_array().unwrap().len(), 1, "{attempts}");
    server.claim("default").await.remove(0).finish(Outcome::Success("1".into()));
    until(&server, &id, "success").await;
    // One that waits for another.
    let parent = server.submit(r#"{"name": "p"}"#).await;
    let child = server.submit(&format!(r#"{{"name": "c", "unique_key": "k", "depends_on": ["{parent}"]}}"#)).await;
    let task = replace(&server, r#""name": "c", "args": [1]"#).await;
    assert_eq!((&task["id"], &task["status"], &task["parents"]), (&json!(child), &json!("pending"), &json!(1)));
    server.claim("default").await.remove(0).finish(Outcome::Success("1".into()));
    until(&server, &child, "queued").await;
    assert_eq!(server.claim("default").await.remove(0).task().args, "[1]");
}

#[actix::test]
async fn an_end_that_was_set_before_is_not_the_end_of_what_is_asked_for_now() {
    let server = Server::start().await;
    let id =
        server.submit(&format!("{{{REPLACE}, \"name\": \"a\", \"delay\": \"1ms\", \"expires_in\": \"2ms\"}}")).await;
    replace(&server, r#""name": "a", "delay": "1h", "max_age": "2h""#).await;
    let again = server.submit(r#"{"name": "a", "delay": "1ms", "expires_in": "2ms"}"#).await;
    server.post(&format!("/api/v1/tasks/{again}/cancel"), "{}").await;
    assert_eq!(server.post(&format!("/api/v1/tasks/{again}/retry"), "").await.status, 200);
    let last = server.submit(r#"{"name": "a", "delay": "1ms", "expires_in": "2ms"}"#).await;
    let began = std::time::Instant::now();
    while get(&server, &last).await["status"] != "expired" {
        server.engine.expire(100).await.unwrap();
        assert!(began.elapsed() < DEADLINE);
    }
    assert_eq!(get(&server, &id).await["status"], "scheduled");
    assert_eq!(get(&server, &again).await["status"], "queued");
}

#[actix::test]
async fn in_a_batch_the_last_one_counts_and_a_repeat_gets_the_same_answer() {
    let server = Server::start().await;
    let tasks: Vec<Value> = (0..20)
        .map(|n| json!({"name": "a", "args": [n], "delay": "1h", "unique_key": format!("k{}", n % 3), "unique_conflict": "replace"}))
        .collect();
    let answer = server.post("/api/v1/tasks/batch", &json!({ "tasks": tasks }).to_string()).await.json();
    let results = answer["results"].as_array().unwrap();
    let ids: Vec<&Value> = results.iter().map(|one| &one["id"]).collect();
    for (n, one) in results.iter().enumerate() {
        let replaced = if n < 3 { json!(null) } else { json!(true) };
        assert_eq!((&one["status"], &one["replaced"]), (&json!(if n < 3 { 201 } else { 200 }), &replaced), "{one}");
        assert_eq!(ids[n], ids[n % 3]);
    }
    for (key, last) in [(0, 18), (1, 19), (2, 17)] {
        assert_eq!(get(&server, ids[key].as_str().unwrap()).await["args"], json!([last]));
    }
    // A child of one that is replaced waits for the one that is there.
    let family = json!({"tasks": [
        {"name": "a", "args": ["p"], "unique_key": "k0", "unique_conflict": "replace"},
        {"name": "c", "depends_on": [{"index": 0}]}
    ]});
    let answer = server.post("/api/v1/tasks/batch", &family.to_string()).await.json();
    let child = answer["results"][1]["id"].as_str().unwrap();
    let around = server.get(&format!("/api/v1/tasks/{child}/dependencies")).await.json();
    assert!(around.to_string().contains(ids[0].as_str().unwrap()), "{around}");
    let body = r#"{"name": "a", "args": ["once"], "unique_key": "k1", "unique_conflict": "replace"}"#;
    let headers = [("Content-Type", "application/json"), ("Idempotency-Key", "i")];
    let first = server.call("POST", "/api/v1/tasks", &headers, body.as_bytes()).await;
    let again = server.call("POST", "/api/v1/tasks", &headers, body.as_bytes()).await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (200, None));
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, Some("true")));
    assert_eq!(first.json(), again.json(), "it was not replaced twice");
}

/// Whoever is quicker: a task that was replaced never runs as it was, and one that runs is never changed.
#[actix::test]
async fn a_claim_and_a_replacement_do_not_mix() {
    let server = Server::start().await;
    for n in 0..40 {
        let id = server.submit(&format!("{{{REPLACE}, \"name\": \"old\", \"args\": [{n}]}}")).await;
        let body = format!("{{{REPLACE}, \"name\": \"new\", \"args\": [{n}]}}");
        let (answer, grants) = tokio::join!(server.post("/api/v1/tasks", &body), server.claim("default"));
        let grant = match grants.into_iter().next() {
            Some(grant) => grant,
            None => server.claim("default").await.remove(0),
        };
        assert_eq!(grant.task().id.to_string(), id);
        let expected = if answer.status == 200 { "new" } else { "old" };
        assert_eq!(
            (&*grant.task().name, answer.status == 200 || answer.status == 409),
            (expected, true),
            "{}",
            answer.text()
        );
        grant.finish(Outcome::Success("1".into()));
        until(&server, &id, "success").await;
    }
}
