//! Schedules: set and shown, what ticks make, and what is refused. The server here has no actors: each look at what is due is
//! asked for.

use std::time::Duration;

use jobqueue::{
    client::{Client, ScheduleRequest, TaskRequest},
    task::schedule::CatchUp,
};
use jobqueue::{engine::Ticked, task::Outcome};
use serde_json::{Value, json};

use crate::{
    access::{ask, make},
    support::{Response, Server},
};

const HOURLY: &str = r#"{"cron":"0 * * * *","task":{"name":"a"}}"#;

async fn put(server: &Server, name: &str, body: &str) -> Response {
    let headers = [("content-type", "application/json")];
    server.call("PUT", &format!("/api/v1/schedules/{name}"), &headers, body.as_bytes()).await
}

async fn schedule(server: &Server, name: &str) -> Value {
    server.get(&format!("/api/v1/schedules/{name}")).await.json()
}

/// All tasks there are, the oldest first.
async fn tasks(server: &Server) -> Vec<Value> {
    let list = server.get("/api/v1/tasks?sort=created_at&limit=200&include=args").await.json();
    list["data"].as_array().unwrap().clone()
}

/// As if the schedule had last been looked at before these ticks.
fn set_back(server: &Server, name: &str, by_ms: i64) -> i64 {
    let mut next = 0;
    let change = &mut |tx: &mut dyn jobqueue::store::Tx| {
        let mut row = tx.schedule(name)?.unwrap();
        row.anchor -= by_ms;
        next = row.next.unwrap().0 - by_ms;
        row.next = Some((next, next));
        tx.change_schedule(&row)
    };
    server.session().transaction(change).unwrap();
    next
}

/// Until nothing is due.
async fn tick(server: &Server) {
    while !matches!(server.engine.tick().await.unwrap(), Ticked::Until(_)) {}
}

