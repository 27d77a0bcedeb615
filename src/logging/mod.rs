//! Logging: `log` records with key-values, written by env_logger to standard error and to daily files.
//!
//! A record is one line: JSON for machines, text for a terminal. The files are always JSON unless text was asked for,
//! because whoever reads them later does so with a program.

mod files;
pub mod filter;
mod format;
mod panics;

use std::{
    io::{self, IsTerminal, Write},
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

pub use files::DailyFiles;
pub use panics::{install_panic_hook, panics};

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Text on a terminal, else JSON.
    #[default]
    Auto,
    Json,
    Text,
}

impl Format {
    /// # Errors
    /// The accepted words.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "auto" => Ok(Self::Auto),
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            _ => Err("expected json, text or auto".into()),
        }
    }
}

/// What to log and where to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// In env_logger's syntax, checked by [`filter::parse`].
    pub filter: String,
    pub format: Format,
    /// Folder of the daily files; `None`: no files.
    pub dir: Option<PathBuf>,
}

/// Logging could not be started because the process has a logger already.
#[derive(Debug, thiserror::Error)]
#[error("a logger is installed already")]
pub struct AlreadyInstalled;

/// Starts logging for the whole process. A folder that cannot be written is a warning on standard error, not an error:
/// a server without its log file is worth more than no server.
///
/// # Errors
/// When a logger was installed before.
pub fn init(options: &Options) -> Result<(), AlreadyInstalled> {
    let files = options.dir.as_ref().map(|dir| DailyFiles::new(dir.clone(), jiff::Timestamp::now));
    let (logger, warning) = build(options, files, io::stderr().is_terminal(), None);
    let level = logger.filter();
    log::set_boxed_logger(Box::new(logger)).map_err(|_| AlreadyInstalled)?;
    log::set_max_level(level);
    if let Some(warning) = warning {
        log::warn!("{warning}");
    }
    Ok(())
}

/// The logger, and what went wrong with the first file. `target` replaces standard error in tests.
fn build(
    options: &Options,
    files: Option<DailyFiles>,
    terminal: bool,
    target: Option<Box<dyn Write + Send>>,
) -> (env_logger::Logger, Option<String>) {
    let text = options.format == Format::Text || (options.format == Format::Auto && terminal);
    let text_in_files = options.format == Format::Text;
    let (files, warning) = match files {
        Some(mut files) => {
            let warning = files.prepare();
            (Some(Mutex::new(files)), warning)
        }
        None => (None, None),
    };
    let mut builder = env_logger::Builder::new();
    builder.parse_filters(&options.filter);
    match target {
        Some(target) => builder.target(env_logger::Target::Pipe(target)),
        None => builder.target(env_logger::Target::Stderr),
    };
    builder.format(move |out, record| {
        let now = jiff::Timestamp::now();
        if let Some(files) = &files {
            // Formatted before the lock is taken: a value whose formatting panics or logs must not find it held.
            let line = if text_in_files { format::text(record, now, None) } else { format::json(record, now) };
            let trouble = files.lock().unwrap_or_else(PoisonError::into_inner).write(&line);
            if let Some(trouble) = trouble {
                let mut warning = log::Record::builder();
                warning.level(log::Level::Warn).target(module_path!());
                let line = line_for(&warning.args(format_args!("{trouble}")).build(), now, text, out);
                out.write_all(line.as_bytes())?;
            }
        }
        let line = line_for(record, now, text, out);
        out.write_all(line.as_bytes())
    });
    (builder.build(), warning)
}

fn line_for(record: &log::Record<'_>, now: jiff::Timestamp, text: bool, out: &env_logger::fmt::Formatter) -> String {
    if text {
        format::text(record, now, Some(out.default_level_style(record.level())))
    } else {
        format::json(record, now)
    }
}

#[cfg(test)]
mod tests;
