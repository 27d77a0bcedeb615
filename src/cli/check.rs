//! `check`: what does not hold in the store.

use serde_json::json;

use super::{
    Failure, Hooks,
    args::{DatabaseArgs, Globals, Output},
    output,
    terminal::Terminal,
};
use crate::config::{Config, Sources};

pub(super) fn run(
    args: DatabaseArgs,
    globals: &Globals,
    sources: Sources,
    hooks: &Hooks,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let config = Config::load(&Sources { flags: args.flags(), ..sources })?;
    let found = (hooks.check)(&config)?;
    let broken = found.iter().filter(|inspected| inspected.violations > 0).count();
    if globals.output() == Output::Json {
        let all: Vec<_> = found
            .iter()
            .map(|inspected| {
                let invariant = inspected.invariant;
                json!({
                    "name": invariant.name, "says": invariant.says, "violations": inspected.violations,
                    "examples": inspected.examples,
                })
            })
            .collect();
        terminal.line(&json!({"ok": broken == 0, "invariants": all}).to_string())?;
    } else {
        let rows = found.iter().map(|inspected| {
            vec![
                inspected.invariant.name.to_owned(),
                if inspected.violations == 0 { "ok".into() } else { inspected.violations.to_string() },
                inspected.invariant.says.to_owned(),
                inspected.examples.join("\n"),
            ]
        });
        let table = output::grid(&["INVARIANT", "VIOLATIONS", "WHAT HOLDS", "EXAMPLES"], rows, terminal.width);
        terminal.line(&table)?;
    }
    if broken == 0 {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "{broken} of {} invariants do not hold. Keep a copy of the database and report it: the server never does this by itself",
        found.len()
    )))
}
