//! Work on many tasks, and changes to one.

use jobqueue::{
    store::OperationState,
    task::{Again, ErrorKind, Outcome, TaskError, TaskId},
};
use serde_json::{Value, json};

use crate::support::Server;

async fn dead(server: &Server, name: &str, message: &str) -> String {
    let id = server.submit(&format!(r#"{{"name":"{name}","args":[1]}}"#)).await;
    let error = TaskError::new(ErrorKind::Failure, message);
    server.claim("default").await.remove(0).finish(Outcome::Failure { error, again: Again::Never });
    server.get(&format!("/api/v1/tasks/{id}/result?wait=30s")).await;
    id
}

async fn count(server: &Server, status: &str) -> Value {
    server.get("/api/v1/stats").await.json()["status_counts"][status].clone()
}

/// Does the keeper's work until the operation is over.
pub(crate) async fn followed(server: &Server, id: &str) {
    let id: TaskId = id.parse().unwrap();
    loop {
        // As it is read after a crash.
        let operation = server.engine.reader().operation(id).unwrap().unwrap();
        if operation.state != OperationState::Running {
            return;
        }
        server.engine.step_operation(&operation, 7).await.unwrap();
    }
}

async fn ended(server: &Server, started: Value) -> Value {
    let id = started["id"].as_str().unwrap_or_else(|| panic!("{started}"));
    followed(server, id).await;
    server.get(&format!("/api/v1/operations/{id}")).await.json()
}

#[actix::test]
async fn many_are_cancelled_by_a_filter_in_steps() {
    let server = Server::start().await;
    for n in 0..20 {
        server.submit(&format!(r#"{{"name":"a","queue":"q{}","delay":"{}h"}}"#, n % 2, n % 3)).await;
    }
    let body = r#"{"action":"cancel","filter":{"queue":"q0"},"dry_run":true}"#;
    let counted = server.post("/api/v1/tasks/bulk", body).await.json();
    assert_eq!((&counted["matched"], &counted["done"]), (&json!(10), &json!(0)));
    let started = server.post("/api/v1/tasks/bulk", r#"{"action":"cancel","filter":{"queue":"q0"}}"#).await;
    assert_eq!(started.status, 202);
    // What comes after the call is not meant.
    let late = server.submit(r#"{"name":"a","queue":"q0"}"#).await;
    let end = ended(&server, started.json()).await;
    assert_eq!((&end["state"], &end["refused"]), (&json!("done"), &json!(0)));
    assert!(end["done"] == 10 || end["done"] == 11, "within one millisecond it may be: {end}");
    assert_eq!(count(&server, "cancelled").await, end["done"]);
    let _ = late;
    let stopped = server.post(&format!("/api/v1/operations/{}/cancel", end["id"].as_str().unwrap()), "").await;
    stopped.assert_problem(409, "operation_finished");
}

#[actix::test]
async fn operations_are_listed_page_by_page() {
    let server = Server::start().await;
    let mut begun = Vec::new();
    for n in 0..7 {
        let body = format!(r#"{{"action":"cancel","filter":{{"queue":"q{n}"}}}}"#);
        begun.push(server.post("/api/v1/tasks/bulk", &body).await.json()["id"].clone());
    }
    begun.reverse();
    let page = async |query: &str| {
        let page = server.get(&format!("/api/v1/operations?limit=3{query}")).await.json();
        let ids: Vec<_> = page["data"].as_array().unwrap().iter().map(|row| row["id"].clone()).collect();
        let cursor = |name: &str| page[name].as_str().map(|cursor| format!("&cursor={cursor}"));
        (ids, cursor("prev_cursor"), cursor("next_cursor"))
    };
    let (first, before, next) = page("").await;
    assert_eq!((first, before), (begun[..3].to_vec(), None));
    let (second, _, next) = page(&next.unwrap()).await;
    assert_eq!(second, begun[3..6]);
    let (third, before, next) = page(&next.unwrap()).await;
    assert_eq!((third, next), (begun[6..].to_vec(), None));
    let (second, before, next) = page(&before.unwrap()).await;
    assert_eq!((second, next.is_some()), (begun[3..6].to_vec(), true));
    assert_eq!(page(&before.unwrap()).await.0, begun[..3]);
    for query in ["limit=0", "limit=201", "cursor=x", "state=done"] {
        let refused = server.get(&format!("/api/v1/operations?{query}")).await;
        assert_eq!(refused.status, 422, "{query}");
    }
}

#[actix::test]
async fn a_few_are_dealt_with_at_once() {
    let server = Server::start().await;
    let first = server.submit(r#"{"name":"a"}"#).await;
    let second = server.submit(r#"{"name":"a"}"#).await;
    let unknown = "0198f2d4-7a3c-7c11-9a34-5b8e4d1f0c2a";
    let body = |action: &str| format!(r#"{{"action":"{action}","ids":["{first}","{second}","{unknown}"]}}"#);
    assert_eq!(server.post("/api/v1/tasks/bulk", &body("delete")).await.json()["done"], 0, "they are not over");
    assert_eq!(server.post("/api/v1/tasks/bulk", &body("cancel")).await.json()["done"], 2);
    assert_eq!(server.post("/api/v1/tasks/bulk", &body("retry")).await.json()["done"], 2);
    assert_eq!(count(&server, "queued").await, 2);
    server.post("/api/v1/tasks/bulk", &body("cancel")).await;
    assert_eq!(server.post("/api/v1/tasks/bulk", &body("delete")).await.json()["done"], 2);
    server.get(&format!("/api/v1/tasks/{first}")).await.assert_problem(404, "task_not_found");
}

#[actix::test]
async fn the_tasks_of_a_workflow_are_dealt_with_together() {
    let server = Server::start().await;
    let body = r#"{"tasks":{"a":{"name":"a"},"b":{"name":"b","depends_on":["a"]}}}"#;
    let workflow = server.post("/api/v1/workflows", body).await.json()["id"].clone();
    server.submit(r#"{"name":"c"}"#).await;
    let bulk = async |dry_run: bool| {
        let body = json!({"action": "cancel", "filter": {"workflow": workflow}, "dry_run": dry_run});
        server.post("/api/v1/tasks/bulk", &body.to_string()).await.json()
    };
    assert_eq!(bulk(true).await["matched"], 2);
    ended(&server, bulk(false).await).await;
    assert_eq!((count(&server, "queued").await, count(&server, "pending").await), (json!(1), json!(0)));
}

#[actix::test]
async fn what_is_not_meant_so_is_refused() {
    let server = Server::start().await;
    for (path, body, code, pointer) in [
        ("/api/v1/tasks/bulk", r#"{"action":"cancel"}"#, "invalid_field", "/filter"),
        ("/api/v1/tasks/bulk", r#"{"action":"cancel","filter":{}}"#, "confirmation_required", "/filter"),
        (
            "/api/v1/tasks/bulk",
            r#"{"action":"delete","filter":{"status":["queued"]}}"#,
            "invalid_field",
            "/filter/status",
        ),
        ("/api/v1/tasks/bulk", r#"{"action":"cancel","ids":[]}"#, "invalid_field", "/ids"),
        ("/api/v1/tasks/bulk", r#"{"action":"cancel","ids":["x"]}"#, "invalid_field", "/ids/0"),
        ("/api/v1/tasks/bulk", r#"{"action":"burn","ids":["x"]}"#, "invalid_field", "/action"),
        ("/api/v1/tasks/bulk", r#"{"action":"cancel","filter":{"qeue":"x"}}"#, "unknown_field", "/filter/qeue"),
        ("/api/v1/tasks/bulk", r#"{"action":"cancel","filter":[["queued"]]}"#, "invalid_field", "/filter"),
        ("/api/v1/tasks/bulk", r#"{"action":"cancel","filter":{"worker":"x"}}"#, "invalid_field", "/filter/worker"),
        ("/api/v1/tasks/bulk", r#"{"action":"cancel","filter":{"workflow":""}}"#, "invalid_field", "/filter/workflow"),
        ("/api/v1/dlq/redrive", r#"{"filter":{"died_after":"now"}}"#, "invalid_field", "/filter/died_after"),
        ("/api/v1/dlq/redrive", r#"{"filter":{"cause":"a\u0000"}}"#, "invalid_field", "/filter/cause"),
        ("/api/v1/dlq/redrive", r#"{"filter":["x"]}"#, "invalid_field", "/filter"),
        ("/api/v1/dlq/redrive", "{}", "confirmation_required", "/filter"),
        ("/api/v1/dlq/redrive", r#"{"filter":{"queue":"x"},"rate":"0/s"}"#, "invalid_field", "/rate"),
        ("/api/v1/dlq/redrive", r#"{"filter":{"queue":"x"},"rate":"fast"}"#, "invalid_field", "/rate"),
        ("/api/v1/dlq/redrive", r#"{"filter":{"queue":"x"},"rate":"-1/s"}"#, "invalid_field", "/rate"),
    ] {
        let problem = server.post(path, body).await.assert_problem(422, code);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
    }
    server.call("DELETE", "/api/v1/dlq", &[], b"").await.assert_problem(422, "invalid_parameter");
    assert_eq!(server.get("/api/v1/operations").await.json()["data"], json!([]));
}

#[actix::test]
async fn dead_letters_are_grouped_redriven_and_purged() {
    let server = Server::start().await;
    let first = dead(&server, "a", "no user 17").await;
    dead(&server, "a", "no user 4").await;
    dead(&server, "b", "disk on fire").await;
    let groups = server.get("/api/v1/dlq/groups?window=1h").await.json();
    assert_eq!(
        (&groups["data"][0]["error"], &groups["data"][0]["count"], &groups["data"][1]["count"]),
        (&json!("no user #"), &json!(2), &json!(1))
    );
    let stats = server.get("/api/v1/dlq/stats").await.json();
    assert_eq!((&stats["total"], &stats["last_hour"]), (&json!(3), &json!(3)));
    assert_eq!(stats["by_name"][0], json!({"key": "a", "count": 2}));
    assert_eq!(server.get("/api/v1/dlq?error=fire").await.json()["data"].as_array().unwrap().len(), 1);
    let dry = server.post("/api/v1/dlq/redrive", r#"{"filter":{"error":"user"},"dry_run":true}"#).await.json();
    assert_eq!(dry["matched"], 2);
    // A group is told by what its messages share, and counted by the time.
    let groups = server.get("/api/v1/dlq/groups?windows=1h,1ms").await.json();
    assert_eq!(groups["data"][0]["within"][0], 2);
    let of_group = server.get("/api/v1/dlq?cause=no+user+%23&name=a&window=1h").await.json();
    assert_eq!(of_group["data"].as_array().unwrap().len(), 2);
    let matched = async |filter: &str| {
        let body = format!(r#"{{"filter":{filter},"dry_run":true}}"#);
        server.post("/api/v1/dlq/redrive", &body).await.json()["matched"].clone()
    };
    assert_eq!(matched(r#"{"cause":"no user #"}"#).await, 2);
    assert_eq!(matched(r#"{"cause":"no user"}"#).await, 0);
    assert_eq!(matched(r#"{"died_after":"2200-01-01T00:00:00Z"}"#).await, 0);
    for query in ["windows=1h,x", "windows=1h,1h,1h,1h,1h,1h,1h,1h,1h", "window=x"] {
        let refused = server.get(&format!("/api/v1/dlq/groups?{query}")).await;
        refused.assert_problem(422, "invalid_parameter");
    }
    let refused = server.call("DELETE", "/api/v1/dlq?died_after=yesterday", &[], b"").await;
    refused.assert_problem(422, "invalid_parameter");
    let started = server.post("/api/v1/dlq/redrive", r#"{"filter":{"error":"user"},"rate":"1000/s"}"#).await.json();
    assert_eq!(ended(&server, started).await["done"], 2);
    assert_eq!((count(&server, "queued").await, count(&server, "failed").await), (json!(2), json!(1)));
    assert_eq!(server.get(&format!("/api/v1/tasks/{first}")).await.json()["generation"], 2);
    let purged = server.call("DELETE", "/api/v1/dlq?all=true", &[], b"").await;
    assert_eq!(ended(&server, purged.json()).await["done"], 1);
    assert_eq!(server.get("/api/v1/dlq/stats").await.json()["total"], 0);
}

#[actix::test]
async fn a_dead_letter_can_be_retried_with_other_arguments_or_deleted() {
    let server = Server::start().await;
    let id = dead(&server, "a", "no").await;
    let path = format!("/api/v1/dlq/{id}");
    server.post(&format!("{path}/retry"), r#"{"args":{}}"#).await.assert_problem(422, "invalid_field");
    let again = server.post(&format!("{path}/retry"), r#"{"args":[2]}"#).await.json();
    assert_eq!((&again["args"], &again["status"]), (&json!([2]), &json!("queued")));
    server
        .claim("default")
        .await
        .remove(0)
        .finish(Outcome::Failure { error: TaskError::new(ErrorKind::Failure, "no"), again: Again::Never });
    server.get(&format!("/api/v1/tasks/{id}/result?wait=30s")).await;
    assert_eq!(server.call("DELETE", &path, &[], b"").await.status, 204);
    server.call("DELETE", &path, &[], b"").await.assert_problem(404, "dead_letter_not_found");
    server.get(&format!("/api/v1/tasks/{id}")).await.assert_problem(404, "task_not_found");
    assert_eq!(count(&server, "failed").await, 0);
}

#[actix::test]
async fn a_task_that_waits_can_be_changed() {
    let server = Server::start().await;
    let id = server.submit(r#"{"name":"a","delay":"1h"}"#).await;
    let other = server.submit(r#"{"name":"b"}"#).await;
    let path = format!("/api/v1/tasks/{id}");
    let patch =
        async |body: &str| server.call("PATCH", &path, &[("Content-Type", "application/json")], body.as_bytes()).await;
    patch("{}").await.assert_problem(422, "invalid_field");
    patch(r#"{"priority":10}"#).await.assert_problem(422, "invalid_field");
    patch(r#"{"run_at":"soon"}"#).await.assert_problem(422, "invalid_field");
    patch(r#"{"name":"x"}"#).await.assert_problem(422, "unknown_field");
    let changed = patch(r#"{"priority":"high"}"#).await.json();
    assert_eq!((&changed["priority"], &changed["status"]), (&json!(8), &json!("scheduled")));
    let now = server.post(&format!("{path}/run-now"), "").await.json();
    assert_eq!(now["status"], "queued");
    let grants = server.claim("default").await;
    let order: Vec<_> = grants.iter().map(|grant| grant.task().id.to_string()).collect();
    assert_eq!(order, [id.clone(), other]);
    patch(r#"{"priority":1}"#).await.assert_problem(409, "task_not_waiting");
    server.call("DELETE", &path, &[], b"").await.assert_problem(409, "task_not_finished");
    assert_eq!(count(&server, "running").await, 2);
}

#[actix::test]
async fn a_purge_cancels_what_waits_and_leaves_what_runs() {
    let server = Server::start().await;
    for _ in 0..3 {
        server.submit(r#"{"name":"a","queue":"mail"}"#).await;
    }
    let held = server.claim("mail").await;
    server.submit(r#"{"name":"a","queue":"mail"}"#).await;
    let purge = server.post("/api/v1/queues/mail/purge", "").await;
    assert_eq!(purge.status, 202);
    assert_eq!(ended(&server, purge.json()).await["done"], 1);
    assert_eq!((count(&server, "running").await, count(&server, "cancelled").await), (json!(3), json!(1)));
    server.post("/api/v1/queues/none/purge", "").await.assert_problem(404, "queue_not_found");
    drop(held);
}

#[actix::test]
async fn a_lowered_priority_gives_its_old_place_and_limit_up() {
    let server = Server::start().await;
    let limits = br#"{"by":"priority","limit":{"high":9,"medium":9,"low":1},"per":"1h"}"#;
    let json = [("Content-Type", "application/json")];
    server.call("PUT", "/api/v1/queues/default/rate-limit", &json, limits).await;
    // From its first look on the queue's head is told of what comes: it knows both under their old priority.
    server.submit(r#"{"name":"a","priority":5}"#).await;
    let running = server.claim("default").await;
    let high = r#"{"name":"a","priority":9}"#;
    let ids = [server.submit(high).await, server.submit(high).await];
    for id in &ids {
        server.call("PATCH", &format!("/api/v1/tasks/{id}"), &json, br#"{"priority":0}"#).await.json();
    }
    let first = server.submit(r#"{"name":"a","priority":5}"#).await;
    let grants = server.claim("default").await;
    let order: Vec<_> = grants.iter().map(|grant| grant.task().id.to_string()).collect();
    assert_eq!(order, [first, ids[0].clone()], "one of low priority may start, after the others");
    drop(running);
}
