//! Chaos: three real nodes, clients, PostgreSQL, Redis and a nemesis; a checker looks whether what was promised was kept. See
//! README.md.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by a panic")]

mod checker;
mod client;
mod cluster;
mod history;
mod load;
mod nemesis;
mod node;
#[cfg(feature = "planted-bugs")]
mod planted;
mod proxy;
mod run;
mod secrets;
mod services;
mod store;
mod whole;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use checker::Violation;
use load::Plan;
use run::Run;

/// `JOBQUEUE_CHAOS_SEED`, or another one each time.
fn seed() -> u64 {
    let given = std::env::var("JOBQUEUE_CHAOS_SEED").ok();
    given.map_or_else(|| fastrand::u64(..1_000_000), |seed| seed.parse().expect("JOBQUEUE_CHAOS_SEED is a number"))
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |value| value.parse().expect("a number"))
}

fn is_long() -> bool {
    std::env::var_os("JOBQUEUE_TESTS").is_some_and(|value| value == "long")
}

fn within(limit: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Not a test: what the nodes' processes run.
#[test]
#[ignore = "a node of the other tests"]
fn node_process() {
    node::run();
}

#[test]
fn promises_are_kept_whatever_goes_wrong() {
    let seeds = if is_long() { (0..5).map(|n| seed() + n).collect() } else { vec![seed()] };
    for seed in seeds {
        let tasks = number("JOBQUEUE_CHAOS_TASKS", 20_000) as usize;
        let span = number("JOBQUEUE_CHAOS_SECONDS", 70) * 1_000;
        eprintln!("JOBQUEUE_CHAOS_SEED={seed}: {tasks} tasks within {} s", span / 1_000);
        let run = Run {
            seed,
            plan: Plan::mixed(seed, tasks, span),
            steps: nemesis::plan(seed, span),
            variables: run::NOTHING,
            heartbeat_s: 1,
            pauses: true,
            whole: true,
            quiet: false,
            settle: Duration::from_secs(90),
        };
        let folder = folder();
        eprintln!("logs in {}", folder.display());
        let found = judge(&run, &folder);
        assert!(
            found.is_empty(),
            "JOBQUEUE_CHAOS_SEED={seed}, logs in {}:\n{}",
            folder.display(),
            checker::report(&found)
        );
        std::fs::remove_dir_all(folder).unwrap();
    }
}

/// For one run; it stays where the run fails.
fn folder() -> PathBuf {
    tempfile::tempdir().unwrap().keep()
}

/// What a run shows to be broken.
fn judge(run: &Run, folder: &Path) -> Vec<Violation> {
    let history = run.go(folder);
    let lost = history.store.attempts.iter().filter(|row| row.outcome == "crashed").count();
    let (tasks, starts, harms) = (history.store.tasks.len(), history.executions.len(), history.harms.len());
    if !run.quiet {
        eprintln!("{tasks} tasks, {starts} starts, {lost} leases lost, {harms} times something was done to a node");
    }
    checker::check(&history)
}
