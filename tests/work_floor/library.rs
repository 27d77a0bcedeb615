//! What a program of its own registers: functions by their parameters, data, threads, layers; and what it tests them with.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use jobqueue::{
    client::TaskRequest,
    task::{ErrorKind, Outcome, Status},
    testing::{Attempt, TestQueue},
    work::{Data, FromTask, Next, RegisterError, Registry, Snooze, StopSignal, TaskContext, TaskFailure},
};
use serde::Deserialize;
use serde_json::json;

use crate::support::{failure, within};

#[path = "../../examples/handlers.rs"]
mod example;

#[derive(Deserialize)]
struct Scale {
    values: Vec<i64>,
    factor: i64,
}

struct Greeting(&'static str);

/// A parameter of one's own.
struct Customer(String);

impl FromTask for Customer {
    fn from_task(context: &TaskContext) -> Result<Self, TaskFailure> {
        let meta: serde_json::Value = serde_json::from_str(context.meta_json().unwrap_or("{}"))?;
        let name =
            meta["customer"].as_str().ok_or_else(|| TaskFailure::new("meta names no customer").not_retryable())?;
        Ok(Self(name.to_owned()))
    }
}

async fn scale(Scale { values, factor }: Scale) -> Result<Vec<i64>, TaskFailure> {
    Ok(values.into_iter().map(|value| value * factor).collect())
}

fn result(value: serde_json::Value) -> Outcome {
    Outcome::Success(value.to_string())
}

async fn run(registry: &Registry, attempt: Attempt) -> Outcome {
    within(attempt.run(registry)).await
}

#[tokio::test]
async fn parameters_say_what_a_function_is_given() {
    let mut registry = Registry::new();
    registry
        .data(Greeting("hello"))
        .function("nothing", || async { Ok::<_, TaskFailure>("done") })
        .unwrap()
        .function("scale", scale)
        .unwrap()
        .function("all", |context: TaskContext, (n,): (u32,), data: Data<Greeting>, customer: Customer| async move {
            Ok::<_, TaskFailure>(format!("{} {} {n} {}", data.0, customer.0, context.attempt()))
        })
        .unwrap()
        .blocking_function("blocking", |data: Data<Greeting>, names: Vec<String>| {
            Ok::<_, TaskFailure>(format!("{} {}", data.0, names.join(", ")))
        })
        .unwrap();
    registry.check().unwrap();
    assert_eq!(run(&registry, Attempt::at("nothing")).await, result(json!("done")));
    let scaled = Attempt::at("scale").kwargs(&json!({"values": [1, 2], "factor": 3}));
    assert_eq!(run(&registry, scaled).await, result(json!([3, 6])));
    let all = || Attempt::at("all").args(&(7,)).number(2);
    let named = all().meta(&json!({"customer": "ada"}));
    assert_eq!(run(&registry, named).await, result(json!("hello ada 7 2")));
    assert_eq!(failure(run(&registry, all()).await, ErrorKind::Failure).message, "meta names no customer");
    let names = Attempt::at("blocking").args(&["a", "b"]);
    assert_eq!(run(&registry, names).await, result(json!("hello a, b")));
    let misfit = failure(run(&registry, Attempt::at("scale").args(&[1])).await, ErrorKind::Arguments);
    assert!(misfit.message.contains("argument"), "{misfit:?}");
}

#[test]
fn data_that_is_missing_is_told_before_anything_runs() {
    let mut registry = Registry::new();
    registry.function("greet", |data: Data<Greeting>| async move { Ok::<_, TaskFailure>(data.0) }).unwrap();
    let Err(RegisterError::Data { name, data }) = registry.check() else { panic!("nothing is missing") };
    assert_eq!(name, "greet");
    assert!(data.ends_with("Greeting"), "{data}");
    registry.data(Greeting("hello"));
    registry.check().unwrap();
}

#[tokio::test]
async fn layers_are_around_every_attempt_the_first_outermost() {
    let seen = Arc::<Mutex<Vec<String>>>::default();
    let mut registry = Registry::new();
    registry.task("fine", |_: TaskContext, ()| async { Ok::<_, TaskFailure>(1) }).unwrap();
    registry
        .task("breaks", |_: TaskContext, ()| async { if true { panic!("broken") } else { Ok::<(), TaskFailure>(()) } })
        .unwrap();
    for name in ["outer", "inner"] {
        let seen = seen.clone();
        registry.layer(move |context: TaskContext, next: Next| {
            let seen = seen.clone();
            async move {
                seen.lock().unwrap().push(format!("{name} before {}", context.name()));
                let outcome = next.run(context).await;
                let how = if matches!(outcome, Outcome::Success(_)) { "well" } else { "badly" };
                seen.lock().unwrap().push(format!("{name} after, {how}"));
                outcome
            }
        });
    }
    assert_eq!(run(&registry, Attempt::at("fine")).await, result(json!(1)));
    let expected = ["outer before fine", "inner before fine", "inner after, well", "outer after, well"];
    assert_eq!(std::mem::take(&mut *seen.lock().unwrap()), expected);
    assert_eq!(failure(run(&registry, Attempt::at("breaks")).await, ErrorKind::Panic).message, "broken");
    let expected = ["outer before breaks", "inner before breaks", "inner after, badly", "outer after, badly"];
    assert_eq!(std::mem::take(&mut *seen.lock().unwrap()), expected);
}

#[tokio::test]
async fn before_may_refuse_and_after_is_told() {
    let ended = Arc::<Mutex<Vec<bool>>>::default();
    let told = ended.clone();
    let mut registry = Registry::new();
    registry
        .after(move |_, outcome| told.lock().unwrap().push(matches!(outcome, Outcome::Success(_))))
        .before(|context| if context.attempt() > 1 { Err("once is enough") } else { Ok(()) })
        .task("work", |_: TaskContext, ()| async { Ok::<_, TaskFailure>(()) })
        .unwrap();
    assert_eq!(run(&registry, Attempt::at("work")).await, result(json!(null)));
    let refused = failure(run(&registry, Attempt::at("work").number(2)).await, ErrorKind::Failure);
    assert_eq!(refused.message, "once is enough");
    assert_eq!(*ended.lock().unwrap(), [true, false]);
}

#[tokio::test]
async fn a_thread_hears_that_it_is_to_stop() {
    let mut registry = Registry::new();
    registry
        .blocking_task("waits", |context, ()| match context.cancelled_within(Duration::from_secs(600)) {
            true => Err(format!("stopped: {:?}", context.stop_reason())),
            false => Ok(()),
        })
        .unwrap();
    let stop = StopSignal::new();
    let attempt = Attempt::at("waits").stopped_by(&stop, Duration::from_secs(60)).run(&registry);
    let cancel = async { stop.cancel() };
    let (outcome, ()) = within(async { tokio::join!(attempt, cancel) }).await;
    assert_eq!(outcome, Outcome::Cancelled);
    within(stop.left()).await;
    let late = Attempt::at("waits").timeout(Duration::from_millis(50));
    assert!(matches!(run(&registry, late).await, Outcome::TimedOut(_)));
}

#[tokio::test]
async fn a_queue_runs_what_is_ready_until_nothing_is() {
    let mut registry = Registry::new();
    registry
        .task("flaky", |context: TaskContext, ()| async move {
            if context.attempt() < 3 { Err(TaskFailure::new("not yet")) } else { Ok("at last") }
        })
        .unwrap()
        .task("later", |context: TaskContext, ()| async move {
            if context.snoozes() == 0 {
                Err(Snooze(Duration::from_secs(3_600)).into())
            } else {
                Ok::<_, TaskFailure>(())
            }
        })
        .unwrap()
        .task("add", |_: TaskContext, (a, b): (i64, i64)| async move { Ok::<_, TaskFailure>(a + b) })
        .unwrap();
    let queue = TestQueue::new(registry).unwrap();
    let flaky = queue.submit(&TaskRequest::new("flaky")).await.unwrap();
    let later = queue.submit(&TaskRequest::new("later")).await.unwrap();
    let add = TaskRequest::new("add").args(&[1, 2]).unwrap();
    let sums = [
        queue.submit(&add.clone().queue("other")).await.unwrap(),
        queue.submit(&add.delay(Duration::from_secs(60))).await.unwrap(),
    ];
    let ran = queue.drain().await.unwrap();
    let names: Vec<_> = ran.iter().map(|ran| (&*ran.name, ran.attempt)).collect();
    assert_eq!(names, [("flaky", 1), ("later", 1), ("add", 1)]);
    assert_eq!(queue.task(flaky).unwrap().status, Status::Retry);
    assert_eq!(queue.task(later).unwrap().status, Status::Scheduled);
    assert_eq!(queue.task(sums[0]).unwrap().result.as_deref(), Some("3"));
    assert_eq!(queue.task(sums[1]).unwrap().status, Status::Scheduled);
    assert!(queue.drain().await.unwrap().is_empty(), "time stands still");
    queue.advance(Duration::from_secs(300));
    assert_eq!(queue.drain().await.unwrap().len(), 2);
    queue.advance(Duration::from_secs(3_600));
    assert_eq!(queue.drain().await.unwrap().len(), 2);
    for id in [flaky, later, sums[1]] {
        assert_eq!(queue.task(id).unwrap().status, Status::Success);
    }
    assert!(queue.submit(&TaskRequest::new("no such name!")).await.is_err());
}

#[tokio::test]
async fn the_example_runs() {
    let mut registry = Registry::new();
    example::register(&mut registry).unwrap();
    let queue = TestQueue::new(registry).unwrap();
    let made = queue.submit(&TaskRequest::new("thumbnail").args(&("cat.jpg", 64)).unwrap()).await.unwrap();
    queue.drain().await.unwrap();
    let report = queue.submit(&TaskRequest::new("report")).await.unwrap();
    queue.drain().await.unwrap();
    assert_eq!(queue.task(made).unwrap().result.as_deref(), Some("\"cat.jpg.64.png\""));
    assert!(queue.task(report).unwrap().result.unwrap().contains("thumbnail"));
}
