//! What one node does the others know at once, with PostgreSQL alone.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use diesel::PgConnection;
use serde_json::{Value, json};

use crate::{
    Cluster, lines, occupy, run,
    sql::submit,
    support::{Server, eventually},
    within_a_second,
};

/// One whose only slot is taken, and one that must do the work.
fn busy_and_idle(cluster: &Cluster) -> (Server, Server) {
    let busy = cluster.node("busy", "1");
    occupy(&busy);
    (busy, cluster.node("idle", "1"))
}

fn act(node: &Server, method: &str, path: &str, body: &str) -> Value {
    let (status, answer) = node.call(method, &format!("/api/v1{path}"), body);
    assert!((200..300).contains(&status), "{method} {path}: {answer}");
    answer
}

#[test]
fn tasks_run_at_once_on_another_node() {
    let cluster = Cluster::new();
    let (busy, idle) = busy_and_idle(&cluster);
    // In an order that a sweep would not follow, and more than luck would have it.
    for n in 0..10 {
        let id = busy.submit(&json!({"name": "demo.add", "args": [n, 1], "priority": n}).to_string());
        within_a_second("it has run", || idle.task(&id)["status"] == "success");
    }
    let id = busy.submit(r#"{"name": "demo.add", "args": [1], "delay": "300ms"}"#);
    within_a_second("what waits for its time has run", || idle.task(&id)["status"] == "success");
    // More than a head keeps.
    let ids = busy.submit_all(vec![json!({"name": "fault.noop"}); 3_000]);
    eventually("all have run", || idle.get("/api/v1/stats")["status_counts"]["success"] == 3_011);
    assert_eq!(idle.task(&ids[0])["attempt"], 1);
}

#[test]
fn a_queue_that_is_paused_and_resumed_elsewhere() {
    let cluster = Cluster::new();
    let (busy, idle) = busy_and_idle(&cluster);
    let first = busy.submit(r#"{"name": "demo.add", "args": [1]}"#);
    within_a_second("it has run", || idle.task(&first)["status"] == "success");
    for _ in 0..3 {
        act(&busy, "POST", "/queues/default/pause", "");
        let id = busy.submit(r#"{"name": "demo.add", "args": [1]}"#);
        act(&busy, "POST", "/queues/default/resume", "");
        within_a_second("it has run", || idle.task(&id)["status"] == "success");
    }
}

#[test]
fn a_cancel_reaches_its_handler_and_a_forced_one_gives_no_grace() {
    let cluster = Cluster::new();
    let (busy, idle) = busy_and_idle(&cluster);
    for (task, body) in [
        (r#"{"name": "demo.sleep", "args": [3600]}"#, ""),
        // Takes no notice of a cancel.
        (r#"{"name": "fault.block", "args": [3600]}"#, r#"{"force": true}"#),
    ] {
        let id = busy.submit(task);
        within_a_second("it runs", || idle.task(&id)["status"] == "running");
        act(&busy, "POST", &format!("/tasks/{id}/cancel"), body);
        within_a_second("it has ended", || idle.task(&id)["status"] == "cancelled");
    }
}

#[test]
fn settings_and_limits_are_in_force_everywhere() {
    let cluster = Cluster::new();
    let (one, other) = (cluster.node("a", "1"), cluster.node("b", "1"));
    act(&one, "PUT", "/queues/mail", r#"{"paused": true}"#);
    let submit = || other.call("POST", "/api/v1/tasks", r#"{"name": "demo.echo", "queue": "mail"}"#);
    submit();
    for retries in [7, 8, 9] {
        act(&one, "PUT", "/queues/mail", &json!({"paused": true, "max_retries": retries}).to_string());
        within_a_second("its defaults are known", || submit().1["max_retries"] == retries);
        act(&one, "PUT", "/queues/mail", r#"{"paused": true, "max_depth": 1}"#);
        within_a_second("it is full", || submit().0 == 429);
    }
}

#[test]
fn queues_are_counted_as_all_nodes_have_made_and_deleted_them() {
    let cluster = Cluster::new();
    let (one, other) = (cluster.node("a", "1"), cluster.node("b", "1"));
    let missing = 10_000 - 2 - lines(&mut cluster.database(), "SELECT name AS line FROM queues").len();
    let fill = "INSERT INTO queues (name, created_at) SELECT 'filler-' || n, 0 FROM generate_series(1, {}) n";
    run(&mut cluster.database(), &fill.replace("{}", &missing.to_string()));
    let submit = |node: &Server, queue: &str| {
        node.call("POST", "/api/v1/tasks", &json!({"name": "demo.echo", "queue": queue}).to_string())
    };
    assert_eq!(submit(&one, "first").0, 201);
    assert_eq!(submit(&one, "second").0, 201);
    for node in [&one, &other] {
        let (status, problem) = submit(node, "third");
        assert_eq!((status, &problem["code"]), (422, &json!("too_many_queues")), "{problem}");
    }
    assert_eq!(submit(&other, "first").0, 201, "it is there");
    act(&other, "DELETE", "/queues/filler-1", "");
    assert_eq!(submit(&one, "third").0, 201);
}

#[test]
fn a_key_that_is_revoked_opens_nothing_anywhere() {
    let cluster = Cluster::new();
    let (one, other) = (cluster.node("a", "1"), cluster.node("b", "1"));
    let call = |node: &Server, key: &str, method: &str, path: &str, body: &str| {
        let headers = format!("Authorization: Bearer {key}\r\nContent-Type: application/json\r\n");
        let (status, body, _) = node.try_call(method, path, &headers, body).unwrap();
        (status, body)
    };
    let root = act(&one, "POST", "/keys", r#"{"name": "root", "scopes": ["admin"]}"#)["key"].clone();
    let root = root.as_str().unwrap();
    within_a_second("keys are asked for", || other.call("GET", "/api/v1/tasks", "").0 == 401);
    let (status, made) = call(&one, root, "POST", "/api/v1/keys", r#"{"name": "guest", "scopes": ["read"]}"#);
    assert_eq!(status, 201, "{made}");
    let (guest, id) = (made["key"].as_str().unwrap(), made["id"].as_str().unwrap());
    within_a_second("it is let in", || call(&other, guest, "GET", "/api/v1/tasks", "").0 == 200);
    let path = format!("/api/v1/keys/{id}");
    let (status, gone) = call(&one, root, "DELETE", &path, "");
    assert!((200..300).contains(&status), "{gone}");
    within_a_second("it is refused", || call(&other, guest, "GET", "/api/v1/tasks", "").0 == 401);
}

#[test]
fn who_waits_for_a_result_is_answered_when_the_task_ends_elsewhere() {
    let cluster = Cluster::new();
    let (busy, _idle) = busy_and_idle(&cluster);
    for _ in 0..3 {
        let began = Instant::now();
        let task = act(&busy, "POST", "/tasks?wait=30s", r#"{"name": "demo.sleep", "args": [0.2]}"#);
        assert_eq!(task["status"], "success", "{task}");
        assert!(began.elapsed() < Duration::from_millis(1_200), "{:?}", began.elapsed());
    }
}

#[test]
fn a_queue_takes_no_more_than_its_depth_from_all_nodes_together() {
    let cluster = Cluster::new();
    let one = cluster.node("a", "1");
    act(&one, "PUT", "/queues/full", r#"{"paused": true, "max_depth": 100}"#);
    let other = cluster.node("b", "1");
    let batch = json!({"tasks": vec![json!({"name": "demo.echo", "queue": "full"}); 50]}).to_string();
    std::thread::scope(|scope| {
        for node in [&one, &other, &one, &other] {
            scope.spawn(|| (0..3).for_each(|_| drop(node.call("POST", "/api/v1/tasks/batch", &batch))));
        }
    });
    assert_eq!(one.get("/api/v1/queues/full/stats")["total_queued"], 100);
}

#[test]
fn events_of_one_node_are_followed_on_another() {
    let cluster = Cluster::new();
    let (one, other) = (cluster.node("a", "1"), cluster.node("b", "1"));
    let mut stream = TcpStream::connect(other.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    stream.write_all(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut events = BufReader::new(stream).lines();
    assert!(events.next().unwrap().unwrap().contains("200"));
    act(&one, "PUT", "/queues/mail", r#"{"paused": true}"#);
    let id = one.submit(r#"{"name": "demo.echo", "queue": "mail"}"#);
    // A second without a line is an error here.
    let came = events.map_while(Result::ok).any(|line| line.contains(&id));
    assert!(came, "the event has not come within a second");
}

#[test]
fn two_schemas_of_one_database_do_not_hear_each_other() {
    let cluster = Cluster::new();
    let mut database = cluster.database();
    run(&mut database, "CREATE SCHEMA east; CREATE SCHEMA west");
    let at = |name: &str, schema: &str| {
        cluster.node_at(name, "1", &format!("{}?options=-csearch_path%3D{schema}", cluster.url))
    };
    let (east, other, west) = (at("e1", "east"), at("e2", "east"), at("w", "west"));
    occupy(&east);
    let id = east.submit(r#"{"name": "demo.add", "args": [1]}"#);
    within_a_second("it has run", || other.task(&id)["status"] == "success");
    assert_eq!(west.call("GET", &format!("/api/v1/tasks/{id}"), "").0, 404);
    let heard = "SELECT count(DISTINCT channel)::text AS line FROM (SELECT substring(query FROM 'jobqueue.[0-9]+') AS channel \
                 FROM pg_stat_activity WHERE datname = current_database()) c";
    assert_eq!(lines(&mut database, heard), ["2"]);
}

#[test]
fn a_heartbeat_waits_for_no_other_work() {
    let cluster = Cluster::new();
    let node = cluster.node_with("a", &[("WORKER_HEARTBEAT_INTERVAL", "1s")]);
    act(&node, "PUT", "/queues/mail", "{}");
    let mut database = cluster.database();
    let mut beats =
        || lines(&mut database, "SELECT max(beat_seq)::text AS line FROM workers")[0].parse::<u64>().unwrap();
    let mut holder = cluster.database();
    run(&mut holder, "BEGIN; SELECT FROM queues WHERE name = 'mail' FOR UPDATE");
    std::thread::scope(|scope| {
        let change = scope.spawn(|| node.call("PUT", "/api/v1/queues/mail", r#"{"weight": 2}"#).0);
        let waits = "SELECT count(*)::text AS line FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
                     AND datname = current_database()";
        eventually("the change waits", || lines(&mut holder, waits) == ["1"]);
        let before = beats();
        eventually("it beats", || beats() >= before + 2);
        assert_eq!(lines(&mut holder, waits), ["1"], "the change waits all the time");
        run(&mut holder, "COMMIT");
        assert_eq!(change.join().unwrap(), 200);
    });
}

/// Two nodes, of which one does the work, and how they are cut off from what PostgreSQL tells them and find it again.
struct Lines {
    cluster: Cluster,
    database: PgConnection,
    /// Not a superuser, so that connections can be refused to it.
    role: String,
    busy: Server,
    idle: Server,
}

impl Lines {
    fn new(variables: &[(&str, &str)]) -> Self {
        let cluster = Cluster::new();
        let mut database = cluster.database();
        let role = lines(&mut database, "SELECT current_database() AS line").remove(0);
        run(&mut database, &format!("CREATE ROLE {role} LOGIN; GRANT ALL ON SCHEMA public TO {role}"));
        let url = cluster.url.replace("test@", &format!("{role}@"));
        let all = [&[("DATABASE_URL", &*url)], variables].concat();
        let (busy, idle) = (cluster.node_with("busy", &all), cluster.node_with("idle", &all));
        occupy(&busy);
        let own = Self { cluster, database, role, busy, idle };
        eventually("both hear", || own.is_ok());
        own
    }

    fn is_ok(&self) -> bool {
        [&self.busy, &self.idle].iter().all(|node| node.get("/health")["status"] == "ok")
    }

    fn cut(&mut self) {
        let cut = "SELECT pg_terminate_backend(pid)::text AS line FROM pg_stat_activity WHERE datname = current_database() AND \
                   query ~ '^(LISTEN|NOTIFY)'";
        run(&mut self.database, &format!("ALTER ROLE {} CONNECTION LIMIT 1", self.role));
        assert_eq!(lines(&mut self.database, cut).len(), 2);
        within_a_second("it is told", || self.idle.get("/health")["status"] == "degraded");
    }

    fn heal(&mut self) {
        run(&mut self.database, &format!("ALTER ROLE {} CONNECTION LIMIT -1", self.role));
        eventually("both hear again", || self.is_ok());
    }
}

#[test]
fn a_line_that_is_lost_is_told_of_and_made_again() {
    let mut site = Lines::new(&[]);
    site.cut();
    let broker = site.idle.get("/health")["broker"].clone();
    assert_eq!((&broker["kind"], &broker["status"]), (&json!("postgresql"), &json!("away")));
    let error = broker["error"].as_str().unwrap();
    assert!(error.contains("PostgreSQL at 127.0.0.1") && broker["since"].is_string(), "{broker}");
    assert!(broker["meanwhile"].as_str().unwrap().contains("up to 2 s later"), "{broker}");
    // Nothing is lost meanwhile.
    let id = site.busy.submit(r#"{"name": "demo.add", "args": [1]}"#);
    site.idle.until(&id, |task| task["status"] == "success");
    // And who waits for a task that ends elsewhere is answered long before the patience is over.
    let began = Instant::now();
    let task = act(&site.busy, "POST", "/tasks?wait=30s", r#"{"name": "demo.add", "args": [1]}"#);
    assert_eq!(task["status"], "success", "{task}");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    site.heal();
    let id = site.busy.submit(r#"{"name": "demo.add", "args": [1]}"#);
    within_a_second("it has run", || site.idle.task(&id)["status"] == "success");
}

#[test]
fn a_line_beside_redis_that_is_lost_is_told_of_too() {
    let redis = crate::redis_server::Redis::start();
    let mut site = Lines::new(&[("REDIS_URL", &redis.url())]);
    assert_eq!(site.idle.get("/health")["line"], json!({"kind": "postgresql", "status": "ok"}));
    site.cut();
    let health = site.idle.get("/health");
    assert_eq!(health["broker"], json!({"kind": "redis", "status": "ok"}));
    let line = &health["line"];
    assert_eq!((&line["status"], line["since"].is_string()), (&json!("away"), true), "{line}");
    assert!(line["error"].as_str().unwrap().contains("PostgreSQL at 127.0.0.1"), "{line}");
    assert!(line["meanwhile"].as_str().unwrap().contains("jobqueue_submit"), "{line}");
    // What Redis carries is as quick as ever, what is submitted in SQL is found.
    let id = site.busy.submit(r#"{"name": "demo.add", "args": [1]}"#);
    within_a_second("it has run", || site.idle.task(&id)["status"] == "success");
    let mut database = site.cluster.database();
    let id = submit(&mut database, "'demo.add', '[1]'");
    site.idle.until(&id, |task| task["status"] == "success");
    site.heal();
    let id = submit(&mut database, "'demo.add', '[1]'");
    within_a_second("it has run", || site.idle.task(&id)["status"] == "success");
}
