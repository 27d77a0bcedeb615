//! Rate limits and caps, seen from outside: when tasks really start.

use serde_json::Value;

use crate::support::{
    Server, eventually, is_long,
    starts::{most_in_a_window, starts},
};

fn batch(server: &Server, task: &str, count: usize) -> Vec<String> {
    let tasks = vec![task; count].join(",");
    let (status, reply) = server.call("POST", "/api/v1/tasks/batch", &format!(r#"{{"tasks":[{tasks}]}}"#));
    assert_eq!(status, 200, "{reply}");
    reply["results"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

fn count(server: &Server, queue: &str, status: &str) -> u64 {
    server.get(&format!("/api/v1/queues/{queue}/stats"))["status_counts"][status].as_u64().unwrap_or_default()
}

/// Tasks of one limited queue, at most so many in a window of this length.
struct Run {
    tasks: usize,
    limit: usize,
    window: i64,
}

impl Run {
    /// Starts them all, through a kill -9 in the middle if asked for, and looks at when each started.
    fn go(&self, kill: bool) {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Server::start_with(folder.path(), &["--concurrency", "64"]);
        let limit = format!(r#"{{"limit":{},"per":"{}ms"}}"#, self.limit, self.window);
        assert_eq!(server.call("PUT", "/api/v1/queues/limited/rate-limit", &limit).0, 200);
        let ids = batch(&server, r#"{"name":"fault.clock","queue":"limited"}"#, self.tasks);
        // A queue beside it is not slowed.
        let free = batch(&server, r#"{"name":"fault.clock","queue":"free"}"#, 200);
        eventually("the free queue is done", || count(&server, "free", "success") == 200);
        assert!(count(&server, "limited", "success") < self.tasks as u64, "the limit has held nobody up");
        if kill {
            eventually("some are done", || count(&server, "limited", "success") >= self.tasks as u64 / 4);
            server.kill();
            server = Server::start_with(folder.path(), &["--concurrency", "64"]);
        }
        eventually("all are done", || count(&server, "limited", "success") == self.tasks as u64);
        let starts = starts(&server, &ids);
        assert!(most_in_a_window(&starts, self.window) <= self.limit, "{starts:?}");
        let (took, least) = (starts[starts.len() - 1] - starts[0], (self.tasks / self.limit - 1) as i64 * self.window);
        assert!(took >= least, "{} starts at {} in {} ms in {took} ms", self.tasks, self.limit, self.window);
        for task in free.iter().map(|id| server.task(id)) {
            assert_eq!((&task["status"], &task["attempt"]), (&Value::from("success"), &Value::from(1)));
        }
    }
}

#[test]
fn no_window_holds_more_starts_than_the_limit_even_through_a_kill() {
    let small = Run { tasks: 120, limit: 20, window: 500 };
    let large = Run { tasks: 500, limit: 50, window: 2_000 };
    if is_long() {
        (0..5).for_each(|run| large.go(run == 2));
    } else {
        small.go(true);
    }
}

#[test]
fn a_cap_is_never_exceeded_and_what_waits_for_it_starts_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(folder.path(), &["--concurrency", "16"]);
    assert_eq!(server.call("PUT", "/api/v1/queues/capped", r#"{"concurrency":3}"#).0, 200);
    batch(&server, r#"{"name":"demo.sleep","args":[0.02],"queue":"capped"}"#, 60);
    let mut most = 0;
    eventually("all are done", || {
        most = most.max(count(&server, "capped", "running"));
        count(&server, "capped", "success") == 60
    });
    assert!((1..=3).contains(&most), "{most} at a time");
    assert_eq!(server.get("/api/v1/stats")["totals"]["failed_attempts"], 0);
}
