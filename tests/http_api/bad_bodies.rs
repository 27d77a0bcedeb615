//! Bodies that must be refused: each with its status, code and place, and without a trace in the store.

use crate::support::Server;

/// Body, status, code, pointer ("" = none).
const TASKS: &[(&str, u16, &str, &str)] = &[
    ("", 400, "invalid_json", ""),
    ("{", 400, "invalid_json", ""),
    ("{\"name\":\"a\"} x", 400, "invalid_json", ""),
    ("{\"name\":\"a\",}", 400, "invalid_json", ""),
    ("{'name':'a'}", 400, "invalid_json", ""),
    ("{\"name\":\"a\",\"priority\":01}", 400, "invalid_json", ""),
    ("{\"name\":\"\\ud800\"}", 422, "invalid_field", "/name"),
    ("\u{feff}{\"name\":\"a\"}", 400, "invalid_json", ""),
    ("{\"nmae\":\"a\", x", 400, "invalid_json", ""),
    ("[]", 422, "invalid_field", ""),
    (" [\"a\"]", 422, "invalid_field", ""),
    ("[\"a\"", 400, "invalid_json", ""),
    ("null", 422, "invalid_field", ""),
    ("\"a\"", 422, "invalid_field", ""),
    ("{}", 422, "missing_field", "/name"),
    ("{\"name\":null}", 422, "invalid_field", "/name"),
    ("{\"name\":5}", 422, "invalid_field", "/name"),
    ("{\"name\":\"\"}", 422, "invalid_field", "/name"),
    ("{\"name\":\"a b\"}", 422, "invalid_field", "/name"),
    ("{\"name\":\"a\\u0000\"}", 422, "invalid_field", "/name"),
    ("{\"name\":\"ä\"}", 422, "invalid_field", "/name"),
    ("{\"name\":\"a\",\"queue\":\"\"}", 422, "invalid_field", "/queue"),
    ("{\"name\":\"a\",\"queue\":\"a/b\"}", 422, "invalid_field", "/queue"),
    ("{\"name\":\"a\",\"queue\":{}}", 422, "invalid_field", "/queue"),
    ("{\"name\":\"a\",\"name\":\"b\"}", 422, "duplicate_field", "/name"),
    ("{\"name\":\"a\",\"task_name\":\"b\"}", 422, "duplicate_field", "/name"),
    ("{\"name\":\"a\",\"args\":[],\"args\":[]}", 422, "duplicate_field", "/args"),
    ("{\"name\":\"a\",\"priorty\":1}", 422, "unknown_field", "/priorty"),
    ("{\"name\":\"a\",\"xyzzyxyzzy\":1}", 422, "unknown_field", "/xyzzyxyzzy"),
    ("{\"name\":\"a\",\"args\":{}}", 422, "invalid_field", "/args"),
    ("{\"name\":\"a\",\"args\":\"[]\"}", 422, "invalid_field", "/args"),
    ("{\"name\":\"a\",\"kwargs\":[]}", 422, "invalid_field", "/kwargs"),
    ("{\"name\":\"a\",\"meta\":3}", 422, "invalid_field", "/meta"),
    ("{\"name\":\"a\",\"args\":[\"\\u0000\"]}", 422, "invalid_field", "/args"),
    ("{\"name\":\"a\",\"args\":[\"\\ud800\"]}", 422, "invalid_field", "/args"),
    ("{\"name\":\"a\",\"args\":[1e400000]}", 422, "invalid_field", "/args"),
    ("{\"name\":\"a\",\"kwargs\":{\"\\u0000\":1}}", 422, "invalid_field", "/kwargs"),
    ("{\"name\":\"a\",\"priority\":10}", 422, "invalid_field", "/priority"),
    ("{\"name\":\"a\",\"priority\":-1}", 422, "invalid_field", "/priority"),
    ("{\"name\":\"a\",\"priority\":1.5}", 422, "invalid_field", "/priority"),
    ("{\"name\":\"a\",\"priority\":1e999}", 422, "invalid_field", "/priority"),
    ("{\"name\":\"a\",\"priority\":\"urgent\"}", 422, "invalid_field", "/priority"),
    ("{\"name\":\"a\",\"priority\":true}", 422, "invalid_field", "/priority"),
    ("{\"name\":\"a\",\"max_retries\":-1}", 422, "invalid_field", "/max_retries"),
    ("{\"name\":\"a\",\"max_retries\":1001}", 422, "invalid_field", "/max_retries"),
    ("{\"name\":\"a\",\"max_retries\":99999999999999999999}", 422, "invalid_field", "/max_retries"),
    ("{\"name\":\"a\",\"max_retries\":\"3\"}", 422, "invalid_field", "/max_retries"),
    ("{\"name\":\"a\",\"timeout\":0}", 422, "invalid_field", "/timeout"),
    ("{\"name\":\"a\",\"timeout\":-1}", 422, "invalid_field", "/timeout"),
    ("{\"name\":\"a\",\"timeout\":\"31d\"}", 422, "invalid_field", "/timeout"),
    ("{\"name\":\"a\",\"timeout\":\"soon\"}", 422, "invalid_field", "/timeout"),
    ("{\"name\":\"a\",\"timeout\":1e300}", 422, "invalid_field", "/timeout"),
    ("{\"name\":\"a\",\"delay\":\"-1s\"}", 422, "invalid_field", "/delay"),
    ("{\"name\":\"a\",\"delay\":\"10y\"}", 422, "invalid_field", "/delay"),
    ("{\"name\":\"a\",\"delay\":\"2000d\"}", 422, "invalid_field", "/delay"),
    ("{\"name\":\"a\",\"delay\":1,\"countdown\":1}", 422, "duplicate_field", "/delay"),
    ("{\"name\":\"a\",\"delay\":1,\"run_at\":\"2026-01-01T00:00:00Z\"}", 422, "invalid_field", "/delay"),
    ("{\"name\":\"a\",\"run_at\":\"tomorrow\"}", 422, "invalid_field", "/run_at"),
    ("{\"name\":\"a\",\"run_at\":\"2026-01-01T00:00:00\"}", 422, "invalid_field", "/run_at"),
    ("{\"name\":\"a\",\"run_at\":\"9000-01-01T00:00:00Z\"}", 422, "invalid_field", "/run_at"),
    ("{\"name\":\"a\",\"run_at\":1767225600}", 422, "invalid_field", "/run_at"),
    ("{\"name\":\"a\",\"retry\":{\"base\":0}}", 422, "invalid_field", "/retry/base"),
    ("{\"name\":\"a\",\"retry\":{\"bse\":2}}", 422, "unknown_field", "/retry/bse"),
    ("{\"name\":\"a\",\"retry\":{\"initial\":\"1x\"}}", 422, "invalid_field", "/retry/initial"),
    ("{\"name\":\"a\",\"retry\":{\"initial\":\"10m\",\"max\":\"1m\"}}", 422, "invalid_field", "/retry/initial"),
    ("{\"name\":\"a\",\"retry\":{\"strategy\":\"lucky\"}}", 422, "invalid_field", "/retry/strategy"),
    ("{\"name\":\"a\",\"retry\":{\"max\":\"31d\"}}", 422, "invalid_field", "/retry/max"),
    ("{\"name\":\"a\",\"retry\":{\"base\":1e999}}", 422, "invalid_field", "/retry/base"),
    ("{\"name\":\"a\",\"retry\":[\"linear\"]}", 422, "invalid_field", "/retry"),
    ("{\"name\":\"a\",\"retry\":3}", 422, "invalid_field", "/retry"),
    ("{\"name\":\"a\",\"unique_key\":\"\"}", 422, "invalid_field", "/unique_key"),
    ("{\"name\":\"a\",\"unique_key\":\"a\\u0007\"}", 422, "invalid_field", "/unique_key"),
    ("{\"name\":\"a\",\"unique_conflict\":\"replace\"}", 422, "invalid_field", "/unique_conflict"),
    ("{\"name\":\"a\",\"unique_conflict\":\"ignore\"}", 422, "invalid_field", "/unique_conflict"),
    ("{\"name\":\"a\",\"tags\":\"a\"}", 422, "invalid_field", "/tags"),
    ("{\"name\":\"a\",\"tags\":[\"a\",\"\"]}", 422, "invalid_field", "/tags/1"),
    ("{\"name\":\"a\",\"tags\":[1]}", 422, "invalid_field", "/tags/0"),
    ("{\"name\":\"a\",\"depends_on\":\"x\"}", 422, "invalid_field", "/depends_on"),
    ("{\"name\":\"a\",\"depends_on\":[\"x\"]}", 422, "invalid_field", "/depends_on/0"),
    ("{\"name\":\"a\",\"depends_on\":[{}]}", 422, "invalid_field", "/depends_on/0"),
    ("{\"name\":\"a\",\"depends_on\":[{\"index\":0}]}", 422, "invalid_field", "/depends_on/0/index"),
    (
        "{\"name\":\"a\",\"depends_on\":[{\"id\":\"0198f2d4-7a3c-7c11-9a34-5b8e4d1f0c2a\",\"on_failure\":\"maybe\"}]}",
        422,
        "invalid_field",
        "/depends_on/0/on_failure",
    ),
    (
        "{\"name\":\"a\",\"depends_on\":[\"0198f2d4-7a3c-7c11-9a34-5b8e4d1f0c2a\",\"0198f2d4-7a3c-7c11-9a34-5b8e4d1f0c2a\"]}",
        422,
        "invalid_field",
        "/depends_on/1",
    ),
    (
        "{\"name\":\"a\",\"depends_on\":[\"0198f2d4-7a3c-7c11-9a34-5b8e4d1f0c2a\"]}",
        422,
        "parent_not_found",
        "/depends_on/0",
    ),
    ("{\"name\":\"a\",\"expires_at\":\"2020-01-01T00:00:00Z\"}", 422, "invalid_field", "/expires_at"),
    ("{\"name\":\"a\",\"expires_in\":0}", 422, "invalid_field", "/expires_in"),
    ("{\"name\":\"a\",\"expires_in\":5,\"delay\":9}", 422, "invalid_field", "/expires_in"),
    ("{\"name\":\"a\",\"expires_in\":\"9999d\"}", 422, "invalid_field", "/expires_in"),
    ("{\"name\":\"a\",\"expires_in\":5,\"expires_at\":\"2030-01-01T00:00:00Z\"}", 422, "invalid_field", "/expires_in"),
    ("{\"name\":\"a\",\"result_ttl\":\"400d\"}", 422, "invalid_field", "/result_ttl"),
];

