use serde_json::{Value, json};

use super::*;

fn written(workflow: &Workflow) -> Value {
    serde_json::to_value(workflow).unwrap()
}

#[test]
fn a_graph_is_written_as_the_server_takes_it() {
    let mut workflow = Workflow::named("w").tag("t").meta(&json!({"n": 1})).unwrap();
    let a = workflow.task("a", TaskRequest::new("x").args(&[1]).unwrap());
    let b = workflow.task("b", TaskRequest::new("y"));
    workflow.depends_on(&b, [Dependency::from(&a), a.if_it_fails()]);
    workflow.depends_on(&b, [a.whatever_happens()]);
    let outside: TaskId = crate::client::fake::ID.parse().unwrap();
    workflow.depends_on(&b, [Dependency::from(outside).if_it_fails()]);
    let workflow = workflow.on_success(TaskRequest::new("s")).on_failure(TaskRequest::new("f"));
    let expected = json!({
        "name": "w", "tags": ["t"], "meta": {"n": 1}, "on_success": {"name": "s"}, "on_failure": {"name": "f"},
        "tasks": {"a": {"name": "x", "args": [1]}, "b": {"name": "y", "depends_on": [
            {"task": "a", "on_failure": "skip"}, {"task": "a", "on_failure": "only"}, {"task": "a", "on_failure": "run"},
            {"id": crate::client::fake::ID, "on_failure": "only"},
        ]}},
    });
    assert_eq!(written(&workflow), expected);
}

#[tokio::test]
async fn a_node_of_another_workflow_is_not_passed_over() {
    let (mut one, mut other) = (Workflow::new(), Workflow::new());
    let a = one.task("a", TaskRequest::new("x"));
    let b = other.task("b", TaskRequest::new("x"));
    one.depends_on(&b, [&a]);
    let error = Client::new("http://127.0.0.1:1").unwrap().submit_workflow(&one).await.unwrap_err();
    assert!(matches!(error, Error::Encode(_)) && error.to_string().contains("\"b\""), "{error}");
}

#[test]
fn the_short_forms_are_graphs() {
    let task = || TaskRequest::new("x");
    let parents = |workflow: &Workflow, name: &str| {
        let parents = written(workflow)["tasks"][name]["depends_on"].clone();
        parents.as_array().map_or(0, Vec::len)
    };
    let chain = Workflow::chain([task(), task(), task()]);
    assert_eq!(["0", "1", "2"].map(|name| parents(&chain, name)), [0, 1, 1]);
    let chord = Workflow::chord([task(), task()], task());
    assert_eq!(["0", "1", "body"].map(|name| parents(&chord, name)), [0, 0, 2]);
}
