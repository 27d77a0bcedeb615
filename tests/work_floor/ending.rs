//! How commands are ended: asked first, killed with all they started after the grace, nothing left behind.

use std::{fs, path::Path, time::Duration};

use jobqueue::{
    task::{Granted, Outcome},
    work::{CommandSpec, StopSignal, perform},
};

use crate::support::{command, ended, eventually, granted, pids, script, state, within};

/// So long that no test would pass that waited for it.
const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(50);

/// A parent and a child that both ignore SIGTERM; writes both ids.
const DEAF: &str = "trap '' TERM; sh -c 'echo $$ >> $0; exec sleep 1000' $1 & \
                    while ! [ -s $1 ]; do sleep 0.01; done; echo $$ >> $1; wait";

fn task() -> Granted {
    granted("command", "[]", "{}")
}

/// Starts `spec`, waits for `count` ids in `file`, stops it by `stop`: its outcome and the ids.
async fn stopped(
    spec: CommandSpec,
    (file, count): (&Path, usize),
    stop: fn(&StopSignal),
    grace: Duration,
) -> (Outcome, Vec<u32>) {
    let (registry, signal) = (command(spec, None), StopSignal::new());
    let attempt = perform(&registry, task(), &signal, grace);
    within(async {
        tokio::join!(attempt, async {
            let pids = pids(file, count).await;
            stop(&signal);
            pids
        })
    })
    .await
}

#[tokio::test]
async fn a_deaf_command_is_killed_after_the_grace_with_its_children() {
    for (stop, expected) in
        [(StopSignal::cancel as fn(&StopSignal), Outcome::Cancelled), (StopSignal::interrupt, Outcome::Interrupted)]
    {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pids");
        let (outcome, pids) = stopped(script(DEAF, &[&file]), (&file, 2), stop, SHORT).await;
        assert_eq!(outcome, expected);
        for pid in pids {
            ended(pid).await;
        }
    }
}

#[tokio::test]
async fn a_deaf_command_is_killed_at_once_where_no_grace_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let day = Duration::from_secs(86_400);
    let (outcome, pids) = stopped(script(DEAF, &[&file]), (&file, 2), StopSignal::cancel_at_once, day).await;
    assert_eq!(outcome, Outcome::Cancelled);
    for pid in pids {
        ended(pid).await;
    }
}

#[tokio::test]
async fn a_command_over_its_time_is_killed_with_its_children() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let mut task = task();
    task.timeout_ms = Some(1_000);
    let registry = command(script(DEAF, &[&file]), None);
    let outcome = within(perform(&registry, task, &StopSignal::new(), SHORT)).await;
    assert!(matches!(outcome, Outcome::TimedOut(_)), "{outcome:?}");
    for pid in pids(&file, 2).await {
        ended(pid).await;
    }
}

#[tokio::test]
async fn a_command_that_obeys_ends_long_before_the_grace() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let obedient = "sleep 1000 & echo $! > $1; echo $$ >> $1; wait";
    let (outcome, pids) = stopped(script(obedient, &[&file]), (&file, 2), StopSignal::cancel, LONG).await;
    assert_eq!(outcome, Outcome::Cancelled);
    for pid in pids {
        ended(pid).await;
    }
}

#[tokio::test]
async fn a_stopped_command_is_continued_to_hear_that_it_is_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let sleeping = "echo $$ > $1; kill -STOP $$; echo 1";
    let (outcome, _) = stopped(script(sleeping, &[&file]), (&file, 1), StopSignal::cancel, LONG).await;
    assert_eq!(outcome, Outcome::Cancelled);
}

#[tokio::test]
async fn a_result_within_the_grace_counts_and_a_bare_exit_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let waiting = "echo $$ > $1; while :; do sleep 0.01; done";
    for (answer, stop, expected) in [
        ("echo 7; exit 0", StopSignal::cancel as fn(&StopSignal), Outcome::Success("7".into())),
        ("echo 7; exit 0", StopSignal::interrupt, Outcome::Success("7".into())),
        ("exit 0", StopSignal::cancel, Outcome::Cancelled),
        ("exit 0", StopSignal::interrupt, Outcome::Interrupted),
    ] {
        let file = folder.path().join("pids");
        let _ = fs::remove_file(&file);
        let text = format!("trap '{answer}' TERM; {waiting}");
        assert_eq!(stopped(script(&text, &[&file]), (&file, 1), stop, LONG).await.0, expected, "{answer}");
    }
}

#[tokio::test]
async fn a_time_out_keeps_what_the_command_said_last() {
    let mut task = task();
    task.timeout_ms = Some(300);
    let text = "echo at the barrier >&2; exec sleep 1000";
    let outcome = within(perform(&command(script(text, &[]), None), task, &StopSignal::new(), LONG)).await;
    let Outcome::TimedOut(error) = outcome else { panic!("{outcome:?}") };
    assert_eq!(error.message, "did not finish within 300ms");
    assert_eq!(error.detail.as_deref(), Some("ended by signal 15 (SIGTERM): at the barrier\nat the barrier"));
}

#[tokio::test]
async fn a_dropped_attempt_leaves_neither_process_nor_zombie() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let registry = command(script(DEAF, &[&file]), None);
    let attempt = tokio::spawn(async move { perform(&registry, task(), &StopSignal::new(), LONG).await });
    let pids = pids(&file, 2).await;
    attempt.abort();
    assert!(attempt.await.unwrap_err().is_cancelled());
    ended(pids[0]).await;
    // The second is our child: only we can reap it.
    eventually("the child is reaped", || state(pids[1]).is_none().then_some(())).await;
}

#[tokio::test]
async fn an_attempt_dropped_while_it_starts_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let witness = folder.path().join("witness");
    let registry = command(script("sleep 1000; echo $1", &[&witness]), None);
    for _ in 0..50 {
        let stop = StopSignal::new();
        let mut attempt = Box::pin(perform(&registry, task(), &stop, LONG));
        // One poll hands the command to the thread that starts it.
        std::future::poll_fn(|context| {
            assert!(attempt.as_mut().poll(context).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
    }
    // That thread serves in order: when this one has ended, all others have been started.
    let last = command(script("true", &[]), None);
    within(perform(&last, task(), &StopSignal::new(), LONG)).await;
    eventually("no such script runs", || {
        let needle = witness.to_str().unwrap().as_bytes();
        let runs = fs::read_dir("/proc").unwrap().flatten().any(|entry| {
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            line.windows(needle.len()).any(|part| part == needle)
        });
        (!runs).then_some(())
    })
    .await;
}
