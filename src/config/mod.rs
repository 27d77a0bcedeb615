//! Configuration: flags > environment > `jobqueue.toml` > defaults, each value with where it came from.
//!
//! [`SETTINGS`] is the one table of all settings. [`Config::load`] lays the layers over each other and reports every
//! fault at once. Nothing here prints, logs or opens the database.

mod file;
mod layers;
mod origin;
mod parse;
mod refusals;
mod sections;
mod services;
mod settings;
mod suggest;
mod template;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

pub use layers::Sources;
pub use origin::{ConfigError, Entry, Fault, Origin, Secret};
pub use sections::{CommandConfig, ProcessLimits, QueueConfig, Timeout};
pub use settings::{Effect, SETTINGS, Secrecy, Setting};
pub use template::template;

/// Says what is expected where this is no address of a PostgreSQL database.
pub fn check_database_server(url: &str) -> Result<(), String> {
    parse::database_server(url).map(drop)
}

use crate::{logging, task::Millis};

/// Everything a process is started with.
#[derive(Debug, Clone, Default)]
pub struct Config {
    pub api: ApiConfig,
    pub database: Database,
    /// Where a node whose store is elsewhere keeps what is its own: who it is, and what a crash had to say.
    pub data_dir: PathBuf,
    pub worker: WorkerConfig,
    pub defaults: TaskDefaults,
    /// Starts per minute of high, medium and low priority in queues without a limit of their own.
    pub rate_limit: [Option<u32>; 3],
    /// So many dead letters are an alert.
    pub dead_letter_alert: Option<u32>,
    pub redis: RedisSettings,
    pub log: logging::Options,
    pub client: ClientConfig,
    /// `[tasks.NAME]`: tasks that are run by a command.
    pub tasks: BTreeMap<String, CommandConfig>,
    /// `[queues.NAME]`: queues with settings of their own.
    pub queues: BTreeMap<String, QueueConfig>,
    /// `[schedules.NAME]`: what makes tasks by the clock, as JSON; `None`: the file says nothing of schedules.
    pub schedules: Option<BTreeMap<String, String>>,
    /// The configuration file that was read, if any.
    pub file: Option<PathBuf>,
    /// What the operator should know although it is no fault: one sentence each, to be logged at start.
    pub warnings: Vec<String>,
    postgres: PostgresParts,
    sources: Arc<Sources>,
    /// Every setting with its value (secrets masked) and where it came from, in the order of [`SETTINGS`].
    pub entries: Vec<Entry>,
}

/// Where tasks are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// A SQLite file. Relative paths start at the working folder; its folder need not exist yet.
    File(PathBuf),
    /// The address of a PostgreSQL database.
    Server(Secret),
}

impl Database {
    /// The file, where it is one.
    pub fn file(&self) -> Option<&std::path::Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Server(_) => None,
        }
    }
}

impl Default for Database {
    fn default() -> Self {
        Self::File(PathBuf::new())
    }
}

impl std::fmt::Display for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Server(_) => f.write_str("PostgreSQL"),
        }
    }
}

/// `POSTGRES_*`: what an address is made of where none is given.
#[derive(Debug, Clone, Default)]
pub(crate) struct PostgresParts {
    host: String,
    port: String,
    db: String,
    user: String,
    password: Option<Secret>,
}

/// How Redis is reached, as it was set: by its address, or by its parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RedisSettings {
    pub url: Option<Secret>,
    pub host: Option<String>,
    pub port: u16,
    pub db: u32,
    pub user: Option<String>,
    pub password: Option<Secret>,
    /// What keys and the channel begin with.
    pub prefix: String,
}

/// Where the API listens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApiConfig {
    /// An IP address or a host name.
    pub host: String,
    /// 0 = any free port.
    pub port: u16,
    /// Listen beyond this machine although nobody has to authenticate.
    pub insecure_no_auth: bool,
    /// What this installation is called in the dashboard, and in which colour.
    pub environment: Option<String>,
    pub environment_color: &'static str,
    /// Keys with every right, besides those in the store.
    pub keys: Vec<Secret>,
}

impl ApiConfig {
    /// Others than this machine can reach it, and nothing in the configuration keeps them out.
    pub fn is_open(&self) -> bool {
        !(self.insecure_no_auth || self.host.is_empty() || parse::is_loopback(&self.host)) && self.keys.is_empty()
    }
}

/// How this node runs tasks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkerConfig {
    /// Tasks that run at once, 1 to 4096.
    pub concurrency: usize,
    pub heartbeat_interval_ms: Millis,
    /// How long running tasks may go on after a request to stop.
    pub drain_timeout_ms: Millis,
    /// How long a cancelled task may go on before it is killed.
    pub cancel_grace_ms: Millis,
    /// Tasks a persistent child runs before it is replaced; 0: any number.
    pub max_tasks_per_child: u32,
    /// The only queues it takes tasks of, with their weights if they have some here; empty: all.
    pub queues: BTreeMap<String, Option<u32>>,
    /// What tasks may require of it.
    pub labels: BTreeSet<String>,
}

/// What holds for a task that does not say otherwise.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TaskDefaults {
    /// Retries after the first attempt.
    pub max_retries: u32,
    /// Growth factor of the delay between attempts, 1 to 100.
    pub retry_backoff_base: f64,
    /// `None`: no limit.
    pub timeout_ms: Option<Millis>,
    /// How long a result is given out.
    pub result_ttl_ms: Millis,
}

/// How the command line reaches a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientConfig {
    pub url: String,
    pub api_key: Option<Secret>,
}

impl Config {
    /// All that a server needs.
    ///
    /// # Errors
    /// Every fault found, each with its place and what would be right.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        layers::load(sources, layers::Scope::Everything)
    }

    /// What the same flags, environment and file say now.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn read_again(&self) -> Result<Self, ConfigError> {
        Self::load(&self.sources)
    }

    /// The same for whoever wants to see it although it is faulty: each setting as far as it can be read, and all faults.
    pub fn examine(sources: &Sources) -> (Self, Vec<Fault>) {
        layers::examine(sources, layers::Scope::Everything)
    }

    /// Only what a client needs (`client.*`): what is wrong with the rest of the file or the environment does not keep
    /// anybody from asking a server.
    ///
    /// # Errors
    /// Every fault found in those settings.
    pub fn load_client(sources: &Sources) -> Result<Self, ConfigError> {
        layers::load(sources, layers::Scope::Client)
    }
}
