//! A `jobqueue.toml` to start from, made of the declarations that the file is read by: every setting with what it means,
//! its environment variable and its default, commented out.

use std::fmt::Write as _;

use super::{Effect, SETTINGS, Setting, sections};

/// The text of the file.
pub fn template() -> String {
    let mut text = String::from(
        "# Configuration of jobqueue. Flags come first, then the environment, then this file, then the defaults, which are\n\
         # what is commented out below. `jobqueue config check` finds mistakes, `jobqueue config show` says what holds.\n",
    );
    let listed = || SETTINGS.iter().filter(|setting| setting.effect == Effect::Works);
    // What belongs to no table must come before the first one.
    listed().filter(|setting| !setting.name.contains('.')).for_each(|setting| entry(&mut text, setting.name, setting));
    let mut table = "";
    for setting in listed() {
        let Some((of, key)) = setting.name.split_once('.') else { continue };
        if of != table {
            line(&mut text, format_args!("\n[{of}]"));
            table = of;
        }
        entry(&mut text, key, setting);
    }
    section(&mut text, "tasks.NAME", "A task that is run by a command", &sections::COMMAND_FIELDS);
    section(&mut text, "queues.NAME", "A queue with settings of its own", &sections::QUEUE_FIELDS);
    section(&mut text, "schedules.NAME", "What makes tasks by the clock", &sections::SCHEDULE_FIELDS);
    text
}

fn entry(text: &mut String, key: &str, setting: &Setting) {
    let unit = if setting.unit.is_empty() { String::new() } else { format!(" ({})", setting.unit) };
    let variables = setting.env.join(", ");
    line(text, format_args!("\n# {}{unit} [{variables}]", setting.doc));
    let default = if setting.is_list && setting.default.is_empty() { "[]".into() } else { written(setting.default) };
    line(text, format_args!("# {key} = {default}"));
}

fn section(text: &mut String, name: &str, doc: &str, fields: &[sections::Field]) {
    line(text, format_args!("\n# {doc}: as many as there are names."));
    line(text, format_args!("# [{name}]"));
    for (field, example, doc) in fields {
        line(text, format_args!("# {field} = {example}  # {doc}"));
    }
}

/// A value as TOML: numbers and switches bare, all else quoted.
fn written(value: &str) -> String {
    if value.parse::<f64>().is_ok() || matches!(value, "true" | "false") {
        value.to_owned()
    } else {
        toml::Value::from(value).to_string()
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Origin, Sources};

    fn load(text: &str) -> Config {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("jobqueue.toml"), text).unwrap();
        let sources = Sources { folder: folder.path().to_owned(), ..Sources::default() };
        Config::load(&sources).unwrap_or_else(|fault| panic!("{fault}\n{text}"))
    }

    #[test]
    fn it_is_accepted_and_changes_nothing() {
        let config = load(&template());
        assert!(config.entries.iter().all(|entry| entry.origin == Origin::Default));
        assert!(config.file.is_some() && config.tasks.is_empty());
    }

    /// With every line switched on, it is still accepted, and every setting that works is in it with its default.
    #[test]
    fn every_line_of_it_means_what_it_says() {
        let is_setting =
            |line: &str| line.starts_with('[') || line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
        let on: Vec<&str> = template()
            .lines()
            .map(|line| line.strip_prefix("# ").filter(|bare| is_setting(bare)).unwrap_or(line))
            .map(|line| Box::leak(line.to_owned().into_boxed_str()) as &str)
            .collect();
        let config = load(&on.join("\n"));
        for entry in &config.entries {
            let is_listed = entry.setting.effect == Effect::Works;
            assert_eq!(matches!(entry.origin, Origin::File { .. }), is_listed, "{}", entry.setting.name);
            assert_eq!(entry.value, entry.setting.default, "{}", entry.setting.name);
        }
        let command = &config.tasks["NAME"];
        assert_eq!((command.argv.len(), command.max_retries, config.queues["NAME"].weight), (2, Some(3), 1));
    }
}
