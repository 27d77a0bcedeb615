//! The one table of settings.

use super::{Config, Secret, parse, services::SERVICES};
use crate::logging;

/// What a setting does in this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Works,
    /// Known from other versions; accepted with a warning.
    NotYet,
    /// Asks for Redis: a start error where the store is a file.
    OnlyWithPostgres,
}

/// Whether a value may be shown. What may not also exists as a file: each variable with `_FILE` behind its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrecy {
    Open,
    /// An address that may hold a password.
    Address,
    Hidden,
}

impl Secrecy {
    /// The value must be masked wherever it is shown.
    pub fn hides(self, value: &str) -> bool {
        match self {
            Self::Open => false,
            Self::Address => value.contains("://") && !value.starts_with("sqlite:"),
            Self::Hidden => !value.is_empty(),
        }
    }
}

/// One setting: a row of the reference, a line of `config show`.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its path in the file, which is also its name: `worker.concurrency`.
    pub name: &'static str,
    /// With its dashes.
    pub flag: Option<&'static str>,
    /// Environment variables, the first wins. Empty is unset, unless `empty_is_a_value`.
    pub env: &'static [&'static str],
    /// As it would be written.
    pub default: &'static str,
    pub doc: &'static str,
    /// Of a bare number.
    pub unit: &'static str,
    pub secrecy: Secrecy,
    /// The empty text means something.
    pub empty_is_a_value: bool,
    /// Values separated by commas; in the file also a list of them.
    pub is_list: bool,
    pub effect: Effect,
    /// Parses a text into its place, or says what would be right.
    pub(super) set: fn(&mut Config, &str) -> Result<(), String>,
}

impl Setting {
    /// The unit of a value as it is written: one that brings its own has none besides.
    pub fn unit_of(&self, value: &str) -> &'static str {
        if value.trim().parse::<f64>().is_ok() { self.unit } else { "" }
    }
}

/// A working setting that is no secret; rows below say what differs.
pub(super) const PLAIN: Setting = Setting {
    name: "",
    flag: None,
    env: &[],
    default: "",
    doc: "",
    unit: "",
    secrecy: Secrecy::Open,
    empty_is_a_value: false,
    is_list: false,
    effect: Effect::Works,
    set: |_, _| Ok(()),
};

/// Every setting. Sections (`[tasks.NAME]`, `[queues.NAME]`) are not settings.
pub const SETTINGS: &[Setting] = &joined::<{ OWN.len() + SERVICES.len() }>([OWN, SERVICES]);

const fn joined<const N: usize>(parts: [&[Setting]; 2]) -> [Setting; N] {
    let (mut all, mut at) = ([PLAIN; N], 0);
    while at < N {
        let first = parts[0].len();
        all[at] = if at < first { parts[0][at] } else { parts[1][at - first] };
        at += 1;
    }
    all
}

