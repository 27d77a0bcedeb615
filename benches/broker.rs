//! The broker alone, in Redis and in process: `cargo bench --bench broker`. Needs Debian's redis-server.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark fails by a panic and prints"
)]

#[path = "../tests/redis/server.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod server;

use std::time::Instant;

use jobqueue::{
    broker::{Broker, InProcess, Pop},
    task::{Mark, Priority, Ready, TaskId},
};

use server::Redis;

const TASKS: u64 = 50_000;

fn main() {
    // `cargo test --benches` runs this too, without this word: there is nothing to test.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let redis = Redis::start();
    let broker = redis.broker();
    for batch in [1, 10, 100, 500] {
        let tasks = if batch == 1 { TASKS / 5 } else { TASKS };
        let commands = redis.figure("total_commands_processed");
        // As the engine does it: told of, then claimed, a batch at a time.
        let (hint, pop) = rounds(&broker, batch, tasks);
        let commands = redis.figure("total_commands_processed") - commands;
        let (hint_own, pop_own) = rounds(&InProcess::default(), batch, tasks);
        println!(
            "batch {batch}: hints {:.0}/s ({:.2} us a task), pops {:.0}/s ({:.2} us a task), {:.3} calls a task; \
             in process {hint_own:.2} and {pop_own:.2} us",
            1e6 / hint,
            hint,
            1e6 / pop,
            pop,
            commands as f64 / tasks as f64,
        );
    }
    let cpu = redis.figure("used_memory_peak") / 1024;
    println!("outage {:?}, Redis used {cpu} KiB at most", broker.outage());
}

fn ready(n: u64) -> Ready {
    let mut id = [0xC3; 16];
    id[8..].copy_from_slice(&n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    let mark: Mark = (1, TaskId::from_bytes(id));
    Ready { queue: "q".into(), priority: Priority::MEDIUM, keyed: false, mark }
}

/// Microseconds a task for hints and for pops.
fn rounds(broker: &dyn Broker, batch: u64, tasks: u64) -> (f64, f64) {
    if broker.pop("q", &Pop::any(1, 1)).starved.is_some() {
        for level in 0..10 {
            let priority = Priority::new(level).unwrap();
            broker.begin_refill("q", priority);
            broker.end_refill("q", priority, &[], true);
        }
    }
    let (mut hint, mut pop) = (0.0, 0.0);
    for round in 0..tasks / batch {
        let hints: Vec<_> = (0..batch).map(|n| ready(round * batch + n)).collect();
        let began = Instant::now();
        broker.hint(&hints);
        hint += began.elapsed().as_secs_f64();
        let began = Instant::now();
        let popped = broker.pop("q", &Pop::any(batch as usize, 9)).entries.len();
        pop += began.elapsed().as_secs_f64();
        assert_eq!(popped as u64, batch);
    }
    (hint * 1e6 / tasks as f64, pop * 1e6 / tasks as f64)
}
