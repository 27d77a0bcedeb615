use std::fs;

use tempfile::TempDir;

use super::{Config, ConfigError, Database, Entry, Origin, SETTINGS, Sources, Timeout};
use crate::logging::Format;

/// A folder with this `jobqueue.toml`, and these variables.
struct Setup {
    folder: TempDir,
    sources: Sources,
}

fn setup(toml: &str, env: &[(&str, &str)]) -> Setup {
    let folder = tempfile::tempdir().unwrap();
    if !toml.is_empty() {
        fs::write(folder.path().join("jobqueue.toml"), toml).unwrap();
    }
    let env = env.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let sources = Sources { env, folder: folder.path().to_owned(), ..Sources::default() };
    Setup { folder, sources }
}

impl Setup {
    fn flag(mut self, name: &'static str, value: &str) -> Self {
        self.sources.flags.push((name, value.into()));
        self
    }

    fn load(&self) -> Result<Config, ConfigError> {
        Config::load(&self.sources)
    }

    /// The fault lines, with the folder's name taken out.
    fn faults(&self) -> Vec<String> {
        let folder = format!("{}/", self.folder.path().display());
        let error = self.load().expect_err("a faulty configuration was accepted");
        error.to_string().lines().map(|line| line.replace(&folder, "")).collect()
    }
}

fn faults(toml: &str, env: &[(&str, &str)]) -> Vec<String> {
    setup(toml, env).faults()
}

fn entry<'c>(config: &'c Config, name: &str) -> &'c Entry {
    config.entries.iter().find(|entry| entry.setting.name == name).unwrap()
}

#[test]
fn the_defaults_are_the_documented_ones() {
    let config = setup("", &[]).load().unwrap();
    assert_eq!((config.api.host.as_str(), config.api.port), ("127.0.0.1", 8000));
    assert_eq!(config.database.to_string(), "./data/jobqueue.db");
    let worker = &config.worker;
    assert_eq!((worker.concurrency, worker.heartbeat_interval_ms), (4, 3_000));
    assert_eq!((worker.drain_timeout_ms, worker.cancel_grace_ms), (25_000, 5_000));
    let defaults = &config.defaults;
    assert_eq!((defaults.max_retries, defaults.retry_backoff_base, defaults.timeout_ms), (3, 2.0, Some(300_000)));
    assert_eq!((config.log.filter.as_str(), config.log.format), ("info", Format::Auto));
    assert_eq!(config.log.dir.as_deref().and_then(|dir| dir.to_str()), Some("logs"));
    assert_eq!(config.client.url, "http://127.0.0.1:8000");
    assert!(config.file.is_none() && config.warnings.is_empty() && config.client.api_key.is_none());
    assert_eq!(config.entries.len(), SETTINGS.len());
    assert!(config.entries.iter().all(|entry| entry.origin == Origin::Default));
}

/// Every subset of the layers: the strongest one present wins and is named as the origin.
#[test]
fn a_stronger_layer_wins_and_is_named() {
    for layers in 0..8 {
        let (file, env, flag) = (layers & 1 != 0, layers & 2 != 0, layers & 4 != 0);
        let toml = if file { "# comment\n[worker]\nconcurrency = 11\n" } else { "" };
        let variables: &[(&str, &str)] = if env { &[("WORKER_CONCURRENCY", "12")] } else { &[] };
        let mut setup = setup(toml, variables);
        if flag {
            setup = setup.flag("worker.concurrency", "13");
        }
        let config = setup.load().unwrap();
        let path = setup.folder.path().join("jobqueue.toml");
        let (value, origin) = match (file, env, flag) {
            (_, _, true) => (13, Origin::Flag("--concurrency")),
            (_, true, _) => (12, Origin::Environment("WORKER_CONCURRENCY".into())),
            (true, _, _) => (11, Origin::File { path, line: 3 }),
            _ => (4, Origin::Default),
        };
        assert_eq!(config.worker.concurrency, value, "layers {layers:b}");
        let entry = entry(&config, "worker.concurrency");
        assert_eq!((entry.value.as_str(), &entry.origin), (value.to_string().as_str(), &origin));
    }
}

