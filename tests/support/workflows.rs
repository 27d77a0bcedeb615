//! Workflows of a server that runs as a process of its own.

use serde_json::Value;

use crate::support::{Server, eventually};

/// Submits one and returns its id.
pub(crate) fn submit(server: &Server, body: &str) -> String {
    let (status, answer) = server.call("POST", "/api/v1/workflows", body);
    assert_eq!(status, 201, "{answer}");
    answer["id"].as_str().unwrap().to_owned()
}

pub(crate) fn get(server: &Server, id: &str) -> Value {
    server.get(&format!("/api/v1/workflows/{id}"))
}

pub(crate) fn ended(server: &Server, id: &str, state: &str) {
    eventually("the workflow is over", || get(server, id)["state"] == state);
}
