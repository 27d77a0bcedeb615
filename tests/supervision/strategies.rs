//! Who is restarted, when, and after which end.

use std::time::Duration;

use crate::support::*;

#[actix::test]
async fn each_strategy_restarts_those_who_depend_on_the_child() {
    for (strategy, want) in [
        (Strategy::OneForOne, "-b +b"),
        (Strategy::RestForOne, "-b -d -c +b +c +d"),
        (Strategy::OneForAll, "-b -d -c -a +a +b +c +d"),
    ] {
        let world = World::paused();
        let spec =
            ["a", "b", "c", "d"].into_iter().fold(supervisor(strategy), |spec, name| spec.child(world.child(name)));
        let root = world.start(spec).await;
        assert_eq!(world.log.take(), "+a +b +c +d");
        let old = world.get("b");
        world.boom("b").await;
        settle(200).await;
        assert_eq!(world.log.take(), want, "{strategy:?}");
        assert!(!old.connected());
        assert_eq!(world.get("b").send(WhoAreYou).await, Ok("b"));
        tokio::time::resume();
        drop(root);
    }
}

#[actix::test]
async fn an_earlier_failure_during_a_restart_widens_it_and_makes_no_twins() {
    let world = World::paused();
    let spec = supervisor(Strategy::RestForOne)
        .child(world.child("a"))
        .child(world.child("b"))
        .child(world.draining("c", 300));
    let _root = world.start(spec).await;
    world.log.take();
    world.boom("b").await; // c takes 300 ms to stop, b would be due in 100 ms
    settle(50).await;
    world.boom("a").await;
    settle(200).await;
    assert_eq!(world.log.take(), "-b -a", "all wait for c");
    settle(200).await;
    assert_eq!(world.log.take(), "-c +a +b +c");
}

#[actix::test]
async fn the_back_off_doubles_up_to_its_cap() {
    let world = World::paused();
    let spec = one_for_one().intensity(9, Duration::from_secs(60)).backoff(ms(100), ms(300)).child(world.child("x"));
    let _root = world.start(spec).await;
    world.log.take();
    for wait in [100, 200, 300, 300] {
        world.boom("x").await;
        settle(wait - 5).await;
        assert_eq!(world.log.take(), "-x");
        assert_eq!(world.state("root/x"), Phase::Restarting);
        settle(10).await;
        assert_eq!(world.log.take(), "+x");
    }
}

#[actix::test]
async fn a_quiet_period_ends_the_row_of_failures() {
    let world = World::paused();
    let _root = world.start(one_for_one().child(world.child("x"))).await;
    for _ in 0..3 {
        world.boom("x").await;
        settle(1000).await;
    }
    // The window of the intensity and the row of failures are both over.
    settle(61_000).await;
    world.log.take();
    world.boom("x").await;
    settle(105).await;
    assert_eq!(world.log.take(), "-x +x", "the first step of the back-off");
}

#[actix::test]
async fn transient_children_may_end_and_temporary_ones_may_fail() {
    let world = World::paused();
    let spec = one_for_one()
        .child(world.child("transient").restart(Restart::Transient))
        .child(world.child("temporary").restart(Restart::Temporary))
        .child(world.child("permanent"));
    let _root = world.start(spec).await;
    world.log.take();
    world.boom("transient").await;
    settle(200).await;
    assert_eq!(world.log.take(), "-transient +transient");
    world.get("transient").do_send(Finish);
    world.boom("temporary").await;
    world.get("permanent").do_send(Finish);
    settle(200).await;
    assert_eq!(world.log.take(), "-transient -temporary -permanent +permanent");
    assert!(world.tree.row("root/transient").is_none(), "forgotten");
    assert!(world.tree.row("root/temporary").is_none(), "forgotten");
}

#[actix::test]
async fn an_ended_transient_child_comes_back_with_its_group() {
    let world = World::paused();
    let spec =
        supervisor(Strategy::OneForAll).child(world.child("a")).child(world.child("once").restart(Restart::Transient));
    let _root = world.start(spec).await;
    world.get("once").do_send(Finish);
    settle(200).await;
    assert_eq!(world.log.take(), "+a +once -once");
    assert_eq!(world.state("root/once"), Phase::Stopped);
    world.boom("a").await;
    settle(200).await;
    assert_eq!(world.log.take(), "-a +a +once");
}

#[actix::test]
async fn a_panic_in_stopped_after_a_panic_does_not_abort_the_process() {
    let world = World::paused();
    let probe = Probe { panics_in_stopped: true, ..world.probe("x") };
    let _root = world.start(one_for_one().child(acting(probe))).await;
    world.boom("x").await;
    settle(200).await;
    assert_eq!(world.log.take(), "+x -x +x");
    let last = world.row("root/x").last_panic.unwrap();
    assert_eq!(last.message, "boom x", "the first panic is the cause");
}
