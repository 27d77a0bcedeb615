//! Figures over the lives of a server.

use crate::support::{Server, eventually};

#[test]
fn figures_survive_a_stop_in_order_and_add_up() {
    let folder = tempfile::tempdir().unwrap();
    for life in 1..=2_u64 {
        let server = Server::start(folder.path());
        for _ in 0..3 {
            let id = server.submit(r#"{"name": "demo.echo"}"#);
            server.finished(&id);
        }
        // An outcome is read from the store a moment before it is counted.
        eventually("all are counted", || {
            let window = server.get("/api/v1/stats?window=1h")["window"].clone();
            (window["submitted"].as_u64(), window["succeeded"].as_u64()) == (Some(3 * life), Some(3 * life))
        });
        server.signal("-TERM");
        assert_eq!(server.wait(), Some(0));
    }
}

#[test]
fn figures_that_were_stored_survive_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let id = server.submit(r#"{"name": "demo.echo"}"#);
    server.finished(&id);
    // The actor's next turn is a panic and a new start, and every start begins with storing what there is.
    let panic = r#"{"path": "root/metrics"}"#;
    let restarts = |server: &Server| {
        let actors = server.get("/api/v1/system/actors");
        let rows = actors["data"].as_array().unwrap();
        let metrics = rows.iter().find(|row| row["path"] == "root/metrics" && row["state"] == "running");
        metrics.map_or(0, |row| row["restarts"].as_u64().unwrap())
    };
    assert_eq!(server.call("POST", "/api/v1/system/faults/panic", panic).0, 200);
    eventually("the actor is back", || restarts(&server) == 1);
    // What it stores then is written before whatever is submitted after it has started.
    let id = server.submit(r#"{"name": "demo.echo"}"#);
    server.finished(&id);
    server.kill();
    let server = Server::start(folder.path());
    let window = server.get("/api/v1/stats?window=1h&queue=default")["window"].clone();
    assert!(window["succeeded"].as_u64() >= Some(1), "{window}");
    assert!(window["utilisation"].as_f64().is_some(), "{window}");
}
