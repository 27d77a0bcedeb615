//! Whatever is sent, the answer is no server error, and what is accepted is kept as it was.

use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, TestRunner},
};
use serde_json::{Map, Value, json};

use crate::support::Server;

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop_oneof!["[a-z]{1,9}", "[0-9]{1,4}(ms|s|m|h|d)"].prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A body that is often nearly right: known fields with values of any kind.
fn body() -> impl Strategy<Value = Value> {
    let field = prop::sample::select(vec![
        "name",
        "args",
        "kwargs",
        "queue",
        "priority",
        "max_retries",
        "retry",
        "timeout",
        "run_at",
        "delay",
        "unique_key",
        "unique_conflict",
        "tags",
        "meta",
        "task_name",
        "eta",
        "depends_on",
        "other",
    ]);
    let fields = prop::collection::vec((field, value()), 0..5);
    let near = (fields, any::<bool>()).prop_map(|(fields, named)| {
        let mut object: Map<_, _> = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        if named {
            object.insert("name".into(), json!("a"));
        }
        Value::Object(object)
    });
    prop_oneof![1 => value(), 4 => near]
}

#[actix::test]
async fn no_body_is_a_server_error() {
    let server = Server::start().await;
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let mut accepted = 0;
    for _ in 0..400 {
        let body = body().new_tree(&mut runner).unwrap().current();
        let text = body.to_string();
        let response = server.post("/api/v1/tasks", &text).await;
        assert!(response.status < 500, "{text}: {}", response.text());
        if response.status == 201 {
            accepted += 1;
            let id = response.json()["id"].as_str().unwrap().to_owned();
            let task = server.get(&format!("/api/v1/tasks/{id}")).await.text();
            for part in ["args", "kwargs", "meta"] {
                if !body[part].is_null() {
                    // As text: a number must not pass through anybody's float.
                    assert!(task.contains(&format!("\"{part}\":{}", body[part])), "{text}: {task}");
                }
            }
        } else if response.status != 200 {
            let code = response.json()["code"].as_str().unwrap().to_owned();
            response.assert_problem(response.status, &code);
        }
        let batch = json!({ "tasks": [body], "atomic": false }).to_string();
        assert!(server.post("/api/v1/tasks/batch", &batch).await.status < 500, "{batch}");
    }
    assert!(accepted > 10, "the bodies are never right, so this shows little: {accepted}");
}

#[actix::test]
async fn no_bytes_are_a_server_error() {
    let server = Server::start().await;
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let right = br#"{"name":"a","args":[1,"\u00e4"],"kwargs":{"x":[{}]},"priority":"high","tags":["t"]}"#;
    let damage = prop::collection::vec((0..right.len(), any::<u8>()), 1..4);
    for _ in 0..400 {
        let mut bytes = right.to_vec();
        for (at, byte) in damage.new_tree(&mut runner).unwrap().current() {
            bytes[at] = byte;
        }
        let response = server.call("POST", "/api/v1/tasks", &[], &bytes).await;
        assert!(response.status < 500, "{}: {}", String::from_utf8_lossy(&bytes), response.text());
    }
}
