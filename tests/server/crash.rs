//! What must hold when things die.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Server, eventually, program};

#[test]
fn a_killed_server_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let running = server.submit(r#"{"name": "demo.sleep", "args": [4], "queue": "slow"}"#);
    server.until(&running, |task| task["status"] == "running");
    let tasks: Vec<_> = (0..200).map(|n| json!({"name": "demo.add", "args": [n, 1]})).collect();
    let (status, body) = server.call("POST", "/api/v1/tasks/batch", &json!({ "tasks": tasks }).to_string());
    assert_eq!(status, 200, "{body}");
    let ids: Vec<_> = (0..200).map(|n| body["results"][n]["id"].as_str().unwrap().to_owned()).collect();
    server.kill();
    let server = Server::start(folder.path());
    for (n, id) in ids.iter().enumerate() {
        let task = server.finished(id);
        assert_eq!((&task["status"], &task["result"]), (&json!("success"), &json!(n + 1)));
    }
    let task = server.finished(&running);
    assert_eq!((&task["status"], &task["attempt"], &task["crashes"]), (&json!("success"), &json!(2), &json!(1)));
}

#[test]
fn a_task_that_kills_its_server_three_times_is_poison() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start_with(folder.path(), &["--concurrency", "1"]);
    let id = server.submit(r#"{"name": "fault.abort"}"#);
    let mut deaths = 0;
    while deaths < 3 {
        eventually("the task kills the server", || !server.is_up());
        let (next, more) = Server::start_again(folder.path(), &["--concurrency", "1"]);
        (server, deaths) = (next, deaths + 1 + more);
    }
    let task = server.finished(&id);
    assert_eq!((&task["status"], &task["error"]["kind"]), (&json!("failed"), &json!("poison")));
    assert_eq!((&task["crashes"], &task["failures"]), (&json!(3), &json!(0)));
    assert_eq!(server.get(&format!("/api/v1/dlq/{id}"))["reason"], "poison");
}

