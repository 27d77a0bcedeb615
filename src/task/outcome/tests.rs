use super::*;
use crate::task::{LeaseId, Priority, Strategy, TaskId};

const NOW: Millis = 1_800_000_000_000;

fn task(max_retries: u32) -> Granted {
    Granted {
        id: TaskId::new(),
        lease: LeaseId::random(),
        name: "t".into(),
        queue: "q".into(),
        priority: Priority::default(),
        args: "[]".into(),
        kwargs: "{}".into(),
        meta: None,
        attempt: 1,
        failures: 0,
        crashes: 0,
        snoozes: 0,
        max_retries,
        retry: Some(RetryPolicy { strategy: Strategy::Fixed, initial: 1_000, jitter: false, ..RetryPolicy::default() }),
        timeout_ms: None,
        expires_at: None,
        generation: 1,
        keyed: false,
        parents: 0,
        workflow: None,
        has_dependants: false,
        ready_at: NOW,
        started_at: NOW,
    }
}

fn decided(task: &Granted, outcome: Outcome) -> Verdict {
    decide(task, outcome, &RetryPolicy::default(), NOW, 0.5)
}

fn failure(again: Again) -> Outcome {
    Outcome::Failure { error: TaskError::new(ErrorKind::Failure, "no").with_detail("why"), again }
}

fn some_outcome(random: &mut fastrand::Rng) -> Outcome {
    let delay = random.choice([-1, 0, 1, 30_000, LONGEST_WAIT, LONGEST_WAIT + 1, Millis::MAX, Millis::MIN]).unwrap();
    match random.u8(..8) {
        0 => Outcome::Snoozed(delay),
        1 => failure(Again::After(delay)),
        2 => failure(Again::ByPolicy),
        3 => failure(Again::Never),
        4 => Outcome::TimedOut(TaskError::new(ErrorKind::Timeout, "slow")),
        5 => Outcome::Interrupted,
        6 => Outcome::Cancelled,
        _ => Outcome::Success("1".into()),
    }
}

/// What a task goes through attempt by attempt, as the store records it.
#[test]
fn it_fails_at_most_once_more_than_it_may_be_retried_and_waits_for_nothing() {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..2_000 {
        let mut task = task(random.u32(..4));
        let (mut now, mut failures, mut over) = (NOW, 0, false);
        task.expires_at = random.bool().then(|| NOW + random.i64(1..100_000));
        for _ in 0..200 {
            let (outcome, before) = (some_outcome(&mut random), task.failures);
            let verdict = decide(&task, outcome.clone(), &RetryPolicy::default(), now, random.f64());
            let shown = format!("seed {seed}: {task:?} {outcome:?} {verdict:?}");
            assert!(Status::Running.may_become(verdict.status()), "{shown}");
            match &verdict {
                Verdict::Retry { at, .. } | Verdict::Snooze { at } => {
                    assert!((now..=now + LONGEST_WAIT).contains(at), "{shown}");
                    assert!(task.expires_at.is_none_or(|end| *at < end), "{shown}");
                    now = *at;
                }
                Verdict::Release => {}
                _ => over = true,
            }
            task.failures += u32::from(matches!(verdict, Verdict::Retry { .. }));
            failures += u32::from(matches!(verdict, Verdict::Retry { .. } | Verdict::Dead { .. }));
            assert!(failures <= task.max_retries + 1, "{shown}");
            if matches!(outcome, Outcome::Snoozed(0..=LONGEST_WAIT)) {
                assert_eq!(task.failures, before, "{shown}");
                assert!(matches!(verdict, Verdict::Snooze { .. } | Verdict::Expired { .. }), "{shown}");
            }
            if over {
                break;
            }
        }
    }
}

#[test]
fn a_handler_says_when_it_is_tried_again() {
    let task = task(3);
    for delay in [0, 30_000, LONGEST_WAIT] {
        let Verdict::Retry { at, error } = decided(&task, failure(Again::After(delay))) else { panic!("{delay}") };
        assert_eq!((at, error.detail.as_deref()), (NOW + delay, Some("why")));
    }
    for delay in [-1, LONGEST_WAIT + 1, Millis::MAX] {
        let Verdict::Retry { at, error } = decided(&task, failure(Again::After(delay))) else { panic!("{delay}") };
        let detail = error.detail.unwrap();
        assert_eq!(at, NOW + 1_000);
        assert!(detail.contains("the retry policy decides") && detail.ends_with("\nwhy"), "{detail}");
    }
    let mut last = task;
    last.failures = 3;
    let verdict = decided(&last, failure(Again::After(5)));
    assert!(matches!(verdict, Verdict::Dead { reason: DeadReason::Exhausted, .. }), "{verdict:?}");
}

#[test]
fn what_cannot_help_is_not_tried_again() {
    let verdict = decided(&task(3), failure(Again::Never));
    assert!(matches!(verdict, Verdict::Dead { status: Status::Failed, reason: DeadReason::NotRetryable, .. }));
}

#[test]
fn a_snooze_is_no_failure_unless_nobody_knows_for_how_long() {
    let mut worn = task(0);
    worn.failures = 0;
    assert_eq!(decided(&worn, Outcome::Snoozed(5_000)), Verdict::Snooze { at: NOW + 5_000 });
    let verdict = decided(&worn, Outcome::Snoozed(-5));
    assert!(
        matches!(&verdict, Verdict::Dead { error, .. } if error.message.contains("snoozed for -5 ms")),
        "{verdict:?}"
    );
}

#[test]
fn beyond_its_end_nothing_is_waited_for() {
    let mut task = task(3);
    task.expires_at = Some(NOW + 1_000);
    for outcome in [failure(Again::ByPolicy), failure(Again::After(1_000)), failure(Again::After(90_000))] {
        let Verdict::Dead { status, reason, error } = decided(&task, outcome) else { panic!("it is tried again") };
        assert_eq!((status, reason, &*error.message), (Status::Failed, DeadReason::Expired, "no"));
        assert!(error.detail.unwrap().starts_with("not tried again: it expires"));
    }
    assert_eq!(decided(&task, failure(Again::After(999))).status(), Status::Retry);
    let slow = decided(&task, Outcome::TimedOut(TaskError::new(ErrorKind::Timeout, "slow")));
    assert!(matches!(slow, Verdict::Dead { status: Status::Timeout, reason: DeadReason::Expired, .. }), "{slow:?}");
    assert_eq!(decided(&task, Outcome::Snoozed(999)), Verdict::Snooze { at: NOW + 999 });
    let late = decided(&task, Outcome::Snoozed(1_000));
    assert!(matches!(&late, Verdict::Expired { error } if error.kind == ErrorKind::Expired), "{late:?}");
    // Other reasons come first: they would hold without an end, too.
    task.failures = 3;
    let verdict = decided(&task, failure(Again::ByPolicy));
    assert!(matches!(verdict, Verdict::Dead { reason: DeadReason::Exhausted, .. }), "{verdict:?}");
}

#[test]
fn a_note_outlives_a_detail_that_is_too_long() {
    let error = TaskError::new(ErrorKind::Exit, "m").with_detail("x".repeat(TaskError::MAX_DETAIL)).with_note("note");
    let detail = error.detail.unwrap();
    assert!(detail.starts_with("note\nxxx") && detail.len() <= TaskError::MAX_DETAIL);
}
