//! What happens when restarting is not the cure.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::support::*;

#[actix::test]
async fn a_supervisor_that_gives_up_is_restarted_by_its_parent() {
    let world = World::paused();
    let inner = one_for_one().child(world.child("y")).child(world.child("x"));
    let spec = one_for_one().child(ChildSpec::supervisor("inner", inner));
    let _root = world.start(spec).await;
    for _ in 0..3 {
        world.boom("x").await;
        settle(1000).await;
    }
    world.log.take();
    world.boom("x").await;
    settle(50).await;
    assert_eq!(world.log.take(), "-x -y", "the siblings go too");
    assert_eq!(world.state("root/inner"), Phase::Restarting);
    assert_eq!(world.state("root/inner/x"), Phase::Stopped);
    settle(100).await;
    assert_eq!(world.log.take(), "+y +x");
    let why = world.row("root/inner").last_panic.unwrap().message;
    assert!(why.starts_with("gave up: more than 3 restarts"), "{why}");
    assert_eq!(world.row("root/inner/x").restarts, 4, "history is kept");
}

#[actix::test]
async fn a_root_that_gives_up_tells_the_process() {
    let world = World::paused();
    let probe = Probe { panics_in_started: true, ..world.probe("x") };
    let spec = one_for_one().child(world.child("y")).child(acting(probe));
    let root = world.start(spec).await;
    let exit = root.exit().await;
    assert!(matches!(&exit, Exit::GaveUp(why) if why.ends_with("cannot start")), "{exit:?}");
    let starts = world.log.take();
    assert_eq!(starts, "+y +x -x +x -x +x -x +x -x -y");
    assert!(!root.supervisor().connected());
}

#[actix::test]
async fn a_supervisor_that_gives_up_in_order_does_not_start_the_culprit_again() {
    let world = World::paused();
    let spec = one_for_one()
        .intensity(0, ms(1000))
        .stop_order(StopOrder::LastFirst)
        .child(world.child("x"))
        .child(world.draining("y", 100));
    let root = world.start(spec).await;
    world.boom("x").await;
    assert!(matches!(root.exit().await, Exit::GaveUp(_)));
    assert_eq!(world.log.take(), "+x +y -x -y");
}

#[actix::test]
async fn a_transient_supervisor_that_gives_up_did_not_end_normally() {
    let world = World::paused();
    let inner = one_for_one().intensity(0, ms(1000)).child(world.child("x"));
    let inner = ChildSpec::supervisor("inner", inner).restart(Restart::Transient);
    let _root = world.start(one_for_one().child(inner)).await;
    world.boom("x").await;
    settle(200).await;
    assert_eq!(world.log.take(), "+x -x +x");
}

#[actix::test]
async fn a_supervisor_that_panics_leaves_no_orphans() {
    let world = World::paused();
    let inner = one_for_one().child(world.stuck("x"));
    let spec = one_for_one().child(ChildSpec::supervisor("inner", inner));
    let _root = world.start(spec).await;
    let old = world.get("x");
    assert!(world.tree.inject_panic("root/inner"));
    settle(50).await;
    assert!(!old.connected(), "it went with its supervisor");
    assert_eq!(world.log.take(), "+x -x");
    assert_eq!(world.state("root/inner/x"), Phase::Stopped);
    settle(100).await;
    assert_eq!(world.log.take(), "+x", "and was started once");
}

#[actix::test]
async fn a_root_that_panics_ends_the_tree_and_tells_the_process() {
    let world = World::paused();
    let root = world.start(one_for_one().child(world.stuck("x"))).await;
    assert!(world.tree.inject_panic("root"));
    assert_eq!(root.exit().await, Exit::Panicked("injected panic".into()));
    settle(1).await;
    assert_eq!(world.log.take(), "+x -x");
}

#[actix::test]
async fn a_start_function_that_panics_is_a_failure_of_its_child() {
    let world = World::paused();
    let (calls, probe) = (Arc::new(AtomicUsize::new(0)), world.probe("bad"));
    let bad = ChildSpec::new("bad", "Probe", move |watch| {
        if calls.fetch_add(1, Ordering::Relaxed) == 1 {
            panic!("no connection")
        }
        watch.start(probe.clone())
    });
    let _root = world.start(one_for_one().child(bad).child(world.child("x"))).await;
    world.boom("bad").await;
    settle(150).await;
    assert_eq!(world.log.take(), "+bad +x -bad");
    let last = world.row("root/bad").last_panic.unwrap();
    assert_eq!(last.message, "no connection");
    settle(200).await;
    assert_eq!(world.log.take(), "+bad", "after the second step");
}
