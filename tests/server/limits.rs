//! Rate limits and caps, seen from outside: when tasks really start.

use serde_json::Value;

use crate::support::{Server, eventually};

fn batch(server: &Server, task: &str, count: usize) -> Vec<String> {
    let tasks = vec![task; count].join(",");
    let (status, reply) = server.call("POST", "/api/v1/tasks/batch", &format!(r#"{{"tasks":[{tasks}]}}"#));
    assert_eq!(status, 200, "{reply}");
    reply["results"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

fn count(server: &Server, queue: &str, status: &str) -> u64 {
    server.get(&format!("/api/v1/queues/{queue}/stats"))["status_counts"][status].as_u64().unwrap_or_default()
}

/// Milliseconds of every start there was: of the last attempt by its handler, of those a kill has ended by their grant.
fn starts(server: &Server, ids: &[String]) -> Vec<i64> {
    let millis = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
    let mut starts = Vec::new();
    for id in ids {
        starts.push(server.task(id)["result"].as_i64().unwrap());
        let attempts = server.get(&format!("/api/v1/tasks/{id}/attempts"));
        for attempt in attempts["data"].as_array().unwrap() {
            if attempt["outcome"] == "crashed" {
                starts.push(millis(attempt["started_at"].as_str().unwrap()));
            }
        }
    }
    starts.sort_unstable();
    starts
}

fn most_in_a_window(starts: &[i64], window: i64) -> usize {
    let within = |first: usize| starts[first..].iter().take_while(|start| **start < starts[first] + window).count();
    (0..starts.len()).map(within).max().unwrap_or_default()
}

#[test]
fn no_window_holds_more_starts_than_the_limit_even_through_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(folder.path(), &["--concurrency", "64"]);
    let limit = r#"{"limit":20,"per":"500ms"}"#;
    assert_eq!(server.call("PUT", "/api/v1/queues/limited/rate-limit", limit).0, 200);
    let ids = batch(&server, r#"{"name":"fault.clock","queue":"limited"}"#, 120);
    // A queue beside it is not slowed.
    let free = batch(&server, r#"{"name":"fault.clock","queue":"free"}"#, 200);
    eventually("the free queue is done", || count(&server, "free", "success") == 200);
    assert!(count(&server, "limited", "success") < 120, "the limit has held nobody up");
    eventually("some are done", || count(&server, "limited", "success") >= 30);
    server.kill();
    let server = Server::start_with(folder.path(), &["--concurrency", "64"]);
    eventually("all are done", || count(&server, "limited", "success") == 120);
    let starts = starts(&server, &ids);
    assert!(most_in_a_window(&starts, 500) <= 20, "{starts:?}");
    let took = starts.last().unwrap() - starts.first().unwrap();
    assert!(took >= 5 * 500, "120 starts at 20 in 500 ms in {took} ms");
    for task in free.iter().map(|id| server.task(id)) {
        assert_eq!((&task["status"], &task["attempt"]), (&Value::from("success"), &Value::from(1)));
    }
}

#[test]
fn a_cap_is_never_exceeded_and_what_waits_for_it_starts_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(folder.path(), &["--concurrency", "16"]);
    assert_eq!(server.call("PUT", "/api/v1/queues/capped", r#"{"concurrency":3}"#).0, 200);
    batch(&server, r#"{"name":"demo.sleep","args":[0.02],"queue":"capped"}"#, 60);
    let mut most = 0;
    eventually("all are done", || {
        most = most.max(count(&server, "capped", "running"));
        count(&server, "capped", "success") == 60
    });
    assert!((1..=3).contains(&most), "{most} at a time");
    assert_eq!(server.get("/api/v1/stats")["totals"]["failed_attempts"], 0);
}
