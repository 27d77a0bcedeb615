//! How far a task has come and what its handler has said: shown, bounded, followed, and gone with the task.

use jobqueue::task::{LogLevel, LogLine, Progress};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use crate::support::{Server, eventually, nothing};

/// A task in a remote worker's hands.
async fn leased(server: &Server) -> Value {
    let body = r#"{"names":["t"],"concurrency":4}"#;
    let worker = server.post("/api/v1/workers", body).await.json()["worker_id"].as_str().unwrap().to_owned();
    server.submit(r#"{"name":"t"}"#).await;
    let leased = server.post(&format!("/api/v1/workers/{worker}/lease"), r#"{"wait":"30s"}"#).await.json();
    leased["data"][0].clone()
}

async fn say(server: &Server, task: &Value, what: &str, body: &Value) -> (u16, Value) {
    let lease = task["lease_id"].as_str().unwrap();
    let response = server.post(&format!("/api/v1/leases/{lease}/{what}"), &body.to_string()).await;
    (response.status, response.json())
}

async fn logs(server: &Server, task: &Value, query: &str) -> Value {
    let id = task["id"].as_str().unwrap();
    let response = server.get(&format!("/api/v1/tasks/{id}/logs{query}")).await;
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()
}

async fn has_lines(server: &Server, task: &Value, count: usize) {
    let so_many = async || logs(server, task, "").await["data"].as_array().unwrap().len() == count;
    eventually("the lines are written down", so_many).await;
}

#[actix::test]
async fn progress_and_lines_are_shown_with_the_task() {
    let server = Server::serving(nothing()).await;
    let task = leased(&server).await;
    assert_eq!(
        logs(&server, &task, "").await,
        json!({"data": [], "dropped": 0, "next_cursor": null, "prev_cursor": null})
    );
    assert_eq!(say(&server, &task, "progress", &json!({"percent": 12.5})).await, (200, json!({"cancel": false})));
    say(&server, &task, "progress", &json!({"percent": 40, "message": "page 4 of 10"})).await;
    let lines = json!({"lines": [
        {"message": "one", "at": "2026-01-02T03:04:05Z"}, {"level": "warn", "message": "two\u{0}"}, {"level": "debug", "message": "three"},
    ]});
    assert_eq!(say(&server, &task, "log", &lines).await.0, 200);
    has_lines(&server, &task, 3).await;
    let shown = logs(&server, &task, "").await;
    let told: Vec<_> =
        shown["data"].as_array().unwrap().iter().map(|line| (&line["level"], &line["message"])).collect();
    let level = |level: &str| json!(level);
    assert_eq!(
        told,
        [(&level("info"), &json!("one")), (&level("warn"), &json!("two\u{FFFD}")), (&level("debug"), &json!("three"))]
    );
    assert_eq!(
        (&shown["data"][0]["at"], &shown["data"][0]["attempt"]),
        (&json!("2026-01-02T03:04:05.000Z"), &json!(1))
    );
    let path = format!("/api/v1/tasks/{}", task["id"].as_str().unwrap());
    let progress = server.get(&path).await.json()["progress"].clone();
    assert_eq!((&progress["percent"], &progress["message"]), (&json!(40.0), &json!("page 4 of 10")));
    assert!(progress["at"].is_string());
    let page = logs(&server, &task, "?limit=2").await;
    assert_eq!(page["data"].as_array().unwrap().len(), 2);
    let rest = logs(&server, &task, &format!("?limit=2&cursor={}", page["next_cursor"].as_str().unwrap())).await;
    assert_eq!((&rest["data"][0]["message"], &rest["next_cursor"]), (&json!("three"), &Value::Null));
    assert_eq!(logs(&server, &task, "?attempt=2").await["data"], json!([]));
    // With the end of its task nobody can say more, and what was said is there until it is deleted.
    say(&server, &task, "complete", &json!({"result": 1})).await;
    assert_eq!(say(&server, &task, "progress", &json!({"percent": 50})).await.0, 409);
    assert_eq!(say(&server, &task, "log", &lines).await.0, 409);
    has_lines(&server, &task, 3).await;
    assert_eq!(server.call("DELETE", &path, &[], b"").await.status, 204);
    server.get(&format!("{path}/logs")).await.assert_problem(404, "task_not_found");
    let id = task["id"].as_str().unwrap().parse().unwrap();
    assert!(server.engine.reader().log(id, None, None, 10).unwrap().is_empty());
    assert!(server.engine.reader().progress(&[id]).unwrap().is_empty());
}

#[actix::test]
async fn another_attempt_begins_anew() {
    let server = Server::serving(nothing()).await;
    let task = leased(&server).await;
    say(&server, &task, "progress", &json!({"percent": 90})).await;
    say(&server, &task, "log", &json!({"lines": [{"message": "first"}]})).await;
    has_lines(&server, &task, 1).await;
    say(&server, &task, "fail", &json!({"error": {"message": "no"}, "retry_after": "0s"})).await;
    let worker = server.get(&format!("/api/v1/tasks/{}", task["id"].as_str().unwrap())).await.json();
    let worker = worker["worker_id"].as_str().unwrap();
    let mut again = Value::Null;
    eventually("it is leased again", async || {
        let leased = server.post(&format!("/api/v1/workers/{worker}/lease"), r#"{"wait":"1s"}"#).await.json();
        again = leased["data"][0].clone();
        !again.is_null()
    })
    .await;
    let shown = server.get(&format!("/api/v1/tasks/{}", task["id"].as_str().unwrap())).await.json();
    assert_eq!((&shown["attempt"], &shown["progress"]), (&json!(2), &Value::Null));
    say(&server, &again, "log", &json!({"lines": [{"message": "second"}]})).await;
    has_lines(&server, &task, 2).await;
    assert_eq!(logs(&server, &task, "?attempt=2").await["data"][0]["message"], "second");
}

#[actix::test]
async fn of_a_log_that_is_too_long_the_end_is_kept_and_the_rest_counted() {
    let server = Server::serving(nothing()).await;
    let task = leased(&server).await;
    let lease = task["lease_id"].as_str().unwrap().parse().unwrap();
    let Some(jobqueue::store::Leased::Held(hold)) = server.engine.leased(vec![lease]).await.unwrap().pop() else {
        panic!("it is held");
    };
    let line = |n: u32| LogLine::new(1_800_000_000_000 + i64::from(n), LogLevel::Info, &format!("line {n}"));
    for part in [0..600, 600..1_200, 1_200..5_000] {
        part.for_each(|n| server.engine.note_line(&hold.task, line(n)));
        server.engine.flush_notes().await.unwrap();
    }
    eventually("the end is there", async || {
        let shown = logs(&server, &task, "").await;
        shown["data"].as_array().unwrap().last().is_some_and(|line| line["message"] == "line 4999")
    })
    .await;
    let shown = logs(&server, &task, "").await;
    let kept = shown["data"].as_array().unwrap().len() as u64;
    assert!((500..=1_000).contains(&kept), "{kept}");
    assert_eq!(shown["dropped"], 5_000 - kept);
    // Long lines are bounded by their bytes, each line by itself, too.
    (0..200).for_each(|n| {
        let long = LogLine::new(1_800_000_000_000 + i64::from(n), LogLevel::Info, &"é".repeat(5_000));
        server.engine.note_line(&hold.task, long);
    });
    server.engine.note_progress(&hold.task, Progress::new(Some(f64::NAN), Some("x")));
    server.engine.note_progress(&hold.task, Progress::new(Some(170.0), None));
    server.engine.flush_notes().await.unwrap();
    eventually("it is written down", async || {
        let id = task["id"].as_str().unwrap();
        server.get(&format!("/api/v1/tasks/{id}")).await.json()["progress"]["percent"] == 100.0
    })
    .await;
    let shown = logs(&server, &task, "").await;
    let bytes: usize =
        shown["data"].as_array().unwrap().iter().map(|line| line["message"].as_str().unwrap().len()).sum();
    assert!(bytes <= 256 * 1_024 + 4_200, "{bytes}");
}

#[actix::test]
async fn what_is_said_is_followed() {
    let server = Server::serving(nothing()).await;
    let task = leased(&server).await;
    let mut stream = server.connect().await;
    let head = format!("GET /api/v1/events?topics=tasks HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut lines = BufReader::new(stream).lines();
    eventually("it follows", async || server.events.subscribers() == 1).await;
    say(&server, &task, "progress", &json!({"percent": 40, "message": "so far"})).await;
    let many: Vec<_> = (0..30).map(|n| json!({"message": format!("line {n}")})).collect();
    say(&server, &task, "log", &json!({"lines": many})).await;
    let (mut progress, mut log, mut event) = (None, None, String::new());
    while progress.is_none() || log.is_none() {
        let line = tokio::time::timeout(crate::support::DEADLINE, lines.next_line()).await.unwrap().unwrap().unwrap();
        if let Some(name) = line.strip_prefix("event: ") {
            event = name.to_owned();
        } else if let Some(data) = line.strip_prefix("data: ") {
            let data: Value = serde_json::from_str(data).unwrap();
            match &*event {
                "progress" => progress = Some(data),
                "log" => log = Some(data),
                _ => {}
            }
        }
    }
    let (progress, log) = (progress.unwrap(), log.unwrap());
    assert_eq!(
        (&progress["task_id"], &progress["percent"], &progress["message"]),
        (&task["id"], &json!(40.0), &json!("so far"))
    );
    assert_eq!(
        (&log["task_id"], &log["lines"].as_array().unwrap().len(), &log["more"]),
        (&task["id"], &20, &json!(true))
    );
    assert_eq!(log["lines"][19]["message"], "line 29");
}

#[actix::test]
async fn what_is_malformed_is_refused() {
    let server = Server::serving(nothing()).await;
    let task = leased(&server).await;
    for (what, body, pointer) in [
        ("progress", json!({}), ""),
        ("progress", json!({"percent": 101}), "/percent"),
        ("progress", json!({"percent": -1}), "/percent"),
        ("progress", json!({"percent": "half"}), "/percent"),
        ("progress", json!({"message": "x".repeat(501)}), "/message"),
        ("progress", json!({"percents": 1}), "/percents"),
        ("log", json!({"lines": []}), "/lines"),
        ("log", json!({"lines": vec![json!({"message": ""}); 101]}), "/lines"),
        ("log", json!({"lines": [{"message": "x", "level": "loud"}]}), "/lines/0/level"),
        ("log", json!({"lines": [{"message": "x", "at": "now"}]}), "/lines/0/at"),
        ("log", json!({"lines": ["x"]}), "/lines/0"),
    ] {
        let (status, problem) = say(&server, &task, what, &body).await;
        assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!(pointer)), "{what} {body}: {problem}");
    }
    let id = task["id"].as_str().unwrap();
    for query in ["?limit=0", "?limit=1001", "?attempt=0", "?cursor=x", "?what=1"] {
        assert_eq!(server.get(&format!("/api/v1/tasks/{id}/logs{query}")).await.status, 422, "{query}");
    }
    let nobody = "0198f2d4-7a3c-7c11-9a34-5b8e4d1f0c2a";
    server.get(&format!("/api/v1/tasks/{nobody}/logs")).await.assert_problem(404, "task_not_found");
}
