//! `queue`, `dlq`, `operation`, `worker`.

use serde_json::json;

use crate::{
    run::{alone, ask},
    support::Server,
};

#[test]
fn a_queue_is_shown_set_limited_paused_and_purged() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    ask(&server, &["queue", "show", "none"]).is(3, &["There is no queue"]);
    ask(&server, &["queue", "list"]).is(0, &["no queues"]);
    let made = ask(&server, &["queue", "set", "r", "--concurrency", "2", "--timeout", "none", "--keep-success", "1h"]);
    made.is(0, &["there was no queue \"r\"; it is made", "concurrency", "1h"]);
    ask(&server, &["queue", "limit", "get", "r"]).is(3, &["rate_limit_not_set"]);
    ask(&server, &["queue", "limit", "set", "r", "100", "--per", "30s"]).is(0, &["30s", "sliding_window"]);
    // What is not named stays, the limit too.
    ask(&server, &["queue", "set", "r", "--ageing", "10m"]).is(0, &["ageing", "10m"]);
    ask(&server, &["queue", "set", "r", "--weight", "3"]).is(0, &["100 per 30s", "10m"]);
    ask(&server, &["queue", "set", "r", "--ageing", "1ms"]).is(1, &["/ageing: must be from 1 second to 30 days"]);
    let now = ask(&server, &["queue", "show", "r", "--json"]).json();
    assert_eq!(
        (&now["concurrency"], &now["weight"], &now["retention"]["success"]),
        (&json!(2), &json!(3), &json!("1h"))
    );
    assert_eq!(now.get("timeout"), Some(&json!(null)), "no limit is not the same as the default");
    ask(&server, &["queue", "set", "r", "--timeout", "default", "--concurrency", "default"]).is(0, &[]);
    ask(&server, &["queue", "set", "r", "--ageing", "default"]).is(0, &[]);
    let then = ask(&server, &["queue", "show", "r", "--json"]).json();
    assert!(then.get("timeout").is_none() && then["concurrency"].is_null() && then["ageing"].is_null(), "{then}");
    let stale = ask(&server, &["queue", "set", "r", "--weight", "4", "--version", &now["version"].to_string()]);
    stale.is(1, &["Somebody else has changed the queue", "HTTP 409"]);
    ask(&server, &["queue", "set", "r", "--weight", "0"]).is(1, &["/weight: must be a number from 1 to 1000"]);
    ask(&server, &["queue", "set", "r"]).is(2, &["--weight"]);
    let classes = ["queue", "limit", "set", "r", "--high", "9", "--medium", "8", "--low", "7"];
    ask(&server, &classes).is(0, &["priority", "\"high\":9"]);
    ask(&server, &["queue", "limit", "remove", "r"]).is(0, &["no limit of its own"]);

    ask(&server, &["queue", "pause", "r"]).is(0, &["paused", "yes"]);
    let id = server.submit(r#"{"name": "demo.echo", "queue": "r"}"#);
    ask(&server, &["explain", &id]).is(0, &["Its queue is paused", "queue_paused"]);
    ask(&server, &["queue", "purge", "r"]).is(2, &["this would cancel 1 waiting tasks", "--yes"]);
    ask(&server, &["queue", "purge", "r", "--dry-run"]).is(0, &["would cancel 1 waiting tasks"]);
    assert_eq!(server.task(&id)["status"], "queued");
    ask(&server, &["queue", "purge", "r", "--yes", "--wait"]).is(0, &["cancel", "done"]);
    assert_eq!(server.task(&id)["status"], "cancelled");
    ask(&server, &["queue", "purge", "r", "--yes"]).is(0, &["there is nothing to cancel"]);
    ask(&server, &["queue", "resume", "r"]).is(0, &["no"]);
    ask(&server, &["queue", "delete", "r"]).is(1, &["1 tasks are in the queue"]);
    ask(&server, &["delete", &id]).is(0, &["deleted 1"]);
    ask(&server, &["queue", "delete", "r"]).is(0, &["deleted r"]);
    assert!(ask(&server, &["operation", "list", "--json"]).json()["data"][0]["state"] == "done");
}

