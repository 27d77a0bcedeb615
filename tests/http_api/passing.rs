//! Who is at a limit is passed over, and holds up nobody else: other lanes, others of its lane, lower priorities.

use jobqueue::{engine::Grant, store::RetentionLimits};
use serde_json::{Value, json};

use crate::support::Server;

async fn set(server: &Server, settings: Value) {
    let set = server.call("PUT", "/api/v1/queues/q", &[], settings.to_string().as_bytes()).await;
    assert_eq!(set.status, 200, "{}", set.text());
}

async fn submit(server: &Server, tasks: Vec<Value>) {
    for part in tasks.chunks(1_000) {
        let answer = server.post("/api/v1/tasks/batch", &json!({"tasks": part}).to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

/// A task that says in its arguments what it is.
fn task(what: &str, keys: &Value) -> Value {
    let mut task = json!({"name": "a", "queue": "q", "args": [what]});
    task.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    task
}

fn what(grant: &Grant) -> String {
    serde_json::from_str::<Value>(&grant.task().args).unwrap()[0].as_str().unwrap().to_owned()
}

/// Until the queue has nothing more to give for now.
async fn until_blocked(server: &Server, want: usize) -> Vec<Grant> {
    let mut started = Vec::new();
    for _ in 0..2_000 {
        let reply = server.claim_reply("q", want).await;
        let is_last = !reply.more;
        started.extend(reply.grants);
        if is_last {
            return started;
        }
    }
    panic!("it is asked again and again");
}

#[actix::test]
async fn lower_priorities_start_while_thousands_of_keys_above_are_at_their_limit() {
    for settings in [json!({}), json!({"ageing": "1h"})] {
        let server = Server::start().await;
        let mut all = json!({"key_rate_limit": {"limit": 1, "per": "1h"}});
        all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        set(&server, all).await;
        // More than one claim looks at.
        const KEYS: usize = 6_000;
        let high = |n: usize| task("high", &json!({"rate_key": format!("key-{}", n % KEYS), "priority": 9}));
        submit(&server, (0..2 * KEYS).map(high).collect()).await;
        let running = until_blocked(&server, 500).await;
        assert_eq!(running.len(), KEYS, "{settings}");
        submit(&server, vec![task("low", &json!({"fair_key": "low", "priority": 0}))]).await;
        let low = until_blocked(&server, 4).await;
        assert_eq!(low.iter().map(what).collect::<Vec<_>>(), ["low"], "{settings}");
    }
}

#[actix::test]
async fn of_a_fair_key_with_many_rate_keys_whoever_is_not_at_the_limit_is_found() {
    let server = Server::start().await;
    set(&server, json!({"key_rate_limit": {"limit": 1, "per": "1h"}})).await;
    const USERS: usize = 2_000;
    let of = |n: usize| task("old", &json!({"fair_key": "tenant", "rate_key": format!("user-{}", n % USERS)}));
    submit(&server, (0..2 * USERS).map(of).collect()).await;
    let running = until_blocked(&server, 50).await;
    assert_eq!(running.len(), USERS);
    for name in ["new", "newer", "newest"] {
        submit(&server, vec![task(name, &json!({"fair_key": "tenant", "rate_key": name}))]).await;
        assert_eq!(until_blocked(&server, 4).await.iter().map(what).collect::<Vec<_>>(), [name]);
    }
}

/// However many of its rate keys open one after the other.
#[actix::test]
async fn a_lane_that_was_at_its_limits_makes_up_for_one_turn() {
    let server = Server::start().await;
    set(&server, json!({"key_rate_limit": {"limit": 1, "per": "1s"}})).await;
    const KEYS: usize = 40;
    let loud = |n: usize| task("loud", &json!({"fair_key": "loud", "rate_key": format!("r{}", n % KEYS)}));
    submit(&server, (0..50 * KEYS).map(loud).collect()).await;
    let mut running = Vec::new();
    while running.len() < KEYS {
        running.extend(server.claim_some("q", 1).await);
    }
    let quiet = |n: usize| {
        let name = ["b", "c", "d"][n % 3];
        task(name, &json!({"fair_key": name}))
    };
    submit(&server, (0..6_000).map(quiet).collect()).await;
    let (mut loud, mut others, mut most, mut since) = (0, 0, 0, None);
    let began = std::time::Instant::now();
    while loud < 2 * KEYS && others < 3_000 && began.elapsed().as_secs() < 60 {
        for grant in server.claim_reply("q", 1).await.grants {
            match what(&grant).as_str() {
                "loud" => {
                    loud += 1;
                    since = since.map(|n: usize| n + 1);
                    most = most.max(since.unwrap_or_default());
                }
                "b" => since = Some(0),
                _ => others += 1,
            }
            running.push(grant);
        }
    }
    // Its turn, and one that it has missed.
    assert!(loud > 0 && most <= 2, "{most} of the loud one between two of another, {loud} in all");
}

#[actix::test]
async fn a_cap_counts_what_ran_before_it_was_set() {
    let server = Server::start().await;
    submit(&server, vec![task("a", &json!({"concurrency_key": "k"})); 5]).await;
    let mut running = server.claim_some("q", 3).await;
    assert_eq!(running.len(), 3);
    set(&server, json!({"key_concurrency": 2})).await;
    submit(&server, vec![task("other", &json!({"concurrency_key": "other"}))]).await;
    let other = until_blocked(&server, 10).await;
    assert_eq!(other.iter().map(what).collect::<Vec<_>>(), ["other"], "three of two run already");
    // Given back: of the three the third is one too many.
    running.truncate(1);
    let began = std::time::Instant::now();
    let mut next = Vec::new();
    while next.is_empty() {
        next = server.claim_reply("q", 10).await.grants;
        assert!(began.elapsed().as_secs() < 60);
    }
    assert_eq!(next.len(), 1);
}

#[actix::test]
async fn what_was_kept_of_many_keys_goes_without_a_pause_once_it_does_not_matter() {
    let server = Server::start().await;
    set(&server, json!({"key_rate_limit": {"limit": 1, "per": "1s"}})).await;
    let of = |n: usize| task("a", &json!({"rate_key": format!("r{n}")}));
    submit(&server, (0..250).map(of).collect()).await;
    assert_eq!(until_blocked(&server, 100).await.len(), 250);
    let later = server.engine.clock().now() + 3_600_000;
    let limits = RetentionLimits {
        now: later,
        success_before: 0,
        others_before: 0,
        idempotency_before: 0,
        workers_before: 0,
        minutes_before: 0,
        hours_before: 0,
        audit_before: 0,
        rows: 100,
    };
    let mut again = Vec::new();
    for _ in 0..4 {
        again.push(server.engine.prune(limits, None).await.unwrap().again);
    }
    assert_eq!(again, [true, true, false, false]);
}

#[actix::test]
async fn a_client_of_the_library_sets_limits_and_hears_why_a_task_waits() {
    use jobqueue::client::{Client, QueueRequest, RateLimitRequest, TaskRequest};
    let server = Server::start().await;
    let client = Client::new(format!("http://{}", server.address)).unwrap();
    let limit = RateLimitRequest::window(1, std::time::Duration::from_secs(3_600));
    let settings = QueueRequest::new().key_rate_limit(limit).key_concurrency(2).fair_weight("big", 3);
    let queue = client.put_queue("q", &settings).await.unwrap();
    assert_eq!((queue.key_rate_limit.as_deref(), queue.key_concurrency), (Some("1 per 1h"), Some(2)));
    let old = client.put_queue("q", &QueueRequest::new().version(queue.version + 7)).await.unwrap_err();
    assert_eq!(old.problem().map(|problem| problem.status), Some(409));
    let request = TaskRequest::new("a").queue("q").rate_key("r").fair_key("mine");
    client.submit(&request).await.unwrap();
    let second = client.submit(&request).await.unwrap().task;
    client.submit(&TaskRequest::new("a").queue("q").fair_key("theirs")).await.unwrap();
    let running = server.claim_some("q", 1).await;
    assert_eq!(running.len(), 1);
    let explained = client.explain(second.id).await.unwrap();
    assert!(explained.reasons.iter().any(|reason| reason.code == "turns"), "{explained:?}");
    let _more = until_blocked(&server, 10).await;
    let explained = client.explain(second.id).await.unwrap();
    let limit = explained.reasons.iter().find(|reason| reason.code == "key_rate_limit").unwrap();
    assert!(limit.detail.contains("1 per 1h") && limit.until.is_some(), "{limit:?}");
    assert_eq!((client.key_rate_limit("q", "r").await.unwrap().used, client.queue("q").await.unwrap().weight), (1, 1));
}
