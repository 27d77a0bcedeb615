//! The database: whether it can be reached, who holds it, and whether its schema is this version's.

use std::path::Path;

use super::Finding;
use crate::{
    config::{Config, Database},
    store::{StoreErrorKind, postgres::PostgresStore, sqlite},
};

const CHECK: &str = "database";

pub(super) fn examine(config: &Config, running: bool) -> Vec<Finding> {
    match &config.database {
        Database::File(path) => file(path, running),
        Database::Server(url) => vec![server(url.reveal())],
    }
}

fn server(url: &str) -> Finding {
    let migrations = PostgresStore::open(url).and_then(|store| Ok((store.name().clone(), store.migrations()?)));
    match migrations {
        Ok((name, (_, pending))) if pending.is_empty() => {
            Finding::ok("schema", format!("{name} has this version's schema"))
        }
        Ok((name, (_, pending))) => pending_in(&name, &pending),
        Err(error) => Finding::error(
            CHECK,
            error.to_string(),
            "tasks are kept there: without it none is accepted",
            "see that the server runs and that DATABASE_URL names it, a database, and a user who may work with it",
        ),
    }
}

fn file(path: &Path, running: bool) -> Vec<Finding> {
    if path.as_os_str().is_empty() {
        return Vec::new();
    }
    if !path.exists() {
        return vec![Finding::ok(CHECK, format!("{} is made at the first start", path.display()))];
    }
    let mut findings = Vec::new();
    match sqlite::holder(path) {
        Some(_) if running => {}
        Some(pid) => findings.push(Finding::error(
            "database_lock",
            format!("{} is in use by another jobqueue process (pid {pid})", path.display()),
            "one process works on a database at a time; this one would refuse to start",
            "stop that process, or give this one another DATABASE_URL",
        )),
        // Any other trouble is told with the schema.
        None => {
            findings.extend(sqlite::write_lock(path).err().filter(|e| e.kind == StoreErrorKind::Locked).map(|error| {
                Finding::error(
                    "database_lock",
                    error.to_string(),
                    "nothing can be accepted while another program holds the file",
                    "let that program end, or stop it (`fuser` names it)",
                )
            }))
        }
    }
    findings.push(schema(path));
    findings
}

fn pending_in(place: &str, pending: &[String]) -> Finding {
    Finding::warning(
        "schema",
        format!("migrations are pending in {place}: {}", pending.join(", ")),
        "the next start applies them; a version before this one may not work with the database after that",
        "keep a copy of it, then run `jobqueue migrate up`",
    )
}

fn schema(file: &Path) -> Finding {
    let path = file.display();
    match sqlite::schema_of(file) {
        Ok(schema) if !schema.unknown.is_empty() => Finding::error(
            "schema",
            format!("{path} was made by a newer version: {}", schema.unknown.join(", ")),
            "this version does not know what the newer one keeps there and could damage it",
            "run the newer version, or restore a copy from before the upgrade",
        ),
        Ok(schema) if !schema.pending.is_empty() => pending_in(&path.to_string(), &schema.pending),
        Ok(_) => Finding::ok("schema", format!("{path} has this version's schema")),
        Err(error) => {
            let why = match error.kind {
                StoreErrorKind::Locked => "another program holds the file",
                _ => "it cannot be read as a database of ours",
            };
            Finding::error(
                "schema",
                error.to_string(),
                why,
                "name the right file with DATABASE_URL, or restore a copy of it",
            )
        }
    }
}
