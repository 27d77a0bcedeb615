//! Children on threads of their own, by the real clock.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use actix::{Arbiter, System};

use crate::support::*;

/// Awaits a state of the tree, not a moment.
async fn until(world: &World, what: &str, holds: impl Fn(&World) -> bool) {
    let mut changes = world.tree.subscribe();
    let waiting = async {
        while !holds(world) {
            changes.changed().await.unwrap();
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(10), waiting).await;
    assert!(waited.is_ok(), "not within 10 s: {what}");
}

fn is_running(world: &World, restarts: u64) -> bool {
    let row = world.tree.row("root/w");
    row.is_some_and(|row| row.state == Phase::Running && row.restarts == restarts)
}

#[test]
fn a_dead_arbiter_is_reported_and_the_child_started_on_a_new_one() {
    let world = World::default();
    System::new().block_on(async {
        let (arbiters, probe) = (Arc::new(Mutex::new(Vec::new())), world.probe("w"));
        let made = Arc::clone(&arbiters);
        let child = ChildSpec::new("w", "Probe", move |watch| {
            let (arbiter, probe) = (Arbiter::new(), probe.clone());
            let child = watch.start_in(&arbiter.handle(), move || probe);
            made.lock().unwrap().push(arbiter);
            child
        });
        let root = Root::start("root", one_for_one().child(child), &world.tree, &world.directory);
        until(&world, "the first start", |world| is_running(world, 0)).await;
        let arbiter = arbiters.lock().unwrap().remove(0);
        arbiter.stop();
        arbiter.join().unwrap();
        until(&world, "the restart", |world| is_running(world, 1)).await;
        assert_eq!(world.log.take(), "+w -w +w");
        assert_eq!(world.get("w").send(WhoAreYou).await, Ok("w"));
        root.stop().await;
    });
}

#[test]
fn an_arbiter_that_is_gone_already_is_a_failure_of_the_child() {
    let world = World::default();
    System::new().block_on(async {
        let (gone, probe) = (Arbiter::new(), world.probe("w"));
        let handle = gone.handle();
        gone.stop();
        gone.join().unwrap();
        let child = ChildSpec::new("w", "Probe", move |watch| {
            let probe = probe.clone();
            watch.start_in(&handle, move || probe)
        });
        let spec = one_for_one().backoff(ms(1), ms(1)).child(child);
        let root = Root::start("root", spec, &world.tree, &world.directory);
        let exit = tokio::time::timeout(Duration::from_secs(10), root.exit()).await;
        assert!(matches!(exit, Ok(Exit::GaveUp(_))));
    });
}

#[test]
fn a_panic_on_a_thread_of_its_own_is_reported_with_its_text() {
    let world = World::default();
    System::new().block_on(async {
        let probe = world.probe("w");
        let child = ChildSpec::new("w", "Probe", move |watch| {
            let probe = probe.clone();
            watch.start_alone(move || probe)
        });
        let root = Root::start("root", one_for_one().child(child), &world.tree, &world.directory);
        until(&world, "the start", |world| is_running(world, 0)).await;
        assert!(world.tree.inject_panic("root/w"));
        until(&world, "the restart", |world| is_running(world, 1)).await;
        let last = world.row("root/w").last_panic.unwrap();
        assert_eq!(last.message, "injected panic");
        root.stop().await;
        assert_eq!(world.log.take(), "+w -w +w -w");
    });
}

#[test]
fn an_actor_that_cannot_be_made_on_its_thread_is_reported_with_the_text() {
    let world = World::default();
    System::new().block_on(async {
        let child =
            ChildSpec::new("w", "Probe", move |watch| watch.start_alone(move || -> Probe { panic!("no such host") }));
        let spec = one_for_one().intensity(0, ms(1000)).child(child);
        let root = Root::start("root", spec, &world.tree, &world.directory);
        let exit = tokio::time::timeout(Duration::from_secs(10), root.exit()).await;
        assert!(matches!(exit, Ok(Exit::GaveUp(why)) if why.ends_with("no such host")));
    });
}

#[test]
fn a_stuck_thread_does_not_hold_up_the_stop() {
    let world = World::default();
    System::new().block_on(async {
        let (free, held) = std::sync::mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(Some(held)));
        let probe = world.probe("w");
        let child = ChildSpec::new("w", "Probe", move |watch| {
            let (held, probe) = (held.lock().unwrap().take(), probe.clone());
            watch.start_alone(move || {
                // Blocks its thread until the test lets go.
                let _ = held.map(|held| held.recv());
                probe
            })
        })
        .grace(ms(10));
        let root = Root::start("root", one_for_one().child(child), &world.tree, &world.directory);
        let stopped = tokio::time::timeout(Duration::from_secs(10), root.stop()).await;
        assert_eq!(stopped, Ok(Exit::Normal));
        drop(free);
    });
}

#[test]
fn a_life_that_ends_too_late_does_not_touch_its_successor() {
    let world = World::default();
    System::new().block_on(async {
        let (stuck, free) = (Arbiter::new(), Arbiter::new());
        let (let_go, held) = std::sync::mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(Some(held)));
        let (handles, probe) = ([stuck.handle(), free.handle()], world.probe("w"));
        let child = ChildSpec::new("w", "Probe", move |watch| {
            let (held, probe) = (held.lock().unwrap().take(), probe.clone());
            let arbiter = &handles[usize::from(held.is_none())];
            watch.start_in(arbiter, move || {
                let _ = held.map(|held| held.recv());
                probe
            })
        })
        .grace(ms(10));
        let root = Root::start("root", one_for_one().child(child.clone()), &world.tree, &world.directory);
        let remove = RemoveChild { name: "w".into() };
        assert_eq!(root.supervisor().send(remove).await, Ok(true));
        until(&world, "it is given up", |world| world.tree.row("root/w").is_none()).await;
        assert_eq!(root.supervisor().send(AddChild(child)).await, Ok(true));
        until(&world, "the successor", |world| is_running(world, 0)).await;
        drop(let_go);
        stuck.stop();
        stuck.join().unwrap();
        assert_eq!(world.log.take(), "+w +w -w");
        assert!(is_running(&world, 0));
        assert_eq!(world.get("w").send(WhoAreYou).await, Ok("w"));
        root.stop().await;
        free.stop();
        free.join().unwrap();
    });
}
