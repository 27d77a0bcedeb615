//! What is recorded of an attempt, and after how long, by the kind of handler and by what befalls it. Printed with `--nocapture`.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{Server, eventually};

const CHILD: &str = r#"
use strict; use warnings; $| = 1;
my $stays = exists $ENV{JOBQUEUE_PROTOCOL};
while (my $line = <STDIN>) {
    my ($id) = $line =~ /"id":"([^"]+)"/; my ($what) = $line =~ /"args":\["([^"]*)"/;
    if ($what eq 'success') { print $stays ? qq({"id":"$id","result":1}\n) : "1\n" }
    elsif ($what eq 'raise' && $stays) { print qq({"id":"$id","error":{"message":"no"}}\n) }
    elsif ($what eq 'raise') { print STDERR "no\n"; exit 1 }
    elsif ($what eq 'panic') { kill 'ABRT', $$; sleep 60 }
    elsif ($what eq 'flood') { my $much = 'x' x 1_000_000; print $much for 1 .. 1_000 }
    else { open my $f, '>', 'pid'; print $f $$; close $f; sleep 3600 }
    last unless $stays;
}
"#;

const CONFIG: &str = r#"
[worker]
cancel_grace = "200ms"
[tasks.once]
command = ["perl", "child.pl"]
[tasks.stays]
command = ["perl", "child.pl"]
mode = "persistent"
"#;

const KINDS: [&str; 4] = ["Rust async", "Rust blocking", "command once", "command persistent"];

/// A task of this kind that does this.
fn task(kind: &str, what: &str) -> String {
    let long = ["timeout", "cancel", "kill -9 of the child", "kill -9 of the node"].contains(&what);
    let (name, args) = match (kind, what) {
        ("Rust async", "success") => ("fault.noop", "[]"),
        ("Rust async", "raise") => ("demo.fail", "[]"),
        ("Rust async", "panic") => ("fault.panic", "[]"),
        ("Rust async", "flood") => ("fault.flood", "[]"),
        ("Rust async", _) => ("demo.sleep", "[3600]"),
        ("Rust blocking", "success") => ("fault.thread.noop", "[]"),
        ("Rust blocking", "raise") => ("fault.thread.fail", "[]"),
        ("Rust blocking", "panic") => ("fault.thread.panic", "[]"),
        ("Rust blocking", "flood") => ("fault.thread.flood", "[]"),
        ("Rust blocking", _) => ("fault.thread.sleep", "[3600]"),
        (kind, what) => {
            let name = if kind == "command once" { "once" } else { "stays" };
            let timeout = if what == "timeout" { "\"300ms\"" } else { "\"10m\"" };
            let what = if long { "waits" } else { what };
            return format!(r#"{{"name": "{name}", "args": ["{what}"], "max_retries": 0, "timeout": {timeout}}}"#);
        }
    };
    let timeout = if what == "timeout" { "\"300ms\"" } else { "\"10m\"" };
    format!(r#"{{"name": "{name}", "args": {args}, "max_retries": 0, "timeout": {timeout}}}"#)
}

/// `status/kind`, as recorded.
fn recorded(task: &Value) -> String {
    let status = task["status"].as_str().unwrap();
    task["error"]["kind"].as_str().map_or_else(|| status.to_owned(), |kind| format!("{status}/{kind}"))
}

fn running(server: &Server, folder: &Path, kind: &str, id: &str) -> Option<i32> {
    server.until(id, |task| task["status"] == "running");
    if !kind.starts_with("command") {
        return None;
    }
    let read = || fs::read_to_string(folder.join("pid")).ok()?.parse().ok();
    eventually("the child is at it", || read().is_some());
    let pid = read();
    fs::remove_file(folder.join("pid")).unwrap();
    pid
}

/// What is recorded in the end, and how long after `what` has happened.
fn happens(server: &Server, folder: &Path, kind: &str, what: &str) -> Option<(String, Duration)> {
    if what == "kill -9 of the child" && !kind.starts_with("command") {
        return None;
    }
    let mut began = Instant::now();
    let id = server.submit(&task(kind, what));
    match what {
        "cancel" => {
            running(server, folder, kind, &id);
            began = Instant::now();
            assert_eq!(server.call("POST", &format!("/api/v1/tasks/{id}/cancel"), "{}").0, 200);
        }
        "kill -9 of the child" => {
            let child = running(server, folder, kind, &id).unwrap();
            began = Instant::now();
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(child), nix::sys::signal::Signal::SIGKILL).unwrap();
        }
        _ => {}
    }
    Some((recorded(&server.finished(&id)), began.elapsed()))
}

fn expected(kind: &str, what: &str) -> &'static str {
    match (what, kind.starts_with("command")) {
        ("success", _) => "success",
        ("raise", false) => "failed/failure",
        ("raise", true) if kind == "command once" => "failed/exit",
        ("raise", true) => "failed/failure",
        ("panic", false) => "failed/panic",
        ("panic", true) | ("kill -9 of the child", _) => "failed/signal",
        ("timeout", _) => "timeout/timeout",
        ("cancel", _) => "cancelled/cancelled",
        ("flood", _) => "failed/output",
        ("kill -9 of the node", _) => "runs again, attempt 2",
        other => panic!("{other:?}"),
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the table is what --nocapture is for")]
fn what_is_recorded_by_kind_of_handler() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("child.pl"), CHILD).unwrap();
    fs::write(folder.path().join("jobqueue.toml"), CONFIG).unwrap();
    let server = Server::start_with(folder.path(), &["--concurrency", "4"]);
    let mut rows = Vec::new();
    for what in ["success", "raise", "panic", "timeout", "cancel", "kill -9 of the child", "flood"] {
        for kind in KINDS {
            let Some((found, after)) = happens(&server, folder.path(), kind, what) else { continue };
            assert_eq!(found, expected(kind, what), "{kind}, {what}");
            rows.push((kind, what, found, after));
        }
    }
    let what = "kill -9 of the node";
    let ids = KINDS.map(|kind| {
        let id = server.submit(&task(kind, what));
        running(&server, folder.path(), kind, &id);
        id
    });
    server.kill();
    let began = Instant::now();
    let server = Server::start_with(folder.path(), &["--concurrency", "4"]);
    for (kind, id) in KINDS.iter().zip(&ids) {
        let again = server.until(id, |task| task["status"] == "running" && task["attempt"] == 2);
        assert_eq!(again["crashes"], 1, "{again}");
        rows.push((kind, what, expected(kind, what).to_owned(), began.elapsed()));
    }
    println!("\n{:<20} {:<22} {:<24} {:>8}", "handler", "what happens", "recorded", "seconds");
    for (kind, what, found, after) in rows {
        println!("{kind:<20} {what:<22} {found:<24} {:>8.3}", after.as_secs_f64());
    }
}
