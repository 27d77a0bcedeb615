//! Charts, and what is said of the server and its times.

use serde_json::json;

use crate::Stage;

#[tokio::test]
async fn charts_show_a_window_and_a_drag_leads_to_its_tasks() {
    let Stage { page, server, _browser, folder: _folder } = Stage::open().await;
    for _ in 0..3 {
        let id = server.submit(r#"{"name": "demo.echo", "queue": "mail"}"#);
        server.finished(&id);
    }
    page.open("/ui/metrics").await;
    let drawn = "return document.querySelectorAll('.uplot-box canvas').length === 6";
    page.until("the charts are drawn", drawn).await;
    page.click(".switch a:first-child").await;
    page.until("the window is in the address", "return location.search === '?window=5m'").await;
    page.reload().await;
    page.until("they are drawn again", drawn).await;
    assert_eq!(page.texts(".switch [aria-current]").await, ["5m"]);
    page.until(
        "a chart is said in words",
        "return document.querySelector('.uplot-box').getAttribute('aria-label').startsWith('Throughput over 5m: submitted')",
    )
    .await;
    page.drag(".u-over").await;
    page.until(
        "the tasks of that time are asked for",
        "return location.pathname === '/ui/tasks' && /created_after=.*created_before=/.test(location.search)",
    )
    .await;
    assert_eq!(page.texts(".chip b").await, ["created after:", "created before:"]);

    page.open("/ui/queue?name=mail").await;
    page.until("a queue has its own", drawn).await;
    page.open("/ui/?window=1h").await;
    page.until("the overview has some", "return document.querySelectorAll('.uplot-box canvas').length === 3").await;
    page.assert_silent("charts").await;
}

#[tokio::test]
async fn times_are_shown_in_the_zone_that_was_chosen() {
    let Stage { page, server, _browser, folder: _folder } = Stage::open().await;
    let id = server.submit(r#"{"name": "demo.echo"}"#);
    server.finished(&id);
    page.open(&format!("/ui/tasks/{id}")).await;
    page.click("button[aria-label='Help and settings']").await;
    page.choose("#field-zone", "Asia/Tokyo").await;
    page.until("it is kept", "return localStorage.getItem('jobqueue.v1.zone') === 'Asia/Tokyo'").await;
    page.reload().await;
    let titles =
        "return [...document.querySelectorAll('.timeline time')].every((time) => time.title.includes('Asia/Tokyo'))";
    page.until("times are of that zone", titles).await;
    // What cannot be a zone is none.
    page.run("localStorage.setItem('jobqueue.v1.zone', 'Nowhere/Land')").await;
    page.reload().await;
    page.until("times are local", "return document.querySelector('.timeline time').title.includes('local time')").await;
    page.assert_silent("zone").await;
}

#[tokio::test]
async fn the_environment_is_named_on_every_page() {
    let variables = [("JOBQUEUE_ENVIRONMENT", "production"), ("JOBQUEUE_ENVIRONMENT_COLOR", "red")];
    let Stage { page, server, _browser, folder: _folder } = Stage::open_under(&variables).await;
    assert_eq!(server.get("/health")["environment"], json!({ "name": "production", "color": "red" }));
    for path in ["/ui/", "/ui/tasks", "/ui/about"] {
        page.open(path).await;
        page.shows(".environment.env-red", "production").await;
    }
    page.shows(".facts dd", env!("CARGO_PKG_VERSION")).await;
    page.assert_silent("about").await;
}
