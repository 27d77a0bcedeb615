use std::{
    ffi::OsString,
    io::{self, Write},
};

use clap::CommandFactory;

use super::{
    BenchOptions, Failure, Hooks, Migrate, ServeOptions, args::Cli, execute, serve::welcome, terminal::Terminal,
    terminal::clean,
};
use crate::{
    client::fake::{Answer, Fake, ID, task},
    config::{Config, Sources},
};

mod help;
mod routing;
mod unique;

const HOOKS: Hooks = Hooks {
    serve: |config: Config, options: ServeOptions| {
        Err(Failure::failed(format!("serve {}:{} demo={}", config.api.host, config.api.port, options.demo)))
    },
    migrate: |config: Config, action: Migrate| Ok(format!("{action:?} {}", config.database)),
    create_key: |config: Config, body: String| {
        let stored = format!(
            r#"{{"id":"{ID}","name":"{}","scopes":["admin"],"queues":["*"],"state":"active","key":"jq_1"}}"#,
            config.database
        );
        assert_eq!(body, r#"{"name":"ops","scopes":["admin"]}"#);
        Ok(stored)
    },
    check: |_| Ok(Vec::new()),
    doctor: |_| Vec::new(),
    bench: |options: BenchOptions| Ok(format!("{options:?}")),
    openapi: || Ok("{\"openapi\":\"3.1.0\"}\n".into()),
    guard: |args: Vec<OsString>| args.len() as u8,
};

/// What a command did.
#[derive(Debug)]
struct Ran {
    code: u8,
    out: String,
    err: String,
}

struct Setup<'a> {
    args: Vec<&'a str>,
    input: &'a str,
    env: &'a [(&'a str, &'a str)],
    width: Option<u16>,
    interactive: bool,
}

fn setup<'a>(args: &[&'a str]) -> Setup<'a> {
    Setup { args: args.to_vec(), input: "", env: &[], width: None, interactive: false }
}

impl Setup<'_> {
    fn run(&self) -> Ran {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = self.run_into(&mut out, &mut err);
        Ran { code, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
    }

    fn run_into(&self, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
        let folder = tempfile::tempdir().unwrap();
        let env = self.env.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let sources = Sources { env, folder: folder.path().to_owned(), ..Sources::default() };
        let mut input = self.input.as_bytes();
        let mut terminal =
            Terminal { out, err, input: &mut input, width: self.width, interactive: self.interactive, color: false };
        let args = std::iter::once("jobqueue").chain(self.args.iter().copied()).map(OsString::from);
        execute(args, &sources, &HOOKS, &mut terminal)
    }
}

fn run(args: &[&str]) -> Ran {
    setup(args).run()
}

/// Runs a client command against prepared answers.
fn against(answers: impl IntoIterator<Item = Answer>, args: &[&str]) -> (Ran, Fake) {
    let fake = Fake::new(answers);
    let url = fake.url.clone();
    (run(&[&["--url", &url], args].concat()), fake)
}

#[test]
fn the_grammar_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn commands_reach_the_hooks_with_their_settings() {
    for (args, said) in [
        (vec![], "error: serve 127.0.0.1:8000 demo=false\n"),
        (vec!["serve", "--port", "9"], "error: serve 127.0.0.1:9 demo=false\n"),
        (vec!["dev", "--host", "::", "--insecure-no-auth"], "error: serve :::8000 demo=true\n"),
    ] {
        let ran = run(&args);
        assert_eq!((ran.code, ran.err.as_str(), ran.out.as_str()), (1, said, ""), "{args:?}");
    }
    assert_eq!(run(&["migrate", "up", "--database-url", "sqlite://x.db"]).out, "Up x.db\n");
    assert_eq!(run(&["migrate", "status"]).out, "Status ./data/jobqueue.db\n");
    assert_eq!(run(&["openapi"]).out, "{\"openapi\":\"3.1.0\"}\n");
    assert_eq!(run(&["__guard", "--url", "b", "--", "-h"]).code, 4, "nothing of it is interpreted");
    let bench = run(&["bench", "--seconds", "5", "--json", "--api-key", "hunter2"]).out;
    assert!(bench.contains("tasks: 50000, concurrency: 512, steady_s: 5") && bench.contains("json: true"), "{bench}");
    assert!(!bench.contains("hunter2"));
    assert!(run(&["bench"]).out.contains("tasks: 50000"));
}

