//! The configuration itself.

use std::os::unix::fs::PermissionsExt as _;

use super::Finding;
use crate::config::{Config, Fault, Origin};

const CHECK: &str = "configuration";

pub(super) fn examine(config: &Config, faults: &[Fault]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = faults
        .iter()
        .map(|fault| {
            let why = "the server refuses to start with it, because it would do something else than it was told";
            Finding::error(CHECK, fault.place.clone(), why, fault.problem.clone())
        })
        .collect();
    findings.extend(config.warnings.iter().map(|warning| {
        Finding::warning(CHECK, warning.clone(), "it changes nothing", "correct its name, or take it out")
    }));
    findings.extend(readable_secret(config));
    if faults.is_empty() {
        let file = config.file.as_ref().map_or("no file".into(), |file| file.display().to_string());
        findings.push(Finding::ok(CHECK, format!("every setting is understood ({file})")));
    }
    findings
}

/// A key in a file that other users can read is theirs as well.
fn readable_secret(config: &Config) -> Option<Finding> {
    let path = config.file.as_ref()?;
    let from_file = |origin: &Origin| matches!(origin, Origin::File { .. });
    let secret = config.entries.iter().find(|entry| entry.value == "***" && from_file(&entry.origin))?;
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    (mode & 0o044 != 0).then(|| {
        Finding::warning(
            CHECK,
            format!(
                "{} holds {} and can be read by other users (mode {:o})",
                path.display(),
                secret.setting.name,
                mode & 0o777
            ),
            "whoever can read the key can use it",
            format!("chmod 600 {}, or give it by a variable that ends in _FILE", path.display()),
        )
    })
}