#[test]
fn every_setting_of_the_file_and_both_sections_are_read() {
    let toml = r#"
database_url = "sqlite:///var/lib/jobqueue/jobqueue.db"
api = { host = "0.0.0.0", port = 0, insecure_no_auth = true }
log = { level = "warn,jobqueue::engine=debug", format = "json", dir = "" }
[worker]
heartbeat_interval = 1.5
drain_timeout = "1m"
cancel_grace = "250ms"
[defaults]
max_retries = 0
retry_backoff_base = 1.5
timeout = "none"
[tasks.process_data]
command = ["python3", "process.py"]
env = { MODE = "fast" }
cwd = "handlers"
timeout = "10s"
max_retries = 7
output_limit = "2MiB"
permanent_exit_codes = [65, 78]
inherit_env = ["AWS_PROFILE"]
[tasks."a/b:c"]
command = ["true"]
timeout = "none"
[queues.bulk]
weight = 1000
[queues.default]
"#;
    let config = setup(toml, &[]).load().unwrap();
    assert_eq!(config.database.to_string(), "/var/lib/jobqueue/jobqueue.db");
    assert_eq!((config.api.host.as_str(), config.api.port), ("0.0.0.0", 0));
    assert_eq!(config.worker.heartbeat_interval_ms, 1_500);
    assert_eq!((config.worker.drain_timeout_ms, config.worker.cancel_grace_ms), (60_000, 250));
    assert_eq!((config.defaults.max_retries, config.defaults.timeout_ms), (0, None));
    assert_eq!((config.log.format, config.log.dir), (Format::Json, None));
    let command = &config.tasks["process_data"];
    assert_eq!(command.argv, ["python3", "process.py"]);
    assert_eq!((&*command.env["MODE"], &*command.inherit_env[0]), ("fast", "AWS_PROFILE"));
    assert_eq!((command.timeout, command.max_retries), (Timeout::After(10_000), Some(7)));
    assert_eq!((command.output_limit, &command.permanent_exit_codes), (Some(2 << 20), &[65, 78].into()));
    assert_eq!(config.tasks["a/b:c"].timeout, Timeout::Never);
    assert_eq!((config.queues["bulk"].weight, config.queues["default"].weight), (1000, 1));
    assert!(config.file.is_some());
}

#[test]
fn every_fault_is_reported_at_once_with_its_place() {
    let toml = "[worker]\nconcurrency = 0\nconcurency = 5\n[api]\nport = \"http\"\n[tasks.x]\ncommand = []\n";
    let found = setup(toml, &[("MAX_RETRIES", "many"), ("TASK_TIMEOUT", "0")]).flag("log.format", "xml").faults();
    assert_eq!(
        found,
        [
            "jobqueue.toml:5: api.port = \"http\": expected a whole number from 0 to 65535",
            "jobqueue.toml:2: worker.concurrency = 0: expected a whole number from 1 to 4096",
            "MAX_RETRIES=many: expected a whole number from 0 to 1000",
            "TASK_TIMEOUT=0: expected a duration such as \"250ms\", \"30s\", \"5m\", \"1h\" or \"7d\", or a number of \
             seconds, from 1ms to 30d, or \"none\" for no limit",
            "--log-format xml: expected json, text or auto",
            "jobqueue.toml:3: worker.concurency: unknown setting; did you mean \"worker.concurrency\"?",
            "jobqueue.toml:7: tasks.x.command = […]: expected a list of strings, the program first: [\"python3\", \
             \"process.py\"]",
        ]
    );
}

#[test]
fn an_unknown_key_comes_with_what_was_meant() {
    for (toml, meant) in [
        ("[worker]\nconcurency = 1", Some("worker.concurrency")),
        ("[workers]\nconcurrency = 1", Some("worker.concurrency")),
        ("concurrency = 1", Some("worker.concurrency")),
        ("WORKER_CONCURRENCY = 1", Some("worker.concurrency")),
        ("[api]\nAPI_PORT = 1", Some("api.port")),
        ("[task.x]\ncommand = [\"true\"]", None),
        ("[task]", Some("tasks")),
        ("database-url = \"sqlite://x.db\"", Some("database_url")),
        ("[log]\ncolour = true", None),
        ("[tasks.x]\ncommand = [\"true\"]\ntimout = 3", Some("timeout")),
        ("[queues.x]\nwieght = 3", Some("weight")),
    ] {
        let found = faults(toml, &[]);
        assert_eq!(found.len(), 1, "{toml}: {found:?}");
        match meant {
            Some(meant) => assert!(found[0].ends_with(&format!("did you mean \"{meant}\"?")), "{toml}: {found:?}"),
            None => assert!(found[0].ends_with("unknown setting"), "{toml}: {found:?}"),
        }
    }
}

