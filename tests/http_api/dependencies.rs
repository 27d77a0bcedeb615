//! Tasks that wait for others.

use jobqueue::task::{Again, ErrorKind, Outcome};
use serde_json::{Value, json};

use crate::support::Server;

async fn status(server: &Server, id: &str) -> Value {
    server.get(&format!("/api/v1/tasks/{id}")).await.json()["status"].clone()
}

async fn end(server: &Server, outcome: Outcome) -> String {
    let grant = server.claim("default").await.remove(0);
    let id = grant.task().id.to_string();
    grant.finish(outcome);
    server.get(&format!("/api/v1/tasks/{id}/result?wait=30s")).await;
    id
}

fn success() -> Outcome {
    Outcome::Success("1".into())
}

fn failure() -> Outcome {
    Outcome::Failure { error: jobqueue::task::TaskError::new(ErrorKind::Failure, "no"), again: Again::Never }
}

#[actix::test]
async fn a_child_waits_for_all_its_parents() {
    let server = Server::start().await;
    let a = server.submit(r#"{"name":"a"}"#).await;
    let b = server.submit(r#"{"name":"b"}"#).await;
    let child = server.post("/api/v1/tasks", &format!(r#"{{"name":"c","depends_on":["{a}",{{"id":"{b}"}}]}}"#)).await;
    assert_eq!(
        (child.status, &child.json()["status"], &child.json()["ready_at"]),
        (201, &json!("pending"), &json!(null))
    );
    let c = child.json()["id"].as_str().unwrap().to_owned();
    let explained = server.get(&format!("/api/v1/tasks/{c}/explain")).await.json();
    assert_eq!((&explained["reasons"][0]["code"], &explained["reasons"][0]["count"]), (&json!("parents"), &json!(2)));
    let mut grants = server.claim("default").await;
    assert_eq!(grants.len(), 2, "the child is not offered");
    grants.remove(0).finish(success());
    server.get(&format!("/api/v1/tasks/{a}/result?wait=30s")).await;
    assert_eq!(status(&server, &c).await, "pending");
    grants.remove(0).finish(success());
    server.get(&format!("/api/v1/tasks/{b}/result?wait=30s")).await;
    assert_eq!(status(&server, &c).await, "queued");
    let around = server.get(&format!("/api/v1/tasks/{c}/dependencies")).await.json();
    assert_eq!(around["parents"].as_array().unwrap().len(), 2);
    assert_eq!(server.get(&format!("/api/v1/tasks/{a}/dependencies")).await.json()["children"][0]["id"], json!(c));
    assert_eq!(end(&server, success()).await, c);
}

#[actix::test]
async fn a_failed_parent_skips_its_descendants_and_frees_those_that_run_anyway() {
    let server = Server::start().await;
    let parent = server.submit(r#"{"name":"a"}"#).await;
    let child = server.submit(&format!(r#"{{"name":"b","depends_on":["{parent}"]}}"#)).await;
    let grandchild = server.submit(&format!(r#"{{"name":"c","depends_on":["{child}"]}}"#)).await;
    let anyway =
        server.submit(&format!(r#"{{"name":"d","depends_on":[{{"id":"{grandchild}","on_failure":"run"}}]}}"#)).await;
    end(&server, failure()).await;
    while server.engine.resolve(100).await.unwrap() {}
    assert_eq!(status(&server, &child).await, "skipped");
    assert_eq!(status(&server, &grandchild).await, "skipped");
    assert_eq!(status(&server, &anyway).await, "queued");
    // Who comes late finds the same.
    let late = server.post("/api/v1/tasks", &format!(r#"{{"name":"b","depends_on":["{parent}"]}}"#)).await.json();
    assert_eq!(late["status"], "skipped");
    // A child cannot be retried before its parent.
    server.post(&format!("/api/v1/tasks/{child}/retry"), "").await.assert_problem(409, "parent_failed");
    server.post(&format!("/api/v1/tasks/{parent}/retry"), "").await;
    let again = server.post(&format!("/api/v1/tasks/{child}/retry"), "").await.json();
    assert_eq!(again["status"], "pending");
    let ids: Vec<_> = server
        .claim("default")
        .await
        .into_iter()
        .map(|grant| {
            let id = grant.task().id.to_string();
            grant.finish(success());
            id
        })
        .collect();
    assert!(ids.contains(&parent) && ids.contains(&anyway), "{ids:?}");
    server.get(&format!("/api/v1/tasks/{parent}/result?wait=30s")).await;
    assert_eq!(status(&server, &child).await, "queued");
}

#[actix::test]
async fn a_cancelled_or_expired_parent_is_one_that_did_not_succeed() {
    let server = Server::start().await;
    let parent = server.submit(r#"{"name":"a"}"#).await;
    let child = server.submit(&format!(r#"{{"name":"b","depends_on":["{parent}"]}}"#)).await;
    server.post(&format!("/api/v1/tasks/{parent}/cancel"), "").await;
    while server.engine.resolve(100).await.unwrap() {}
    assert_eq!(status(&server, &child).await, "skipped");
    let old = server.submit(r#"{"name":"a","expires_in":"1ms"}"#).await;
    let child = server.submit(&format!(r#"{{"name":"b","depends_on":["{old}"]}}"#)).await;
    let gone = async || {
        server.engine.expire(100).await.unwrap();
        status(&server, &old).await == "expired"
    };
    while !gone().await {
        tokio::task::yield_now().await;
    }
    while server.engine.resolve(100).await.unwrap() {}
    assert_eq!(status(&server, &child).await, "skipped");
    assert_eq!(server.claim("default").await.len(), 0);
}

#[actix::test]
async fn a_batch_may_name_its_own_tasks_in_any_order() {
    let server = Server::start().await;
    let batch = r#"{"tasks":[
        {"name":"last","depends_on":[{"index":1},{"index":2}]},
        {"name":"middle","depends_on":[{"index":2}]},
        {"name":"first"}]}"#;
    let reply = server.post("/api/v1/tasks/batch", batch).await.json();
    assert!(reply["results"].as_array().unwrap().iter().all(|item| item["status"] == 201), "{reply}");
    let id = |index: usize| reply["results"][index]["id"].as_str().unwrap().to_owned();
    for index in [2, 1, 0] {
        assert_eq!(end(&server, success()).await, id(index));
    }
    let before = server.stored();
    let cycle =
        r#"{"atomic":true,"tasks":[{"name":"a","depends_on":[{"index":1}]},{"name":"b","depends_on":[{"index":0}]}]}"#;
    let problem = server.post("/api/v1/tasks/batch", cycle).await.assert_problem(422, "dependency_cycle");
    assert_eq!(problem["errors"].as_array().unwrap().len(), 2);
    for (index, tasks) in [
        (0, r#"[{"name":"a","depends_on":[{"index":0}]}]"#),
        (0, r#"[{"name":"a","depends_on":[{"index":7}]}]"#),
        (1, r#"[{"name":""},{"name":"a","depends_on":[{"index":0}]}]"#),
    ] {
        let reply = server.post("/api/v1/tasks/batch", &format!(r#"{{"tasks":{tasks}}}"#)).await.json();
        let item = &reply["results"][index];
        assert_eq!(
            (&item["status"], &item["error"]["errors"][0]["pointer"]),
            (&json!(422), &json!("/depends_on/0/index"))
        );
    }
    assert_eq!(server.stored(), before);
}

#[actix::test]
async fn a_parent_that_is_only_a_duplicate_stands_for_its_holder() {
    let server = Server::start().await;
    let holder = server.submit(r#"{"name":"a","unique_key":"k"}"#).await;
    let batch = r#"{"tasks":[{"name":"a","unique_key":"k"},{"name":"b","depends_on":[{"index":0}]}]}"#;
    let reply = server.post("/api/v1/tasks/batch", batch).await.json();
    assert_eq!((&reply["results"][0]["id"], &reply["results"][1]["status"]), (&json!(holder), &json!(201)));
    let child = reply["results"][1]["id"].as_str().unwrap();
    let around = server.get(&format!("/api/v1/tasks/{child}/dependencies")).await.json();
    assert_eq!(around["parents"][0]["id"], json!(holder));
}

#[actix::test]
async fn a_fan_out_beyond_one_transaction_is_told_in_steps() {
    let server = Server::start().await;
    let parent = server.submit(r#"{"name":"a"}"#).await;
    let children: Vec<_> = (0..700).map(|_| format!(r#"{{"name":"b","depends_on":["{parent}"]}}"#)).collect();
    let batch = format!(r#"{{"tasks":[{}]}}"#, children.join(","));
    let reply = server.post("/api/v1/tasks/batch", &batch).await.json();
    assert!(reply["results"].as_array().unwrap().iter().all(|item| item["status"] == 201));
    end(&server, success()).await;
    while server.engine.resolve(50).await.unwrap() {}
    let stats = server.get("/api/v1/queues/default/stats").await.json();
    assert_eq!((&stats["status_counts"]["queued"], &stats["status_counts"]["pending"]), (&json!(700), &json!(0)));
}

/// A parent that is named by two ways is one parent, under the stricter of the policies.
#[actix::test]
async fn two_siblings_that_one_task_stands_for_are_one_parent() {
    let server = Server::start().await;
    let holder = server.submit(r#"{"name":"a","unique_key":"k"}"#).await;
    let same = r#"{"name":"a","unique_key":"k"}"#;
    for parents in [
        r#"[{"index":0},{"index":1,"on_failure":"run"}]"#.to_owned(),
        r#"[{"index":0,"on_failure":"run"},{"index":1}]"#.to_owned(),
        format!(r#"["{holder}",{{"index":0,"on_failure":"run"}}]"#),
    ] {
        let batch = format!(r#"{{"tasks":[{same},{same},{{"name":"c","depends_on":{parents}}}]}}"#);
        let reply = server.post("/api/v1/tasks/batch", &batch).await.json();
        let statuses: Vec<_> = reply["results"].as_array().unwrap().iter().map(|item| item["status"].clone()).collect();
        assert_eq!(statuses, [200, 200, 201], "{reply}");
        let child = reply["results"][2]["id"].as_str().unwrap();
        let around = server.get(&format!("/api/v1/tasks/{child}/dependencies")).await.json();
        let parents = around["parents"].as_array().unwrap();
        assert_eq!((parents.len(), &parents[0]["id"], &parents[0]["on_failure"]), (1, &json!(holder), &json!("skip")));
        assert_eq!(server.get(&format!("/api/v1/tasks/{child}/explain")).await.json()["reasons"][0]["count"], 1);
    }
    assert_eq!(end(&server, success()).await, holder);
    assert_eq!(server.claim("default").await.len(), 3, "each child is free");
}

/// That a parent did not succeed is known for as long as its child could run.
#[actix::test]
async fn a_deleted_parent_that_failed_is_not_one_that_succeeded() {
    let server = Server::start().await;
    let parent = server.submit(r#"{"name":"a"}"#).await;
    let child = server.submit(&format!(r#"{{"name":"b","depends_on":["{parent}"]}}"#)).await;
    let anyway = r#"{"name":"c","depends_on":[{"id":"PARENT","on_failure":"run"}]}"#.replace("PARENT", &parent);
    let anyway = server.submit(&anyway).await;
    end(&server, failure()).await;
    while server.engine.resolve(100).await.unwrap() {}
    assert_eq!((status(&server, &child).await, status(&server, &anyway).await), (json!("skipped"), json!("queued")));
    assert_eq!(end(&server, success()).await, anyway);
    assert_eq!(server.call("DELETE", &format!("/api/v1/tasks/{parent}"), &[], b"").await.status, 204);
    let refused = server.post(&format!("/api/v1/tasks/{child}/retry"), "").await.assert_problem(409, "parent_gone");
    assert_eq!(refused["task_id"], json!(parent));
    assert_eq!(status(&server, &child).await, "skipped");
    assert_eq!(server.post(&format!("/api/v1/tasks/{anyway}/retry"), "").await.json()["status"], "queued");
    assert_eq!(end(&server, success()).await, anyway);
    assert_eq!(server.call("DELETE", &format!("/api/v1/tasks/{child}"), &[], b"").await.status, 204);
    // One that has succeeded may go.
    let parent = server.submit(r#"{"name":"a"}"#).await;
    let child = server.submit(&format!(r#"{{"name":"b","depends_on":["{parent}"]}}"#)).await;
    end(&server, success()).await;
    assert_eq!(end(&server, failure()).await, child);
    assert_eq!(server.call("DELETE", &format!("/api/v1/tasks/{parent}"), &[], b"").await.status, 204);
    assert_eq!(server.post(&format!("/api/v1/tasks/{child}/retry"), "").await.json()["status"], "queued");
}

/// A parent that has succeeded and runs again has not succeeded.
#[actix::test]
async fn a_child_that_still_waits_waits_again_for_a_parent_that_runs_again() {
    let server = Server::start().await;
    let first = server.submit(r#"{"name":"a","priority":9}"#).await;
    let second = server.submit(r#"{"name":"a","delay":"1h"}"#).await;
    let child = server.submit(&format!(r#"{{"name":"b","depends_on":["{first}","{second}"]}}"#)).await;
    let unmet = async || {
        let explained = server.get(&format!("/api/v1/tasks/{child}/explain")).await.json();
        explained["reasons"][0]["count"].clone()
    };
    assert_eq!(end(&server, success()).await, first);
    assert_eq!(unmet().await, 1);
    assert_eq!(server.post(&format!("/api/v1/tasks/{first}/retry"), "").await.status, 200);
    assert_eq!(unmet().await, 2);
    assert_eq!(server.post(&format!("/api/v1/tasks/{second}/run-now"), "").await.status, 200);
    let mut grants = server.claim("default").await;
    assert_eq!(grants.len(), 2, "both parents and not the child");
    let place = grants.iter().position(|grant| grant.task().id.to_string() == second).unwrap();
    grants.remove(place).finish(success());
    server.get(&format!("/api/v1/tasks/{second}/result?wait=30s")).await;
    assert_eq!(status(&server, &child).await, "pending");
    grants.remove(0).finish(failure());
    server.get(&format!("/api/v1/tasks/{first}/result?wait=30s")).await;
    while server.engine.resolve(100).await.unwrap() {}
    assert_eq!(status(&server, &child).await, "skipped");
}

#[actix::test]
async fn a_circle_in_a_batch_refuses_its_members_and_who_waits_for_them_and_nobody_else() {
    let server = Server::start().await;
    let batch = r#"{"tasks":[
        {"name":"alone"},
        {"name":"one","depends_on":[{"index":2}]},
        {"name":"two","depends_on":[{"index":1},{"index":0}]},
        {"name":""},
        {"name":"after","depends_on":[{"index":2}]},
        {"name":"child","depends_on":[{"index":0}]}]}"#;
    let headers = [("Idempotency-Key", "k")];
    let first = server.call("POST", "/api/v1/tasks/batch", &headers, batch.as_bytes()).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let reply = first.json();
    let told =
        reply["results"].as_array().unwrap().iter().map(|item| (item["status"].clone(), item["error"]["code"].clone()));
    let circle = (json!(422), json!("dependency_cycle"));
    let stored = (json!(201), Value::Null);
    let expected = [
        stored.clone(),
        circle.clone(),
        circle.clone(),
        (json!(422), json!("invalid_field")),
        circle.clone(),
        stored.clone(),
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    assert_eq!(reply["results"][4]["error"]["errors"][0]["pointer"], "/depends_on");
    assert_eq!(server.stored(), 2);
    let again = server.call("POST", "/api/v1/tasks/batch", &headers, batch.as_bytes()).await;
    assert_eq!((again.text(), again.header("idempotent-replayed")), (first.text(), Some("true")));
    let all = r#"{"tasks":[{"name":"a","depends_on":[{"index":1}]},{"name":"b","depends_on":[{"index":0}]}]}"#;
    let reply = server.post("/api/v1/tasks/batch", all).await.json();
    assert!(reply["results"].as_array().unwrap().iter().all(|item| item["status"] == 422), "{reply}");
}

/// All of a request are tied in one transaction, for which others wait.
#[actix::test]
async fn a_request_has_a_bounded_number_of_dependencies() {
    let server = Server::start().await;
    let parents: Vec<_> = (0..500).map(|index| json!({ "index": index })).collect();
    let task = |n: usize| if n < 500 { json!({"name": "a"}) } else { json!({"name": "b", "depends_on": parents}) };
    for atomic in [false, true] {
        let batch = json!({"atomic": atomic, "tasks": (0..701).map(task).collect::<Vec<_>>()}).to_string();
        let problem = server.post("/api/v1/tasks/batch", &batch).await.assert_problem(422, "invalid_field");
        assert_eq!(problem["errors"][0]["pointer"], "/tasks/700/depends_on");
        assert!(problem["detail"].as_str().unwrap().contains("100000"), "{problem}");
    }
    assert_eq!(server.stored(), 0);
}
