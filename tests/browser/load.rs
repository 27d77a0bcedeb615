//! Every page loads, without an error and within its width.

use serde_json::json;

use crate::{Stage, support::Server};

/// Something to show on each page; the pages.
pub(crate) fn pages(server: &Server) -> Vec<String> {
    let done = server.submit(&json!({ "name": "demo.echo", "args": ["x".repeat(300)], "queue": "mail" }).to_string());
    let dead = server.submit(
        &json!({
            "name": "demo.fail", "args": ["no_space_".repeat(40)], "max_retries": 0,
            "queue": "a-queue-with-a-name-as-long-as-a-name-of-a-queue-may-be-64-chars",
            "tags": ["t".repeat(64)],
        })
        .to_string(),
    );
    server.finished(&done);
    server.finished(&dead);
    let schedule =
        json!({ "cron": "30 2 * * *", "timezone": "Europe/Berlin", "task": { "name": "demo.echo", "queue": "mail" } });
    for name in ["nightly", "a-schedule-with-a-name-as-long-as-a-name-of-one-may-be-64-chars-"] {
        assert_eq!(server.call("PUT", &format!("/api/v1/schedules/{name}"), &schedule.to_string()).0, 201);
    }
    let node = json!({ "name": "demo.echo", "delay": "1h" });
    let workflow = json!({ "name": "etl", "tasks": { "first": node, "second": { "name": "demo.echo", "depends_on": ["first"] } } });
    let (_, workflow) = server.call("POST", "/api/v1/workflows", &workflow.to_string());
    let workflow = format!("/ui/workflows/{}", workflow["id"].as_str().unwrap());
    let fixed = [
        "/ui/",
        "/ui/?window=1h",
        "/ui/tasks",
        "/ui/tasks?queue=mail&created_after=2026-01-01T00:00:00.000Z",
        "/ui/workflows",
        "/ui/schedules",
        "/ui/schedule?name=nightly&tab=preview",
        "/ui/schedule?name=nightly&tab=edit",
        "/ui/new-schedule",
        "/ui/queues",
        "/ui/queue?name=mail",
        "/ui/queue?name=mail&tab=settings",
        "/ui/dead-letters",
        "/ui/dead-letters?view=list&window=24h",
        "/ui/workers",
        "/ui/metrics",
        "/ui/actors",
        "/ui/new",
        "/ui/about",
        "/ui/none",
    ];
    let tasks = [format!("/ui/tasks/{done}"), format!("/ui/tasks/{dead}"), format!("/ui/tasks/{dead}?tab=attempts")];
    let docs = ["/docs", "/docs/errors"];
    let flows = [workflow.clone(), format!("{workflow}?tab=tasks")];
    fixed.into_iter().chain(docs).map(str::to_owned).chain(tasks).chain(flows).collect()
}

#[tokio::test]
async fn every_page_loads_without_an_error() {
    let stage = Stage::open().await;
    for path in pages(&stage.server) {
        let (_, _, head) = stage.server.try_call("GET", &path, "", "").unwrap();
        assert!(head.to_lowercase().contains("content-security-policy: default-src 'self'"), "{path}: {head}");
        stage.page.open(&path).await;
        stage.page.assert_silent(&path).await;
    }
    // The console would tell: a script that is not the server's own is refused, and that is seen.
    stage.page.run("document.body.append(Object.assign(document.createElement('script'), { text: 'mark = 1' }))").await;
    assert!(!stage.page.is_marked().await);
    let console = stage.page.console().await;
    assert!(
        console.iter().any(|entry| entry["message"].as_str().unwrap().contains("Content Security Policy")),
        "{console:?}"
    );
}

#[tokio::test]
async fn no_page_scrolls_sideways() {
    let stage = Stage::open().await;
    let pages = pages(&stage.server);
    // A phone's width, and those just above where the layout changes.
    for width in [390, 521, 761, 1001] {
        stage.page.resize(width).await;
        for path in &pages {
            stage.page.open(path).await;
            let widths = stage.page.run("return [innerWidth, document.documentElement.scrollWidth]").await;
            assert_eq!(widths, json!([width, width]), "{path}");
        }
    }
}

#[tokio::test]
async fn the_overview_follows_what_is_submitted() {
    let stage = Stage::open().await;
    stage.page.open("/ui/").await;
    stage.page.shows(".empty h2", "No tasks yet").await;
    stage.page.mark().await;
    for _ in 0..3 {
        stage.server.submit(r#"{"name": "demo.echo"}"#);
    }
    stage.page.shows(".strip .is-success b", "3").await;
    stage.server.submit(r#"{"name": "demo.echo", "delay": "1h"}"#);
    stage.server.submit(r#"{"name": "demo.sleep", "args": [3600]}"#);
    stage.page.shows(".strip .is-scheduled b", "1").await;
    stage.page.shows(".strip .is-running b", "1").await;
    stage.page.shows("[aria-labelledby=slots] .big b", "1").await;
    assert!(stage.page.is_marked().await);
    stage.page.assert_silent("overview").await;
}
