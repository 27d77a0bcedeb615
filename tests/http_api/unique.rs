//! Unique tasks: what the key is made of, for how long a task has it, and what becomes of another that wants it.

use jobqueue::{
    store::RetentionLimits,
    task::{Again, ErrorKind, Outcome, TaskError},
};
use serde_json::{Value, json};

use crate::support::{DEADLINE, Server};

async fn post(server: &Server, body: &Value) -> (u16, Value) {
    let answer = server.post("/api/v1/tasks", &body.to_string()).await;
    (answer.status, answer.json())
}

async fn get(server: &Server, id: &str) -> Value {
    server.get(&format!("/api/v1/tasks/{id}")).await.json()
}

/// Stored, and its id.
async fn new(server: &Server, body: &Value) -> String {
    let (status, task) = post(server, body).await;
    assert_eq!(status, 201, "{task}");
    task["id"].as_str().unwrap().to_owned()
}

/// Answered with this one.
async fn is_held_by(server: &Server, body: &Value, id: &str) {
    let (status, task) = post(server, body).await;
    assert_eq!((status, &task["id"], &task["deduplicated"]), (200, &json!(id), &json!(true)), "{task}");
}

/// Submits until the key is free.
async fn in_the_end_new(server: &Server, body: &Value) -> String {
    let began = std::time::Instant::now();
    loop {
        let (status, task) = post(server, body).await;
        if status == 201 {
            return task["id"].as_str().unwrap().to_owned();
        }
        assert!(status == 200 && began.elapsed() < DEADLINE, "{status} {task}");
    }
}

fn failure() -> Outcome {
    Outcome::Failure { error: TaskError::new(ErrorKind::Failure, "no"), again: Again::ByPolicy }
}

/// Runs the one task that is ready.
async fn run(server: &Server, outcome: Outcome) -> Value {
    let grant = server.claim("default").await.remove(0);
    let id = grant.task().id.to_string();
    grant.finish(outcome);
    let began = std::time::Instant::now();
    loop {
        let task = get(server, &id).await;
        if task["status"] != "running" {
            return task;
        }
        assert!(began.elapsed() < DEADLINE, "{task}");
        tokio::task::yield_now().await;
    }
}

#[actix::test]
async fn a_key_is_made_of_what_is_chosen() {
    let server = Server::start().await;
    let task =
        json!({"name": "a", "args": [1, {"b": 2, "a": [true]}], "kwargs": {"user": {"id": 7}, "n": 1}, "delay": "1h"});
    let with = |change: Value| {
        let mut task = task.clone();
        task.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        task
    };
    for (by, same, other) in [
        (json!(true), json!({"priority": 9, "tags": ["x"]}), json!({"kwargs": {"user": {"id": 7}, "n": 2}})),
        (json!({"by": ["name"]}), json!({"args": []}), json!({"name": "b"})),
        (json!({"by": ["kwargs.user.id"]}), json!({"name": "b", "args": []}), json!({"kwargs": {"user": {"id": 8}}})),
        (
            json!({"by": ["args.1", "name"]}),
            json!({"args": [2, {"a": [true], "b": 2}]}),
            json!({"args": [1, {"b": 3}]}),
        ),
        (json!({"by": ["args.1.a.0", "queue"]}), json!({"args": [0, {"a": [true]}]}), json!({"args": [0, {"a": [1]}]})),
        (json!({"by": ["meta.m"]}), json!({"meta": {"m": 1, "x": 1}}), json!({"meta": {"m": 2}})),
    ] {
        let first = with(json!({"unique": by, "meta": {"m": 1}}));
        let id = new(&server, &first).await;
        let shown = get(&server, &id).await;
        assert!(shown["unique_key"].as_str().unwrap().starts_with("sha256:"), "{shown}");
        assert_eq!(shown["unique"], json!({"while": ["waiting", "running"], "until": null}));
        let mut again = first.clone();
        again.as_object_mut().unwrap().extend(same.as_object().unwrap().clone());
        is_held_by(&server, &again, &id).await;
        let mut another = first.clone();
        another.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
        let other_id = new(&server, &another).await;
        // In another queue it is another's.
        again["queue"] = json!("other");
        let elsewhere = new(&server, &again).await;
        // The key that is shown can be given as well.
        is_held_by(&server, &json!({"name": "c", "unique_key": shown["unique_key"]}), &id).await;
        for (id, queue) in [(id, "default"), (other_id, "default"), (elsewhere, "other")] {
            let path = format!("/api/v1/tasks/{id}/cancel");
            assert_eq!(server.post(&path, "{}").await.status, 200, "{queue}");
        }
    }
    // However it is written.
    let text = r#"{"name":"n","unique":true,"args":[1.0,"ü"],"kwargs":{"b":100,"a":{"x":1,"y":2}}}"#;
    let id = server.submit(text).await;
    let again = r#"{"kwargs":{"a":{"y":2.0,"x":1},"b":1e2},"args":[1,"\u00fc"],"unique":true,"name":"n"}"#;
    let answer = server.post("/api/v1/tasks", again).await;
    assert_eq!((answer.status, answer.json()["id"].as_str().unwrap()), (200, &*id));
    let plain = r#"{"name":"n","unique":false,"args":[1,"ü"],"kwargs":{"b":100,"a":{"x":1,"y":2}}}"#;
    let plain = get(&server, &server.submit(plain).await).await;
    assert_eq!((&plain["unique"], &plain["unique_key"]), (&json!(null), &json!(null)));
}

