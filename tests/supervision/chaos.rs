//! Random events in random order, from fixed seeds: what must hold in every one.

use std::collections::HashMap;

use crate::support::*;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// A linear congruential generator: the same events for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn spec(strategy: Strategy, on_give_up: OnGiveUp, order: StopOrder, world: &World) -> SupervisorSpec {
    let inner = supervisor(strategy).on_give_up(on_give_up).stop_order(order);
    NAMES.into_iter().fold(inner, |spec, name| spec.child(world.draining(name, 150)))
}

/// One random event; the queues' supervisor may be down just then.
async fn disturb(world: &World, dice: &mut Dice) {
    let name = NAMES[dice.roll(4) as usize];
    let queues = world.directory.get::<Supervisor>("queues");
    match (dice.roll(8), queues) {
        (0, Some(queues)) => queues.do_send(AddChild(world.draining(name, 150))),
        (1, Some(queues)) => queues.do_send(RemoveChild { name: name.into() }),
        (2, Some(queues)) => queues.do_send(Unpark { name: name.into() }),
        (3, _) if dice.roll(4) == 0 => {
            world.tree.inject_panic("root/queues");
        }
        (4, _) => {
            if let Some(probe) = world.directory.get::<Probe>(name) {
                probe.do_send(Finish);
            }
        }
        _ => {
            world.tree.inject_panic(&format!("root/queues/{name}"));
        }
    }
    settle(dice.roll(400)).await;
}

/// No name may begin a life while another of its lives goes on.
fn no_twins(log: &str, seed: u64) {
    let mut lives: HashMap<&str, i32> = HashMap::new();
    for event in log.split_whitespace() {
        let (sign, name) = event.split_at(1);
        let count = lives.entry(name).or_default();
        *count += if sign == "+" { 1 } else { -1 };
        assert!((0..=1).contains(count), "seed {seed}: twins of {name} in {log}");
    }
    assert!(lives.values().all(|count| *count == 0), "seed {seed}: an orphan in {log}");
}

#[actix::test]
async fn whatever_happens_there_are_no_twins_and_no_orphans() {
    tokio::time::pause();
    for seed in 0..60 {
        let world = World::default();
        let mut dice = Dice(seed);
        let strategy = [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne][dice.roll(3) as usize];
        let on_give_up = [OnGiveUp::Escalate, OnGiveUp::ParkChild][dice.roll(2) as usize];
        let order = [StopOrder::Together, StopOrder::LastFirst][dice.roll(2) as usize];
        let queues = ChildSpec::supervisor("queues", spec(strategy, on_give_up, order, &world));
        let root = world.start(one_for_one().intensity(1000, ms(1000)).child(queues)).await;
        for _ in 0..40 {
            disturb(&world, &mut dice).await;
        }
        // Left alone, everyone who is wanted comes to rest: up, parked or ended.
        settle(120_000).await;
        for row in world.tree.snapshot() {
            let at_rest = matches!(row.state, Phase::Running | Phase::Parked | Phase::Stopped);
            assert!(at_rest, "seed {seed}: {row:?}");
            assert_eq!(row.mailbox, 0);
        }
        assert_eq!(root.stop().await, Exit::Normal, "seed {seed}");
        settle(1).await;
        no_twins(&world.log.take(), seed);
        assert!(world.directory.all::<Probe>().is_empty(), "seed {seed}");
    }
}
