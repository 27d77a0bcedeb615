//! What the tests of the `work` floor share.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use jobqueue::{
    task::{ErrorKind, Granted, LeaseId, Outcome, Priority, TaskError, TaskId},
    work::{CommandHandler, CommandSpec, Guard, Registry, StopSignal, perform},
};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A granted task: first attempt, no limit.
pub(crate) fn granted(name: &str, args: &str, kwargs: &str) -> Granted {
    Granted {
        id: TaskId::new(),
        lease: LeaseId::random(),
        name: name.into(),
        queue: "default".into(),
        priority: Priority::default(),
        args: args.into(),
        kwargs: kwargs.into(),
        meta: None,
        attempt: 1,
        failures: 0,
        crashes: 0,
        snoozes: 0,
        max_retries: 3,
        retry: None,
        timeout_ms: None,
        expires_at: None,
        generation: 0,
        parents: 0,
        workflow: None,
        has_dependants: false,
        ready_at: 0,
        keyed: false,
        started_at: 0,
    }
}

/// Runs to the end, unstopped.
pub(crate) async fn run(registry: &Registry, task: Granted) -> Outcome {
    within(perform(registry, task, &StopSignal::new(), Duration::ZERO)).await
}

/// A registry with one command named `command`.
pub(crate) fn command(spec: CommandSpec, guard: Option<Guard>) -> Registry {
    let mut registry = Registry::new();
    registry.add("command", CommandHandler::new(spec, guard).unwrap()).unwrap();
    registry
}

/// A command that is a shell script; `arguments` are its `$1`, `$2`, …
pub(crate) fn script(script: &str, arguments: &[&Path]) -> CommandSpec {
    let arguments = arguments.iter().map(|path| path.to_str().unwrap());
    CommandSpec::new(["/bin/sh", "-c", script, "script"].into_iter().chain(arguments))
}

pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("takes too long")
}

/// Asks again until there is an answer.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// The process ids that a script wrote, one a line, once there are `count`.
pub(crate) async fn pids(file: &Path, count: usize) -> Vec<u32> {
    eventually("the script writes its process ids", || {
        let text = fs::read_to_string(file).ok().filter(|text| text.ends_with('\n'))?;
        let pids: Vec<u32> = text.lines().map(|line| line.trim().parse().unwrap()).collect();
        (pids.len() == count).then_some(pids)
    })
    .await
}

/// State letter of a process: `None` = does not exist.
pub(crate) fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Runs no more. Whoever inherited it may be slow to reap it.
pub(crate) async fn ended(pid: u32) {
    eventually(&format!("process {pid} ends"), || matches!(state(pid), None | Some('Z' | 'X')).then_some(())).await;
}

pub(crate) fn failure(outcome: Outcome, kind: ErrorKind) -> TaskError {
    match outcome {
        Outcome::Failure { error, .. } if error.kind == kind => error,
        other => panic!("expected a failure of kind {kind:?}, not {other:?}"),
    }
}
