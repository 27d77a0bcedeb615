//! Tasks that wait for others, submitted in SQL.

use diesel::PgConnection;
use serde_json::json;

use crate::{
    Cluster, lines, run,
    sql::submit,
    support::{Server, eventually},
    within_a_second,
};

fn child(database: &mut PgConnection, parents: &[&str], more: &str) -> String {
    submit(database, &format!("'demo.echo', depends_on => '{{{}}}'{more}", parents.join(",")))
}

fn pause(node: &Server, paused: bool) {
    let (status, answer) = node.call("PUT", "/api/v1/queues/default", &json!({"paused": paused}).to_string());
    assert!((200..300).contains(&status), "{answer}");
}

#[test]
fn a_graph_of_one_transaction_runs_in_its_order() {
    let cluster = Cluster::new();
    let (one, other) = (cluster.node("a", "2"), cluster.node("b", "2"));
    let mut database = cluster.database();
    run(&mut database, "BEGIN");
    let first = submit(&mut database, "'demo.sleep', '[0.2]'");
    let second = child(&mut database, &[&first], "");
    let third = child(&mut database, &[&first, &second], ", queue => 'new'");
    run(&mut database, "COMMIT");
    within_a_second("all have run", || other.task(&third)["status"] == "success");
    let time = |id: &str, field: &str| one.task(id)[field].as_str().unwrap().to_owned();
    for (parent, child) in [(&first, &second), (&second, &third)] {
        assert!(time(parent, "finished_at") <= time(child, "started_at"));
    }
    // As the documentation has it: one statement.
    let ids = "WITH a AS MATERIALIZED (SELECT jobqueue_submit('demo.echo') AS id), \
               b AS MATERIALIZED (SELECT jobqueue_submit('demo.fail', max_retries => 0, depends_on => ARRAY[a.id]) AS id FROM a) \
               SELECT jobqueue_submit('demo.echo', depends_on => ARRAY[a.id, b.id], on_failure => '{run}')::text AS line FROM a, b";
    let last = lines(&mut database, ids).remove(0);
    within_a_second("it has run", || other.task(&last)["status"] == "success");
    let task = one.get(&format!("/api/v1/tasks/{third}/dependencies"));
    assert_eq!(task["parents"].as_array().map(Vec::len), Some(2), "{task}");
}