#[test]
fn what_sections_cannot_hold_is_refused() {
    for (toml, problem) in [
        ("tasks = 3", "tasks = 3: expected tables such as [tasks.NAME]"),
        ("[tasks]\nx = 3", "tasks.x = 3: expected a table: [tasks.x]"),
        ("[tasks.x]\ncwd = \"a\"", "tasks.x: has no command"),
        ("[tasks.x]\ncommand = \"ls -l\"", "a shell is never used"),
        ("[tasks.x]\ncommand = [\"\"]", "the program first"),
        ("[tasks.x]\ncommand = [\"a\", 1]", "expected a list of strings"),
        ("[tasks.x]\ncommand = [\"a\\u0000\"]", "expected a list of strings"),
        ("[tasks.\"a b\"]\ncommand = [\"a\"]", "cannot contain ' '"),
        ("[tasks.x]\ncommand = [\"a\"]\nmax_tasks_per_child = 5", "beside mode = \"persistent\" only"),
        ("[tasks.x]\ncommand = [\"a\"]\nlimits = { memory = \"0\" }", "memory: expected"),
        ("[tasks.x]\ncommand = [\"a\"]\nlimits = { stack = \"1MiB\" }", "stack: expected a table of memory"),
        ("[tasks.x]\ncommand = [\"a\"]\npermanent_exit_codes = [0]", "expected a list of exit codes from 1 to 255"),
        ("[tasks.x]\ncommand = [\"a\"]\npermanent_exit_codes = [256]", "expected a list of exit codes from 1 to 255"),
        ("[tasks.x]\ncommand = [\"a\"]\nmode = \"twice\"", "expected \"once\" or \"persistent\""),
        ("[tasks.x]\nurl = \"https://example.org\"", "webhooks are not built yet"),
        ("[tasks.x]\ncommand = [\"a\"]\nenv = { A = 1 }", "A = 1 is none"),
        ("[tasks.x]\ncommand = [\"a\"]\noutput_limit = \"1GB\"", "expected bytes"),
        ("[tasks.x]\ncommand = [\"a\"]\ntimeout = [1]", "expected a duration"),
        ("[queues.x]\nweight = 0", "expected a whole number from 1 to 1000"),
        ("[queues.\"a/b\"]\nweight = 1", "cannot contain '/'"),
    ] {
        let found = faults(toml, &[]);
        assert_eq!(found.len(), 1, "{toml}: {found:?}");
        assert!(found[0].contains(problem), "{toml}: {found:?}");
    }
}

#[test]
fn redis_is_refused_by_name() {
    let found = faults("[redis]\nhost = \"r\"\n", &[("REDIS_URL", "redis://u:secret@r")]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0]
            .starts_with("jobqueue.toml:2: redis.host, REDIS_URL: Redis only speeds up nodes that share PostgreSQL"),
        "{found:?}"
    );
    assert!(found[0].contains("Unset them,"), "{found:?}");
    for name in ["REDIS_HOST", "REDIS_USER", "REDIS_URL"] {
        assert!(faults("", &[(name, "x")])[0].contains("Unset it,"), "{name}");
        assert!(setup("", &[(name, "")]).load().is_ok(), "{name}: empty is unset");
    }
}

#[test]
fn what_kubernetes_sets_for_its_services_is_not_meant_for_us() {
    let links =
        [("REDIS_PORT", "tcp://10.0.0.1:6379"), ("POSTGRES_PORT", "tcp://10.0.0.2:1"), ("API_PORT", "tcp://x:1")];
    assert_eq!(setup("", &links).load().unwrap().api.port, 8000);
}

fn server(config: &Config) -> &str {
    match &config.database {
        Database::Server(url) => url.reveal(),
        Database::File(path) => panic!("a file: {}", path.display()),
    }
}

#[test]
fn postgresql_is_named_by_its_address_or_by_its_parts() {
    for scheme in ["postgres", "postgresql", "PostgreSQL", "postgresql+psycopg2"] {
        let config =
            setup("", &[("DATABASE_URL", &format!("{scheme}://u:hunter2@h:1/d?sslmode=require"))]).load().unwrap();
        assert_eq!(server(&config), "postgres://u:hunter2@h:1/d?sslmode=require");
        assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
    }
    let config = setup("", &[("POSTGRES_PASSWORD", "p@ss/w:rd %"), ("POSTGRES_DB", "jobs")]).load().unwrap();
    assert_eq!(server(&config), "postgres://jobqueue:p%40ss%2Fw%3Ard%20%25@localhost:5432/jobs");
    assert!(!format!("{config:?}").contains("p@ss"), "{config:?}");
    let config = setup("[postgres]\nhost = \"::1\"\nport = 6000\nuser = \"joe\"", &[]).load().unwrap();
    assert_eq!(server(&config), "postgres://joe@[::1]:6000/jobqueue");
    let whole = setup("database_url = \"sqlite://x.db\"", &[("POSTGRES_HOST", "h")]).load().unwrap();
    assert_eq!(whole.database.to_string(), "x.db", "a whole address wins");
    for url in ["postgres://h", "postgres:h/d", "postgres://u:hunter2@h/", "postgres://h/a b"] {
        let found = faults("", &[("DATABASE_URL", url)]);
        assert!(found[0].contains("expected postgres://USER"), "{url}: {found:?}");
        assert!(!found[0].contains("hunter2"), "{found:?}");
    }
    assert!(faults("", &[("POSTGRES_PORT", "x")])[0].starts_with("POSTGRES_PORT=x: expected a whole number"));
}

