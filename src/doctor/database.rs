//! The embedded database: who holds it, and whether its schema is this version's.

use super::Finding;
use crate::{
    config::Config,
    store::{StoreErrorKind, sqlite},
};

const CHECK: &str = "database";

pub(super) fn examine(config: &Config, running: bool) -> Vec<Finding> {
    let path = &config.database;
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
    findings.push(schema(config));
    findings
}

fn schema(config: &Config) -> Finding {
    let path = config.database.display();
    match sqlite::schema_of(&config.database) {
        Ok(schema) if !schema.unknown.is_empty() => Finding::error(
            "schema",
            format!("{path} was made by a newer version: {}", schema.unknown.join(", ")),
            "this version does not know what the newer one keeps there and could damage it",
            "run the newer version, or restore a copy from before the upgrade",
        ),
        Ok(schema) if !schema.pending.is_empty() => Finding::warning(
            "schema",
            format!("migrations are pending in {path}: {}", schema.pending.join(", ")),
            "the next start applies them; a version before this one may not work with the database after that",
            "keep a copy of the file, then run `jobqueue migrate up`",
        ),
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
