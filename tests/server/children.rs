//! Children that do whatever children may do, in both modes: their own attempt fails with a reason, the node stays up, and the
//! slot beside is not disturbed.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::support::{Server, eventually, program};

const CHILD: &str = r#"
use strict; use warnings; $| = 1;
my $stays = exists $ENV{JOBQUEUE_PROTOCOL};
while (my $line = <STDIN>) {
    my ($id) = $line =~ /"id":"([^"]+)"/; my ($what) = $line =~ /"args":\["([^"]*)"/;
    my $answer = sub { print $stays ? qq({"id":"$id","result":$_[0]}\n) : "$_[0]\n" };
    if ($what eq 'no_json') { print "hello\n" }
    elsif ($what eq 'half') { print $stays ? qq({"id":"$id","res) : qq({"half); exit 0 }
    elsif ($what eq 'gigabyte') { my $much = 'x' x 1_000_000; print $much for 1 .. 1_000 }
    elsif ($what eq 'bytes') { print "\xff\xfe\n" }
    elsif ($what eq 'exits') { print STDERR "giving up\n"; exit 3 }
    elsif ($what eq 'killed') { kill 'KILL', $$; sleep 60 }
    elsif ($what eq 'twice') { $answer->(1); $answer->(2) }
    elsif ($what eq 'forks') {
        if (fork == 0) { open my $f, '>', 'forked'; print $f $$; close $f; sleep 3600; exit }
        until (-s 'forked') { select undef, undef, undef, 0.01 }
        $answer->(1);
    }
    elsif ($what eq 'deaf') {
        local $SIG{TERM} = 'IGNORE';
        open my $f, '>', 'deaf'; print $f $$; close $f;
        sleep 60 while 1;
    }
    elsif ($what eq 'waits') {
        open my $f, '>', 'waits'; print $f $$; close $f;
        until (-e 'go') { select undef, undef, undef, 0.01 }
        $answer->($$);
    }
    else { $answer->(qq("$what")) }
    last unless $stays;
}
"#;

fn start(folder: &Path) -> Server {
    fs::write(folder.join("child.pl"), CHILD).unwrap();
    let config = r#"
[worker]
cancel_grace = "200ms"
[tasks.once]
command = ["perl", "child.pl"]
[tasks.stays]
command = ["perl", "child.pl"]
mode = "persistent"
"#;
    fs::write(folder.join("jobqueue.toml"), config).unwrap();
    Server::start_with(folder, &["--concurrency", "2"])
}

fn pid(file: &Path) -> Option<i32> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

fn is_gone(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).ok().is_none_or(|stat| stat.contains(") Z "))
}

/// What happens in the other slot while a task of `mode` waits in one.
fn beside_one_that_waits(mode: &str, bad: impl Fn(&Server, &Path)) {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path());
    let beside = server.submit(&format!(r#"{{"name": "{mode}", "args": ["waits"]}}"#));
    let waits = folder.path().join("waits");
    eventually("the slot beside is busy", || pid(&waits).is_some());
    bad(&server, folder.path());
    let echo = server.finished(&server.submit(&format!(r#"{{"name": "{mode}", "args": ["well"]}}"#)));
    assert_eq!((&echo["status"], &echo["result"]), (&json!("success"), &json!("well")));
    assert_eq!(server.task(&beside)["status"], "running");
    fs::write(folder.path().join("go"), "").unwrap();
    let beside = server.finished(&beside);
    assert_eq!((&beside["status"], &beside["attempt"]), (&json!("success"), &json!(1)), "{beside}");
    assert_eq!(beside["result"], json!(pid(&waits).unwrap()), "the same child from begin to end");
    assert_eq!(server.get("/health")["status"], "ok");
    drop(server);
    let checked = program(folder.path()).args(["check"]).output().unwrap();
    assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stdout));
}

fn fails(server: &Server, mode: &str, what: &str, kind: &str, told: &str) {
    let task = format!(r#"{{"name": "{mode}", "args": ["{what}"], "max_retries": 0}}"#);
    let task = server.finished(&server.submit(&task));
    assert_eq!((&task["status"], &task["error"]["kind"]), (&json!("failed"), &json!(kind)), "{what}: {task}");
    assert!(task["error"]["message"].as_str().unwrap().contains(told), "{what}: {task}");
}

fn succeeds(server: &Server, mode: &str, what: &str) -> Value {
    let task = server.finished(&server.submit(&format!(r#"{{"name": "{mode}", "args": ["{what}"]}}"#)));
    assert_eq!((&task["status"], &task["attempt"]), (&json!("success"), &json!(1)), "{what}: {task}");
    task["result"].clone()
}

fn is_cancelled(server: &Server, folder: &Path, mode: &str) {
    let deaf = folder.join("deaf");
    let id = server.submit(&format!(r#"{{"name": "{mode}", "args": ["deaf"]}}"#));
    eventually("it hears nothing", || pid(&deaf).is_some());
    assert_eq!(server.call("POST", &format!("/api/v1/tasks/{id}/cancel"), "{}").0, 200);
    assert_eq!(server.finished(&id)["status"], "cancelled");
    eventually("it is killed", || is_gone(pid(&deaf).unwrap()));
}

/// A gigabyte must not be held by anybody.
fn stays_small(server: &Server) {
    let (_, text) = server.text("/metrics");
    let line = text.lines().find_map(|line| line.strip_prefix("process_resident_memory_bytes "));
    let bytes: f64 = line.unwrap().parse().unwrap();
    assert!(bytes < 400e6, "{bytes} bytes");
}

#[test]
fn a_child_for_one_task_fails_it_with_the_reason_and_disturbs_nobody() {
    beside_one_that_waits("once", |server, folder| {
        for (what, kind, told) in [
            ("no_json", "output", "not one JSON value"),
            ("half", "output", "not one JSON value"),
            ("gigabyte", "output", "longer than 1048576 bytes"),
            ("bytes", "output", "not UTF-8"),
            ("exits", "exit", "giving up (exit code 3)"),
            ("killed", "signal", "ended by signal 9 (SIGKILL)"),
            ("twice", "output", "not one JSON value"),
        ] {
            fails(server, "once", what, kind, told);
        }
        stays_small(server);
        assert_eq!(succeeds(server, "once", "forks"), 1);
        eventually("what it has left is killed", || is_gone(pid(&folder.join("forked")).unwrap()));
        is_cancelled(server, folder, "once");
    });
}

#[test]
fn a_child_that_stays_fails_its_task_with_the_reason_and_disturbs_nobody() {
    beside_one_that_waits("stays", |server, folder| {
        for (what, kind, told) in [
            ("no_json", "output", "begins with \"hello\""),
            ("half", "exit", "before it answered"),
            ("gigabyte", "output", "longer than 1048576 bytes"),
            ("bytes", "output", "not UTF-8"),
            ("exits", "exit", "giving up (exit code 3)"),
            ("killed", "signal", "ended by signal 9 (SIGKILL)"),
        ] {
            fails(server, "stays", what, kind, told);
        }
        stays_small(server);
        assert_eq!(succeeds(server, "stays", "twice"), 1, "the first answer counts");
        assert_eq!(succeeds(server, "stays", "forks"), 1);
        // It may have a process of its own for as long as it lives.
        assert!(!is_gone(pid(&folder.join("forked")).unwrap()));
        is_cancelled(server, folder, "stays");
    });
}

/// Limits, environment and folder are the same in both modes; what kills by a limit is told.
#[test]
fn a_child_has_what_it_was_given_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let child = r#"
use strict; use warnings; $| = 1;
my $stays = exists $ENV{JOBQUEUE_PROTOCOL};
while (my $line = <STDIN>) {
    my ($id) = $line =~ /"id":"([^"]+)"/;
    if ($line =~ /burn/) { 1 while 1 }
    my $limits = `ulimit -n;`; $limits =~ s/\s+//g;
    my $folder = `pwd -P`; chomp $folder;
    my $group = getpgrp(0) == $$ ? 1 : 0;
    my $secret = exists $ENV{SECRET} ? 1 : 0;
    my $result = qq({"files":$limits,"folder":"$folder","group":$group,"secret":$secret,"given":"$ENV{GIVEN}","set":"$ENV{MODE}"});
    print $stays ? qq({"id":"$id","result":$result}\n) : "$result\n";
    last unless $stays;
}
"#;
    fs::write(folder.path().join("child.pl"), child).unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    let task = |name: &str, mode: &str| {
        format!(
            "[tasks.{name}]\ncommand = [\"perl\", \"../child.pl\"]\nmode = \"{mode}\"\ncwd = \"sub\"\ninherit_env = \
             [\"GIVEN\"]\nenv = {{ MODE = \"fast\" }}\nlimits = {{ open_files = 40, cpu = \"1s\" }}\n"
        )
    };
    fs::write(folder.path().join("jobqueue.toml"), task("once", "once") + &task("stays", "persistent")).unwrap();
    let variables = [("GIVEN", "yes"), ("SECRET", "hunter2")];
    let server = Server::start_under(folder.path(), &["--concurrency", "2"], &variables);
    let sub = fs::canonicalize(folder.path().join("sub")).unwrap();
    for name in ["once", "stays"] {
        let task = server.finished(&server.submit(&format!(r#"{{"name": "{name}", "max_retries": 0}}"#)));
        let expected = json!({"files": 40, "folder": sub, "group": 1, "secret": 0, "given": "yes", "set": "fast"});
        assert_eq!(task["result"], expected, "{name}: {task}");
        let burns = format!(r#"{{"name": "{name}", "args": ["burn"], "max_retries": 0}}"#);
        let task = server.finished(&server.submit(&burns));
        assert_eq!(task["error"]["kind"], "signal", "{name}: {task}");
        assert!(task["error"]["message"].as_str().unwrap().contains("SIGXCPU"), "{name}: {task}");
    }
}
