//! `[tasks.NAME]`, `[queues.NAME]` and `[schedules.NAME]`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use super::{
    Config, Fault,
    file::{File, Node, Value},
    parse, suggest,
};
use crate::task::{Millis, duration, name, schedule};

/// Tables whose keys are names chosen by the operator.
pub(super) const NAMES: [&str; 3] = ["tasks", "queues", "schedules"];

/// A task that is run by a command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandConfig {
    /// Program and arguments, at least the program. Never goes through a shell.
    pub argv: Vec<String>,
    /// Added to the environment of the server.
    pub env: BTreeMap<String, String>,
    /// Further variables of the server's that it is given.
    pub inherit_env: Vec<String>,
    /// `None`: the server's working folder.
    pub cwd: Option<PathBuf>,
    pub timeout: Timeout,
    /// `None`: the server's default.
    pub max_retries: Option<u32>,
    /// Bytes of standard output accepted; `None`: the server's default.
    pub output_limit: Option<u64>,
    /// Exit codes that say that another attempt would fail the same way.
    pub permanent_exit_codes: BTreeSet<u8>,
    pub limits: ProcessLimits,
    /// Children stay, and run one task after the other.
    pub persistent: bool,
    /// `None`: the server's default; 0: any number.
    pub max_tasks_per_child: Option<u32>,
    /// Bytes; `None`: any.
    pub max_child_memory: Option<u64>,
}

/// What the kernel lets a command have; `None`: what the server may have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProcessLimits {
    /// Bytes of address space.
    pub memory: Option<u64>,
    /// Seconds of computing.
    pub cpu: Option<u64>,
    pub open_files: Option<u64>,
    /// Bytes of a file that it writes.
    pub file_size: Option<u64>,
}

/// Time limit of an attempt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Timeout {
    /// The server's default.
    #[default]
    Inherit,
    Never,
    /// Milliseconds.
    After(Millis),
}

/// A queue with settings of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueConfig {
    /// Share of the node's slots relative to other queues, 1 to 1000.
    pub weight: u32,
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self { weight: 1 }
    }
}

/// Reads the sections into `config`.
pub(super) fn read(file: &File, config: &mut Config, faults: &mut Vec<Fault>) {
    for node in &file.nodes {
        let mut section = Section { file, faults, path: node.key.clone() };
        match node.key.as_str() {
            "tasks" => config.tasks = section.entries(node, name::task, Section::command),
            "queues" => config.queues = section.entries(node, name::queue, Section::queue),
            "schedules" => {
                config.schedules = Some(section.entries(node, schedule::check_name, Section::schedule));
            }
            _ => {}
        }
    }
}

/// The table being read and where its faults go.
struct Section<'a> {
    file: &'a File,
    faults: &'a mut Vec<Fault>,
    path: String,
}

