//! Persistent commands as the whole server runs them.

use std::{collections::HashSet, fs, path::Path};

use serde_json::{Value, json};

use crate::support::{Server, eventually, program};

const CONFIG: &str = r#"
[worker]
cancel_grace = "200ms"

[tasks.count]
mode = "persistent"
max_tasks_per_child = 200
command = ["perl", "-e", '''
    $| = 1;
    while (my $line = <STDIN>) {
        my ($id) = $line =~ /"id":"([^"]+)"/; my ($n) = $line =~ /"args":\[(\d+)\]/;
        if (open my $f, '>>', "pids") { print $f "$$\n"; close $f }
        print qq({"id":"$id","result":{"double":) . 2 * $n . qq(,"pid":$$}}\n);
    }
''']

[tasks.waits]
mode = "persistent"
command = ["perl", "-e", '''
    $| = 1; $SIG{TERM} = 'IGNORE';
    while (my $line = <STDIN>) {
        if (open my $f, '>', "waiting") { print $f $$; close $f }
        if (fork == 0) { if (open my $f, '>', "grandchild") { print $f $$; close $f } sleep 600; exit }
        sleep 600;
    }
''']
"#;

fn start(folder: &Path, arguments: &[&str]) -> Server {
    fs::write(folder.join("jobqueue.toml"), CONFIG).unwrap();
    Server::start_with(folder, arguments)
}

fn pid(file: &Path) -> Option<i32> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

fn is_gone(pid: i32) -> bool {
    // A zombie has ended: who is to reap it has ended too.
    fs::read_to_string(format!("/proc/{pid}/stat")).ok().is_none_or(|stat| stat.contains(") Z "))
}

#[test]
fn thousands_of_tasks_by_children_that_are_killed_at_random() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &["--concurrency", "4"]);
    let retry = json!({"strategy": "fixed", "initial": "10ms", "max": "10ms", "jitter": false});
    let task = |n| json!({"name": "count", "args": [n], "max_retries": 20, "retry": retry});
    let ids = server.submit_all((0..3_000).map(task).collect());
    let mut killed = HashSet::new();
    eventually("all are done", || {
        // The one that wrote last is at work.
        if let Some(last) = fs::read_to_string(folder.path().join("pids")).unwrap_or_default().lines().last()
            && killed.len() < 8
            && let Ok(last) = last.parse::<i32>()
            && killed.insert(last)
        {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(last), nix::sys::signal::Signal::SIGKILL);
        }
        server.get("/api/v1/queues/default/stats")["status_counts"]["success"] == json!(3_000)
    });
    let mut children = HashSet::new();
    let mut attempts = 0;
    for (n, id) in ids.iter().enumerate() {
        let task = server.task(id);
        assert_eq!(task["result"]["double"], 2 * n, "{task}");
        children.insert(task["result"]["pid"].as_i64().unwrap());
        attempts += task["attempt"].as_u64().unwrap() - 1;
    }
    // An attempt was lost at most with each child that was killed, and none ran more tasks than it may.
    assert!(attempts <= killed.len() as u64, "{attempts} lost attempts, {} killed", killed.len());
    assert!(children.len() >= 15, "{}", children.len());
}

#[test]
fn a_cancel_ends_a_child_that_ignores_it_and_what_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &["--concurrency", "1"]);
    let id = server.submit(r#"{"name": "waits"}"#);
    let (child, grandchild) = (folder.path().join("waiting"), folder.path().join("grandchild"));
    eventually("it waits", || pid(&child).is_some() && pid(&grandchild).is_some());
    assert_eq!(server.call("POST", &format!("/api/v1/tasks/{id}/cancel"), "{}").0, 200);
    assert_eq!(server.finished(&id)["status"], "cancelled");
    eventually("both are gone", || [&child, &grandchild].iter().all(|file| is_gone(pid(file).unwrap())));
}

#[test]
fn children_do_not_outlive_a_server_that_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &["--concurrency", "1"]);
    let done = server.finished(&server.submit(r#"{"name": "count", "args": [1]}"#));
    let idle = i32::try_from(done["result"]["pid"].as_i64().unwrap()).unwrap();
    server.submit(r#"{"name": "waits"}"#);
    let (child, grandchild) = (folder.path().join("waiting"), folder.path().join("grandchild"));
    eventually("it waits", || pid(&child).is_some() && pid(&grandchild).is_some());
    server.kill();
    eventually("all are gone", || {
        is_gone(idle) && [&child, &grandchild].iter().all(|file| is_gone(pid(file).unwrap()))
    });
    // It runs again, by the next life.
    fs::remove_file(&child).unwrap();
    let server = Server::start_with(folder.path(), &["--concurrency", "1"]);
    eventually("it waits again", || pid(&child).is_some());
    drop(server);
    let checked = program(folder.path()).args(["check"]).output().unwrap();
    assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stdout));
}

#[test]
fn a_stop_lets_a_child_answer_and_ends_those_without_a_task() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &["--concurrency", "2"]);
    let done: Value = server.finished(&server.submit(r#"{"name": "count", "args": [1]}"#));
    let idle = i32::try_from(done["result"]["pid"].as_i64().unwrap()).unwrap();
    server.signal("-TERM");
    assert_eq!(server.wait(), Some(0));
    eventually("it is gone", || is_gone(idle));
}