#[test]
fn a_panicking_handler_is_only_a_failed_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let ids: Vec<_> = (0..100).map(|_| server.submit(r#"{"name": "fault.panic", "max_retries": 0}"#)).collect();
    for id in &ids {
        let task = server.finished(id);
        assert_eq!((&task["status"], &task["error"]["kind"]), (&json!("failed"), &json!("panic")));
    }
    let restarts = |row: &Value| row["restarts"].as_u64().unwrap();
    let actors = server.get("/api/v1/system/actors");
    assert_eq!(actors["data"].as_array().unwrap().iter().map(restarts).sum::<u64>(), 0);
}

#[test]
fn every_actor_may_panic_under_load_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let first = server.submit(r#"{"name": "demo.echo"}"#);
    server.finished(&first);
    let actors = server.get("/api/v1/system/actors");
    let paths: Vec<_> =
        actors["data"].as_array().unwrap().iter().map(|row| row["path"].as_str().unwrap().to_owned()).collect();
    assert!(paths.len() >= 15, "{paths:?}");
    let mut ids = Vec::new();
    // The root's own end is the process's.
    for path in paths.iter().filter(|path| *path != "root") {
        ids.extend((0..10).map(|n| server.submit(&format!(r#"{{"name": "demo.add", "args": [{n}, 1]}}"#))));
        let body = json!({ "path": path }).to_string();
        // A queue's actor is gone with its supervisor, until somebody looks what is ready.
        eventually("there is an actor to panic", || {
            let (status, answer) = server.call("POST", "/api/v1/system/faults/panic", &body);
            assert!([200, 204, 404, 409].contains(&status), "{path}: {status} {answer}");
            status < 300
        });
        eventually("the actor is up again", || {
            let actors = server.get("/api/v1/system/actors");
            let row = actors["data"].as_array().unwrap().iter().find(|row| row["path"] == path.as_str()).cloned();
            row.is_some_and(|row| row["state"] == "running" && row["last_panic"].is_object())
        });
    }
    for id in &ids {
        assert_eq!(server.finished(id)["status"], "success");
    }
    eventually("no lease is left behind", || server.get("/api/v1/stats")["status_counts"]["running"] == 0);
}

#[test]
fn a_stop_lets_running_tasks_end_and_burns_no_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let short: Vec<_> = (0..4).map(|_| server.submit(r#"{"name": "demo.sleep", "args": [0.3]}"#)).collect();
    let waiting = server.submit(r#"{"name": "demo.sleep", "args": [0.1]}"#);
    server.until(&short[3], |task| task["status"] == "running");
    server.signal("-TERM");
    assert_eq!(server.wait(), Some(0));
    let server = Server::start(folder.path());
    for id in &short {
        let task = server.task(id);
        assert_eq!((&task["status"], &task["attempt"]), (&json!("success"), &json!(1)));
    }
    let task = server.finished(&waiting);
    assert_eq!((&task["attempt"], &task["failures"], &task["crashes"]), (&json!(1), &json!(0), &json!(0)));
}

#[test]
fn a_stop_as_soon_as_it_is_up_is_orderly() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..10 {
        let server = Server::start(folder.path());
        server.signal("-TERM");
        assert_eq!(server.wait(), Some(0));
    }
}

#[test]
fn a_second_server_on_the_same_folder_is_refused_and_harms_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let running = server.submit(r#"{"name": "demo.sleep", "args": [2]}"#);
    server.until(&running, |task| task["status"] == "running");
    let second = program(folder.path()).args(["dev", "--port", "0"]).output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.contains("in use by another jobqueue process"), "{said}");
    let task = server.finished(&running);
    assert_eq!((&task["status"], &task["attempt"], &task["crashes"]), (&json!("success"), &json!(1), &json!(0)));
}

#[test]
fn a_second_signal_ends_at_once_and_burns_no_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let id = server.submit(r#"{"name": "demo.sleep", "args": [3600]}"#);
    server.until(&id, |task| task["status"] == "running");
    server.signal("-INT");
    // It drains: what runs is still shown as running, and no new work is taken.
    eventually("it drains", || server.call("POST", "/api/v1/tasks", r#"{"name": "demo.echo"}"#).0 == 503);
    assert_eq!(server.task(&id)["status"], "running");
    server.signal("-INT");
    assert_eq!(server.wait(), Some(0));
    let server = Server::start(folder.path());
    let task = server.until(&id, |task| task["status"] == "running");
    assert_eq!((&task["attempt"], &task["failures"], &task["crashes"]), (&json!(2), &json!(0), &json!(0)));
}

/// The dispatcher asks all slots every five seconds whether they are idle, and most of them are being filled then.
#[test]
fn a_busy_slot_is_never_given_two_tasks() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(folder.path(), &["--concurrency", "64"]);
    let tasks: Vec<_> = (0..500).map(|n| json!({"name": "demo.add", "args": [n, 1]})).collect();
    let batch = json!({ "tasks": tasks }).to_string();
    let (began, mut submitted) = (Instant::now(), 0);
    while began.elapsed() < Duration::from_secs(11) {
        assert_eq!(server.call("POST", "/api/v1/tasks/batch", &batch).0, 200);
        submitted += 500;
        // Not so many that they wait long, not so few that slots do.
        eventually("most have run", || {
            submitted - server.get("/api/v1/stats")["totals"]["succeeded"].as_u64().unwrap() < 2_000
        });
    }
    eventually("all have run", || server.get("/api/v1/stats")["totals"]["succeeded"] == submitted);
    let mut cursor = String::new();
    loop {
        let page = server.get(&format!("/api/v1/tasks?limit=200{cursor}"));
        for task in page["data"].as_array().unwrap() {
            assert_eq!(task["attempt"], 1, "{task}");
        }
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
}

#[test]
fn a_cancel_survives_the_end_of_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[tasks.deaf]\ncommand = [\"sh\", \"-c\", \"trap '' TERM; echo >> deaf; while :; do sleep 60; done\"]\n\n[worker]\ncancel_grace = \"1h\"\n";
    std::fs::write(folder.path().join("jobqueue.toml"), config).unwrap();
    let server = Server::start(folder.path());
    let id = server.submit(r#"{"name": "deaf"}"#);
    let starts = || std::fs::read_to_string(folder.path().join("deaf")).unwrap_or_default().lines().count();
    eventually("it hears nothing", || starts() == 1);
    assert_eq!(server.call("POST", &format!("/api/v1/tasks/{id}/cancel"), "").0, 200);
    assert_eq!(server.task(&id)["status"], "running");
    server.kill();
    let server = Server::start(folder.path());
    assert_eq!(server.finished(&id)["status"], "cancelled");
    assert_eq!(starts(), 1, "it was run again");
}