const OWN: &[Setting] = &[
    Setting {
        name: "api.host",
        flag: Some("--host"),
        env: &["API_HOST"],
        default: "127.0.0.1",
        doc: "Address the API listens on",
        set: |config, text| parse::host(text).map(|host| config.api.host = host),
        ..PLAIN
    },
    Setting {
        name: "api.port",
        flag: Some("--port"),
        env: &["API_PORT"],
        default: "8000",
        doc: "Port the API listens on; 0 = any free port",
        set: |config, text| parse::integer(text, 0..=65_535).map(|port| config.api.port = port as u16),
        ..PLAIN
    },
    Setting {
        name: "api.insecure_no_auth",
        flag: Some("--insecure-no-auth"),
        env: &["JOBQUEUE_INSECURE_NO_AUTH"],
        default: "false",
        doc: "Listen beyond this machine although nobody has to authenticate",
        set: |config, text| parse::switch(text).map(|on| config.api.insecure_no_auth = on),
        ..PLAIN
    },
    Setting {
        name: "api.environment",
        env: &["JOBQUEUE_ENVIRONMENT"],
        doc: "What this installation is called, such as production or staging: the dashboard shows it beside its name",
        set: |config, text| parse::environment(text).map(|name| config.api.environment = name),
        ..PLAIN
    },
    Setting {
        name: "api.environment_color",
        env: &["JOBQUEUE_ENVIRONMENT_COLOR"],
        default: "gray",
        doc: "Colour of that name in the dashboard: red, orange, green, blue, violet or gray",
        set: |config, text| parse::color(text).map(|color| config.api.environment_color = color),
        ..PLAIN
    },
    Setting {
        name: "api.keys",
        env: &["API_KEYS"],
        doc: "API keys with every right, separated by commas, besides those made with `jobqueue key create`",
        secrecy: Secrecy::Hidden,
        set: |config, text| parse::keys(text).map(|keys| config.api.keys = keys),
        ..PLAIN
    },
    Setting {
        name: "database_url",
        flag: Some("--database-url"),
        env: &["DATABASE_URL"],
        default: "sqlite://./data/jobqueue.db",
        doc: "Where tasks are kept: sqlite://PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE",
        secrecy: Secrecy::Address,
        set: |config, text| parse::database(text).map(|database| config.database = database),
        ..PLAIN
    },
    Setting {
        name: "data_dir",
        flag: Some("--data-dir"),
        env: &["JOBQUEUE_DATA_DIR"],
        default: "./data",
        doc: "Folder of this node's own files where tasks are kept in PostgreSQL; one for each node",
        set: |config, text| {
            config.data_dir = text.into();
            Ok(())
        },
        ..PLAIN
    },
    Setting {
        name: "worker.concurrency",
        flag: Some("--concurrency"),
        env: &["WORKER_CONCURRENCY"],
        default: "4",
        doc: "Tasks that run at once on this node, 1 to 4096",
        unit: "tasks",
        set: |config, text| parse::integer(text, 1..=4_096).map(|n| config.worker.concurrency = n as usize),
        ..PLAIN
    },
    Setting {
        name: "worker.heartbeat_interval",
        env: &["WORKER_HEARTBEAT_INTERVAL"],
        default: "3s",
        doc: "How often a node says that it is alive; three missed beats and it is dead",
        unit: "seconds",
        set: |config, text| parse::duration(text, 1_000..=300_000).map(|ms| config.worker.heartbeat_interval_ms = ms),
        ..PLAIN
    },
    Setting {
        name: "worker.drain_timeout",
        flag: Some("--drain-timeout"),
        env: &["WORKER_DRAIN_TIMEOUT"],
        default: "25s",
        doc: "How long running tasks may go on when the process is asked to stop",
        unit: "seconds",
        set: |config, text| parse::duration(text, 0..=3_600_000).map(|ms| config.worker.drain_timeout_ms = ms),
        ..PLAIN
    },
    Setting {
        name: "worker.cancel_grace",
        env: &["WORKER_CANCEL_GRACE"],
        default: "5s",
        doc: "How long a cancelled task may go on before it is killed",
        unit: "seconds",
        set: |config, text| parse::duration(text, 0..=3_600_000).map(|ms| config.worker.cancel_grace_ms = ms),
        ..PLAIN
    },
    Setting {
        name: "worker.max_tasks_per_child",
        env: &["WORKER_MAX_TASKS_PER_CHILD"],
        default: "1000",
        doc: "Tasks a persistent child runs before it is replaced",
        unit: "tasks",
        set: |config, text| {
            parse::integer(text, 0..=1_000_000_000).map(|most| config.worker.max_tasks_per_child = most as u32)
        },
        ..PLAIN
    },
    Setting {
        name: "worker.queues",
        env: &["WORKER_QUEUES"],
        doc: "The only queues this node takes tasks of, each with its share of the slots if need be: mail:3,default; empty = all",
        is_list: true,
        set: |config, text| parse::worker_queues(text).map(|queues| config.worker.queues = queues),
        ..PLAIN
    },
    Setting {
        name: "worker.labels",
        env: &["WORKER_LABELS"],
        doc: "What tasks may require of a node: gpu,region:eu",
        is_list: true,
        set: |config, text| parse::labels(text).map(|labels| config.worker.labels = labels),
        ..PLAIN
    },
    Setting {
        name: "defaults.max_retries",
        env: &["MAX_RETRIES"],
        default: "3",
        doc: "Retries after the first attempt of a task that does not say otherwise",
        unit: "retries",
        set: |config, text| parse::integer(text, 0..=1_000).map(|n| config.defaults.max_retries = n as u32),
        ..PLAIN
    },
    Setting {
        name: "defaults.retry_backoff_base",
        env: &["RETRY_BACKOFF_BASE"],
        default: "2",
        doc: "By how much the delay grows with each failed attempt, 1 to 100",
        unit: "times",
        set: |config, text| parse::number(text, 1.0..=100.0).map(|base| config.defaults.retry_backoff_base = base),
        ..PLAIN
    },
    Setting {
        name: "defaults.timeout",
        env: &["TASK_TIMEOUT"],
        default: "300s",
        doc: "Time limit of an attempt of a task that does not say otherwise; \"none\" = no limit",
        unit: "seconds",
        set: |config, text| parse::timeout(text).map(|limit| config.defaults.timeout_ms = limit),
        ..PLAIN
    },
    Setting {
        name: "defaults.result_ttl",
        env: &["RESULT_TTL"],
        default: "3600s",
        doc: "How long a result is given out after the end of its task, unless the task says otherwise",
        unit: "seconds",
        set: |config, text| parse::duration(text, 0..=31_622_400_000).map(|ttl| config.defaults.result_ttl_ms = ttl),
        ..PLAIN
    },
    Setting {
        name: "defaults.task_history",
        env: &["TASK_HISTORY"],
        doc: "How long finished tasks are kept; a queue's retention says so already",
        effect: Effect::NotYet,
        ..PLAIN
    },
    Setting {
        name: "dead_letters.alert_at",
        env: &["DEAD_LETTERS_ALERT_AT"],
        doc: "So many dead letters are an error in the log and an alert in GET /api/v1/dlq/stats; empty = no alert",
        unit: "dead letters",
        set: |config, text| {
            let at = if text.is_empty() { None } else { Some(parse::integer(text, 1..=1_000_000_000)?) };
            config.dead_letter_alert = at.and_then(|at| u32::try_from(at).ok());
            Ok(())
        },
        ..PLAIN
    },
    Setting {
        name: "rate_limit.high",
        env: &["RATE_LIMIT_HIGH"],
        doc: "Tasks of high priority that may start per minute in each queue without a limit of its own",
        unit: "tasks a minute",
        set: |config, text| rate_limit(config, 0, text),
        ..PLAIN
    },
    Setting {
        name: "rate_limit.medium",
        env: &["RATE_LIMIT_MEDIUM"],
        doc: "Tasks of medium priority that may start per minute in each queue without a limit of its own",
        unit: "tasks a minute",
        set: |config, text| rate_limit(config, 1, text),
        ..PLAIN
    },
    Setting {
        name: "rate_limit.low",
        env: &["RATE_LIMIT_LOW"],
        doc: "Tasks of low priority that may start per minute in each queue without a limit of its own",
        unit: "tasks a minute",
        set: |config, text| rate_limit(config, 2, text),
        ..PLAIN
    },
    Setting {
        name: "log.level",
        flag: Some("--log-level"),
        env: &["LOG_LEVEL"],
        default: "info",
        doc: "error, warn, info, debug, trace or off, also per module: info,jobqueue::engine=debug",
        set: |config, text| logging::filter::parse(text).map(|filter| config.log.filter = filter),
        ..PLAIN
    },
    Setting {
        name: "log.format",
        flag: Some("--log-format"),
        env: &["LOG_FORMAT"],
        default: "auto",
        doc: "json, text, or auto: text on a terminal, else json",
        set: |config, text| logging::Format::parse(text).map(|format| config.log.format = format),
        ..PLAIN
    },
    Setting {
        name: "log.dir",
        env: &["LOG_DIR"],
        default: "logs",
        doc: "Folder of the daily log files, kept for 30 days; empty = no files",
        empty_is_a_value: true,
        set: |config, text| {
            config.log.dir = (!text.is_empty()).then(|| text.into());
            Ok(())
        },
        ..PLAIN
    },
    Setting {
        name: "client.url",
        flag: Some("--url"),
        env: &["JOBQUEUE_URL"],
        default: "http://127.0.0.1:8000",
        doc: "Server that commands talk to",
        set: |config, text| {
            config.client.url = text.to_owned();
            Ok(())
        },
        ..PLAIN
    },
    Setting {
        name: "client.api_key",
        flag: Some("--api-key"),
        env: &["JOBQUEUE_API_KEY"],
        doc: "Key that commands send to the server",
        secrecy: Secrecy::Hidden,
        set: |config, text| {
            config.client.api_key = (!text.is_empty()).then(|| Secret::new(text));
            Ok(())
        },
        ..PLAIN
    },
];

fn rate_limit(config: &mut Config, class: usize, text: &str) -> Result<(), String> {
    config.rate_limit[class] = match text {
        "" => None,
        text => u32::try_from(parse::integer(text, 1..=1_000_000_000)?).ok(),
    };
    Ok(())
}
