//! `doctor`: what is wrong with the set-up.

use serde_json::json;

use super::{
    Failure, Hooks,
    args::{Globals, Output, ServeArgs},
    config,
    terminal::{Terminal, clean},
};
use crate::{
    config::Sources,
    doctor::{Finding, Verdict},
};

pub(super) fn run(
    args: ServeArgs,
    globals: &Globals,
    sources: Sources,
    hooks: &Hooks,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let findings = (hooks.doctor)(&config::with(args, globals, sources));
    let count = |verdict: Verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let (errors, warnings) = (count(Verdict::Error), count(Verdict::Warning));
    if globals.output() == Output::Json {
        let all: Vec<_> = findings.iter().map(as_json).collect();
        terminal
            .line(&json!({"ok": errors == 0, "errors": errors, "warnings": warnings, "findings": all}).to_string())?;
    } else {
        for finding in &findings {
            terminal.line(&told(finding))?;
        }
    }
    match (errors, warnings) {
        (0, 0) => Ok(()),
        (0, n) => {
            terminal.note(&format!("{n} to look at; nothing keeps the server from working"));
            Ok(())
        }
        (n, _) => Err(Failure::failed(format!("{n} found that will keep the server from working as it should"))),
    }
}

fn as_json(finding: &Finding) -> serde_json::Value {
    let Finding { check, verdict, what, why, fix } = finding;
    json!({"check": check, "verdict": verdict.as_str(), "what": what, "why": why, "fix": fix})
}

fn told(finding: &Finding) -> String {
    let Finding { check, verdict, what, why, fix } = finding;
    let mut text = format!("{:<8} {check:<16} {}", verdict.as_str(), clean(what));
    for (title, part) in [("why", why), ("fix", fix)] {
        if !part.is_empty() {
            text.push_str(&format!("\n{:<25} {title}: {}", "", clean(part)));
        }
    }
    text
}
