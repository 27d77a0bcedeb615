//! Schedules of a real server: they tick by the clock, whatever becomes of the server, and come out of the file.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{
    support::{Server, eventually, program},
    ticks::{gapless, ticks},
};

fn put(server: &Server, name: &str, body: &Value) {
    let (status, answer) = server.call("PUT", &format!("/api/v1/schedules/{name}"), &body.to_string());
    assert!(status == 201 || status == 200, "{answer}");
}

fn made(server: &Server, name: &str) -> u64 {
    server.get(&format!("/api/v1/schedules/{name}"))["made"].as_u64().unwrap()
}

#[test]
fn a_killed_server_doubles_no_tick_and_loses_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    put(&server, "s", &json!({"every": "1s", "catch_up": "all", "task": {"name": "demo.echo"}}));
    for round in 1..=4 {
        eventually("it has ticked", || made(&server, "s") > round);
        server.kill();
        server = Server::start(folder.path());
    }
    let before = made(&server, "s");
    eventually("it goes on", || made(&server, "s") > before + 1);
    server.call("POST", "/api/v1/schedules/s/pause", "{}");
    let (ticks, shown) = (ticks(&server, "s"), server.get("/api/v1/schedules/s"));
    gapless(&ticks, 1_000);
    assert_eq!((ticks.len() as u64, &shown["missed"], &shown["refused"]), (made(&server, "s"), &json!(0), &json!(0)));
    // While nothing else is to be done, a tick is made when it is due.
    let moment = |text: &Value| text.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond();
    let runs = shown["runs"].as_array().unwrap().iter();
    let late = runs.map(|run| moment(&run["at"]) - moment(&run["tick"])).min().unwrap();
    assert!((0..500).contains(&late), "{late} ms late at least");
}

#[test]
fn what_is_edited_ticks_at_once_by_what_it_says_now() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    put(&server, "s", &json!({"cron": "@yearly", "task": {"name": "demo.echo"}}));
    put(&server, "s", &json!({"cron": "* * * * * *", "task": {"name": "demo.add", "args": [1, 2]}}));
    eventually("it has ticked", || made(&server, "s") > 1);
    let last = server.get("/api/v1/schedules/s")["last_task_id"].as_str().unwrap().to_owned();
    assert_eq!(server.finished(&last)["result"], 3);
}

/// Starts a server with this text as its file.
fn with_file(folder: &Path, text: &str) -> Server {
    fs::write(folder.join("jobqueue.toml"), text).unwrap();
    Server::start(folder)
}

#[test]
fn the_file_sets_schedules_and_leaves_what_an_operator_has_paused() {
    let folder = tempfile::tempdir().unwrap();
    let both = "[schedules.a]\ncron = \"0 3 * * *\"\ntimezone = \"Europe/Berlin\"\n\
                task = { name = \"demo.echo\", args = [1, 2.5], kwargs = { deep = { on = true } } }\n\
                [schedules.b]\nevery = \"1h\"\njitter = 60\n[schedules.b.task]\nname = \"demo.echo\"\nqueue = \"q\"\n";
    let server = with_file(folder.path(), both);
    let a = server.get("/api/v1/schedules/a");
    assert_eq!(
        (&a["origin"], &a["task"]["args"], &a["timezone"]),
        (&json!("file"), &json!([1, 2.5]), &json!("Europe/Berlin"))
    );
    assert_eq!(a["task"]["kwargs"], json!({"deep": {"on": true}}));
    let b = server.get("/api/v1/schedules/b");
    assert_eq!((&b["every"], &b["jitter"], &b["task"]["queue"]), (&json!("1h"), &json!("1m"), &json!("q")));
    put(&server, "own", &json!({"cron": "@daily", "task": {"name": "demo.echo"}}));
    server.call("POST", "/api/v1/schedules/a/pause", "{}");
    server.kill();

    // The same file changes nothing; a paused one stays paused.
    let server = with_file(folder.path(), both);
    let again = server.get("/api/v1/schedules/b");
    assert_eq!((&again["version"], &again["next_tick"]), (&b["version"], &b["next_tick"]));
    assert_eq!(server.get("/api/v1/schedules/a")["paused_by"], "api");
    server.kill();

    // Another rule, and one that is gone: it is paused, and comes back with the file.
    let one = "[schedules.a]\ncron = \"0 4 * * *\"\ntask = { name = \"demo.echo\" }\n";
    let server = with_file(folder.path(), one);
    let a = server.get("/api/v1/schedules/a");
    assert_eq!((&a["cron"], &a["paused_by"]), (&json!("0 4 * * *"), &json!("api")));
    assert_eq!(server.get("/api/v1/schedules/b")["paused_by"], "file");
    assert_eq!(server.get("/api/v1/schedules/own")["enabled"], true, "what others have set is theirs");
    server.kill();
    let server = with_file(folder.path(), "[api]\nport = 0\n");
    assert_eq!(server.get("/api/v1/schedules/b")["paused_by"], "file", "a file without schedules says nothing of them");
    server.kill();
    let server = with_file(folder.path(), both);
    assert_eq!(server.get("/api/v1/schedules/b")["enabled"], true);
}

