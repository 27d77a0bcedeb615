//! Queues, dead letters, actors, and a task written by hand.

use serde_json::json;

use crate::Stage;

#[tokio::test]
async fn a_queue_is_paused_and_resumed() {
    let Stage { page, server, _browser, folder: _folder } = Stage::open().await;
    let first = server.submit(r#"{"name": "demo.echo", "queue": "mail"}"#);
    server.finished(&first);
    page.open("/ui/queues").await;
    page.click("button[aria-label='Pause mail']").await;
    page.shows(".queues .pill", "paused").await;
    assert_eq!(server.get("/api/v1/queues/mail")["paused"], true);
    let held = server.submit(r#"{"name": "demo.echo", "queue": "mail"}"#);
    page.shows(".queues .num[data-label=Waiting]", "1").await;
    page.click("button[aria-label='Resume mail']").await;
    page.lacks(".queues .pill").await;
    server.finished(&held);
    page.shows(".queues .num[data-label=Waiting]", "0").await;
    page.assert_silent("queues").await;
}

#[tokio::test]
async fn how_a_queue_is_shared_is_set_and_shown() {
    let Stage { page, server, _browser, folder: _folder } = Stage::open().await;
    let limit = json!({"limit": 5, "per": "1h", "algorithm": "token_bucket", "burst": 7});
    let settings = json!({"paused": true, "timeout": null, "retention": {"success": "1h"}, "rate_limit": {"limit": 9, "per": "30s"},
        "key_rate_limit": limit, "fair_weights": {"a=b": 3}});
    assert_eq!(server.call("PUT", "/api/v1/queues/q.1", &settings.to_string()).0, 200);
    page.open("/ui/queues").await;
    page.click(".queues .name").await;
    page.shows("h1", "q.1").await;
    page.click("#tab-settings").await;
    let value = |field: &str| format!("return document.querySelector('#field-{field}')?.value");
    assert_eq!(page.until("the limit is shown", &value("key_rate_limit")).await, "5 per 1h");
    assert_eq!(page.run(&value("fair_weights")).await, "a=b=3");
    page.fill("#field-key_concurrency", "2").await;
    page.fill("#field-fair_weights", "a=b=4\ntenant 7").await;
    page.click("form .primary").await;
    page.until("the fault is shown", "return document.querySelector('#field-fair_weights-fault')?.innerText").await;
    page.fill("#field-fair_weights", "a=b=4\ntenant 7 = 2").await;
    page.click("form .primary").await;
    page.shows(".toast span", "Saved the settings of q.1.").await;
    let now = server.get("/api/v1/queues/q.1");
    assert_eq!((&now["key_concurrency"], &now["fair_weights"]), (&json!(2), &json!({"a=b": 4, "tenant 7": 2})));
    // All else is as it was.
    assert_eq!((&now["paused"], now.get("timeout")), (&json!(true), Some(&json!(null))), "{now}");
    assert_eq!((&now["retention"]["success"], &now["rate_limit"]), (&json!("1h"), &json!("9 per 30s")), "{now}");
    let of_keys = server.get("/api/v1/queues/q.1/rate-limit?by=rate_key");
    assert_eq!((&of_keys["burst"], &of_keys["limit"]), (&json!(7), &json!(5)), "{of_keys}");
    page.reload().await;
    page.until("what was saved is shown", "return document.querySelector('#field-key_concurrency')?.value === '2'")
        .await;
    page.fill("#field-key_rate_limit", "6/1h").await;
    page.assert_silent("a queue").await;
    // Somebody else is quicker: nothing of theirs is lost.
    assert_eq!(server.call("PUT", "/api/v1/queues/q.1", r#"{"paused": true, "weight": 5}"#).0, 200);
    page.click("form .primary").await;
    page.until("it is told", "return document.querySelector('form .is-bad')?.innerText.includes('Somebody else')")
        .await;
    let now = server.get("/api/v1/queues/q.1");
    assert_eq!((&now["weight"], &now["key_rate_limit"]), (&json!(5), &json!(null)));
    // Its tasks tell by what they share it, and why they wait.
    let id = server.submit(
        r#"{"name": "demo.echo", "queue": "q.1", "fair_key": "f", "rate_key": "r", "cost": 3, "concurrency_key": "c"}"#,
    );
    page.open(&format!("/ui/tasks/{id}")).await;
    page.shows(".facts dd", "r costs 3").await;
    page.shows(".facts dd", "f").await;
    page.shows(".facts dd", "c").await;
    page.shows(".waits .bdi", "Its queue is paused.").await;
}

#[tokio::test]
async fn a_dead_letter_is_retried() {
    let Stage { page, server, _browser, folder: _folder } = Stage::open().await;
    page.open("/ui/dead-letters").await;
    page.shows(".empty h2", "No dead letters").await;
    let dead = server.submit(r#"{"name": "demo.fail", "args": ["no"], "max_retries": 0}"#);
    server.finished(&dead);
    // It would fail again at once.
    server.call("POST", "/api/v1/queues/default/pause", "");
    page.shows(".dead-groups .pill", "exhausted").await;
    page.shows(".bar-top .badge", "1").await;
    page.click("nav.switch a:last-child").await;
    page.click("button[aria-label='Retry demo.fail']").await;
    page.shows(".empty h2", "No dead letters").await;
    let task = server.task(&dead);
    assert_eq!((&task["status"], &task["generation"]), (&json!("queued"), &json!(2)));
    page.assert_silent("dead letters").await;
}

#[tokio::test]
async fn the_actors_are_shown_as_a_tree() {
    let Stage { page, server, _browser, folder: _folder } = Stage::open().await;
    page.open("/ui/actors").await;
    let actors = server.get("/api/v1/system/actors");
    let names: Vec<_> =
        actors["data"].as_array().unwrap().iter().map(|actor| actor["name"].as_str().unwrap()).collect();
    page.shows(".actors .name", "slot-1").await;
    assert_eq!(page.texts(".actors .name").await, names);
    let left = |name: &str| {
        format!(
            "return [...document.querySelectorAll('.actors .name')].find((each) => each.innerText === '{name}').getBoundingClientRect().left"
        )
    };
    let lefts = [page.run(&left("root")).await, page.run(&left("slots")).await, page.run(&left("slot-1")).await];
    assert!(lefts.windows(2).all(|pair| pair[0].as_f64() < pair[1].as_f64()), "{lefts:?}");
    server.call("POST", "/api/v1/system/faults/panic", r#"{"path": "root/pruner"}"#);
    page.until("the panic is shown", "return document.querySelector('.actors .late')?.innerText").await;
    page.assert_silent("actors").await;
}

#[tokio::test]
async fn a_task_is_submitted_by_hand() {
    let Stage { page, server, _browser, folder: _folder } = Stage::open().await;
    page.open("/ui/new").await;
    page.fill("#field-name", "demo.add").await;
    page.fill("#field-args", "[1, ").await;
    page.click("form .primary").await;
    page.until("the fault is shown", "return document.querySelector('#field-args-fault')?.innerText").await;
    page.fill("#field-args", "[9007199254740993, 1]").await;
    page.fill("#field-queue", "not a queue").await;
    page.click("form .primary").await;
    page.until("the server's fault is shown", "return document.querySelector('#field-queue-fault')?.innerText").await;
    assert_eq!(server.get("/api/v1/stats")["totals"]["submitted"], 0);
    page.fill("#field-queue", "by-hand").await;
    page.click("form .primary").await;
    page.shows("h1", "demo.add").await;
    page.shows("[role=tabpanel] pre", "9007199254740994").await;
    let id = page.address().await.rsplit('/').next().unwrap().to_owned();
    assert_eq!(server.task(&id)["queue"], json!("by-hand"));
    let refused = page.console().await;
    assert!(refused.iter().all(|entry| entry["source"] == "network"), "only the 422 is told: {refused:?}");
}
