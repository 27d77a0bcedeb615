//! Remote workers: they register, lease, live, report and leave.

use serde_json::{Value, json};

use crate::support::{GRACE, Server, eventually, nothing};

/// A worker that has registered.
struct Worker<'a> {
    server: &'a Server,
    id: String,
}

impl<'a> Worker<'a> {
    async fn new(server: &'a Server, names: &[&str], concurrency: u32) -> Self {
        let body =
            json!({"names": names, "concurrency": concurrency, "client": "test/1.2.3", "host": "elsewhere", "pid": 7});
        let response = server.post("/api/v1/workers", &body.to_string()).await;
        assert_eq!(response.status, 201, "{}", response.text());
        let registered = response.json();
        assert_eq!((&registered["protocol"], &registered["heartbeat_every_s"]), (&json!(1), &json!(3.0)));
        assert_eq!(registered["ttl_s"], 12.0);
        Self { server, id: registered["worker_id"].as_str().unwrap().to_owned() }
    }

    async fn call(&self, what: &str, body: &Value) -> Value {
        let response = self.server.post(&format!("/api/v1/workers/{}/{what}", self.id), &body.to_string()).await;
        assert_eq!(response.status, 200, "{}", response.text());
        response.json()
    }

    async fn lease(&self, max: u32) -> Vec<Value> {
        let leased = self.call("lease", &json!({"max": max, "wait": "30s"})).await;
        leased["data"].as_array().unwrap().clone()
    }

    async fn lease_one(&self) -> Value {
        self.lease(1).await.pop().expect("there is a task")
    }

    async fn beat(&self, running: &[&Value]) -> Value {
        let running: Vec<_> = running.iter().map(|task| &task["lease_id"]).collect();
        self.call("heartbeat", &json!({"running": running, "rss_bytes": 1_000_000})).await
    }
}

async fn say(server: &Server, task: &Value, what: &str, body: &Value) -> (u16, Value) {
    let lease = task["lease_id"].as_str().unwrap();
    let response = server.post(&format!("/api/v1/leases/{lease}/{what}"), &body.to_string()).await;
    (response.status, response.json())
}

async fn task(server: &Server, id: &str) -> Value {
    server.get(&format!("/api/v1/tasks/{id}")).await.json()
}

#[actix::test]
async fn a_worker_leases_a_task_and_reports_its_result() {
    let server = Server::serving(nothing()).await;
    let worker = Worker::new(&server, &["add", "mul"], 4).await;
    let first = server.submit(r#"{"name":"mul","args":[1]}"#).await;
    let parent = worker.lease_one().await;
    assert_eq!(
        say(&server, &parent, "complete", &json!({"result": {"n": 12_345_678_901_234_567_890_u64}})).await.0,
        200
    );
    let body = json!({"name": "add", "args": [1, 2], "kwargs": {"a": "b"}, "priority": 7, "tags": ["x"], "meta": {"m": 1},
                      "timeout": "90s", "max_retries": 2, "depends_on": [first]});
    let id = server.submit(&body.to_string()).await;
    let leased = worker.lease_one().await;
    let expected = json!({"id": id, "name": "add", "queue": "default", "priority": 7, "args": [1, 2], "kwargs": {"a": "b"},
        "attempt": 1, "max_retries": 2, "failures": 0, "snoozes": 0, "generation": 1, "timeout_s": 90.0, "tags": ["x"],
        "meta": {"m": 1}, "parents": {first: {"n": 12_345_678_901_234_567_890_u64}}});
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&leased[field], value, "{field}: {leased}");
    }
    let running = task(&server, &id).await;
    assert_eq!((&running["status"], &running["worker_id"]), (&json!("running"), &json!(worker.id)));
    assert_eq!(leased["created_at"], running["created_at"]);
    assert!(leased["deadline"].as_str() > running["started_at"].as_str());
    let shown = server.get(&format!("/api/v1/workers/{}", worker.id)).await.json();
    assert_eq!(
        (&shown["kind"], &shown["client"], &shown["version"]),
        (&json!("remote"), &json!("test/1.2.3"), &json!("1.2.3"))
    );
    assert_eq!((&shown["names"], &shown["queues"]), (&json!(["add", "mul"]), &json!(["default"])));
    assert_eq!((&shown["slots"][0]["task_id"], &shown["slots"][0]["name"]), (&json!(id), &json!("add")));
    let (status, ended) = say(&server, &leased, "complete", &json!({"result": null})).await;
    assert_eq!((status, ended), (200, json!({"status": "success"})));
    let (status, again) = say(&server, &leased, "complete", &json!({"result": 5})).await;
    assert_eq!((status, again), (200, json!({"status": "success", "duplicate": true})));
    let done = task(&server, &id).await;
    assert_eq!((&done["status"], &done["result"]), (&json!("success"), &Value::Null));
}