#[test]
fn what_its_parents_were_when_they_ended_decides() {
    let cluster = Cluster::new();
    let node = cluster.node("a", "2");
    let mut database = cluster.database();
    let done = node.submit(r#"{"name": "demo.echo"}"#);
    let failed = node.submit(r#"{"name": "demo.fail", "args": ["no"], "max_retries": 0}"#);
    let waits = node.submit(r#"{"name": "demo.echo", "delay": "1h"}"#);
    node.finished(&done);
    node.finished(&failed);
    for (parents, more, status) in [
        (vec![&*done], "", "success"),
        (vec![&*failed], "", "skipped"),
        (vec![&*failed], ", on_failure => '{run}'", "success"),
        (vec![&*failed, &*done], ", on_failure => '{run,skip}'", "success"),
        (vec![&*done, &*failed], ", on_failure => '{run,skip}'", "skipped"),
        (vec![&*waits, &*failed], "", "skipped"),
    ] {
        let id = child(&mut database, &parents, more);
        within_a_second("it is over", || node.task(&id)["status"] == status);
    }
    let later = child(&mut database, &[&done], ", delay => '1 hour', expires_in => '2 hours'");
    within_a_second("it waits for its time", || node.task(&later)["status"] == "scheduled");
    let pending = child(&mut database, &[&waits], "");
    assert_eq!(node.task(&pending)["status"], "pending");
    assert_eq!(node.call("POST", &format!("/api/v1/tasks/{waits}/cancel"), "").0, 200);
    within_a_second("it is skipped", || node.task(&pending)["status"] == "skipped");
    // Its own children learn of that too.
    let grandchild = child(&mut database, &[&pending], "");
    within_a_second("it is skipped", || node.task(&grandchild)["status"] == "skipped");
}

#[test]
fn an_open_transaction_keeps_no_parent_from_ending() {
    let cluster = Cluster::new();
    let node = cluster.node("a", "2");
    let mut database = cluster.database();
    let parent = node.submit(r#"{"name": "demo.sleep", "args": [0.3]}"#);
    node.until(&parent, |task| task["status"] == "running");
    run(&mut database, "BEGIN");
    let waits = child(&mut database, &[&parent], "");
    within_a_second("the parent ends", || node.task(&parent)["status"] == "success");
    assert_eq!(node.call("GET", &format!("/api/v1/tasks/{waits}"), "").0, 404);
    run(&mut database, "COMMIT");
    within_a_second("the child runs", || node.task(&waits)["status"] == "success");
}

#[test]
fn children_come_while_their_parents_end() {
    let cluster = Cluster::new();
    let nodes = [cluster.node("a", "4"), cluster.node("b", "4")];
    let children: Vec<String> = std::thread::scope(|scope| {
        let clients: Vec<_> = nodes
            .iter()
            .map(|node| {
                let mut database = cluster.database();
                scope.spawn(move || {
                    let mut ids = Vec::new();
                    for n in 0..150 {
                        let parent = node.submit(&json!({"name": "fault.noop", "priority": n % 10}).to_string());
                        let other = node.submit(r#"{"name": "fault.noop"}"#);
                        ids.push(child(&mut database, &[&parent, &other], ""));
                    }
                    ids
                })
            })
            .collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let counts = || nodes[0].get("/api/v1/stats")["status_counts"].clone();
    eventually("all have run", || counts()["success"] == 900);
    assert!(children.iter().all(|id| nodes[1].task(id)["attempt"] == 1));
    let early = "SELECT count(*)::text AS line FROM task_dependencies d JOIN tasks p ON p.id = d.parent_id JOIN tasks c ON \
                 c.id = d.child_id WHERE c.started_at < p.finished_at OR NOT d.resolved";
    assert_eq!(lines(&mut cluster.database(), early), ["0"]);
    let left = "SELECT count(*)::text AS line FROM unresolved_parents";
    assert_eq!(lines(&mut cluster.database(), left), ["0"]);
}

#[test]
fn a_child_that_came_while_no_node_was_up_is_looked_after() {
    let cluster = Cluster::new();
    let node = cluster.node("a", "2");
    pause(&node, true);
    let parent = node.submit(r#"{"name": "demo.echo"}"#);
    node.kill();
    let mut database = cluster.database();
    let waits = child(&mut database, &[&parent], "");
    let cancelled = child(&mut database, &[&parent], "");
    let node = cluster.node("a", "2");
    assert_eq!(node.call("POST", &format!("/api/v1/tasks/{cancelled}/cancel"), "").0, 200);
    pause(&node, false);
    assert_eq!(node.finished(&waits)["status"], "success");
    // One that was cancelled before its parents were asked waits for them when it is run again.
    let again = node.submit(r#"{"name": "demo.echo", "delay": "1h"}"#);
    let second = child(&mut database, &[&again], "");
    assert_eq!(node.call("POST", &format!("/api/v1/tasks/{second}/cancel"), "").0, 200);
    assert_eq!(node.call("POST", &format!("/api/v1/tasks/{second}/retry"), "").0, 200);
    assert_eq!(node.task(&second)["status"], "pending");
    assert_eq!(node.call("POST", &format!("/api/v1/tasks/{again}/run-now"), "").0, 200);
    assert_eq!(node.finished(&second)["status"], "success");
}

#[test]
fn a_retry_policy_is_kept_to() {
    let cluster = Cluster::new();
    let node = cluster.node("a", "2");
    let mut database = cluster.database();
    let policy = r#"{"strategy": "fixed", "initial": 0.05, "jitter": false}"#;
    let id = submit(&mut database, &format!("'demo.fail', '[\"no\"]', max_retries => 2, retry => '{policy}'"));
    assert_eq!(node.finished(&id)["failures"], 3);
    let attempts = node.get(&format!("/api/v1/tasks/{id}/attempts"));
    // From the moment it was recorded, a little after the failure.
    let delays = attempts["data"].as_array().unwrap().iter().filter_map(|one| one["next_delay_ms"].as_i64());
    assert_eq!(delays.filter(|delay| (0..=50).contains(delay)).count(), 2, "{attempts}");
    assert_eq!(node.task(&id)["retry"]["initial"], "50ms");
}
