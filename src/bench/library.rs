//! The phases that call the engine as the library does.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    BenchError, Options, Report,
    report::Latency,
    site::{Site, Spot},
};
use crate::{
    actors::NodeSettings,
    engine::{Engine, Settings, Submission},
    server::Embedded,
    store::Act,
    task::NewTask,
    work::{Registry, TaskContext, TaskFailure},
};

pub(super) const QUEUE: &str = "bench";
const IN_FLIGHT: usize = 64;
const BULK: usize = 1_000;
/// Time between two tasks of the latency phase.
const PACE: Duration = Duration::from_millis(5);
/// Most tasks that may wait in the steady phase: submissions then hold back.
const BACKLOG: u64 = 20_000;
/// How often progress is looked at.
const LOOK: Duration = Duration::from_millis(1);

/// Moments of starts, in nanoseconds since the first use, by number of the task.
pub(super) struct Starts {
    origin: Instant,
    by_number: Vec<AtomicU64>,
}

pub(super) async fn measure(options: &Options, site: &Site, report: &mut Report) -> Result<(), BenchError> {
    let spot = site.spot("submit")?;
    let node = start(&spot, options.slots, None).await?;
    warm_up(&node).await?;
    node.engine.set_paused(QUEUE, true, Act::local("queue.pause", QUEUE)).await?;
    report.submit_one_per_s = Some(submit_one(&node.engine, options.tasks, |_, now| task(now)).await?);
    report.submit_bulk_per_s = Some(submit_bulk(&node.engine, options.tasks).await?);
    let (tasks, mut counter) = (2 * options.tasks, spot.counter()?);
    report.drain_per_s = Some(drain(&node, tasks, || counter.look()).await?);
    report.drained(&counter.cost().await?, tasks);
    node.stop(std::future::pending()).await;

    let node = start(&site.spot("four")?, 4, None).await?;
    warm_up(&node).await?;
    node.engine.set_paused(QUEUE, true, Act::local("queue.pause", QUEUE)).await?;
    submit_bulk(&node.engine, options.tasks).await?;
    report.drain_4_slots_per_s = Some(drain(&node, options.tasks, || {}).await?);
    node.stop(std::future::pending()).await;

    let node = start(&site.spot("steady")?, options.slots, None).await?;
    report.steady_per_s = Some(steady(&node.engine, Duration::from_secs(options.steady_s)).await?);
    node.stop(std::future::pending()).await;

    report.latency_ms = Some(latency(options, site).await?);
    Ok(())
}

pub(super) async fn start(spot: &Spot, slots: usize, starts: Option<Arc<Starts>>) -> Result<Embedded, BenchError> {
    let mut registry = Registry::new();
    let noop = |_: TaskContext, _: crate::work::Arguments| async { Ok::<_, TaskFailure>(OK) };
    registry.task("bench.noop", noop).map_err(|error| BenchError::Other(error.to_string()))?;
    let stamp = move |_: TaskContext, (number,): (usize,)| {
        if let Some(starts) = &starts {
            let at = u64::try_from(starts.origin.elapsed().as_nanos()).unwrap_or(u64::MAX);
            starts.by_number[number].store(at, Ordering::Relaxed);
        }
        async { Ok::<_, TaskFailure>(OK) }
    };
    registry.task("bench.stamp", stamp).map_err(|error| BenchError::Other(error.to_string()))?;
    let settings = NodeSettings {
        slots,
        heartbeat: Duration::from_secs(3),
        drain: Duration::from_secs(25),
        grace: Duration::from_secs(5),
        dead_letter_alert: None,
        queues: BTreeMap::new(),
        labels: BTreeSet::new(),
    };
    Ok(Embedded::start(&spot.place, registry, settings, Settings::default(), spot.redis.clone()).await?)
}

const OK: &str = "done";

/// About 200 bytes of JSON.
pub(super) static ARGS: LazyLock<String> =
    LazyLock::new(|| format!("[{:?}, 12345, {{\"customer\": \"c-000017\", \"dry_run\": false}}]", "x".repeat(140)));

pub(super) fn task(now: i64) -> NewTask {
    NewTask { args: ARGS.clone(), ..NewTask::named("bench.noop", QUEUE, now) }
}

async fn submit(engine: &Engine, count: usize) -> Result<(), BenchError> {
    let now = engine.clock().now();
    let tasks = (0..count).map(|_| task(now)).collect();
    engine.submit(Submission { tasks, ..Submission::default() }).await?;
    Ok(())
}

/// The queue exists, the statements are prepared, the handlers have run.
pub(super) async fn warm_up(node: &Embedded) -> Result<(), BenchError> {
    submit(&node.engine, 1_000).await?;
    done(&node.engine, 1_000, || {}).await;
    Ok(())
}

/// Waits, and calls `look` now and then, until so many attempts have ended.
async fn done(engine: &Engine, count: u64, mut look: impl FnMut()) {
    while engine.processed() < count {
        look();
        tokio::time::sleep(LOOK).await;
    }
    look();
}

