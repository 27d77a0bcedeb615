//! A node ends while PostgreSQL is away: the outcomes it owes are recorded by its next life.

use std::{fs, io::Write as _};

use crate::{
    Site, metric, recovered,
    support::{Server, eventually},
};

/// A node with four tasks whose handlers have ended while the store was away.
fn owing(site: &mut Site) -> (Server, Vec<String>) {
    let node = site.node("a", "4");
    let ids = site.held(&node, 4);
    site.postgres.kill();
    site.go();
    eventually("the outcomes are safe", || site.spooled("a") == 4);
    (node, ids)
}

#[test]
fn a_node_that_is_killed_meanwhile_does_not_run_them_again() {
    let mut site = Site::new(&[]);
    let (node, ids) = owing(&mut site);
    node.kill();
    // Killed in the midst of writing another one.
    let mut spool = fs::OpenOptions::new().append(true).open(site.spool("a")).unwrap();
    spool.write_all(b"0123456789abcdef {\"worker\":\"01").unwrap();
    site.postgres.start_again();
    let node = site.node("a", "4");
    // Before anything could have been started.
    for id in &ids {
        let task = node.task(id);
        assert_eq!((&task["status"], &task["attempt"], &task["crashes"]), (&"success".into(), &1.into(), &0.into()));
        assert_eq!(task["result"], 1);
    }
    recovered(&node);
    site.all_ran_once(&node, &ids);
    assert_eq!(site.spooled("a"), 0);
}

#[test]
fn a_snooze_is_kept_until_the_store_is_back_as_any_outcome() {
    let mut site = Site::new(&[]);
    let node = site.node("a", "4");
    let ids: Vec<String> = (0..2).map(|_| node.submit(r#"{"name": "later", "max_age": "2h"}"#)).collect();
    eventually("both run", || site.counts("begun").len() == 2);
    site.postgres.kill();
    site.go();
    eventually("the outcomes are safe", || site.spooled("a") == 2);
    node.kill();
    site.postgres.start_again();
    let node = site.node("a", "4");
    for id in &ids {
        let task = node.task(id);
        assert_eq!((&task["status"], &task["snoozes"]), (&"scheduled".into(), &1.into()), "{task}");
        assert_eq!((&task["attempt"], &task["failures"], &task["crashes"]), (&0.into(), &0.into(), &0.into()));
        assert_eq!(site.counts("begun").get(id), Some(&1));
    }
    recovered(&node);
    assert_eq!((site.spooled("a"), metric(&node, "jobqueue_leases_lost_total")), (0, Some(0.0)));
}

#[test]
fn a_node_that_is_stopped_meanwhile_loses_no_outcome() {
    let mut site = Site::new(&[]);
    let node = site.node("a", "4");
    let ids = site.held(&node, 4);
    site.postgres.kill();
    node.signal("-TERM");
    site.go();
    assert_eq!(node.wait(), Some(0));
    assert_eq!(site.spooled("a"), 4);
    site.postgres.start_again();
    let node = site.node("a", "4");
    recovered(&node);
    site.all_ran_once(&node, &ids);
}

#[test]
fn outcomes_of_tasks_that_were_taken_back_meanwhile_are_dropped() {
    let mut site = Site::new(&[]);
    let (node, ids) = owing(&mut site);
    node.kill();
    site.postgres.start_again();
    let other = site.node("b", "4");
    for id in &ids {
        let task = other.finished(id);
        assert_eq!((&task["status"], &task["attempt"], &task["crashes"]), (&"success".into(), &2.into(), &1.into()));
    }
    let node = site.node("a", "4");
    assert_eq!(metric(&node, "jobqueue_leases_lost_total"), Some(4.0));
    let own = other.get("/api/v1/workers")["data"].as_array().unwrap().clone();
    let own = &own.iter().find(|worker| worker["pid"] == other.pid()).unwrap()["id"];
    for id in &ids {
        let task = node.task(id);
        assert_eq!((&task["worker_id"], &task["attempt"]), (own, &2.into()));
    }
    assert_eq!(site.spooled("a"), 0);
}