fn ticks(tasks: &[Value]) -> Vec<i64> {
    let at = |task: &Value| task["meta"]["tick"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    tasks.iter().map(|task| at(task).as_millisecond()).collect()
}

#[actix::test]
async fn what_is_set_reads_back_and_can_be_set_again() {
    let server = Server::start().await;
    let body = json!({
        "name": "nightly", "cron": "30 2 * * MON-FRI", "timezone": "Europe/Berlin", "catch_up": "all", "overlap": "skip",
        "jitter": "10m",
        "task": {"name": "report", "queue": "reports", "priority": "high", "args": [1, 2.50], "kwargs": {"a": {}},
            "max_retries": 1, "retry": {"strategy": "fixed"}, "timeout": null, "delay": "5s", "expires_in": "1h",
            "max_age": "2h", "result_ttl": 60, "unique_key": "u", "unique_conflict": "reject", "tags": ["t"],
            "meta": {"k": 1}, "fair_key": "f", "rate_key": "r", "cost": 2, "concurrency_key": "c"},
    });
    let made = server.post("/api/v1/schedules", &body.to_string()).await;
    assert_eq!((made.status, made.header("location")), (201, Some("/api/v1/schedules/nightly")), "{}", made.text());
    let shown = made.json();
    assert_eq!(shown, schedule(&server, "nightly").await);
    assert_eq!((&shown["version"], &shown["enabled"], &shown["origin"]), (&json!(1), &json!(true), &json!("api")));
    assert!(shown["next_tick"].as_str() <= shown["next_at"].as_str());
    server.post("/api/v1/schedules", &body.to_string()).await.assert_problem(409, "schedule_exists");

    // What is shown can be set: nothing is lost on the way.
    let again = json!({
        "cron": shown["cron"], "timezone": shown["timezone"], "catch_up": shown["catch_up"], "overlap": shown["overlap"],
        "jitter": shown["jitter"], "task": shown["task"], "version": 1,
    });
    let same = put(&server, "nightly", &again.to_string()).await;
    assert_eq!((same.status, same.json()), (200, shown.clone()), "nothing has changed, nor has the version");
    let other = put(&server, "nightly", HOURLY).await.json();
    assert_eq!((&other["version"], &other["timezone"], &other["jitter"]), (&json!(2), &json!("UTC"), &json!(null)));
    put(&server, "nightly", &again.to_string()).await.assert_problem(409, "schedule_changed");
    put(&server, "new", r#"{"every":"1m","task":{"name":"a"},"version":3}"#)
        .await
        .assert_problem(409, "schedule_changed");
    assert_eq!(put(&server, "new", r#"{"every":90,"task":{"name":"a"}}"#).await.status, 201);
    assert_eq!(schedule(&server, "new").await["every"], "90s");

    assert_eq!(server.call("DELETE", "/api/v1/schedules/new", &[], b"").await.status, 204);
    server.get("/api/v1/schedules/new").await.assert_problem(404, "schedule_not_found");
    for (method, path) in [("DELETE", ""), ("POST", "/pause"), ("POST", "/trigger"), ("GET", "/preview")] {
        let path = format!("/api/v1/schedules/new{path}");
        server.call(method, &path, &[], b"").await.assert_problem(404, "schedule_not_found");
    }
    let audit = server.get("/api/v1/audit?target=new").await.json();
    let acts: Vec<_> = audit["data"].as_array().unwrap().iter().map(|act| act["action"].clone()).collect();
    assert_eq!(acts, ["schedule.delete", "schedule.put"]);
}

#[actix::test]
async fn what_is_not_possible_is_refused_by_its_field_and_nothing_is_made() {
    let server = Server::start().await;
    let long = "1,".repeat(500) + " * * * *";
    let refused = [
        (json!({"cron": "*/0 * * * *"}), "/cron"),
        (json!({"cron": "99 * * * *"}), "/cron"),
        (json!({"cron": "0-18446744073709551615 * * * *"}), "/cron"),
        (json!({"cron": "0 0 30 2 *"}), "/cron"),
        (json!({"cron": long}), "/cron"),
        (json!({"cron": ""}), "/cron"),
        (json!({"cron": 5}), "/cron"),
        (json!({"cron": "@hourly", "timezone": "Mars/Olympus"}), "/timezone"),
        (json!({"cron": "@hourly", "catch_up": "3650d"}), "/catch_up"),
        (json!({"cron": "@hourly", "overlap": "wait"}), "/overlap"),
        (json!({"cron": "@hourly", "jitter": "2d"}), "/jitter"),
        (json!({"cron": "@hourly", "every": "1m"}), "/every"),
        (json!({"every": "10ms"}), "/every"),
        (json!({"every": "3650d"}), "/every"),
        (json!({}), "/cron"),
        (json!({"cron": "@hourly", "corn": 1}), "/corn"),
        (json!({"cron": "@hourly", "task": null}), "/task"),
        (json!({"cron": "@hourly", "task": []}), "/task"),
        (json!({"cron": "@hourly", "task": {}}), "/task/name"),
        (json!({"cron": "@hourly", "task": {"name": "a", "queue": "a b"}}), "/task/queue"),
        (json!({"cron": "@hourly", "task": {"name": "a", "max_retries": -1}}), "/task/max_retries"),
        (json!({"cron": "@hourly", "task": {"name": "a", "nmae": 1}}), "/task/nmae"),
        (json!({"cron": "@hourly", "task": {"name": "a", "run_at": "2030-01-01T00:00:00Z"}}), "/task/run_at"),
        (json!({"cron": "@hourly", "task": {"name": "a", "expires_at": "2030-01-01T00:00:00Z"}}), "/task/expires_at"),
        (json!({"cron": "@hourly", "task": {"name": "a", "depends_on": []}}), "/task/depends_on"),
        (json!({"cron": "@hourly", "task": {"name": "a", "meta": {"tick": 1}}}), "/task/meta/tick"),
        (json!({"cron": "@hourly", "name": "other"}), "/name"),
    ];
    for (mut body, pointer) in refused {
        if body.get("task").is_none() {
            body["task"] = json!({"name": "a"});
        }
        let problem = put(&server, "s", &body.to_string()).await;
        assert_eq!(problem.status, 422, "{body}: {}", problem.text());
        let places: Vec<_> =
            problem.json()["errors"].as_array().unwrap().iter().map(|e| e["pointer"].clone()).collect();
        assert!(places.contains(&json!(pointer)), "{body}: {}", problem.text());
    }
    for name in ["a%20b", "preview", &"n".repeat(65)] {
        assert_eq!(put(&server, name, HOURLY).await.status, if name == "preview" { 405 } else { 422 }, "{name}");
    }
    server.post("/api/v1/schedules", HOURLY).await.assert_problem(422, "missing_field");
    let reserved = r#"{"name":"preview","cron":"@hourly","task":{"name":"a"}}"#;
    server.post("/api/v1/schedules", reserved).await.assert_problem(422, "invalid_field");
    server.get("/api/v1/schedules?enabled=maybe").await.assert_problem(422, "invalid_parameter");
    server.get("/api/v1/schedules?cursor=AAAA").await.assert_problem(422, "invalid_parameter");
    assert_eq!(server.get("/api/v1/schedules").await.json()["data"], json!([]));
    assert_eq!(server.get("/api/v1/audit").await.json()["data"], json!([]));
}

#[actix::test]
async fn a_tick_is_one_task_that_tells_whose_it_is() {
    let server = Server::start().await;
    put(&server, "often", r#"{"every":"1m","task":{"name":"a","args":[1],"meta":{"k":1}}}"#).await;
    let rest = Ticked::Until(schedule_next(&server, "often").await);
    assert_eq!(server.engine.tick().await.unwrap(), rest, "nothing is due before its time");
    let at = set_back(&server, "often", 60_500);
    tick(&server).await;
    let made = tasks(&server).await;
    assert_eq!((made.len(), &made[0]["args"], &made[0]["status"]), (1, &json!([1]), &json!("queued")));
    assert_eq!(
        (ticks(&made), &made[0]["meta"]["schedule"], &made[0]["meta"]["k"]),
        (vec![at], &json!("often"), &json!(1))
    );
    let shown = schedule(&server, "often").await;
    assert_eq!((&shown["made"], &shown["last_task_id"], &shown["version"]), (&json!(1), &made[0]["id"], &json!(1)));
    assert_eq!((&shown["runs"][0]["task_id"], &shown["runs"][0]["reason"]), (&made[0]["id"], &json!(null)));
    assert_eq!(server.claim("default").await.len(), 1, "it can be claimed at once");
}

async fn schedule_next(server: &Server, name: &str) -> Option<i64> {
    let next = schedule(server, name).await["next_at"].as_str()?.parse::<jiff::Timestamp>().unwrap();
    Some(next.as_millisecond())
}

#[actix::test]
async fn missed_ticks_are_caught_up_with_as_it_says() {
    for (catch_up, made, missed) in [("skip", 0, 30), ("one", 1, 29), ("all", 30, 0)] {
        let server = Server::start().await;
        let body = format!(r#"{{"every":"1m","catch_up":"{catch_up}","task":{{"name":"a"}}}}"#);
        put(&server, "s", &body).await;
        // The last of them is twenty seconds late.
        let first = set_back(&server, "s", 30 * 60_000 + 20_000);
        tick(&server).await;
        let tasks = tasks(&server).await;
        let shown = schedule(&server, "s").await;
        assert_eq!((tasks.len(), &shown["missed"]), (made, &json!(missed)), "{catch_up}");
        let expected: Vec<_> = (0..30).map(|n| first + n * 60_000).skip(30 - made).collect();
        assert_eq!(ticks(&tasks), expected, "{catch_up}");
        assert!(shown["runs"].as_array().unwrap().len() <= 10);
    }
}

#[actix::test]
async fn ten_years_are_caught_up_with_within_bounds() {
    let server = Server::start().await;
    put(&server, "s", r#"{"every":"1m","catch_up":"all","task":{"name":"a"}}"#).await;
    set_back(&server, "s", 3_650 * 86_400_000);
    tick(&server).await;
    let shown = schedule(&server, "s").await;
    let (made, missed) = (shown["made"].as_u64().unwrap(), shown["missed"].as_u64().unwrap());
    assert!((1_000..=1_001).contains(&made) && missed == 10_000, "{shown}");
    assert_eq!(server.get("/api/v1/stats").await.json()["totals"]["submitted"], made);
}

#[actix::test]
async fn while_its_task_lives_an_overlap_can_be_left_out() {
    let server = Server::start().await;
    put(&server, "s", r#"{"every":"1s","overlap":"skip","task":{"name":"a"}}"#).await;
    set_back(&server, "s", 3_500);
    tick(&server).await;
    let shown = schedule(&server, "s").await;
    assert_eq!((&shown["made"], tasks(&server).await.len()), (&json!(1), 1));
    assert!(shown["overlapped"].as_u64().unwrap() >= 2, "{shown}");
    assert!(shown["runs"][0]["reason"].as_str().unwrap().contains("not over"), "{shown}");
    let grant = server.claim("default").await.remove(0);
    let id = grant.task().id.to_string();
    grant.finish(Outcome::Success("1".into()));
    assert_eq!(server.get(&format!("/api/v1/tasks/{id}/result?wait=30s")).await.json()["status"], "success");
    set_back(&server, "s", 1_500);
    tick(&server).await;
    assert_eq!(tasks(&server).await.len(), 2);
}

#[actix::test]
async fn a_tick_whose_task_is_refused_says_why_and_is_not_tried_again() {
    let server = Server::start().await;
    let full = server.call("PUT", "/api/v1/queues/small", &[], br#"{"max_depth":1}"#).await;
    assert_eq!(full.status, 200);
    put(&server, "s", r#"{"every":"1m","task":{"name":"a","queue":"small"}}"#).await;
    put(&server, "t", r#"{"every":"1m","task":{"name":"b","unique_key":"k","unique_conflict":"reject"}}"#).await;
    put(&server, "u", r#"{"every":"1m","task":{"name":"c","unique_key":"k"}}"#).await;
    for _ in 0..2 {
        for name in ["s", "t", "u"] {
            set_back(&server, name, 60_500);
        }
        tick(&server).await;
    }
    let shown = schedule(&server, "s").await;
    assert_eq!((&shown["made"], &shown["refused"]), (&json!(1), &json!(1)));
    assert!(shown["runs"][0]["reason"].as_str().unwrap().contains("max_depth"), "{shown}");
    let shown = schedule(&server, "t").await;
    assert!(shown["refused"] != 0 && shown["runs"][0]["reason"].as_str().unwrap().contains("unique key"), "{shown}");
    let held = schedule(&server, "u").await;
    assert_eq!((&held["made"], &held["refused"]), (&json!(2), &json!(0)), "the holder counts for its own");
    server.post("/api/v1/schedules/s/trigger", "").await.assert_problem(409, "trigger_refused");
}

#[actix::test]
async fn tasks_of_a_schedule_may_be_unique_by_what_they_are() {
    let server = Server::start().await;
    let unique = json!({"by": ["name", "args.0"], "while": ["waiting"]});
    let task = json!({"name": "a", "args": [7, 8], "unique": unique, "unique_conflict": "replace"});
    let set = put(&server, "s", &json!({"cron": "0 * * * *", "task": task}).to_string()).await;
    assert_eq!(set.json()["task"]["unique"], unique);
    let of = |response: Response| response.json()["id"].as_str().unwrap().to_owned();
    let first = of(server.post("/api/v1/schedules/s/trigger", "").await);
    assert_eq!(of(server.post("/api/v1/schedules/s/trigger", "").await), first);
    // The same by a submission of its own; once it has started, the next one is another.
    let own = json!({"name": "a", "args": [7], "unique": unique}).to_string();
    assert_eq!(of(server.post("/api/v1/tasks", &own).await), first);
    let running = server.claim("default").await;
    assert_eq!(running.len(), 1);
    assert_ne!(of(server.post("/api/v1/schedules/s/trigger", "").await), first);
}

#[actix::test]
async fn pause_resume_and_trigger_leave_the_ticks_as_they_are() {
    let server = Server::start().await;
    let before = put(&server, "s", HOURLY).await.json();
    let task = server.post("/api/v1/schedules/s/trigger", "").await;
    assert_eq!(
        (task.status, &task.json()["meta"]["schedule"], &task.json()["meta"]["tick"]),
        (201, &json!("s"), &json!(null))
    );
    let after = schedule(&server, "s").await;
    assert_eq!((&after["next_tick"], &after["last_task_id"]), (&before["next_tick"], &task.json()["id"]));
    assert_eq!((&after["made"], &after["version"]), (&json!(0), &json!(1)));

    let paused = server.post("/api/v1/schedules/s/pause", "{}").await.json();
    assert_eq!(
        (&paused["enabled"], &paused["paused_by"], &paused["next_tick"]),
        (&json!(false), &json!("api"), &json!(null))
    );
    assert_eq!(server.engine.tick().await.unwrap(), Ticked::Until(None));
    assert_eq!(server.get("/api/v1/schedules?enabled=true").await.json()["data"], json!([]));
    assert_eq!(server.get("/api/v1/schedules/s/preview?n=2").await.json()["data"].as_array().unwrap().len(), 2);
    assert_eq!(
        server.post("/api/v1/schedules/s/trigger", "{}").await.status,
        201,
        "out of turn it is made all the same"
    );
    let resumed = server.post("/api/v1/schedules/s/resume", "").await.json();
    assert_eq!((&resumed["enabled"], &resumed["version"]), (&json!(true), &json!(3)));
    assert!(resumed["next_tick"].as_str() >= before["next_tick"].as_str());
    // A rule that is new ticks from now on; one that stays goes on.
    let moved = put(&server, "s", r#"{"cron":"0 * * * *","task":{"name":"b"}}"#).await.json();
    assert_eq!(moved["next_tick"], resumed["next_tick"]);
    let off = put(&server, "s", r#"{"cron":"0 * * * *","task":{"name":"b"},"enabled":false}"#).await.json();
    assert_eq!((&off["enabled"], &off["next_at"]), (&json!(false), &json!(null)));
}

#[actix::test]
async fn a_preview_tells_the_ticks_by_the_clock_of_the_zone() {
    let server = Server::start().await;
    let body = r#"{"cron":"30 2 28-30 3 *","timezone":"Europe/Berlin"}"#;
    let preview = server.post("/api/v1/schedules/preview?n=100", body).await.json();
    let locals: Vec<_> =
        preview["data"].as_array().unwrap().iter().map(|tick| tick["local"].as_str().unwrap()).collect();
    assert_eq!(locals.len(), 100);
    assert!(
        locals.contains(&"2027-03-28T03:00:00+02:00") && locals.contains(&"2027-03-29T02:30:00+02:00"),
        "{locals:?}"
    );
    for n in ["0", "101", "x", "-1", "99999999999999999999"] {
        server.post(&format!("/api/v1/schedules/preview?n={n}"), body).await.assert_problem(422, "invalid_parameter");
    }
    server.post("/api/v1/schedules/preview", r#"{"cron":"* * *"}"#).await.assert_problem(422, "invalid_field");
    server
        .post("/api/v1/schedules/preview", r#"{"every":5,"task":{"name":""}}"#)
        .await
        .assert_problem(422, "invalid_field");
    assert_eq!(server.get("/api/v1/schedules").await.json()["data"], json!([]), "nothing is stored");
    let made = put(&server, "s", HOURLY).await.json();
    assert_eq!(server.get("/api/v1/schedules/s/preview").await.json()["data"][0]["tick"], made["next_tick"]);
}

#[actix::test]
async fn the_list_goes_on_by_name() {
    let server = Server::start().await;
    for n in 0..7 {
        let queue = if n % 2 == 0 { "even" } else { "odd" };
        let body = format!(r#"{{"cron":"@daily","task":{{"name":"a","queue":"{queue}"}}}}"#);
        assert_eq!(put(&server, &format!("s_{n}"), &body).await.status, 201);
    }
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/api/v1/schedules?queue=even&limit=2{cursor}")).await.json();
        names.extend(page["data"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(names, ["s_0", "s_2", "s_4", "s_6"]);
    let foreign = server.get(&format!("/api/v1/schedules?queue=odd{cursor}")).await;
    foreign.assert_problem(422, "invalid_parameter");
}

#[actix::test]
async fn a_key_for_some_queues_sees_and_sets_those_of_its_queues() {
    let server = Server::start().await;
    let (_, root) = make(&server, "", "root", json!({"scopes": ["admin"]})).await;
    let fields = json!({"scopes": ["read", "operate"], "queues": ["mine-*"]});
    let (_, key) = make(&server, &root, "mine", fields).await;
    let body = |queue: &str| format!(r#"{{"cron":"@daily","task":{{"name":"a","queue":"{queue}"}}}}"#);
    let theirs = "/api/v1/schedules/theirs";
    assert_eq!(ask(&server, &root, "PUT", theirs, &body("theirs")).await.status, 201);
    assert_eq!(ask(&server, &key, "PUT", "/api/v1/schedules/mine", &body("mine-1")).await.status, 201);
    let list = ask(&server, &key, "GET", "/api/v1/schedules", "").await.json();
    assert_eq!((list["data"].as_array().unwrap().len(), &list["data"][0]["name"]), (1, &json!("mine")));
    for (method, path, body) in [
        ("GET", "", String::new()),
        ("GET", "/preview", String::new()),
        ("POST", "/trigger", String::new()),
        ("POST", "/pause", String::new()),
        ("DELETE", "", String::new()),
    ] {
        let answer = ask(&server, &key, method, &format!("{theirs}{path}"), &body).await;
        answer.assert_problem(404, "schedule_not_found");
    }
    // Neither may it take over the name, nor make something for other queues.
    ask(&server, &key, "PUT", theirs, &body("mine-1")).await.assert_problem(403, "queue_not_allowed");
    ask(&server, &key, "PUT", "/api/v1/schedules/mine", &body("theirs")).await.assert_problem(403, "queue_not_allowed");
    ask(&server, &key, "POST", "/api/v1/schedules/preview", &body("theirs"))
        .await
        .assert_problem(403, "queue_not_allowed");
    ask(&server, &key, "GET", "/api/v1/schedules?queue=theirs", "").await.assert_problem(403, "queue_not_allowed");
    assert_eq!(ask(&server, &root, "GET", theirs, "").await.json()["version"], 1);
}

#[actix::test]
async fn another_program_sets_and_reads_them_by_the_client() {
    let server = Server::start().await;
    let client = Client::new(format!("http://{}", server.address)).unwrap();
    let request = ScheduleRequest::cron("30 2 * * *", TaskRequest::new("a").args(&[u64::MAX]).unwrap().queue("q"));
    let request = request.timezone("Europe/Berlin").catch_up(CatchUp::All).jitter(Duration::from_secs(60));
    let made = client.put_schedule("nightly", &request).await.unwrap();
    assert_eq!((made.version, made.catch_up, made.timezone.as_deref()), (1, CatchUp::All, Some("Europe/Berlin")));
    let often = ScheduleRequest::every(Duration::from_secs(90), TaskRequest::new("a")).paused();
    assert_eq!(client.put_schedule("often", &often).await.unwrap().next_at, None);
    assert!(client.put_schedule("often", &often.version(7)).await.is_err());
    let names: Vec<_> = client.schedules(None).await.unwrap().data.into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["nightly", "often"]);
    let task = client.trigger_schedule("nightly").await.unwrap();
    assert_eq!((task.args.unwrap().get(), &*task.queue), ("[18446744073709551615]", "q"));
    client.delete_schedule("nightly").await.unwrap();
    assert!(client.schedule("nightly").await.unwrap_err().is_not_found());
}
