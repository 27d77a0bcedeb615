//! Figures over a window, their history, and the metrics.

use std::{collections::BTreeSet, process::Stdio};

use jobqueue::task::{ErrorKind, Outcome};
use serde_json::{Value, json};

use crate::support::Server;

/// Three tasks that end: one well, one for good after a retry that is due at once, one by a cancel.
async fn some_work(server: &Server) {
    server.submit(r#"{"name":"a","queue":"x"}"#).await;
    server.claim("x").await.remove(0).finish(Outcome::Success("1".into()));
    let id =
        server.submit(r#"{"name":"a","queue":"x","max_retries":1,"retry":{"initial":"1ms","jitter":false}}"#).await;
    let mut ends = 0;
    while ends < 2 {
        for grant in server.claim("x").await {
            grant.finish(Outcome::failure(ErrorKind::Exit, "no"));
            ends += 1;
        }
    }
    assert_eq!(server.get(&format!("/api/v1/tasks/{id}/result?wait=30s")).await.json()["status"], "failed");
    let id = server.submit(r#"{"name":"a","queue":"y"}"#).await;
    assert_eq!(server.post(&format!("/api/v1/tasks/{id}/cancel"), "").await.status, 200);
}

async fn window(server: &Server, query: &str) -> Value {
    server.get(&format!("/api/v1/stats?{query}")).await.json()["window"].clone()
}

fn counts(figures: &Value) -> [u64; 6] {
    ["submitted", "succeeded", "failed_attempts", "dead", "retried", "cancelled"]
        .map(|field| figures[field].as_u64().unwrap_or_else(|| panic!("{field}: {figures}")))
}

#[actix::test]
async fn a_window_tells_what_has_happened_stored_or_not() {
    let server = Server::start().await;
    assert_eq!(window(&server, "").await["success_rate"], json!(null));
    some_work(&server).await;
    for _ in 0..2 {
        let all = window(&server, "window=1h").await;
        assert_eq!(counts(&all), [3, 1, 2, 1, 1, 1], "{all}");
        assert_eq!((&all["success_rate"], &all["queue"]), (&json!(0.5), &json!(null)));
        assert_eq!((&all["wait_ms"]["count"], &all["run_ms"]["count"]), (&json!(3), &json!(3)));
        assert!(all["run_ms"]["p95"].as_f64() >= all["run_ms"]["p50"].as_f64(), "{all}");
        assert!(all["submitted_per_s"].as_f64() > Some(0.0) && all["finished_per_s"].as_f64() > Some(0.0), "{all}");
        assert!(all["utilisation"].as_f64().is_some_and(|share| (0.0..=1.0).contains(&share)), "{all}");
        let x = window(&server, "window=24h&queue=x").await;
        assert_eq!((counts(&x), &x["queue"]), ([2, 1, 2, 1, 1, 0], &json!("x")));
        assert_eq!(counts(&window(&server, "window=90d&queue=y").await), [1, 0, 0, 0, 0, 1]);
        assert_eq!(counts(&window(&server, "queue=never").await), [0; 6]);
        // The second time around all of it comes from the store.
        server.engine.flush_metrics().await.unwrap();
    }
}

#[actix::test]
async fn the_history_has_every_step_and_adds_up_to_the_window() {
    let server = Server::start().await;
    some_work(&server).await;
    server.engine.flush_metrics().await.unwrap();
    for (query, step, least) in [
        ("", 60_000, 60),
        ("window=24h", 900_000, 96),
        ("window=1h&step=30m", 1_800_000, 2),
        ("window=30d", 21_600_000, 120),
    ] {
        let history = server.get(&format!("/api/v1/stats/history?{query}")).await.json();
        let points = history["points"].as_array().unwrap();
        assert_eq!(history["step_ms"], step, "{query}");
        assert!((least..=least + 1).contains(&points.len()), "{query}: {} points", points.len());
        let sum = points.iter().map(counts).fold([0; 6], |sum, point| std::array::from_fn(|n| sum[n] + point[n]));
        assert_eq!(sum, [3, 1, 2, 1, 1, 1], "{query}");
    }
}

#[actix::test]
async fn a_window_that_cannot_be_is_refused_by_name() {
    let server = Server::start().await;
    for (path, name) in [
        ("stats?window=5", "window"),
        ("stats?window=", "window"),
        ("stats?window=91d", "window"),
        ("stats?window=-5m", "window"),
        ("stats?window=1e400", "window"),
        ("stats?queue=a%20b", "queue"),
        ("stats?queue=", "queue"),
        ("stats/history?window=soon", "window"),
        ("stats/history?step=1s", "step"),
        ("stats/history?step=90s", "step"),
        ("stats/history?step=2h", "step"),
        ("stats/history?window=24h&step=", "step"),
        ("stats/history?window=30d&step=15m", "step"),
        ("stats/history?window=90d&step=1h", "step"),
        ("stats/history?queue=%00", "queue"),
    ] {
        let problem = server.get(&format!("/api/v1/{path}")).await.assert_problem(422, "invalid_parameter");
        assert_eq!(problem["errors"][0]["parameter"], name, "{path}: {problem}");
    }
}

/// Each family's name, by its type.
fn families(text: &str) -> BTreeSet<(String, String)> {
    let typed = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    typed.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect()
}

#[actix::test]
async fn the_metrics_are_those_of_the_document_and_prometheus_takes_them() {
    let server = Server::start().await;
    some_work(&server).await;
    let response = server.get("/metrics").await;
    assert_eq!(response.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = response.text();
    let document = include_str!("../../docs/metrics.md");
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.split('|');
        let name = cells.next()?.trim().trim_matches('`').to_owned();
        Some((name, cells.next()?.trim().to_owned()))
    };
    assert_eq!(families(&text), document.lines().filter_map(row).collect());
    for sample in [
        "jobqueue_tasks{queue=\"x\",status=\"success\"} 1",
        "jobqueue_dead_letters{queue=\"x\"} 1",
        "jobqueue_tasks_submitted_total{queue=\"x\"} 2",
        "jobqueue_tasks_finished_total{queue=\"y\",outcome=\"cancelled\"} 1",
        "jobqueue_attempts_failed_total{queue=\"x\"} 2",
        "jobqueue_retries_total{queue=\"x\"} 1",
        "jobqueue_task_run_seconds_count{queue=\"x\"} 3",
        "jobqueue_store_up 1",
        "jobqueue_workers{state=\"alive\"} 1",
    ] {
        assert!(text.lines().any(|line| line == sample), "{sample} is missing:\n{text}");
    }
    promtool(&text);
}

/// Debian's own checker: `tests/run` sees to it, and says by `PROMTOOL` where it is.
fn promtool(text: &str) {
    let program = std::env::var_os("PROMTOOL").unwrap_or_else(|| "promtool".into());
    let mut command = std::process::Command::new(&program);
    let pipes = command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match pipes.spawn() {
        Ok(child) => child,
        Err(error) => panic!("{program:?}: {error}; tests/run fetches it"),
    };
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}

#[actix::test]
async fn labels_are_bounded_whatever_is_submitted_or_asked_for() {
    let server = Server::start().await;
    for n in 0..150 {
        assert_eq!(counts(&window(&server, &format!("queue=asked{n}")).await), [0; 6]);
    }
    let task = |n| json!({"name": format!("name{n}"), "queue": format!("q{n}"), "unique_key": format!("key{n}")});
    let tasks: Vec<_> = (0..150).map(task).collect();
    assert_eq!(server.post("/api/v1/tasks/batch", &json!({"tasks": tasks}).to_string()).await.status, 200);
    let text = server.get("/metrics").await.text();
    let submitted: Vec<_> = text.lines().filter(|line| line.starts_with("jobqueue_tasks_submitted_total{")).collect();
    assert_eq!(submitted.len(), 101);
    assert!(submitted.contains(&"jobqueue_tasks_submitted_total{queue=\"other\"} 50"), "{submitted:?}");
    assert!(text.contains("jobqueue_tasks{queue=\"other\",status=\"queued\"} 50\n"), "{text}");
    for word in ["asked", "name1", "key1"] {
        assert!(!text.contains(word), "{word}");
    }
    promtool(&text);
    assert_eq!(window(&server, "queue=q0").await["submitted"], 1);
    assert_eq!(counts(&window(&server, "").await)[0], 150);
}

#[actix::test]
async fn how_many_tasks_waited_is_averaged_over_the_looks() {
    let server = Server::start().await;
    assert_eq!(window(&server, "window=1h").await["waiting"], json!(null));
    for priority in ["high", "high", "low"] {
        server.submit(&json!({"name": "a", "queue": "x", "delay": "1h", "priority": priority}).to_string()).await;
    }
    server.submit(r#"{"name":"a","queue":"y","delay":"1h"}"#).await;
    server.engine.flush_metrics().await.unwrap();
    let waiting = async |query: &str| window(&server, query).await["waiting"].clone();
    assert_eq!(waiting("window=1h").await, json!({"high": 2.0, "medium": 1.0, "low": 1.0}));
    assert_eq!(waiting("window=1h&queue=x").await, json!({"high": 2.0, "medium": 0.0, "low": 1.0}));
    assert_eq!(waiting("window=90d&queue=never").await, json!({"high": 0.0, "medium": 0.0, "low": 0.0}));
}
