//! What is made of the grammar: completions for shells, the manual page, the reference `docs/cli.md`.

use std::fmt::Write as _;

use clap::{Args, Command, CommandFactory as _, ValueEnum};

use super::{Failure, args::Cli, terminal::Terminal};

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Print the reference of all commands as Markdown instead
    #[arg(long)]
    markdown: bool,
}

pub(super) fn completions(args: &CompletionsArgs, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let shell = match args.shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "jobqueue", &mut script);
    terminal.line(&String::from_utf8_lossy(&script))
}

pub(super) fn man(args: &ManArgs, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    if args.markdown {
        return terminal.line(&markdown());
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page)?;
    terminal.line(&String::from_utf8_lossy(&page))
}

/// The help of every command, as it is printed.
pub(super) fn markdown() -> String {
    let mut text = String::from(
        "# The command line\n\nMade from the program's own help by `jobqueue man --markdown`; every command has `--help`, and \
         `--json` for programs. Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 server unreachable.\n",
    );
    let mut all = Cli::command().term_width(100);
    all.build();
    command(&mut text, &mut all, "jobqueue", 2);
    text
}

fn command(text: &mut String, of: &mut Command, path: &str, depth: usize) {
    let help = of.render_long_help().to_string();
    // The same for all: told once, at the top.
    let (own, global) = help.split_once("\nGlobal options:\n").unwrap_or((&help, ""));
    let tail = global.find("\nExamples:").map_or("", |at| &global[at..]);
    let shown = if depth == 2 { help.clone() } else { format!("{}\n{tail}", own.trim_end()) };
    let lines: Vec<&str> = shown.lines().map(str::trim_end).collect();
    // Writing to a String cannot fail.
    let _ = write!(text, "\n{} `{path}`\n\n```text\n{}\n```\n", "#".repeat(depth.min(4)), lines.join("\n").trim_end());
    for inner in of.get_subcommands_mut().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help") {
        let path = format!("{path} {}", inner.get_name());
        command(text, inner, &path, depth + 1);
    }
}
