//! `config show|check|init`.

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::{
    run::{alone, ended},
    support::program,
};

#[test]
fn a_file_to_start_from_is_accepted_and_never_replaced_unasked() {
    let folder = tempfile::tempdir().unwrap();
    alone(folder.path(), &["config", "check"]).is(0, &["the configuration is sound (no file)"]);
    alone(folder.path(), &["config", "init"]).is(0, &["wrote jobqueue.toml"]);
    let file = folder.path().join("jobqueue.toml");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("# concurrency = 4") && text.contains("[WORKER_CONCURRENCY]"), "{text}");
    alone(folder.path(), &["config", "check"]).is(0, &["the configuration is sound (jobqueue.toml)"]);
    fs::write(&file, "[worker]\nconcurrency = 9\n").unwrap();
    alone(folder.path(), &["config", "init"]).is(1, &["is there already", "--force"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "[worker]\nconcurrency = 9\n");
    alone(folder.path(), &["config", "init", "--force"]).is(0, &[]);
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    assert_eq!(alone(folder.path(), &["config", "init", "--stdout"]).out, text);
    alone(folder.path(), &["config", "init", "--config", "/nowhere/x.toml"])
        .is(1, &["/nowhere/x.toml cannot be written"]);
}

#[test]
fn show_says_what_holds_and_where_it_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    fs::write(&key, "hunter2\n").unwrap();
    fs::write(folder.path().join("jobqueue.toml"), "[worker]\nconcurrency = 9\n[tasks.x]\ncommand = [\"true\"]\n")
        .unwrap();
    let show = |args: &[&str]| {
        let mut command = program(folder.path());
        command.args(["config", "show"]).args(args).env("TASK_TIMEOUT", "60").env("JOBQUEUE_API_KEY_FILE", &key);
        ended(&mut command)
    };
    let ran = show(&["--port", "9000"]);
    let line = |name: &str| {
        let line = ran.out.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {ran:?}"));
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("worker.concurrency"), "worker.concurrency 9 tasks jobqueue.toml:2");
    assert_eq!(line("defaults.timeout"), "defaults.timeout 60 seconds environment TASK_TIMEOUT");
    assert_eq!(line("defaults.result_ttl"), "defaults.result_ttl 3600s default");
    assert_eq!(line("api.port"), "api.port 9000 flag --port");
    assert!(line("client.api_key").starts_with("client.api_key *** environment JOBQUEUE_API_KEY_FILE"));
    assert_eq!(line("tasks.x"), "tasks.x true jobqueue.toml");
    assert!(ran.code == 0 && !ran.out.contains("hunter2"), "{ran:?}");
    let json = show(&["--json"]).json();
    let settings = json["settings"].as_array().unwrap();
    let timeout = settings.iter().find(|setting| setting["name"] == "defaults.timeout").unwrap();
    assert_eq!((&timeout["value"], &timeout["unit"]), (&"60".into(), &"seconds".into()));
}

#[test]
fn check_names_every_fault_at_once() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("jobqueue.toml"),
        "[worker]\nconcurency = 9\n[api]\nport = \"x\"\n[tasks.a]\ncommand = [\"true\"]\ninherit_env = [\"A=B\"]\n",
    )
    .unwrap();
    let mut command = program(folder.path());
    command.args(["config", "check"]).env("API_KEYS", "a key").env("REDIS_URL", "redis://r");
    let said = [
        "jobqueue.toml:2: worker.concurency: unknown setting; did you mean \"worker.concurrency\"?",
        "jobqueue.toml:4: api.port = \"x\": expected a whole number",
        "jobqueue.toml:7: tasks.a.inherit_env",
        "REDIS_URL: ",
        "API_KEYS=***: expected keys",
    ];
    ended(&mut command).is(2, &said);
    let json = ended(command.arg("--json")).json();
    assert_eq!((json["faults"].as_array().unwrap().len(), &json["ok"]), (5, &false.into()));
    ended(program(folder.path()).args(["config", "show"])).is(2, &["worker.concurrency", "concurency: unknown"]);
    alone(folder.path(), &["config", "check", "--config", "nowhere.toml"]).is(2, &["no such file"]);
}

#[test]
fn a_readable_key_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jobqueue.toml");
    fs::write(&file, "[client]\napi_key = \"hunter2\"\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let ran = alone(folder.path(), &["doctor", "--port", "0"]);
    assert!(ran.out.contains("can be read by other users") && !ran.out.contains("hunter2"), "{ran:?}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(!alone(folder.path(), &["doctor", "--port", "0"]).out.contains("can be read by other users"));
}