#[actix::test]
async fn a_bad_task_is_refused_by_its_place_and_leaves_nothing() {
    let server = Server::start().await;
    for (body, status, code, pointer) in TASKS {
        let problem = server.post("/api/v1/tasks", body).await.assert_problem(*status, code);
        let place = problem["errors"][0]["pointer"].as_str().unwrap_or_default();
        assert_eq!(place, *pointer, "{body}: {problem}");
        assert_eq!(problem["instance"], "/api/v1/tasks");
    }
    assert_eq!(server.stored(), 0);
    assert_eq!(server.get("/api/v1/queues").await.json()["data"].as_array().unwrap().len(), 0);
}

#[actix::test]
async fn limits_hold_at_their_edges() {
    let server = Server::start().await;
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let tags = |n: usize| format!("[{}]", vec!["\"t\""; n].join(","));
    let cases = [
        ("name", format!("\"{}\"", "a".repeat(128)), format!("\"{}\"", "a".repeat(129))),
        ("queue", format!("\"{}\"", "q".repeat(64)), format!("\"{}\"", "q".repeat(65))),
        ("unique_key", format!("\"{}\"", "k".repeat(256)), format!("\"{}\"", "k".repeat(257))),
        ("tags", tags(20), tags(21)),
        ("args", nested(64), nested(65)),
        ("args", nested(3), nested(10_000)),
        ("max_retries", "1000".into(), "1001".into()),
        ("timeout", "\"30d\"".into(), "2592001".into()),
        ("delay", "\"1800d\"".into(), "\"1900d\"".into()),
    ];
    for (field, good, bad) in cases {
        let name = if field == "name" { "" } else { "\"name\":\"a\"," };
        let body = |value: &str| format!("{{{name}\"{field}\":{value}}}");
        let accepted = server.post("/api/v1/tasks", &body(&good)).await;
        assert_eq!(accepted.status, 201, "{field}: {}", accepted.text());
        let problem = server.post("/api/v1/tasks", &body(&bad)).await.assert_problem(422, "invalid_field");
        assert_eq!(problem["errors"][0]["pointer"], format!("/{field}"), "{problem}");
    }
    let long_tag = format!("{{\"name\":\"a\",\"tags\":[\"{}\"]}}", "t".repeat(65));
    server.post("/api/v1/tasks", &long_tag).await.assert_problem(422, "invalid_field");
    assert_eq!(server.stored(), 9);
}

