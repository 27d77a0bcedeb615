//! `explain` and the claim go by the same rules: what one says, the other does.

use jobqueue::{
    engine::Reason,
    task::{
        Millis, NewTask, Outcome, Priority, QueueSettings, RateLimit,
        rate::{Algorithm, LimitBy},
    },
};

use crate::support::Server;

/// A state drawn from a seed: some tasks wait, some for their time, some have parents, the queue has this limit or that.
async fn draw(server: &Server, queue: &str, ageing: Option<Millis>, random: &mut fastrand::Rng) {
    let now = server.engine.clock().now();
    let mut tasks: Vec<NewTask> = Vec::new();
    for _ in 0..random.usize(1..12) {
        let mut task = NewTask::named("a", queue, now);
        task.priority = Priority::new(random.u8(0..=9)).unwrap();
        task.run_at = random.bool().then(|| now + random.i64(-5..5) * 3_600_000);
        task.expires_at = random.bool().then(|| now + random.i64(1..5) * 3_600_000);
        if let Some(parent) = tasks.last().filter(|_| random.u8(0..4) == 0) {
            task.parents = vec![jobqueue::task::Parent { id: parent.id, on_failure: Default::default() }];
        }
        tasks.push(task);
    }
    server.engine.submit(jobqueue::engine::Submission { tasks, ..Default::default() }).await.unwrap();
    let rule = RateLimit {
        by: if random.bool() { LimitBy::Queue } else { LimitBy::Priority },
        limit: [random.u32(1..4), random.u32(1..4), random.u32(1..4)],
        per: 3_600_000,
        algorithm: if random.bool() { Algorithm::SlidingWindow } else { Algorithm::TokenBucket },
        burst: 0,
        enabled: random.u8(0..4) > 0,
    };
    let settings = QueueSettings {
        rate_limit: random.bool().then_some(rule),
        concurrency: random.bool().then(|| random.u32(1..5)),
        ageing,
        ..QueueSettings::default()
    };
    let paused = random.u8(0..6) == 0;
    let set = move |row: &mut jobqueue::store::QueueRow| (row.settings, row.paused) = (settings.clone(), paused);
    server.engine.change_queue(queue, None, set, jobqueue::store::Act::local("queue.configure", queue)).await.unwrap();
}

#[actix::test]
async fn the_first_task_that_nothing_holds_is_the_one_that_is_claimed() {
    let server = Server::start().await;
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(seed);
        let queue = format!("q{seed}");
        let ageing = [None, Some(3_600_000), Some(600_000)][seed as usize % 3];
        draw(&server, &queue, ageing, &mut random).await;
        for step in 0..14 {
            let filter = jobqueue::store::TaskFilter { queue: Some(queue.clone()), ..Default::default() };
            let page = jobqueue::store::Page { limit: 100, ascending: true, ..Default::default() };
            let all = server.engine.reader().tasks(&filter, &page).unwrap().rows;
            let free = |id| {
                let reasons = server.engine.explain(id, usize::MAX).unwrap().unwrap().reasons;
                !reasons.iter().any(Reason::is_hold)
            };
            let mut may: Vec<_> = all.iter().filter(|task| free(task.id)).collect();
            may.sort_by_key(|task| {
                let level = Millis::from(task.priority.level());
                let value = ageing.map_or(-level, |ageing| task.ready_at.unwrap() - level * ageing);
                (value, task.ready_at, task.id)
            });
            let told: Vec<_> =
                may.iter().map(|task| server.engine.explain(task.id, usize::MAX).unwrap().unwrap()).collect();
            all.iter().for_each(|task| everything_is_told(&server, task));
            let (sender, receiver) = tokio::sync::oneshot::channel();
            server.engine.claim(queue.as_str().into(), 1, move |reply| drop(sender.send(reply)));
            let grants = receiver.await.unwrap().unwrap().grants;
            let claimed = grants.first().map(|grant| grant.task().id);
            assert_eq!(claimed, may.first().map(|task| task.id), "seed {seed}, step {step}");
            for (place, explained) in told.iter().enumerate() {
                let ahead = explained.reasons.iter().any(|reason| matches!(reason, Reason::Ahead(_)));
                assert_eq!(ahead, place > 0, "seed {seed}, step {step}: {explained:?}");
            }
            for grant in grants {
                if random.bool() {
                    let (id, outcome) = (grant.task().id, Outcome::Success("1".into()));
                    grant.finish(outcome);
                    server.get(&format!("/api/v1/tasks/{id}/result?wait=30s")).await;
                } else {
                    std::mem::forget(grant); // it runs on
                }
            }
        }
    }
}