/// Tasks by their numbers, each in a submission of its own.
pub(super) async fn submit_one(
    engine: &Engine,
    tasks: usize,
    make: fn(usize, i64) -> NewTask,
) -> Result<f64, BenchError> {
    let began = Instant::now();
    let submitters = (0..IN_FLIGHT).map(|n| {
        let engine = engine.clone();
        let share = tasks / IN_FLIGHT + usize::from(n < tasks % IN_FLIGHT);
        actix::spawn(async move {
            for round in 0..share {
                let task = make(round * IN_FLIGHT + n, engine.clock().now());
                engine.submit(Submission { tasks: vec![task], ..Submission::default() }).await?;
            }
            Ok::<_, BenchError>(())
        })
    });
    for submitter in submitters.collect::<Vec<_>>() {
        submitter.await.map_err(|error| BenchError::Other(error.to_string()))??;
    }
    Ok(tasks as f64 / began.elapsed().as_secs_f64())
}

async fn submit_bulk(engine: &Engine, tasks: usize) -> Result<f64, BenchError> {
    submit_many(engine, tasks, |_, now| task(now)).await
}

/// Tasks by their numbers.
pub(super) async fn submit_many(
    engine: &Engine,
    tasks: usize,
    make: fn(usize, i64) -> NewTask,
) -> Result<f64, BenchError> {
    let began = Instant::now();
    // Four at once: one is stored while the next are made.
    let callers = (0..4_usize).map(|n| {
        let engine = engine.clone();
        actix::spawn(async move {
            for first in (n * BULK..tasks).step_by(4 * BULK) {
                let (now, last) = (engine.clock().now(), tasks.min(first + BULK));
                let tasks = (first..last).map(|number| make(number, now)).collect();
                engine.submit(Submission { tasks, ..Submission::default() }).await?;
            }
            Ok::<_, BenchError>(())
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.map_err(|error| BenchError::Other(error.to_string()))??;
    }
    Ok(tasks as f64 / began.elapsed().as_secs_f64())
}

/// From the resume to the last recorded result.
pub(super) async fn drain(node: &Embedded, tasks: usize, look: impl FnMut()) -> Result<f64, BenchError> {
    let before = node.engine.processed();
    let began = Instant::now();
    node.engine.set_paused(QUEUE, false, Act::local("queue.resume", QUEUE)).await?;
    done(&node.engine, before + tasks as u64, look).await;
    Ok(tasks as f64 / began.elapsed().as_secs_f64())
}

/// Submitting as fast as the drain allows, both at once.
async fn steady(engine: &Engine, time: Duration) -> Result<f64, BenchError> {
    let began = Instant::now();
    let submitted = Arc::new(AtomicU64::new(0));
    let callers = (0..4).map(|_| {
        let (engine, submitted) = (engine.clone(), submitted.clone());
        actix::spawn(async move {
            while began.elapsed() < time {
                if submitted.load(Ordering::Relaxed).saturating_sub(engine.processed()) > BACKLOG {
                    tokio::time::sleep(LOOK).await;
                    continue;
                }
                submitted.fetch_add(100, Ordering::Relaxed);
                submit(&engine, 100).await?;
            }
            Ok::<_, BenchError>(())
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.map_err(|error| BenchError::Other(error.to_string()))??;
    }
    let total = submitted.load(Ordering::Relaxed);
    done(engine, total, || {}).await;
    Ok(total as f64 / began.elapsed().as_secs_f64())
}

/// One task at a time on an idle node: from the call of submit to the first line of its handler.
async fn latency(options: &Options, site: &Site) -> Result<Latency, BenchError> {
    let count = usize::try_from(options.latency_s * 1_000).unwrap_or(0) / PACE.as_millis() as usize;
    let by_number = (0..count).map(|_| AtomicU64::new(0)).collect();
    let starts = Arc::new(Starts { origin: Instant::now(), by_number });
    let node = start(&site.spot("latency")?, options.slots, Some(starts.clone())).await?;
    warm_up(&node).await?;
    let mut pace = tokio::time::interval(PACE);
    let mut called = Vec::with_capacity(count);
    for number in 0..count {
        pace.tick().await;
        let now = node.engine.clock().now();
        let task = NewTask { args: format!("[{number}]"), ..NewTask::named("bench.stamp", QUEUE, now) };
        called.push(starts.origin.elapsed());
        let engine = node.engine.clone();
        actix::spawn(async move { engine.submit(Submission { tasks: vec![task], ..Submission::default() }).await });
    }
    done(&node.engine, 1_000 + count as u64, || {}).await;
    let waited = called.iter().zip(&starts.by_number).map(|(called, start)| {
        let start = Duration::from_nanos(start.load(Ordering::Relaxed));
        start.saturating_sub(*called).as_secs_f64() * 1_000.0
    });
    let latency = Latency::of(waited.collect());
    node.stop(std::future::pending()).await;
    Ok(latency)
}
