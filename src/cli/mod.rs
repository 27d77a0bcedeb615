//! The command line: parsing, the commands that are clients of a server, and all that is printed.
//!
//! What runs inside this process (the server, migrations, the benchmark) comes in through [`Hooks`], so that this
//! module depends on the configuration and the client only.

mod act;
mod amend;
mod args;
mod bench;
mod check;
mod config;
mod confirm;
mod dlq;
mod doctor;
mod failure;
mod healthcheck;
mod input;
mod key;
mod limit;
mod operation;
mod output;
mod queue;
mod read;
mod reference;
mod remote;
mod schedule;
mod serve;
mod submit;
mod terminal;
#[cfg(test)]
mod tests;
mod view;
mod worker;
mod workflow;

use std::{
    ffi::OsString,
    io::{self, IsTerminal},
    process::ExitCode,
};

use clap::Parser;

use args::{Cli, Command};
pub use bench::{BenchOptions, BenchPart};
pub use failure::Failure;
use remote::Remote;
pub use serve::{Migrate, ServeOptions};
use terminal::Terminal;

use crate::{
    config::{Config, Sources},
    doctor::Finding,
    store::invariants::Inspected,
};

/// The hidden command: never parsed, because what follows it belongs to another program.
const GUARD: &str = "__guard";

/// What the rest of the program supplies.
pub struct Hooks {
    /// Runs the server until it is asked to stop. Logging is not started yet; `config.warnings` are not logged yet.
    pub serve: fn(Config, ServeOptions) -> Result<(), Failure>,
    /// Changes or describes the database's schema; returns what to print.
    pub migrate: fn(Config, Migrate) -> Result<String, Failure>,
    /// Stores a key in the database of this machine; takes and returns JSON as the API does.
    pub create_key: fn(Config, String) -> Result<String, Failure>,
    /// Looks for what does not hold in the store, without changing it.
    pub check: fn(&Config) -> Result<Vec<Inspected>, Failure>,
    /// Looks for what is wrong with the set-up.
    pub doctor: fn(&Sources) -> Vec<Finding>,
    /// Measures a server; returns the report to print.
    pub bench: fn(BenchOptions) -> Result<String, Failure>,
    /// The OpenAPI document.
    pub openapi: fn() -> Result<String, Failure>,
    /// `__guard`, the process between the server and a command; gets all that follows that word, returns its exit code.
    pub guard: fn(Vec<OsString>) -> u8,
}

/// Runs the command line of this process to its end.
pub fn run(hooks: &Hooks) -> ExitCode {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let mut terminal = Terminal {
        // Not locked: while a server runs, other threads may have something to say.
        out: &mut io::stdout(),
        err: &mut io::stderr(),
        input: &mut io::stdin(),
        width: terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| width.0),
        interactive: io::stdin().is_terminal() && io::stderr().is_terminal(),
        color: !plain && io::stdout().is_terminal() && io::stderr().is_terminal(),
    };
    ExitCode::from(execute(std::env::args_os(), &Sources::process(Vec::new(), None), hooks, &mut terminal))
}

/// The same with everything given. Returns the exit code.
fn execute(
    args: impl IntoIterator<Item = OsString>,
    sources: &Sources,
    hooks: &Hooks,
    terminal: &mut Terminal<'_>,
) -> u8 {
    let args: Vec<OsString> = args.into_iter().collect();
    if let [_, command, rest @ ..] = args.as_slice()
        && command == GUARD
    {
        return (hooks.guard)(rest.to_vec());
    }
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(told) => return terminal.tell(&told),
    };
    let sources = Sources { file: cli.globals.config.clone(), ..sources.clone() };
    match dispatch(cli, sources, hooks, terminal) {
        Ok(()) => 0,
        Err(failure) => terminal.fail(&failure),
    }
}

fn dispatch(cli: Cli, sources: Sources, hooks: &Hooks, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let Cli { globals, command } = cli;
    let command = command.unwrap_or_else(|| Command::Serve(args::ServeArgs::default()));
    match command {
        Command::Serve(args) => serve::serve(args, sources, hooks),
        Command::Dev(args) => serve::dev(args, sources, hooks),
        Command::Migrate(args) => serve::migrate(args, sources, hooks, terminal),
        Command::Check(args) => check::run(args, &globals, sources, hooks, terminal),
        Command::Doctor(args) => doctor::run(args, &globals, sources, hooks, terminal),
        Command::Config { command } => config::run(command, &globals, sources, terminal),
        Command::Openapi => terminal.line(&(hooks.openapi)()?),
        Command::Healthcheck(args) => healthcheck::run(args, &globals, sources, terminal),
        Command::Completions(args) => reference::completions(&args, terminal),
        Command::Man(args) => reference::man(&args, terminal),
        Command::Bench(args) => bench::run(&args, &globals, hooks, terminal),
        Command::Key(args) => key::run(args, &globals, sources, hooks, terminal),
        Command::Remote(command) => Remote::open(&globals, sources, terminal)?.run(command),
    }
}
