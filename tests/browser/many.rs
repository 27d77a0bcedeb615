//! Many tasks at once: those selected, those that a filter leaves, and those as a file.

use serde_json::json;

use crate::Stage;

#[tokio::test]
async fn those_selected_and_those_that_match_are_dealt_with_after_a_count() {
    let Stage { page, server, _browser, folder: _folder } = Stage::open().await;
    for n in 0..5 {
        server.submit(
            &json!({ "name": "demo.echo", "queue": if n < 3 { "mail" } else { "other" }, "delay": "1h" }).to_string(),
        );
    }
    page.open("/ui/tasks?queue=mail").await;
    page.until("three are shown", "return document.querySelectorAll('.task').length === 3").await;
    page.click(".menu summary").await;
    page.click(".menu-items button:nth-child(2)").await;
    page.shows("#dialog-title", "Cancel 3 tasks?").await;
    page.click("dialog .danger").await;
    page.shows(".operations strong", "Cancelling tasks").await;
    page.until("they are cancelled", "return document.querySelectorAll('.task .is-cancelled').length === 3").await;
    assert_eq!(server.get("/api/v1/stats")["status_counts"]["scheduled"], 2);

    page.click(".toolbar .check input").await;
    page.shows(".toolbar .check", "3 tasks selected").await;
    page.click(".toolbar .actions .danger").await;
    page.shows("#dialog-title", "Delete 3 tasks?").await;
    page.click("dialog .danger").await;
    page.shows(".toast span", "Deleted 3").await;
    page.shows(".empty h2", "No task matches").await;
    assert_eq!(server.get("/api/v1/stats")["status_counts"]["cancelled"], 0);
    page.assert_silent("tasks").await;
}

#[tokio::test]
async fn what_a_filter_leaves_is_exported_to_the_digit() {
    let Stage { page, server, _browser, folder: _folder } = Stage::open().await;
    for n in 0..250 {
        server.submit(&json!({ "name": "demo.echo", "queue": "mail", "args": [n], "delay": "1h" }).to_string());
    }
    let body = r#"{"name": "demo.echo", "queue": "mail", "args": [9007199254740993, 1.0, "=1+1"], "delay": "1h", "tags": ["=cmd"]}"#;
    server.submit(body);
    server.submit(r#"{"name": "demo.echo", "queue": "other", "delay": "1h"}"#);
    page.open("/ui/tasks?queue=mail").await;
    page.run(
        "const real = URL.createObjectURL;
         URL.createObjectURL = (blob) => { blob.text().then((text) => { window.saved = text; }); return real.call(URL, blob); };",
    )
    .await;
    page.click(".menu summary").await;
    page.click(".menu-items button:last-child").await;
    page.shows(".toast span", "Exported 251 tasks.").await;
    let saved = page.until("the file is there", "return window.saved").await;
    let lines: Vec<&str> = saved.as_str().unwrap().lines().collect();
    assert_eq!(lines.len(), 251);
    assert!(lines[0].contains("[9007199254740993,1.0,\"=1+1\"]"), "{}", lines[0]);
    assert!(
        lines
            .iter()
            .all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok_and(|task| task["queue"] == "mail"))
    );

    page.run("window.saved = null").await;
    page.click(".menu summary").await;
    page.click(".menu-items button:nth-last-child(2)").await;
    let saved = page.until("the other file is there", "return window.saved").await;
    let lines: Vec<&str> = saved.as_str().unwrap().lines().collect();
    assert_eq!(lines.len(), 252);
    assert!(lines[0].starts_with("id,name,queue,status,"), "{}", lines[0]);
    assert!(lines[1].contains(",'=cmd,") && lines[1].contains("[9007199254740993,1.0,"), "{}", lines[1]);
    page.assert_silent("export").await;
}