#[actix::test]
async fn what_contradicts_itself_is_refused_by_name() {
    let server = Server::start().await;
    for (fields, pointer) in [
        (json!({"unique": true, "unique_key": "k"}), "/unique"),
        (json!({"unique": {"by": ["name"]}, "unique_key": "k"}), "/unique/by"),
        (json!({"unique": {}}), "/unique/by"),
        (json!({"unique": {"for": "10m"}}), "/unique/by"),
        (json!({"unique": {"by": []}}), "/unique/by"),
        (json!({"unique": {"by": vec!["name"; 21]}}), "/unique/by"),
        (json!({"unique": {"by": ["name", "args.3"]}}), "/unique/by/1"),
        (json!({"unique": {"by": ["meta.x"]}}), "/unique/by/0"),
        (json!({"unique": {"by": ["tags"]}}), "/unique/by/0"),
        (json!({"unique": {"by": [1]}}), "/unique/by/0"),
        (json!({"unique": {"by": "name"}}), "/unique/by"),
        (json!({"unique": "yes"}), "/unique"),
        (json!({"unique": [["name"]]}), "/unique"),
        (json!({"unique": {"by": ["name"], "until": "start"}}), "/unique/until"),
        (json!({"unique": {"by": ["name"], "for": 0}}), "/unique/for"),
        (json!({"unique": {"by": ["name"], "for": "367d"}}), "/unique/for"),
        (json!({"unique": {"by": ["name"], "for": "soon"}}), "/unique/for"),
        (json!({"unique": {"by": ["name"], "for": "1h", "while": ["waiting"]}}), "/unique/for"),
        (json!({"unique": {"by": ["name"], "while": []}}), "/unique/while"),
        (json!({"unique": {"by": ["name"], "while": ["running"]}}), "/unique/while"),
        (json!({"unique": {"by": ["name"], "while": ["waiting", "success"]}}), "/unique/while"),
        (json!({"unique": {"by": ["name"], "while": ["waiting", "queued"]}}), "/unique/while"),
        (json!({"unique_conflict": "replace"}), "/unique_conflict"),
        (json!({"unique_key": "k", "unique_conflict": "keep"}), "/unique_conflict"),
        (
            json!({"unique_key": "k", "unique_conflict": "replace", "depends_on": ["01890a5d-ac96-774b-bcce-b302099a8057"]}),
            "/depends_on",
        ),
    ] {
        let mut body = json!({"name": "a", "args": [1, 2, 3]});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let (status, problem) = post(&server, &body).await;
        assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!(pointer)), "{body} {problem}");
    }
    assert_eq!(server.stored(), 0);
}

#[actix::test]
async fn a_key_is_let_go_at_the_start_and_not_taken_again_by_a_retry() {
    let server = Server::start().await;
    let task = json!({"name": "a", "unique": {"by": ["name"], "while": ["waiting"]},
        "retry": {"initial": "1h", "max": "1h", "jitter": false}, "max_retries": 1});
    let first = new(&server, &task).await;
    is_held_by(&server, &task, &first).await;
    let grant = server.claim("default").await.remove(0);
    let second = new(&server, &task).await;
    grant.finish(failure());
    is_held_by(&server, &task, &second).await;
    // What was let go at the start is had again by one that starts anew, if nobody else has it.
    assert_eq!(run(&server, Outcome::Success("1".into())).await["id"], json!(second));
    server.post(&format!("/api/v1/tasks/{first}/cancel"), "{}").await;
    let third = new(&server, &task).await;
    let refused = server.post(&format!("/api/v1/tasks/{first}/retry"), "").await;
    assert_eq!(refused.assert_problem(409, "unique_key_held")["task_id"], json!(third));
    server.post(&format!("/api/v1/tasks/{third}/cancel"), "{}").await;
    assert_eq!(server.post(&format!("/api/v1/tasks/{first}/retry"), "").await.status, 200);
    is_held_by(&server, &task, &first).await;
}

