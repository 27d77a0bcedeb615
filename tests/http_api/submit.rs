//! Submissions in all their good forms, waiting for the end, unique keys.

use jobqueue::task::{ErrorKind, Outcome};
use serde_json::json;

use crate::support::Server;

#[actix::test]
async fn a_task_reads_back_as_it_was_written() {
    let server = Server::start().await;
    let body = r#"{"name":"process_data","args":[1, 2,  12345678901234567890123, 1.50],"kwargs":{"multiplier":2,"ä":"\ud83d\ude00"},
        "queue":"mail","priority":"high","max_retries":7,"retry":{"strategy":"linear","initial":"2s","max":90,"jitter":false},
        "timeout":"5m","delay":"1h","unique_key":"k","tags":["a","b c"],"meta":{"n":9007199254740993}}"#;
    let response = server.post("/api/v1/tasks", body).await;
    assert_eq!(response.status, 201, "{}", response.text());
    let task = response.json();
    let id = task["id"].as_str().unwrap();
    assert_eq!(response.header("location"), Some(format!("/api/v1/tasks/{id}").as_str()));
    let read = server.get(&format!("/api/v1/tasks/{id}")).await;
    assert_eq!(read.status, 200);
    assert_eq!(read.json(), task, "what was answered is what is stored");
    for text in [response.text(), read.text()] {
        assert!(text.contains("[1, 2,  12345678901234567890123, 1.50]"), "{text}");
        assert!(text.contains("9007199254740993") && text.contains(r"\ud83d\ude00"), "{text}");
    }
    let expected = json!({
        "name": "process_data", "queue": "mail", "priority": 8, "status": "scheduled", "max_retries": 7, "attempt": 0,
        "retry": {"strategy": "linear", "base": 2.0, "initial": "2s", "max": "90s", "jitter": false},
        "timeout_ms": 300_000, "unique_key": "k", "tags": ["a", "b c"], "result": null, "error": null, "generation": 1,
        "worker_id": null, "started_at": null, "cancel_requested": false,
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&task[field], value, "{field}");
    }
    let fields: Vec<_> = task.as_object().unwrap().keys().collect();
    assert_eq!(fields.len(), 40, "{fields:?}");
}

#[actix::test]
async fn defaults_aliases_nulls_and_numbers_are_understood() {
    let server = Server::start().await;
    let small = server.post("/api/v1/tasks", r#"{"task_name":"a/b:c"}"#).await.json();
    let expected = json!({
        "name": "a/b:c", "queue": "default", "priority": 5, "status": "queued", "args": [], "kwargs": {}, "meta": null,
        "max_retries": 3, "retry": null, "timeout_ms": 300_000, "tags": [], "run_at": null,
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&small[field], value, "{field}");
    }
    assert_eq!(small["ready_at"], small["created_at"]);
    let aliases = r#"{"task_name":"a","queue_name":"q","eta":"2020-01-01T02:00:00+02:00","priority":0,"timeout":null}"#;
    let task = server.post("/api/v1/tasks", aliases).await.json();
    assert_eq!((task["queue"].as_str(), task["priority"].as_u64()), (Some("q"), Some(0)));
    assert_eq!(task["run_at"], "2020-01-01T00:00:00.000Z");
    assert_eq!((&task["status"], &task["timeout_ms"]), (&json!("queued"), &json!(null)), "the past is now");
    let nulls = r#"{"name":"a","args":null,"kwargs":null,"queue":null,"priority":null,"max_retries":null,"retry":null,
        "run_at":null,"delay":null,"unique_key":null,"unique_conflict":null,"tags":null,"meta":null}"#;
    let task = server.post("/api/v1/tasks", nulls).await;
    assert_eq!(task.status, 201, "{}", task.text());
    assert_eq!(task.json()["max_retries"], 3);
    for (written, millis) in [("1.5", 1_500), ("\"250ms\"", 250), ("\"1h\"", 3_600_000), ("300", 300_000)] {
        let body = format!("{{\"name\":\"a\",\"timeout\":{written},\"countdown\":{written}}}");
        assert_eq!(server.post("/api/v1/tasks", &body).await.json()["timeout_ms"], millis);
    }
    for (word, level) in [("high", 8), ("medium", 5), ("low", 2)] {
        let body = format!("{{\"name\":\"a\",\"priority\":\"{word}\"}}");
        assert_eq!(server.post("/api/v1/tasks", &body).await.json()["priority"], level);
    }
}

