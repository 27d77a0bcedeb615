//! `operation`: work on many tasks that goes on by itself.

use std::time::Duration;

use clap::Subcommand;
use serde_json::Value;

use super::{
    Failure, Remote,
    args::{Output, examples},
    view::Columns,
};
use crate::{
    client::{Call, Reply},
    task::TaskId,
};

#[derive(Debug, Subcommand)]
pub(super) enum OperationCommand {
    /// List operations, the newest first
    #[command(after_long_help = examples!("  jobqueue operation list --limit 200"))]
    List {
        /// Operations per page, 1 to 200
        #[arg(long, value_name = "N", help_heading = "Page")]
        limit: Option<u32>,
        /// Where to go on: the next_cursor of the page before
        #[arg(long, help_heading = "Page")]
        cursor: Option<String>,
    },
    /// Show how far an operation has come, or follow it to its end
    #[command(after_long_help = examples!(
        "  jobqueue operation show 01920000-0000-7000-8000-000000000001
  jobqueue operation show 01920000-0000-7000-8000-000000000001 --watch"
    ))]
    Show {
        /// The operation
        id: TaskId,
        /// Follow it to its end
        #[arg(long)]
        watch: bool,
    },
    /// Stop an operation; what it has done stays done
    #[command(after_long_help = examples!("  jobqueue operation cancel 01920000-0000-7000-8000-000000000001"))]
    Cancel {
        /// The operation
        id: TaskId,
    },
}

const LISTED: Columns = &[
    ("ID", "id"),
    ("ACTION", "action"),
    ("STATE", "state"),
    ("DONE", "done"),
    ("REFUSED", "refused"),
    ("PER SECOND", "rate"),
    ("CREATED", "created_at"),
    ("FINISHED", "finished_at"),
];
pub(super) const SHOWN: Columns = &[
    ("operation", "id"),
    ("action", "action"),
    ("state", "state"),
    ("done", "done"),
    ("refused", "refused"),
    ("per second", "rate"),
    ("created", "created_at"),
    ("finished", "finished_at"),
];

pub(super) async fn run(remote: &mut Remote<'_, '_>, command: OperationCommand) -> Result<(), Failure> {
    match command {
        OperationCommand::List { limit, cursor } => {
            let limit = limit.map(|limit| limit.to_string());
            let page = [("limit", limit.as_deref()), ("cursor", cursor.as_deref())];
            remote.show_list(&Call::read("/operations").query(&page), LISTED, "no operations").await
        }
        OperationCommand::Show { id, watch: false } => remote.show_one(&read(&id.to_string()), SHOWN).await,
        OperationCommand::Show { id, watch: true } => follow(remote, &id.to_string()).await,
        OperationCommand::Cancel { id } => {
            let call = Call::post(format!("/operations/{id}/cancel"), &serde_json::json!({}))?;
            remote.show_one(&call, SHOWN).await
        }
    }
}

fn read(id: &str) -> Call {
    Call::read(format!("/operations/{id}"))
}

async fn follow(remote: &mut Remote<'_, '_>, id: &str) -> Result<(), Failure> {
    loop {
        let reply = remote.client.send(&read(id)).await?;
        let operation: Value = reply.json()?;
        if operation["state"] != "running" {
            remote.print_one(&reply, SHOWN)?;
            return if operation["state"] == "done" { Ok(()) } else { Err(Failure::silent(1)) };
        }
        // There is nothing to wait on: the server tells the end of an operation to nobody.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// What a request on many has begun, followed to its end if that was asked for.
pub(super) async fn begun(remote: &mut Remote<'_, '_>, reply: &Reply, wait: bool) -> Result<(), Failure> {
    let operation: Value = reply.json()?;
    let Some(id) = operation["id"].as_str().filter(|_| reply.status == 202) else {
        return remote.terminal.line(&reply.body);
    };
    if wait {
        return follow(remote, id).await;
    }
    remote.print_one(reply, SHOWN)?;
    if remote.output == Output::Table {
        remote.terminal.note(&format!("it goes on by itself; follow it with `jobqueue operation show {id} --watch`"));
    }
    Ok(())
}