#[actix::test]
async fn a_key_outlives_its_task_in_the_ways_that_were_asked_for() {
    let server = Server::start().await;
    let with =
        |name: &str, scope: Value| json!({"name": name, "max_retries": 0, "unique": {"by": ["name"], "while": scope}});
    // A dead letter keeps it until somebody decides.
    let task = with("dead", json!(["waiting", "running", "failed"]));
    let dead = new(&server, &task).await;
    assert_eq!(run(&server, failure()).await["status"], "failed");
    is_held_by(&server, &task, &dead).await;
    assert_eq!(server.post(&format!("/api/v1/tasks/{dead}/retry"), "").await.status, 200, "it has it itself");
    is_held_by(&server, &task, &dead).await;
    assert_eq!(run(&server, Outcome::Success("1".into())).await["status"], "success");
    let next = new(&server, &task).await;
    run(&server, failure()).await;
    assert_eq!(server.call("DELETE", &format!("/api/v1/dlq/{next}"), &[], b"").await.status, 204);
    let last = new(&server, &task).await;
    server.post(&format!("/api/v1/tasks/{last}/cancel"), "{}").await;
    // One that has succeeded is the answer for as long as it is there, whoever retries the one before.
    let task = with("done", json!(["waiting", "running", "success", "expired", "cancelled"]));
    let done = new(&server, &task).await;
    run(&server, Outcome::Success("[1]".into())).await;
    let (status, again) = post(&server, &task).await;
    assert_eq!((status, &again["id"], &again["result"]), (200, &json!(done), &json!([1])));
    let rejecting = json!({"name": "done", "unique": task["unique"], "unique_conflict": "reject"});
    assert_eq!(post(&server, &rejecting).await.0, 409);
    assert_eq!(server.call("DELETE", &format!("/api/v1/tasks/{done}"), &[], b"").await.status, 204);
    let cancelled = new(&server, &task).await;
    server.post(&format!("/api/v1/tasks/{cancelled}/cancel"), "{}").await;
    is_held_by(&server, &task, &cancelled).await;
    server.call("DELETE", &format!("/api/v1/tasks/{cancelled}"), &[], b"").await;
    let mut late = task.clone();
    late["expires_in"] = json!("1ms");
    let late = new(&server, &late).await;
    while get(&server, &late).await["status"] != "expired" {
        server.engine.expire(10).await.unwrap();
    }
    is_held_by(&server, &task, &late).await;
}

#[actix::test]
async fn a_period_holds_after_the_end_and_ends_without_a_sweep() {
    let server = Server::start().await;
    let long = json!({"name": "long", "unique": {"by": ["name"], "for": "1h"}, "max_retries": 0});
    let id = new(&server, &long).await;
    let shown = get(&server, &id).await;
    let moment = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond();
    assert_eq!(moment(&shown["unique"]["until"]) - moment(&shown["created_at"]), 3_600_000);
    run(&server, failure()).await;
    is_held_by(&server, &long, &id).await;
    // Retention leaves alone what still has its key.
    let (now, day) = (moment(&shown["created_at"]), 86_400_000);
    let prune = async |now| {
        let before = now + day;
        let limits = RetentionLimits {
            now,
            success_before: before,
            others_before: before,
            idempotency_before: 0,
            workers_before: 0,
            minutes_before: 0,
            hours_before: 0,
            audit_before: 0,
            rows: 100,
        };
        server.engine.prune(limits, None).await.unwrap();
    };
    let success = new(&server, &json!({"name": "kept", "unique": {"by": ["name"], "for": "1h"}})).await;
    run(&server, Outcome::Success("1".into())).await;
    prune(now).await;
    assert_eq!(get(&server, &success).await["status"], "success");
    prune(now + 2 * 3_600_000).await;
    assert_eq!(server.get(&format!("/api/v1/tasks/{success}")).await.status, 404);
    // A period that is over does not end the key of a task that is not.
    let short = json!({"name": "short", "unique": {"by": ["name"], "for": "1ms"}});
    let first = new(&server, &short).await;
    let until = moment(&get(&server, &first).await["unique"]["until"]);
    while jiff::Timestamp::now().as_millisecond() <= until {}
    is_held_by(&server, &short, &first).await;
    run(&server, Outcome::Success("1".into())).await;
    let second = in_the_end_new(&server, &short).await;
    // The first may start anew only when nobody has the key.
    let refused = server.post(&format!("/api/v1/tasks/{first}/retry"), "").await;
    assert_eq!(refused.assert_problem(409, "unique_key_held")["task_id"], json!(second));
    run(&server, Outcome::Success("1".into())).await;
    let began = std::time::Instant::now();
    while server.post(&format!("/api/v1/tasks/{first}/retry"), "").await.status != 200 {
        assert!(began.elapsed() < DEADLINE);
    }
    is_held_by(&server, &short, &first).await;
    run(&server, Outcome::Success("1".into())).await;
    // Of many that find it over together one has it.
    let many = json!({"tasks": vec![json!({"name": "short", "unique": {"by": ["name"], "for": "1h"}}); 50]});
    let began = std::time::Instant::now();
    let created = loop {
        let answer = server.post("/api/v1/tasks/batch", &many.to_string()).await.json();
        let results = answer["results"].as_array().unwrap();
        let created = results.iter().filter(|one| one["status"] == 201).count();
        if created > 0 {
            break created;
        }
        assert!(began.elapsed() < DEADLINE, "{answer}");
    };
    assert_eq!(created, 1);
}
