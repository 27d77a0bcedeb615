//! Rows, mailboxes, the directory and injected panics.

use actix::dev::SendError;

use crate::support::*;

#[actix::test]
async fn the_snapshot_lists_the_tree_depth_first_in_start_order() {
    let world = World::paused();
    let inner = one_for_one().child(world.child("z")).child(world.child("a/b"));
    let spec = supervisor(Strategy::RestForOne)
        .child(world.child("m"))
        .child(ChildSpec::supervisor("queues", inner))
        .child(world.child("b"));
    let _root = world.start(spec).await;
    world.boom("z").await;
    settle(200).await;
    let rows = world.tree.snapshot();
    let paths: Vec<_> = rows.iter().map(|row| row.path.as_str()).collect();
    assert_eq!(paths, ["root", "root/m", "root/queues", "root/queues/z", "root/queues/a%2Fb", "root/b"]);
    let shown = serde_json::to_value(&rows[3]).unwrap();
    assert!(shown["started_at_ms"].as_u64() > Some(1_600_000_000_000));
    assert!(shown["last_panic"]["at_ms"].as_u64() > Some(1_600_000_000_000));
    assert_eq!(shown["last_panic"]["message"], "boom z");
    assert_eq!(shown["parent"], "root/queues");
    assert_eq!(shown["name"], "z");
    assert_eq!(shown["kind"], "Probe");
    assert_eq!(shown["state"], "running");
    assert_eq!(shown["restarts"], 1);
    assert_eq!(shown["mailbox"], 0);
    let root = serde_json::to_value(&rows[0]).unwrap();
    assert_eq!(root["strategy"], "rest_for_one");
    assert_eq!(root["kind"], "Supervisor");
}

#[actix::test]
async fn a_mailbox_counts_what_waits_and_sheds_what_may_be_shed() {
    let world = World::paused();
    let spec = one_for_one().child(world.child("x").mailbox(3));
    let _root = world.start(spec).await;
    let x = world.get("x");
    let answers: Vec<_> = (0..2).map(|_| x.send(WhoAreYou)).collect();
    x.try_send(WhoAreYou).unwrap();
    assert!(matches!(x.try_send(WhoAreYou), Err(SendError::Full(WhoAreYou))));
    x.do_send(WhoAreYou); // never shed
    assert_eq!((x.depth(), world.row("root/x").mailbox), (4, 4));
    for answer in answers {
        assert_eq!(answer.await, Ok("x"));
    }
    assert_eq!((x.depth(), world.row("root/x").mailbox), (0, 0));
    x.try_send(WhoAreYou).unwrap();
}

#[actix::test]
async fn messages_behind_a_panic_are_counted_out_and_answered_closed() {
    let world = World::paused();
    let _root = world.start(one_for_one().child(world.child("x"))).await;
    let x = world.get("x");
    x.do_send(Boom);
    let answer = x.send(WhoAreYou);
    assert_eq!(x.depth(), 2);
    assert!(answer.await.is_err());
    settle(1).await;
    assert_eq!(x.depth(), 0);
    assert!(x.answers().await.is_err());
    assert!(matches!(x.try_send(WhoAreYou), Err(SendError::Closed(_))));
    assert_eq!(x.depth(), 0, "what a closed mailbox refuses does not wait");
}

#[actix::test]
async fn the_directory_follows_restarts_and_forgets_the_dead() {
    let world = World::paused();
    let _root = world.start(one_for_one().child(world.child("x")).child(world.child("y"))).await;
    let old = world.get("x");
    assert!(old.answers().await.is_ok());
    world.boom("x").await;
    assert!(world.directory.get::<Probe>("x").is_none(), "down");
    settle(200).await;
    let new = world.get("x");
    assert!(!old.connected() && new.answers().await.is_ok());
    assert!(world.directory.get::<Supervisor>("x").is_none(), "typed");
    let mut all: Vec<_> = world.directory.all::<Probe>();
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    let names: Vec<_> = all.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["x", "y"]);
}

#[actix::test]
async fn every_actor_can_be_made_to_panic_by_its_path() {
    let world = World::paused();
    let inner = one_for_one().child(world.child("x"));
    let _root = world.start(one_for_one().child(ChildSpec::supervisor("inner", inner))).await;
    for path in ["root/inner/x", "root/inner"] {
        assert!(world.tree.inject_panic(path));
        settle(1).await;
        assert_eq!(world.state(path), Phase::Restarting);
        assert!(!world.tree.inject_panic(path), "it is down");
        settle(200).await;
        let row = world.row(path);
        assert_eq!((row.state, row.restarts), (Phase::Running, 1));
        assert_eq!(row.last_panic.unwrap().message, "injected panic");
    }
    assert!(!world.tree.inject_panic("root/nobody"));
}

#[test]
fn handles_go_to_any_thread() {
    fn check<T: Send + Sync>() {}
    check::<Tree>();
    check::<Directory>();
    check::<Ref<Probe>>();
    check::<Root>();
}

#[actix::test]
async fn a_change_of_the_tree_wakes_its_subscribers() {
    let world = World::paused();
    let _root = world.start(one_for_one().child(world.child("x"))).await;
    let mut changes = world.tree.subscribe();
    changes.mark_unchanged();
    world.tree.inject_panic("root/x");
    let change = tokio::time::timeout(ms(50), changes.changed()).await;
    assert!(change.is_ok());
}