#[test]
fn a_file_is_named_by_its_path() {
    for url in ["sqlite://", "sqlite://dir/", "sqlite://:memory:", "sqlite://a.db?mode=ro", "mysql://h/d", "a.db"] {
        assert!(faults("", &[("DATABASE_URL", url)])[0].contains("expected sqlite://PATH"), "{url}");
    }
    for (url, path) in [("sqlite://a/b.db", "a/b.db"), ("sqlite:///a/b.db", "/a/b.db"), ("sqlite:b.db", "b.db")] {
        assert_eq!(setup("", &[("DATABASE_URL", url)]).load().unwrap().database.to_string(), path, "{url}");
    }
}

#[test]
fn keys_are_a_list_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    fs::write(&path, "first-of-two-keys, second-of-two-keys,\n").unwrap();
    let config = setup("", &[("API_KEYS_FILE", path.to_str().unwrap())]).load().unwrap();
    let keys: Vec<&str> = config.api.keys.iter().map(|key| key.reveal()).collect();
    assert_eq!(keys, ["first-of-two-keys", "second-of-two-keys"]);
    assert_eq!((entry(&config, "api.keys").value.as_str(), config.warnings.len()), ("***", 0));
    assert!(!format!("{config:?}").contains("of-two"));
    let short = setup("[api]\nkeys = \"s3cret\"", &[]).load().unwrap();
    assert!(short.warnings[0].starts_with("API_KEYS: 1 of the keys") && !short.warnings[0].contains("s3cret"));
    for bad in [",", "a b", "k\u{e9}y"] {
        let found = faults("", &[("API_KEYS", bad)]);
        assert!(found[0].starts_with("API_KEYS=***: expected keys"), "{found:?}");
    }
}

#[test]
fn an_address_beyond_this_machine_is_known() {
    let open =
        |host, more: &[(&str, &str)]| setup("", &[&[("API_HOST", host)], more].concat()).load().unwrap().api.is_open();
    for host in ["0.0.0.0", "::", "[::]", "192.168.1.4", "jobs.example.org"] {
        assert!(open(host, &[]), "{host}");
        assert!(!open(host, &[("API_KEYS", "some-long-enough-key")]), "{host}");
        assert!(!open(host, &[("JOBQUEUE_INSECURE_NO_AUTH", "true")]), "{host}");
    }
    for host in ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST"] {
        assert!(!open(host, &[]), "{host}");
    }
    for host in ["127.0.0", "127.0.0.1:80", "a b", "http://x", "-", "256.1.1.1"] {
        assert!(
            faults("", &[("API_HOST", host)]).iter().any(|fault| fault.contains("expected an IP address")),
            "{host}"
        );
    }
}

#[test]
fn known_settings_without_effect_are_said_once() {
    let env = [("RESULT_TTL", "60"), ("RATE_LIMIT_HIGH", "10"), ("POSTGRES_MAX_CONNECTIONS", "5")];
    let config = setup("", &env).load().unwrap();
    assert_eq!(config.warnings, ["known, but without effect in this version: POSTGRES_MAX_CONNECTIONS"]);
    assert_eq!((config.defaults.result_ttl_ms, config.rate_limit), (60_000, [Some(10), None, None]));
    assert!(faults("", &[("RATE_LIMIT_LOW", "fast")])[0].starts_with("RATE_LIMIT_LOW=fast: expected a whole number"));
}