#[actix::test]
async fn an_attempt_ends_in_each_way_there_is() {
    let server = Server::serving(nothing()).await;
    let worker = Worker::new(&server, &["t"], 4).await;
    let fixed = json!({"strategy": "fixed", "initial": "1m", "jitter": false});
    for (what, body, status, more) in [
        (
            "fail",
            json!({"error": {"message": "no", "kind": "panic", "detail": "here"}}),
            "retry",
            json!({"failures": 1}),
        ),
        ("fail", json!({"error": {"message": "no"}, "retryable": false}), "failed", json!({"failures": 1})),
        ("fail", json!({"error": {"message": "no", "retryable": false}}), "failed", json!({"failures": 1})),
        ("fail", json!({"error": {"message": "late", "kind": "timeout"}}), "retry", json!({"failures": 1})),
        ("fail", json!({"error": {"message": "no"}, "retry_after": "30s"}), "retry", json!({"failures": 1})),
        ("snooze", json!({"for": "5m"}), "scheduled", json!({"snoozes": 1, "attempt": 0, "failures": 0})),
        ("release", json!({}), "queued", json!({"failures": 0})),
    ] {
        let id = server.submit(&json!({"name": "t", "retry": fixed}).to_string()).await;
        let leased = worker.lease_one().await;
        assert_eq!(leased["id"], id.as_str());
        let (code, ended) = say(&server, &leased, what, &body).await;
        assert_eq!((code, &ended["status"]), (200, &json!(status)), "{what} {body}: {ended}");
        let left = task(&server, &id).await;
        assert_eq!(left["status"], status, "{what} {body}");
        for (field, value) in more.as_object().unwrap() {
            assert_eq!(&left[field], value, "{what} {body} {field}: {left}");
        }
        if what == "release" {
            let (code, lost) = say(&server, &leased, "complete", &json!({"result": 1})).await;
            assert_eq!((code, &lost["code"]), (409, &json!("lease_lost")));
            let again = worker.lease_one().await;
            assert_eq!((&again["id"], &again["attempt"], &again["failures"]), (&json!(id), &json!(2), &json!(0)));
            say(&server, &again, "complete", &json!({"result": 1})).await;
        }
    }
}

