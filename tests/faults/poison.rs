//! Handlers that panic or take the whole process down, and those who happen to be near.

use std::collections::BTreeSet;

use jobqueue::task::Status;
use serde_json::{Value, json};

use crate::{
    file::Snapshot,
    support::{Server, eventually, is_long},
};

#[test]
fn only_the_tasks_that_kill_the_server_are_poison() {
    let folder = tempfile::tempdir().unwrap();
    let (panicking, aborting, bystanders) = if is_long() { (100, 10, 2_000) } else { (100, 10, 200) };
    let slots = ["--concurrency", "8"];
    let mut server = Server::start_with(folder.path(), &slots);
    server.submit(r#"{"name": "demo.echo"}"#);
    assert_eq!(server.call("POST", "/api/v1/queues/default/pause", "").0, 200);
    let panics = server.submit_all(vec![json!({"name": "fault.panic", "max_retries": 0}); panicking]);
    let innocent = |n: usize| json!({"name": "demo.sleep", "args": [0.02], "tags": [n.to_string()]});
    // Each killer has neighbours before it and behind it.
    let (mut killers, mut others) = (Vec::new(), Vec::new());
    for n in 0..aborting {
        let share = bystanders / aborting;
        others.extend(server.submit_all((0..share).map(innocent).collect()));
        let kill = ["fault.abort", "fault.overflow"][n % 2];
        killers.extend(server.submit_all(vec![json!({"name": kill})]));
    }
    others.extend(server.submit_all((0..20).map(innocent).collect()));
    assert_eq!(server.call("POST", "/api/v1/queues/default/resume", "").0, 200);

    let all = panics.len() + killers.len() + others.len() + 1;
    let mut deaths = 0;
    eventually("everything has ended", || {
        if !server.is_up() {
            let (next, more) = Server::start_again(folder.path(), &slots);
            (server, deaths) = (next, deaths + 1 + more);
        }
        // It may die between the question and the answer.
        let Some((200, stats, _)) = server.try_call("GET", "/api/v1/stats", "", "") else { return false };
        let ended = |status: &str| stats["status_counts"][status].as_u64().unwrap();
        ended("success") + ended("failed") == all as u64
    });
    assert_eq!(deaths, 3 * killers.len(), "each has died of its own deeds alone");

    let dead = server.get("/api/v1/dlq?reason=poison&limit=200");
    let dead: BTreeSet<_> = dead["data"].as_array().unwrap().iter().map(id).collect();
    let expected: BTreeSet<_> = killers.iter().cloned().collect();
    assert_eq!(dead, expected);
    for id in &killers {
        let task = server.task(id);
        assert_eq!((&task["error"]["kind"], &task["failures"]), (&json!("poison"), &json!(0)));
    }
    for id in &panics {
        let task = server.task(id);
        assert_eq!((&task["status"], &task["error"]["kind"]), (&json!("failed"), &json!("panic")));
    }
    server.signal("-TERM");
    assert_eq!(server.wait(), Some(0));
    let left = Snapshot::of(folder.path());
    assert_eq!((left.tasks.len(), left.leases), (all, 0));
    assert_eq!(left.dead_letters, (panicking + aborting) as i64);
    for id in &others {
        // They were aboard at many a crash, and none of those is charged to them.
        assert_eq!((left.tasks[id].status(), left.tasks[id].crashes), (Status::Success, 0), "{id}");
    }
}

fn id(row: &Value) -> String {
    row["task_id"].as_str().or(row["id"].as_str()).unwrap().to_owned()
}
