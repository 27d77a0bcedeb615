//! Connections are cut, or there is none to be had.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use diesel::{Connection as _, PgConnection, connection::SimpleConnection as _};

use crate::{Site, keep_submitting, recovered, submit, support::eventually};

const CUT: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'jobqueue'";

#[test]
fn a_node_whose_connections_are_cut_again_and_again_loses_nothing() {
    let site = Site::new(&[]);
    let node = site.node("a", "4");
    let stop = AtomicBool::new(false);
    let (ids, _) = thread::scope(|scope| {
        let client = scope.spawn(|| keep_submitting(&node, &stop));
        for round in 1..=20 {
            eventually("the load is on", || site.counts("begun").len() >= 6 * round);
            site.postgres.run(CUT);
        }
        stop.store(true, Ordering::SeqCst);
        client.join().unwrap()
    });
    recovered(&node);
    assert!(ids.len() >= 100, "{}", ids.len());
    site.all_ran_once(&node, &ids);
}

#[test]
fn a_node_that_gets_no_connection_says_so_and_goes_on_once_there_is_one() {
    let site = Site::new(&["max_connections=15"]);
    let node = site.node("a", "4");
    let ids = site.held(&node, 4);
    let mut admin = site.postgres.connect();
    let mut others = Vec::new();
    eventually("others have all connections", || {
        admin.batch_execute(CUT).unwrap();
        while let Ok(other) = PgConnection::establish(&site.postgres.url()) {
            others.push(other);
        }
        let (status, problem) = submit(&node, r#"{"name": "note"}"#);
        let detail = problem["detail"].as_str().unwrap_or_default();
        status == 503 && detail.contains("too many clients") && detail.contains(&site.postgres.name())
    });
    site.go();
    eventually("the outcomes are safe", || site.spooled("a") > 0);
    let (status, health) = node.call("GET", "/health", "");
    assert_eq!((status, &health["store"]["status"]), (503, &"down".into()), "{health}");
    drop(others);
    recovered(&node);
    site.all_ran_once(&node, &ids);
}
