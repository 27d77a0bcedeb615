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
    ask(&server, &["queue", "set", "r", "--max-age", "1d"]).is(0, &["max age       1d"]);
    ask(&server, &["queue", "set", "r", "--weight", "5"]).is(0, &["1d"]);
    ask(&server, &["queue", "set", "r", "--max-age", "0s"]).is(1, &["/max_age: must be more than 0"]);
    let aged = ask(&server, &["submit", "demo.echo", "--queue", "r", "--max-age", "1h", "--wait", "--json"]).json();
    assert_eq!(aged["max_age_ms"], 3_600_000);
    ask(&server, &["delete", aged["id"].as_str().unwrap()]).is(0, &["deleted 1"]);
    let again = ask(&server, &["queue", "set", "r", "--max-age", "default", "--json"]).json();
    assert_eq!(again["max_age"], json!(null));
    let now = ask(&server, &["queue", "show", "r", "--json"]).json();
    ask(&server, &["queue", "set", "r", "--weight", "3"]).is(0, &[]);
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
fn a_queue_is_shared_by_keys() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let set = |more: &[&str]| ask(&server, &[&["queue", "set", "r"], more].concat());
    set(&["--key-rate-limit", "100/1m", "--key-concurrency", "2", "--fair-weight", "a=b=3", "--fair-weight", "c=2"])
        .is(0, &["key rate limit", "100 per 1m", "key concurrency", "fair weights", "\"a=b\":3"]);
    ask(&server, &["queue", "limit", "set", "r", "9", "--per", "30s"]).is(0, &["queue"]);
    let bucket = ["--by", "rate-key", "--algorithm", "token-bucket", "--burst", "7"];
    ask(&server, &[&["queue", "limit", "set", "r", "5", "--per", "1h"], &bucket[..]].concat())
        .is(0, &["rate_key", "7"]);
    // What is not named stays: the limits of the queue and of its keys in full, and the other weights.
    set(&["--weight", "3", "--fair-weight", "c=default"]).is(0, &["9 per 30s", "5 per 1h"]);
    let now = ask(&server, &["queue", "show", "r", "--json"]).json();
    assert_eq!((&now["key_concurrency"], &now["fair_weights"]), (&json!(2), &json!({"a=b": 3})));
    let limit = ask(&server, &["queue", "limit", "get", "r", "--by", "rate-key", "--json"]).json();
    assert_eq!((&limit["algorithm"], &limit["burst"]), (&json!("token_bucket"), &json!(7)));
    assert_eq!(ask(&server, &["queue", "limit", "get", "r", "--json"]).json()["limit"], 9);
    set(&["--key-rate-limit", "100"]).is(2, &["100/1m"]);
    set(&["--fair-weight", "a"]).is(2, &["KEY=N"]);
    set(&["--fair-weight", "a=0"]).is(1, &["/fair_weights/a: must be a number from 1 to 1000"]);
    set(&["--key-rate-limit", "0/1m"]).is(1, &["/key_rate_limit/limit: must be from 1"]);

    let submit = ["submit", "demo.add", "--args", "[1]", "--queue", "r"];
    let keys = ["--fair-key", "f", "--rate-key", "k", "--cost", "4", "--concurrency-key", "c"];
    let id = ask(&server, &[&submit, &keys[..], &["--json"]].concat()).json()["id"].as_str().unwrap().to_owned();
    server.finished(&id);
    let shown = ["fair key         f", "rate key         k, cost 4", "concurrency key  c"];
    ask(&server, &["status", &id]).is(0, &shown);
    let of_key = ask(&server, &["queue", "limit", "get", "r", "--by", "rate-key", "--key", "k", "--json"]).json();
    assert_eq!((&of_key["used"], &of_key["remaining"]), (&json!(4), &json!(3)));
    let held = ask(&server, &[&submit, &keys[..], &["--json"]].concat()).json()["id"].as_str().unwrap().to_owned();
    ask(&server, &["explain", &held]).is(0, &["key_rate_limit", "The rate limit of its rate key is used up"]);
    ask(&server, &[&submit[..], &["--cost", "2"]].concat()).is(2, &["--rate-key"]);
    ask(&server, &[&submit[..], &["--fair-key", ""]].concat()).is(2, &["a key has 1 to 256 characters"]);
    ask(&server, &[&submit[..], &["--rate-key", "k", "--cost", "8"]].concat()).is(1, &["/cost: is more than"]);
    ask(&server, &["queue", "limit", "get", "r", "--key", "k"]).is(2, &["--by"]);

    ask(&server, &["queue", "limit", "remove", "r", "--by", "rate-key"]).is(0, &["rate keys of r have no limit"]);
    set(&["--key-concurrency", "default"]).is(0, &["9 per 30s"]);
    let then = ask(&server, &["queue", "show", "r", "--json"]).json();
    assert!(then["key_concurrency"].is_null() && then["key_rate_limit"].is_null(), "{then}");
    server.finished(&held);
    set(&["--key-rate-limit", "1/1s"]).is(0, &["1 per 1s"]);
    set(&["--key-rate-limit", "default"]).is(0, &["9 per 30s"]);
    assert!(ask(&server, &["queue", "show", "r", "--json"]).json()["key_rate_limit"].is_null());
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
