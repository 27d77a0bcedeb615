//! `bench`: how fast is this build on this machine? The measuring itself is supplied by the program.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{
    Failure, Hooks,
    args::{Globals, Output, examples},
    terminal::Terminal,
};
use crate::config::check_database_server;

/// A part of the measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BenchPart {
    /// Submit, drain and latency within this process
    Library,
    /// Submission to a server of its own process
    Http,
    /// What a server takes in memory, and a task in the store
    Memory,
    /// Drains of tasks that share a queue by keys
    Keys,
    /// Submissions with unique keys
    Unique,
    /// Drains of tasks that wait for each other
    Workflow,
    /// Drains with many more tasks queued, and with a transaction held open
    Depth,
    /// Commands and functions that block, and how soon a cancel ends one
    Handlers,
}

/// What to measure.
#[derive(Debug, Clone)]
pub struct BenchOptions {
    /// Tasks of the submit and drain phases.
    pub tasks: usize,
    /// Slots of the node.
    pub concurrency: usize,
    pub steady_s: u64,
    pub latency_s: u64,
    /// Tasks queued for the figures of memory and depth.
    pub queued: usize,
    /// Parts to measure; empty: all.
    pub only: Vec<BenchPart>,
    /// Where the databases are made; `None`: the system's temporary folder.
    pub folder: Option<PathBuf>,
    /// A PostgreSQL server; `None`: SQLite.
    pub postgres: Option<String>,
    pub redis: Option<String>,
    /// The report is one JSON object instead of a text.
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_long_help = examples!(
    "  jobqueue bench
  jobqueue bench --only http --tasks 20000
  jobqueue bench --seconds 30 --concurrency 4
  jobqueue bench --tasks 100000 --folder /mnt/fast --json
  jobqueue bench --database-url postgres://me:secret@localhost/postgres --redis-url redis://localhost"
))]
pub(super) struct BenchArgs {
    /// Tasks of the submit and drain phases
    #[arg(long, value_name = "N", default_value_t = 50_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(100..=5_000_000), help_heading = "Load")]
    tasks: u32,
    /// Tasks that run at once [default: 512; on PostgreSQL 1024]
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=4_096), help_heading = "Load")]
    concurrency: Option<u16>,
    /// Seconds of the phase that submits and drains at once
    #[arg(long, value_name = "N", default_value_t = 30)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=3_600), help_heading = "Load")]
    seconds: u16,
    /// Seconds of the latency phase
    #[arg(long, value_name = "N", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=600), help_heading = "Load")]
    latency_seconds: u16,
    /// Tasks queued for the figures of memory and depth
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1_000..=20_000_000), help_heading = "Load")]
    queued: u32,
    /// Measure only these parts, separated by commas [default: all]
    #[arg(long, value_enum, value_name = "PARTS", value_delimiter = ',', help_heading = "Load")]
    only: Vec<BenchPart>,
    /// Where the databases are made [default: the system's temporary folder]
    #[arg(long, value_name = "PATH", help_heading = "Load")]
    folder: Option<PathBuf>,
    /// PostgreSQL server to make databases of the benchmark's own on, and to drop them again [default: SQLite]
    #[arg(long, value_name = "URL", help_heading = "Services")]
    database_url: Option<String>,
    /// Redis for the heads of the queues, under a prefix of the benchmark's own [default: none]
    #[arg(long, value_name = "URL", help_heading = "Services", requires = "database_url")]
    redis_url: Option<String>,
}

pub(super) fn run(
    args: &BenchArgs,
    globals: &Globals,
    hooks: &Hooks,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    if let Some(url) = &args.database_url {
        check_database_server(url).map_err(|wanted| Failure::usage(format!("--database-url: {wanted}")))?;
    }
    // A commit of a server takes longer than one of a file: more has to be on its way.
    let usual = if args.database_url.is_some() { 1_024 } else { 512 };
    let options = BenchOptions {
        tasks: args.tasks as usize,
        concurrency: args.concurrency.unwrap_or(usual).into(),
        steady_s: args.seconds.into(),
        latency_s: args.latency_seconds.into(),
        queued: args.queued as usize,
        only: args.only.clone(),
        folder: args.folder.clone(),
        postgres: args.database_url.clone(),
        redis: args.redis_url.clone(),
        json: globals.output() == Output::Json,
    };
    terminal.line(&(hooks.bench)(options)?)
}