/// A field of a section: its name, an example as it is written, and what it means.
pub(super) type Field = (&'static str, &'static str, &'static str);

pub(super) const COMMAND_FIELDS: [Field; 12] = [
    (
        "command",
        r#"["python3", "process.py"]"#,
        "Program and arguments, never through a shell; the task comes on standard input",
    ),
    ("env", r#"{ MODE = "fast" }"#, "Added to PATH, HOME, USER, LANG, LC_ALL, TZ and TMPDIR of the server"),
    ("inherit_env", r#"["AWS_PROFILE"]"#, "Further variables that it is given as the server has them"),
    ("cwd", r#"".""#, "Working folder; the server's if not given"),
    ("timeout", r#""5m""#, "Time limit of an attempt; \"none\" = no limit"),
    ("max_retries", "3", "Retries after the first attempt"),
    ("output_limit", r#""1MiB""#, "Longest standard output"),
    ("permanent_exit_codes", "[65]", "Exit codes after which no other attempt is made; none if not given"),
    (
        "limits",
        r#"{ memory = "1GiB", cpu = "60s", open_files = 256, file_size = "1GiB" }"#,
        "Held by the kernel; any of them",
    ),
    (
        "mode",
        r#""persistent""#,
        "Processes that stay, a JSON line for each task; \"once\", if not given: a process for each attempt",
    ),
    ("max_tasks_per_child", "1000", "A persistent child is replaced after so many; 0 = never for that"),
    (
        "max_child_memory",
        r#""512MiB""#,
        "A persistent child is replaced when it holds more; never for that if not given",
    ),
];
pub(super) const QUEUE_FIELDS: [Field; 1] =
    [("weight", "1", "Share of the slots against that of other queues, 1 to 1000")];
pub(super) const SCHEDULE_FIELDS: [Field; 7] = [
    (
        "cron",
        r#""30 2 * * MON-FRI""#,
        "When it ticks: five fields, or six with seconds in front; or instead: every = \"30s\"",
    ),
    ("timezone", r#""UTC""#, "Zone of the pattern, such as \"Europe/Berlin\""),
    ("catch_up", r#""one""#, "Ticks that nobody was there to make: skip, one or all"),
    ("overlap", r#""allow""#, "A tick while its last task is not over: allow or skip"),
    ("jitter", r#""0s""#, "Each tick comes later by up to this"),
    ("enabled", "true", "false: it is paused"),
    ("task", r#"{ name = "report", args = [1] }"#, "The task of each tick, as it would be submitted"),
];
const WEBHOOK: &str = "webhooks are not built yet; use command = [\"program\", \"argument\"]";

impl Section<'_> {
    fn entries<T>(
        &mut self,
        node: &Node,
        valid: fn(&str) -> Result<(), name::InvalidName>,
        one: fn(&mut Self, &Node, &[Node]) -> T,
    ) -> BTreeMap<String, T> {
        let mut found = BTreeMap::new();
        let Value::Table(entries) = &node.value else {
            self.fault(node, format!("expected tables such as [{}.NAME]", node.key));
            return found;
        };
        for entry in entries {
            self.path = format!("{}.{}", node.key, entry.key);
            if let Err(invalid) = valid(&entry.key) {
                self.fault(entry, invalid.to_string());
            }
            match &entry.value {
                Value::Table(fields) => {
                    found.insert(entry.key.clone(), one(self, entry, fields));
                }
                _ => self.fault(entry, format!("expected a table: [{}]", self.path)),
            }
        }
        found
    }

    fn command(&mut self, entry: &Node, fields: &[Node]) -> CommandConfig {
        let mut command = CommandConfig::default();
        for field in fields {
            let set = match field.key.as_str() {
                "command" => argv(&field.value).map(|argv| command.argv = argv),
                "env" => variables(&field.value).map(|env| command.env = env),
                "inherit_env" => names(&field.value).map(|names| command.inherit_env = names),
                "cwd" => folder(&field.value).map(|cwd| command.cwd = Some(cwd)),
                "timeout" => scalar(&field.value, parse::timeout)
                    .map(|limit| command.timeout = limit.map_or(Timeout::Never, Timeout::After)),
                "max_retries" => scalar(&field.value, |text| parse::integer(text, 0..=1_000))
                    .map(|retries| command.max_retries = Some(retries as u32)),
                "output_limit" => scalar(&field.value, |text| parse::bytes(text, 1..=1 << 30))
                    .map(|limit| command.output_limit = Some(limit)),
                "permanent_exit_codes" => exit_codes(&field.value).map(|codes| command.permanent_exit_codes = codes),
                "limits" => limits(&field.value).map(|limits| command.limits = limits),
                "mode" => mode(&field.value).map(|persistent| command.persistent = persistent),
                "max_tasks_per_child" => scalar(&field.value, |text| parse::integer(text, 0..=1_000_000_000))
                    .map(|most| command.max_tasks_per_child = Some(most as u32)),
                "max_child_memory" => scalar(&field.value, |text| parse::bytes(text, 1..=1 << 40))
                    .map(|most| command.max_child_memory = Some(most)),
                "url" => Err(WEBHOOK.to_owned()),
                other => Err(unknown_field(other, &COMMAND_FIELDS)),
            };
            self.check(field, set);
        }
        let of_children = |field: &&Node| matches!(field.key.as_str(), "max_tasks_per_child" | "max_child_memory");
        if let Some(field) = fields.iter().find(of_children).filter(|_| !command.persistent) {
            self.check(field, Err("has a meaning beside mode = \"persistent\" only".into()));
        }
        if !fields.iter().any(|field| matches!(field.key.as_str(), "command" | "url")) {
            self.fault_at(entry.line, &self.path.clone(), "has no command = [\"program\", \"argument\"]".into());
        }
        command
    }

    fn queue(&mut self, _: &Node, fields: &[Node]) -> QueueConfig {
        let mut queue = QueueConfig::default();
        for field in fields {
            let set = match field.key.as_str() {
                "weight" => scalar(&field.value, |text| parse::integer(text, 1..=1_000))
                    .map(|weight| queue.weight = weight as u32),
                other => Err(unknown_field(other, &QUEUE_FIELDS)),
            };
            self.check(field, set);
        }
        queue
    }

    /// When it ticks is checked here, its task where tasks are.
    fn schedule(&mut self, entry: &Node, fields: &[Node]) -> String {
        let mut rule = schedule::Rule::default();
        for field in fields {
            let text = || field.value.scalar().map(str::to_owned);
            match field.key.as_str() {
                "cron" => rule.cron = text(),
                "timezone" => rule.timezone = text(),
                "every" => rule.every = self.time(field),
                "jitter" => rule.jitter = self.time(field),
                other if SCHEDULE_FIELDS.iter().any(|(name, ..)| *name == other) => {}
                other => self.check(field, Err(unknown_field(other, &SCHEDULE_FIELDS))),
            }
        }
        for (name, problem) in rule.compile(0).err().unwrap_or_default() {
            match fields.iter().find(|field| field.key == name) {
                Some(field) => self.check(field, Err(problem)),
                None => self.fault_at(entry.line, &self.path.clone(), problem),
            }
        }
        if !fields.iter().any(|field| field.key == "task") {
            self.fault_at(entry.line, &self.path.clone(), "has no task = { name = \"NAME\" }".into());
        }
        json(fields).to_string()
    }

    /// What is no time is a fault, and stands for one that is possible.
    fn time(&mut self, field: &Node) -> Option<Millis> {
        let time = field.value.scalar().and_then(duration::parse);
        if time.is_none() {
            self.check(field, Err(format!("expected {}", duration::EXPECTED)));
        }
        time.or(Some(1_000))
    }

    fn check(&mut self, field: &Node, set: Result<(), String>) {
        if let Err(problem) = set {
            let place = format!("{}.{} = {}", self.path, field.key, field.value.shown());
            self.fault_at(field.line, &place, problem);
        }
    }

    fn fault(&mut self, node: &Node, problem: String) {
        let place = format!("{} = {}", self.path, node.value.shown());
        self.fault_at(node.line, &place, problem);
    }

    fn fault_at(&mut self, line: usize, place: &str, problem: String) {
        self.faults.push(Fault { place: format!("{}:{line}: {place}", self.file.path.display()), problem });
    }
}

fn unknown_field(field: &str, known: &[Field]) -> String {
    format!("unknown setting{}", suggest::hint(suggest::closest(field, known.iter().map(|(name, ..)| *name))))
}

fn scalar<T>(value: &Value, parse: impl Fn(&str) -> Result<T, String>) -> Result<T, String> {
    parse(value.scalar().unwrap_or(""))
}

fn argv(value: &Value) -> Result<Vec<String>, String> {
    const WANTED: &str = "expected a list of strings, the program first: [\"python3\", \"process.py\"]";
    let Value::List(items) = value else { return Err(format!("{WANTED}; a shell is never used")) };
    let argv: Option<Vec<String>> = items.iter().map(plain_text).collect();
    argv.filter(|argv| argv.first().is_some_and(|program| !program.is_empty())).ok_or_else(|| WANTED.to_owned())
}

fn exit_codes(value: &Value) -> Result<BTreeSet<u8>, String> {
    const WANTED: &str = "expected a list of exit codes from 1 to 255: [65]";
    let Value::List(items) = value else { return Err(WANTED.into()) };
    let code = |item: &Value| item.scalar()?.parse::<u8>().ok().filter(|code| *code > 0);
    items.iter().map(code).collect::<Option<_>>().ok_or_else(|| WANTED.to_owned())
}

fn variables(value: &Value) -> Result<BTreeMap<String, String>, String> {
    const WANTED: &str = "expected a table of strings: { NAME = \"value\" }";
    let Value::Table(nodes) = value else { return Err(WANTED.into()) };
    let variable = |node: &Node| {
        let sound = !node.key.is_empty() && !node.key.contains(['=', '\0']);
        plain_text(&node.value)
            .filter(|_| sound)
            .map(|text| (node.key.clone(), text))
            .ok_or_else(|| format!("{WANTED}; {} = {} is none", node.key, node.value.shown()))
    };
    nodes.iter().map(variable).collect()
}

fn names(value: &Value) -> Result<Vec<String>, String> {
    const WANTED: &str = "expected a list of names of environment variables: [\"AWS_PROFILE\"]";
    let Value::List(items) = value else { return Err(WANTED.into()) };
    let name = |item: &Value| plain_text(item).filter(|name| !name.is_empty() && !name.contains(['=', '\0']));
    items.iter().map(name).collect::<Option<_>>().ok_or_else(|| WANTED.to_owned())
}

fn folder(value: &Value) -> Result<PathBuf, String> {
    plain_text(value)
        .filter(|text| !text.is_empty())
        .map(PathBuf::from)
        .ok_or_else(|| "expected a folder's path".into())
}

fn mode(value: &Value) -> Result<bool, String> {
    match value.scalar() {
        Some("once") => Ok(false),
        Some("persistent") => Ok(true),
        _ => Err("expected \"once\" or \"persistent\"".into()),
    }
}

fn limits(value: &Value) -> Result<ProcessLimits, String> {
    const WANTED: &str = "expected a table of memory, cpu, open_files and file_size, or of some of them";
    let Value::Table(nodes) = value else { return Err(WANTED.into()) };
    let mut limits = ProcessLimits::default();
    for node in nodes {
        let bytes = || scalar(&node.value, |text| parse::bytes(text, 1..=1 << 50));
        let set = match node.key.as_str() {
            "memory" => bytes().map(|most| limits.memory = Some(most)),
            "file_size" => bytes().map(|most| limits.file_size = Some(most)),
            "cpu" => scalar(&node.value, |text| parse::duration(text, 1_000..=30 * 86_400_000))
                // The kernel counts whole seconds.
                .map(|millis| limits.cpu = Some(millis.unsigned_abs().div_ceil(1_000))),
            "open_files" => {
                scalar(&node.value, |text| parse::integer(text, 8..=1 << 30)).map(|most| limits.open_files = Some(most))
            }
            _ => Err(WANTED.into()),
        };
        set.map_err(|problem| format!("{}: {problem}", node.key))?;
    }
    Ok(limits)
}

/// A string that a process can be given.
fn plain_text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) if !text.contains('\0') => Some(text.clone()),
        _ => None,
    }
}

/// As the API would be sent it.
fn json(fields: &[Node]) -> serde_json::Value {
    fields.iter().map(|field| (field.key.clone(), json_value(&field.value))).collect()
}

fn json_value(value: &Value) -> serde_json::Value {
    match value {
        Value::Text(text) => text.as_str().into(),
        // What is no JSON is a time, or a number that has none.
        Value::Scalar(text) => serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into()),
        Value::List(items) => items.iter().map(json_value).collect(),
        Value::Table(nodes) => json(nodes),
    }
}
