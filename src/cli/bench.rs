//! `bench`: how fast is a running server? The measuring itself is supplied by the program.

use std::time::Duration;

use clap::Args;

use super::{
    Failure, Hooks,
    args::{Globals, Output, examples},
    terminal::Terminal,
};
use crate::config::{Config, Secret};

/// What to measure.
#[derive(Debug, Clone)]
pub struct BenchOptions {
    pub url: String,
    pub api_key: Option<Secret>,
    /// Tasks to submit; `None`: as many as fit into `duration`.
    pub tasks: Option<u64>,
    /// Stop submitting after this time.
    pub duration: Option<Duration>,
    /// Connections that submit at once.
    pub concurrency: usize,
    /// Tasks per request; 1 = single submissions.
    pub batch: usize,
    pub name: String,
    pub queue: String,
    /// Size of each task's argument.
    pub payload_bytes: usize,
    /// The report is one JSON object instead of a text.
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_long_help = examples!(
    "  jobqueue bench
  jobqueue bench --seconds 30 --concurrency 64
  jobqueue bench --tasks 100000 --batch 100 --json"
))]
pub(super) struct BenchArgs {
    /// Print the report as one JSON object (as --output json)
    #[arg(long)]
    json: bool,
    /// Tasks to submit [default: 10000, or unlimited with --seconds]
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=100_000_000), help_heading = "Load")]
    tasks: Option<u64>,
    /// Stop submitting after this time
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86_400), help_heading = "Load")]
    seconds: Option<u64>,
    /// Connections that submit at once
    #[arg(long, value_name = "N", default_value_t = 16)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=4_096), help_heading = "Load")]
    concurrency: u16,
    /// Tasks per request; 1 = single submissions
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1_000), help_heading = "Load")]
    batch: u16,
    /// Name of the tasks; the server must know how to run it
    #[arg(long, default_value = "demo.echo", help_heading = "Task")]
    name: String,
    /// Queue of the tasks
    #[arg(long, default_value = "bench", help_heading = "Task")]
    queue: String,
    /// Size of each task's argument in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 64)]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=1_048_576), help_heading = "Task")]
    payload: u32,
}

pub(super) fn run(
    args: &BenchArgs,
    config: &Config,
    globals: &Globals,
    hooks: &Hooks,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let options = BenchOptions {
        url: config.client.url.clone(),
        api_key: config.client.api_key.clone(),
        tasks: args.tasks.or(if args.seconds.is_none() { Some(10_000) } else { None }),
        duration: args.seconds.map(Duration::from_secs),
        concurrency: args.concurrency.into(),
        batch: args.batch.into(),
        name: args.name.clone(),
        queue: args.queue.clone(),
        payload_bytes: args.payload as usize,
        json: args.json || globals.output == Output::Json,
    };
    terminal.line(&(hooks.bench)(options)?)
}
