//! Schedules: written by hand, listed in words, run now, paused, changed, deleted.

use serde_json::{Value, json};

use crate::Stage;

#[tokio::test]
async fn a_schedule_is_written_shown_and_run() {
    let Stage { page, server, _browser, folder: _folder } = Stage::open().await;
    page.open("/ui/schedules").await;
    page.shows(".empty h2", "No schedules yet").await;
    page.click(".empty .primary").await;
    page.fill("#field-name", "nightly").await;
    page.fill("#field-cron", "61 2 * * *").await;
    page.until("the fault is shown", "return document.querySelector('.preview .fault')?.innerText").await;
    page.fill("#field-cron", "30 2 * * *").await;
    page.fill("#field-timezone", "Europe/Berlin").await;
    page.until("its ticks are shown", "return document.querySelectorAll('.preview li').length === 3").await;
    page.shows(".preview strong", "It ticks every day at 02:30").await;
    page.fill("#field-task", "demo.add").await;
    page.fill("#field-args", "[9007199254740993, 1]").await;
    page.fill("#field-more", r#"{"priority": 8, "timeout": null}"#).await;
    page.click("form .primary").await;
    page.shows("h1", "nightly").await;
    assert_eq!(page.address().await, "/ui/schedule?name=nightly");
    let schedule = server.get("/api/v1/schedules/nightly");
    assert_eq!((&schedule["cron"], &schedule["timezone"]), (&json!("30 2 * * *"), &json!("Europe/Berlin")));
    assert_eq!(schedule["task"]["args"].to_string(), "[9007199254740993,1]");
    assert_eq!((&schedule["task"]["priority"], schedule["task"].get("timeout")), (&json!(8), Some(&Value::Null)));

    page.open("/ui/schedules").await;
    page.shows(".schedules .clamp", "Every day at 02:30").await;
    page.click("button[aria-label='Run now: nightly']").await;
    page.until(
        "it is told",
        "return document.querySelector('.toast span')?.innerText.startsWith('Made a task of nightly')",
    )
    .await;
    let tasks = server.get("/api/v1/tasks?name=demo.add");
    let task = server.finished(tasks["data"][0]["id"].as_str().unwrap());
    assert_eq!(task["result"].to_string(), "9007199254740994");
    page.click("button[aria-label='Pause nightly']").await;
    page.shows(".schedules .pill", "paused").await;
    assert_eq!(server.get("/api/v1/schedules/nightly")["enabled"], false);
    page.open("/ui/schedules?enabled=true").await;
    page.shows(".empty h2", "No schedule matches").await;
    page.open("/ui/schedules").await;
    page.click("button[aria-label='Resume nightly']").await;
    page.lacks(".schedules .pill").await;
    let console = page.console().await;
    assert!(console.iter().all(|entry| entry["source"] == "network"), "only the 422 is told: {console:?}");
}

#[tokio::test]
async fn a_schedule_is_changed_if_nobody_else_was_quicker_and_deleted() {
    let Stage { page, server, _browser, folder: _folder } = Stage::open().await;
    let body = json!({ "every": "1h", "catch_up": "skip", "overlap": "skip", "jitter": "10s",
        "task": { "name": "demo.echo", "args": [1.0], "tags": ["a"], "timeout": null } });
    assert_eq!(server.call("PUT", "/api/v1/schedules/hourly", &body.to_string()).0, 201);
    page.open("/ui/schedule?name=hourly&tab=preview").await;
    page.until("its ticks are shown", "return document.querySelectorAll('.lines li').length === 10").await;
    page.click("#tab-edit").await;
    page.fill("#field-every", "2h").await;
    page.click("form .primary").await;
    page.shows(".toast span", "Saved the schedule hourly.").await;
    let now = server.get("/api/v1/schedules/hourly");
    assert_eq!((&now["every"], &now["version"]), (&json!("2h"), &json!(2)), "{now}");
    // All else is as it was.
    assert_eq!((&now["catch_up"], &now["overlap"], &now["jitter"]), (&json!("skip"), &json!("skip"), &json!("10s")));
    assert_eq!(now["task"]["args"].to_string(), "[1.0]");
    assert_eq!((&now["task"]["tags"], now["task"].get("timeout")), (&json!(["a"]), Some(&Value::Null)));

    page.open("/ui/schedule?name=hourly").await;
    page.click(".head .danger").await;
    page.click("dialog .danger").await;
    page.shows("h1", "Schedules").await;
    page.shows(".empty h2", "No schedules yet").await;
    page.assert_silent("schedules").await;
}
