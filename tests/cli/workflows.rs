//! `workflow`.

use crate::{run::ask, support::Server};

#[test]
fn a_workflow_is_submitted_followed_and_retried() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let good = file(
        "good.json",
        r#"{"name": "good", "chain": [{"name": "demo.add", "args": [1, 2]}, {"name": "demo.echo"}]}"#,
    );
    ask(&server, &["workflow", "submit", &good, "--wait"]).is(0, &["success", "good"]);
    let bad = file(
        "bad.json",
        r#"{"name": "bad", "chain": [{"name": "demo.fail", "args": ["no"], "max_retries": 0}, {"name": "demo.echo"}]}"#,
    );
    ask(&server, &["workflow", "submit", &bad, "--wait"]).is(1, &["failed", "skipped"]);
    ask(&server, &["workflow", "list"]).is(0, &["good", "bad"]);
    let listed = ask(&server, &["workflow", "list", "--state", "failed", "--json"]).json();
    let id = listed["data"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    ask(&server, &["workflow", "show", &id, "--tasks"]).is(0, &["demo.fail", "failed", "skipped"]);
    ask(&server, &["workflow", "retry", &id]).is(0, &["retried", "2"]);
    ask(&server, &["workflow", "show", &id, "--watch"]).is(1, &["failed"]);
    ask(&server, &["workflow", "cancel", &id]).is(1, &["The workflow is over"]);
    let late = file("late.json", r#"{"group": [{"name": "demo.echo", "delay": "1h"}]}"#);
    let late = ask(&server, &["workflow", "submit", &late, "--json"]).json()["id"].as_str().unwrap().to_owned();
    ask(&server, &["workflow", "cancel", &late, "--reason", "not now"]).is(0, &["cancelled"]);
    ask(&server, &["workflow", "show", "01920000-0000-7000-8000-000000000001"]).is(3, &["HTTP 404"]);
    ask(&server, &["workflow", "submit", &file("none.json", "[]")]).is(2, &["not a JSON object"]);
    ask(
        &server,
        &["workflow", "submit", &file("circle.json", r#"{"tasks": {"a": {"name": "x", "depends_on": ["a"]}}}"#)],
    )
    .is(1, &["cannot wait for itself"]);
}
