//! Schedules that tick, and workflows with callbacks, beside the other load. They have queues of their own, and a handler that
//! writes nothing down: what counts is what is recorded.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use diesel::{
    PgConnection, QueryableByName, RunQueryDsl as _, sql_query,
    sql_types::{Integer, Nullable, Text, Uuid as SqlUuid},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::cluster::Nodes;

pub(crate) const TICKS: &str = "ticks";
pub(crate) const GRAPHS: &str = "graphs";
/// What their tasks are named.
pub(crate) const HANDLER: &str = "chaos.whole";
const PERIOD_MS: i64 = 1_000;
const SCHEDULES: [(&str, &str); 2] = [("every", r#""every": "1s""#), ("cron", r#""cron": "* * * * * *""#)];
const PAUSE: Duration = Duration::from_millis(150);

/// All that was seen of them.
#[derive(Debug, Default, Clone)]
pub(crate) struct Whole {
    /// Schedule and tick of each task there is, in milliseconds.
    pub(crate) ticks: Vec<(String, i64)>,
    pub(crate) planned: Vec<Drawn>,
    pub(crate) members: Vec<Member>,
}

/// A workflow that was acknowledged.
#[derive(Debug, Clone)]
pub(crate) struct Drawn {
    pub(crate) id: Uuid,
    /// How each of its tasks must end, callbacks among them.
    pub(crate) ends: BTreeMap<String, &'static str>,
    pub(crate) state: &'static str,
}

/// A task of a workflow as it is recorded.
#[derive(Debug, Clone, QueryableByName)]
pub(crate) struct Member {
    #[diesel(sql_type = SqlUuid)]
    pub(crate) workflow: Uuid,
    #[diesel(sql_type = Text)]
    pub(crate) state: String,
    #[diesel(sql_type = Text)]
    pub(crate) name: String,
    #[diesel(sql_type = Text)]
    pub(crate) status: String,
    #[diesel(sql_type = Integer)]
    pub(crate) crashes: i32,
}

#[derive(QueryableByName)]
struct Tick {
    #[diesel(sql_type = Nullable<Text>)]
    meta: Option<String>,
}

fn until_ok(
    nodes: &Nodes,
    random: &mut fastrand::Rng,
    method: &str,
    path: &str,
    key: &str,
    body: &str,
) -> Option<Value> {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(60) {
        match nodes.call_any(random, method, path, &[("Idempotency-Key", key)], body) {
            Some((status, answer)) if status < 500 => {
                assert!(matches!(status, 200 | 201), "{method} {path}: {status} {answer}");
                return Some(answer);
            }
            _ => std::thread::sleep(PAUSE),
        }
    }
    None
}

pub(crate) fn set_schedules(nodes: &Nodes) {
    for (name, rule) in SCHEDULES {
        let body = format!(
            r#"{{{rule}, "catch_up": "all", "task": {{"name": "{HANDLER}", "queue": "{TICKS}", "kwargs": {{"fails": false}}}}}}"#
        );
        let path = format!("/api/v1/schedules/{name}");
        until_ok(nodes, &mut fastrand::Rng::new(), "PUT", &path, name, &body).expect("the nodes answer");
    }
}

pub(crate) fn pause_schedules(nodes: &Nodes) {
    for (name, _) in SCHEDULES {
        let path = format!("/api/v1/schedules/{name}/pause");
        until_ok(nodes, &mut fastrand::Rng::new(), "POST", &path, name, "{}").expect("the nodes answer");
    }
}

/// Submits workflows until told to end.
pub(crate) fn submit(nodes: &Nodes, seed: u64, over: &AtomicBool) -> Vec<Drawn> {
    let (mut random, mut all) = (fastrand::Rng::with_seed(seed), Vec::new());
    while !over.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(random.u64(50..500)));
        let (body, ends, state) = draw(&mut random);
        let key = format!("whole-{seed}-{}", all.len());
        let Some(answer) = until_ok(nodes, &mut random, "POST", "/api/v1/workflows", &key, &body.to_string()) else {
            break;
        };
        let id = answer["id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
        all.push(Drawn { id, ends, state });
    }
    all
}

/// A graph of up to nine tasks, some of which fail for good, and how it must end.
fn draw(random: &mut fastrand::Rng) -> (Value, BTreeMap<String, &'static str>, &'static str) {
    let (mut tasks, mut ends, mut in_need) = (serde_json::Map::new(), BTreeMap::new(), BTreeSet::new());
    for n in 0..random.usize(2..10) {
        let (mut ties, mut runs, mut needed) = (Vec::new(), true, true);
        let parents: Vec<usize> = (0..n).filter(|_| random.u8(..10) < 4).collect();
        for parent in &parents {
            // Which of a parent that failed and one that was not needed is heard of first decides what a child of both is: not here.
            let on_failure = match parents[..] {
                _ if in_need.contains(parent) => "run",
                [_] => ["skip", "run", "only"][random.usize(..3)],
                _ => ["skip", "run"][random.usize(..2)],
            };
            ties.push(json!({"task": format!("n{parent}"), "on_failure": on_failure}));
            let good = ends[&format!("n{parent}")] == "success";
            runs &= on_failure == "run" || good == (on_failure == "skip");
            needed &= !(on_failure == "only" && good);
            if on_failure == "only" {
                in_need.insert(n);
            }
        }
        let fails = random.u8(..10) == 0;
        let mut task = json!({"name": HANDLER, "queue": GRAPHS, "max_retries": 0, "kwargs": {"fails": fails}});
        task["depends_on"] = ties.into();
        tasks.insert(format!("n{n}"), task);
        let end = match (runs, fails) {
            (true, false) => "success",
            (true, true) => "failed",
            (false, _) if needed => "skipped",
            (false, _) => "unneeded",
        };
        ends.insert(format!("n{n}"), end);
    }
    // What was not needed leaves nothing to be desired.
    let good = ends.values().all(|end| matches!(*end, "success" | "unneeded"));
    let callback = json!({"name": HANDLER, "queue": GRAPHS, "kwargs": {"fails": false}});
    let body = json!({"tasks": tasks, "on_success": callback, "on_failure": callback});
    ends.insert("on_success".into(), if good { "success" } else { "over" });
    ends.insert("on_failure".into(), if good { "over" } else { "success" });
    (body, ends, if good { "success" } else { "failed" })
}

pub(crate) fn read(connection: &mut PgConnection, planned: Vec<Drawn>) -> Whole {
    let ticks = sql_query(format!("SELECT meta FROM tasks WHERE queue = '{TICKS}'"));
    let tick = |row: Tick| {
        let meta: Value = serde_json::from_str(&row.meta.unwrap_or_default()).unwrap_or_default();
        let at: jiff::Timestamp =
            meta["tick"].as_str().and_then(|at| at.parse().ok()).expect("a task of a tick has it");
        (meta["schedule"].as_str().expect("and its schedule").to_owned(), at.as_millisecond())
    };
    let ticks = ticks.load::<Tick>(connection).expect("tasks").into_iter().map(tick).collect();
    let members = "SELECT w.id AS workflow, (ARRAY['running', 'success', 'failed', 'cancelled'])[w.state + 1] AS state, \
        CASE m.role WHEN 1 THEN 'on_success' WHEN 2 THEN 'on_failure' ELSE m.name END::text AS name, CASE WHEN t.status < 5 \
        THEN 'live' ELSE (ARRAY['success', 'failed', 'timeout', 'cancelled', 'expired', 'skipped'])[t.status - 4] END AS status, \
        t.crashes FROM workflows w JOIN workflow_tasks m ON m.workflow_id = w.id JOIN tasks t ON t.id = m.task_id";
    Whole { ticks, planned, members: sql_query(members).load(connection).expect("workflows") }
}

/// Ticks of one schedule that are missing or there twice.
pub(crate) fn gaps(ticks: &[(String, i64)]) -> Vec<String> {
    let mut by_schedule: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    ticks.iter().for_each(|(schedule, at)| by_schedule.entry(schedule).or_default().push(*at));
    let mut found = Vec::new();
    for (schedule, mut all) in by_schedule {
        all.sort_unstable();
        let odd = all.windows(2).filter(|pair| pair[1] - pair[0] != PERIOD_MS);
        found.extend(odd.map(|pair| format!("schedule {schedule}: after {} comes {}", pair[0], pair[1])));
    }
    found
}
