//! Keys for some queues only: of the others they learn nothing.

use jobqueue::task::{ErrorKind, Outcome};
use serde_json::{Value, json};

use crate::{
    access::{ask, make},
    bulk::followed,
    support::{Response, Server},
};

struct Two {
    server: Server,
    root: String,
    /// Good for `mine-*`.
    key: String,
}

impl Two {
    async fn start() -> Self {
        let server = Server::start().await;
        let (_, root) = make(&server, "", "root", json!({"scopes": ["admin"]})).await;
        let fields = json!({"scopes": ["read", "submit", "operate"], "queues": ["mine-*"]});
        let (_, key) = make(&server, &root, "mine", fields).await;
        Self { server, root, key }
    }

    async fn get(&self, path: &str) -> Value {
        let response = ask(&self.server, &self.key, "GET", path, "").await;
        assert_eq!(response.status, 200, "{path}: {}", response.text());
        response.json()
    }

    async fn post(&self, path: &str, body: &str) -> Response {
        ask(&self.server, &self.key, "POST", path, body).await
    }

    /// Submitted by the one who may do everything.
    async fn submit(&self, body: &str) -> String {
        let made = ask(&self.server, &self.root, "POST", "/api/v1/tasks", body).await;
        assert_eq!(made.status, 201, "{}", made.text());
        made.json()["id"].as_str().unwrap().to_owned()
    }
}

