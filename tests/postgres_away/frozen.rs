//! A process that is stopped, and goes on later as though nothing had been.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    Site, metric, recovered, submit,
    support::{Server, eventually},
    workers,
};

/// Longer than any time limit: that of a statement is 30 s, the nodes' patience with each other 6 s.
const LONG: Duration = Duration::from_secs(35);

#[test]
fn a_frozen_database_is_held_against_nobody() {
    let site = Site::new(&[]);
    let (a, b) = (site.node("a", "4"), site.node("b", "4"));
    let ids = site.held(&a, 8);
    site.postgres.freeze();
    let began = Instant::now();
    thread::scope(|scope| {
        let nodes: [&Server; 2] = [&a, &b];
        let clients = nodes.map(|node| scope.spawn(|| submit(node, r#"{"name": "note"}"#)));
        let (status, health) = a.call("GET", "/health", "");
        assert_eq!((status, &health["store"]["status"]), (503, &"down".into()), "{health}");
        assert!(health["store"]["error"].as_str().unwrap().contains(&site.postgres.name()), "{health}");
        site.go();
        eventually("the handlers have ended", || site.counts("ended").len() == 8);
        for client in clients {
            let (status, problem) = client.join().unwrap();
            assert_eq!((status, &problem["code"]), (503, &"indeterminate".into()), "{problem}");
        }
    });
    eventually("long enough", || began.elapsed() > LONG);
    site.postgres.thaw();
    recovered(&a);
    recovered(&b);
    site.all_ran_once(&a, &ids);
    assert_eq!((workers(&a, "alive"), workers(&a, "dead")), (2, 0));
    for node in [&a, &b] {
        assert_eq!(metric(node, "jobqueue_leases_lost_total"), Some(0.0));
    }
}

#[test]
fn a_node_that_was_frozen_for_too_long_records_nothing_and_ends() {
    let site = Site::new(&[]);
    let frozen = site.node("a", "2");
    let ids = site.held(&frozen, 2);
    let other = site.node("b", "2");
    frozen.signal("-STOP");
    eventually("its tasks run elsewhere", || ids.iter().all(|id| site.counts("begun").get(id) == Some(&2)));
    let held: Vec<_> = ids.iter().map(|id| other.task(id)).collect();
    site.go();
    eventually("all four handlers have ended", || ids.iter().all(|id| site.counts("ended").get(id) == Some(&2)));
    frozen.signal("-CONT");
    assert_eq!(frozen.wait(), Some(1));
    for (id, before) in ids.iter().zip(held) {
        let task = other.finished(id);
        assert_eq!((&task["status"], &task["attempt"], &task["crashes"]), (&"success".into(), &2.into(), &1.into()));
        assert_eq!(task["worker_id"], before["worker_id"]);
    }
    assert_eq!((workers(&other, "alive"), workers(&other, "dead")), (1, 1));
}
