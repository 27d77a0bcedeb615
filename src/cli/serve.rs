//! `serve`, `dev`, `migrate`: commands that work on this process' own configuration.

use std::{io::Write, net::SocketAddr};

use clap::{Args, ValueEnum};

use super::{
    Failure, Hooks,
    args::{DatabaseArgs, Flags, ServeArgs},
    terminal::Terminal,
};
use crate::config::{Config, Sources};

/// How the server is run.
#[derive(Debug, Clone, Copy)]
pub struct ServeOptions {
    /// With the demo tasks.
    pub demo: bool,
    /// To be called once, when the API listens, with its address.
    pub announce: fn(SocketAddr),
}

/// What to do to the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Migrate {
    /// Apply every migration that is missing
    Up,
    /// Undo the last migration
    Down,
    /// Show which migrations are applied
    Status,
}

#[derive(Debug, Args)]
pub(super) struct MigrateArgs {
    /// What to do
    #[arg(value_enum)]
    action: Migrate,
    #[command(flatten)]
    database: DatabaseArgs,
}

pub(super) fn serve(args: ServeArgs, sources: Sources, hooks: &Hooks) -> Result<(), Failure> {
    (hooks.serve)(load(args.flags(), sources)?, ServeOptions { demo: false, announce: |_| {} })
}

pub(super) fn dev(args: ServeArgs, sources: Sources, hooks: &Hooks) -> Result<(), Failure> {
    (hooks.serve)(load(args.flags(), sources)?, ServeOptions { demo: true, announce })
}

pub(super) fn migrate(
    args: MigrateArgs,
    sources: Sources,
    hooks: &Hooks,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let report = (hooks.migrate)(load(args.database.flags(), sources)?, args.action)?;
    if report.is_empty() { Ok(()) } else { terminal.line(&report) }
}

pub(super) fn load(flags: Flags, sources: Sources) -> Result<Config, Failure> {
    Ok(Config::load(&Sources { flags, ..sources })?)
}

/// What to do next, once the server is up. Nobody reading it is no reason to stop.
fn announce(address: SocketAddr) {
    let _ = std::io::stdout().write_all(welcome(address).as_bytes());
}

pub(super) fn welcome(address: SocketAddr) -> String {
    // A server that listens on every address is reached on this machine's own.
    let host = match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => "127.0.0.1".to_owned(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => "[::1]".to_owned(),
        SocketAddr::V4(v4) => v4.ip().to_string(),
        SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
    };
    let url = format!("http://{host}:{}", address.port());
    let flag = if url == "http://127.0.0.1:8000" { String::new() } else { format!(" --url {url}") };
    format!(
        "jobqueue {}, with demo tasks; stop it with Ctrl-C\n  dashboard  {url}/ui\n  API        {url}/api/v1 \
         (document: {url}/openapi.json)\n  try        jobqueue{flag} submit demo.add --args '[1, 2]' --wait\n",
        env!("CARGO_PKG_VERSION")
    )
}
