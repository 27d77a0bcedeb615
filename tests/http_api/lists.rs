//! Lists: filters, pages both ways, totals.

use serde_json::{Value, json};

use crate::support::Server;

async fn fill(server: &Server) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..25 {
        let body = format!(
            r#"{{"name":"job.{}","queue":"q{}","tags":["t{}"],"args":[{n}],"delay":{}}}"#,
            n % 3,
            n % 2,
            n % 5,
            if n % 4 == 0 { 3600 } else { 0 }
        );
        ids.push(server.submit(&body).await);
    }
    ids
}

fn ids(page: &Value) -> Vec<String> {
    page["data"].as_array().unwrap().iter().map(|task| task["id"].as_str().unwrap().to_owned()).collect()
}

#[actix::test]
async fn pages_lead_to_the_end_and_back() {
    let server = Server::start().await;
    let mut expected = fill(&server).await;
    for sort in ["created_at", "-created_at"] {
        if sort == "-created_at" {
            expected.reverse();
        }
        let mut pages = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = server.get(&format!("/api/v1/tasks?sort={sort}&limit=10{cursor}")).await.json();
            pages.push(page.clone());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(pages.iter().map(|page| ids(page).len()).collect::<Vec<_>>(), [10, 10, 5]);
        assert_eq!(pages.iter().flat_map(ids).collect::<Vec<_>>(), expected);
        assert_eq!(pages[0]["prev_cursor"], Value::Null);
        for at in (0..2).rev() {
            let previous = pages[at + 1]["prev_cursor"].as_str().unwrap();
            let page = server.get(&format!("/api/v1/tasks?sort={sort}&limit=10&cursor={previous}")).await.json();
            assert_eq!(ids(&page), ids(&pages[at]));
            let next = page["next_cursor"].as_str().unwrap();
            let page = server.get(&format!("/api/v1/tasks?sort={sort}&limit=10&cursor={next}")).await.json();
            assert_eq!(ids(&page), ids(&pages[at + 1]));
        }
    }
}

#[actix::test]
async fn a_cursor_belongs_to_its_list() {
    let server = Server::start().await;
    fill(&server).await;
    let page = server.get("/api/v1/tasks?limit=5&queue=q0").await.json();
    let cursor = page["next_cursor"].as_str().unwrap();
    assert_eq!(server.get(&format!("/api/v1/tasks?limit=9&queue=q0&include=args&cursor={cursor}")).await.status, 200);
    for other in
        ["tasks?queue=q1", "tasks?queue=q0&sort=created_at", "tasks?queue=q0&status=queued", "dlq?queue=q0", "tasks?"]
    {
        let response = server.get(&format!("/api/v1/{other}&cursor={cursor}")).await;
        response.assert_problem(422, "invalid_parameter");
    }
}

#[actix::test]
async fn filters_and_totals_agree() {
    let server = Server::start().await;
    let all = fill(&server).await;
    for (filter, expected) in [
        ("", 25),
        ("queue=q1", 12),
        ("queue=none", 0),
        ("name=job.1", 8),
        ("tag=t4", 5),
        ("tag=t", 0),
        ("q=job.0", 9),
        ("status=scheduled", 7),
        ("status=queued", 18),
        ("status=queued,scheduled&queue=q0", 13),
        ("status=success", 0),
        ("queue=q1&tag=t1&name=job.0", 1),
        ("created_after=2000-01-01T00:00:00Z", 25),
        ("created_before=2000-01-01T00:00:00Z", 0),
        ("worker=0198f2d4-7a3c-7c11-9a34-5b8e4d1f0c2a", 0),
    ] {
        let page = server.get(&format!("/api/v1/tasks?{filter}&limit=200&count=exact")).await.json();
        assert_eq!((ids(&page).len(), &page["total"]), (expected, &json!(expected)), "{filter}: {page}");
        assert_eq!(page["total_capped"], false);
    }
    let page = server.get(&format!("/api/v1/tasks?q={}", all[3])).await.json();
    assert_eq!(ids(&page), [all[3].clone()]);
    assert_eq!(page.get("total"), None);
}

#[actix::test]
async fn long_parts_are_left_out_unless_asked_for() {
    let server = Server::start().await;
    fill(&server).await;
    let has = |task: &Value, field| task.get(field).is_some();
    let task = server.get("/api/v1/tasks?limit=1").await.json()["data"][0].clone();
    assert!(!has(&task, "args") && !has(&task, "kwargs") && !has(&task, "result") && has(&task, "meta"));
    let task = server.get("/api/v1/tasks?limit=1&include=args").await.json()["data"][0].clone();
    assert_eq!((&task["args"], &task["kwargs"]), (&json!([24]), &json!({})));
    let task = server.get("/api/v1/tasks?limit=1&include=args,result").await.json()["data"][0].clone();
    assert!(has(&task, "args") && task["result"] == Value::Null && has(&task, "result"));
}

#[actix::test]
async fn waiting_tasks_have_their_arguments_too_if_asked_for() {
    let server = Server::start().await;
    fill(&server).await;
    for status in ["queued", "scheduled", "queued,scheduled"] {
        let page = server.get(&format!("/api/v1/tasks?limit=1&include=args&status={status}")).await.json();
        assert!(page["data"][0]["args"].is_array(), "{status}: {page}");
    }
}
