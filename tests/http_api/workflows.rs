//! Workflows over REST.

use jobqueue::task::{Again, ErrorKind, Outcome, TaskError};
use serde_json::{Value, json};

use crate::{
    access::{ask, make},
    support::Server,
};

fn success() -> Outcome {
    Outcome::Success("1".into())
}

fn failure() -> Outcome {
    Outcome::Failure { error: TaskError::new(ErrorKind::Failure, "no"), again: Again::Never }
}

/// A task whose handler is called as its node.
fn node(name: &str) -> Value {
    json!({"name": name})
}

fn after(name: &str, parents: Value) -> Value {
    json!({"name": name, "depends_on": parents})
}

async fn submit(server: &Server, body: &Value) -> Value {
    let answer = server.post("/api/v1/workflows", &body.to_string()).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(answer.header("location"), Some(&*format!("/api/v1/workflows/{id}")));
    answer.json()
}

fn path(workflow: &Value) -> String {
    format!("/api/v1/workflows/{}", workflow["id"].as_str().unwrap())
}

async fn get(server: &Server, workflow: &Value) -> Value {
    server.get(&path(workflow)).await.json()
}

/// The statuses of its nodes by name.
async fn statuses(server: &Server, workflow: &Value) -> Value {
    let graph = server.get(&format!("{}/graph", path(workflow))).await.json();
    let nodes = graph["nodes"].as_array().unwrap().iter();
    nodes.map(|node| (node["node"].as_str().unwrap().to_owned(), node["status"].clone())).collect()
}

/// Runs what there is to run until nothing is left; the names in the order of their starts.
async fn run(server: &Server, fails: &[&str]) -> Vec<String> {
    let mut names = Vec::new();
    loop {
        while server.engine.resolve(1_000).await.unwrap() {}
        let grants = server.claim("default").await;
        if grants.is_empty() {
            return names;
        }
        for grant in grants {
            let (id, name) = (grant.task().id, grant.task().name.clone());
            grant.finish(if fails.contains(&&*name) { failure() } else { success() });
            server.get(&format!("/api/v1/tasks/{id}/result?wait=30s")).await;
            names.push(name);
        }
    }
}