#[actix::test]
async fn lists_and_figures_are_of_its_queues_only() {
    let two = Two::start().await;
    let mine = two.submit(r#"{"name":"a","queue":"mine-1"}"#).await;
    for _ in 0..3 {
        two.submit(r#"{"name":"a","queue":"theirs","max_retries":0}"#).await;
    }
    for path in
        ["/api/v1/tasks", "/api/v1/tasks?status=queued", "/api/v1/tasks?status=queued,running,failed&sort=created_at"]
    {
        let list = two.get(path).await;
        assert_eq!((&list["data"][0]["id"], list["data"].as_array().unwrap().len()), (&json!(mine), 1), "{path}");
    }
    for path in ["/api/v1/tasks?count=exact", "/api/v1/tasks?count=exact&name=a"] {
        assert_eq!(two.get(path).await["total"], 1, "{path}");
    }
    assert_eq!(two.get("/api/v1/tasks?queue=mine-1").await["data"].as_array().unwrap().len(), 1);
    for path in
        ["/api/v1/tasks?queue=theirs", "/api/v1/dlq?queue=theirs", "/api/v1/queues/theirs", "/api/v1/queues/none"]
    {
        ask(&two.server, &two.key, "GET", path, "").await.assert_problem(403, "queue_not_allowed");
    }
    let queues = two.get("/api/v1/queues").await;
    assert_eq!((&queues["data"][0]["name"], queues["data"].as_array().unwrap().len()), (&json!("mine-1"), 1));
    let grants = two.server.claim("theirs").await;
    grants[0].runs_in(1);
    let stats = two.get("/api/v1/stats").await;
    let told = (&stats["status_counts"]["queued"], &stats["status_counts"]["running"], &stats["queues"]);
    assert_eq!(told, (&json!(1), &json!(0), &json!(1)));
    assert_eq!(stats["totals"]["submitted"], 1);
    let slot = &two.get("/api/v1/workers").await["data"][0]["slots"][0];
    assert_eq!((&slot["task_id"], &slot["name"]), (&json!(null), &json!(null)));
    for grant in grants {
        grant.finish(Outcome::failure(ErrorKind::Exit, "no"));
    }
    let dead = async || ask(&two.server, &two.root, "GET", "/api/v1/dlq", "").await.json();
    while dead().await["data"].as_array().unwrap().len() < 3 {
        tokio::task::yield_now().await;
    }
    assert_eq!(two.get("/api/v1/dlq").await["data"], json!([]));
    assert_eq!(two.get("/api/v1/stats").await["dead_letters"], 0);
    for path in ["/api/v1/system/actors", "/api/v1/keys", "/api/v1/audit"] {
        assert_eq!(ask(&two.server, &two.key, "GET", path, "").await.status, 403, "{path}");
    }
}

#[actix::test]
async fn a_task_of_another_queue_is_not_there() {
    let two = Two::start().await;
    let theirs = two.submit(r#"{"name":"a","queue":"theirs"}"#).await;
    let mine = two.submit(r#"{"name":"a","queue":"mine-1"}"#).await;
    for part in ["", "/result", "/attempts", "/explain", "/dependencies"] {
        let path = |id: &str| format!("/api/v1/tasks/{id}{part}");
        ask(&two.server, &two.key, "GET", &path(&theirs), "").await.assert_problem(404, "task_not_found");
        assert!(ask(&two.server, &two.key, "GET", &path(&mine), "").await.status < 300, "{part}");
    }
    two.post(&format!("/api/v1/tasks/{theirs}/cancel"), "").await.assert_problem(404, "task_not_found");
    let status =
        ask(&two.server, &two.root, "GET", &format!("/api/v1/tasks/{theirs}"), "").await.json()["status"].clone();
    assert_eq!(status, "queued");
    assert_eq!(two.post(&format!("/api/v1/tasks/{mine}/cancel"), "").await.status, 200);
    two.post("/api/v1/queues/theirs/pause", "").await.assert_problem(403, "queue_not_allowed");
    assert_eq!(two.post("/api/v1/queues/mine-1/pause", "").await.status, 200);
}

#[actix::test]
async fn it_submits_to_its_queues_only_and_waits_for_no_other() {
    let two = Two::start().await;
    let theirs = two.submit(r#"{"name":"a","queue":"theirs"}"#).await;
    two.post("/api/v1/tasks", r#"{"name":"a"}"#).await.assert_problem(403, "queue_not_allowed");
    assert_eq!(two.post("/api/v1/tasks", r#"{"name":"a","queue":"mine-2"}"#).await.status, 201);
    // A child reads its parents' results.
    let child = format!(r#"{{"name":"a","queue":"mine-2","depends_on":["{theirs}"]}}"#);
    let problem = two.post("/api/v1/tasks", &child).await.assert_problem(422, "parent_not_found");
    assert_eq!(problem["errors"][0]["pointer"], "/depends_on/0");
    let batch = format!(r#"{{"tasks":[{{"name":"a"}},{child},{{"name":"a","queue":"mine-2"}}]}}"#);
    let results = two.post("/api/v1/tasks/batch", &batch).await.json()["results"].clone();
    let told: Vec<_> = (0..3).map(|at| (results[at]["status"].clone(), results[at]["error"]["code"].clone())).collect();
    assert_eq!(json!(told), json!([[403, "queue_not_allowed"], [422, "parent_not_found"], [201, null]]));
    // Those who see both may tie them; what is seen of that is the own end.
    let tied = two.submit(&child).await;
    let relatives = two.get(&format!("/api/v1/tasks/{tied}/dependencies")).await;
    assert_eq!(relatives["parents"], json!([]));
    let why = two.get(&format!("/api/v1/tasks/{tied}/explain")).await;
    assert!(!why.to_string().contains(&theirs), "{why}");
}

/// Dead letters of each queue.
async fn bury(two: &Two, queues: &[&str]) -> Vec<String> {
    let mut ids = Vec::new();
    for queue in queues {
        ids.push(two.submit(&format!(r#"{{"name":"a","queue":"{queue}","max_retries":0}}"#)).await);
        two.server.claim(queue).await.remove(0).finish(Outcome::failure(ErrorKind::Exit, format!("lost in {queue}")));
        let path = format!("/api/v1/tasks/{}/result?wait=30s", ids.last().unwrap());
        ask(&two.server, &two.root, "GET", &path, "").await;
    }
    ids
}

impl Two {
    /// The statuses of tasks, as the one who may do everything sees them.
    async fn statuses(&self, ids: &[String]) -> Vec<String> {
        let mut statuses = Vec::new();
        for id in ids {
            let task = ask(&self.server, &self.root, "GET", &format!("/api/v1/tasks/{id}"), "").await;
            let status = if task.status == 404 { "gone".to_owned() } else { task.json()["status"].to_string() };
            statuses.push(status.replace('"', ""));
        }
        statuses
    }

    /// Begins an operation with its key and does it to the end.
    async fn begun(&self, response: Response) -> Value {
        assert_eq!(response.status, 202, "{}", response.text());
        let id = response.json()["id"].as_str().unwrap().to_owned();
        followed(&self.server, &id).await;
        self.get(&format!("/api/v1/operations/{id}")).await
    }
}

/// Near misses of the pattern among them: a wildcard of one store's own, other capitals.
const QUEUES: [&str; 4] = ["theirs", "mine-1", "mineX1", "MINE-1"];

#[actix::test]
async fn work_on_many_tasks_is_done_in_its_queues_only() {
    let two = Two::start().await;
    let mut ids = Vec::new();
    for queue in QUEUES {
        ids.push(two.submit(&format!(r#"{{"name":"a","queue":"{queue}"}}"#)).await);
    }
    let bulk = "/api/v1/tasks/bulk";
    for filter in [r#"{"name":"a"}"#.to_owned(), r#"{"q":"a"}"#.to_owned(), "{}".to_owned()] {
        let body = format!(r#"{{"action":"cancel","filter":{filter},"dry_run":true}}"#);
        assert_eq!(two.post(bulk, &body).await.json()["matched"], 1, "{filter}");
    }
    let foreign = format!(r#"{{"action":"cancel","filter":{{"q":"{}"}},"dry_run":true}}"#, ids[0]);
    assert_eq!(two.post(bulk, &foreign).await.json()["matched"], 0);
    let named = r#"{"action":"cancel","filter":{"queue":"theirs"}}"#;
    two.post(bulk, named).await.assert_problem(403, "queue_not_allowed");

    let body = r#"{"action":"cancel","filter":{},"all":true}"#;
    let done = two.begun(two.post(bulk, body).await).await;
    assert_eq!((&done["done"], &done["refused"]), (&json!(1), &json!(0)));
    assert_eq!(two.statuses(&ids).await, ["queued", "cancelled", "queued", "queued"]);

    // One by one: those of others are as good as not there.
    for action in ["retry", "cancel", "delete"] {
        let body = json!({"action": action, "ids": ids}).to_string();
        let done = two.post(bulk, &body).await.json();
        assert_eq!((&done["matched"], &done["done"]), (&json!(1), &json!(1)), "{action}");
    }
    assert_eq!(two.statuses(&ids).await, ["queued", "gone", "queued", "queued"]);
}

#[actix::test]
async fn dead_letters_are_counted_and_redriven_in_its_queues_only() {
    let two = Two::start().await;
    let ids = bury(&two, &QUEUES).await;
    let stats = two.get("/api/v1/dlq/stats").await;
    let told = (&stats["total"], &stats["last_hour"], &stats["last_day"], &stats["by_queue"]);
    assert_eq!(told, (&json!(1), &json!(1), &json!(1), &json!([{"key": "mine-1", "count": 1}])));
    let groups = two.get("/api/v1/dlq/groups").await["data"].clone();
    assert_eq!((groups.as_array().unwrap().len(), &groups[0]["example_id"]), (1, &json!(ids[1])));
    for path in ["/api/v1/dlq/groups?queue=theirs", "/api/v1/dlq?queue=theirs"] {
        ask(&two.server, &two.key, "GET", path, "").await.assert_problem(403, "queue_not_allowed");
    }
    let redrive = "/api/v1/dlq/redrive";
    two.post(redrive, r#"{"filter":{"queue":"theirs"}}"#).await.assert_problem(403, "queue_not_allowed");
    assert_eq!(two.post(redrive, r#"{"dry_run":true}"#).await.json()["matched"], 1);
    let done = two.begun(two.post(redrive, r#"{"all":true}"#).await).await;
    assert_eq!((&done["done"], &done["refused"]), (&json!(1), &json!(0)));
    assert_eq!(two.statuses(&ids).await, ["failed", "queued", "failed", "failed"]);

    two.server.claim("mine-1").await.remove(0).finish(Outcome::failure(ErrorKind::Exit, "again"));
    two.get(&format!("/api/v1/tasks/{}/result?wait=30s", ids[1])).await;
    let purge = async |query: &str| ask(&two.server, &two.key, "DELETE", &format!("/api/v1/dlq?{query}"), "").await;
    purge("queue=theirs").await.assert_problem(403, "queue_not_allowed");
    assert_eq!(two.begun(purge("all=true").await).await["done"], 1);
    assert_eq!(two.statuses(&ids).await, ["failed", "gone", "failed", "failed"]);
}

#[actix::test]
async fn operations_are_seen_and_stopped_only_where_they_are_for_its_queues() {
    let two = Two::start().await;
    let (_, part) = make(&two.server, &two.root, "part", json!({"scopes": ["operate"], "queues": ["mine-1"]})).await;
    for queue in QUEUES {
        two.submit(&format!(r#"{{"name":"a","queue":"{queue}"}}"#)).await;
    }
    let begin = async |key: &str, filter: &str| {
        let body = format!(r#"{{"action":"cancel","filter":{filter}}}"#);
        let begun = ask(&two.server, key, "POST", "/api/v1/tasks/bulk", &body).await;
        begun.json()["id"].as_str().unwrap_or_else(|| panic!("{}", begun.text())).to_owned()
    };
    let everybodys = begin(&two.root, r#"{"name":"a"}"#).await;
    let theirs = begin(&two.root, r#"{"queue":"theirs"}"#).await;
    let named = begin(&two.root, r#"{"queue":"mine-1"}"#).await;
    let wide = begin(&two.key, r#"{"name":"a"}"#).await;
    let narrow = begin(&part, r#"{"name":"a"}"#).await;
    let seen = async |key: &str| {
        let list = ask(&two.server, key, "GET", "/api/v1/operations", "").await.json();
        let ids = list["data"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(seen(&two.root).await.len(), 5);
    assert_eq!(seen(&two.key).await, [narrow.clone(), wide.clone(), named.clone()]);
    assert_eq!(seen(&part).await, [narrow.clone(), named.clone()]);
    for id in [&everybodys, &theirs] {
        let path = format!("/api/v1/operations/{id}");
        let hidden = ask(&two.server, &two.key, "GET", &path, "").await.assert_problem(404, "operation_not_found");
        let none = two.post("/api/v1/operations/0198f2d4-7a3c-7c11-9a34-5b8e4d1f0c2a/cancel", "").await;
        let none = none.assert_problem(404, "operation_not_found");
        assert_eq!(hidden["detail"].as_str().unwrap().len(), none["detail"].as_str().unwrap().len());
        two.post(&format!("{path}/cancel"), "").await.assert_problem(404, "operation_not_found");
    }
    assert_eq!(two.post(&format!("/api/v1/operations/{wide}/cancel"), "").await.json()["state"], "cancelled");
    ask(&two.server, &part, "GET", &format!("/api/v1/operations/{wide}"), "")
        .await
        .assert_problem(404, "operation_not_found");
    let still = ask(&two.server, &two.root, "GET", &format!("/api/v1/operations/{theirs}"), "").await.json();
    assert_eq!(still["state"], "running");
    // A list that shows few of many still goes on to its end.
    for _ in 0..3 {
        begin(&two.root, r#"{"queue":"theirs"}"#).await;
        begin(&two.root, r#"{"queue":"mine-1"}"#).await;
    }
    let (mut count, mut path) = (0, "/api/v1/operations?limit=2".to_owned());
    loop {
        let page = two.get(&path).await;
        count += page["data"].as_array().unwrap().len();
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/api/v1/operations?limit=2&cursor={cursor}");
    }
    assert_eq!(count, 6);
}

#[actix::test]
async fn a_parent_in_another_queue_is_not_named() {
    let two = Two::start().await;
    let parent = two.submit(r#"{"name":"a","queue":"theirs","max_retries":0}"#).await;
    let child = two.submit(&format!(r#"{{"name":"a","queue":"mine-1","depends_on":["{parent}"]}}"#)).await;
    two.server.claim("theirs").await.remove(0).finish(Outcome::failure(ErrorKind::Exit, "no"));
    two.get(&format!("/api/v1/tasks/{child}/result?wait=30s")).await;
    let refused = two.post(&format!("/api/v1/tasks/{child}/retry"), "").await.assert_problem(409, "parent_failed");
    assert!(!refused.to_string().contains(&parent), "{refused}");
}

#[actix::test]
async fn a_key_that_only_submits_is_not_shown_what_others_did() {
    let two = Two::start().await;
    let (_, submit) = make(&two.server, &two.root, "submit", json!({"scopes": ["submit"]})).await;
    two.submit(r#"{"name":"a","args":["private"],"unique_key":"u"}"#).await;
    let same = ask(&two.server, &submit, "POST", "/api/v1/tasks", r#"{"name":"a","unique_key":"u"}"#).await;
    assert_eq!((same.status, same.json()["deduplicated"].clone()), (200, json!(true)));
    assert!(!same.text().contains("private"));
}

#[actix::test]
async fn figures_are_of_its_queues_only() {
    let two = Two::start().await;
    for queue in ["theirs", "mine-1", "theirs"] {
        two.submit(&format!(r#"{{"name":"a","queue":"{queue}"}}"#)).await;
    }
    for path in ["/api/v1/stats", "/api/v1/stats?queue=mine-1"] {
        assert_eq!(two.get(path).await["window"]["submitted"], 1, "{path}");
    }
    let points = two.get("/api/v1/stats/history").await["points"].clone();
    let submitted = points.as_array().unwrap().iter().map(|point| point["submitted"].as_u64().unwrap());
    assert_eq!(submitted.sum::<u64>(), 1);
    for path in ["/api/v1/stats?queue=theirs", "/api/v1/stats/history?queue=theirs"] {
        let refused = ask(&two.server, &two.key, "GET", path, "").await;
        refused.assert_problem(403, "queue_not_allowed");
    }
}

#[actix::test]
async fn events_tell_of_its_queues_only() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let two = Two::start().await;
    let mut stream = two.server.connect().await;
    let (address, key) = (two.server.address, &two.key);
    let head = format!("GET /api/v1/events HTTP/1.1\r\nHost: {address}\r\nX-API-Key: {key}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut seen, mut bytes) = (String::new(), [0; 4096]);
    while !seen.contains("retry: 2000") {
        let n = tokio::time::timeout(crate::support::DEADLINE, stream.read(&mut bytes)).await.unwrap().unwrap();
        seen += std::str::from_utf8(&bytes[..n]).unwrap();
    }
    let theirs = two.submit(r#"{"name":"a","queue":"theirs"}"#).await;
    let mine = two.submit(r#"{"name":"a","queue":"mine-1"}"#).await;
    while !seen.contains("mine-1") {
        let n = tokio::time::timeout(crate::support::DEADLINE, stream.read(&mut bytes)).await.unwrap().unwrap();
        seen += std::str::from_utf8(&bytes[..n]).unwrap();
    }
    assert!(!seen.contains("theirs") && !seen.contains(&theirs) && !seen.contains(&mine), "{seen}");
}
