//! All of PostgreSQL is gone, and comes back.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use crate::{
    Site, keep_submitting, metric, recovered, submit,
    support::{Server, eventually},
};

#[test]
fn while_it_is_away_nothing_is_promised_and_nothing_is_lost() {
    let mut site = Site::new(&[]);
    let node = site.node("a", "4");
    let mut ids = site.held(&node, 4);
    ids.extend((0..10).map(|_| node.submit(r#"{"name": "note"}"#)));
    site.postgres.kill();
    for _ in 0..5 {
        let (status, problem) = submit(&node, r#"{"name": "note"}"#);
        assert_eq!((status, &problem["code"]), (503, &"store_unavailable".into()), "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(&site.postgres.name()), "{problem}");
    }
    eventually("health says since when", || {
        let (status, health) = node.call("GET", "/health", "");
        let store = &health["store"];
        assert_eq!((status, &store["status"]), (503, &"down".into()), "{health}");
        assert!(store["error"].as_str().unwrap().contains(&site.postgres.name()), "{health}");
        assert!(store["meanwhile"].as_str().unwrap().contains("outcomes wait"), "{health}");
        store["since"].is_string()
    });
    site.go();
    eventually("the handlers have ended, and their outcomes are safe", || {
        let (_, health) = node.call("GET", "/health", "");
        let safe = health["store"]["spool_bytes"].as_u64().unwrap() > 0;
        site.counts("ended").len() == 4 && health["store"]["outcomes_waiting"] == 4 && safe && site.spooled("a") == 4
    });
    assert_eq!(metric(&node, "jobqueue_outcomes_waiting"), Some(4.0));
    assert!(metric(&node, "jobqueue_spool_bytes") > Some(0.0));
    site.postgres.start_again();
    recovered(&node);
    site.all_ran_once(&node, &ids);
    assert_eq!(site.spooled("a"), 0);
    assert_eq!(metric(&node, "jobqueue_spool_bytes"), Some(0.0));
}

#[test]
fn what_was_acknowledged_under_load_survives_immediate_restarts() {
    let mut site = Site::new(&[]);
    let node = site.node("a", "4");
    let stop = AtomicBool::new(false);
    let (node, stop): (&Server, _) = (&node, &stop);
    let (ids, refused) = thread::scope(|scope| {
        let clients = [0, 1].map(|_| scope.spawn(|| keep_submitting(node, stop)));
        for round in 1..=2 {
            eventually("the load is on", || site.counts("begun").len() >= 20 * round);
            site.postgres.stop_immediately();
            eventually("it is noticed", || node.call("GET", "/health", "").0 == 503);
            site.postgres.start_again();
            recovered(node);
        }
        eventually("some more have run", || site.counts("begun").len() >= 80);
        stop.store(true, Ordering::SeqCst);
        let all = clients.map(|client| client.join().unwrap());
        (all.iter().flat_map(|(ids, _)| ids.clone()).collect::<Vec<_>>(), all.iter().map(|(_, n)| n).sum::<usize>())
    });
    assert!(refused > 0 && ids.len() > 40, "{refused} refused, {} acknowledged", ids.len());
    site.all_ran_once(node, &ids);
}

/// What the server says of a failing disk, whenever an outcome is to be recorded.
const NO_OUTCOMES: &str = "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS \
    $$ BEGIN RAISE EXCEPTION 'could not write block 7: Input/output error'; END $$; \
    CREATE TRIGGER fail BEFORE UPDATE ON tasks FOR EACH ROW WHEN (NEW.status = 5) EXECUTE FUNCTION fail()";

#[test]
fn where_only_outcomes_fail_no_more_is_started_than_there_are_slots() {
    let site = Site::new(&[]);
    let node = site.node("a", "4");
    // All are in before the first outcome fails: each submission that is committed shows that the store works, and lets tasks go.
    assert_eq!(node.call("PUT", "/api/v1/queues/default", r#"{"paused": true}"#).0, 200);
    let ids: Vec<String> = (0..40).map(|_| node.submit(r#"{"name": "note"}"#)).collect();
    site.postgres.run(NO_OUTCOMES);
    assert_eq!(node.call("POST", "/api/v1/queues/default/resume", "").0, 200);
    // Each is another try, 200 ms after the one before.
    eventually("the store has failed for long", || {
        metric(&node, "jobqueue_store_failures_total{cause=\"unavailable\"}") >= Some(15.0)
    });
    // Those that had been granted when the first outcome failed have ended too.
    assert!(site.counts("begun").len() <= 8, "{}", site.counts("begun").len());
    assert!(site.spooled("a") >= 4);
    site.postgres.run("DROP TRIGGER fail ON tasks");
    recovered(&node);
    site.all_ran_once(&node, &ids);
}