#[actix::test]
async fn a_graph_runs_in_its_order_and_is_counted() {
    let server = Server::start().await;
    let tasks = json!({
        "d": after("d", json!(["b", {"task": "c"}])), "b": after("b", json!(["a"])), "c": after("c", json!(["a"])), "a": node("a"),
    });
    let workflow = submit(&server, &json!({"name": "diamond", "tags": ["x"], "meta": {"n": 1}, "tasks": tasks})).await;
    let ids: Vec<&String> = workflow["tasks"].as_object().unwrap().keys().collect();
    assert_eq!(ids.len(), 4);
    let begun = get(&server, &workflow).await;
    assert_eq!(
        (&begun["name"], &begun["state"], &begun["finished_at"]),
        (&json!("diamond"), &json!("running"), &json!(null))
    );
    assert_eq!((&begun["progress"]["total"], &begun["progress"]["open"]), (&json!(4), &json!(4)));
    assert_eq!(begun["statuses"], json!({"pending": 3, "queued": 1}));
    assert_eq!(
        (&begun["meta"], &begun["tags"], &begun["queues"]),
        (&json!({"n": 1}), &json!(["x"]), &json!(["default"]))
    );
    let b = workflow["tasks"]["b"].as_str().unwrap();
    let task = server.get(&format!("/api/v1/tasks/{b}")).await.json();
    assert_eq!((&task["workflow_id"], &task["node"]), (&workflow["id"], &json!("b")));
    let listed = server.get(&format!("/api/v1/tasks?workflow={}", workflow["id"].as_str().unwrap())).await.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 4);
    let names = run(&server, &[]).await;
    assert_eq!((names[0].as_str(), names[3].as_str()), ("a", "d"));
    let over = get(&server, &workflow).await;
    assert_eq!(
        (&over["state"], &over["progress"]["success"], &over["progress"]["open"]),
        (&json!("success"), &json!(4), &json!(0))
    );
    assert!(over["finished_at"].is_string());
    let graph = server.get(&format!("{}/graph", path(&workflow))).await.json();
    let mut edges: Vec<_> =
        graph["edges"].as_array().unwrap().iter().map(|edge| format!("{}{}", edge["from"], edge["to"])).collect();
    edges.sort_unstable();
    assert_eq!(edges, [r#""a""b""#, r#""a""c""#, r#""b""d""#, r#""c""d""#]);
}

#[actix::test]
async fn chain_group_and_chord_are_workflows() {
    let server = Server::start().await;
    let chain = submit(&server, &json!({"chain": [node("x"), node("y"), node("z")]})).await;
    assert_eq!(chain["tasks"].as_object().unwrap().len(), 3);
    assert_eq!(run(&server, &[]).await, ["x", "y", "z"]);
    let group = submit(&server, &json!({"group": [node("x"), node("y")]})).await;
    assert_eq!(get(&server, &group).await["statuses"], json!({"queued": 2}));
    assert_eq!(run(&server, &[]).await.len(), 2);
    let chord = submit(&server, &json!({"chord": {"header": [node("x"), node("y")], "body": node("z")}})).await;
    assert_eq!(get(&server, &chord).await["statuses"], json!({"pending": 1, "queued": 2}));
    assert_eq!(run(&server, &[]).await[2], "z");
    let parents =
        server.get(&format!("/api/v1/tasks/{}/dependencies", chord["tasks"]["body"].as_str().unwrap())).await.json();
    assert_eq!(parents["parents"].as_array().unwrap().len(), 2);
    for workflow in [&chain, &group, &chord] {
        assert_eq!(get(&server, workflow).await["state"], "success");
    }
}

#[actix::test]
async fn what_follows_a_failure_is_decided_by_each_edge() {
    let server = Server::start().await;
    let tasks = json!({
        "bad": node("bad"), "good": node("good"),
        "skipped": after("skipped", json!(["bad"])),
        "anyway": after("anyway", json!([{"task": "bad", "on_failure": "run"}])),
        "repair": after("repair", json!([{"task": "bad", "on_failure": "only"}])),
        "unneeded": after("unneeded", json!([{"task": "good", "on_failure": "only"}])),
        "after unneeded": after("after", json!(["unneeded"])),
        "for skipped": after("for-skipped", json!([{"task": "skipped", "on_failure": "only"}])),
    });
    let workflow = submit(&server, &json!({"tasks": tasks})).await;
    run(&server, &["bad"]).await;
    let expected = json!({
        "bad": "failed", "good": "success", "skipped": "skipped", "anyway": "success", "repair": "success",
        "unneeded": "skipped", "after unneeded": "skipped", "for skipped": "success",
    });
    assert_eq!(statuses(&server, &workflow).await, expected);
    let progress = &get(&server, &workflow).await["progress"];
    assert_eq!((&progress["failed"], &progress["skipped"], &progress["unneeded"]), (&json!(1), &json!(1), &json!(2)));
    // What only a failure needs makes of a success none the less one.
    let tasks = json!({"a": node("a"), "repair": after("repair", json!([{"task": "a", "on_failure": "only"}]))});
    let workflow = submit(&server, &json!({"tasks": tasks})).await;
    run(&server, &[]).await;
    assert_eq!(get(&server, &workflow).await["state"], "success");
}

#[actix::test]
async fn callbacks_are_tasks_that_wait_for_the_whole_and_are_told_how_it_ended() {
    let server = Server::start().await;
    let body = |names: &[&str]| {
        let group: Vec<Value> = names.iter().map(|name| node(name)).collect();
        json!({"group": group, "on_success": node("hurrah"), "on_failure": node("alas")})
    };
    let good = submit(&server, &body(&["x", "y"])).await;
    assert_eq!(run(&server, &[]).await[2..], ["hurrah"]);
    let over = get(&server, &good).await;
    assert_eq!((&over["state"], &over["progress"]["total"]), (&json!("success"), &json!(2)));
    let called = &over["callbacks"];
    assert_eq!(
        (&called["on_success"]["status"], &called["on_failure"]["status"]),
        (&json!("success"), &json!("skipped"))
    );
    assert_eq!(called["on_success"]["id"], good["callbacks"]["on_success"]);
    let bad = submit(&server, &body(&["x", "bad"])).await;
    assert_eq!(run(&server, &["bad"]).await[2..], ["alas"]);
    let over = get(&server, &bad).await;
    let called = &over["callbacks"];
    assert_eq!(
        (&called["on_success"]["status"], &called["on_failure"]["status"]),
        (&json!("skipped"), &json!("success"))
    );
    let alas: jobqueue::task::TaskId = bad["callbacks"]["on_failure"].as_str().unwrap().parse().unwrap();
    let reader = server.engine.reader().clone();
    let parents = tokio::task::spawn_blocking(move || reader.parents(alas, 1).unwrap().unwrap()).await.unwrap();
    let told: Value = serde_json::from_str(parents[0].result.as_deref().unwrap()).unwrap();
    assert_eq!(
        (&told["workflow_id"], &told["state"], &told["total"], &told["failed"]),
        (&bad["id"], &json!("failed"), &json!(2), &json!(1))
    );
    assert_eq!(told["failed_tasks"], json!([{"task": "1", "id": bad["tasks"]["1"], "status": "failed"}]));
    let task = server.get(&format!("/api/v1/tasks/{alas}")).await.json();
    assert_eq!((&task["workflow_id"], &task["node"]), (&bad["id"], &json!("on_failure")));
}

#[actix::test]
async fn a_whole_workflow_is_cancelled_at_once() {
    let server = Server::start().await;
    let tasks = json!({
        "a": node("a"), "b": after("b", json!(["a"])), "late": {"name": "late", "delay": "1h"},
        "anyway": after("anyway", json!([{"task": "late", "on_failure": "run"}])),
    });
    let workflow = submit(&server, &json!({"tasks": tasks, "on_failure": node("alas")})).await;
    let running = server.claim("default").await.remove(0);
    let cancel = format!("{}/cancel", path(&workflow));
    let answer = server.post(&cancel, r#"{"reason": "changed plans"}"#).await;
    assert_eq!(
        (answer.status, answer.json()["cancelled"].clone(), answer.json()["stopping"].clone()),
        (200, json!(3), json!(1))
    );
    assert_eq!(server.post(&cancel, "").await.json()["cancelled"], 0, "once more is no error");
    let expected = json!({"a": "running", "b": "cancelled", "late": "cancelled", "anyway": "cancelled"});
    assert_eq!(statuses(&server, &workflow).await, expected);
    assert_eq!(get(&server, &workflow).await["state"], "running");
    let id = running.task().id;
    running.finish(Outcome::Cancelled);
    server.get(&format!("/api/v1/tasks/{id}/result?wait=30s")).await;
    let over = get(&server, &workflow).await;
    assert_eq!((&over["state"], &over["progress"]["cancelled"]), (&json!("cancelled"), &json!(4)));
    let late = server.get(&format!("/api/v1/tasks/{}", workflow["tasks"]["late"].as_str().unwrap())).await.json();
    assert!(late["error"]["message"].as_str().unwrap().ends_with(": changed plans"), "{late}");
    assert_eq!(run(&server, &[]).await, ["alas"], "nothing of it but its callback runs");
    server.post(&cancel, "").await.assert_problem(409, "workflow_finished");
    let log = server.get("/api/v1/audit?action=workflow.cancel").await.json();
    assert_eq!(log["data"].as_array().unwrap().len(), 1);
}

#[actix::test]
async fn what_failed_is_run_again_and_what_succeeded_stays() {
    let server = Server::start().await;
    let tasks = json!({
        "a": node("a"), "bad": after("bad", json!(["a"])), "c": after("c", json!(["bad"])), "d": after("d", json!(["c", "a"])),
    });
    let body = json!({"tasks": tasks, "on_success": node("hurrah"), "on_failure": node("alas")});
    let workflow = submit(&server, &body).await;
    let retry = format!("{}/retry", path(&workflow));
    server.post(&retry, "").await.assert_problem(409, "nothing_failed");
    assert_eq!(run(&server, &["bad"]).await, ["a", "bad", "alas"]);
    let answer = server.post(&retry, "").await;
    assert_eq!(
        (answer.status, &answer.json()["retried"], &answer.json()["state"]),
        (200, &json!(3), &json!("running"))
    );
    let again = get(&server, &workflow).await;
    assert_eq!(
        (&again["progress"]["success"], &again["progress"]["open"], &again["finished_at"]),
        (&json!(1), &json!(3), &json!(null))
    );
    assert_eq!(again["callbacks"]["on_failure"]["status"], "pending", "it is armed again");
    assert_eq!(again["callbacks"]["on_success"]["status"], "pending");
    // It fails once more, and is called once more.
    assert_eq!(run(&server, &["bad"]).await, ["bad", "alas"]);
    assert_eq!(server.post(&retry, "").await.status, 200);
    assert_eq!(run(&server, &[]).await, ["bad", "c", "d", "hurrah"]);
    let over = get(&server, &workflow).await;
    assert_eq!((&over["state"], &over["progress"]["success"]), (&json!("success"), &json!(4)));
    assert_eq!(over["callbacks"]["on_failure"]["status"], "skipped");
    let a = server.get(&format!("/api/v1/tasks/{}", workflow["tasks"]["a"].as_str().unwrap())).await.json();
    assert_eq!(a["generation"], 1);
    server.post(&retry, "").await.assert_problem(409, "nothing_failed");
}

#[actix::test]
async fn a_task_that_is_retried_by_itself_moves_its_workflow() {
    let server = Server::start().await;
    let body = json!({"group": [node("x"), node("bad")], "on_success": node("hurrah"), "on_failure": node("alas")});
    let workflow = submit(&server, &body).await;
    run(&server, &["bad"]).await;
    assert_eq!(get(&server, &workflow).await["state"], "failed");
    let bad = workflow["tasks"]["1"].as_str().unwrap();
    assert_eq!(server.post(&format!("/api/v1/dlq/{bad}/retry"), "").await.status, 200);
    assert_eq!(get(&server, &workflow).await["state"], "running");
    assert_eq!(run(&server, &[]).await, ["bad", "hurrah"]);
    assert_eq!(get(&server, &workflow).await["state"], "success");
    // A callback that runs cannot be called once more.
    let workflow = submit(&server, &json!({"group": [node("bad")], "on_failure": node("alas")})).await;
    let bad = server.claim("default").await.remove(0);
    let id = bad.task().id;
    bad.finish(failure());
    server.get(&format!("/api/v1/tasks/{id}/result?wait=30s")).await;
    while server.engine.resolve(1_000).await.unwrap() {}
    let alas = server.claim("default").await.remove(0);
    server.post(&format!("{}/retry", path(&workflow)), "").await.assert_problem(409, "workflow_callback_runs");
    alas.finish(success());
}

#[actix::test]
async fn a_deleted_task_stays_in_the_view_of_its_workflow() {
    let server = Server::start().await;
    let workflow = submit(&server, &json!({"chain": [node("x"), node("y")]})).await;
    run(&server, &[]).await;
    let x = workflow["tasks"]["0"].as_str().unwrap();
    assert_eq!(server.call("DELETE", &format!("/api/v1/tasks/{x}"), &[], b"").await.status, 204);
    assert_eq!(get(&server, &workflow).await["progress"]["success"], 2);
    let graph = server.get(&format!("{}/graph", path(&workflow))).await.json();
    let gone = &graph["nodes"][0];
    assert_eq!((&gone["node"], &gone["status"], &gone["name"]), (&json!("0"), &json!("success"), &json!(null)));
    assert_eq!(graph["edges"].as_array().unwrap().len(), 1);
    prune(&server).await;
    // It goes after the last of its tasks.
    prune(&server).await;
    server.get(&path(&workflow)).await.assert_problem(404, "workflow_not_found");
}

/// Lets go of everything that is over, as if it were so since long.
async fn prune(server: &Server) {
    let limits = jobqueue::store::RetentionLimits {
        now: i64::MAX,
        success_before: i64::MAX,
        others_before: i64::MAX,
        idempotency_before: 0,
        workers_before: 0,
        minutes_before: 0,
        hours_before: 0,
        audit_before: 0,
        rows: 1_000,
    };
    server.engine.prune(limits, None).await.unwrap();
}

#[actix::test]
async fn what_a_retry_needs_outlives_its_retention() {
    let server = Server::start().await;
    let tasks = json!({
        "a": node("a"), "b": node("b"), "c": node("c"), "alone": after("alone", json!(["c"])),
        "join": after("join", json!(["a", "b"])), "last": after("last", json!(["join"])),
    });
    let workflow =
        submit(&server, &json!({"tasks": tasks, "on_success": node("called"), "on_failure": node("told")})).await;
    run(&server, &["b"]).await;
    for _ in 0..3 {
        prune(&server).await;
    }
    let stays = async |task: &str| {
        let id = workflow["tasks"][task].as_str().or_else(|| workflow["callbacks"][task].as_str()).unwrap();
        server.get(&format!("/api/v1/tasks/{id}")).await.status == 200
    };
    for task in ["a", "b", "join", "last", "on_success", "on_failure"] {
        assert!(stays(task).await, "{task}: a retry of what has failed runs it, calls it or reads its result");
    }
    for task in ["c", "alone"] {
        assert!(!stays(task).await, "{task} has done its part");
    }
    assert_eq!(server.post(&format!("{}/retry", path(&workflow)), "").await.json()["retried"], 3);
    assert_eq!(run(&server, &[]).await, ["b", "join", "last", "called"]);
    assert_eq!(get(&server, &workflow).await["state"], "success");
    for _ in 0..3 {
        prune(&server).await;
    }
    let left = server.get("/api/v1/tasks").await.json();
    assert_eq!(left["data"], json!([]), "what nobody needs any more goes");
    server.get(&path(&workflow)).await.assert_problem(404, "workflow_not_found");
}

#[actix::test]
async fn nobody_takes_the_place_of_a_task_of_a_workflow() {
    let server = Server::start().await;
    let body = json!({
        "tasks": {"a": {"name": "a", "unique_key": "k"}}, "on_success": {"name": "s", "unique_key": "s"},
    });
    let workflow = submit(&server, &body).await;
    for (key, id) in [("k", &workflow["tasks"]["a"]), ("s", &workflow["callbacks"]["on_success"])] {
        let other = json!({"name": "other", "unique_key": key, "unique_conflict": "replace"}).to_string();
        let problem = server.post("/api/v1/tasks", &other).await.assert_problem(409, "unique_key_held");
        assert_eq!(&problem["task_id"], id);
    }
    assert_eq!(run(&server, &[]).await, ["a", "s"]);
}

#[actix::test]
async fn a_result_is_kept_for_a_child_that_still_waits() {
    let server = Server::start().await;
    let (a, b) = (server.submit(r#"{"name":"a"}"#).await, server.submit(r#"{"name":"b","delay":"1h"}"#).await);
    let child = server.submit(&json!({"name": "child", "depends_on": [a, b]}).to_string()).await;
    assert_eq!(run(&server, &[]).await, ["a"]);
    prune(&server).await;
    assert_eq!(server.get(&format!("/api/v1/tasks/{a}")).await.json()["result"], 1);
    server.post(&format!("/api/v1/tasks/{b}/run-now"), "").await;
    assert_eq!(run(&server, &[]).await, ["b", "child"]);
    prune(&server).await;
    for id in [a, b, child] {
        server.get(&format!("/api/v1/tasks/{id}")).await.assert_problem(404, "task_not_found");
    }
}

#[actix::test]
async fn tasks_outside_may_be_waited_for() {
    let server = Server::start().await;
    let outside = server.submit(r#"{"name":"outside"}"#).await;
    let workflow =
        submit(&server, &json!({"tasks": {"a": after("a", json!([outside])), "b": after("b", json!(["a"]))}})).await;
    assert_eq!(run(&server, &["outside"]).await, ["outside"]);
    let over = get(&server, &workflow).await;
    assert_eq!(
        (&over["state"], &over["progress"]["skipped"]),
        (&json!("failed"), &json!(2)),
        "what it needed has failed"
    );
    let nothing = server.post(&format!("{}/retry", path(&workflow)), "").await.assert_problem(409, "nothing_failed");
    assert_eq!(nothing["task_id"], workflow["tasks"]["a"]);
    assert_eq!(server.post(&format!("/api/v1/tasks/{outside}/retry"), "").await.status, 200);
    assert_eq!(server.post(&format!("{}/retry", path(&workflow)), "").await.json()["retried"], 2);
    assert_eq!(run(&server, &[]).await, ["outside", "a", "b"]);
    // One whose parent has failed already is skipped as it comes, and so is what follows.
    let bad = server.submit(r#"{"name":"bad"}"#).await;
    run(&server, &["bad"]).await;
    let body =
        json!({"tasks": {"a": after("a", json!([bad])), "b": after("b", json!(["a"]))}, "on_failure": node("alas")});
    let workflow = submit(&server, &body).await;
    assert_eq!(run(&server, &[]).await, ["alas"]);
    assert_eq!(get(&server, &workflow).await["progress"]["skipped"], 2);
    // A task may wait for a whole workflow.
    let follower = server
        .submit(&format!(r#"{{"name":"f","depends_on":[{{"id":{},"on_failure":"only"}}]}}"#, workflow["id"]))
        .await;
    assert_eq!(run(&server, &[]).await, ["f"]);
    assert_eq!(
        server.get(&format!("/api/v1/tasks/{follower}/dependencies")).await.json()["parents"][0]["id"],
        workflow["id"]
    );
}

#[actix::test]
async fn bad_graphs_are_refused_by_name_and_leave_nothing() {
    let server = Server::start().await;
    let missing = "0198f2d4-7a3c-7c11-9a34-5b8e4d1f0c2a";
    let many: serde_json::Map<_, _> = (0..100_000).map(|n| (format!("n{n}"), node("x"))).collect();
    let group: Vec<Value> =
        (0..500).map(|n| json!({"name": "x", "depends_on": [], "unique_key": format!("k{n}")})).collect();
    let wide: serde_json::Map<_, _> = (0..400)
        .map(|n| {
            (format!("n{n}"), if n < 200 { node("x") } else { after("x", (0..200).map(|n| format!("n{n}")).collect()) })
        })
        .chain((0..400).map(|n| (format!("m{n}"), after("x", (0..200).map(|n| format!("n{n}")).collect()))))
        .collect();
    let cases = [
        (
            json!({"tasks": {"a": after("a", json!(["b"])), "b": after("b", json!(["a"]))}}),
            "dependency_cycle",
            "/tasks/",
        ),
        (json!({"tasks": {"a": after("a", json!(["a"]))}}), "dependency_cycle", "/tasks/a/depends_on/0"),
        (json!({"tasks": {"a": after("a", json!(["x"]))}}), "parent_not_found", "/tasks/a/depends_on/0"),
        (
            json!({"tasks": {"a": after("a", json!([{"task": missing}]))}}),
            "parent_not_found",
            "/tasks/a/depends_on/0/task",
        ),
        (
            json!({"tasks": {"a/b": node("a"), "c": after("a", json!([missing]))}}),
            "parent_not_found",
            "/tasks/c/depends_on",
        ),
        (
            json!({"tasks": {"a/b": after("a", json!(["c", "c"])), "c": node("c")}}),
            "invalid_field",
            "/tasks/a~1b/depends_on/1",
        ),
        (
            json!({"tasks": {"a": after("a", json!([{"index": 0}])), "b": node("b")}}),
            "invalid_field",
            "/tasks/a/depends_on/0",
        ),
        (json!({"tasks": {"a": {"name": ""}}}), "invalid_field", "/tasks/a/name"),
        (json!({"tasks": {"a": {"name": "a", "colour": 1}}}), "unknown_field", "/tasks/a/colour"),
        (json!({"tasks": {(missing): node("a")}}), "invalid_field", &*format!("/tasks/{missing}")),
        (json!({"tasks": {}}), "invalid_field", "/tasks"),
        (json!({"chain": []}), "invalid_field", "/chain"),
        (json!({"chord": {"header": [], "body": node("a")}}), "invalid_field", "/chord/header"),
        (json!({"chord": {"header": [node("a")]}}), "missing_field", "/chord/body"),
        (json!({"chain": [node("a")], "group": [node("a")]}), "invalid_field", "/group"),
        (json!({"name": "a"}), "invalid_field", ""),
        (json!({"name": "a b", "group": [node("a")]}), "invalid_field", "/name"),
        (
            json!({"group": [node("a")], "on_success": after("a", json!(["0"]))}),
            "invalid_field",
            "/on_success/depends_on",
        ),
        (json!({"group": [node("a")], "on_failure": {"name": 1}}), "invalid_field", "/on_failure/name"),
        (json!({"group": [node("a"), {"name": "a", "delay": -1}]}), "invalid_field", "/group/1/delay"),
        (
            json!({"group": [{"name": "a", "unique_key": "k"}, {"name": "a", "unique_key": "k"}]}),
            "invalid_field",
            "/group/1/unique_key",
        ),
        (json!({"tasks": many}), "invalid_field", "/tasks"),
        (json!({"tasks": wide}), "invalid_field", "/tasks/"),
    ];
    for (body, code, pointer) in cases {
        let answer = server.post("/api/v1/workflows", &body.to_string()).await;
        let problem = answer.assert_problem(422, code);
        let at = problem["errors"][0]["pointer"].as_str().unwrap();
        assert!(
            at == pointer || (pointer.ends_with('/') && at.starts_with(pointer)),
            "{at} instead of {pointer}: {problem}"
        );
        assert!(problem["errors"].as_array().unwrap().len() <= 20);
    }
    let twice = r#"{"tasks": {"a": {"name": "a"}, "a": {"name": "b"}}}"#;
    let problem = server.post("/api/v1/workflows", twice).await.assert_problem(422, "duplicate_field");
    assert_eq!(problem["errors"][0]["pointer"], "/tasks/a");
    let broken: Vec<Value> = (0..50).map(|_| json!({"name": ""})).collect();
    let problem = server
        .post("/api/v1/workflows", &json!({"group": broken}).to_string())
        .await
        .assert_problem(422, "invalid_field");
    assert_eq!(problem["errors"].as_array().unwrap().len(), 20);
    // A key that is held refuses all.
    let holder = server.submit(r#"{"name":"x","unique_key":"k7"}"#).await;
    let problem = server
        .post("/api/v1/workflows", &json!({"group": group}).to_string())
        .await
        .assert_problem(409, "unique_key_held");
    assert_eq!(problem["task_id"], json!(holder));
    assert!(problem["detail"].as_str().unwrap().starts_with("/group/7/unique_key"), "{problem}");
    server.call("PUT", "/api/v1/queues/small", &[("Content-Type", "application/json")], br#"{"max_depth": 2}"#).await;
    let small = json!({"group": [{"name": "a"}, {"name": "a", "queue": "small"}, {"name": "a", "queue": "small"}, {"name": "a", "queue": "small"}]});
    server.post("/api/v1/workflows", &small.to_string()).await.assert_problem(429, "queue_full");
    assert_eq!(server.stored(), 1, "nothing is half created");
    assert_eq!(server.get("/api/v1/workflows").await.json()["data"], json!([]));
}

#[actix::test]
async fn a_repeat_is_answered_as_the_first_was() {
    let server = Server::start().await;
    let body = json!({"tasks": {"b": after("b", json!(["a"])), "a": node("a")}, "on_success": node("s")}).to_string();
    let headers = [("Content-Type", "application/json"), ("Idempotency-Key", "once")];
    let first = server.call("POST", "/api/v1/workflows", &headers, body.as_bytes()).await;
    let again = server.call("POST", "/api/v1/workflows", &headers, body.as_bytes()).await;
    assert_eq!((first.status, first.json()), (201, again.json()));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(server.stored(), 3);
    let other = server.call("POST", "/api/v1/workflows", &headers, br#"{"group":[{"name":"a"}]}"#).await;
    other.assert_problem(422, "idempotency_key_reused");
}

#[actix::test]
async fn workflows_are_listed_by_state_and_name() {
    let server = Server::start().await;
    for n in 0..5 {
        let name = if n % 2 == 0 { "even" } else { "odd" };
        submit(&server, &json!({"name": name, "group": [node(if n == 4 { "bad" } else { "x" })]})).await;
    }
    let first = server.get("/api/v1/workflows?limit=2").await.json();
    let rest =
        server.get(&format!("/api/v1/workflows?state=failed&cursor={}", first["next_cursor"].as_str().unwrap())).await;
    assert_eq!((first["data"].as_array().unwrap().len(), rest.status), (2, 422), "a cursor is one of its list");
    let rest =
        server.get(&format!("/api/v1/workflows?limit=2&cursor={}", first["next_cursor"].as_str().unwrap())).await;
    assert_eq!(rest.json()["data"].as_array().unwrap().len(), 2);
    run(&server, &["bad"]).await;
    for (query, n) in [
        ("state=success", 4),
        ("state=failed", 1),
        ("state=failed,success", 5),
        ("state=running", 0),
        ("name=even", 3),
        ("name=odd&state=failed", 0),
    ] {
        let listed = server.get(&format!("/api/v1/workflows?{query}")).await.json();
        assert_eq!(listed["data"].as_array().unwrap().len(), n, "{query}");
    }
    server.get("/api/v1/workflows?state=done").await.assert_problem(422, "invalid_parameter");
    server
        .get("/api/v1/workflows/0198f2d4-7a3c-7c11-9a34-5b8e4d1f0c2a/graph")
        .await
        .assert_problem(404, "workflow_not_found");
}

#[actix::test]
async fn a_key_for_some_queues_has_the_workflows_that_are_all_in_them() {
    let server = Server::start().await;
    let (_, root) = make(&server, "", "root", json!({"scopes": ["admin"]})).await;
    let fields = json!({"scopes": ["read", "submit", "operate"], "queues": ["mine-*"]});
    let (_, key) = make(&server, &root, "mine", fields).await;
    let group = |queues: &[&str]| {
        let tasks: Vec<_> = queues.iter().map(|queue| json!({"name": "a", "queue": queue, "delay": "1h"})).collect();
        json!({"group": tasks}).to_string()
    };
    let mine = ask(&server, &key, "POST", "/api/v1/workflows", &group(&["mine-1", "mine-2"])).await.json();
    let both = ask(&server, &root, "POST", "/api/v1/workflows", &group(&["mine-1", "theirs"])).await.json();
    let refused = ask(&server, &key, "POST", "/api/v1/workflows", &group(&["mine-1", "theirs"])).await;
    assert_eq!(refused.status, 403);
    let listed = ask(&server, &key, "GET", "/api/v1/workflows", "").await.json();
    assert_eq!((listed["data"].as_array().unwrap().len(), &listed["data"][0]["id"]), (1, &mine["id"]));
    for (method, tail) in [("GET", ""), ("GET", "/graph"), ("POST", "/cancel"), ("POST", "/retry")] {
        let theirs = ask(&server, &key, method, &format!("{}{tail}", path(&both)), "").await;
        theirs.assert_problem(404, "workflow_not_found");
    }
    let wait = format!(r#"{{"name":"a","queue":"mine-1","depends_on":[{}]}}"#, both["id"]);
    ask(&server, &key, "POST", "/api/v1/tasks", &wait).await.assert_problem(422, "parent_not_found");
    assert_eq!(ask(&server, &key, "POST", &format!("{}/cancel", path(&mine)), "").await.status, 200);
}

#[actix::test]
async fn ten_thousand_tasks_are_one_request() {
    let server = Server::start().await;
    let fan_in: serde_json::Map<_, _> = (0..10_000)
        .map(|n| (format!("n{n}"), node("x")))
        .chain([("last".to_owned(), after("x", (0..10_000).map(|n| format!("n{n}")).collect()))])
        .collect();
    let tasks = |count: usize| vec![node("x"); count];
    for body in [
        json!({"tasks": fan_in, "on_success": node("s"), "on_failure": node("f")}),
        json!({"chain": tasks(10_001)}),
        json!({"chord": {"header": tasks(10_000), "body": node("x")}}),
    ] {
        let began = std::time::Instant::now();
        let workflow = submit(&server, &body).await;
        eprintln!("accepted after {:?}", began.elapsed());
        let began = std::time::Instant::now();
        let graph = server.get(&format!("{}/graph", path(&workflow))).await.json();
        eprintln!("its graph after {:?}", began.elapsed());
        assert_eq!(
            (graph["nodes"].as_array().unwrap().len(), graph["edges"].as_array().unwrap().len()),
            (10_001, 10_000)
        );
        let began = std::time::Instant::now();
        let answer = server.post(&format!("{}/cancel", path(&workflow)), "").await;
        eprintln!("cancelled after {:?}", began.elapsed());
        assert_eq!(answer.json()["cancelled"], 10_001, "{}", answer.text());
        assert_eq!(get(&server, &workflow).await["state"], "cancelled");
    }
    let beyond = json!({"chord": {"header": tasks(10_001), "body": node("x")}}).to_string();
    let problem = server.post("/api/v1/workflows", &beyond).await.assert_problem(422, "invalid_field");
    assert_eq!(problem["errors"][0]["pointer"], "/chord/header");
    assert!(problem["detail"].as_str().unwrap().contains("not 10002"), "{problem}");
}
