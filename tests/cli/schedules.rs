//! `schedule`.

use serde_json::json;

use crate::{
    run::{alone, ask},
    support::Server,
};

#[test]
fn a_schedule_is_set_shown_changed_tried_paused_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    ask(&server, &["schedule", "list"]).is(0, &["no schedules"]);
    ask(&server, &["schedule", "show", "none"]).is(3, &["There is no schedule"]);
    let big = "[1, 123456789012345678901234567890, 2.50]";
    let set =
        ["schedule", "set", "nightly", "--cron", "30 2 * * *", "--timezone", "Europe/Berlin", "--task", "demo.echo"];
    ask(&server, &[&set[..], &["--args", big]].concat()).is(0, &["nightly", "Europe/Berlin", "30 2 * * *"]);
    ask(&server, &["schedule", "create", "nightly", "--cron", "@daily", "--task", "a"]).is(1, &["HTTP 409", "PUT"]);
    // What is not named stays, to the last digit.
    ask(&server, &["schedule", "set", "nightly", "--overlap", "skip", "--queue", "r"]).is(0, &["skip", "2.5"]);
    let shown = ask(&server, &["schedule", "show", "nightly", "--json"]);
    assert!(shown.out.contains("123456789012345678901234567890") && shown.out.contains("2.50"), "{shown:?}");
    assert_eq!((&shown.json()["version"], &shown.json()["task"]["queue"]), (&json!(2), &json!("r")));
    let every = ask(&server, &["schedule", "set", "nightly", "--every", "90s", "--version", "2"]);
    every.is(0, &["90s"]);
    ask(&server, &["schedule", "set", "nightly", "--catch-up", "all", "--version", "2"]).is(1, &["HTTP 409"]);
    ask(&server, &["schedule", "set", "nightly", "--cron", "*/0 * * * *"]).is(1, &["/cron", "minute"]);
    ask(&server, &["schedule", "set", "nightly", "--catch-up", "10y"]).is(2, &["skip", "one", "all"]);
    ask(&server, &["schedule", "set", "nightly"]).is(2, &["--cron"]);
    ask(&server, &["schedule", "create", "other", "--cron", "@daily"]).is(1, &["/task", "required"]);
    let body = r#"{"name": "demo.add", "args": [1, 2], "tags": ["t"]}"#;
    ask(&server, &["schedule", "create", "other", "--every", "1h", "--task-body", body]).is(0, &["demo.add"]);

    let preview =
        ask(&server, &["schedule", "preview", "--cron", "30 2 * 3 SUN", "--timezone", "Europe/Berlin", "-n", "100"]);
    preview.is(0, &["T03:00:00+02:00", "LOCAL"]);
    assert_eq!(ask(&server, &["schedule", "preview", "nightly", "--json"]).json()["data"].as_array().unwrap().len(), 5);
    ask(&server, &["schedule", "preview"]).is(2, &["<NAME>"]);

    ask(&server, &["schedule", "pause", "nightly"]).is(0, &["enabled", "no"]);
    ask(&server, &["schedule", "list", "--paused"]).is(0, &["nightly"]);
    assert!(!ask(&server, &["schedule", "list", "--paused"]).out.contains("other"));
    let made = ask(&server, &["schedule", "trigger", "other", "--json"]).json();
    assert_eq!(server.finished(made["id"].as_str().unwrap())["result"], 3);
    ask(&server, &["schedule", "resume", "nightly"]).is(0, &["yes"]);
    ask(&server, &["schedule", "list", "--queue", "r", "--limit", "1"]).is(0, &["nightly", "90s"]);
    ask(&server, &["schedule", "delete", "nightly"]).is(0, &["deleted nightly"]);
    ask(&server, &["schedule", "delete", "nightly"]).is(3, &["There is no schedule"]);
    ask(&server, &["schedule", "list", "--json"]).is(0, &["other"]);
    ask(&server, &["audit"]).is(0, &["schedule.delete", "schedule.trigger", "schedule.pause"]);
}

#[test]
fn a_file_with_schedules_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jobqueue.toml");
    std::fs::write(&file, "[schedules.a]\ncron = \"99 * * * *\"\ntimezone = \"X\"\n").unwrap();
    alone(folder.path(), &["config", "check"]).is(2, &["schedules.a.cron", "schedules.a.timezone", "has no task"]);
    std::fs::write(&file, "[schedules.a]\ncron = \"9 * * * *\"\ntask = { name = \"x\" }\n").unwrap();
    alone(folder.path(), &["config", "check"]).is(0, &["sound"]);
    alone(folder.path(), &["config", "show"]).is(0, &["schedules.a", "9 * * * *"]);
}
