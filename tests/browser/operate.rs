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
async fn a_dead_letter_is_retried() {
    let Stage { page, server, _browser, folder: _folder } = Stage::open().await;
    page.open("/ui/dead-letters").await;
    page.shows(".empty h2", "No dead letters").await;
    let dead = server.submit(r#"{"name": "demo.fail", "args": ["no"], "max_retries": 0}"#);
    server.finished(&dead);
    // It would fail again at once.
    server.call("POST", "/api/v1/queues/default/pause", "");
    page.shows(".dead .pill", "exhausted").await;
    page.shows(".bar-top .badge", "1").await;
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
