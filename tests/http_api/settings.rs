//! What an operator sets for a queue: limits, bounds, defaults.

use serde_json::json;

use crate::support::Server;

async fn put(server: &Server, path: &str, body: &str) -> crate::support::Response {
    server.call("PUT", path, &[("Content-Type", "application/json")], body.as_bytes()).await
}

#[actix::test]
async fn settings_are_shown_as_they_were_set_and_one_of_two_editors_is_told() {
    let server = Server::start().await;
    let settings = r#"{"weight":3,"concurrency":2,"max_depth":5,"max_retries":1,"timeout":null,
        "retry":{"strategy":"fixed","initial":"2s"},"rate_limit":{"limit":100,"per":"1m"},
        "retention":{"success":"1h"}}"#;
    let queue = put(&server, "/api/v1/queues/mail", settings).await.json();
    assert_eq!(queue["version"], 2);
    let again = server.get("/api/v1/queues/mail").await.json();
    assert_eq!(queue, again);
    let shown =
        ["weight", "concurrency", "max_depth", "max_retries", "timeout", "rate_limit"].map(|key| again[key].clone());
    assert_eq!(json!(shown), json!([3, 2, 5, 1, null, "100 per 1m"]));
    put(&server, "/api/v1/queues/mail", r#"{"weight":5,"version":2}"#).await.json();
    put(&server, "/api/v1/queues/mail", r#"{"weight":7,"version":2}"#).await.assert_problem(409, "queue_changed");
    let last = server.get("/api/v1/queues/mail").await.json();
    assert_eq!((&last["weight"], &last["concurrency"]), (&json!(5), &json!(null)), "all is replaced");
    assert!(last.as_object().unwrap().get("timeout").is_none());
}

#[actix::test]
async fn bad_settings_name_the_field_and_change_nothing() {
    let server = Server::start().await;
    put(&server, "/api/v1/queues/q", r#"{"weight":2}"#).await.json();
    let limit = |body: &str| format!(r#"{{"rate_limit":{body}}}"#);
    for (body, code, pointer) in [
        (r#"{"weight":0}"#.to_owned(), "invalid_field", "/weight"),
        (r#"{"concurrency":0}"#.to_owned(), "invalid_field", "/concurrency"),
        (r#"{"concurrency":-1}"#.to_owned(), "invalid_field", "/concurrency"),
        (r#"{"max_depth":1000000000000}"#.to_owned(), "invalid_field", "/max_depth"),
        (r#"{"max_retries":-1}"#.to_owned(), "invalid_field", "/max_retries"),
        (r#"{"timeout":"0s"}"#.to_owned(), "invalid_field", "/timeout"),
        (r#"{"retry":{"base":0}}"#.to_owned(), "invalid_field", "/retry/base"),
        (r#"{"retention":{"success":"1000000d"}}"#.to_owned(), "invalid_field", "/retention/success"),
        (r#"{"ageing":"999ms"}"#.to_owned(), "invalid_field", "/ageing"),
        (r#"{"ageing":0}"#.to_owned(), "invalid_field", "/ageing"),
        (r#"{"ageing":-60}"#.to_owned(), "invalid_field", "/ageing"),
        (r#"{"ageing":"30d1ms"}"#.to_owned(), "invalid_field", "/ageing"),
        (r#"{"ageing":"31d"}"#.to_owned(), "invalid_field", "/ageing"),
        (r#"{"ageing":1e300}"#.to_owned(), "invalid_field", "/ageing"),
        (r#"{"ageing":"soon"}"#.to_owned(), "invalid_field", "/ageing"),
        (r#"{"ageing":true}"#.to_owned(), "invalid_field", "/ageing"),
        (r#"{"ageing":["1m"]}"#.to_owned(), "invalid_field", "/ageing"),
        (r#"{"wieght":2}"#.to_owned(), "unknown_field", "/wieght"),
        (limit("{}"), "missing_field", "/rate_limit/limit"),
        (limit(r#"{"limit":0}"#), "invalid_field", "/rate_limit/limit"),
        (limit(r#"{"limit":-1}"#), "invalid_field", "/rate_limit/limit"),
        (limit(r#"{"limit":1000000000000}"#), "invalid_field", "/rate_limit/limit"),
        (limit(r#"{"limit":5,"per":"0s"}"#), "invalid_field", "/rate_limit/per"),
        (limit(r#"{"limit":5,"per":"36525d"}"#), "invalid_field", "/rate_limit/per"),
        (limit(r#"{"limit":5,"burst":2}"#), "invalid_field", "/rate_limit/burst"),
        (limit(r#"{"limit":5,"by":"rate_key"}"#), "invalid_field", "/rate_limit/by"),
        (r#"{"key_rate_limit":{"limit":0}}"#.to_owned(), "invalid_field", "/key_rate_limit/limit"),
        (r#"{"key_rate_limit":{"limit":-1}}"#.to_owned(), "invalid_field", "/key_rate_limit/limit"),
        (r#"{"key_rate_limit":{"limit":5,"by":"queue"}}"#.to_owned(), "invalid_field", "/key_rate_limit/by"),
        (
            r#"{"key_rate_limit":{"limit":{"high":1,"medium":1,"low":1}}}"#.to_owned(),
            "invalid_field",
            "/key_rate_limit/limit",
        ),
        (r#"{"key_concurrency":0}"#.to_owned(), "invalid_field", "/key_concurrency"),
        (r#"{"key_concurrency":-1}"#.to_owned(), "invalid_field", "/key_concurrency"),
        (r#"{"fair_weights":{"a":0}}"#.to_owned(), "invalid_field", "/fair_weights/a"),
        (r#"{"fair_weights":{"a/b":1001}}"#.to_owned(), "invalid_field", "/fair_weights/a~1b"),
        (r#"{"fair_weights":{"":1}}"#.to_owned(), "invalid_field", "/fair_weights/"),
        (r#"{"fair_weights":[1]}"#.to_owned(), "invalid_field", "/fair_weights"),
        (limit(r#"{"limit":5,"by":"moon"}"#), "invalid_field", "/rate_limit/by"),
        (limit(r#"{"limit":{"high":1,"medium":1,"low":1}}"#), "invalid_field", "/rate_limit/limit"),
        (limit("[1]"), "invalid_field", "/rate_limit"),
        (limit(r#"{"limit":[1,2,3],"by":"priority"}"#), "invalid_field", "/rate_limit/limit"),
        (r#"{"retention":["1s","2s"]}"#.to_owned(), "invalid_field", "/retention"),
        (r#"{"retry":["fixed"]}"#.to_owned(), "invalid_field", "/retry"),
        (limit(r#"{"limit":5,"max_tasks_per_minute":5}"#), "invalid_field", "/rate_limit/max_tasks_per_minute"),
    ] {
        let problem = put(&server, "/api/v1/queues/q", &body).await.assert_problem(422, code);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
    }
    put(&server, "/api/v1/queues/no%20such", "{}").await.assert_problem(422, "invalid_field");
    let queue = server.get("/api/v1/queues/q").await.json();
    assert_eq!((&queue["weight"], &queue["version"]), (&json!(2), &json!(2)));
}

#[actix::test]
async fn a_rate_limit_tells_what_is_used_and_when_more_comes() {
    let server = Server::start().await;
    let path = "/api/v1/queues/mail/rate-limit";
    server.get(path).await.assert_problem(404, "queue_not_found");
    let set = put(&server, path, r#"{"limit":2,"per":"1h"}"#).await.json();
    assert_eq!((&set["used"], &set["remaining"], &set["next_permit_in_s"]), (&json!(0), &json!(2), &json!(0.0)));
    for _ in 0..5 {
        server.submit(r#"{"name":"a","queue":"mail"}"#).await;
    }
    let held = server.claim("mail").await;
    assert_eq!(held.len(), 2);
    assert_eq!(server.claim("mail").await.len(), 0);
    let shown = server.get(path).await.json();
    assert_eq!((&shown["used"], &shown["remaining"], &shown["limit"]), (&json!(2), &json!(0), &json!(2)));
    assert!(shown["next_permit_in_s"].as_f64().unwrap() > 3_000.0, "{shown}");
    assert_eq!(server.get("/api/v1/queues/mail/stats").await.json()["rate_limit"]["used"], 2);
    // What has started counts against a new limit as well; one switched off holds nobody up.
    put(&server, path, r#"{"limit":3,"per":"1h"}"#).await.json();
    let third = server.claim("mail").await;
    assert_eq!(third.len(), 1);
    put(&server, path, r#"{"limit":3,"per":"1h","enabled":false}"#).await.json();
    assert_eq!(server.claim("mail").await.len(), 2);
    assert_eq!(server.call("DELETE", path, &[], b"").await.status, 204);
    server.get(path).await.assert_problem(404, "rate_limit_not_set");
    drop((held, third));
}

#[actix::test]
async fn each_class_of_priority_has_its_own_limit_and_does_not_hold_up_the_others() {
    let server = Server::start().await;
    let limits = r#"{"by":"priority","limit":{"high":1,"medium":2,"low":3},"per":"1h"}"#;
    put(&server, "/api/v1/queues/mail/rate-limit", limits).await.json();
    for priority in [9, 8, 7, 6, 5, 4, 3, 2, 1, 0] {
        server.submit(&format!(r#"{{"name":"a","queue":"mail","priority":{priority}}}"#)).await;
    }
    let grants = server.claim("mail").await;
    let started: Vec<_> = grants.iter().map(|grant| grant.task().priority.level()).collect();
    assert_eq!(started, [9, 6, 5, 3, 2, 1]);
    let shown = server.get("/api/v1/queues/mail/rate-limit").await.json();
    assert_eq!(shown["by_priority"]["low"]["remaining"], 0);
}

#[actix::test]
async fn at_most_so_many_of_a_queue_run_and_an_ended_one_makes_room() {
    let server = Server::start().await;
    put(&server, "/api/v1/queues/mail", r#"{"concurrency":2}"#).await.json();
    for _ in 0..5 {
        server.submit(r#"{"name":"a","queue":"mail"}"#).await;
    }
    let mut grants = server.claim("mail").await;
    assert_eq!((grants.len(), server.claim("mail").await.len()), (2, 0));
    let ended = grants.remove(0);
    let id = ended.task().id;
    ended.finish(jobqueue::task::Outcome::Success("1".into()));
    server.get(&format!("/api/v1/tasks/{id}/result?wait=30s")).await;
    assert_eq!((server.claim("mail").await.len(), server.claim("mail").await.len()), (1, 0));
}

#[actix::test]
async fn a_full_queue_refuses_and_takes_again_when_there_is_room() {
    let server = Server::start().await;
    put(&server, "/api/v1/queues/mail", r#"{"max_depth":2}"#).await.json();
    let task = r#"{"name":"a","queue":"mail"}"#;
    let first = server.submit(task).await;
    server.submit(task).await;
    let key = [("Content-Type", "application/json"), ("Idempotency-Key", "k")];
    let full = server.call("POST", "/api/v1/tasks", &key, task.as_bytes()).await;
    full.assert_problem(429, "queue_full");
    assert!(full.header("retry-after").is_some());
    let batch =
        server.post("/api/v1/tasks/batch", r#"{"tasks":[{"name":"a"},{"name":"a","queue":"mail"}]}"#).await.json();
    assert_eq!((&batch["results"][0]["status"], &batch["results"][1]["status"]), (&json!(201), &json!(429)));
    let atomic = r#"{"atomic":true,"tasks":[{"name":"a"},{"name":"a","queue":"mail"}]}"#;
    server.post("/api/v1/tasks/batch", atomic).await.assert_problem(429, "queue_full");
    assert_eq!(server.stored(), 3);
    server.post(&format!("/api/v1/tasks/{first}/cancel"), "{}").await;
    // Under the same key: what was refused for a moment is not refused for ever.
    assert_eq!(server.call("POST", "/api/v1/tasks", &key, task.as_bytes()).await.status, 201);
}

#[actix::test]
async fn a_queue_may_reject_what_is_beyond_its_caps() {
    let server = Server::start().await;
    let no_cap = r#"{"at_cap":"reject"}"#;
    put(&server, "/api/v1/queues/mail", no_cap).await.assert_problem(422, "invalid_field");
    let set = put(&server, "/api/v1/queues/mail", r#"{"concurrency":4,"key_concurrency":2,"at_cap":"reject"}"#).await;
    assert_eq!(set.json()["at_cap"], "reject");
    let of = |key: &str| format!(r#"{{"name":"a","queue":"mail","concurrency_key":"{key}"}}"#);
    let first = server.submit(&of("a")).await;
    server.submit(&of("a")).await;
    let full = server.post("/api/v1/tasks", &of("a")).await;
    full.assert_problem(429, "at_cap");
    assert!(full.header("retry-after").is_some());
    // A batch counts what it has stored itself, and says of each what became of it; all or nothing is nothing.
    let batch = |atomic| format!(r#"{{"atomic":{atomic},"tasks":[{},{},{}]}}"#, of("b"), of("b"), of("b"));
    server.post("/api/v1/tasks/batch", &batch(true)).await.assert_problem(429, "at_cap");
    assert_eq!(server.stored(), 2);
    let each = server.post("/api/v1/tasks/batch", &batch(false)).await.json();
    let statuses: Vec<_> = (0..3).map(|place| each["results"][place]["status"].clone()).collect();
    assert_eq!(statuses, [json!(201), json!(201), json!(429)]);
    assert_eq!(each["results"][2]["error"]["code"], "at_cap");
    // The queue's own cap, for tasks of any key and of none.
    server.post("/api/v1/tasks", &of("c")).await.assert_problem(429, "at_cap");
    server.post("/api/v1/tasks", r#"{"name":"a","queue":"mail"}"#).await.assert_problem(429, "at_cap");
    // A place is free again when a task is over, however it ended; running, it keeps its own.
    server.post(&format!("/api/v1/tasks/{first}/cancel"), "{}").await;
    server.submit(&of("a")).await;
    let mut grants = server.claim_some("mail", 4).await;
    assert_eq!(grants.len(), 4);
    server.post("/api/v1/tasks", &of("a")).await.assert_problem(429, "at_cap");
    let one = grants.remove(0);
    let id = one.task().id;
    let key = server.get(&format!("/api/v1/tasks/{id}")).await.json()["concurrency_key"].as_str().unwrap().to_owned();
    one.finish(jobqueue::task::Outcome::Success("1".into()));
    server.get(&format!("/api/v1/tasks/{id}/result?wait=30s")).await;
    server.submit(&of(&key)).await;
    server.post("/api/v1/tasks", &of(&key)).await.assert_problem(429, "at_cap");
    // As before: what is beyond waits.
    put(&server, "/api/v1/queues/mail", r#"{"concurrency":4,"key_concurrency":2}"#).await.json();
    server.submit(&of(&key)).await;
}

#[actix::test]
async fn a_queue_gives_its_tasks_defaults() {
    let server = Server::start().await;
    let settings = r#"{"max_retries":9,"timeout":"7s","retry":{"strategy":"fixed","initial":"2s"}}"#;
    put(&server, "/api/v1/queues/mail", settings).await.json();
    let task = server.post("/api/v1/tasks", r#"{"name":"a","queue":"mail"}"#).await.json();
    assert_eq!(
        (&task["max_retries"], &task["timeout_ms"], &task["retry"]["strategy"]),
        (&json!(9), &json!(7_000), &json!("fixed"))
    );
    let own =
        server.post("/api/v1/tasks", r#"{"name":"a","queue":"mail","max_retries":1,"timeout":null}"#).await.json();
    assert_eq!((&own["max_retries"], &own["timeout_ms"]), (&json!(1), &json!(null)));
}

#[actix::test]
async fn only_an_empty_queue_can_be_deleted() {
    let server = Server::start().await;
    server.submit(r#"{"name":"a","queue":"mail"}"#).await;
    server.call("DELETE", "/api/v1/queues/mail", &[], b"").await.assert_problem(409, "queue_not_empty");
    put(&server, "/api/v1/queues/empty", r#"{"paused":true}"#).await.json();
    assert_eq!(server.call("DELETE", "/api/v1/queues/empty", &[], b"").await.status, 204);
    server.call("DELETE", "/api/v1/queues/empty", &[], b"").await.assert_problem(404, "queue_not_found");
    server.submit(r#"{"name":"a","queue":"empty"}"#).await;
    assert_eq!(server.get("/api/v1/queues/empty").await.json()["paused"], false);
}

#[actix::test]
async fn a_pause_is_a_change_that_the_next_editor_is_told_of() {
    let server = Server::start().await;
    let version = put(&server, "/api/v1/queues/mail", r#"{"weight":2}"#).await.json()["version"].clone();
    server.post("/api/v1/queues/mail/pause", "").await;
    let stale = format!(r#"{{"weight":3,"version":{version}}}"#);
    put(&server, "/api/v1/queues/mail", &stale).await.assert_problem(409, "queue_changed");
    assert_eq!(server.get("/api/v1/queues/mail").await.json()["paused"], true);
}

/// What this node knows of the queues there are is no more than a hint where there are others.
#[actix::test]
async fn a_queue_that_another_node_has_deleted_is_made_again() {
    let server = Server::start().await;
    if server.engine.reader().kind() != "postgresql" {
        return; // a file has one node
    }
    let first = server.submit(r#"{"name":"a","queue":"mail"}"#).await;
    server.post(&format!("/api/v1/tasks/{first}/cancel"), "").await;
    assert_eq!(server.call("DELETE", &format!("/api/v1/tasks/{first}"), &[], b"").await.status, 204);
    let mut other = server.session();
    let delete = &mut |tx: &mut dyn jobqueue::store::Tx| {
        assert_eq!(tx.delete_queue("mail")?, jobqueue::store::QueueDeleted::Done);
        Ok(())
    };
    other.transaction(delete).unwrap();
    assert_eq!(server.get("/api/v1/queues/mail").await.status, 404);
    server.submit(r#"{"name":"a","queue":"mail"}"#).await;
    assert_eq!(server.get("/api/v1/queues/mail").await.status, 200);
    assert_eq!(server.claim("mail").await.len(), 1);
}
