//! A remote worker's calls, by hand.

use serde_json::{Value, json};

use crate::support::Server;

/// Registers a worker; its path.
pub(crate) fn register(server: &Server, names: &[&str]) -> String {
    let (status, worker) =
        server.call("POST", "/api/v1/workers", &json!({"names": names, "concurrency": 8}).to_string());
    assert_eq!(status, 201, "{worker}");
    format!("/api/v1/workers/{}", worker["worker_id"].as_str().unwrap())
}

pub(crate) fn lease(server: &Server, worker: &str, max: u32) -> Vec<Value> {
    let body = json!({"max": max, "wait": "20s"}).to_string();
    let (status, leased) = server.call("POST", &format!("{worker}/lease"), &body);
    assert_eq!(status, 200, "{leased}");
    leased["data"].as_array().unwrap().clone()
}

pub(crate) fn beat(server: &Server, worker: &str, running: &[&Value]) -> (u16, Value) {
    let running: Vec<_> = running.iter().map(|task| &task["lease_id"]).collect();
    server.call("POST", &format!("{worker}/heartbeat"), &json!({"running": running}).to_string())
}

pub(crate) fn complete(server: &Server, task: &Value, result: &Value) -> (u16, Value) {
    let lease = task["lease_id"].as_str().unwrap();
    server.call("POST", &format!("/api/v1/leases/{lease}/complete"), &json!({"result": result}).to_string())
}
