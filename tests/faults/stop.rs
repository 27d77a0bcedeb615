//! TERM while there is more to do than can be done in time.

use std::time::{Duration, Instant};

use jobqueue::task::Status;
use serde_json::json;

use crate::{
    file::Snapshot,
    support::{Server, eventually, is_long},
};

const DRAIN: Duration = Duration::from_secs(2);
/// For what comes after the drain on a busy machine: the last commits and the end of the threads.
const MARGIN: Duration = Duration::from_secs(8);

#[test]
fn a_stop_under_load_loses_nothing_and_burns_no_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let (slots, waiting) = if is_long() { (256, 50_000) } else { (64, 3_000) };
    let start = || {
        let arguments = ["--concurrency", &slots.to_string(), "--drain-timeout", "2s"];
        Server::start_under(folder.path(), &arguments, &[("WORKER_CANCEL_GRACE", "500ms")])
    };
    let server = start();
    let too_long = slots / 4;
    let sleep = |seconds: f64| json!({"name": "demo.sleep", "args": [seconds]});
    let mut running = vec![sleep(1.0); slots - too_long];
    running.extend(vec![sleep(4.0); too_long]);
    // Paused until all are in: on a slow machine the first would be over before the last is.
    assert_eq!(server.call("PUT", "/api/v1/queues/default", r#"{"paused": true}"#).0, 200);
    let running = server.submit_all(running);
    let mut acknowledged: Vec<_> = running.clone();
    acknowledged.extend(server.submit_all(vec![json!({"name": "demo.add", "args": [1, 2]}); waiting]));
    assert_eq!(server.call("POST", "/api/v1/queues/default/resume", "").0, 200);
    eventually("every slot is busy", || server.get("/api/v1/stats")["slots"]["busy"] == slots);

    let told = Instant::now();
    server.signal("-TERM");
    // Clients go on until they are refused. What they were promised until then counts.
    while let Some((201, task, _)) =
        server.try_call("POST", "/api/v1/tasks", "Content-Type: application/json\r\n", r#"{"name": "demo.echo"}"#)
    {
        acknowledged.push(task["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(server.wait(), Some(0));
    let took = told.elapsed();
    assert!(took < DRAIN + MARGIN, "{took:?}");

    let stopped = Snapshot::of(folder.path());
    assert_eq!((stopped.tasks.len(), stopped.leases), (acknowledged.len(), 0));
    let given_back = |id: &String| stopped.tasks[id].status() == Status::Queued;
    assert_eq!(running.iter().filter(|id| given_back(id)).count(), too_long);

    let server = start();
    eventually("all have run", || server.get("/api/v1/stats")["totals"]["succeeded"] == acknowledged.len());
    server.signal("-TERM");
    assert_eq!(server.wait(), Some(0));
    let ended = Snapshot::of(folder.path());
    assert_eq!((ended.tasks.len(), ended.leases), (acknowledged.len(), 0));
    for id in &acknowledged {
        let row = &ended.tasks[id];
        // One that was given back, from its handler or on the way there, is granted once more, and nothing else is.
        let attempts = stopped.tasks[id].attempt + i32::from(given_back(id));
        assert_eq!((row.status(), row.attempt), (Status::Success, attempts), "{id}");
        assert!(attempts <= 2 && row.kept == i64::from(attempts) - 1, "{id}: {row:?}");
        assert_eq!((row.failures, row.crashes), (0, 0), "{id}");
    }
}
