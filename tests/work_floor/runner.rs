//! One attempt: its end in time, whatever the handler does. Time is simulated.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::support::{failure, granted, run};
use futures_util::future::BoxFuture;
use jobqueue::{
    task::{Again, ErrorKind, Outcome},
    work::{Handler, RegisterError, Registry, StopReason, StopSignal, TaskContext, TaskFailure, perform},
};
use tokio::time::Instant;

const GRACE: Duration = Duration::from_secs(10);

/// `polite` fails when asked to stop, `late` succeeds 2 s after, `deaf` never ends, `hour` takes an hour.
fn registry() -> Registry {
    let mut registry = Registry::new();
    let never = std::future::pending::<Result<(), TaskFailure>>;
    registry.task("noop", |_, ()| async { Ok::<_, TaskFailure>(()) }).unwrap();
    registry.task("deaf", move |_, ()| never()).unwrap();
    registry
        .task("polite", |context, ()| async move {
            context.cancelled().await;
            Err::<(), _>(format!("stopped: {:?}", context.stop_reason()))
        })
        .unwrap();
    registry
        .task("late", |context, ()| async move {
            context.cancelled().await;
            tokio::time::sleep(Duration::from_secs(2)).await;
            Ok::<_, TaskFailure>("done")
        })
        .unwrap();
    registry
}

