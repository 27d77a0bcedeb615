//! `config`: what holds and where it comes from, what is wrong with it, and a file to start from.

use std::{fs::OpenOptions, io::ErrorKind, io::Write as _, path::PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    Failure,
    args::{Globals, Output, ServeArgs, examples},
    output,
    terminal::Terminal,
};
use crate::config::{self, Config, Effect, Entry, Fault, Sources};

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Show every setting with its value, its unit and where it comes from
    #[command(after_long_help = examples!(
        "  jobqueue config show
  jobqueue config show --port 9000 --json | jq '.settings[] | select(.origin != \"default\")'"
    ))]
    Show(ServeArgs),
    /// Find everything that is wrong with the configuration; exit code 2 if anything is
    #[command(after_long_help = examples!("  jobqueue config check\n  jobqueue config check --config /etc/jobqueue.toml"))]
    Check(ServeArgs),
    /// Write a commented jobqueue.toml with every setting and its default
    #[command(after_long_help = examples!("  jobqueue config init\n  jobqueue config init --config /etc/jobqueue.toml"))]
    Init(InitArgs),
}

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// Replace the file if there is one
    #[arg(long)]
    force: bool,
    /// Write to standard output instead
    #[arg(long, conflicts_with = "force")]
    stdout: bool,
}

pub(super) fn run(
    command: ConfigCommand,
    globals: &Globals,
    sources: Sources,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    match command {
        ConfigCommand::Show(args) => show(&with(args, globals, sources), globals, terminal),
        ConfigCommand::Check(args) => check(&with(args, globals, sources), globals, terminal),
        ConfigCommand::Init(args) => init(&args, &sources, terminal),
    }
}

/// The flags of `serve` count as they would there.
pub(super) fn with(args: ServeArgs, globals: &Globals, sources: Sources) -> Sources {
    Sources { flags: args.flags().into_iter().chain(globals.flags()).collect(), ..sources }
}

fn show(sources: &Sources, globals: &Globals, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let (config, faults) = Config::examine(sources);
    let told = |entry: &&Entry| entry.setting.effect == Effect::Works || entry.origin != config::Origin::Default;
    let shown: Vec<&Entry> = config.entries.iter().filter(told).collect();
    if globals.output() == Output::Json {
        let settings: Vec<_> = shown
            .iter()
            .map(|entry| {
                let unit = entry.setting.unit_of(&entry.value);
                json!({
                    "name": entry.setting.name, "value": entry.value, "origin": entry.origin.to_string(),
                    "unit": (!unit.is_empty()).then_some(unit), "default": entry.setting.default,
                    "env": entry.setting.env, "flag": entry.setting.flag, "doc": entry.setting.doc,
                })
            })
            .collect();
        let tasks: Vec<_> =
            config.tasks.iter().map(|(name, task)| json!({"name": name, "command": task.argv})).collect();
        let queues: Vec<_> = config.queues.iter().map(|(name, q)| json!({"name": name, "weight": q.weight})).collect();
        let schedules: Vec<_> = rules(&config).map(|(name, rule)| json!({"name": name, "rule": rule})).collect();
        let all = json!({
            "file": config.file, "settings": settings, "tasks": tasks, "queues": queues, "schedules": schedules, "warnings": config.warnings,
            "faults": lines(&faults),
        });
        terminal.line(&all.to_string())?;
    } else {
        terminal.line(&table(&config, &shown, terminal.width))?;
    }
    report(&config.warnings, &faults, terminal)
}

fn table(config: &Config, shown: &[&Entry], width: Option<u16>) -> String {
    let row = |name: String, value: String, unit: &str, origin: String| vec![name, value, unit.to_owned(), origin];
    let settings = shown.iter().map(|entry| {
        let value = if entry.value.is_empty() { "(none)" } else { &entry.value };
        row(entry.setting.name.into(), value.into(), entry.setting.unit_of(&entry.value), entry.origin.to_string())
    });
    let file = config.file.as_ref().map(|file| file.display().to_string()).unwrap_or_default();
    let tasks = config.tasks.iter().map(|(name, task)| {
        // Its environment may hold secrets and is not shown.
        row(format!("tasks.{name}"), task.argv.join(" "), "", file.clone())
    });
    let queues = config
        .queues
        .iter()
        .map(|(name, queue)| row(format!("queues.{name}.weight"), queue.weight.to_string(), "", file.clone()));
    let schedules = rules(config).map(|(name, rule)| row(format!("schedules.{name}"), rule, "", file.clone()));
    let sections = tasks.chain(queues).chain(schedules);
    output::grid(&["SETTING", "VALUE", "UNIT", "FROM"], settings.chain(sections), width)
}

/// When each schedule ticks. What its task is given may be secret and is not shown.
fn rules(config: &Config) -> impl Iterator<Item = (&String, String)> {
    config.schedules.iter().flatten().map(|(name, text)| {
        let schedule: Value = serde_json::from_str(text).unwrap_or_default();
        let rule = schedule["cron"].as_str().map(str::to_owned);
        (name, rule.unwrap_or_else(|| format!("every {}", schedule["every"].to_string().trim_matches('"'))))
    })
}

fn lines(faults: &[Fault]) -> Vec<String> {
    faults.iter().map(ToString::to_string).collect()
}

fn report(warnings: &[String], faults: &[Fault], terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    warnings.iter().for_each(|warning| terminal.note(&format!("warning: {warning}")));
    if faults.is_empty() { Ok(()) } else { Err(Failure::usage(lines(faults).join("\n"))) }
}

fn check(sources: &Sources, globals: &Globals, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let (config, faults) = Config::examine(sources);
    if globals.output() == Output::Json {
        let all: Vec<_> = faults.iter().map(|f| json!({"place": f.place, "problem": f.problem})).collect();
        let all = json!({"file": config.file, "ok": faults.is_empty(), "faults": all, "warnings": config.warnings});
        terminal.line(&all.to_string())?;
        return if faults.is_empty() { Ok(()) } else { Err(Failure::silent(2)) };
    }
    report(&config.warnings, &faults, terminal)?;
    let file = config.file.map_or("no file".into(), |file| file.display().to_string());
    terminal.line(&format!("the configuration is sound ({file})"))
}

fn init(args: &InitArgs, sources: &Sources, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let text = config::template();
    if args.stdout {
        return terminal.line(&text);
    }
    let path = sources.file.clone().unwrap_or_else(|| sources.folder.join("jobqueue.toml"));
    write(&path, &text, args.force)?;
    terminal.line(&format!("wrote {}; every setting is in it, commented out", path.display()))
}

fn write(path: &PathBuf, text: &str, force: bool) -> Result<(), Failure> {
    let mut how = OpenOptions::new();
    how.write(true).create(true).truncate(true).create_new(!force);
    let written = how.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            Failure::failed(format!("{} is there already; --force replaces it, --config names another", path.display()))
        }
        _ => Failure::failed(format!("{} cannot be written: {error}", path.display())),
    })
}