/// Whatever else keeps a task: its own time and its expiry are told.
fn everything_is_told(server: &Server, task: &jobqueue::store::TaskRow) {
    let now = server.engine.clock().now();
    let explained = server.engine.explain(task.id, usize::MAX).unwrap().unwrap();
    let reasons = &explained.reasons;
    if let Some(at) = task.run_at.filter(|at| *at > now && task.status.is_waiting()) {
        assert!(reasons.contains(&Reason::NotDue(at)), "{explained:?}");
    }
    let too_late = task.expires_at.filter(|at| explained.not_before.is_some_and(|start| start >= *at));
    let expires = reasons.iter().find_map(|reason| if let Reason::Expires(at) = reason { Some(*at) } else { None });
    assert_eq!(expires, too_late, "{explained:?}");
}

/// Those of another class that its own limit keeps do not come first.
#[actix::test]
async fn tasks_that_their_own_limit_keeps_are_ahead_of_nobody() {
    let server = Server::start().await;
    let limits = r#"{"by":"priority","limit":{"high":1,"medium":5,"low":5},"per":"1h"}"#;
    server.call("PUT", "/api/v1/queues/q/rate-limit", &[], limits.as_bytes()).await;
    let low = server.submit(r#"{"name":"a","queue":"q","priority":1}"#).await;
    for _ in 0..5 {
        server.submit(r#"{"name":"a","queue":"q","priority":8}"#).await;
    }
    let reasons = async || server.get(&format!("/api/v1/tasks/{low}/explain")).await.json()["reasons"].clone();
    let before = reasons().await;
    assert_eq!((&before[0]["code"], &before[0]["count"]), (&"ahead".into(), &1.into()), "one of them may start");
    let (sender, receiver) = tokio::sync::oneshot::channel();
    server.engine.claim("q".into(), 1, move |reply| drop(sender.send(reply)));
    let held = receiver.await.unwrap().unwrap().grants;
    assert_eq!(held[0].task().priority.level(), 8);
    assert_eq!(reasons().await, serde_json::json!([]));
    drop(held);
}

#[actix::test]
async fn a_task_that_cannot_start_before_it_expires_is_told_so() {
    let server = Server::start().await;
    let parent = server.submit(r#"{"name":"a"}"#).await;
    let body = format!(r#"{{"name":"a","depends_on":["{parent}"],"delay":"1h","expires_in":"2h"}}"#);
    let child = server.submit(&body).await;
    let explain = async |id: &str| server.get(&format!("/api/v1/tasks/{id}/explain")).await.json();
    let codes = |view: &serde_json::Value| {
        let reasons = view["reasons"].as_array().unwrap().iter();
        reasons.map(|reason| reason["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let view = explain(&child).await;
    assert_eq!(codes(&view), ["parents", "not_due"]);
    assert!(view["expires_at"].is_string() && view["not_before"].as_str() < view["expires_at"].as_str(), "{view}");
    let put = server.call("PUT", "/api/v1/queues/q/rate-limit", &[], br#"{"limit":1,"per":"1h"}"#).await;
    assert_eq!(put.status, 200);
    server.submit(r#"{"name":"a","queue":"q"}"#).await;
    let held = server.claim("q").await;
    let late = server.submit(r#"{"name":"a","queue":"q","expires_in":"20s"}"#).await;
    let view = explain(&late).await;
    assert_eq!(codes(&view), ["rate_limit", "expires"]);
    assert_eq!(view["reasons"][1]["until"], view["expires_at"]);
    assert!(view["summary"].as_str().unwrap().contains("expires before it can start"), "{view}");
    drop(held);
}

#[actix::test]
async fn what_holds_a_task_is_told_with_its_time() {
    let server = Server::start().await;
    let first = server.submit(r#"{"name":"a"}"#).await;
    let later = server.submit(r#"{"name":"a","delay":"1h"}"#).await;
    let second = server.submit(r#"{"name":"a"}"#).await;
    let explain = async |id: &str| server.get(&format!("/api/v1/tasks/{id}/explain")).await.json();
    let codes = |view: &serde_json::Value| {
        let reasons = view["reasons"].as_array().unwrap().iter();
        reasons.map(|reason| reason["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(codes(&explain(&first).await), Vec::<String>::new());
    assert_eq!(codes(&explain(&second).await), ["ahead"]);
    let view = explain(&later).await;
    assert_eq!(codes(&view), ["not_due"]);
    assert_eq!(view["not_before"], view["reasons"][0]["until"]);
    server.post("/api/v1/queues/default/pause", "").await;
    assert_eq!(codes(&explain(&first).await), ["queue_paused"]);
    server.post("/api/v1/queues/default/resume", "").await;
    let held = server.claim("default").await;
    assert_eq!(codes(&explain(&first).await), ["running"]);
    drop(held);
}
