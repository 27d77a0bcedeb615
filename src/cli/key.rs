//! `key` and `audit`: who may use a server, and what they did.

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use super::{
    Failure, Hooks, Remote,
    args::{DatabaseArgs, Globals, Output, examples},
    input, output, serve,
    terminal::Terminal,
};
use crate::{
    client::{Call, Page},
    config::Sources,
    task::KeyId,
};

#[derive(Debug, Args)]
#[command(after_long_help = examples!(
    "  jobqueue key create ops --scope admin --local            the first one, while no server runs
  jobqueue key create ci --scope submit --queue 'build-*' --expires 90d
  jobqueue key list
  jobqueue key revoke 01920000-0000-4000-8000-000000000001"
))]
pub(super) struct KeyArgs {
    #[command(subcommand)]
    action: KeyAction,
}

#[derive(Debug, Subcommand)]
enum KeyAction {
    /// Make a key; it is shown this once
    Create(CreateArgs),
    /// List the keys, revoked ones too
    List,
    /// End keys, and the sessions opened with them
    Revoke {
        /// The keys
        #[arg(required = true, value_name = "ID")]
        ids: Vec<KeyId>,
    },
}

#[derive(Debug, Args)]
struct CreateArgs {
    /// By which the audit log names its holder
    name: String,
    /// read, submit, work, operate (and with it read) or admin (everything); may be repeated
    #[arg(long = "scope", required = true, value_delimiter = ',')]
    scopes: Vec<String>,
    /// Only queues of this name, in which * stands for anything; may be repeated [default: every queue]
    #[arg(long = "queue", value_name = "PATTERN", value_delimiter = ',')]
    queues: Vec<String>,
    /// For how long it is good, or until when [default: for ever]
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// Write to the database on this machine instead of asking a server: for the first key. No server may run on it
    #[arg(long, help_heading = "Storage")]
    local: bool,
    #[command(flatten)]
    database: DatabaseArgs,
}

/// The body of the request.
#[derive(Serialize)]
struct NewKey<'a> {
    name: &'a str,
    scopes: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    queues: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<&'a str>,
}

/// A key as the server shows it.
#[derive(Deserialize)]
struct Key {
    id: KeyId,
    name: String,
    scopes: Vec<String>,
    queues: Vec<String>,
    state: String,
    expires_at: Option<String>,
    last_used_at: Option<String>,
    key: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_long_help = examples!(
    "  jobqueue audit
  jobqueue audit --actor ops --action queue.pause
  jobqueue audit --target 01920000-0000-7000-8000-000000000001"
))]
pub(super) struct AuditArgs {
    /// Only what the key of this name did
    #[arg(long, help_heading = "Filter")]
    actor: Option<String>,
    /// Only this, such as task.cancel
    #[arg(long, help_heading = "Filter")]
    action: Option<String>,
    /// Only what was done to this task, queue or key
    #[arg(long, help_heading = "Filter")]
    target: Option<String>,
    /// Acts per page
    #[arg(long, value_name = "N", help_heading = "Page")]
    limit: Option<u32>,
    /// Where to go on: the next_cursor of the page before
    #[arg(long, help_heading = "Page")]
    cursor: Option<String>,
}

pub(super) fn run(
    args: KeyArgs,
    globals: &Globals,
    sources: Sources,
    hooks: &Hooks,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    match args.action {
        KeyAction::Create(create) => {
            let body = body(&create)?;
            if create.local {
                let config = serve::load(create.database.flags(), sources)?;
                return made(&(hooks.create_key)(config, body)?, globals.output, terminal);
            }
            Remote::open(globals, sources, terminal)?.run(async |remote| {
                let reply = remote.client.send(&Call::create_key(body)).await?;
                made(&reply.body, remote.output, remote.terminal)
            })
        }
        KeyAction::List => Remote::open(globals, sources, terminal)?.run(list),
        KeyAction::Revoke { ids } => Remote::open(globals, sources, terminal)?.run(async |remote| {
            for id in ids {
                remote.client.send(&Call::revoke_key(id)).await?;
                remote.terminal.note(&format!("revoked {id}"));
            }
            Ok(())
        }),
    }
}

