//! Children that come and go, and those that are parked.

use std::time::Duration;

use crate::support::*;

async fn add(root: &Root, spec: ChildSpec) -> bool {
    let added = root.supervisor().send(AddChild(spec)).await.unwrap();
    settle(1).await;
    added
}

async fn remove(root: &Root, name: &str) -> bool {
    let remove = RemoveChild { name: name.into() };
    root.supervisor().send(remove).await.unwrap()
}

async fn unpark(root: &Root, name: &str) -> bool {
    let unpark = Unpark { name: name.into() };
    let unparked = root.supervisor().send(unpark).await.unwrap();
    settle(1).await;
    unparked
}

/// Crashes the probe until it is parked.
async fn park(world: &World, name: &str) {
    for _ in 0..3 {
        world.boom(name).await;
        settle(1000).await;
    }
    world.boom(name).await;
}

#[actix::test]
async fn a_name_is_added_once_while_it_is_alive() {
    let world = World::paused();
    let root = world.start(one_for_one()).await;
    assert!(add(&root, world.child("q")).await);
    assert!(!add(&root, world.child("q")).await);
    world.boom("q").await;
    assert!(!add(&root, world.child("q")).await, "it waits for its restart");
    settle(200).await;
    assert_eq!(world.log.take(), "+q -q +q");
}

#[actix::test]
async fn a_removed_child_drains_is_forgotten_and_may_come_again() {
    let world = World::paused();
    let root = world.start(one_for_one().child(world.draining("q", 200)).child(world.child("r"))).await;
    assert!(remove(&root, "q").await);
    assert!(!remove(&root, "q").await, "it is going already");
    assert_eq!(world.state("root/q"), Phase::Stopping);
    // Meanwhile the supervisor serves the others.
    world.boom("r").await;
    settle(150).await;
    assert_eq!(world.log.take(), "+q +r -r +r");
    settle(100).await;
    assert_eq!(world.log.take(), "-q");
    assert!(world.tree.row("root/q").is_none());
    assert!(world.directory.get::<Probe>("q").is_none());
    assert!(!remove(&root, "q").await, "it is gone");
    assert!(add(&root, world.child("q")).await);
    assert_eq!(world.log.take(), "+q");
}

#[actix::test]
async fn a_child_added_while_its_predecessor_stops_follows_it() {
    let world = World::paused();
    let root = world.start(one_for_one().child(world.draining("q", 200))).await;
    assert!(remove(&root, "q").await);
    assert!(add(&root, world.child("q")).await);
    settle(100).await;
    assert_eq!(world.log.take(), "+q", "no twins");
    settle(150).await;
    assert_eq!(world.log.take(), "-q +q");
    assert!(remove(&root, "q").await);
    settle(1).await;
    assert_eq!(world.log.take(), "-q", "by the new spec, which stops at once");
}

#[actix::test]
async fn a_child_may_be_removed_while_it_waits_for_its_restart() {
    let world = World::paused();
    let root = world.start(one_for_one().child(world.child("q"))).await;
    world.boom("q").await;
    assert!(remove(&root, "q").await);
    settle(1000).await;
    assert_eq!(world.log.take(), "+q -q");
    assert!(world.tree.row("root/q").is_none());
}

#[actix::test]
async fn a_supervisor_that_stops_adds_nobody() {
    let world = World::paused();
    let root = world.start(one_for_one().child(world.draining("q", 200))).await;
    let stopped = root.stop();
    settle(1).await;
    assert!(!add(&root, world.child("r")).await);
    assert_eq!(stopped.await, Exit::Normal);
    assert_eq!(world.log.take(), "+q -q");
}

#[actix::test]
async fn a_child_that_keeps_crashing_is_parked_and_its_siblings_go_on() {
    let world = World::paused();
    let spec = one_for_one().on_give_up(OnGiveUp::ParkChild).child(world.child("q")).child(world.child("r"));
    let root = world.start(spec).await;
    let sibling = world.get("r");
    park(&world, "q").await;
    assert_eq!(world.state("root/q"), Phase::Parked);
    settle(120_000).await;
    assert_eq!(world.log.take(), "+q +r -q +q -q +q -q +q -q");
    assert!(sibling.connected() && root.supervisor().connected());
    assert!(!unpark(&root, "r").await, "it is not parked");
    assert!(unpark(&root, "q").await);
    assert_eq!(world.state("root/q"), Phase::Running);
    // With a clean count: three more restarts, the first after 100 ms.
    world.log.take();
    world.boom("q").await;
    settle(105).await;
    assert_eq!(world.log.take(), "-q +q");
    assert_eq!(world.row("root/q").restarts, 5, "the history is kept");
}

#[actix::test]
async fn each_child_has_its_own_count_where_children_are_parked() {
    let world = World::paused();
    let spec = one_for_one().on_give_up(OnGiveUp::ParkChild).child(world.child("q")).child(world.child("r"));
    let _root = world.start(spec).await;
    for _ in 0..3 {
        world.boom("q").await;
        world.boom("r").await;
        settle(1000).await;
    }
    assert_eq!(world.state("root/q"), Phase::Running);
    assert_eq!(world.state("root/r"), Phase::Running);
}

#[actix::test]
async fn a_parked_child_may_be_added_again_or_removed() {
    let world = World::paused();
    let spec = one_for_one().on_give_up(OnGiveUp::ParkChild).child(world.child("q"));
    let root = world.start(spec).await;
    park(&world, "q").await;
    assert!(add(&root, world.child("q")).await);
    assert_eq!(world.state("root/q"), Phase::Running);
    park(&world, "q").await;
    assert_eq!(world.state("root/q"), Phase::Parked);
    assert!(remove(&root, "q").await);
    assert!(world.tree.row("root/q").is_none());
    assert_eq!(root.stop().await, Exit::Normal);
}

#[actix::test]
async fn slow_failures_are_borne_for_ever() {
    let world = World::paused();
    let spec = one_for_one()
        .on_give_up(OnGiveUp::ParkChild)
        .intensity(3, Duration::from_secs(10))
        .backoff(ms(100), ms(1000))
        .child(world.child("q"));
    let _root = world.start(spec).await;
    for _ in 0..20 {
        world.boom("q").await;
        settle(4000).await;
    }
    assert_eq!(world.state("root/q"), Phase::Running);
}

#[actix::test]
async fn what_a_restarted_supervisor_does_not_know_leaves_the_tree() {
    let world = World::paused();
    let inner = one_for_one().child(world.child("fixed"));
    let root = world.start(one_for_one().child(ChildSpec::supervisor("queues", inner))).await;
    let queues = world.directory.get::<Supervisor>("queues").unwrap();
    assert_eq!(queues.send(AddChild(world.child("q"))).await, Ok(true));
    settle(1).await;
    world.tree.inject_panic("root/queues");
    settle(200).await;
    assert_eq!(world.log.take(), "+fixed +q -fixed -q +fixed");
    assert!(world.tree.row("root/queues/q").is_none());
    assert!(!queues.connected(), "look it up again");
    assert!(world.directory.get::<Supervisor>("queues").is_some());
    drop(root);
}