#[actix::test]
async fn many_outcomes_are_each_answered_for_themselves() {
    let server = Server::serving(nothing()).await;
    let (worker, other) = (Worker::new(&server, &["t"], 10).await, Worker::new(&server, &["t"], 10).await);
    for _ in 0..4 {
        server.submit(r#"{"name":"t"}"#).await;
    }
    let mut leased = worker.lease(3).await;
    while leased.len() < 3 {
        leased.extend(worker.lease(1).await);
    }
    let foreign = other.lease_one().await;
    let unknown = format!("{}{}", &foreign["lease_id"].as_str().unwrap()[..32], "0".repeat(32));
    let lease = |n: usize| &leased[n]["lease_id"];
    let outcomes = json!({"outcomes": [
        {"lease_id": lease(0), "result": [1]},
        {"lease_id": foreign["lease_id"], "result": 1},
        {"lease_id": unknown, "result": 1},
        {"lease_id": "x", "result": 1},
        {"lease_id": lease(1), "result": 1, "release": true},
        {"lease_id": lease(1)},
        {"lease_id": lease(1), "error": {"message": "no", "kind": "what"}},
        {"lease_id": lease(1), "results": 1},
        {"lease_id": lease(1), "cancelled": true},
        7,
        {"lease_id": lease(2), "error": {"message": "no"}, "retryable": false, "log": [{"message": "last words"}]},
        {"lease_id": lease(0), "result": [1]},
        {"lease_id": lease(1), "result": 1, "retryable": true},
    ]});
    let answer = worker.call("outcomes", &outcomes).await;
    let results = answer["results"].as_array().unwrap();
    let told: Vec<_> = results.iter().map(|one| (one["status"].as_u64().unwrap(), one["code"].as_str())).collect();
    let lost = (409, Some("lease_lost"));
    assert_eq!(
        told,
        [
            (200, None),
            lost,
            lost,
            (422, Some("invalid_field")),
            (422, Some("invalid_field")),
            (422, Some("invalid_field")),
            (422, Some("invalid_field")),
            (422, Some("unknown_field")),
            (409, Some("not_cancelled")),
            (422, Some("invalid_field")),
            (200, None),
            (200, None),
            (422, Some("invalid_field")),
        ],
        "{answer}"
    );
    assert_eq!((&results[0]["task_status"], &results[11]["duplicate"]), (&json!("success"), &json!(true)));
    assert_eq!(results[10]["task_status"], "failed");
    assert_eq!(results[3]["errors"][0]["pointer"], "/outcomes/3/lease_id");
    let failed = format!("/api/v1/tasks/{}/logs", leased[2]["id"].as_str().unwrap());
    eventually("its last words are there", async || {
        server.get(&failed).await.json()["data"][0]["message"] == "last words"
    })
    .await;
    // What was refused has changed nothing.
    let id = leased[1]["id"].as_str().unwrap();
    assert_eq!(task(&server, id).await["status"], "running");
    let (status, _) = say(&server, &foreign, "complete", &json!({"result": 1})).await;
    assert_eq!(status, 200);
}

#[actix::test]
async fn a_poll_waits_for_a_task_and_one_that_is_gone_takes_none() {
    let server = Server::serving(nothing()).await;
    let worker = Worker::new(&server, &["t"], 2).await;
    assert_eq!(worker.call("lease", &json!({})).await, json!({"data": [], "quiet": false}));
    assert_eq!(worker.call("lease", &json!({"wait": 0.05})).await["data"], json!([]));
    // Gone while it waits: the connection is closed, and what comes later is for others.
    let mut gone = server.connect().await;
    let path = format!("/api/v1/workers/{}/lease", worker.id);
    let body = r#"{"wait":"60s"}"#;
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n{body}", server.address, body.len());
    tokio::io::AsyncWriteExt::write_all(&mut gone, head.as_bytes()).await.unwrap();
    drop(gone);
    let id = server.submit(r#"{"name":"t"}"#).await;
    // Should it have been granted before the server saw that nobody waits, heartbeats that do not name it give it back.
    let mut leased = Vec::new();
    eventually("it is leased to who waits", async || {
        worker.beat(&[]).await;
        leased = worker.call("lease", &json!({"max": 2, "wait": "1s"})).await["data"].as_array().unwrap().clone();
        !leased.is_empty()
    })
    .await;
    assert_eq!((leased.len(), &leased[0]["id"], &leased[0]["failures"]), (1, &json!(id), &json!(0)));
}

#[actix::test]
async fn a_task_is_for_who_knows_its_name_and_bears_its_labels() {
    let server = Server::serving(nothing()).await;
    let worker = Worker::new(&server, &["one"], 2).await;
    let other = server.submit(r#"{"name":"other"}"#).await;
    let own = server.submit(r#"{"name":"one"}"#).await;
    assert_eq!(worker.lease_one().await["id"], own.as_str());
    assert_eq!(worker.call("lease", &json!({"max": 2})).await["data"], json!([]));
    assert_eq!(task(&server, &other).await["status"], "queued");
    let late = Worker::new(&server, &["other"], 2).await;
    assert_eq!(late.lease_one().await["id"], other.as_str());
}

#[actix::test]
async fn a_heartbeat_tells_of_cancels_and_of_leases_that_are_lost() {
    let server = Server::serving(nothing()).await;
    let worker = Worker::new(&server, &["t"], 4).await;
    let nothing = json!({"cancel": [], "cancel_at_once": [], "lost": [], "quiet": false, "stop": false});
    assert_eq!(worker.beat(&[]).await, nothing);
    let id = server.submit(r#"{"name":"t"}"#).await;
    let leased = worker.lease_one().await;
    assert_eq!(worker.beat(&[&leased]).await, nothing);
    let lease = &leased["lease_id"];
    // One that waits hears of a cancel at once.
    let waits = async {
        let mut told = Value::Null;
        eventually("it hears of the cancel", async || {
            told = worker.call("heartbeat", &json!({"running": [lease], "wait": "60s"})).await;
            told["cancel"] != json!([])
        })
        .await;
        told
    };
    let cancel = async {
        let response = server.post(&format!("/api/v1/tasks/{id}/cancel"), r#"{"reason":"enough"}"#).await;
        assert_eq!(response.status, 200);
    };
    let (told, ()) = futures_util::future::join(waits, cancel).await;
    assert_eq!((&told["cancel"], &told["cancel_at_once"]), (&json!([lease]), &json!([])));
    server.post(&format!("/api/v1/tasks/{id}/cancel"), r#"{"force":true}"#).await;
    eventually("it is told that there is no time left", async || {
        worker.beat(&[&leased]).await["cancel_at_once"] == json!([lease])
    })
    .await;
    let (status, ended) = say(&server, &leased, "cancelled", &json!({})).await;
    assert_eq!((status, &ended["status"]), (200, &json!("cancelled")));
    let error = task(&server, &id).await["error"]["message"].clone();
    assert_eq!(error, "cancelled by a caller: enough");
    assert_eq!(worker.beat(&[&leased]).await["lost"], json!([lease]));
}

#[actix::test]
async fn a_task_out_of_time_is_named_and_then_ended() {
    let server = Server::serving(nothing()).await;
    let worker = Worker::new(&server, &["t"], 4).await;
    let id = server.submit(r#"{"name":"t","timeout":"100ms","max_retries":0}"#).await;
    let leased = worker.lease_one().await;
    let (status, problem) = say(&server, &leased, "extend", &json!({"by": "2d"})).await;
    assert_eq!((status, &problem["code"]), (422, &json!("invalid_field")));
    eventually("it is told to stop", async || {
        let told = worker.beat(&[&leased]).await;
        told["cancel"] == json!([leased["lease_id"]]) || told["lost"] == json!([leased["lease_id"]])
    })
    .await;
    eventually("the sweep ends it", async || task(&server, &id).await["status"] == "timeout").await;
    let ended = task(&server, &id).await;
    assert_eq!(
        (&ended["error"]["kind"], &ended["error"]["message"]),
        (&json!("timeout"), &json!("did not finish within 100ms"))
    );
    assert!(ended["duration_ms"].as_u64().unwrap() >= 100 + GRACE.as_millis() as u64);
    let (status, late) = say(&server, &leased, "complete", &json!({"result": 1})).await;
    assert_eq!((status, &late), (200, &json!({"status": "timeout", "duplicate": true})));
    assert_eq!(worker.beat(&[&leased]).await["lost"], json!([leased["lease_id"]]));

    let body = r#"{"name":"t","timeout":"5s","max_retries":0}"#;
    let (moved_id, other_id) = (server.submit(body).await, server.submit(body).await);
    let (moved, other) = (worker.lease_one().await, worker.lease_one().await);
    assert_eq!((&moved["id"], &other["id"]), (&json!(moved_id), &json!(other_id)));
    let (status, extended) = say(&server, &moved, "extend", &json!({"by": "1h"})).await;
    assert_eq!(status, 200, "{extended}");
    assert!(extended["deadline"].as_str() > moved["deadline"].as_str());
    eventually("the other one is ended", async || task(&server, &other_id).await["status"] == "timeout").await;
    assert_eq!(worker.beat(&[&moved]).await["cancel"], json!([]));
    assert_eq!(say(&server, &moved, "complete", &json!({"result": 1})).await.0, 200);
    assert_eq!(task(&server, &moved_id).await["status"], "success");
    server.submit(r#"{"name":"t","timeout":null}"#).await;
    let (status, problem) = say(&server, &worker.lease_one().await, "extend", &json!({"by": "1s"})).await;
    assert_eq!((status, &problem["code"]), (409, &json!("no_deadline")));
}

#[actix::test]
async fn who_leaves_gives_back_what_it_holds_and_works_no_more() {
    let server = Server::serving(nothing()).await;
    let worker = Worker::new(&server, &["t"], 4).await;
    let id = server.submit(r#"{"name":"t"}"#).await;
    let leased = worker.lease_one().await;
    let path = format!("/api/v1/workers/{}", worker.id);
    assert_eq!(server.call("DELETE", &path, &[], b"").await.status, 204);
    let left = task(&server, &id).await;
    assert_eq!((&left["status"], &left["failures"], &left["crashes"]), (&json!("queued"), &json!(0), &json!(0)));
    assert_eq!(server.get(&path).await.json()["state"], "stopped");
    for what in ["lease", "heartbeat"] {
        let body = if what == "lease" { "{}" } else { r#"{"running":[]}"# };
        server.post(&format!("{path}/{what}"), body).await.assert_problem(409, "worker_dead");
    }
    server.post(&format!("{path}/quiet"), "").await.assert_problem(409, "worker_gone");
    assert_eq!(say(&server, &leased, "complete", &json!({"result": 1})).await.1["code"], "lease_lost");
    assert_eq!(server.call("DELETE", &path, &[], b"").await.status, 204, "once more is the same");
    let again = Worker::new(&server, &["t"], 1).await;
    assert_eq!(again.lease_one().await["id"], id.as_str());
}

#[actix::test]
async fn a_worker_that_is_asked_to_be_quiet_leases_nothing() {
    let server = Server::serving(nothing()).await;
    let worker = Worker::new(&server, &["t"], 4).await;
    let path = format!("/api/v1/workers/{}", worker.id);
    let long = json!({"wait": "60s"});
    let waits = worker.call("lease", &long);
    let quiet = async { server.post(&format!("{path}/quiet"), "").await };
    let (leased, asked) = futures_util::future::join(waits, quiet).await;
    assert_eq!((asked.status, &asked.json()["asked"]), (200, &json!("quiet")));
    assert_eq!(leased, json!({"data": [], "quiet": true}));
    let id = server.submit(r#"{"name":"t"}"#).await;
    assert_eq!(worker.call("lease", &json!({"wait": "60s"})).await, json!({"data": [], "quiet": true}));
    let beat = worker.beat(&[]).await;
    assert_eq!((&beat["quiet"], &beat["stop"]), (&json!(true), &json!(false)));
    server.post(&format!("{path}/stop"), "").await;
    let beat = worker.beat(&[]).await;
    assert_eq!((&beat["quiet"], &beat["stop"]), (&json!(true), &json!(true)));
    server.post(&format!("{path}/resume"), "").await;
    assert_eq!(worker.lease_one().await["id"], id.as_str());
    let audit = server.get(&format!("/api/v1/audit?target={}", worker.id)).await.json();
    let acts: Vec<_> = audit["data"].as_array().unwrap().iter().map(|act| act["action"].as_str().unwrap()).collect();
    assert_eq!(acts, ["worker.resume", "worker.stop", "worker.quiet"]);
}

#[actix::test]
async fn what_is_malformed_is_refused_and_changes_nothing() {
    let server = Server::serving(nothing()).await;
    for (body, pointer) in [
        (json!({"concurrency": 1}), "/names"),
        (json!({"names": [], "concurrency": 1}), "/names"),
        (json!({"names": ["a b"], "concurrency": 1}), "/names/0"),
        (json!({"names": ["a"], "concurrency": 0}), "/concurrency"),
        (json!({"names": ["a"], "concurrency": 1001}), "/concurrency"),
        (json!({"names": ["a"], "concurrency": -1}), "/concurrency"),
        (json!({"names": ["a"], "concurrency": 1, "queues": []}), "/queues"),
        (json!({"names": ["a"], "concurrency": 1, "queues": ["a*"]}), "/queues/0"),
        (json!({"names": ["a"], "concurrency": 1, "labels": ["a b"]}), "/labels/0"),
        (json!({"names": ["a"], "concurrency": 1, "labels": vec!["a"; 17]}), "/labels"),
        (json!({"names": ["a"], "concurrency": 1, "name": ""}), "/name"),
        (json!({"names": ["a"], "concurrency": 1, "pid": 4_000_000_000_u64}), "/pid"),
        (json!({"names": ["a"], "concurrency": 1, "what": 1}), "/what"),
    ] {
        let response = server.post("/api/v1/workers", &body.to_string()).await;
        assert_eq!((response.status, &response.json()["errors"][0]["pointer"]), (422, &json!(pointer)), "{body}");
    }
    let workers = server.get("/api/v1/workers").await.json();
    assert!(workers["data"].as_array().unwrap().iter().all(|worker| worker["kind"] == "node"));
    let worker = Worker::new(&server, &["t"], 2).await;
    for (what, body, pointer) in [
        ("lease", json!({"max": 0}), "/max"),
        ("lease", json!({"max": 3}), "/max"),
        ("lease", json!({"wait": "61s"}), "/wait"),
        ("lease", json!({"wait": -1}), "/wait"),
        ("lease", json!({"names": ["u"]}), "/names/0"),
        ("lease", json!({"names": []}), "/names"),
        ("lease", json!({"queues": ["u"]}), "/queues/0"),
        ("heartbeat", json!({}), "/running"),
        ("heartbeat", json!({"running": ["x"]}), "/running/0"),
        ("heartbeat", json!({"running": [], "wait": "2m"}), "/wait"),
        ("outcomes", json!({"outcomes": []}), "/outcomes"),
        ("outcomes", json!({"outcomes": vec![json!({}); 1_001]}), "/outcomes"),
    ] {
        let response = server.post(&format!("/api/v1/workers/{}/{what}", worker.id), &body.to_string()).await;
        let problem = response.json();
        assert_eq!(
            (response.status, &problem["errors"][0]["pointer"]),
            (422, &json!(pointer)),
            "{what} {body}: {problem}"
        );
    }
    let id = server.submit(r#"{"name":"t"}"#).await;
    let leased = worker.lease_one().await;
    for (what, body) in [
        ("complete", json!({})),
        ("complete", json!({"result": 1, "more": 2})),
        ("complete", json!([1])),
        ("fail", json!({"error": {}})),
        ("fail", json!({"error": {"message": " "}})),
        ("fail", json!({"error": {"message": "no", "kind": "cancelled"}})),
        ("fail", json!({"error": {"message": "no"}, "retry_after": "31d"})),
        ("fail", json!({"error": {"message": "no"}, "retry_after": "1s", "retryable": false})),
        ("snooze", json!({})),
        ("snooze", json!({"for": "31d"})),
        ("release", json!({"why": 1})),
        ("extend", json!({"by": "nothing"})),
    ] {
        let (status, problem) = say(&server, &leased, what, &body).await;
        assert_eq!(status, 422, "{what} {body}: {problem}");
    }
    let (status, nul) = say(&server, &leased, "complete", &json!({"result": "a\u{0}b"})).await;
    assert_eq!((status, &nul["errors"][0]["pointer"]), (422, &json!("/result")));
    assert_eq!(task(&server, &id).await["status"], "running");
    for lease in ["x", &"0".repeat(63), &"g".repeat(64)] {
        server
            .post(&format!("/api/v1/leases/{lease}/complete"), r#"{"result":1}"#)
            .await
            .assert_problem(404, "invalid_id");
    }
    let nobody = "0198f2d4-7a3c-7c11-9a34-5b8e4d1f0c2a";
    server.post(&format!("/api/v1/workers/{nobody}/lease"), "").await.assert_problem(404, "worker_not_found");
    server
        .post(&format!("/api/v1/workers/{nobody}/heartbeat"), r#"{"running":[]}"#)
        .await
        .assert_problem(404, "worker_not_found");
    server.call("DELETE", &format!("/api/v1/workers/{nobody}"), &[], b"").await.assert_problem(404, "worker_not_found");
    let node = server.engine.worker();
    server.call("DELETE", &format!("/api/v1/workers/{node}"), &[], b"").await.assert_problem(404, "worker_not_found");
}