/// Stops the task after a second; the outcome and how long it all took.
async fn stop_after_a_second(name: &str, stop: fn(&StopSignal)) -> (Outcome, Duration) {
    let (registry, signal, started) = (registry(), StopSignal::new(), Instant::now());
    let attempt = perform(&registry, granted(name, "[]", "{}"), &signal, GRACE);
    let (outcome, ()) = tokio::join!(attempt, async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stop(&signal);
    });
    (outcome, started.elapsed())
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_task_ends_cancelled_unless_it_still_succeeds() {
    assert_eq!(stop_after_a_second("polite", StopSignal::cancel).await, (Outcome::Cancelled, seconds(1)));
    let (outcome, took) = stop_after_a_second("deaf", StopSignal::cancel).await;
    assert_eq!((outcome, took.as_secs()), (Outcome::Cancelled, 11));
    let (outcome, took) = stop_after_a_second("late", StopSignal::cancel).await;
    assert_eq!((outcome, took.as_secs()), (Outcome::Success("\"done\"".into()), 3));
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_task_is_given_back_unless_it_still_succeeds() {
    assert_eq!(stop_after_a_second("polite", StopSignal::interrupt).await, (Outcome::Interrupted, seconds(1)));
    assert_eq!(stop_after_a_second("deaf", StopSignal::interrupt).await.0, Outcome::Interrupted);
    assert_eq!(stop_after_a_second("late", StopSignal::interrupt).await.0, Outcome::Success("\"done\"".into()));
}

#[tokio::test(start_paused = true)]
async fn a_forced_cancel_has_no_grace_and_ends_one_that_has_begun() {
    let (outcome, took) = stop_after_a_second("deaf", StopSignal::cancel_at_once).await;
    assert_eq!((outcome, took), (Outcome::Cancelled, seconds(1)));
    let (registry, signal, started) = (registry(), StopSignal::new(), Instant::now());
    let attempt = perform(&registry, granted("deaf", "[]", "{}"), &signal, GRACE);
    let (outcome, ()) = tokio::join!(attempt, async {
        signal.cancel();
        tokio::time::sleep(Duration::from_secs(1)).await;
        signal.cancel_at_once();
    });
    assert_eq!((outcome, started.elapsed()), (Outcome::Cancelled, seconds(1)));
}

#[tokio::test(start_paused = true)]
async fn a_cancel_outranks_an_interrupt() {
    let before = |signal: &StopSignal| {
        signal.cancel();
        signal.interrupt();
    };
    let after = |signal: &StopSignal| {
        signal.interrupt();
        signal.cancel();
    };
    assert_eq!(stop_after_a_second("deaf", before).await.0, Outcome::Cancelled);
    assert_eq!(stop_after_a_second("deaf", after).await.0, Outcome::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn a_task_asked_to_stop_before_it_starts_does_not_start() {
    let ran = Arc::new(AtomicBool::new(false));
    let mut registry = Registry::new();
    let seen = Arc::clone(&ran);
    registry
        .task("x", move |_, ()| {
            seen.store(true, Ordering::SeqCst);
            async { Ok::<_, TaskFailure>(()) }
        })
        .unwrap();
    let stop = StopSignal::new();
    stop.interrupt();
    assert_eq!(perform(&registry, granted("x", "[]", "{}"), &stop, GRACE).await, Outcome::Interrupted);
    assert!(!ran.load(Ordering::SeqCst));
}

#[tokio::test(start_paused = true)]
async fn a_task_over_its_time_is_timed_out_whatever_it_says_then() {
    for (name, took) in [("polite", 5), ("late", 7), ("deaf", 15)] {
        let mut task = granted(name, "[]", "{}");
        task.timeout_ms = Some(5_000);
        let started = Instant::now();
        let outcome = perform(&registry(), task, &StopSignal::new(), GRACE).await;
        let Outcome::TimedOut(error) = outcome else { panic!("{name}: {outcome:?}") };
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Timeout, "did not finish within 5s"));
        assert_eq!(started.elapsed().as_secs(), took, "{name}");
        let said = (name == "polite").then(|| "stopped: Some(Timeout)".to_owned());
        assert_eq!(error.detail, said);
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_leaves_a_quick_task_alone_and_the_longest_limit_is_none() {
    for limit in [0, 1, 5_000, i64::MAX] {
        let mut task = granted("noop", "[]", "{}");
        task.timeout_ms = Some(limit);
        assert_eq!(run(&registry(), task).await, Outcome::Success("null".into()));
    }
}

#[tokio::test]
async fn a_name_without_handler_may_have_one_elsewhere() {
    let outcome = run(&registry(), granted("nobody", "[]", "{}")).await;
    assert!(matches!(outcome, Outcome::Failure { again: Again::ByPolicy, .. }));
    assert!(failure(outcome, ErrorKind::NoHandler).message.contains("\"nobody\""));
}

struct Fragile(&'static str);

/// Panics on drop.
struct Trap;

impl Drop for Trap {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("a panic in a destructor");
        }
    }
}

impl Handler for Fragile {
    fn kind(&self) -> &'static str {
        "fragile"
    }

    fn run(&self, _: TaskContext) -> BoxFuture<'static, Outcome> {
        match self.0 {
            "call" => panic!("before the first await"),
            "poll" => Box::pin(async {
                tokio::task::yield_now().await;
                panic!("first line\nsecond line")
            }),
            _ => {
                let trap = Trap;
                Box::pin(async move {
                    std::future::pending::<()>().await;
                    drop(trap);
                    Outcome::Interrupted
                })
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_an_outcome_wherever_it_happens() {
    let mut registry = Registry::new();
    for name in ["call", "poll", "drop"] {
        registry.add(name, Fragile(name)).unwrap();
    }
    let error = failure(run(&registry, granted("call", "[]", "{}")).await, ErrorKind::Panic);
    assert_eq!((error.message.as_str(), error.detail), ("before the first await", None));
    let error = failure(run(&registry, granted("poll", "[]", "{}")).await, ErrorKind::Panic);
    assert_eq!((error.message.as_str(), error.detail.as_deref()), ("first line", Some("first line\nsecond line")));
    let mut task = granted("drop", "[]", "{}");
    task.timeout_ms = Some(1);
    assert!(matches!(run(&registry, task).await, Outcome::TimedOut(_)));
}

#[tokio::test]
async fn a_handler_sees_its_task() {
    let mut registry = Registry::new();
    registry
        .task("look", |context, _: (i64,)| async move {
            let kwargs = context.kwargs::<Vec<i64>>().unwrap_err();
            assert_eq!(kwargs.error().message, "argument `kwargs`: invalid type: map, expected a sequence");
            assert_eq!(context.args::<(i64,)>()?, (7,));
            assert_eq!((context.name(), context.queue(), context.attempt()), ("look", "default", 2));
            assert_eq!((context.failures(), context.max_retries(), context.generation()), (1, 3, 0));
            assert_eq!((context.args_json(), context.kwargs_json(), context.meta_json()), ("[7]", "{}", Some("{}")));
            assert!(context.deadline().is_some() && context.time_left() <= Some(Duration::from_secs(60)));
            assert!(!context.is_cancelled());
            Ok::<_, TaskFailure>((context.id(), context.lease().to_string()))
        })
        .unwrap();
    let mut task = granted("look", "[7]", "{}");
    (task.attempt, task.failures, task.meta, task.timeout_ms) = (2, 1, Some("{}".into()), Some(60_000));
    let expected = serde_json::to_string(&(task.id, task.token().to_string())).unwrap();
    assert_eq!(run(&registry, task).await, Outcome::Success(expected));
}

#[tokio::test]
async fn a_signal_wakes_all_who_wait_for_it() {
    let signal = StopSignal::new();
    let waiting: Vec<_> = (0..100)
        .map(|_| {
            let signal = signal.clone();
            tokio::spawn(async move { signal.requested().await })
        })
        .collect();
    tokio::task::yield_now().await;
    signal.interrupt();
    for waiter in waiting {
        crate::support::within(waiter).await.unwrap();
    }
    assert_eq!(signal.reason(), Some(StopReason::Interrupt));
}

#[test]
fn a_name_is_registered_once_and_only_if_it_can_be_submitted() {
    let mut registry = registry();
    let again = registry.task("noop", |_, ()| async { Ok::<_, TaskFailure>(()) }).map(|_| ());
    assert_eq!(again, Err(RegisterError::Duplicate("noop".into())));
    assert!(matches!(registry.add("a b", Fragile("call")), Err(RegisterError::Name(_))));
    let snapshot = registry.clone();
    registry.add("another", Fragile("call")).unwrap();
    assert_eq!(snapshot.names().collect::<Vec<_>>(), ["deaf", "late", "noop", "polite"]);
    assert_eq!(registry.kinds().next(), Some(("another", "fragile")));
}
