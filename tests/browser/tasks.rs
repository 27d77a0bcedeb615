//! Finding tasks, reading one, acting on it.

use serde_json::json;

use crate::Stage;

#[tokio::test]
async fn filters_are_in_the_address_and_outlive_a_reload() {
    let Stage { page, server, _browser, folder: _folder } = Stage::open().await;
    for (name, queue, delay) in [("demo.echo", "mail", "1h"), ("demo.add", "mail", "1h"), ("demo.echo", "other", "1h")]
    {
        server.submit(&json!({ "name": name, "queue": queue, "delay": delay }).to_string());
    }
    let done = server.submit(r#"{"name": "demo.echo", "queue": "mail"}"#);
    server.finished(&done);
    page.open("/ui/tasks").await;
    page.until("all are shown", "return document.querySelectorAll('.task').length === 4").await;

    page.click(".rail .is-scheduled").await;
    page.until("the waiting ones are shown", "return document.querySelectorAll('.task').length === 3").await;
    page.fill("[data-search]", "queue:mail name:demo.echo\n").await;
    page.until("one is shown", "return document.querySelectorAll('.task').length === 1").await;
    assert_eq!(page.address().await, "/ui/tasks?status=scheduled&queue=mail&name=demo.echo");

    page.reload().await;
    page.until("it is shown again", "return document.querySelectorAll('.task').length === 1").await;
    assert_eq!(page.texts(".task .name").await, ["demo.echo"]);
    assert_eq!(page.texts(".task .pill").await, ["scheduled"]);
    assert_eq!(page.texts(".chip .bdi").await, ["demo.echo", "mail"]);
    page.click(".chip button[aria-label='Remove the filter queue: mail']").await;
    page.until("two are shown", "return document.querySelectorAll('.task').length === 2").await;
    assert_eq!(page.address().await, "/ui/tasks?status=scheduled&name=demo.echo");
    page.assert_silent("tasks").await;
}

#[tokio::test]
async fn a_task_shows_its_result_and_its_attempts() {
    let Stage { page, server, _browser, folder: _folder } = Stage::open().await;
    let id =
        server.submit(r#"{"name": "demo.add", "args": [9007199254740993, 1], "queue": "mail", "tags": ["a tag"]}"#);
    server.finished(&id);
    page.open("/ui/tasks").await;
    page.click(".task .name").await;
    page.shows("h1", "demo.add").await;
    assert_eq!(page.address().await, format!("/ui/tasks/{id}"));
    page.shows("[role=tabpanel] pre", "9007199254740994").await;
    page.click("#tab-args").await;
    page.shows("[role=tabpanel] pre", "[9007199254740993, 1]").await;
    page.click("#tab-attempts").await;
    page.shows(".attempts strong", "Attempt 1").await;
    page.shows(".attempts .pill", "success").await;
    assert_eq!(page.address().await, format!("/ui/tasks/{id}?tab=attempts"));
    assert_eq!(page.texts(".facts .tag").await, ["a tag"]);
    page.assert_silent("task").await;
}

#[tokio::test]
async fn a_waiting_task_is_cancelled_and_a_dead_one_retried() {
    let Stage { page, server, _browser, folder: _folder } = Stage::open().await;
    let waiting = server.submit(r#"{"name": "demo.echo", "delay": "1h"}"#);
    page.open(&format!("/ui/tasks/{waiting}")).await;
    page.shows(".head .pill", "scheduled").await;
    page.click(".head .actions button:last-child").await;
    page.shows(".toast span", "Cancelled the task.").await;
    page.shows(".head .pill", "cancelled").await;
    assert_eq!(server.task(&waiting)["status"], "cancelled");

    let dead = server.submit(r#"{"name": "demo.fail", "args": ["out of paper"], "max_retries": 0}"#);
    server.finished(&dead);
    page.open(&format!("/ui/tasks/{dead}")).await;
    page.shows(".error-view .message", "out of paper").await;
    page.click(".head .actions button:last-child").await;
    page.shows(".facts dd", "2").await;
    assert_eq!(server.finished(&dead)["generation"], 2);
    page.shows(".head .pill", "failed").await;
    page.click("#tab-attempts").await;
    page.until("both attempts are shown", "return document.querySelectorAll('.attempts > li').length === 2").await;
    page.assert_silent("actions").await;
}
