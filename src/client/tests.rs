use std::time::Duration;

use super::{
    Client, Error, ListQuery, TaskRequest,
    fake::{Answer, Fake, ID, task},
};
use crate::task::{Priority, Status, TaskId};

fn id() -> TaskId {
    ID.parse().unwrap()
}

fn client(fake: &Fake) -> Client {
    Client::builder(&fake.url).api_key("k1").build().unwrap()
}

#[tokio::test]
async fn a_task_is_submitted_and_read_exactly() {
    let fake = Fake::new([Answer::Json(201, task("queued")), Answer::Json(200, task("success"))]);
    let client = client(&fake);
    let request = TaskRequest::new("process_data")
        .args(&[u64::MAX])
        .unwrap()
        .kwargs(&serde_json::json!({"multiplier": 2}))
        .unwrap()
        .queue("reports")
        .priority(Priority::HIGH)
        .max_retries(0)
        .timeout(None)
        .max_age(Some(Duration::from_secs(3_600)))
        .delay(Duration::from_millis(1500))
        .unique_key("u")
        .reject_duplicates()
        .fair_key("tenant-7")
        .rate_key("api")
        .cost(3)
        .concurrency_key("account-9")
        .requires("gpu")
        .tag("a")
        .idempotency_key("once");
    let submitted = client.submit(&request).await.unwrap();
    assert_eq!((submitted.task.status, submitted.deduplicated, submitted.replayed), (Status::Queued, false, false));
    let found = client.get(id()).await.unwrap();
    assert_eq!(found.args.unwrap().get(), "[12345678901234567890123,1.10]");
    assert_eq!(found.result.unwrap().get(), r#"{"n":98765432109876543210}"#);
    assert_eq!((found.timeout_ms, found.tags), (Some(300_000), vec!["t".to_owned()]));
    let keys = [found.fair_key, found.rate_key, found.concurrency_key].map(Option::unwrap);
    assert_eq!((keys, found.cost), (["tenant-7", "api", "account-9"].map(str::to_owned), Some(3)));

    let asked = fake.asked();
    assert_eq!(asked[0].line, "POST /api/v1/tasks");
    assert_eq!(
        asked[0].body,
        r#"{"name":"process_data","args":[18446744073709551615],"kwargs":{"multiplier":2},"queue":"reports","priority":8,"max_retries":0,"timeout":null,"max_age":"1h","delay":"1500ms","unique_key":"u","unique_conflict":"reject","fair_key":"tenant-7","rate_key":"api","cost":3,"concurrency_key":"account-9","requires":["gpu"],"tags":["a"]}"#
    );
    assert_eq!(asked[0].header("authorization"), Some("Bearer k1"));
    assert_eq!(asked[0].header("idempotency-key"), Some("once"));
    assert_eq!(asked[0].header("content-type"), Some("application/json"));
    assert_eq!((asked[1].line.as_str(), asked[1].connection), (format!("GET /api/v1/tasks/{ID}").as_str(), 0));
    assert_eq!(asked[1].header("content-type"), None);
}

#[tokio::test]
async fn duplicates_and_replays_are_told() {
    let duplicate = format!(r#"{{"deduplicated":true,{}"#, &task("running")[1..]);
    let body = task("queued");
    let length = body.len();
    let replay = format!("HTTP/1.1 201 X\r\nidempotent-replayed: true\r\ncontent-length: {length}\r\n\r\n{body}");
    let replaced = format!(r#"{{"replaced":true,{}"#, &task("scheduled")[1..]);
    let fake = Fake::new([Answer::Json(200, duplicate), Answer::Raw(replay), Answer::Json(200, replaced)]);
    let client = client(&fake);
    let first = client.submit(&TaskRequest::new("x")).await.unwrap();
    assert!(first.deduplicated && first.task.result.is_some() && !first.replayed);
    let second = client.submit(&TaskRequest::new("x")).await.unwrap();
    assert!(second.replayed && !second.deduplicated);
    assert_eq!(fake.asked()[0].body, r#"{"name":"x"}"#);
    let request = TaskRequest::new("x")
        .unique_by(["name", "args.0"])
        .unique_while(["waiting", "running", "success"])
        .unique_for(Duration::from_mins(10))
        .replace_waiting();
    let third = client.submit(&request).await.unwrap();
    assert!(third.replaced && !third.deduplicated && !third.replayed);
    assert_eq!(
        fake.asked()[2].body,
        r#"{"name":"x","unique_conflict":"replace","unique":{"by":["name","args.0"],"while":["waiting","running","success"],"for":"10m"}}"#
    );
}

#[tokio::test]
async fn waiting_asks_again_until_the_task_has_ended() {
    let end = format!(
        r#"{{"task_id":"{ID}","status":"failed","result":null,"error":{{"kind":"exit","message":"code 1","detail":null}},"duration_ms":5}}"#
    );
    let fake = Fake::new([
        Answer::Json(202, task("queued")),
        Answer::Json(202, "{}".into()),
        Answer::Json(200, end),
        Answer::Json(200, task("failed")),
        Answer::Json(202, "{}".into()),
    ]);
    let client = client(&fake);
    let ended = client.submit_and_wait(&TaskRequest::new("x"), Duration::from_secs(90)).await.unwrap();
    assert_eq!(ended.task.status, Status::Failed);
    assert!(client.result(id()).await.unwrap().is_none());
    let lines: Vec<String> = fake.asked().into_iter().map(|asked| asked.line).collect();
    assert_eq!(lines[0], "POST /api/v1/tasks?wait=30s");
    assert!(lines[1].starts_with(&format!("GET /api/v1/tasks/{ID}/result?wait=")), "{lines:?}");
    assert_eq!(lines[3], format!("GET /api/v1/tasks/{ID}"));
    assert_eq!(lines[4], format!("GET /api/v1/tasks/{ID}/result"));
}

#[tokio::test]
async fn lists_batches_and_actions() {
    let list = format!(r#"{{"data":[{}],"next_cursor":"n/1","prev_cursor":null}}"#, task("queued"));
    let batch = format!(
        r#"{{"results":[{{"index":0,"status":201,"id":"{ID}"}},{{"index":1,"status":422,"error":{{"code":"invalid"}}}}]}}"#
    );
    let stats = r#"{"queue":"a","total_queued":6,"queued_by_priority":{"high":1,"medium":2,"low":3},"status_counts":{"queued":6},"oldest_ready_s":1.5,"rate_limit":null}"#;
    let fake = Fake::new([
        Answer::Json(200, list),
        Answer::Json(200, batch),
        Answer::Json(200, format!(r#"{{"id":"{ID}","status":"running","cancel_requested":true}}"#)),
        Answer::Json(200, task("queued")),
        Answer::Json(200, stats.into()),
    ]);
    let client = client(&fake);
    let query = ListQuery {
        status: Some(Status::Queued),
        queue: Some("a".into()),
        tag: Some("x&y=ü".into()),
        limit: Some(5),
        include_payload: true,
        ..ListQuery::default()
    };
    let page = client.list(&query).await.unwrap();
    assert_eq!((page.data.len(), page.next_cursor.as_deref()), (1, Some("n/1")));
    let items = client.submit_batch(&[TaskRequest::new("x"), TaskRequest::new("")], true).await.unwrap();
    assert_eq!((items[0].id, items[1].status), (Some(id()), 422));
    assert!(client.cancel(id(), Some("why")).await.unwrap().cancel_requested);
    assert_eq!(client.retry(id()).await.unwrap().status, Status::Queued);
    let stats = client.queue_stats("a/b").await.unwrap();
    assert_eq!((stats.queued_by_priority.low, stats.oldest_ready_s), (3, Some(1.5)));
    let asked = fake.asked();
    let sent: Vec<_> = asked.iter().map(|asked| (asked.line.as_str(), asked.body.as_str())).collect();
    assert_eq!(
        sent,
        [
            ("GET /api/v1/tasks?status=queued&queue=a&tag=x%26y%3D%C3%BC&limit=5&include=args%2Cresult", ""),
            ("POST /api/v1/tasks/batch", r#"{"tasks":[{"name":"x"},{"name":""}],"atomic":true}"#),
            (&format!("POST /api/v1/tasks/{ID}/cancel"), r#"{"reason":"why"}"#),
            (&format!("POST /api/v1/tasks/{ID}/retry"), "{}"),
            ("GET /api/v1/queues/a%2Fb/stats", ""),
        ]
    );
    assert!(asked.iter().all(|asked| asked.connection == 0), "one connection is kept");
}

#[tokio::test]
async fn a_refusal_is_decoded() {
    let problem = r#"{"type":"/docs#x","title":"Invalid","status":422,"detail":"The task is not valid.","code":"invalid_task","request_id":"r","errors":[{"pointer":"/args","detail":"must be an array"}]}"#;
    let fake = Fake::new([
        Answer::Json(422, problem.into()),
        Answer::Json(404, r#"{"title":"Not found","code":"task_not_found"}"#.into()),
        Answer::Json(
            422,
            r#"{"code":"c","detail":"is no number","errors":[{"parameter":"n","detail":"is no number"}]}"#.into(),
        ),
        Answer::Json(502, "<html>Bad gateway</html>".into()),
        Answer::Json(302, "{}".into()),
        Answer::Json(200, "[]".into()),
    ]);
    let client = client(&fake);
    let error = client.get(id()).await.unwrap_err();
    assert_eq!(error.to_string(), "The task is not valid. (HTTP 422, invalid_task); /args: must be an array");
    assert_eq!(error.problem().unwrap().errors[0].pointer, "/args");
    let missing = client.get(id()).await.unwrap_err();
    assert!(missing.is_not_found());
    assert_eq!(missing.to_string(), "Not found (HTTP 404, task_not_found)");
    let query = client.get(id()).await.unwrap_err();
    assert_eq!(query.to_string(), "is no number (HTTP 422, c); n: is no number");
    for what in ["HTTP 502 without a problem", "HTTP 302", "HTTP 200 whose body is not what was asked for"] {
        let error = client.get(id()).await.unwrap_err();
        assert!(matches!(error, Error::Unexpected { .. }) && error.to_string().contains(what), "{error}");
    }
}

#[tokio::test]
async fn no_server_is_one_clear_sentence() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = Client::new(format!("http://{free}/")).unwrap().get(id()).await.unwrap_err();
    assert!(error.is_unreachable());
    assert_eq!(
        error.to_string(),
        format!(
            "cannot reach the server at http://{free}: connection refused. Start it with `jobqueue serve`, or name \
             another with --url or JOBQUEUE_URL"
        )
    );
}

#[tokio::test]
async fn a_closed_connection_is_replaced_where_that_is_safe() {
    // The server closes the kept connection: what was not sent, or only reads, is sent again.
    let fake = Fake::new([
        Answer::ThenClose(200, task("queued")),
        Answer::Json(200, task("queued")),
        Answer::Close,
        Answer::Json(200, task("success")),
        Answer::Close,
    ]);
    let client = client(&fake);
    client.get(id()).await.unwrap();
    client.get(id()).await.unwrap();
    assert_eq!(client.get(id()).await.unwrap().status, Status::Success);
    // A submission that may have arrived is not repeated.
    let error = client.submit(&TaskRequest::new("x")).await.unwrap_err();
    assert!(matches!(error, Error::Broken { .. }) && error.is_unreachable(), "{error}");
    assert!(error.to_string().ends_with("whether the request was carried out is unknown"), "{error}");
    assert_eq!(fake.asked().iter().filter(|asked| asked.line.starts_with("POST")).count(), 1);
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    // Accepts connections (the backlog does) and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let client = Client::builder(url).timeout(Duration::from_millis(20)).build().unwrap();
    let error = client.get(id()).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }) && error.to_string().contains("within 0.02 s"), "{error}");
}

#[test]
fn addresses_are_checked() {
    for (url, why) in [
        ("https://h", "does not speak TLS"),
        ("ftp://h", "expected http://HOST:PORT"),
        ("h:8000", "expected http://HOST:PORT"),
        ("", "expected http://HOST:PORT"),
        ("http://u:p@h", "JOBQUEUE_API_KEY"),
        ("http://h?x=1", "query or a fragment"),
        ("http://h:99999", "expected http://HOST:PORT"),
        ("http://h h", "expected http://HOST:PORT"),
    ] {
        let error = Client::new(url).unwrap_err();
        assert!(matches!(error, Error::Url { .. }) && error.to_string().contains(why), "{url}: {error}");
    }
    for url in ["http://h", "http://h:1/", "http://[::1]:8000", "http://h/prefix/"] {
        assert!(Client::new(url).is_ok(), "{url}");
    }
    assert!(matches!(Client::builder("http://h").api_key("a\nb").build(), Err(Error::Key(_))));
}

#[tokio::test]
async fn a_prefix_goes_before_every_path() {
    let fake = Fake::new([Answer::Json(200, task("queued"))]);
    Client::new(format!("{}/queue/", fake.url)).unwrap().get(id()).await.unwrap();
    assert_eq!(fake.asked()[0].line, format!("GET /queue/api/v1/tasks/{ID}"));
}

#[test]
fn a_call_can_be_spawned() {
    fn is_send(_: impl Send) {}
    let client = Client::new("http://h").unwrap();
    is_send(client.wait(id(), Duration::ZERO));
    is_send(client.submit_and_wait(&TaskRequest::new("x"), Duration::ZERO));
}