#[test]
fn a_hangup_brings_in_what_the_file_says_now() {
    let folder = tempfile::tempdir().unwrap();
    let write = |text: &str| fs::write(folder.path().join("jobqueue.toml"), text).unwrap();
    let a = |every: &str| format!("[schedules.a]\nevery = \"{every}\"\ntask = {{ name = \"demo.echo\" }}\n");
    let mut server = with_file(folder.path(), &a("1h"));
    write(&format!("{}[schedules.b]\ncron = \"* * * * * *\"\ntask = {{ name = \"demo.echo\" }}\n", a("2h")));
    server.signal("-HUP");
    eventually("it is read", || server.get("/api/v1/schedules/a")["every"] == "2h");
    eventually("what is new ticks", || made(&server, "b") > 0);
    // One that is not possible changes nothing and ends nothing.
    write(&format!("{}[schedules.c]\ncron = \"*/0 * * * *\"\ntask = {{ name = \"demo.echo\" }}\n", a("3h")));
    server.signal("-HUP");
    write(&a("4h"));
    server.signal("-HUP");
    eventually("it is read again", || server.get("/api/v1/schedules/a")["every"] == "4h");
    assert_eq!(server.get("/api/v1/schedules/a")["version"], 3, "of a file with a fault nothing was taken");
    eventually("one that is gone is paused", || server.get("/api/v1/schedules/b")["paused_by"] == "file");
    assert_eq!(server.call("GET", "/api/v1/schedules/c", "").0, 404);
    assert!(server.is_up());
}

#[test]
fn a_file_with_a_schedule_that_is_not_possible_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (text, told) in [
        ("[schedules.a]\ncron = \"*/0 * * * *\"\ntask = { name = \"x\" }\n", "jobqueue.toml:2: schedules.a.cron"),
        ("[schedules.a]\nevery = \"often\"\ntask = { name = \"x\" }\n", "expected a duration"),
        ("[schedules.a]\ncron = \"@daily\"\ntimezone = \"Nowhere\"\ntask = { name = \"x\" }\n", "no time zone"),
        ("[schedules.a]\ncron = \"@daily\"\n", "has no task"),
        ("[schedules.a]\ncron = \"@daily\"\ntask = { name = \"x\" }\ncatchup = \"all\"\n", "did you mean \"catch_up\""),
        ("[schedules.a]\ncron = \"@daily\"\ntask = { name = \"x\", queue = \"a b\" }\n", "task.queue"),
        ("[schedules.a]\ncron = \"@daily\"\ncatch_up = \"10y\"\ntask = { name = \"x\" }\n", "catch_up: must be one of"),
        ("[schedules.preview]\ncron = \"@daily\"\ntask = { name = \"x\" }\n", "not possible as the name"),
    ] {
        fs::write(folder.path().join("jobqueue.toml"), text).unwrap();
        let ran = program(folder.path()).args(["serve", "--port", "0"]).output().unwrap();
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(!ran.status.success() && said.contains(told), "{told}: {said}");
        assert!(!folder.path().join("data/jobqueue.db").exists(), "nothing is begun");
    }
}
