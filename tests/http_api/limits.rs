//! Rate limits that are changed while they are in use: what has started counts, and nobody waits longer than the new limit
//! says.

use serde_json::{Value, json};

use crate::support::Server;

const PATH: &str = "/api/v1/queues/mail/rate-limit";

async fn put(server: &Server, limit: &Value) -> Value {
    let set = server.call("PUT", PATH, &[], limit.to_string().as_bytes()).await;
    assert_eq!(set.status, 200, "{}", set.text());
    set.json()
}

/// Submits more than may start, and starts as many as may.
async fn use_up(server: &Server, tasks: usize) -> usize {
    let task = json!({"name": "a", "queue": "mail"});
    let batch = json!({ "tasks": vec![task; tasks] }).to_string();
    assert_eq!(server.post("/api/v1/tasks/batch", &batch).await.status, 200);
    let grants = server.claim("mail").await;
    let started = grants.len();
    grants.into_iter().for_each(std::mem::forget); // they run on
    started
}

/// Seconds until the next may start.
fn wait(limit: &Value) -> f64 {
    limit["next_permit_in_s"].as_f64().unwrap()
}

#[actix::test]
async fn a_bucket_that_is_filled_faster_or_made_smaller_opens_as_the_new_one_would() {
    let server = Server::start().await;
    put(&server, &json!({"algorithm": "token_bucket", "limit": 10, "per": "1h"})).await;
    assert_eq!(use_up(&server, 20).await, 10);
    let slow = server.get(PATH).await.json();
    assert!((300.0..=360.0).contains(&wait(&slow)), "{slow}");
    let faster = put(&server, &json!({"algorithm": "token_bucket", "limit": 10, "per": "100s"})).await;
    assert!(wait(&faster) <= 10.0, "{faster}");
    // The same in permits, not in what one of them once cost.
    let slower = put(&server, &json!({"algorithm": "token_bucket", "limit": 10, "per": "10h"})).await;
    assert!((3_500.0..=3_600.0).contains(&wait(&slower)), "{slower}");

    let server = Server::start().await;
    put(&server, &json!({"algorithm": "token_bucket", "limit": 1, "per": "1m", "burst": 90})).await;
    assert_eq!(use_up(&server, 200).await, 90);
    let smaller = put(&server, &json!({"algorithm": "token_bucket", "limit": 1, "per": "1m", "burst": 1})).await;
    assert!((1.0..=60.0).contains(&wait(&smaller)), "{smaller}");
    assert_eq!(use_up(&server, 1).await, 0);
}

#[actix::test]
async fn a_window_that_is_made_shorter_opens_within_one_of_its_length() {
    let server = Server::start().await;
    put(&server, &json!({"limit": 5, "per": "24h"})).await;
    assert_eq!(use_up(&server, 15).await, 5);
    let shorter = put(&server, &json!({"limit": 5, "per": "1s"})).await;
    // The starts granted last may be up to two seconds late.
    assert!((0.01..=3.2).contains(&wait(&shorter)), "{shorter}");
    let began = std::time::Instant::now();
    let mut started = 0;
    while started < 5 {
        assert!(began.elapsed().as_secs() < 30, "{}", server.get(PATH).await.text());
        started += use_up(&server, 1).await;
    }
    assert!(began.elapsed().as_secs_f64() > wait(&shorter) - 1.0);
}

#[actix::test]
async fn what_has_started_counts_whatever_kind_of_limit_comes_after_it() {
    let (queue, priority) = (json!({"limit": 10, "per": "1h"}), json!({"by": "priority", "limit": 10, "per": "1h"}));
    let bucket = json!({"algorithm": "token_bucket", "limit": 10, "per": "1h"});
    let by_class = json!({"algorithm": "token_bucket", "by": "priority", "limit": 10, "per": "1h"});
    for kinds in [
        [&queue, &priority, &queue],
        [&priority, &queue, &priority],
        [&queue, &bucket, &queue],
        [&bucket, &queue, &bucket],
        [&bucket, &by_class, &bucket],
        [&by_class, &queue, &bucket],
        [&priority, &bucket, &by_class],
    ] {
        let server = Server::start().await;
        put(&server, kinds[0]).await;
        assert_eq!(use_up(&server, 40).await, 10);
        for kind in &kinds[1..] {
            let shown = put(&server, kind).await;
            let used = if kind["by"] == "priority" { &shown["by_priority"]["medium"]["used"] } else { &shown["used"] };
            assert_eq!(used, &json!(10), "{kinds:?}: {shown}");
            assert_eq!(use_up(&server, 1).await, 0, "{kinds:?}: {kind}");
        }
    }
}

#[actix::test]
async fn a_queue_that_is_made_again_has_started_what_it_had_started() {
    let server = Server::start().await;
    let limit = json!({"limit": 3, "per": "1h"});
    put(&server, &limit).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(server.submit(r#"{"name":"a","queue":"mail"}"#).await);
    }
    for grant in server.claim("mail").await {
        let id = grant.task().id;
        grant.finish(jobqueue::task::Outcome::Success("1".into()));
        server.get(&format!("/api/v1/tasks/{id}/result?wait=30s")).await;
    }
    for id in ids {
        assert_eq!(server.call("DELETE", &format!("/api/v1/tasks/{id}"), &[], b"").await.status, 204);
    }
    let again = async || {
        assert_eq!(server.call("DELETE", "/api/v1/queues/mail", &[], b"").await.status, 204);
        put(&server, &limit).await["used"].clone()
    };
    assert_eq!(again().await, 3);
    assert_eq!(use_up(&server, 1).await, 0);
    // Not for ever: an hour later nothing of it is left.
    let waiting = server.get("/api/v1/tasks?queue=mail&status=queued").await.json()["data"][0]["id"].clone();
    let waiting = waiting.as_str().unwrap();
    assert_eq!(server.post(&format!("/api/v1/tasks/{waiting}/cancel"), "").await.status, 200);
    assert_eq!(server.call("DELETE", &format!("/api/v1/tasks/{waiting}"), &[], b"").await.status, 204);
    let prune = async |now| {
        let retention = jobqueue::store::RetentionLimits {
            now,
            success_before: 0,
            others_before: 0,
            idempotency_before: 0,
            workers_before: 0,
            minutes_before: 0,
            hours_before: 0,
            audit_before: 0,
            rows: 100,
        };
        server.engine.prune(retention, None).await.unwrap();
    };
    let now = server.engine.clock().now();
    prune(now + 7_200_000).await;
    assert_eq!(again().await, 3, "the queue was there");
    assert_eq!(server.call("DELETE", "/api/v1/queues/mail", &[], b"").await.status, 204);
    prune(now).await;
    put(&server, &limit).await;
    assert_eq!(again().await, 3, "it mattered");
    assert_eq!(server.call("DELETE", "/api/v1/queues/mail", &[], b"").await.status, 204);
    prune(now + 7_200_000).await;
    assert_eq!(put(&server, &limit).await["used"], 0);
}
