//! Several nodes on one PostgreSQL database, real processes: run by `tests/services`, without and with Redis.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/drawn.rs"]
mod drawn;
mod flow;
mod lifecycle;
#[path = "../redis/server.rs"]
#[expect(dead_code, reason = "shared: it is used in full by the tests of the broker")]
mod redis_server;
mod remote;
#[path = "../support/remote.rs"]
mod remote_worker;
mod routing;
mod schedules;
mod sql;
mod sql_graph;
#[path = "../support/ticks.rs"]
mod ticks;
mod told;
mod unique;
mod whole;
#[path = "../support/workflows.rs"]
#[expect(dead_code, reason = "shared")]
mod workflows;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use diesel::{
    Connection as _, PgConnection, QueryableByName, RunQueryDsl as _, connection::SimpleConnection as _,
    sql_types::Text,
};

use serde_json::{Value, json};
use support::{Server, eventually};

/// Nodes that share a database and, where there is one, a Redis; each has a folder of its own.
struct Cluster {
    folder: tempfile::TempDir,
    url: String,
    prefix: String,
}

impl Cluster {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = support::store::database(folder.path()).expect("JOBQUEUE_TEST_STORE: run this by tests/services");
        let prefix = support::store::redis(folder.path()).map_or_else(|| "alone".into(), |(_, prefix)| prefix);
        Self { folder, url, prefix }
    }

    fn node(&self, name: &str, slots: &str) -> Server {
        self.node_at(name, slots, &self.url)
    }

    /// A node that names the database in another way.
    fn node_at(&self, name: &str, slots: &str, url: &str) -> Server {
        self.start(name, &["--concurrency", slots], &[("DATABASE_URL", url)])
    }

    /// One that is soon found dead.
    fn quick(&self, name: &str) -> Server {
        self.start(name, &[], &[("WORKER_HEARTBEAT_INTERVAL", "1s")])
    }

    fn node_with(&self, name: &str, variables: &[(&str, &str)]) -> Server {
        self.start(name, &["--concurrency", "1"], variables)
    }

    fn start(&self, name: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Server {
        let own: &Path = &self.folder.path().join(name);
        std::fs::create_dir_all(own).unwrap();
        let shared = [("DATABASE_URL", &*self.url), ("REDIS_PREFIX", &*self.prefix)];
        Server::start_under(own, arguments, &[&shared, variables].concat())
    }

    /// A client of the database besides the nodes.
    fn database(&self) -> PgConnection {
        PgConnection::establish(&self.url).unwrap()
    }
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

/// What a query answers in its only column, `line`.
fn lines(database: &mut PgConnection, query: &str) -> Vec<String> {
    let rows: Vec<Line> = diesel::sql_query(query).load(database).unwrap_or_else(|error| panic!("{query}: {error}"));
    rows.into_iter().map(|row| row.line).collect()
}

fn run(database: &mut PgConnection, statements: &str) {
    database.batch_execute(statements).unwrap_or_else(|error| panic!("{statements}: {error}"));
}

/// It becomes so sooner than anybody who only looks now and then would notice.
fn within_a_second(what: &str, is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    eventually(what, is_so);
    assert!(began.elapsed() < Duration::from_secs(1), "{what}: only after {:?}", began.elapsed());
}

/// Keeps the only slot of a node busy, so that others must run what it is given.
fn occupy(node: &Server) {
    let id = node.submit(r#"{"name": "demo.sleep", "args": [3600], "queue": "occupied"}"#);
    node.until(&id, |task| task["status"] == "running");
}

fn workers(server: &Server, state: &str) -> usize {
    let workers = server.get("/api/v1/workers");
    workers["data"].as_array().unwrap().iter().filter(|worker| worker["state"] == state).count()
}

fn count(server: &Server, status: &str) -> u64 {
    server.get("/api/v1/stats")["status_counts"][status].as_u64().unwrap()
}

#[test]
fn nodes_that_start_at_once_share_the_work_and_run_nothing_twice() {
    let cluster = Cluster::new();
    let nodes: Vec<Server> = std::thread::scope(|scope| {
        ["a", "b", "c"]
            .map(|name| (name, &cluster))
            .map(|(name, all)| scope.spawn(move || all.node(name, "8")))
            .map(|node| node.join().unwrap())
            .into()
    });
    assert_eq!(workers(&nodes[0], "alive"), 3);
    let tasks: Vec<Value> = (0..3_000).map(|n| json!({"name": "demo.echo", "args": [n]})).collect();
    let ids: Vec<String> =
        tasks.chunks(1_000).zip(&nodes).flat_map(|(part, node)| node.submit_all(part.to_vec())).collect();
    eventually("all are done", || count(&nodes[1], "success") == 3_000);
    let done: Vec<Value> = ids.iter().map(|id| nodes[2].task(id)).collect();
    assert!(done.iter().all(|task| task["attempt"] == 1), "a task was run twice");
    let mut by: Vec<&str> = done.iter().map(|task| task["worker_id"].as_str().unwrap()).collect();
    by.sort_unstable();
    by.dedup();
    assert!(by.len() > 1, "one node did it all");
}

#[test]
fn a_cancel_reaches_a_task_on_another_node() {
    let cluster = Cluster::new();
    let (one, other) = (cluster.node("a", "2"), cluster.node("b", "2"));
    let ids = one.submit_all(vec![json!({"name": "demo.sleep", "args": [3600]}); 4]);
    eventually("both run some", || count(&other, "running") == 4);
    for id in &ids {
        assert_eq!(other.call("POST", &format!("/api/v1/tasks/{id}/cancel"), "").0, 200);
    }
    for id in &ids {
        one.until(id, |task| task["status"] == "cancelled");
    }
}

#[test]
fn what_a_killed_node_ran_runs_elsewhere() {
    let cluster = Cluster::new();
    let (first, other) = (cluster.node("a", "4"), cluster.node("b", "4"));
    // Long enough that only the end of their node takes them back.
    let ids = first.submit_all(vec![json!({"name": "demo.sleep", "args": [20]}); 8]);
    eventually("all run", || count(&other, "running") == 8);
    let own = other.get("/api/v1/workers")["data"].as_array().unwrap().clone();
    let victim = own.iter().find(|worker| worker["pid"] == first.pid()).unwrap()["id"].clone();
    let held: Vec<&String> = ids.iter().filter(|id| other.task(id)["worker_id"] == victim).collect();
    assert!(!held.is_empty() && held.len() < 8);
    let began = Instant::now();
    first.kill();
    eventually("it is found dead", || workers(&other, "dead") == 1);
    let found = began.elapsed();
    assert!(found.as_secs() < 30, "{found:?}");
    for id in &held {
        let task = other.until(id, |task| task["status"] == "success");
        assert_eq!((&task["attempt"], &task["crashes"]), (&json!(2), &json!(1)));
    }
    // Those of the living were left alone.
    for id in ids.iter().filter(|id| !held.contains(id)) {
        assert_eq!(other.until(id, |task| task["status"] == "success")["attempt"], 1);
    }
}

#[test]
fn a_node_that_was_stopped_too_long_learns_that_it_is_dead_and_stays_so() {
    let cluster = Cluster::new();
    let (first, other) = (cluster.quick("a"), cluster.quick("b"));
    first.signal("-STOP");
    eventually("it is found dead", || workers(&other, "dead") == 1);
    first.signal("-CONT");
    assert_eq!(first.wait(), Some(1));
    assert_eq!((workers(&other, "dead"), workers(&other, "alive")), (1, 1));
}

/// A connection of the test's own, in the midst of a transaction that holds what `sql` finds.
fn holding(cluster: &Cluster, sql: &str) -> PgConnection {
    let mut connection = PgConnection::establish(&cluster.url).unwrap();
    connection.batch_execute("BEGIN").unwrap();
    diesel::sql_query(sql).execute(&mut connection).unwrap();
    connection
}

#[test]
fn a_claim_that_ends_after_its_node_has_stopped_loses_no_task() {
    let cluster = Cluster::new();
    let first = cluster.quick("a");
    first.finished(&first.submit(r#"{"name": "demo.echo"}"#));
    let id = first.submit(r#"{"name": "demo.echo", "delay": "1s"}"#);
    let mut gate = holding(&cluster, "SELECT 1 FROM queues FOR UPDATE");
    let mut store = PgConnection::establish(&cluster.url).unwrap();
    let mut is_so = |sql: &str| diesel::sql_query(sql).execute(&mut store).unwrap() > 0;
    eventually("the claim waits", || is_so("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"));
    let connections = "FROM pg_stat_activity WHERE application_name = 'jobqueue' AND datname = current_database()";
    is_so(&format!("CREATE TABLE before AS SELECT count(*) AS n {connections}"));
    first.signal("-TERM");
    // All that write but the one that waits have ended: nobody is left to give its task back.
    let ended = format!("SELECT 1 FROM before WHERE n - 3 >= (SELECT count(*) {connections})");
    eventually("its stages have ended", || is_so(&ended));
    gate.batch_execute("COMMIT").unwrap();
    assert_eq!(first.wait(), Some(0));
    let other = cluster.quick("b");
    assert_eq!(other.finished(&id)["status"], "success");
}

#[test]
fn a_node_that_stands_still_in_the_midst_of_a_claim_keeps_no_other_from_starting() {
    let cluster = Cluster::new();
    let _first = cluster.quick("a");
    let _held = holding(&cluster, "SELECT 1 FROM workers FOR KEY SHARE");
    let other = cluster.quick("b");
    assert_eq!(workers(&other, "alive"), 2);
}
