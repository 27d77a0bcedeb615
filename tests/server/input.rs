//! Bad input: a problem that names the field, and nothing changed.

use crate::support::Server;

#[test]
fn bad_submissions_name_the_field_and_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let deep = format!(r#"{{"name":"demo.echo","args":{}{}}}"#, "[".repeat(70), "]".repeat(70));
    let huge = format!(r#"{{"name":"demo.echo","args":["{}"]}}"#, "x".repeat(2 << 20));
    for (body, status, place) in [
        ("", 400, None),
        ("{", 400, None),
        ("[]", 422, Some("")),
        ("null", 422, Some("")),
        (r#"{}"#, 422, Some("/name")),
        (r#"{"name":""}"#, 422, Some("/name")),
        (r#"{"name":1}"#, 422, Some("/name")),
        (r#"{"name":"a b"}"#, 422, Some("/name")),
        (r#"{"name":"a","queue":"x/y"}"#, 422, Some("/queue")),
        (r#"{"name":"a","args":{}}"#, 422, Some("/args")),
        (r#"{"name":"a","kwargs":[]}"#, 422, Some("/kwargs")),
        (r#"{"name":"a","meta":1}"#, 422, Some("/meta")),
        (r#"{"name":"a","prioritty":1}"#, 422, Some("/prioritty")),
        (r#"{"name":"a","priority":10}"#, 422, Some("/priority")),
        (r#"{"name":"a","priority":"urgent"}"#, 422, Some("/priority")),
        (r#"{"name":"a","max_retries":-1}"#, 422, Some("/max_retries")),
        (r#"{"name":"a","timeout":"-5s"}"#, 422, Some("/timeout")),
        (r#"{"name":"a","timeout":0}"#, 422, Some("/timeout")),
        (r#"{"name":"a","retry":{"base":0}}"#, 422, Some("/retry/base")),
        (r#"{"name":"a","delay":"1s","run_at":"2030-01-01T00:00:00Z"}"#, 422, None),
        (r#"{"name":"a","run_at":"tomorrow"}"#, 422, Some("/run_at")),
        (r#"{"name":"a","depends_on":["x"]}"#, 422, Some("/depends_on/0")),
        (r#"{"name":"a","expires_in":"0s"}"#, 422, Some("/expires_in")),
        (r#"{"name":"a","args":["\u0000"]}"#, 422, Some("/args")),
        (r#"{"name":"a","args":["\ud800"]}"#, 422, Some("/args")),
        (r#"{"name":"a","args":[1e400000]}"#, 422, Some("/args")),
        (r#"{"name":"a","unique_key":""}"#, 422, Some("/unique_key")),
        (&deep, 422, Some("/args")),
        (&huge, 413, None),
    ] {
        let shown: String = body.chars().take(60).collect();
        let (got, problem) = server.call("POST", "/api/v1/tasks", body);
        assert_eq!(got, status, "{shown}: {problem}");
        assert!(problem["code"].is_string() && problem["request_id"].is_string(), "{shown}: {problem}");
        if let Some(place) = place {
            assert_eq!(problem["errors"][0]["pointer"], place, "{shown}: {problem}");
        }
    }
    assert_eq!(server.get("/api/v1/stats")["totals"]["submitted"], 0);
}

#[test]
fn every_error_is_a_problem() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let unknown = "/api/v1/tasks/00000000-0000-7000-8000-000000000000";
    for (method, path, status) in [
        ("GET", "/nowhere", 404),
        ("GET", "/api/v1/nowhere", 404),
        ("GET", unknown, 404),
        ("GET", "/api/v1/tasks/not-an-id", 404),
        ("DELETE", "/api/v1/queues", 405),
        ("GET", "/api/v1/tasks?limit=0", 422),
        ("GET", "/api/v1/tasks?status=odd", 422),
        ("GET", "/api/v1/tasks?nonsense=1", 422),
        ("GET", "/api/v1/tasks?cursor=zzz", 422),
        ("POST", "/api/v1/queues/nope/pause", 404),
    ] {
        let (got, _, head) = server.try_call(method, path, "", "").unwrap();
        let not_an_id = path.ends_with("not-an-id") && got == 422;
        assert!(got == status || not_an_id, "{method} {path}: {head}");
        assert!(head.contains("application/problem+json"), "{method} {path}: {head}");
    }
    let (status, _, _) = server.try_call("POST", "/api/v1/tasks", "Content-Type: text/plain\r\n", "x").unwrap();
    assert_eq!(status, 415);
}