#[test]
fn dead_letters_are_grouped_run_again_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let fail = |n: usize| server.submit(&format!(r#"{{"name": "demo.fail", "args": ["no {n}"], "max_retries": 0}}"#));
    let ids: Vec<_> = (0..3).map(fail).collect();
    ids.iter().for_each(|id| drop(server.finished(id)));
    ask(&server, &["dlq", "list"]).is(0, &[&ids[0], "exhausted", "no 0"]);
    ask(&server, &["dlq", "list", "--error", "no 1", "--reason", "exhausted"]).is(0, &[&ids[1]]);
    ask(&server, &["dlq", "show", &ids[0]]).is(0, &["no 0"]);
    ask(&server, &["dlq", "stats"]).is(0, &["dead letters  3", "by reason"]);
    ask(&server, &["dlq", "groups", "--window", "1h"]).is(0, &["3      default", "no #"]);
    ask(&server, &["dlq", "groups", "--window", "soon"]).is(1, &["duration"]);
    ask(&server, &["dlq", "retry", &ids[0], "--args", "{}"]).is(2, &["not a JSON array"]);
    ask(&server, &["dlq", "retry", &ids[0], "--args", "[\"again\"]"]).is(0, &["queued"]);
    assert_eq!(server.finished(&ids[0])["error"]["message"], "again");
    ask(&server, &["dlq", "redrive"]).is(2, &["--all"]);
    ask(&server, &["dlq", "redrive", "--all"]).is(2, &["this would redrive 3 dead letters", "--yes"]);
    ask(&server, &["dlq", "redrive", "--reason", "poison", "--yes"]).is(0, &["nothing to redrive"]);
    ask(&server, &["dlq", "redrive", "--error", "no", "--rate", "x", "--yes"]).is(1, &["/rate"]);
    let begun = ask(&server, &["dlq", "redrive", "--error", "no 1", "--yes", "--json"]).json();
    let operation = begun["id"].as_str().unwrap();
    ask(&server, &["operation", "show", operation, "--watch"]).is(0, &["redrive", "done"]);
    server.until(&ids[1], |task| task["generation"] == 2 && task["status"] == "failed");
    ask(&server, &["operation", "cancel", operation]).is(1, &["The operation is over", "HTTP 409"]);
    ask(&server, &["operation", "show", &ids[0]]).is(3, &["There is no operation"]);
    ask(&server, &["dlq", "delete", &ids[0]]).is(0, &["deleted 1"]);
    ask(&server, &["dlq", "purge", "--all", "--dry-run"]).is(0, &["would delete 2 dead letters"]);
    ask(&server, &["dlq", "purge", "--all", "--yes", "--wait"]).is(0, &["discard"]);
    ask(&server, &["dlq", "list"]).is(0, &["no dead letters"]);
}

#[test]
fn workers_show_what_they_run() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let id = server.submit(r#"{"name": "demo.sleep", "args": [3600]}"#);
    server.until(&id, |task| task["status"] == "running");
    let list = ask(&server, &["worker", "list", "--json"]).json();
    let worker = list["data"][0]["id"].as_str().unwrap();
    ask(&server, &["worker", "list"]).is(0, &[worker, "alive"]);
    ask(&server, &["worker", "show", worker]).is(0, &["alive", &id, "demo.sleep"]);
    ask(&server, &["worker", "show", &id]).is(3, &["There is no worker"]);
}

#[test]
fn a_misspelt_command_is_named() {
    let folder = tempfile::tempdir().unwrap();
    alone(folder.path(), &["qeue", "list"]).is(2, &["'queue'"]);
    alone(folder.path(), &["queue", "puase", "x"]).is(2, &["'pause'"]);
    alone(folder.path(), &["queue"]).is(2, &["purge"]);
    alone(folder.path(), &["queue", "list", "--url", "http://127.0.0.1:1"]).is(4, &["Start it with `jobqueue serve`"]);
    alone(folder.path(), &["queue", "show", "a b"]).is(2, &["cannot contain ' '"]);
}
