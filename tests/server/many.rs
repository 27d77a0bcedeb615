//! What is read while there is much: with `--long` a million tasks in every state, and more that come and run meanwhile. How long
//! each takes is printed.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{Server, is_long};

const ROUNDS: usize = 200;

const READS: [&str; 26] = [
    "/stats",
    "/stats?window=7d",
    "/stats/history",
    "/tasks",
    "/tasks?sort=created_at",
    "/tasks?limit=200&include=args,result",
    "/tasks?status=running",
    "/tasks?status=queued",
    "/tasks?status=queued&queue=few",
    "/tasks?status=queued,scheduled&queue=few&sort=created_at&limit=200",
    "/tasks?status=failed",
    "/tasks?status=retry,expired",
    "/tasks?queue=done",
    "/tasks?queue=waiting&status=scheduled",
    "/tasks?name=no.such",
    "/tasks?tag=no-such",
    "/tasks?q=noop",
    "/tasks?count=exact&status=success",
    "/tasks?count=estimate&name=no.such",
    "/queues",
    "/queues/waiting/stats",
    "/dlq",
    "/dlq?error=no-such",
    "/dlq/stats",
    "/dlq/groups",
    "/workers",
];

fn fill(server: &Server, of: usize) {
    let submit = |count: usize, task: &Value| drop(server.submit_all(vec![task.clone(); count]));
    for queue in ["waiting", "few"] {
        assert_eq!(server.call("PUT", &format!("/api/v1/queues/{queue}"), r#"{"paused":true}"#).0, 200);
    }
    // As many as are looked at one by one.
    submit(of / 50, &json!({"name": "fault.noop", "queue": "few"}));
    submit(of * 3 / 10, &json!({"name": "fault.noop", "queue": "waiting", "tags": ["a"]}));
    submit(of / 20, &json!({"name": "fault.noop", "queue": "waiting", "delay": "1d"}));
    let drained = |count: usize, task: Value| {
        for _ in 0..count.div_ceil(10_000) {
            submit(count.min(10_000), &task);
            let began = Instant::now();
            while server.get("/api/v1/queues/done/stats")["total_queued"] != 0 {
                assert!(began.elapsed() < Duration::from_secs(60), "they do not end");
                std::thread::park_timeout(Duration::from_millis(20));
            }
        }
    };
    drained(of / 50, json!({"name": "demo.fail", "queue": "done", "max_retries": 0}));
    drained(of * 61 / 100, json!({"name": "fault.noop", "queue": "done"}));
}

#[test]
fn every_list_answers_while_much_is_stored_and_more_comes() {
    let (stored, rounds) = if is_long() { (1_000_000, ROUNDS) } else { (10_000, 10) };
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(folder.path(), &["--concurrency", "16"]);
    fill(&server, stored);
    let over = AtomicBool::new(false);
    let load = || {
        let tasks = vec![json!({"name": "fault.noop", "queue": "load"}); 100];
        let (mut stored, began) = (0, Instant::now());
        while !over.load(Ordering::Relaxed) {
            stored += server.submit_all(tasks.clone()).len();
        }
        stored as f64 / began.elapsed().as_secs_f64()
    };
    let measure = || {
        let mut took: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
        for path in (0..rounds).flat_map(|_| READS) {
            let began = Instant::now();
            server.get(&format!("/api/v1{path}"));
            took.entry(path).or_default().push(began.elapsed());
        }
        over.store(true, Ordering::Relaxed);
        took
    };
    let (mut took, rate) = std::thread::scope(|scope| {
        let load = scope.spawn(load);
        let took = scope.spawn(measure).join();
        over.store(true, Ordering::Relaxed);
        (took.unwrap(), load.join().unwrap())
    });
    let mut table = format!("{stored} tasks stored, {rate:.0} more a second meanwhile\n");
    for (path, times) in &mut took {
        times.sort_unstable();
        let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
        table += &format!("{path:45} p50 {:>8.1?} p99 {:>8.1?} max {:>8.1?}\n", at(0.5), at(0.99), at(1.0));
    }
    show(&table);
}

#[expect(clippy::print_stdout, reason = "the figures are what one may want to look at")]
fn show(table: &str) {
    println!("{table}");
}
