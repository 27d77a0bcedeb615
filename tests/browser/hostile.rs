//! What users write is shown as text, whatever it is.

use serde_json::json;

use crate::Stage;

const HOSTILE: [&str; 5] = [
    "<img src=x onerror=\"mark=true\">",
    "\"><script>mark=true</script>",
    "'-(mark=true)-'",
    "</pre></li><svg onload=mark=true>",
    "javascript:mark=true",
];

#[tokio::test]
async fn hostile_texts_run_nothing() {
    let Stage { page, server, _browser, folder: _folder } = Stage::open().await;
    let done = server.submit(
        &json!({ "name": "demo.echo", "args": HOSTILE, "kwargs": { HOSTILE[0]: HOSTILE[1] }, "tags": HOSTILE,
            "meta": { HOSTILE[1]: HOSTILE[0] }, "unique_key": HOSTILE[0] })
        .to_string(),
    );
    server.finished(&done);
    let dead =
        server.submit(&json!({ "name": "demo.fail", "args": [HOSTILE.join(" ")], "max_retries": 0 }).to_string());
    server.finished(&dead);
    server.call(
        "PUT",
        "/api/v1/queues/default",
        &json!({ "fair_weights": { HOSTILE[0]: 2, HOSTILE[3]: 3 } }).to_string(),
    );
    let schedule = json!({ "every": "1h", "task": { "name": "demo.echo", "args": HOSTILE, "tags": HOSTILE, "meta": { HOSTILE[1]: HOSTILE[0] } } });
    assert_eq!(server.call("PUT", "/api/v1/schedules/hourly", &schedule.to_string()).0, 201);
    let workflow = json!({ "tags": HOSTILE, "meta": { HOSTILE[1]: HOSTILE[0] }, "tasks": { "a": { "name": "demo.echo", "args": HOSTILE } } });
    let (status, workflow) = server.call("POST", "/api/v1/workflows", &workflow.to_string());
    assert_eq!(status, 201, "{workflow}");
    let workflow = format!("/ui/workflows/{}", workflow["id"].as_str().unwrap());
    let query = |key: &str| format!("/ui/tasks?{key}={}", encoded(HOSTILE[0]));
    let mut paths = vec![
        "/ui/".to_owned(),
        "/ui/tasks".into(),
        "/ui/queues".into(),
        "/ui/dead-letters".into(),
        "/ui/workers".into(),
    ];
    paths.extend(["tag", "queue", "name", "q", "status", "cursor"].map(query));
    paths.push(format!("/ui/tasks/{}", encoded(HOSTILE[0])));
    for (page, keys) in [
        ("schedules", &["queue", "enabled", "cursor"][..]),
        ("workflows", &["name", "state", "created_after"]),
        ("dead-letters", &["queue", "name", "reason", "error", "cause", "window"]),
        ("workers", &["queue", "label", "host"]),
        ("metrics", &["queue", "window"]),
        ("queue", &["name"]),
        ("schedule", &["name"]),
    ] {
        paths.extend(keys.iter().map(|key| format!("/ui/{page}?{key}={}", encoded(HOSTILE[0]))));
    }
    paths.extend(["runs", "preview", "task", "edit"].map(|tab| format!("/ui/schedule?name=hourly&tab={tab}")));
    paths.extend(["graph", "tasks", "meta"].map(|tab| format!("{workflow}?tab={tab}")));
    paths.extend([
        format!("/ui/workflows/{}", encoded(HOSTILE[0])),
        "/ui/dead-letters?view=list".into(),
        "/ui/queue?name=default&tab=settings".into(),
    ]);
    paths.push(format!("/ui/new?name={}&queue={}", encoded(HOSTILE[1]), encoded(HOSTILE[0])));
    paths.push(format!("/ui/{}", encoded(HOSTILE[1])));
    for id in [&done, &dead] {
        paths.extend(["args", "result", "error", "attempts", "raw"].map(|tab| format!("/ui/tasks/{id}?tab={tab}")));
    }
    for path in &paths {
        page.open(path).await;
        page.until("the data is there", "return !document.querySelector('[aria-busy=true]')").await;
        // An image would be loaded, a handler run, a script's element be there.
        let found = page.run("return [window.mark, document.querySelectorAll('main :is(img, script, [onload], [onerror], [href^=javascript])').length]").await;
        assert_eq!(found, json!([null, 0]), "{path}");
        let console = page.console().await;
        // Filters that are no names are refused by the server, which the console tells.
        assert!(console.iter().all(|entry| entry["source"] == "network"), "{path}: {console:?}");
    }
    page.open(&format!("/ui/tasks/{done}?tab=result")).await;
    for text in HOSTILE {
        assert!(
            page.texts("[role=tabpanel] pre").await[0]
                .contains(json!(text).as_str().unwrap().split('"').next().unwrap()),
            "{text}"
        );
    }
    assert_eq!(page.texts(".facts .tag").await, HOSTILE);
    page.open(&format!("/ui/tasks/{dead}")).await;
    assert_eq!(page.texts(".error-view .message").await, [HOSTILE.join(" ")]);
}

/// Percent-encoded, every byte of it.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