#[actix::test]
async fn waiting_ends_with_the_task_or_with_the_patience() {
    let server = Server::start().await;
    let unfinished = server.post("/api/v1/tasks?wait=10ms", r#"{"name":"a","queue":"slow"}"#).await;
    assert_eq!((unfinished.status, unfinished.json()["status"].clone()), (202, "queued".into()));
    assert!(unfinished.header("location").is_some());
    let submitted = server.post("/api/v1/tasks?wait=25s", r#"{"name":"a"}"#);
    let worked = async {
        loop {
            let grants = server.claim("default").await;
            if !grants.is_empty() {
                return grants.into_iter().for_each(|grant| grant.finish(Outcome::Success("[1e2]".into())));
            }
        }
    };
    let (finished, ()) = futures_util::future::join(submitted, worked).await;
    let task = finished.json();
    assert_eq!((finished.status, &task["status"]), (200, &json!("success")), "{task}");
    assert!(finished.text().contains(r#""result":[1e2]"#));
    let id = task["id"].as_str().unwrap();
    let result = server.get(&format!("/api/v1/tasks/{id}/result?wait=30s")).await;
    assert_eq!(result.status, 200);
    let fields: Vec<_> = result.json().as_object().unwrap().keys().cloned().collect();
    let mut expected =
        ["task_id", "status", "result", "error", "started_at", "finished_at", "duration_ms", "expires_at"];
    expected.sort_unstable();
    assert_eq!(fields, expected);
    let id = unfinished.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(server.get(&format!("/api/v1/tasks/{id}/result")).await.status, 202);
    assert_eq!(server.get(&format!("/api/v1/tasks/{id}/result?wait=0")).await.status, 202);
}

#[actix::test]
async fn attempts_tell_the_stored_ones_and_the_last() {
    let server = Server::start().await;
    let id = server.submit(r#"{"name":"a","max_retries":1,"retry":{"initial":0,"max":0}}"#).await;
    let path = format!("/api/v1/tasks/{id}/attempts");
    assert_eq!(server.get(&path).await.json()["data"], json!([]));
    for last in [false, true] {
        let mut grants = server.claim("default").await;
        while grants.is_empty() {
            grants = server.claim("default").await;
        }
        let running = server.get(&path).await.json();
        assert_eq!(running["data"].as_array().unwrap().last().unwrap()["outcome"], "running");
        let outcome = Outcome::failure(ErrorKind::Failure, "no luck");
        grants.remove(0).finish(outcome);
        if last {
            assert_eq!(server.get(&format!("/api/v1/tasks/{id}/result?wait=30s")).await.status, 200);
        }
    }
    let attempts = server.get(&path).await.json();
    let data = attempts["data"].as_array().unwrap();
    assert_eq!(data.len(), 2, "{attempts}");
    for (index, attempt) in data.iter().enumerate() {
        assert_eq!((&attempt["number"], &attempt["outcome"]), (&json!(index + 1), &json!("failure")));
        assert_eq!(attempt["error"], json!({"kind": "failure", "message": "no luck"}));
    }
}

#[actix::test]
async fn a_unique_key_is_held_by_one_live_task() {
    let server = Server::start().await;
    let id = server.submit(r#"{"name":"a","unique_key":"k"}"#).await;
    let again = server.post("/api/v1/tasks", r#"{"name":"b","unique_key":"k"}"#).await;
    assert_eq!(again.status, 200);
    assert_eq!((&again.json()["id"], &again.json()["deduplicated"]), (&json!(id), &json!(true)));
    assert_eq!(again.json()["name"], "a");
    let body = r#"{"name":"b","unique_key":"k","unique_conflict":"reject"}"#;
    let problem = server.post("/api/v1/tasks", body).await.assert_problem(409, "unique_key_held");
    assert_eq!(problem["task_id"], json!(id));
    assert_eq!(server.post(&format!("/api/v1/tasks/{id}/cancel"), "").await.status, 200);
    assert_eq!(server.post("/api/v1/tasks", body).await.status, 201);
}
