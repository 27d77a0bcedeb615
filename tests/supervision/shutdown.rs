//! Orders of stopping, and graces.

use tokio::time::Instant;

use crate::support::*;

#[actix::test]
async fn dependent_children_stop_last_first_each_within_its_grace() {
    let world = World::paused();
    let spec = supervisor(Strategy::RestForOne)
        .child(world.child("a"))
        .child(world.stuck("b"))
        .child(world.draining("c", 100));
    let root = world.start(spec).await;
    world.log.take();
    let stopped = root.stop();
    settle(90).await;
    assert_eq!(world.log.take(), "");
    assert_eq!(world.state("root/c"), Phase::Stopping);
    assert_eq!(world.get("a").send(WhoAreYou).await, Ok("a"));
    settle(20).await;
    assert_eq!(world.log.take(), "-c");
    assert_eq!(stopped.await, Exit::Normal);
    assert_eq!(world.log.take(), "-b -a");
    assert!(world.tree.snapshot().iter().all(|row| row.state == Phase::Stopped), "the rows show how it ended");
}

#[actix::test]
async fn independent_children_stop_together() {
    let world = World::paused();
    let spec = ["a", "b", "c", "d"].into_iter().fold(one_for_one(), |spec, name| spec.child(world.stuck(name)));
    let root = world.start(spec).await;
    let began = Instant::now();
    root.stop().await;
    assert!(began.elapsed() >= ms(50) && began.elapsed() < ms(60));
}

/// The root's case: while slots drain, the heartbeat beats, and is restarted.
#[actix::test]
async fn last_first_keeps_the_others_running_and_supervised() {
    let world = World::paused();
    let slots = one_for_one().child(world.draining("slot1", 400)).child(world.draining("slot2", 300));
    let spec = one_for_one()
        .stop_order(StopOrder::LastFirst)
        .child(world.child("heartbeat"))
        .child(ChildSpec::supervisor("slots", slots))
        .child(world.child("dispatcher"));
    let root = world.start(spec).await;
    world.log.take();
    let stopped = root.stop();
    settle(100).await;
    assert_eq!(world.log.take(), "-dispatcher");
    world.boom("heartbeat").await;
    settle(150).await;
    assert_eq!(world.log.take(), "-heartbeat +heartbeat");
    assert_eq!(world.state("root/slots"), Phase::Stopping);
    assert_eq!(stopped.await, Exit::Normal);
    assert_eq!(world.log.take(), "-slot2 -slot1 -heartbeat");
}

#[actix::test]
async fn a_stop_in_the_midst_of_a_back_off_starts_nobody() {
    let world = World::paused();
    let spec = supervisor(Strategy::OneForAll).child(world.child("a")).child(world.child("b"));
    let root = world.start(spec).await;
    world.boom("a").await;
    assert_eq!(root.stop().await, Exit::Normal);
    settle(1000).await;
    assert_eq!(world.log.take(), "+a +b -a -b");
}

#[actix::test]
async fn a_dropped_root_ends_everybody() {
    let world = World::paused();
    let inner = one_for_one().child(world.stuck("x"));
    let spec = one_for_one().child(ChildSpec::supervisor("inner", inner));
    drop(world.start(spec).await);
    settle(1).await;
    assert_eq!(world.log.take(), "+x -x");
}
