//! What counting costs. Run by hand, in release:
//! `cargo test --release --test supervision -- --ignored --nocapture cost`

use std::time::Instant;

use actix::{Actor, ActorContext, Context, Handler, Message};

use crate::support::*;

struct Counter(u32);

tree_actor!(Counter);

impl Actor for Counter {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "()")]
struct Tick([u64; 4]);

impl Handler<Tick> for Counter {
    type Result = ();
    fn handle(&mut self, tick: Tick, _: &mut Self::Context) {
        self.0 += std::hint::black_box(tick.0)[0] as u32;
    }
}

impl Handler<Shutdown> for Counter {
    type Result = ();
    fn handle(&mut self, _: Shutdown, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

#[actix::test]
#[ignore = "a measurement, not a test"]
async fn cost_of_a_counted_message() {
    const BATCH: u32 = 1000;
    let world = World::default();
    let child = ChildSpec::new("counter", "Counter", |watch| watch.start(Counter(0)));
    let _root = world.start(one_for_one().child(child)).await;
    let counted = world.directory.get::<Counter>("counter").unwrap();
    let plain = counted.addr();
    let (mut counted_ns, mut plain_ns) = (Vec::new(), Vec::new());
    for _ in 0..500 {
        let began = Instant::now();
        for _ in 0..BATCH {
            plain.do_send(Tick([1; 4]));
        }
        counted.answers().await.unwrap();
        plain_ns.push(began.elapsed().as_nanos() as f64 / f64::from(BATCH));
        let began = Instant::now();
        for _ in 0..BATCH {
            counted.do_send(Tick([1; 4]));
        }
        counted.answers().await.unwrap();
        counted_ns.push(began.elapsed().as_nanos() as f64 / f64::from(BATCH));
    }
    counted_ns.sort_by(f64::total_cmp);
    plain_ns.sort_by(f64::total_cmp);
    println!("sent and handled, median: Addr {:.0} ns, Ref {:.0} ns", plain_ns[250], counted_ns[250]);
}
