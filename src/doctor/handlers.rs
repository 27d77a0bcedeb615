//! Commands that run tasks: does the program exist?

use std::{
    ffi::OsString,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::Finding;
use crate::config::{CommandConfig, Config, Sources};

const CHECK: &str = "handler";

pub(super) fn examine(config: &Config, sources: &Sources) -> Vec<Finding> {
    let path = sources.env.get(&OsString::from("PATH")).cloned().unwrap_or_default();
    config
        .tasks
        .iter()
        .filter(|(_, command)| !command.argv.is_empty())
        .map(|(name, command)| match fault(command, &path) {
            None => Finding::ok(CHECK, format!("[tasks.{name}] runs {}", command.argv[0])),
            Some((what, fix)) => Finding::error(
                CHECK,
                format!("[tasks.{name}]: {what}"),
                "every attempt of its tasks would fail, and they would end as dead letters",
                fix,
            ),
        })
        .collect()
}

fn fault(command: &CommandConfig, path: &OsString) -> Option<(String, &'static str)> {
    if let Some(cwd) = command.cwd.as_ref().filter(|cwd| !cwd.is_dir()) {
        return Some((
            format!("its working folder {} does not exist", cwd.display()),
            "make the folder, or correct cwd",
        ));
    }
    let program = &command.argv[0];
    if program.contains('/') {
        let base = command.cwd.clone().unwrap_or_else(|| PathBuf::from("."));
        return judged(program, &base.join(program));
    }
    // The child is looked up in the path it gets.
    let own = command.env.get("PATH").map(OsString::from);
    let folders = own.unwrap_or_else(|| path.clone());
    let found: Vec<PathBuf> =
        std::env::split_paths(&folders).map(|folder| folder.join(program)).filter(|file| file.is_file()).collect();
    match found.as_slice() {
        [] => Some((format!("there is no program {program:?} in PATH"), "install it, or name it with its whole path")),
        found if found.iter().any(|file| is_executable(file)) => None,
        found => judged(program, &found[0]),
    }
}

fn judged(program: &str, file: &Path) -> Option<(String, &'static str)> {
    if !file.is_file() {
        return Some((format!("there is no program {program:?}"), "correct the path, or install the program"));
    }
    (!is_executable(file))
        .then(|| (format!("{program:?} is not executable"), "chmod +x it, or name its interpreter first"))
}

fn is_executable(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|found| found.permissions().mode() & 0o111 != 0)
}
