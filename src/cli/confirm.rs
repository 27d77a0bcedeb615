//! Before something is done to many: what it would be done to, and whether that is meant.

use std::io::{BufRead as _, BufReader};

use clap::Args;

use super::{
    Failure, Remote,
    args::Output,
    terminal::{Terminal, clean},
};
use crate::client::Call;

/// How much has to be confirmed.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Consent {
    /// Only count what it would be done to
    #[arg(long, conflicts_with = "yes", help_heading = "Safety")]
    dry_run: bool,
    /// Do it without asking; required where nobody can be asked
    #[arg(long, short, help_heading = "Safety")]
    yes: bool,
}

/// What is to be done, in words: `redrive`, `dead letters`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deed {
    pub(super) verb: &'static str,
    pub(super) things: &'static str,
}

impl Consent {
    /// Counts by `count`, the same request as a dry run, and asks. False: nothing is to be done.
    pub(super) async fn given(self, remote: &mut Remote<'_, '_>, deed: Deed, count: &Call) -> Result<bool, Failure> {
        let reply = remote.client.send(count).await?;
        let counts: Counts = reply.json()?;
        let more = if counts.matched_capped { "more than " } else { "" };
        let what = format!("{} {more}{} {}", deed.verb, counts.matched, deed.things);
        if self.dry_run {
            return match remote.output {
                Output::Json => remote.terminal.line(&reply.body),
                Output::Table => remote.terminal.line(&format!("would {what}")),
            }
            .map(|()| false);
        }
        if counts.matched == 0 {
            if remote.output == Output::Json {
                remote.terminal.line(&reply.body)?;
            }
            remote.terminal.note(&format!("there is nothing to {}", deed.verb));
            return Ok(false);
        }
        self.sure(remote.terminal, &what)?;
        Ok(true)
    }

    fn sure(self, terminal: &mut Terminal<'_>, what: &str) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        if !terminal.interactive {
            return Err(Failure::usage(format!("this would {what}; add --yes to do it, or --dry-run only to count")));
        }
        if ask(terminal, &format!("{what}? [y/N] "))? {
            return Ok(());
        }
        Err(Failure::failed("not confirmed: nothing was changed"))
    }
}

#[derive(serde::Deserialize)]
struct Counts {
    matched: u64,
    #[serde(default)]
    matched_capped: bool,
}

fn ask(terminal: &mut Terminal<'_>, question: &str) -> Result<bool, Failure> {
    let mut answer = String::new();
    // On standard error: standard output may go into a file or a program.
    let mut chars = clean(question).chars().collect::<Vec<_>>();
    if let Some(first) = chars.first_mut() {
        *first = first.to_ascii_uppercase();
    }
    write!(terminal.err, "{}", chars.into_iter().collect::<String>())?;
    terminal.err.flush()?;
    // Nothing is read from there after the answer.
    BufReader::new(&mut *terminal.input).read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
