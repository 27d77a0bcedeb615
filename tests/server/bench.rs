//! `jobqueue bench` measures everything and leaves nothing.

use std::{
    fs,
    io::Read as _,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::support::{eventually, program};

fn bench(folder: &Path, arguments: &[&str]) -> Command {
    let mut bench = program(folder);
    bench.arg("bench").arg("--folder").arg(folder).args(arguments);
    bench
}

/// Processes that work in the folder, or worked there before it was deleted.
fn left_behind(folder: &Path) -> usize {
    let processes = fs::read_dir("/proc").unwrap().map_while(Result::ok);
    let works_there = |process: &fs::DirEntry| {
        fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder.join("")) && cwd != folder)
    };
    processes.filter(works_there).count()
}

/// Of the database of the phase over HTTP.
fn log_size(folder: &Path) -> u64 {
    let runs = fs::read_dir(folder).unwrap().map_while(Result::ok);
    let logs = runs.filter_map(|run| fs::metadata(run.path().join("http/data/jobqueue.db-wal")).ok());
    logs.map(|log| log.len()).sum()
}

#[test]
fn an_address_that_is_none_is_refused_with_what_is_expected() {
    let folder = tempfile::tempdir().unwrap();
    for url in ["nonsense", "sqlite://x.db", "postgres://me:hunter2@localhost"] {
        let output = bench(folder.path(), &["--database-url", url]).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), told.lines().count()), (Some(2), 1), "{told}");
        assert!(told.contains("--database-url: expected postgres://USER") && !told.contains("hunter2"), "{told}");
    }
}

#[test]
fn a_benchmark_has_every_figure() {
    let folder = tempfile::tempdir().unwrap();
    let small = ["--tasks", "2000", "--queued", "2000", "--seconds", "1", "--latency-seconds", "1", "--json"];
    let output = bench(folder.path(), &small).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    for figure in [
        "/submit_one_per_s",
        "/submit_http_one_per_s",
        "/submit_bulk_per_s",
        "/submit_http_batch_per_s",
        "/drain_per_s",
        "/steady_per_s",
        "/latency_ms/p50",
        "/latency_ms/max",
        "/rss_idle_mb",
        "/rss_queued_mb",
        "/bytes_per_task/store",
        "/workflows/wide_per_s",
        "/workflows/fan_in_per_s",
        "/workflows/link_ms",
        "/depth/plain_per_s",
        "/depth/deep_per_s",
        "/depth/held_per_s",
        "/handlers/once_per_s",
        "/handlers/thread_per_s",
        "/handlers/cancel_ms/p99",
        "/per_task/wal_bytes",
        "/per_task/commits",
        "/per_task/cpu_us/drain",
        "/per_task/cpu_us/http_one/server",
    ] {
        assert!(report.pointer(figure).and_then(Value::as_f64).is_some_and(|n| n > 0.0), "{figure}: {report}");
    }
    assert!(report["per_task"]["commits"].as_f64().unwrap() < 1.0, "{report}");
    assert_eq!((fs::read_dir(folder.path()).unwrap().count(), left_behind(folder.path())), (0, 0));
}

#[test]
fn an_interrupted_benchmark_leaves_neither_server_nor_folder() {
    let folder = tempfile::tempdir().unwrap();
    let mut child =
        bench(folder.path(), &["--only", "http", "--tasks", "5000000"]).stderr(Stdio::piped()).spawn().unwrap();
    eventually("its server is at work", || log_size(folder.path()) > 100_000);
    assert_eq!(left_behind(folder.path()), 1);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id() as i32), nix::sys::signal::Signal::SIGINT).unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{said}");
    assert!(said.contains("interrupted"), "{said}");
    assert_eq!((fs::read_dir(folder.path()).unwrap().count(), left_behind(folder.path())), (0, 0));
}
