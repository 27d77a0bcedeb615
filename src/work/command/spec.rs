//! What a command is, from configuration, and what it is given at each start.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    ffi::OsString,
    io,
    path::PathBuf,
    process::Stdio,
};

use tokio::process::Command;

use super::Limits;
use crate::{
    task::TaskError,
    work::{Guard, Parent, TaskContext},
};

/// What every command inherits: what programs need to find themselves and their user's files, and no secrets.
const INHERITED: [&str; 7] = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER"];

/// A command as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandSpec {
    /// Program and fixed arguments. Never passed through a shell; nothing of a task is ever put in here.
    pub argv: Vec<String>,
    /// Environment variables to set.
    pub env: BTreeMap<String, String>,
    /// Names of further environment variables to inherit from the server.
    pub inherit_env: Vec<String>,
    /// Working directory; `None`: the server's.
    pub cwd: Option<PathBuf>,
    /// Longest output in bytes; a command that writes more is killed.
    pub output_limit: usize,
    /// How much of the end of stderr is kept, in bytes.
    pub stderr_limit: usize,
    /// Exit codes that say that another attempt would fail the same way.
    pub permanent_exit_codes: BTreeSet<u8>,
    pub limits: Limits,
}

impl CommandSpec {
    /// Longest output by default, in bytes.
    pub const OUTPUT_LIMIT: usize = 1024 * 1024;
    /// Kept of stderr by default, in bytes: as much as a task's error can hold.
    pub const STDERR_LIMIT: usize = TaskError::MAX_DETAIL;

    /// `argv` with defaults for the rest.
    pub fn new(argv: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            env: BTreeMap::new(),
            inherit_env: Vec::new(),
            cwd: None,
            output_limit: Self::OUTPUT_LIMIT,
            stderr_limit: Self::STDERR_LIMIT,
            permanent_exit_codes: BTreeSet::new(),
            limits: Limits::default(),
        }
    }
}

/// Why a command cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCommand {
    /// Nothing to run.
    #[error("the command is empty: its first element is the program to run")]
    Empty,
    /// The system passes all of these as text that ends at a NUL.
    #[error("{0:?} in a command contains a NUL character")]
    Nul(String),
    /// What no environment can hold.
    #[error("{0:?} is not the name of an environment variable")]
    Variable(String),
}

/// A command ready to be started again and again.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) spec: CommandSpec,
    pub(super) guard: Option<Guard>,
    program: String,
    environment: Vec<(OsString, OsString)>,
}

impl Launch {
    pub(super) fn new(spec: CommandSpec, guard: Option<Guard>) -> Result<Self, InvalidCommand> {
        let program = spec.argv.first().filter(|program| !program.is_empty()).ok_or(InvalidCommand::Empty)?.clone();
        if let Some(text) = spec.argv.iter().chain(spec.env.values()).find(|text| text.contains('\0')) {
            return Err(InvalidCommand::Nul(text.clone()));
        }
        let is_name = |name: &&String| !name.is_empty() && !name.contains(['=', '\0']);
        if let Some(name) = spec.env.keys().chain(&spec.inherit_env).find(|name| !is_name(name)) {
            return Err(InvalidCommand::Variable(name.clone()));
        }
        let inherited = INHERITED.into_iter().chain(spec.inherit_env.iter().map(String::as_str));
        let environment = inherited
            .filter_map(|name| Some((name.into(), env::var_os(name)?)))
            .chain(spec.env.iter().map(|(name, value)| (name.into(), value.into())))
            .collect();
        Ok(Self { spec, guard, program, environment })
    }

    /// One start, for one attempt.
    pub(super) fn command_for(&self, context: &TaskContext) -> Command {
        let mut command = self.command();
        command
            .env("JOBQUEUE_TASK_ID", context.id().to_string())
            .env("JOBQUEUE_ATTEMPT", context.attempt().to_string())
            .env("JOBQUEUE_LEASE_ID", context.lease().to_string());
        command
    }

    /// One start, for attempts to come.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.spec.argv[1..])
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(cwd) = &self.spec.cwd {
            command.current_dir(cwd);
        }
        command
    }

    pub(super) fn cannot_start(&self, error: &io::Error) -> String {
        match &self.spec.cwd {
            // The system reports a missing directory in the same words as a missing program.
            Some(cwd) if !cwd.is_dir() => {
                format!("cannot start {:?}: its working directory {} is not a directory", self.program, cwd.display())
            }
            _ => format!("cannot start {:?}: {error}", self.program),
        }
    }
}

/// The parents' results by id; null where there is none.
fn parents(context: &TaskContext) -> String {
    let result = |parent: &Parent| format!(r#""{}":{}"#, parent.id, parent.result.as_deref().unwrap_or("null"));
    format!("{{{}}}", context.parents().iter().map(result).collect::<Vec<_>>().join(","))
}

/// The line a command reads from stdin.
pub(super) fn input(context: &TaskContext) -> String {
    let line = format!(
        r#"{{"id":"{}","name":{},"args":{},"kwargs":{},"attempt":{},"snoozes":{},"lease_id":"{}","parents":{},"meta":{}}}"#,
        context.id(),
        serde_json::Value::from(context.name()),
        context.args_json(),
        context.kwargs_json(),
        context.attempt(),
        context.snoozes(),
        context.lease(),
        parents(context),
        context.meta_json().unwrap_or("null"),
    );
    // In JSON a line break can only be white space between tokens: in texts it is always escaped.
    let mut line = if line.contains(['\n', '\r']) { line.replace(['\n', '\r'], " ") } else { line };
    line.push('\n');
    line
}
