//! The API's reference: complete, and what it sends is what the server gets.

use serde_json::json;

use crate::Stage;

#[tokio::test]
async fn every_error_a_problem_can_name_has_its_entry() {
    let Stage { page, server, _browser, folder: _folder } = Stage::open().await;
    let document = server.get("/openapi.json");
    let codes: Vec<_> = document["components"]["schemas"]["ErrorCode"]["enum"].as_array().unwrap().iter().collect();
    assert!(codes.len() > 30, "{codes:?}");
    page.open("/docs/errors").await;
    for code in &codes {
        let entry = format!("return document.getElementById({code})?.innerText");
        let text = page.run(&entry).await;
        let lines = text.as_str().unwrap_or_default().lines().filter(|line| !line.is_empty()).count();
        assert_eq!(lines, 3, "{code} has its name, its meaning and what to do: {text}");
    }
    let (_, problem) = server.call("POST", "/api/v1/tasks", "{}");
    page.open(problem["type"].as_str().unwrap()).await;
    page.until("it is gone to", "return document.querySelector('li:target')?.id === 'missing_field'").await;
    page.assert_silent("errors").await;
}

#[tokio::test]
async fn every_operation_is_described() {
    let Stage { page, server, _browser, folder: _folder } = Stage::open().await;
    page.open("/docs").await;
    let document = server.get("/openapi.json");
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = &operation["operationId"];
            let address =
                page.run(&format!("return document.getElementById({id})?.querySelector('.address').textContent")).await;
            assert_eq!(address, json!(format!("{}{path}", method.to_uppercase())), "{id}");
        }
    }
    let links = "return [...document.querySelectorAll('main a[href^=\"/docs#\"]')].map((each) => each.hash.slice(1)).filter((id) => !document.getElementById(id))";
    assert_eq!(page.run(links).await, json!([]), "links lead somewhere");
    page.assert_silent("docs").await;
}

#[tokio::test]
async fn an_operation_is_tried_from_the_page() {
    let Stage { page, server, _browser, folder: _folder } = Stage::open().await;
    page.open("/docs").await;
    page.fill("[id='submit_task.query.wait']", "20s").await;
    page.click("#submit_task .send button").await;
    page.shows("#submit_task .reply .pill", "200 OK").await;
    page.until(
        "the result is shown",
        "return document.querySelector('#submit_task .reply pre').innerText.includes('\"result\": 3')",
    )
    .await;
    page.until(
        "headers are shown",
        "return document.querySelector('#submit_task .reply .headers').textContent.includes('x-request-id')",
    )
    .await;
    assert_eq!(server.get("/api/v1/stats")["totals"]["submitted"], 1);

    page.fill("[id='get_queue.path.queue']", "none").await;
    page.click("#get_queue .send button").await;
    page.shows("#get_queue .reply .pill", "404 Not Found").await;
    assert_eq!(page.texts("#get_queue .reply a").await, ["What queue_not_found means"]);

    page.click("#follow_events .send button").await;
    page.shows("#follow_events .reply .pill", "200 OK").await;
    server.submit(r#"{"name": "demo.echo"}"#);
    page.until(
        "events stream",
        "return document.querySelector('#follow_events .reply pre')?.innerText.includes('event: tasks')",
    )
    .await;
    page.click("#follow_events .send button").await;
    page.until("it is stopped", "return document.querySelector('#follow_events .send button').innerText === 'Send'")
        .await;
    let console = page.console().await;
    assert!(console.iter().all(|entry| entry["source"] == "network"), "only the 404 is told: {console:?}");
}
