//! The grammar of the command line. Environment names are part of the help texts; the values are read by `config`,
//! which knows where each came from.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::{
    bench::BenchArgs,
    config::ConfigCommand,
    healthcheck::HealthcheckArgs,
    key::KeyArgs,
    reference::{CompletionsArgs, ManArgs},
    remote::RemoteCommand,
    serve::MigrateArgs,
};

/// Ends every long help.
macro_rules! examples {
    ($examples:literal) => {
        concat!(
            "Examples:\n",
            $examples,
            "\n\nExit codes: 0 ok · 1 failed · 2 usage · 3 not found · 4 server unreachable"
        )
    };
}
pub(super) use examples;

/// A distributed job queue: REST in, supervised workers, a result out.
#[derive(Debug, Parser)]
#[command(
    name = "jobqueue",
    version,
    max_term_width = 110,
    long_about = "A distributed job queue: REST in, supervised workers, a result out.\n\nWithout a command: serve. \
                  Settings come from flags, then the environment, then jobqueue.toml, then defaults.",
    after_long_help = examples!(
        "  jobqueue dev                                      a server with demo tasks and a dashboard
  jobqueue submit demo.add --args '[1, 2]' --wait   run one and wait for its result
  jobqueue list --status failed                     what went wrong"
    )
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) globals: Globals,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

/// Flags that go with every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Globals {
    /// How to print: a table for people, or the server's JSON unchanged
    #[arg(long, global = true, value_enum, default_value_t = Output::Table, value_name = "FORM")]
    output: Output,
    /// The same as --output json
    #[arg(long, global = true)]
    json: bool,
    /// Configuration file [env: JOBQUEUE_CONFIG] [default: jobqueue.toml, if there is one]
    #[arg(long, global = true, value_name = "PATH")]
    pub(super) config: Option<PathBuf>,
    /// Server to talk to [env: JOBQUEUE_URL] [default: http://127.0.0.1:8000]
    #[arg(long, global = true, value_name = "URL")]
    pub(super) url: Option<String>,
    /// Key to send; other users can see flags, so prefer the variable [env: JOBQUEUE_API_KEY, JOBQUEUE_API_KEY_FILE]
    #[arg(long, global = true, value_name = "KEY")]
    pub(super) api_key: Option<String>,
}

impl Globals {
    /// Those that are settings.
    pub(super) fn flags(&self) -> Flags {
        let url = self.url.clone().map(|url| ("client.url", url));
        url.into_iter().chain(self.api_key.clone().map(|key| ("client.api_key", key))).collect()
    }

    pub(super) const fn output(&self) -> Output {
        if self.json { Output::Json } else { self.output }
    }
}

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    Table,
    Json,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the server: API, dashboard and workers (the default)
    #[command(after_long_help = examples!(
        "  jobqueue serve
  jobqueue serve --port 9000 --concurrency 16
  DATABASE_URL=sqlite:///var/lib/jobqueue/jobqueue.db LOG_FORMAT=json jobqueue serve"
    ))]
    Serve(ServeArgs),
    /// Run the server with demo tasks and print the dashboard's address
    #[command(after_long_help = examples!("  jobqueue dev\n  jobqueue dev --port 0        any free port"))]
    Dev(ServeArgs),
    /// Change or show the database's schema
    #[command(after_long_help = examples!("  jobqueue migrate status\n  jobqueue migrate up"))]
    Migrate(MigrateArgs),
    #[command(flatten)]
    Remote(RemoteCommand),
    /// Show, check or begin the configuration
    #[command(subcommand_required = true, arg_required_else_help = true, after_long_help = examples!(
        "  jobqueue config show\n  jobqueue config check\n  jobqueue config init"
    ))]
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Look for what is wrong with this set-up: configuration, disk, port, limits, handlers
    #[command(after_long_help = examples!(
        "  jobqueue doctor\n  jobqueue doctor --config /etc/jobqueue.toml --json | jq '.findings[].fix'"
    ))]
    Doctor(ServeArgs),
    /// Check the invariants of the store, also while a server runs on it
    #[command(after_long_help = examples!(
        "  jobqueue check\n  jobqueue check --database-url sqlite:///var/lib/jobqueue/jobqueue.db"
    ))]
    Check(DatabaseArgs),
    /// Make, list and revoke API keys
    Key(KeyArgs),
    /// Measure how fast this build is on this machine
    Bench(BenchArgs),
    /// Print the OpenAPI document of the REST API
    #[command(after_long_help = examples!(
        "  jobqueue openapi > openapi.json
  jobqueue openapi | jq '.paths | keys'"
    ))]
    Openapi,
    /// Ask whether the server of this configuration takes work; exit code 0 or 1
    #[command(after_long_help = examples!(
        "  jobqueue healthcheck\n  HEALTHCHECK CMD [\"jobqueue\", \"healthcheck\"]        in a Dockerfile"
    ))]
    Healthcheck(HealthcheckArgs),
    /// Print completions for a shell
    #[command(after_long_help = examples!(
        "  jobqueue completions bash > /etc/bash_completion.d/jobqueue
  jobqueue completions zsh > ~/.zfunc/_jobqueue
  jobqueue completions fish > ~/.config/fish/completions/jobqueue.fish"
    ))]
    Completions(CompletionsArgs),
    /// Print the manual page
    #[command(after_long_help = examples!(
        "  jobqueue man > /usr/local/share/man/man1/jobqueue.1\n  jobqueue man --markdown > docs/cli.md"
    ))]
    Man(ManArgs),
}

