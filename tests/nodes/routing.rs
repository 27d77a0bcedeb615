//! Nodes that differ in what they run: by handlers, by labels, by queues.

use serde_json::{Value, json};

use crate::{
    Cluster, lines,
    sql::submit,
    support::{Server, eventually},
};

/// A node with a handler of its own, and what else the file says of it.
fn node(cluster: &Cluster, name: &str, handler: &str, worker: &str) -> Server {
    let folder = cluster.folder.path().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let file = format!("[worker]\n{worker}\n[tasks.\"{handler}\"]\ncommand = [\"true\"]\n");
    std::fs::write(folder.join("jobqueue.toml"), file).unwrap();
    cluster.node(name, "2")
}

fn worker_of<'a>(listed: &'a Value, node: &Server) -> &'a Value {
    let pid = json!(node.pid());
    listed["data"].as_array().unwrap().iter().find(|worker| worker["pid"] == pid).unwrap()
}

fn missing(node: &Server, id: &str) -> Value {
    let reasons = node.get(&format!("/api/v1/tasks/{id}/explain"))["reasons"].clone();
    let found = reasons.as_array().unwrap().iter().find(|reason| reason["code"] == "no_worker");
    found.map_or(Value::Null, |reason| reason["missing"].clone())
}

#[test]
fn nodes_share_queues_and_each_runs_what_it_has_handlers_for() {
    let cluster = Cluster::new();
    let a = node(&cluster, "a", "only.a", "labels = [\"gpu\"]");
    let b = node(&cluster, "b", "only.b", "");
    let listed = a.get("/api/v1/workers");
    let (of_a, of_b) = (worker_of(&listed, &a), worker_of(&listed, &b));
    assert_eq!((&of_a["labels"], &of_b["labels"]), (&json!(["gpu"]), &json!([])));
    assert!(of_b["names"].as_array().unwrap().contains(&json!("only.b")), "{of_b}");
    // Whichever is asked: what it has no handler for is the other's, and so is what it comes upon in a head or in SQL.
    let mut database = cluster.database();
    let mut expected = Vec::new();
    for n in 0..40 {
        let (name, runs) = if n % 2 == 0 { ("only.a", of_a) } else { ("only.b", of_b) };
        let id = match n % 3 {
            0 => a.submit(&json!({"name": name, "max_retries": 0}).to_string()),
            1 => b.submit(&json!({"name": name, "max_retries": 0}).to_string()),
            _ => submit(&mut database, &format!("'{name}', max_retries => 0")),
        };
        expected.push((id, &runs["id"]));
        let gpu = match n % 3 {
            0 => a.submit(r#"{"name": "demo.echo", "requires": ["gpu"]}"#),
            1 => b.submit(r#"{"name": "demo.echo", "requires": ["gpu"]}"#),
            _ => submit(&mut database, "'demo.echo', requires => '{gpu,gpu}'"),
        };
        expected.push((gpu, &of_a["id"]));
    }
    for (id, worker) in expected {
        let task = b.finished(&id);
        assert_eq!((&task["status"], &task["attempt"], &task["worker_id"]), (&json!("success"), &json!(1), worker));
    }
}

#[test]
fn what_no_node_can_run_waits_until_one_can() {
    let cluster = Cluster::new();
    let a = node(&cluster, "a", "only.a", "");
    let mut database = cluster.database();
    let by_rest = a.submit(r#"{"name": "only.b", "max_retries": 0}"#);
    let in_sql = submit(&mut database, "'only.b', max_retries => 0");
    let labelled = a.submit(r#"{"name": "demo.echo", "requires": ["gpu"]}"#);
    // It is not in the way of what comes after it.
    let after = a.submit(r#"{"name": "only.a"}"#);
    assert_eq!(a.finished(&after)["status"], "success");
    let in_lanes = "SELECT count(*)::text AS line FROM tasks WHERE laned AND status = 2 AND attempt = 0";
    eventually("all are out of the way", || lines(&mut database, in_lanes) == ["3"]);
    for (id, lack) in [(&by_rest, "name"), (&in_sql, "name"), (&labelled, "label")] {
        assert_eq!((missing(&a, id), &a.task(id)["status"]), (json!(lack), &json!("queued")));
    }
    let line = "jobqueue_unservable_tasks{queue=\"default\"} 3";
    assert!(a.text("/metrics").1.lines().any(|text| text == line), "{line}");
    let b = node(&cluster, "b", "only.b", "labels = [\"gpu\"]");
    let listed = a.get("/api/v1/workers");
    for id in [&by_rest, &in_sql, &labelled] {
        let task = b.finished(id);
        let told = (&task["status"], &task["attempt"], &task["worker_id"]);
        assert_eq!(told, (&json!("success"), &json!(1), &worker_of(&listed, &b)["id"]));
    }
}

#[test]
fn a_node_that_is_kept_to_some_queues_takes_tasks_of_no_other() {
    let cluster = Cluster::new();
    let mail = node(&cluster, "mail", "only.a", "queues = [\"mail:3\", \"bulk\"]");
    let listed = mail.get("/api/v1/workers");
    assert_eq!(worker_of(&listed, &mail)["queues"], json!(["bulk", "mail"]));
    let waits = mail.submit(r#"{"name": "demo.echo"}"#);
    let done = mail.submit(r#"{"name": "demo.echo", "queue": "mail"}"#);
    assert_eq!(mail.finished(&done)["status"], "success");
    assert_eq!((missing(&mail, &waits), &mail.task(&waits)["status"]), (json!("queue"), &json!("queued")));
    assert_eq!(mail.get("/api/v1/queues/default")["unservable"], 1);
    let rest = node(&cluster, "rest", "only.b", "");
    assert_eq!(rest.finished(&waits)["worker_id"], worker_of(&rest.get("/api/v1/workers"), &rest)["id"]);
}