#[test]
fn a_bad_configuration_is_a_usage_error() {
    let one = run(&["serve", "--port", "70000"]);
    assert_eq!((one.code, one.err.as_str()), (2, "error: --port 70000: expected a whole number from 0 to 65535\n"));
    let env = [("API_KEYS", ","), ("WORKER_CONCURRENCY", "0")];
    let two = Setup { env: &env, ..setup(&["serve"]) }.run();
    assert_eq!(two.code, 2);
    assert!(two.err.contains("\nWORKER_CONCURRENCY=0: expected") && two.err.contains("API_KEYS=***: "), "{two:?}");
    let named = run(&["serve", "--config", "/nowhere.toml"]);
    assert!(named.code == 2 && named.err.contains("/nowhere.toml: no such file"), "{named:?}");
}

#[test]
fn wrong_usage_is_found_before_anything_is_sent() {
    let id = ID;
    for (args, said) in [
        (vec!["submit"], "<NAME>"),
        (vec!["submit", "a b"], "cannot contain ' '"),
        (vec!["submit", "x", "--args", "[1,"], "--args is not valid JSON: EOF"),
        (vec!["submit", "x", "--args", "{}"], "--args is not a JSON array; for example --args '[1, \"two\"]'"),
        (vec!["submit", "x", "--kwargs", "[]"], "--kwargs is not a JSON object"),
        (vec!["submit", "x", "--kwargs", r#"{"a":"\u0000"}"#], "--kwargs cannot be sent: it contains the character"),
        (vec!["submit", "x", "--args", "@/nowhere"], "--args: cannot read /nowhere"),
        (vec!["submit", "x", "--args", "-", "--kwargs", "-"], "cannot both be read"),
        (vec!["submit", "x", "--delay", "soon"], "expected a duration"),
        (vec!["submit", "x", "--delay", "1s", "--run-at", "2026-01-31T12:00:00Z"], "cannot be used with"),
        (vec!["submit", "x", "--run-at", "tomorrow"], "expected a time with its zone"),
        (vec!["submit", "x", "--priority", "10"], "expected high, medium, low"),
        (vec!["submit", "x", "--timeout", "0"], "more than 0"),
        (vec!["submit", "x", "--max-retries", "-1"], "-1"),
        (vec!["submit", "x", "--idempotency-key", "a\nb"], "idempotency key contains characters"),
        (vec!["status", "1"], "task id"),
        (vec!["list", "--status", "done"], "expected one of pending, scheduled"),
        (vec!["cancel"], "<ID>"),
        (vec!["status", id, "--url", "https://h"], "does not speak TLS"),
        (vec!["nonsense"], "unrecognized subcommand"),
        (vec!["--output", "xml", "list"], "[possible values: table, json]"),
    ] {
        let ran = run(&args);
        assert!(ran.code == 2 && ran.err.contains(said) && ran.out.is_empty(), "{args:?}: {ran:?}");
    }
}

#[test]
fn submit_sends_what_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("k.json");
    std::fs::write(&file, "\n{\"n\": 12345678901234567890123}\n").unwrap();
    let kwargs = format!("@{}", file.display());
    let fake = Fake::new([Answer::Json(201, task("queued"))]);
    let args = [
        "submit",
        "process_data",
        "--url",
        &fake.url,
        "--args",
        "-",
        "--kwargs",
        &kwargs,
        "--queue",
        "q",
        "--priority",
        "high",
        "--run-at",
        "2026-01-31T12:00:00+01:00",
        "--max-retries",
        "0",
        "--timeout",
        "none",
        "--max-age",
        "90m",
        "--unique-key",
        "u",
        "--idempotency-key",
        "i",
        "--tag",
        "a",
        "--tag",
        "b",
    ];
    let env = [("JOBQUEUE_API_KEY", "k")];
    let ran = Setup { input: "[1, \"ü\"]\n", env: &env, ..setup(&args) }.run();
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(ran.out.contains(ID) && ran.out.contains("queued"), "{ran:?}");
    let asked = &fake.asked()[0];
    assert_eq!(asked.line, "POST /api/v1/tasks");
    assert_eq!(
        asked.body,
        r#"{"name":"process_data","args":[1, "ü"],"kwargs":{"n": 12345678901234567890123},"queue":"q","priority":8,"max_retries":0,"timeout":null,"max_age":"90m","run_at":"2026-01-31T11:00:00Z","unique_key":"u","tags":["a","b"]}"#
    );
    assert_eq!((asked.header("idempotency-key"), asked.header("authorization")), (Some("i"), Some("Bearer k")));
}

#[test]
fn waiting_tells_success_from_failure() {
    for (status, code) in [("success", 0), ("failed", 1), ("timeout", 1), ("cancelled", 1), ("expired", 1)] {
        let (ran, fake) = against([Answer::Json(200, task(status))], &["submit", "x", "--wait"]);
        assert_eq!((ran.code, ran.err.as_str()), (code, ""), "{status}");
        assert!(ran.out.contains("result") && ran.out.contains(r#"{"n":98765432109876543210}"#), "{ran:?}");
        assert_eq!(fake.asked()[0].line, "POST /api/v1/tasks?wait=30s");
    }
    let answers =
        [Answer::Json(202, task("running")), Answer::Json(202, "{}".into()), Answer::Json(200, task("running"))];
    let (late, fake) = against(answers, &["submit", "x", "--wait=0s"]);
    assert_eq!(late.code, 1);
    assert!(late.err.starts_with("error: the task is still running; follow it with `jobqueue status"), "{late:?}");
    assert_eq!(fake.asked()[0].line, "POST /api/v1/tasks");
}

#[test]
fn watch_follows_a_task_to_its_end() {
    let end = format!(r#"{{"task_id":"{ID}","status":"failed","result":null,"error":null}}"#);
    let answers = || {
        [
            Answer::Json(200, task("queued")),
            Answer::Json(200, end.clone()),
            Answer::Json(200, task("queued")),
            Answer::Json(200, end.clone()),
            Answer::Json(200, task("running")),
            Answer::Json(410, r#"{"title":"Gone"}"#.into()),
            Answer::Json(200, task("failed")),
        ]
    };
    let (ran, _) = against(answers(), &["status", ID, "--watch"]);
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
    assert!(ran.out.starts_with("queued (attempt 1)\nrunning (attempt 1)\nid "), "{}", ran.out);
    let (ran, fake) = against(answers(), &["status", ID, "--watch", "--output", "json"]);
    assert_eq!(ran.out, format!("{}\n{}\n{}\n", task("queued"), task("running"), task("failed")));
    assert!(fake.asked()[1].line.starts_with(&format!("GET /api/v1/tasks/{ID}/result?wait=")));
}

#[test]
fn json_output_is_the_servers_body_unchanged() {
    let list = format!(
        "{{ \"data\": [{}],\n \"next_cursor\": \"n\", \"prev_cursor\": null, \"odd\": 1e999 }}",
        task("queued")
    );
    let (ran, fake) = against([Answer::Json(200, list.clone())], &["list", "--limit", "2", "--output", "json"]);
    assert_eq!((ran.code, ran.out, ran.err.as_str()), (0, format!("{list}\n"), ""));
    assert_eq!(fake.asked()[0].line, "GET /api/v1/tasks?limit=2");
    let (table, _) = against([Answer::Json(200, list)], &["list"]);
    assert!(table.out.starts_with("ID ") && table.err == "more: the same with --cursor 'n'\n", "{table:?}");
    let (empty, _) = against([Answer::Json(200, r#"{"data":[]}"#.into())], &["list"]);
    assert_eq!((empty.code, empty.out.as_str(), empty.err.as_str()), (0, "", "no tasks\n"));
}

#[test]
fn failures_have_their_exit_codes() {
    let missing = || Answer::Json(404, r#"{"title":"Not found","detail":"no such \u001b[31mtask","code":"x"}"#.into());
    let (ran, _) = against([missing()], &["status", ID]);
    assert_eq!((ran.code, ran.err.as_str()), (3, "error: no such task (HTTP 404, x)\n"));
    let (ran, _) = against([Answer::Json(422, r#"{"title":"Invalid"}"#.into())], &["submit", "x"]);
    assert_eq!((ran.code, ran.err.as_str()), (1, "error: Invalid (HTTP 422)\n"));
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ran = run(&["list", "--url", &format!("http://{free}")]);
    assert!(ran.code == 4 && ran.err.contains("Start it with `jobqueue serve`"), "{ran:?}");

    let gone = || Answer::Json(409, r#"{"title":"Ended"}"#.into());
    let done = || Answer::Json(200, format!(r#"{{"id":"{ID}","status":"running","cancel_requested":true}}"#));
    let (ran, _) = against([missing(), done()], &["cancel", ID, ID]);
    assert_eq!(ran.code, 3);
    assert!(ran.out.contains("asked to stop") && ran.err.contains(&format!("error: {ID}: no such task")), "{ran:?}");
    let (ran, _) = against([missing(), gone()], &["cancel", ID, ID]);
    assert_eq!(ran.code, 1);
    let (ran, fake) = against([Answer::Json(200, task("queued")), Answer::Close], &["retry", ID, ID, ID]);
    assert_eq!((ran.code, fake.asked().len()), (4, 2), "a server that is gone is not asked further");
}

#[test]
fn keys_are_made_listed_and_revoked() {
    let key = |more: &str| {
        format!(r#"{{"id":"{ID}","name":"ci","scopes":["submit"],"queues":["a","b-*"],"state":"active"{more}}}"#)
    };
    let args = ["key", "create", "ci", "--scope", "submit", "--queue", "a,b-*", "--expires", "90d"];
    let (ran, fake) = against([Answer::Json(201, key(r#","key":"jq_secret""#))], &args);
    assert!(ran.code == 0 && ran.out.contains("jq_secret") && ran.err.contains("only time"), "{ran:?}");
    let asked = &fake.asked()[0];
    assert_eq!(asked.line, "POST /api/v1/keys");
    assert_eq!(asked.body, r#"{"name":"ci","scopes":["submit"],"queues":["a","b-*"],"expires_in":"90d"}"#);
    let (ran, fake) = against([Answer::Json(200, format!(r#"{{"data":[{}]}}"#, key("")))], &["key", "list"]);
    assert!(ran.out.contains("a b-*") && ran.out.contains("never"), "{ran:?}");
    assert_eq!(fake.asked()[0].line, "GET /api/v1/keys");
    let (ran, fake) = against([Answer::Json(204, String::new())], &["key", "revoke", ID]);
    assert_eq!((ran.code, fake.asked()[0].line.as_str()), (0, format!("DELETE /api/v1/keys/{ID}").as_str()));
    let local = run(&["key", "create", "ops", "--scope", "admin", "--local", "--database-url", "sqlite://k.db"]);
    assert!(local.code == 0 && local.out.contains("k.db") && local.out.contains("jq_1"), "{local:?}");
    assert_eq!(run(&["key", "create", "x"]).code, 2);
    assert_eq!(run(&["key", "create", "x", "--scope", "read", "--expires", "soon"]).code, 2);
    let entry =
        r#"{"data":[{"at":"2026-01-31T12:00:00.000Z","actor":"ops","action":"queue.pause","target":"a\u001b[2J"}]}"#;
    let (ran, fake) = against([Answer::Json(200, entry.into())], &["audit", "--actor", "ops"]);
    assert!(ran.out.contains("queue.pause") && !ran.out.contains('\u{1b}'), "{ran:?}");
    assert_eq!(fake.asked()[0].line, "GET /api/v1/audit?actor=ops");
}

/// A pipe whose reader has left.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let mut err = Vec::new();
    assert_eq!(setup(&["openapi"]).run_into(&mut Closed, &mut err), 0);
    assert_eq!(setup(&["--help"]).run_into(&mut Closed, &mut err), 0);
    assert!(err.is_empty());
}

#[test]
fn text_of_tasks_cannot_command_the_terminal() {
    for (text, cleaned) in [
        ("plain ü 🦀", "plain ü 🦀"),
        ("\u{1b}[31;1mred\u{1b}[0m", "red"),
        ("\u{9b}2Jclear", "clear"),
        ("\u{1b}]0;title\u{7}x\u{1b}]8;;http://h\u{1b}\\link", "xlink"),
        ("\u{1b}Pdevice\u{1b}\\x\u{1b}(B\u{1b}cy", "xy"),
        ("a\nb\tc\r\0d\u{7f}", "a b c  d "),
        ("user\u{202e}gnp.exe\u{2066}", "usergnp.exe"),
        ("\u{1b}", ""),
        ("\u{1b}[31\nx", " x"),
    ] {
        assert_eq!(clean(text), cleaned, "{text:?}");
    }
    let hostile = task("queued").replace("\"process_data\"", r#""a\u001b[2J\nb\u202e""#);
    let list = format!(r#"{{"data":[{hostile}]}}"#);
    let (ran, _) = against([Answer::Json(200, list)], &["list"]);
    assert!(ran.out.contains("a b") && !ran.out.contains('\u{1b}') && ran.out.lines().count() == 2, "{ran:?}");
}

#[test]
fn tables_fit_the_terminal() {
    let long = task("queued").replace("\"process_data\"", &format!("\"{}\"", "very-long-name-".repeat(8)));
    for width in [40, 80, 120] {
        let fake = Fake::new([Answer::Json(200, format!(r#"{{"data":[{long}]}}"#)), Answer::Json(200, long.clone())]);
        let list = Setup { width: Some(width), ..setup(&["list", "--url", &fake.url]) }.run();
        let status = Setup { width: Some(width), ..setup(&["status", ID, "--url", &fake.url]) }.run();
        for line in list.out.lines().chain(status.out.lines()) {
            assert!(line.chars().count() <= width as usize, "{width}: {line:?}");
        }
        assert_eq!(list.out.contains(ID), width >= 80, "ids stay in one piece where there is room");
    }
}

#[test]
fn what_is_done_to_many_is_asked_for_at_a_terminal() {
    let counts = r#"{"dry_run":true,"matched":3,"matched_capped":false,"done":0}"#;
    let operation = format!(r#"{{"id":"{ID}","action":"redrive","state":"running","done":0,"refused":0}}"#);
    for (answer, code, requests) in [("y\n", 0, 2), ("yes\n", 0, 2), ("n\n", 1, 1), ("\n", 1, 1), ("", 1, 1)] {
        let fake = Fake::new([Answer::Json(200, counts.into()), Answer::Json(202, operation.clone())]);
        let args = ["--url", &fake.url, "dlq", "redrive", "--queue", "mail", "--rate", "10/s"];
        let ran = Setup { input: answer, interactive: true, ..setup(&args) }.run();
        assert_eq!((ran.code, fake.asked().len()), (code, requests), "{answer:?}: {ran:?}");
        assert!(ran.err.starts_with("Redrive 3 dead letters? [y/N] "), "{ran:?}");
        let sent = fake.asked();
        assert_eq!(sent[0].body, r#"{"all":false,"dry_run":true,"filter":{"queue":"mail"},"rate":"10/s"}"#);
        if let Some(second) = sent.get(1) {
            assert_eq!(second.body, r#"{"all":false,"filter":{"queue":"mail"},"rate":"10/s"}"#);
        }
    }
}

#[test]
fn dev_says_where_to_look() {
    let text = welcome("0.0.0.0:9000".parse().unwrap());
    assert!(text.contains("dashboard  http://127.0.0.1:9000/ui"), "{text}");
    assert!(text.contains("jobqueue --url http://127.0.0.1:9000 submit demo.add"), "{text}");
    assert!(welcome("127.0.0.1:8000".parse().unwrap()).contains("jobqueue submit demo.add"));
    assert!(welcome("[::1]:1".parse().unwrap()).contains("http://[::1]:1/ui"));
}
