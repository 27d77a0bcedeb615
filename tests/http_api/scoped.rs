//! Keys for some queues only: of the others they learn nothing.

use jobqueue::task::{ErrorKind, Outcome};
use serde_json::{Value, json};

use crate::{
    access::{ask, make},
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