fn body(create: &CreateArgs) -> Result<String, Failure> {
    let until = create.expires.as_deref();
    let is_duration = until.is_some_and(|text| input::time(text).is_ok());
    if let Some(text) = until.filter(|_| !is_duration) {
        let wanted = |error| Failure::usage(format!("--expires {text}: {error}, or a duration such as 90d"));
        input::moment(text).map_err(wanted)?;
    }
    let key = NewKey {
        name: &create.name,
        scopes: &create.scopes,
        queues: &create.queues,
        expires_at: until.filter(|_| !is_duration),
        expires_in: until.filter(|_| is_duration),
    };
    serde_json::to_string(&key).map_err(|error| Failure::failed(error.to_string()))
}

fn parsed(body: &str) -> Result<Key, Failure> {
    serde_json::from_str(body).map_err(|error| Failure::failed(format!("the answer is none of jobqueue's: {error}")))
}

fn made(body: &str, form: Output, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    if form == Output::Json {
        return terminal.line(body);
    }
    let key = parsed(body)?;
    let rows = [
        ("id", key.id.to_string()),
        ("name", key.name),
        ("scopes", key.scopes.join(", ")),
        ("queues", key.queues.join(", ")),
        ("expires", key.expires_at.unwrap_or_else(|| "never".into())),
        ("key", key.key.unwrap_or_default()),
    ];
    let rows = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]);
    // Without a width, so that the key stays in one piece.
    terminal.line(&output::grid(&[], rows, None))?;
    terminal.note("This is the only time the key is shown: keep it where secrets are kept.");
    Ok(())
}

async fn list(remote: &mut Remote<'_, '_>) -> Result<(), Failure> {
    let reply = remote.client.send(&Call::keys()).await?;
    if remote.output == Output::Json {
        return remote.terminal.line(&reply.body);
    }
    let page: Page<Key> = reply.json()?;
    if page.data.is_empty() {
        remote.terminal.note("no keys");
        return Ok(());
    }
    let rows = page.data.into_iter().map(|key| {
        let used = key.last_used_at.as_deref().map_or_else(|| "never".into(), output::short_time);
        vec![key.id.to_string(), key.name, key.scopes.join(" "), key.queues.join(" "), key.state, used]
    });
    let width = remote.terminal.width;
    remote.terminal.line(&output::grid(&["ID", "NAME", "SCOPES", "QUEUES", "STATE", "LAST USED"], rows, width))
}

#[derive(Deserialize)]
struct Entry {
    at: String,
    actor: String,
    action: String,
    target: String,
    detail: Option<Box<serde_json::value::RawValue>>,
}

pub(super) async fn audit(remote: &mut Remote<'_, '_>, args: AuditArgs) -> Result<(), Failure> {
    let AuditArgs { actor, action, target, limit, cursor } = args;
    let limit = limit.map(|limit| limit.to_string());
    let query = [("actor", actor), ("action", action), ("target", target), ("limit", limit), ("cursor", cursor)];
    let query: Vec<_> = query.iter().map(|(name, value)| (*name, value.as_deref())).collect();
    let reply = remote.client.send(&Call::audit(&query)).await?;
    if remote.output == Output::Json {
        return remote.terminal.line(&reply.body);
    }
    let page: Page<Entry> = reply.json()?;
    if page.data.is_empty() {
        remote.terminal.note("nothing was done");
        return Ok(());
    }
    let rows = page.data.into_iter().map(|entry| {
        let detail = entry.detail.map_or_else(String::new, |detail| detail.get().to_owned());
        vec![output::short_time(&entry.at), entry.actor, entry.action, entry.target, detail]
    });
    let width = remote.terminal.width;
    remote.terminal.line(&output::grid(&["AT", "ACTOR", "ACTION", "TARGET", "DETAIL"], rows, width))?;
    if let Some(cursor) = page.next_cursor {
        remote.terminal.note(&format!("more: the same with --cursor '{cursor}'"));
    }
    Ok(())
}
