//! Dead letters: by error and time, one by one, and what can be done to one and to many.

use serde_json::json;

use crate::{Stage, support::Server};

/// A task that has failed for good with this message.
fn dead(server: &Server, message: &str) -> String {
    let id = server.submit(&json!({ "name": "demo.fail", "args": [message], "max_retries": 0 }).to_string());
    server.finished(&id);
    id
}

#[tokio::test]
async fn they_are_grouped_by_error_and_time_and_each_cell_leads_to_its_own() {
    let Stage { page, server, _browser, folder: _folder } = Stage::open().await;
    for message in ["no user 17", "no user 4", "disk on fire"] {
        dead(&server, message);
    }
    page.open("/ui/dead-letters").await;
    page.until("the groups are shown", "return document.querySelectorAll('.dead-groups [data-row]').length === 2")
        .await;
    page.shows(".dead-groups .clamp", "no user #").await;
    page.click("a[aria-label='2 of demo.fail within 1h']").await;
    let two = "return document.querySelectorAll('.dead [data-row]').length === 2";
    page.until("those of the group are shown", two).await;
    assert_eq!(page.texts(".chip .bdi").await, ["default", "demo.fail", "exhausted", "no user #", "1h"]);
    page.reload().await;
    page.until("they are shown again", two).await;
    page.click(".chip button[aria-label='Remove the filter cause: no user #']").await;
    page.until("all are shown", "return document.querySelectorAll('.dead [data-row]').length === 3").await;
    page.fill("[data-search]", "fire\n").await;
    page.until("one is shown", "return document.querySelectorAll('.dead [data-row]').length === 1").await;
    page.assert_silent("dead letters").await;
}

#[tokio::test]
async fn many_are_counted_and_then_retried_no_faster_than_said() {
    let Stage { page, server, _browser, folder: _folder } = Stage::open().await;
    for message in ["no user 17", "no user 4", "disk on fire"] {
        dead(&server, message);
    }
    // They would fail again at once.
    server.call("POST", "/api/v1/queues/default/pause", "");
    page.open("/ui/dead-letters?error=user").await;
    page.click(".head .actions button:first-child").await;
    page.shows("#dialog-title", "Retry 2 dead letters?").await;
    page.fill("#field-rate", "fast").await;
    page.click("dialog .primary").await;
    page.until("the fault is shown", "return document.querySelector('dialog .is-bad')?.innerText.includes('10/s')")
        .await;
    page.fill("#field-rate", "50/s").await;
    page.click("dialog .primary").await;
    page.shows(".empty h2", "No dead letter matches").await;
    page.shows(".operations strong", "Retrying dead letters").await;
    page.until("it is over", "return document.querySelector('.operations .is-done')?.innerText.includes('2 done')")
        .await;
    assert_eq!(server.get("/api/v1/dlq/stats")["total"], 1);

    // And what is left is deleted.
    page.open("/ui/dead-letters").await;
    page.click(".head .actions .danger").await;
    page.shows("#dialog-title", "Delete 1 dead letter?").await;
    page.click("dialog .danger").await;
    page.shows(".empty h2", "No dead letters").await;
    let console = page.console().await;
    assert!(console.iter().all(|entry| entry["source"] == "network"), "only the 422 is told: {console:?}");
}

#[tokio::test]
async fn one_is_retried_with_other_arguments_and_another_deleted() {
    let Stage { page, server, _browser, folder: _folder } = Stage::open().await;
    let wrong = server.submit(r#"{"name": "demo.add", "args": [9007199254740993, "x"], "max_retries": 0}"#);
    server.finished(&wrong);
    page.open("/ui/dead-letters?view=list").await;
    page.click("button[aria-label='Edit and retry demo.add']").await;
    page.until(
        "its arguments are shown",
        "return document.querySelector('#field-args')?.value.includes('9007199254740993')",
    )
    .await;
    page.fill("#field-args", "[9007199254740993, ").await;
    page.click("dialog .primary").await;
    page.until("the fault is shown", "return document.querySelector('#field-args-fault')?.innerText").await;
    page.fill("#field-args", "[9007199254740993, 1]").await;
    page.click("dialog .primary").await;
    page.shows(".empty h2", "No dead letters").await;
    let task = server.until(&wrong, |task| task["status"] == "success");
    assert_eq!(task["result"].to_string(), "9007199254740994");

    dead(&server, "gone");
    page.click("button[aria-label='Delete demo.fail']").await;
    page.click("dialog .danger").await;
    page.shows(".empty h2", "No dead letters").await;
    assert_eq!(server.get("/api/v1/dlq/stats")["total"], 0);
    page.assert_silent("dead letters").await;
}