#[actix::test]
async fn every_fault_is_told_and_the_near_name_suggested() {
    let server = Server::start().await;
    let body = r#"{"name":"a b","queue":"?","tags":[""],"args":{},"max_retries":-3,"retry":{"base":0}}"#;
    let problem = server.post("/api/v1/tasks", body).await.assert_problem(422, "invalid_field");
    let places: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|e| e["pointer"].clone()).collect();
    assert_eq!(places, ["/name", "/queue", "/args", "/retry/base", "/tags/0", "/max_retries"]);
    let problem = server.post("/api/v1/tasks", r#"{"name":"a","prioritty":1}"#).await.json();
    assert!(problem["detail"].as_str().unwrap().contains("did you mean `priority`?"), "{problem}");
}

#[actix::test]
async fn a_batch_answers_for_each_task_or_refuses_them_all() {
    let server = Server::start().await;
    let bad = [
        (r#"{"tasks":[]}"#.to_owned(), "invalid_field", "/tasks"),
        (r#"{"task":[]}"#.to_owned(), "unknown_field", "/task"),
        ("{}".to_owned(), "missing_field", "/tasks"),
        (r#"{"tasks":{}}"#.to_owned(), "invalid_field", "/tasks"),
        (format!("{{\"tasks\":[{}]}}", vec![r#"{"name":"a"}"#; 1001].join(",")), "invalid_field", "/tasks"),
        (
            r#"{"atomic":true,"tasks":[{"name":"a"},{"name":"a","retry":{"base":0}}]}"#.to_owned(),
            "invalid_field",
            "/tasks/1/retry/base",
        ),
        (r#"{"atomic":true,"tasks":[{"name":"a"},{"nam":"a"}]}"#.to_owned(), "unknown_field", "/tasks/1/nam"),
        (r#"{"atomic":1,"tasks":[{"name":"a"}]}"#.to_owned(), "invalid_field", "/atomic"),
    ];
    for (body, code, pointer) in bad {
        let problem = server.post("/api/v1/tasks/batch", &body).await.assert_problem(422, code);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    assert_eq!(server.stored(), 0);
    let mixed = r#"{"tasks":[{"name":"a"},{"name":""},3,{"name":"b","unique_key":"k"},{"name":"b","unique_key":"k"},
        {"name":"b","unique_key":"k","unique_conflict":"reject"}]}"#;
    let response = server.post("/api/v1/tasks/batch", mixed).await;
    assert_eq!(response.status, 200);
    let results = response.json()["results"].clone();
    let statuses: Vec<_> = results.as_array().unwrap().iter().map(|item| item["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [201, 422, 422, 201, 200, 409], "{results}");
    assert_eq!(results[1]["error"]["errors"][0]["pointer"], "/name");
    assert_eq!(results[4]["id"], results[3]["id"]);
    assert_eq!(results[5]["error"]["task_id"], results[3]["id"]);
    assert_eq!(server.stored(), 2);
    let atomic = r#"{"atomic":true,"tasks":[{"name":"c"},{"name":"b","unique_key":"k","unique_conflict":"reject"}]}"#;
    server.post("/api/v1/tasks/batch", atomic).await.assert_problem(409, "unique_key_held");
    assert_eq!(server.stored(), 2);
}
