//! How fast the broker is: `cargo test --release --test redis measure -- --ignored --nocapture`.

use std::{collections::BTreeSet, time::Instant};

use jobqueue::{
    broker::{Broker, InProcess},
    task::{Priority, Quota},
};

use crate::{
    model::{drain, mark, ready},
    server::Redis,
};

const TASKS: u64 = 50_000;

#[test]
#[ignore = "measures and asserts nothing"]
fn measure() {
    let redis = Redis::start();
    let broker = redis.broker();
    drain(&broker, "q", &mut BTreeSet::new(), 10);
    for batch in [1, 10, 100, 500] {
        let tasks = if batch == 1 { TASKS / 5 } else { TASKS };
        let commands = redis.figure("total_commands_processed");
        // As the engine does it: told of, then claimed, a batch at a time.
        let (hint, pop) = rounds(&broker, batch, tasks);
        let commands = redis.figure("total_commands_processed") - commands;
        let (hint_own, pop_own) = rounds(&InProcess::default(), batch, tasks);
        eprintln!(
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
    eprintln!("outage {:?}, Redis used {cpu} KiB at most", broker.outage());
}

/// Microseconds a task for hints and for pops.
fn rounds(broker: &dyn Broker, batch: u64, tasks: u64) -> (f64, f64) {
    if broker.pop("q", 1, &Quota::UNLIMITED, 1).starved.is_some() {
        for level in 0..10 {
            let priority = Priority::new(level).unwrap();
            broker.begin_refill("q", priority);
            broker.end_refill("q", priority, &[], true);
        }
    }
    let (mut hint, mut pop) = (0.0, 0.0);
    for round in 0..tasks / batch {
        let hints: Vec<_> = (0..batch).map(|n| ready("q", Priority::MEDIUM, mark(1, round * batch + n))).collect();
        let began = Instant::now();
        broker.hint(&hints);
        hint += began.elapsed().as_secs_f64();
        let began = Instant::now();
        let popped = broker.pop("q", batch as usize, &Quota::UNLIMITED, 9).entries.len();
        pop += began.elapsed().as_secs_f64();
        assert_eq!(popped as u64, batch);
    }
    (hint * 1e6 / tasks as f64, pop * 1e6 / tasks as f64)
}
