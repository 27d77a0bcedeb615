//! Workflows: listed with how far they are, drawn, read as a table, cancelled, retried.

use serde_json::{Value, json};

use crate::{Stage, support::Server};

fn submit(server: &Server, workflow: &Value) -> String {
    let (status, made) = server.call("POST", "/api/v1/workflows", &workflow.to_string());
    assert_eq!(status, 201, "{made}");
    made["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_workflow_is_listed_drawn_and_retried() {
    let Stage { page, server, _browser, folder: _folder } = Stage::open().await;
    page.open("/ui/workflows").await;
    page.shows(".empty h2", "No workflows yet").await;
    let id = submit(
        &server,
        &json!({ "name": "etl", "tags": ["night"], "tasks": {
            "extract": { "name": "demo.echo" },
            "load": { "name": "demo.fail", "args": ["disk full"], "max_retries": 0, "depends_on": ["extract"] },
            "report": { "name": "demo.echo", "depends_on": ["load"] },
        } }),
    );
    page.shows(".workflows .pill", "failed").await;
    page.shows(".workflows .sub", "3 of 3 over, 1 failed, 1 skipped").await;
    page.open("/ui/workflows?state=running").await;
    page.shows(".empty h2", "No workflow matches").await;
    page.open("/ui/workflows?state=failed").await;
    page.click(".workflows .name").await;
    page.shows("h1", "etl").await;
    assert_eq!(page.address().await, format!("/ui/workflows/{id}"));
    page.until("it is drawn", "return document.querySelectorAll('.canvas .box').length === 3 && document.querySelectorAll('.canvas .edge').length === 2").await;
    let statuses = "return ['extract', 'load', 'report'].map((name) => document.querySelector(`.canvas .box[data-box=${name}]`).getAttribute('class'))";
    assert_eq!(page.run(statuses).await, json!(["box is-success", "box is-failed", "box is-skipped"]));
    page.click("#tab-tasks").await;
    assert_eq!(page.texts(".nodes .name").await, ["extract", "load", "report"]);
    page.reload().await;
    page.shows(".nodes .pill", "skipped").await;

    // It would fail again at once.
    server.call("POST", "/api/v1/queues/default/pause", "");
    page.click(".head .actions button").await;
    page.shows(".head .pill", "running").await;
    page.shows(".nodes .pill", "queued").await;
    page.click(".head .actions button").await;
    page.shows("#dialog-title", "Cancel etl?").await;
    page.click("dialog .danger").await;
    page.shows(".head .pill", "cancelled").await;
    page.click("#tab-graph").await;
    page.click(".canvas .box.is-cancelled").await;
    page.shows(".head .pill", "cancelled").await;
    page.assert_silent("workflows").await;
}

#[tokio::test]
async fn many_tasks_alike_are_one_box_which_leads_to_them() {
    let Stage { page, server, _browser, folder: _folder } = Stage::open().await;
    server.call("PUT", "/api/v1/queues/default", r#"{"paused": true}"#);
    let mut tasks = serde_json::Map::new();
    tasks.insert("plan".into(), json!({ "name": "demo.echo" }));
    for n in 0..300 {
        tasks.insert(format!("part-{n}"), json!({ "name": "demo.echo", "depends_on": ["plan"] }));
    }
    let id = submit(&server, &json!({ "name": "wide", "tasks": tasks }));
    page.open(&format!("/ui/workflows/{id}")).await;
    page.until("it is drawn", "return document.querySelectorAll('.canvas .box').length === 2").await;
    page.until("one for many", "return document.querySelector('.canvas .is-pending text').textContent === '300 tasks'")
        .await;
    page.click(".graph .check input").await;
    page.until("each is drawn", "return document.querySelectorAll('.canvas .box').length === 301").await;
    page.click(".graph .check input").await;
    page.until("they are one again", "return document.querySelectorAll('.canvas .box').length === 2").await;
    page.click("button[aria-label='Zoom in']").await;
    page.mark().await;
    page.click(".canvas .box.is-pending").await;
    page.until("they are listed", "return document.querySelectorAll('.nodes [data-row]').length === 100").await;
    assert_eq!(page.address().await, format!("/ui/workflows/{id}?tab=tasks&status=pending&name=demo.echo"));
    assert!(page.is_marked().await, "the page is still the same");
    page.click(".pager button").await;
    page.until("more are listed", "return document.querySelectorAll('.nodes [data-row]').length === 200").await;
    page.assert_silent("a wide workflow").await;
}
