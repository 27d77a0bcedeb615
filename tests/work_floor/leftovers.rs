//! What has left its command's group ends with the task all the same.

use std::{fs, path::Path, time::Duration};

use jobqueue::{
    task::{Granted, Outcome},
    work::{StopSignal, perform},
};

use crate::support::{command, ended, granted, pids, run, script, state, within};

const LONG: Duration = Duration::from_secs(60);

/// A session of its own, orphaned, with no pipe of the command's; writes its process id.
const DAEMON: &str = "(setsid sh -c 'echo $$ > $0.part; mv $0.part $0; sleep 300; :' $1 > /dev/null 2>&1 < /dev/null &); \
                      while ! [ -e $1 ]; do sleep 0.01; done;";

fn task(timeout_ms: Option<i64>) -> Granted {
    Granted { timeout_ms, ..granted("command", "[]", "{}") }
}

async fn daemon(file: &Path) -> u32 {
    pids(file, 1).await[0]
}

#[tokio::test]
async fn after_a_time_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let registry = command(script(&format!("{DAEMON} sleep 300"), &[&file]), None);
    let stop = StopSignal::new();
    let running = perform(&registry, task(Some(2_000)), &stop, LONG);
    let (outcome, pid) = tokio::join!(within(running), daemon(&file));
    assert!(matches!(outcome, Outcome::TimedOut(_)), "{outcome:?}");
    // Before it is told, so that the next attempt meets nothing of this one.
    assert!(matches!(state(pid), None | Some('Z' | 'X')), "{:?}", state(pid));
}

#[tokio::test]
async fn after_a_time_out_that_the_command_does_not_heed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let registry = command(script(&format!("trap '' TERM; {DAEMON} sleep 300; sleep 300"), &[&file]), None);
    let stop = StopSignal::new();
    let running = perform(&registry, task(None), &stop, Duration::ZERO);
    let stopping = async {
        let pid = daemon(&file).await;
        stop.cancel();
        pid
    };
    let (outcome, pid) = tokio::join!(within(running), stopping);
    assert_eq!(outcome, Outcome::Cancelled);
    ended(pid).await;
}

#[tokio::test]
async fn after_a_cancel() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let registry = command(script(&format!("{DAEMON} sleep 300"), &[&file]), None);
    let stop = StopSignal::new();
    let running = perform(&registry, task(None), &stop, LONG);
    let stopping = async {
        let pid = daemon(&file).await;
        stop.cancel();
        pid
    };
    let (outcome, pid) = tokio::join!(within(running), stopping);
    assert_eq!(outcome, Outcome::Cancelled);
    assert!(matches!(state(pid), None | Some('Z' | 'X')), "{:?}", state(pid));
}

#[tokio::test]
async fn after_a_success_and_only_what_is_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let (file, other) = (folder.path().join("pid"), folder.path().join("other"));
    // Another task that runs meanwhile, and what has put off the mark, go on.
    let going_on = command(script(&format!("{DAEMON} sleep 300"), &[&other]), None);
    let stop = StopSignal::new();
    let beside = tokio::spawn({
        let stop = stop.clone();
        async move { perform(&going_on, task(None), &stop, LONG).await }
    });
    let other = daemon(&other).await;
    let kept = folder.path().join("kept");
    let text = format!("{DAEMON} {}", DAEMON.replace("setsid", "env -u JOBQUEUE_RUN setsid").replace("$1", "$2"));
    let outcome = run(&command(script(&text, &[&file, &kept]), None), task(None)).await;
    assert_eq!(outcome, Outcome::Success("null".into()));
    ended(daemon(&file).await).await;
    let kept = daemon(&kept).await;
    assert!(state(other).is_some_and(|state| state != 'Z') && state(kept).is_some_and(|state| state != 'Z'));
    let kill = std::process::Command::new("/bin/kill").args(["-9", &format!("-{kept}")]).status().unwrap();
    assert!(kill.success());
    stop.cancel();
    assert_eq!(within(beside).await.unwrap(), Outcome::Cancelled);
    ended(other).await;
}

#[tokio::test]
async fn what_holds_the_output_open_does_not_hold_the_task() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let text = "setsid sh -c 'echo $$ > $0.part; mv $0.part $0; sleep 300; :' $1 & \
                while ! [ -e $1 ]; do sleep 0.01; done; echo 7";
    let outcome = run(&command(script(text, &[&file]), None), task(None)).await;
    assert_eq!(outcome, Outcome::Success("7".into()));
    ended(daemon(&file).await).await;
    assert!(fs::exists(&file).unwrap());
}
