//! `check`: sound stores are sound, and each thing that can be wrong is named.

use std::path::Path;

use diesel::{Connection as _, PgConnection, SqliteConnection, connection::SimpleConnection as _};
use serde_json::Value;

use crate::{
    run::{Ran, alone},
    support::{Server, eventually, store},
    workflows as graphs,
};

/// A store in which everything has happened that can: every status but running, retries, parents, limits, keys.
fn eventful(folder: &Path) -> Server {
    let server = Server::start(folder);
    let done = server.submit(r#"{"name": "demo.add", "args": [1, 2], "expires_in": "1h"}"#);
    server.finished(&done);
    let retry = r#"{"initial": "1ms", "jitter": false}"#;
    let dead =
        server.submit(&format!(r#"{{"name": "demo.fail", "args": ["no"], "max_retries": 2, "retry": {retry}}}"#));
    server.finished(&dead);
    let again = server.submit(r#"{"name": "demo.fail", "args": ["no"], "max_retries": 0}"#);
    server.finished(&again);
    assert_eq!(server.call("POST", &format!("/api/v1/tasks/{again}/retry"), "").0, 200);
    server.until(&again, |task| task["generation"] == 2 && task["status"] == "failed");
    let late = server.submit(r#"{"name": "demo.sleep", "args": [60], "timeout": "20ms", "max_retries": 0}"#);
    server.finished(&late);
    let waits = server.submit(r#"{"name": "demo.echo", "delay": "1h", "unique_key": "k", "expires_in": "2h"}"#);
    server.submit(&format!(r#"{{"name": "demo.echo", "depends_on": ["{waits}"]}}"#));
    unique(&server);
    let skipped = server.submit(&format!(r#"{{"name": "demo.echo", "depends_on": ["{dead}"]}}"#));
    assert_eq!(server.task(&skipped)["status"], "skipped");
    let cancelled = server.submit(r#"{"name": "demo.echo", "delay": "1h"}"#);
    assert_eq!(server.call("POST", &format!("/api/v1/tasks/{cancelled}/cancel"), "").0, 200);
    let back_off = r#"{"initial": "1h", "max": "1h", "jitter": false}"#;
    let retried = server.submit(&format!(r#"{{"name": "demo.fail", "args": ["no"], "retry": {back_off}}}"#));
    server.until(&retried, |task| task["status"] == "retry");
    // It has waited for nothing, and waits for its next time.
    let snoozed = server.submit(r#"{"name": "demo.snooze", "args": [3600, 9], "max_age": "2h"}"#);
    server.until(&snoozed, |task| task["snoozes"] == 1);
    let aged = server.submit(r#"{"name": "demo.snooze", "args": [3600, 9], "max_age": "10m"}"#);
    server.until(&aged, |task| task["status"] == "expired");
    let old = server.submit(r#"{"name": "demo.fail", "kwargs": {"retry_after": 3600}, "max_age": "10m"}"#);
    server.finished(&old);
    for (name, schedule) in [("s", r#"{"cron": "@yearly""#), ("often", r#"{"every": "1s""#)] {
        let schedule = format!(r#"{schedule}, "task": {{"name": "demo.echo", "queue": "ticks"}}}}"#);
        assert_eq!(server.call("PUT", &format!("/api/v1/schedules/{name}"), &schedule).0, 201);
    }
    assert_eq!(server.call("POST", "/api/v1/schedules/often/pause", "").0, 200);
    let limit = r#"{"rate_limit": {"limit": 2, "per": "1h"}, "concurrency": 1}"#;
    assert_eq!(server.call("PUT", "/api/v1/queues/limited", limit).0, 200);
    server.finished(&server.submit(r#"{"name": "demo.echo", "queue": "limited"}"#));
    let long = server.submit(r#"{"name": "demo.sleep", "args": [3600], "queue": "limited"}"#);
    server.until(&long, |task| task["status"] == "running");
    let keys = r#""fair_key": "f", "rate_key": "r", "cost": 2, "concurrency_key": "c""#;
    assert_eq!(server.call("PUT", "/api/v1/queues/shared", r#"{"key_concurrency": 1}"#).0, 200);
    for (name, status) in [("demo.echo", "success"), ("demo.sleep", "running"), ("demo.echo", "queued")] {
        let task = format!(r#"{{"name": "{name}", "args": [3600], "queue": "shared", {keys}}}"#);
        let id = server.submit(&task);
        server.until(&id, |task| task["status"] == status);
    }
    // What is over while it waits in its lane, and what is to be there later.
    let gone = server.submit(&format!(r#"{{"name": "demo.echo", "queue": "shared", {keys}}}"#));
    assert_eq!(server.call("POST", &format!("/api/v1/tasks/{gone}/cancel"), "").0, 200);
    server.submit(&format!(r#"{{"name": "demo.echo", "queue": "shared", "delay": "1h", {keys}}}"#));
    workflows(&server);
    server
}

/// Keys that are let go at the start, kept beyond the end, or passed on.
fn unique(server: &Server) {
    let task = |name: &str, key: &str, scope: &str| {
        format!(
            r#"{{"name": "{name}", "args": [3600], "max_retries": 0, "unique_key": "{key}", "unique": {{{scope}}}}}"#
        )
    };
    server.finished(&server.submit(&task("demo.echo", "ended", "")));
    server.finished(&server.submit(&task("demo.echo", "kept", r#""while": ["waiting", "running", "success"]"#)));
    server.finished(&server.submit(&task("demo.fail", "period", r#""for": "1h""#)));
    let started = server.submit(&task("demo.sleep", "started", r#""while": ["waiting"]"#));
    server.until(&started, |task| task["status"] == "running");
    let passed = task("demo.echo", "passed", r#""for": "1ms""#);
    server.finished(&server.submit(&passed));
    eventually("the key is free", || server.call("POST", "/api/v1/tasks", &passed).0 == 201);
    let replaced = |n: usize| {
        format!(
            r#"{{"name": "demo.echo", "args": [{n}], "delay": "{n}h", "max_age": "{n}d", "unique_key": "replaced", "unique_conflict": "replace"}}"#
        )
    };
    server.submit(&replaced(1));
    assert_eq!(server.call("POST", "/api/v1/tasks", &replaced(2)).1["replaced"], true);
}

/// One that is over with a task deleted, one that failed, was retried and failed again, one that runs.
fn workflows(server: &Server) {
    let over = r#"{"tasks": {"a": {"name": "demo.echo", "queue": "wa"}, "b": {"name": "demo.echo", "depends_on": ["a"]},
        "c": {"name": "demo.echo", "depends_on": [{"task": "a", "on_failure": "only"}]}}, "on_success": {"name": "demo.echo", "queue": "ws"}}"#;
    let over = graphs::submit(server, over);
    graphs::ended(server, &over, "success");
    let graph = server.call("GET", &format!("/api/v1/workflows/{over}/graph"), "").1;
    let b = graph["nodes"].as_array().unwrap().iter().find(|node| node["node"] == "b").unwrap()["id"].as_str().unwrap();
    assert_eq!(server.call("DELETE", &format!("/api/v1/tasks/{b}"), "").0, 204);
    let failed = r#"{"chain": [{"name": "demo.fail", "args": ["no"], "max_retries": 0}, {"name": "demo.echo"}],
        "on_success": {"name": "demo.echo"}, "on_failure": {"name": "demo.echo", "queue": "wf"}}"#;
    let failed = graphs::submit(server, failed);
    let called = || graphs::get(server, &failed)["callbacks"]["on_failure"]["status"] == "success";
    eventually("the callback has run", called);
    assert_eq!(server.call("POST", &format!("/api/v1/workflows/{failed}/retry"), "").0, 200);
    graphs::ended(server, &failed, "failed");
    eventually("the callback has run again", called);
    graphs::submit(server, r#"{"group": [{"name": "demo.echo", "delay": "1h"}], "on_failure": {"name": "demo.echo"}}"#);
}

fn check(folder: &Path) -> Ran {
    alone(folder, &["check", "--json"])
}

fn broken(ran: &Ran) -> Vec<(String, Value)> {
    let report = ran.json();
    let all = report["invariants"].as_array().unwrap().iter();
    all.filter(|one| one["violations"] != 0)
        .map(|one| (one["name"].as_str().unwrap().to_owned(), one.clone()))
        .collect()
}

#[test]
fn a_sound_store_is_sound_while_it_works_and_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    if store::database(folder.path()).is_none() {
        alone(folder.path(), &["check"]).is(3, &["there is no database", "--database-url"]);
        assert!(!folder.path().join("data").exists(), "looking makes nothing");
    } else {
        alone(folder.path(), &["check"]).is(1, &["does not exist", "jobqueue migrate up"]);
    }
    let server = eventful(folder.path());
    alone(folder.path(), &["check"]).is(0, &["running_held", "counters_add_up"]);
    // In the middle of work, again and again: whatever snapshot it sees is sound.
    let tasks =
        (0..2_000).map(|n| serde_json::json!({"name": "demo.add", "args": [n, 1], "queue": format!("q{}", n % 7), "fair_key": (n % 2 == 0).then(|| format!("k{}", n % 5))}));
    let ids = server.submit_all(tasks.collect());
    loop {
        let ran = check(folder.path());
        assert_eq!((ran.code, broken(&ran)), (0, vec![]), "{ran:?}");
        if ids.iter().rev().take(20).all(|id| server.task(id)["status"] == "success") {
            break;
        }
    }
    server.kill();
    let ran = check(folder.path());
    assert_eq!((ran.code, broken(&ran)), (0, vec![]), "{ran:?}");
}

/// What is done to the database, and the invariant that must be named for it.
const CORRUPTIONS: &[(&str, &str)] = &[
    ("status_known", "UPDATE tasks SET status = 77, finished_at = 1 WHERE status = 8"),
    ("running_held", "UPDATE tasks SET lease_id = NULL WHERE status = 3"),
    ("running_held", "DELETE FROM leases"),
    ("lease_counts", "UPDATE tasks SET status = 8, finished_at = 1 WHERE status = 3"),
    ("lease_counts", "UPDATE leases SET open = open + 1"),
    ("lease_of_live_worker", "UPDATE workers SET state = 'stopped'"),
    ("claimable_has_time", "UPDATE tasks SET ready_at = NULL WHERE status = 4"),
    ("others_have_no_time", "UPDATE tasks SET ready_at = 1 WHERE status = 5"),
    ("others_have_no_time", "UPDATE tasks SET ready_at = 1 WHERE status = 3"),
    ("cancel_only_running", "UPDATE tasks SET cancel_requested = TRUE WHERE status = 1"),
    ("unique_key_live", "UPDATE tasks SET unique_key = 'k2', live_key = 'k2' WHERE unique_key = 'ended'"),
    ("unique_key_live", "UPDATE tasks SET live_key = NULL WHERE live_key = 'k'"),
    // One that is over and has its key for good, and one that has let go of it at its start.
    ("unique_key_live", "UPDATE tasks SET live_key = NULL WHERE live_key = 'kept'"),
    ("unique_key_live", "UPDATE tasks SET live_key = unique_key WHERE unique_key = 'started'"),
    ("unique_key_live", "UPDATE tasks SET status = 2, ready_at = 1, attempt = 0 WHERE unique_key = 'started'"),
    ("unique_scope_sound", "UPDATE tasks SET unique_while = 63 WHERE unique_key IS NULL"),
    ("unique_scope_sound", "UPDATE tasks SET unique_until = 1 WHERE unique_key IS NULL"),
    ("unique_scope_sound", "UPDATE tasks SET unique_while = 24 WHERE unique_key = 'started'"),
    ("unique_scope_sound", "UPDATE tasks SET unique_while = 55 WHERE unique_key = 'kept'"),
    (
        "unique_key_once",
        "DROP INDEX tasks_live_key; UPDATE tasks SET queue = 'default', unique_key = 'k', live_key = 'k' WHERE status IN (1, 4)",
    ),
    ("pending_has_parents", "UPDATE tasks SET unmet = 0 WHERE status = 0"),
    (
        "pending_is_told",
        "UPDATE tasks SET status = 8, ready_at = NULL, live_key = NULL, finished_at = 1 WHERE status = 1 AND has_dependants",
    ),
    ("unmet_counts", "UPDATE tasks SET unmet = 2 WHERE status = 0"),
    ("started_after_parents", "UPDATE tasks SET unmet = 1 WHERE status = 5"),
    ("parent_tells", "UPDATE tasks SET has_dependants = FALSE"),
    ("dependencies_exist", "DELETE FROM tasks WHERE status = 1 AND has_dependants"),
    (
        "dead_letter_is_dead",
        "INSERT INTO dead_letter_queue SELECT id, queue, name, 5, 'exhausted', '{}', 1, 1, '' FROM tasks WHERE status = 5",
    ),
    ("dead_is_dead_letter", "DELETE FROM dead_letter_queue"),
    ("attempts_numbered", "DELETE FROM attempts WHERE number = 1"),
    ("attempts_numbered", "UPDATE tasks SET attempt = attempt + 1 WHERE status = 4"),
    (
        "attempts_of_tasks",
        "UPDATE attempts SET task_id = {nobody} WHERE task_id = (SELECT task_id FROM attempts ORDER BY task_id LIMIT 1)",
    ),
    ("keys_have_lane", "UPDATE tasks SET lane = NULL WHERE status = 1 AND flow IS NOT NULL"),
    ("keys_have_lane", "UPDATE tasks SET sublane = NULL WHERE flow IS NOT NULL"),
    ("keys_have_lane", "UPDATE tasks SET flow = NULL WHERE status = 5"),
    ("laned_can_start", "UPDATE tasks SET laned = TRUE WHERE status = 3 AND flow IS NOT NULL"),
    ("laned_can_start", "UPDATE tasks SET laned = TRUE WHERE status = 0"),
    ("laned_can_start", "UPDATE tasks SET laned = TRUE WHERE status = 4"),
    ("failures_within_retries", "UPDATE tasks SET failures = 9, attempt = 9 WHERE status = 6"),
    ("over_has_end", "UPDATE tasks SET finished_at = NULL WHERE status = 5"),
    ("result_of_success", "UPDATE tasks SET result = '1' WHERE status = 4"),
    ("not_early", "UPDATE tasks SET run_at = started_at + 1 WHERE status = 5"),
    ("expiry_noted", "DELETE FROM expiries"),
    ("age_has_end", "UPDATE tasks SET expires_at = NULL WHERE max_age_ms IS NOT NULL"),
    ("age_has_end", "UPDATE tasks SET expires_at = expires_at + 1 WHERE max_age_ms IS NOT NULL AND status = 9"),
    ("queue_exists", "DELETE FROM queues WHERE name = 'limited'"),
    ("schedule_next", "UPDATE schedules SET next_at = NULL"),
    ("schedule_next", "UPDATE schedules SET next_at = next_tick - 1"),
    ("schedule_next", "UPDATE schedules SET paused_by = 'api'"),
    ("counters_add_up", "UPDATE counters SET n = n + 1 WHERE kind = 5"),
    ("counters_add_up", "DELETE FROM counters WHERE kind = 6"),
    ("workflow_counts", "UPDATE workflows SET success = success - 1, failed = failed + 1 WHERE state = 1"),
    ("workflow_counts", "UPDATE workflow_tasks SET ended = 6 WHERE ended IS NOT NULL"),
    ("workflow_state", "UPDATE workflows SET state = 1 WHERE state = 2"),
    ("workflow_state", "UPDATE workflows SET finished_at = NULL WHERE state = 1"),
    ("workflow_members", "UPDATE tasks SET workflow_id = {nobody} WHERE workflow_id IS NOT NULL"),
    ("workflow_members", "DELETE FROM workflow_tasks WHERE role = 0"),
    ("parent_tells", "UPDATE workflows SET has_dependants = FALSE"),
    ("dependencies_exist", "DELETE FROM workflows WHERE state = 0"),
    ("concurrency_kept", "UPDATE tasks SET status = 3 WHERE queue = 'limited'"),
    ("permits_within_limit", "UPDATE limits SET state = {nine}"),
];

/// Makes a copy of the sound store in which something is wrong.
fn corrupt_file(sound: &Path, copy: &Path, corruption: &str) {
    std::fs::create_dir(copy.join("data")).unwrap();
    for file in std::fs::read_dir(sound.join("data")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.join("data").join(file.file_name())).unwrap();
    }
    let corruption = corruption
        .replace("{nobody}", "x'00000000000000000000000000000001'")
        .replace("{nine}", "json_set(state, '$.starts[0][1][1]', 9)");
    let mut connection = SqliteConnection::establish(copy.join("data/jobqueue.db").to_str().unwrap()).unwrap();
    connection.batch_execute(&format!("PRAGMA ignore_check_constraints = ON; {corruption}")).unwrap();
}

fn corrupt_database(sound: &str, copy: &Path, corruption: &str) {
    let copied = store::database(copy).unwrap();
    let name = |url: &str| url.rsplit_once('/').unwrap().1.to_owned();
    let (server, _) = sound.rsplit_once('/').unwrap();
    let mut admin = PgConnection::establish(&format!("{server}/postgres")).unwrap();
    // The killed server's connections may linger for a moment.
    eventually("the copy is made", || {
        admin.batch_execute(&format!("DROP DATABASE IF EXISTS {}", name(&copied))).unwrap();
        admin.batch_execute(&format!("CREATE DATABASE {} TEMPLATE {}", name(&copied), name(sound))).is_ok()
    });
    let unchecked = "DO $$ DECLARE one RECORD; BEGIN FOR one IN SELECT conrelid::regclass AS place, conname FROM pg_constraint \
                     WHERE contype = 'c' AND conrelid <> 0 AND connamespace = 'public'::regnamespace LOOP EXECUTE \
                     format('ALTER TABLE %s DROP CONSTRAINT %I', one.place, one.conname); END LOOP; END $$";
    let corruption = corruption
        .replace("{nobody}", "'00000000-0000-0000-0000-000000000001'")
        .replace("{nine}", "jsonb_set(state::jsonb, '{starts,0,1,1}', '9')::text");
    let mut connection = PgConnection::establish(&copied).unwrap();
    connection.batch_execute(&format!("{unchecked}; {corruption}")).unwrap();
}

#[test]
fn each_thing_that_can_be_wrong_is_named() {
    let folder = tempfile::tempdir().unwrap();
    eventful(folder.path()).kill();
    let mut named = vec!["file_sound".to_owned()];
    for (name, corruption) in CORRUPTIONS {
        let copy = tempfile::tempdir().unwrap();
        match store::database(folder.path()) {
            None => corrupt_file(folder.path(), copy.path(), corruption),
            Some(sound) => corrupt_database(&sound, copy.path(), corruption),
        }
        let ran = check(copy.path());
        assert_eq!(ran.code, 1, "{corruption}: {ran:?}");
        let broken = broken(&ran);
        let found = broken.iter().find(|(found, _)| found == name);
        let (_, found) = found.unwrap_or_else(|| panic!("{name}: {corruption}: {broken:?}"));
        assert!(found["examples"].as_array().is_some_and(|examples| (1..=5).contains(&examples.len())), "{found}");
        ran.is(1, &["invariants do not hold"]);
        named.push((*name).to_owned());
    }
    let report = alone(folder.path(), &["check", "--json"]).json();
    for invariant in report["invariants"].as_array().unwrap() {
        assert!(named.iter().any(|name| invariant["name"] == **name), "{invariant} is proved by no corruption");
    }
}

#[test]
fn a_damaged_file_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let tasks = (0..1_000).map(|n| serde_json::json!({"name": "demo.echo", "args": [n], "delay": "1h"}));
    server.submit_all(tasks.collect());
    server.signal("-TERM");
    server.wait();
    let database = folder.path().join("data/jobqueue.db");
    // Out of the log and into the file, which is what is damaged.
    let mut connection = SqliteConnection::establish(database.to_str().unwrap()).unwrap();
    connection.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    drop(connection);
    let mut bytes = std::fs::read(&database).unwrap();
    let page = bytes.len() / 2 / 4096 * 4096;
    bytes[page..page + 4096].fill(0x55);
    std::fs::write(&database, bytes).unwrap();
    let ran = check(folder.path());
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("malformed") || broken(&ran).iter().any(|(name, _)| name == "file_sound"), "{ran:?}");
    std::fs::write(&database, "no database at all, but a text that is long enough to look at").unwrap();
    check(folder.path()).is(1, &["not a database"]);
}