#[test]
fn a_secret_can_be_a_file_and_is_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    fs::write(&path, "hunter2\r\n").unwrap();
    let file = path.to_str().unwrap();
    let config = setup("", &[("JOBQUEUE_API_KEY_FILE", file)]).load().unwrap();
    assert_eq!(config.client.api_key.as_ref().unwrap().reveal(), "hunter2");
    let entry = entry(&config, "client.api_key");
    assert_eq!(entry.value, "***");
    assert_eq!(entry.origin.to_string(), format!("environment JOBQUEUE_API_KEY_FILE ({file})"));
    assert!(!format!("{config:?}").contains("hunter2"));
    let both = faults("", &[("JOBQUEUE_API_KEY_FILE", file), ("JOBQUEUE_API_KEY", "x")]);
    assert!(both[0].contains("are both set; unset one of them"), "{both:?}");
    let missing = faults("", &[("JOBQUEUE_API_KEY_FILE", "/nowhere/key")]);
    assert!(missing[0].starts_with("JOBQUEUE_API_KEY_FILE=/nowhere/key: cannot be read"), "{missing:?}");
}

#[test]
fn a_file_that_cannot_be_read_is_one_line() {
    let mut named = setup("", &[]);
    named.sources.file = Some("/nowhere/x.toml".into());
    assert_eq!(
        named.faults(),
        ["/nowhere/x.toml: no such file; --config and JOBQUEUE_CONFIG must name one that exists"]
    );
    let by_variable = faults("", &[("JOBQUEUE_CONFIG", "/nowhere/y.toml")]);
    assert!(by_variable[0].starts_with("/nowhere/y.toml: no such file"), "{by_variable:?}");
    named.sources.file = Some(named.folder.path().to_owned());
    assert!(named.faults()[0].contains("cannot be read"), "{:?}", named.faults());
    let syntax = faults("[worker]\nconcurrency 4\n", &[]);
    assert_eq!(syntax.len(), 1);
    assert!(syntax[0].starts_with("jobqueue.toml:2: is not valid TOML: "), "{syntax:?}");
    assert!(syntax[0].ends_with("correct this line: concurrency 4"), "{syntax:?}");
    let twice = faults("[worker]\nconcurrency = 4\nconcurrency = 5\n", &[]);
    assert!(twice[0].starts_with("jobqueue.toml:3: is not valid TOML: duplicate key"), "{twice:?}");
    let binary = setup("x", &[]);
    fs::write(binary.folder.path().join("jobqueue.toml"), b"\xff\xfe").unwrap();
    assert_eq!(binary.faults(), ["jobqueue.toml: is not UTF-8 text; save it as UTF-8"]);
}

#[test]
fn a_client_is_not_stopped_by_the_servers_faults() {
    let toml = "[worker]\nconcurrency = 0\n[client]\nurl = \"http://10.0.0.1:1\"\n[nonsense]\na = 1\n";
    let setup = setup(toml, &[("POSTGRES_HOST", "pg"), ("API_KEYS", "k")]);
    assert_eq!(Config::load_client(&setup.sources).unwrap().client.url, "http://10.0.0.1:1");
    assert!(setup.load().is_err());
}

#[test]
fn names_are_unique() {
    let names: Vec<&str> = SETTINGS.iter().flat_map(|s| s.env.iter().copied().chain([s.name])).collect();
    let unique: std::collections::HashSet<_> = names.iter().collect();
    assert_eq!(names.len(), unique.len());
}

/// The names of the original, of its README and its deployment files.
#[test]
fn every_variable_of_the_original_is_known() {
    let plain = "API_HOST API_PORT API_KEYS DATABASE_URL REDIS_URL WORKER_CONCURRENCY WORKER_HEARTBEAT_INTERVAL \
                 WORKER_MAX_TASKS_PER_CHILD MAX_RETRIES RETRY_BACKOFF_BASE TASK_TIMEOUT RESULT_TTL RATE_LIMIT_HIGH \
                 RATE_LIMIT_MEDIUM RATE_LIMIT_LOW LOG_LEVEL LOG_FORMAT LOG_DIR TASK_HISTORY JOBQUEUE_URL \
                 JOBQUEUE_API_KEY REDIS_HOST REDIS_PORT REDIS_DB REDIS_PASSWORD REDIS_MAX_CONNECTIONS POSTGRES_HOST \
                 POSTGRES_PORT POSTGRES_DB POSTGRES_USER POSTGRES_PASSWORD POSTGRES_MAX_CONNECTIONS";
    for name in plain.split_whitespace() {
        assert!(SETTINGS.iter().any(|setting| setting.env.contains(&name)), "{name}");
    }
    let config =
        setup("", &[("TASK_HISTORY", "7d"), ("WORKER_CONCURENCY", "9"), ("LOG_LEVEL_FILE", "x")]).load().unwrap();
    assert_eq!(
        config.warnings,
        [
            "known, but without effect in this version: TASK_HISTORY",
            "WORKER_CONCURENCY is set, but nothing reads it; did you mean WORKER_CONCURRENCY?"
        ]
    );
}
