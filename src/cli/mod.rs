//! The command line: parsing, the commands that are clients of a server, and all that is printed.
//!
//! What runs inside this process (the server, migrations, the benchmark) comes in through [`Hooks`], so that this
//! module depends on the configuration and the client only.

mod act;
mod args;
mod bench;
mod failure;
mod input;
mod key;
mod output;
mod read;
mod serve;
mod submit;
mod terminal;
#[cfg(test)]
mod tests;

use std::{
    ffi::OsString,
    io::{self, IsTerminal},
    process::ExitCode,
};

use clap::Parser;

use args::{Cli, Command, Globals, Output};
pub use bench::{BenchOptions, BenchPart};
pub use failure::Failure;
pub use serve::{Migrate, ServeOptions};
use terminal::Terminal;

use crate::{
    client::Client,
    config::{Config, Sources},
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
        Command::Openapi => terminal.line(&(hooks.openapi)()?),
        Command::Bench(args) => bench::run(&args, &globals, hooks, terminal),
        Command::Submit(args) => Remote::open(&globals, sources, terminal)?.run(async |s| submit::run(s, args).await),
        Command::Status(args) => Remote::open(&globals, sources, terminal)?.run(async |s| read::status(s, args).await),
        Command::List(args) => Remote::open(&globals, sources, terminal)?.run(async |s| read::list(s, args).await),
        Command::Cancel(args) => Remote::open(&globals, sources, terminal)?.run(async |s| act::cancel(s, args).await),
        Command::Key(args) => key::run(args, &globals, sources, hooks, terminal),
        Command::Audit(args) => Remote::open(&globals, sources, terminal)?.run(async |s| key::audit(s, args).await),
        Command::Retry(args) => Remote::open(&globals, sources, terminal)?.run(async |s| act::retry(s, args).await),
    }
}

fn client_config(globals: &Globals, sources: Sources) -> Result<Config, Failure> {
    let url = globals.url.clone().map(|url| ("client.url", url));
    let key = globals.api_key.clone().map(|key| ("client.api_key", key));
    let sources = Sources { flags: url.into_iter().chain(key).collect(), ..sources };
    Ok(Config::load_client(&sources)?)
}

/// A command that talks to a server.
struct Remote<'s, 't> {
    client: Client,
    output: Output,
    terminal: &'s mut Terminal<'t>,
}

impl<'s, 't> Remote<'s, 't> {
    fn open(globals: &Globals, sources: Sources, terminal: &'s mut Terminal<'t>) -> Result<Self, Failure> {
        let config = client_config(globals, sources)?.client;
        let mut builder = Client::builder(config.url);
        if let Some(key) = config.api_key {
            builder = builder.api_key(key.reveal());
        }
        Ok(Self { client: builder.build()?, output: globals.output, terminal })
    }

    fn run(mut self, command: impl AsyncFnOnce(&mut Self) -> Result<(), Failure>) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
        runtime.block_on(command(&mut self))
    }
}
