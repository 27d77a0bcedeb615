//! What handlers say of their attempts, as the whole server acts on it: commands and Rust functions.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::support::{Server, eventually, program};

const COMMANDS: &str = r#"
[tasks.permanent]
command = ["sh", "-c", "echo 'no such customer' >&2; exit 65"]
permanent_exit_codes = [65]

[tasks.told]
command = ["sh", "-c", '''echo '{"$error": {"message": "gone", "retryable": false}}'; exit 1''']

[tasks.later]
command = ["sh", "-c", '''echo '{"$error": {"message": "busy", "retry_after": "1h"}}'; exit 1''']

[tasks.nonsense]
command = ["sh", "-c", '''echo '{"$error": {"message": "busy", "retry_after": "soon"}}'; exit 1''']

# Until the file is there.
[tasks.poll]
command = ["sh", "-c", '''read task; [ -e ready ] && exec cat ready; echo "$task" > seen; echo '{"$snooze": "50ms"}'; exit 75''']
"#;

fn start(folder: &Path) -> Server {
    fs::write(folder.join("jobqueue.toml"), COMMANDS).unwrap();
    Server::start(folder)
}

fn sound(folder: &Path) {
    let ran = program(folder).args(["check"]).output().unwrap();
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stdout));
}

fn attempts(server: &Server, id: &str) -> Vec<Value> {
    server.get(&format!("/api/v1/tasks/{id}/attempts"))["data"].as_array().unwrap().clone()
}

#[test]
fn an_error_for_good_is_a_dead_letter_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path());
    for (task, message) in [
        (r#"{"name": "permanent"}"#, "no such customer (exit code 65)"),
        (r#"{"name": "told"}"#, "gone"),
        (r#"{"name": "demo.fail", "args": ["never"], "kwargs": {"retryable": false}}"#, "never"),
    ] {
        let id = server.submit(task);
        let dead = server.finished(&id);
        assert_eq!((&dead["status"], &dead["attempt"], &dead["failures"]), (&json!("failed"), &json!(1), &json!(1)));
        assert_eq!(dead["error"]["message"], message);
        assert_eq!(server.get(&format!("/api/v1/dlq/{id}"))["reason"], "not_retryable");
    }
    sound(folder.path());
}

#[test]
fn a_handler_says_when_the_next_attempt_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path());
    let retry = r#""retry": {"strategy": "fixed", "initial": "2h", "max": "2h", "jitter": false}"#;
    for (task, delay) in [
        ("\"later\"", 3_600_000),
        (r#""demo.fail", "args": ["no"], "kwargs": {"retry_after": 3600}"#, 3_600_000),
        ("\"nonsense\"", 7_200_000),
    ] {
        let id = server.submit(&format!(r#"{{"name": {task}, {retry}}}"#));
        let waits = server.until(&id, |task| task["status"] == "retry");
        assert_eq!(waits["failures"], 1);
        // Counted from the end of the attempt, which is recorded a moment later.
        let found = attempts(&server, &id)[0]["next_delay_ms"].as_i64().unwrap();
        assert!((delay - 20_000..=delay).contains(&found), "{waits}");
        let told =
            waits["error"]["detail"].as_str().is_some_and(|detail| detail.contains("its retry_after is \"soon\""));
        assert_eq!(told, task == "\"nonsense\"", "{waits}");
    }
    // It comes, and uses up the retries.
    let task = r#"{"name": "demo.fail", "args": ["no"], "kwargs": {"retry_after": 0.01}, "max_retries": 2}"#;
    let dead = server.finished(&server.submit(task));
    assert_eq!((&dead["status"], &dead["failures"]), (&json!("failed"), &json!(3)));
    sound(folder.path());
}

#[test]
fn a_snoozed_task_comes_again_until_it_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path());
    let command = server.submit(r#"{"name": "poll", "max_retries": 0}"#);
    let function = server.submit(r#"{"name": "demo.snooze", "args": [0.02, 5], "max_retries": 0}"#);
    let done = server.finished(&function);
    assert_eq!((&done["status"], &done["result"], &done["snoozes"]), (&json!("success"), &json!(5), &json!(5)));
    assert_eq!((&done["attempt"], &done["failures"]), (&json!(1), &json!(0)));
    server.until(&command, |task| task["snoozes"].as_u64().unwrap() >= 3);
    let seen: Value = serde_json::from_str(&fs::read_to_string(folder.path().join("seen")).unwrap()).unwrap();
    assert_eq!(seen["attempt"], 1, "no attempt is used up");
    fs::write(folder.path().join("ready.new"), "\"there\"").unwrap();
    fs::rename(folder.path().join("ready.new"), folder.path().join("ready")).unwrap();
    let done = server.finished(&command);
    assert_eq!((&done["status"], &done["result"], &done["attempt"]), (&json!("success"), &json!("there"), &json!(1)));
    assert_eq!((&done["failures"], &done["error"]), (&json!(0), &json!(null)));
    assert_eq!(attempts(&server, &command).len(), 1);
    sound(folder.path());
}

#[test]
fn a_snooze_outlives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path());
    let id = server.submit(r#"{"name": "demo.snooze", "args": [3, 1], "max_retries": 0}"#);
    let far = server.submit(r#"{"name": "demo.snooze", "args": [3600, 1]}"#);
    let waits = server.until(&id, |task| task["snoozes"] == 1);
    server.until(&far, |task| task["snoozes"] == 1);
    server.kill();
    sound(folder.path());
    let server = Server::start(folder.path());
    let done = server.finished(&id);
    assert_eq!((&done["status"], &done["attempt"], &done["crashes"]), (&json!("success"), &json!(1), &json!(0)));
    let moment = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(moment(&done["started_at"]) >= moment(&waits["ready_at"]), "not before its time");
    let still = server.task(&far);
    assert_eq!((&still["status"], &still["snoozes"], &still["crashes"]), (&json!("scheduled"), &json!(1), &json!(0)));
    sound(folder.path());
}

#[test]
fn an_age_ends_what_would_go_on_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path());
    let polls = server.submit(r#"{"name": "poll", "max_age": "1s"}"#);
    let retry = r#"{"strategy": "fixed", "initial": "10ms", "jitter": false}"#;
    let fails = server.submit(&format!(
        r#"{{"name": "demo.fail", "args": ["no"], "max_retries": 1000, "max_age": "1s", "retry": {retry}}}"#
    ));
    assert_eq!(server.call("PUT", "/api/v1/queues/paused", r#"{"paused": true, "max_age": "1s"}"#).0, 200);
    let never = server.submit(r#"{"name": "demo.echo", "queue": "paused"}"#);
    let over = server.until(&polls, |task| task["status"] == "expired");
    assert!(over["snoozes"].as_u64().unwrap() > 0 && over["failures"] == 0, "{over}");
    let dead = server.until(&fails, |task| ["failed", "expired"].contains(&task["status"].as_str().unwrap()));
    assert!(dead["failures"].as_u64().unwrap() > 1, "{dead}");
    if dead["status"] == "failed" {
        assert_eq!(server.get(&format!("/api/v1/dlq/{fails}"))["reason"], "expired");
    }
    eventually("it expires unseen", || server.task(&never)["status"] == "expired");
    sound(folder.path());
}
