//! What the program says of itself.

use clap::CommandFactory as _;

use super::run;
use crate::{cli::args::Cli, config::SETTINGS};

/// Every flag that stands for a setting names its variable and its default in the help.
#[test]
fn help_is_complete() {
    let serve = run(&["serve", "--help"]);
    let words: String = serve.out.split_whitespace().collect::<Vec<_>>().join(" ");
    for setting in SETTINGS.iter().filter(|setting| setting.flag.is_some()) {
        assert!(words.contains(setting.flag.unwrap()), "{}", setting.name);
        assert!(words.contains(setting.env[0]), "{}", setting.name);
        let default = format!("[default: {}]", setting.default);
        assert!(
            setting.default.is_empty() || setting.default == "false" || words.contains(&default),
            "{}",
            setting.name
        );
    }
    for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
        let ran = run(&[command.get_name(), "--help"]);
        assert_eq!(ran.code, 0);
        for part in ["Usage:", "Examples:", "Exit codes: 0 ok · 1 failed · 2 usage · 3 not found", "JOBQUEUE_URL"] {
            assert!(ran.out.contains(part), "{}: {part}", command.get_name());
        }
        let about = command.get_about().unwrap().to_string();
        assert!(!about.contains('\n') && !about.is_empty());
    }
    assert!(!run(&["--help"]).out.contains("__guard"));
    assert_eq!(run(&["--url", "x", "__guard"]).code, 2, "only the first argument starts a guard");
    assert!(run(&["--version"]).out.starts_with("jobqueue "));
}

#[test]
fn the_reference_is_what_the_help_says() {
    let made = run(&["man", "--markdown"]).out;
    let kept = include_str!("../../../docs/cli.md");
    assert_eq!(made, kept, "renew it: cargo run -- man --markdown > docs/cli.md");
}

/// Of every command, however deep.
#[test]
fn every_command_has_help_with_examples() {
    fn below(command: &clap::Command, path: &[&str]) {
        for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help") {
            let path = [path, &[inner.get_name()]].concat();
            let ran = run(&[&path[..], &["--help"]].concat());
            assert!(
                ran.code == 0 && ran.out.contains("Examples:") && ran.out.contains("Exit codes:"),
                "{path:?}: {ran:?}"
            );
            below(inner, &path);
        }
    }
    below(&Cli::command(), &[]);
}
