//! PostgreSQL is killed, frozen or cut off under real servers: run by `tests/services`. Each test has a cluster of its own.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod connections;
mod frozen;
mod outage;
mod spool;
#[path = "../support/mod.rs"]
mod support;

use std::{
    collections::HashMap,
    fs,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
};

use serde_json::Value;
use support::{Server, eventually, postgres::Postgres};

/// A cluster, nodes with folders of their own, and what their handlers have written down.
///
/// `held` waits until it is let go, `later` puts itself off for an hour then, `note` is over at once; all write their task's id
/// into a file when they begin, and `held` into another one when it ends.
struct Site {
    postgres: Postgres,
    folder: tempfile::TempDir,
}

impl Site {
    fn new(settings: &[&str]) -> Self {
        Self { postgres: Postgres::start(settings), folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts a node, or starts it again.
    fn node(&self, name: &str, slots: &str) -> Server {
        let own = self.path(name);
        fs::create_dir_all(&own).unwrap();
        let path = |name: &str| self.path(name).display().to_string();
        let note = format!("cat > /dev/null; echo $JOBQUEUE_TASK_ID >> {}", path("begun"));
        let wait = format!("while [ ! -e {} ]; do sleep 0.05; done", path("go"));
        let end = format!("echo $JOBQUEUE_TASK_ID >> {}; echo 1", path("ended"));
        let toml = format!(
            "[tasks.note]\ncommand = [\"sh\", \"-c\", \"{note}; echo 1\"]\n\
             [tasks.held]\ncommand = [\"sh\", \"-c\", \"{note}; {wait}; {end}\"]\n\
             [tasks.later]\ncommand = [\"sh\", \"later.sh\"]\n"
        );
        fs::write(own.join("later.sh"), format!("{note}; {wait}; echo '{{\"$snooze\": \"1h\"}}'; exit 75")).unwrap();
        fs::write(own.join("jobqueue.toml"), toml).unwrap();
        let url = self.postgres.url();
        let variables = [("DATABASE_URL", &*url), ("WORKER_HEARTBEAT_INTERVAL", "1s")];
        Server::start_under(&own, &["--concurrency", slots], &variables)
    }

    fn spool(&self, node: &str) -> PathBuf {
        self.path(node).join("data/node.outcomes")
    }

    /// Outcomes in the spool of a node.
    fn spooled(&self, node: &str) -> usize {
        fs::read_to_string(self.spool(node)).unwrap_or_default().lines().count()
    }

    /// Lets what is held end.
    fn go(&self) {
        fs::write(self.path("go"), "").unwrap();
    }

    /// How often a handler was begun (or has ended), by task.
    fn counts(&self, file: &str) -> HashMap<String, usize> {
        let mut counts = HashMap::new();
        for id in fs::read_to_string(self.path(file)).unwrap_or_default().lines() {
            *counts.entry(id.to_owned()).or_default() += 1;
        }
        counts
    }

    /// Submits tasks that are held, and waits until they all run.
    fn held(&self, node: &Server, count: usize) -> Vec<String> {
        let ids: Vec<String> = (0..count).map(|_| node.submit(r#"{"name": "held"}"#)).collect();
        eventually("all are held", || self.counts("begun").len() == count);
        ids
    }

    /// Every one of these tasks has succeeded, and its handler was begun once.
    fn all_ran_once(&self, node: &Server, ids: &[String]) {
        for id in ids {
            let task = node.finished(id);
            assert_eq!(task["status"], "success", "{task}");
        }
        let begun = self.counts("begun");
        for id in ids {
            assert_eq!(begun.get(id), Some(&1), "{id} was run another number of times: {}", node.task(id));
        }
    }
}

/// A submission: the answer's status, body and head; anything but a success must be one that says to come back.
fn submit(node: &Server, task: &str) -> (u16, Value) {
    let headers = "Content-Type: application/json\r\n";
    let (status, body, head) = node.try_call("POST", "/api/v1/tasks", headers, task).expect("an answer");
    if status != 201 {
        assert_eq!(status, 503, "{body}");
        assert!(head.to_ascii_lowercase().contains("retry-after: "), "{head}");
    }
    (status, body)
}

/// Submits quick tasks one after the other until told to stop; the ids that were acknowledged, and how many were refused.
fn keep_submitting(node: &Server, stop: &AtomicBool) -> (Vec<String>, usize) {
    let (mut ids, mut refused) = (Vec::new(), 0);
    while !stop.load(Ordering::SeqCst) {
        match submit(node, r#"{"name": "note"}"#) {
            (201, task) => ids.push(task["id"].as_str().unwrap().to_owned()),
            _ => refused += 1,
        }
    }
    (ids, refused)
}

/// Says what the health was when a test gives up.
struct Shown<'a>(&'a std::cell::RefCell<Value>);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        eprintln!("the health is {}", self.0.borrow());
    }
}

/// Waits until the node takes submissions again and says that it is well.
fn recovered(node: &Server) {
    let last = std::cell::RefCell::new(Value::Null);
    let shown = Shown(&last);
    eventually("it is well again", || {
        let (status, health) = node.call("GET", "/health", "");
        let well = status == 200 && health["store"]["outcomes_waiting"] == 0 && health["store"]["spool_bytes"] == 0;
        last.replace(health);
        well
    });
    std::mem::forget(shown);
    node.submit(r#"{"name": "demo.echo"}"#);
}

fn workers(node: &Server, state: &str) -> usize {
    let workers = node.get("/api/v1/workers");
    workers["data"].as_array().unwrap().iter().filter(|worker| worker["state"] == state).count()
}

/// A figure without labels.
fn metric(node: &Server, name: &str) -> Option<f64> {
    let (_, text) = node.text("/metrics");
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}
