//! Commands: what they are given and what their output and exit mean.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use jobqueue::{
    task::{Again, ErrorKind, Granted, Outcome, TaskError},
    work::{CommandHandler, CommandSpec, Registry},
};
use serde_json::{Value, json};

use crate::support::{command, ended, failure, granted, pids, run, script, within};

fn task() -> Granted {
    granted("command", "[]", "{}")
}

/// Runs a shell script for a task without arguments.
async fn sh(text: &str) -> Outcome {
    run(&command(script(text, &[]), None), task()).await
}

fn success(outcome: Outcome) -> Value {
    match outcome {
        Outcome::Success(result) => serde_json::from_str(&result).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn stdin_is_one_line_with_the_task() {
    let mut task = granted("command", "[1,\n 2]", "{\"a\":\r\n\"x\\ny\"}");
    task.meta = Some(r#"{"trace":"7"}"#.into());
    (task.attempt, task.snoozes) = (3, 2);
    let (id, lease) = (task.id.to_string(), task.token().to_string());
    // `head` shows that one line is all; `cat` after it, that the end follows.
    let outcome = run(&command(script("head -n 1; cat", &[]), None), task).await;
    let expected = json!({
        "id": id, "name": "command", "args": [1, 2], "kwargs": {"a": "x\ny"}, "attempt": 3, "snoozes": 2, "lease_id": lease,
        "parents": {}, "meta": {"trace": "7"},
    });
    assert_eq!(success(outcome), expected);
}

#[tokio::test]
async fn the_environment_is_what_was_allowed_and_the_task() {
    let mut spec = script("env | sort | sed 's/.*/\"&\"/' | paste -sd, | sed 's/.*/[&]/'", &[]);
    spec.env.insert("COLOUR".into(), "blue; $(id)".into());
    spec.env.insert("JOBQUEUE_ATTEMPT".into(), "a lie".into());
    spec.inherit_env.push("CARGO_PKG_NAME".into());
    let task = task();
    let own = [
        "CARGO_PKG_NAME=jobqueue".to_owned(),
        "COLOUR=blue; $(id)".into(),
        "JOBQUEUE_ATTEMPT=1".into(),
        format!("JOBQUEUE_LEASE_ID={}", task.token()),
        format!("JOBQUEUE_TASK_ID={}", task.id),
    ];
    let Value::Array(lines) = success(run(&command(spec, None), task).await) else { panic!() };
    let lines: Vec<_> = lines.iter().map(|line| line.as_str().unwrap()).collect();
    for line in &own {
        assert!(lines.contains(&line.as_str()), "{line} is not in {lines:?}");
    }
    // What a shell sets by itself.
    let known = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", "PWD", "OLDPWD", "SHLVL", "_"];
    let is_mark = |line: &str| line.starts_with("JOBQUEUE_RUN=");
    assert_eq!(lines.iter().filter(|line| is_mark(line)).count(), 1);
    for line in lines.iter().filter(|line| !is_mark(line) && !own.contains(&(**line).to_owned())) {
        assert!(known.contains(&line.split('=').next().unwrap()), "{line} was inherited");
    }
}

#[tokio::test]
async fn the_working_directory_and_the_group_are_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = script(r#"printf '["%s",%d,%d]' "$(pwd -P)" $$ "$(cut -d' ' -f5 /proc/$$/stat)""#, &[]);
    spec.cwd = Some(folder.path().canonicalize().unwrap());
    let told = success(run(&command(spec.clone(), None), task()).await);
    assert_eq!(told[0].as_str(), spec.cwd.as_ref().unwrap().to_str());
    assert_eq!(told[1], told[2], "its group is not its process id");
}

#[tokio::test]
async fn stdout_is_one_json_value() {
    assert_eq!(sh("true").await, Outcome::Success("null".into()));
    assert_eq!(sh("echo; echo ' '").await, Outcome::Success("null".into()));
    assert_eq!(sh(r#"printf ' {"a":  1.50}\n\n'"#).await, Outcome::Success(r#"{"a":  1.50}"#.into()));
    for (text, reason) in [
        ("echo done", "its output is not one JSON value"),
        ("echo 1 2", "its output is not one JSON value"),
        (r"printf '\377'", "its output is not UTF-8"),
        (r#"printf '"\\u0000"'"#, "its output contains the character U+0000"),
        (r#"printf '"\\ud800"'"#, "its output contains half of a surrogate pair"),
        ("printf 1e999", "its output "),
        ("head -c 100 /dev/zero | tr '\\0' '['; head -c 100 /dev/zero | tr '\\0' ']'", "its output nested deeper"),
    ] {
        let error = failure(sh(text).await, ErrorKind::Output);
        assert!(error.message.starts_with(reason), "{text}: {}", error.message);
    }
}

#[tokio::test]
async fn output_up_to_the_limit_is_kept_and_beyond_it_kills_at_once() {
    let mut spec = script(r#"printf '"12345678"'"#, &[]);
    spec.output_limit = 10;
    assert_eq!(run(&command(spec.clone(), None), task()).await, Outcome::Success("\"12345678\"".into()));
    spec.output_limit = 9;
    let error = failure(run(&command(spec, None), task()).await, ErrorKind::Output);
    assert_eq!(error.message, "its output is longer than 9 bytes");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let endless = script("yes 1 & echo $! > $1; yes 2", &[&file]);
    let error = failure(run(&command(endless, None), task()).await, ErrorKind::Output);
    assert_eq!(error.message, "its output is longer than 1048576 bytes");
    ended(pids(&file, 1).await[0]).await;
}

#[tokio::test]
async fn a_large_result_passes_both_ways() {
    let text = "x".repeat(1_000_000);
    let task = granted("command", &format!("[\"{text}\"]"), "{}");
    let result = success(run(&command(CommandSpec::new(["cat"]), None), task).await);
    assert_eq!(result["args"][0].as_str(), Some(text.as_str()));
}

#[tokio::test]
async fn an_exit_code_fails_with_the_last_line_of_stderr() {
    let error = failure(sh("echo 5; echo first >&2; echo 'last; $(id)' >&2; echo >&2; exit 3").await, ErrorKind::Exit);
    assert_eq!(error.message, "last; $(id) (exit code 3)");
    assert_eq!(error.detail.as_deref(), Some("first\nlast; $(id)"));
    let error = failure(sh("exit 1").await, ErrorKind::Exit);
    assert_eq!((error.message.as_str(), error.detail), ("exit code 1", None));
}

#[tokio::test]
async fn the_end_of_a_long_stderr_is_kept() {
    let error = failure(sh("yes 'é and more' | head -c 3000000 >&2; echo the end >&2; exit 9").await, ErrorKind::Exit);
    let detail = error.detail.unwrap();
    assert_eq!(error.message, "the end (exit code 9)");
    assert!(detail.ends_with("\nthe end") && (15_900..=16_000).contains(&detail.len()), "{} bytes", detail.len());
    let mut spec = script("printf '%s\\n' one two three >&2; exit 1", &[]);
    spec.stderr_limit = 6;
    assert_eq!(failure(run(&command(spec, None), task()).await, ErrorKind::Exit).detail.as_deref(), Some("three"));
    // A line of stderr that never ends is cut, and the exit code is still told.
    let error = failure(sh("head -c 100000 /dev/zero | tr '\\0' x >&2; exit 4").await, ErrorKind::Exit);
    assert!(error.message.ends_with("x (exit code 4)"), "{}", error.message);
}

#[tokio::test]
async fn a_signal_fails_by_its_name() {
    let error = failure(sh("echo so far >&2; kill -9 $$").await, ErrorKind::Signal);
    assert_eq!(error.message, "ended by signal 9 (SIGKILL): so far");
    assert_eq!(failure(sh("kill -40 $$").await, ErrorKind::Signal).message, "ended by signal 40");
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let spawn = async |spec| failure(run(&command(spec, None), task()).await, ErrorKind::Spawn).message;
    let message = spawn(CommandSpec::new(["/no/such/program", "-x"])).await;
    assert_eq!(message, "cannot start \"/no/such/program\": No such file or directory (os error 2)");
    let plain = tempfile::NamedTempFile::new().unwrap();
    let message = spawn(CommandSpec::new([plain.path().to_str().unwrap()])).await;
    assert_eq!(message, format!("cannot start {:?}: Permission denied (os error 13)", plain.path()));
    let mut spec = CommandSpec::new(["true"]);
    spec.cwd = Some(PathBuf::from("/no/such/folder"));
    let message = spawn(spec).await;
    assert_eq!(message, "cannot start \"true\": its working directory /no/such/folder is not a directory");
}

#[test]
fn what_could_never_start_is_refused() {
    let refused = |spec| CommandHandler::new(spec, None).map(|_| ()).unwrap_err().to_string();
    assert!(refused(CommandSpec::new([] as [&str; 0])).starts_with("the command is empty"));
    assert!(refused(CommandSpec::new([""])).starts_with("the command is empty"));
    assert!(refused(CommandSpec::new(["a", "b\0c"])).contains("NUL"));
    let mut spec = CommandSpec::new(["a"]);
    spec.env.insert("A=B".into(), "c".into());
    assert!(refused(spec).contains("\"A=B\" is not the name"));
}

#[tokio::test]
async fn a_child_that_does_not_read_is_free_to() {
    let task = || granted("command", &format!("[\"{}\"]", "x".repeat(1_000_000)), "{}");
    for text in ["true", "exec 0<&-; echo null", "head -c 10 >/dev/null"] {
        assert_eq!(run(&command(script(text, &[]), None), task()).await, Outcome::Success("null".into()), "{text}");
    }
}

#[tokio::test]
async fn hostile_arguments_stay_data() {
    let folder = tempfile::tempdir().unwrap();
    let witness = folder.path().join("witness");
    let touch = format!("touch {}", witness.display());
    let hostile = [
        format!("; {touch}"),
        format!("$({touch})"),
        format!("`{touch}`"),
        format!("\n{touch}\n"),
        format!("' ; {touch} #"),
        format!("\" | {touch}"),
        "-rf".into(),
        "--help".into(),
        "\u{1b}[31m\u{202e}\u{7f}".into(),
        "x".repeat(300_000),
    ];
    let mut registry = Registry::new();
    let name = "$(id):name";
    assert!(registry.add(name, CommandHandler::new(CommandSpec::new(["cat"]), None).unwrap()).is_err());
    registry.add("c", CommandHandler::new(CommandSpec::new(["cat"]), None).unwrap()).unwrap();
    for text in &hostile {
        let task = granted("c", &json!([text]).to_string(), &json!({ text: text }).to_string());
        let seen = success(run(&registry, task).await);
        assert_eq!((&seen["args"][0], &seen["kwargs"][text]), (&json!(text), &json!(text)));
    }
    assert!(!witness.exists());
}

#[tokio::test]
async fn what_stays_behind_neither_holds_the_slot_nor_lives_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let started = Instant::now();
    // Keeps stdout and stderr open.
    let holding = script("sleep 1000 & echo $! > $1; echo 5", &[&file]);
    assert_eq!(run(&command(holding, None), task()).await, Outcome::Success("5".into()));
    ended(pids(&file, 1).await[0]).await;
    // Does not.
    fs::remove_file(&file).unwrap();
    let silent = script("sleep 1000 <&- >&- 2>&- & echo $! > $1; echo 6", &[&file]);
    assert_eq!(run(&command(silent, None), task()).await, Outcome::Success("6".into()));
    ended(pids(&file, 1).await[0]).await;
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn what_left_the_group_cannot_hold_the_slot_either() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    // The file is there once the sleep is in a session of its own.
    let text = "setsid sh -c 'echo $$ > $0; exec sleep 1000' $1 & while ! [ -s $1 ]; do sleep 0.01; done; echo 5";
    let outcome = run(&command(script(text, &[&file]), None), task()).await;
    let escaped = pids(&file, 1).await[0];
    let killed = std::process::Command::new("kill").arg(escaped.to_string()).status().unwrap();
    assert!(killed.success(), "it is out of reach and was killed all the same");
    assert_eq!(outcome, Outcome::Success("5".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_run_at_once() {
    let registry = command(script("echo $JOBQUEUE_ATTEMPT", &[]), None);
    let running: Vec<_> = (1..=100)
        .map(|attempt| {
            let (registry, mut task) = (registry.clone(), task());
            task.attempt = attempt;
            tokio::spawn(async move { run(&registry, task).await })
        })
        .collect();
    for (attempt, outcome) in (1..).zip(running) {
        assert_eq!(within(outcome).await.unwrap(), Outcome::Success(format!("{attempt}")));
    }
}

#[tokio::test]
async fn a_child_outlives_the_thread_that_asked_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let (started, go) = (folder.path().join("started"), folder.path().join("go"));
    let text = "echo $$ > $1; while ! [ -e $2 ]; do sleep 0.01; done; echo 8";
    let registry = command(script(text, &[&started, &go]), None);
    let runtime = tokio::runtime::Handle::current();
    let (sender, outcome) = tokio::sync::oneshot::channel();
    // The first poll, which starts the child, happens on a thread that then ends.
    let mut attempt = Box::pin(async move { run(&registry, task()).await });
    let path: &Path = &started;
    let attempt = std::thread::scope(|scope| {
        scope
            .spawn(|| {
                let _entered = runtime.enter();
                let waker = futures_util::task::noop_waker();
                assert!(attempt.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending());
                let deadline = Instant::now() + crate::support::PATIENCE;
                while !path.exists() {
                    assert!(Instant::now() < deadline, "the child does not start");
                    std::thread::yield_now();
                }
                attempt
            })
            .join()
            .unwrap()
    });
    tokio::spawn(async move { sender.send(attempt.await) });
    fs::write(&go, "").unwrap();
    assert_eq!(within(outcome).await.unwrap(), Outcome::Success("8".into()));
}

/// What it says with an exit code other than 0: the error, and what of another attempt.
async fn said(text: &str) -> (TaskError, Again) {
    let mut spec = script(text, &[]);
    spec.permanent_exit_codes.extend([65, 66]);
    match run(&command(spec, None), task()).await {
        Outcome::Failure { error, again } => (error, again),
        other => panic!("{text}: {other:?}"),
    }
}

#[tokio::test]
async fn an_exit_code_can_say_that_another_attempt_is_of_no_use() {
    let (error, again) = said("echo 'no such customer' >&2; exit 65").await;
    assert_eq!((&*error.message, again), ("no such customer (exit code 65)", Again::Never));
    assert_eq!(said("exit 66").await.1, Again::Never);
    assert_eq!(said("exit 64").await.1, Again::ByPolicy);
    assert_eq!(said("kill -9 $$").await.1, Again::ByPolicy);
    let by_default = sh("exit 65").await;
    assert!(matches!(by_default, Outcome::Failure { again: Again::ByPolicy, .. }), "{by_default:?}");
}

#[tokio::test]
async fn a_command_that_fails_says_what_is_to_follow() {
    let echo = |said: &str, code: u8| format!("echo log >&2; printf '%s' '{said}'; exit {code}");
    for (text, code, expected) in [
        (r#"{"$error": {"message": "m", "retryable": false}}"#, 1, Again::Never),
        (r#"{"$error": {"message": "m", "retryable": false, "retry_after": 9}}"#, 1, Again::Never),
        (r#"{"$error": {"message": "m", "retry_after": "30s"}}"#, 1, Again::After(30_000)),
        (r#"{"$error": {"message": "m", "retry_after": 0}}"#, 1, Again::After(0)),
        (r#"{"$error": {"message": "m"}}"#, 1, Again::ByPolicy),
        (r#"{"$error": {"message": "m"}}"#, 65, Again::Never),
        (r#"{"$error": {"message": "m", "retryable": true}}"#, 65, Again::ByPolicy),
        (r#"{"$error": {"message": "m", "retry_after": "1m"}}"#, 65, Again::After(60_000)),
    ] {
        let (error, again) = said(&echo(text, code)).await;
        assert_eq!((error.kind, &*error.message, again), (ErrorKind::Exit, "m", expected), "{text}");
        assert_eq!(error.detail.as_deref(), Some("log"), "{text}");
    }
    let (error, _) = said(&echo(r#"{"$error": {"detail": "more\nof it"}}"#, 1)).await;
    assert_eq!((&*error.message, error.detail.as_deref()), ("log (exit code 1)", Some("more\nof it")));
}

#[tokio::test]
async fn what_it_says_is_a_result_where_the_exit_code_is_0() {
    for text in [r#"{"$error": {"message": "m"}}"#, r#"{"$snooze": "5m"}"#] {
        assert_eq!(sh(&format!("echo '{text}'")).await, Outcome::Success(text.into()));
    }
}

#[tokio::test]
async fn a_command_can_put_its_task_off() {
    assert_eq!(sh(r#"echo '{"$snooze": "5m"}'; exit 75"#).await, Outcome::Snoozed(300_000));
    assert_eq!(sh(r#"echo '{"$snooze": 2}'; exit 1"#).await, Outcome::Snoozed(2_000));
}

#[tokio::test]
async fn what_it_says_in_vain_is_told() {
    for (text, note) in [
        (r#"{"$error": {"message": "m", "retry_after": "soon"}}"#, "its retry_after is \"soon\""),
        (r#"{"$error": {"message": "m", "retry_after": -5}}"#, "its retry_after is -5"),
        (r#"{"$error": {"message": "m", "retriable": false}}"#, "unknown field `retriable`"),
        (r#"{"$error": "m"}"#, "its $error is not an object"),
        (r#"{"$snooze": "soon"}"#, "its $snooze is \"soon\""),
        (r#"{"$snooze": "5m", "result": 1}"#, "stands alone"),
    ] {
        let (error, again) = said(&format!("echo log >&2; echo '{text}'; exit 1")).await;
        let detail = error.detail.unwrap();
        assert!(detail.contains(note) && detail.ends_with("\nlog"), "{text}: {detail}");
        assert_eq!(again, Again::ByPolicy, "{text}");
    }
    // What is not meant for us is nobody's.
    for text in ["", "null", "[1]", "half a resu", r#"{"error": {"retryable": false}}"#] {
        let (error, again) = said(&format!("echo log >&2; echo '{text}'; exit 1")).await;
        assert_eq!((error.detail.as_deref(), again), (Some("log"), Again::ByPolicy), "{text}");
    }
}