/// Settings of the server that have a flag. They are texts here: `config` parses them all, wherever they come from.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct ServeArgs {
    /// Address the API listens on [env: API_HOST] [default: 127.0.0.1]
    #[arg(long, help_heading = "API")]
    host: Option<String>,
    /// Port the API listens on; 0 = any free port [env: API_PORT] [default: 8000]
    #[arg(long, help_heading = "API")]
    port: Option<String>,
    /// Listen beyond this machine although nobody has to authenticate [env: JOBQUEUE_INSECURE_NO_AUTH]
    #[arg(long, help_heading = "API")]
    insecure_no_auth: bool,
    #[command(flatten)]
    database: DatabaseArgs,
    /// Tasks that run at once on this node, 1 to 4096 [env: WORKER_CONCURRENCY] [default: 4]
    #[arg(long, value_name = "N", help_heading = "Worker")]
    concurrency: Option<String>,
    /// How long running tasks may go on after a request to stop [env: WORKER_DRAIN_TIMEOUT] [default: 25s]
    #[arg(long, value_name = "TIME", help_heading = "Worker")]
    drain_timeout: Option<String>,
    #[command(flatten)]
    log: LogArgs,
}

/// Where tasks are kept.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct DatabaseArgs {
    /// sqlite://PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE [env: DATABASE_URL, DATABASE_URL_FILE] [default: sqlite://./data/jobqueue.db]
    #[arg(long, value_name = "URL", help_heading = "Storage")]
    database_url: Option<String>,
    /// Folder of this node's own files, with PostgreSQL [env: JOBQUEUE_DATA_DIR] [default: ./data]
    #[arg(long, value_name = "PATH")]
    data_dir: Option<String>,
}

#[derive(Debug, Clone, Default, Args)]
struct LogArgs {
    /// Level, also per module: info,jobqueue::engine=debug [env: LOG_LEVEL] [default: info]
    #[arg(long, value_name = "FILTER", help_heading = "Logging")]
    log_level: Option<String>,
    /// json, text or auto: text on a terminal, else JSON [env: LOG_FORMAT] [default: auto]
    #[arg(long, value_name = "FORMAT", help_heading = "Logging")]
    log_format: Option<String>,
}

/// Settings' names with the texts given for them.
pub(super) type Flags = Vec<(&'static str, String)>;

impl ServeArgs {
    pub(super) fn flags(self) -> Flags {
        let Self { host, port, insecure_no_auth, database, concurrency, drain_timeout, log } = self;
        let LogArgs { log_level, log_format } = log;
        let pairs = [
            ("api.host", host),
            ("api.port", port),
            ("api.insecure_no_auth", insecure_no_auth.then(|| "true".to_owned())),
            ("worker.concurrency", concurrency),
            ("worker.drain_timeout", drain_timeout),
            ("log.level", log_level),
            ("log.format", log_format),
        ];
        let given = pairs.into_iter().filter_map(|(name, value)| value.map(|value| (name, value)));
        given.chain(database.flags()).collect()
    }
}

impl DatabaseArgs {
    pub(super) fn flags(self) -> Flags {
        let url = self.database_url.map(|url| ("database_url", url));
        url.into_iter().chain(self.data_dir.map(|path| ("data_dir", path))).collect()
    }
}
