//! Real work in real processes, and a server that is killed in the midst of it.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use jobqueue::task::Status;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::{
    file::Snapshot,
    support::{Server, eventually, is_long},
};

const KILLS: u64 = 2;

/// One task on standard input, its argument a path without quotes; the result is the checksum.
const SCRIPT: &str = r#"
file=$(sed 's/.*"args":\["\([^"]*\)"\].*/\1/')
sum=$(sha256sum "$file") || exit 1
printf '"%s"\n' "${sum%% *}"
"#;

#[test]
fn checksums_are_right_and_complete_whenever_the_server_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("checksum.sh"), SCRIPT).unwrap();
    fs::write(folder.path().join("jobqueue.toml"), "[tasks.checksum]\ncommand = [\"sh\", \"checksum.sh\"]\n").unwrap();
    let start = || Server::start_with(folder.path(), &["--concurrency", "16"]);
    let files = files();
    let mut server = start();
    let ids = server.submit_all(files.iter().map(|file| json!({"name": "checksum", "args": [file]})).collect());

    let mut held_at_kills: HashMap<String, i32> = HashMap::new();
    for kill in 1..=KILLS {
        eventually("a part is done", || {
            let stats = server.get("/api/v1/stats");
            let done = stats["totals"]["succeeded"].as_u64().unwrap();
            done >= files.len() as u64 * kill / (KILLS + 1) && stats["status_counts"]["running"] != 0
        });
        server.kill();
        for id in Snapshot::of(folder.path()).running() {
            *held_at_kills.entry(id).or_default() += 1;
        }
        server = start();
    }
    assert!(!held_at_kills.is_empty(), "the kills hit something");

    for (file, id) in files.iter().zip(&ids) {
        let task = server.finished(id);
        let sum = hex(&Sha256::digest(fs::read(file).unwrap()));
        assert_eq!((&task["status"], &task["result"]), (&json!("success"), &json!(sum)), "{}", file.display());
    }
    assert_eq!(server.get("/api/v1/stats")["totals"]["succeeded"], files.len());
    server.signal("-TERM");
    assert_eq!(server.wait(), Some(0));

    let left = Snapshot::of(folder.path());
    assert_eq!((left.tasks.len(), left.leases, left.dead_letters), (files.len(), 0, 0));
    for (id, row) in &left.tasks {
        let crashes = held_at_kills.get(id).copied().unwrap_or_default();
        assert_eq!((row.status(), row.failures), (Status::Success, 0), "{id}");
        assert_eq!((row.attempt, row.crashes, row.kept), (1 + crashes, crashes, crashes.into()), "{id}");
    }
}

/// The largest files of this program's own sources, or of its dependencies'.
fn files() -> Vec<PathBuf> {
    let (root, count) = if is_long() { (registry(), 2_000) } else { (env!("CARGO_MANIFEST_DIR").into(), 150) };
    let mut found = Vec::new();
    collect(&if is_long() { root } else { root.join("src") }, &mut found);
    found.sort_by_key(|(length, path)| (std::cmp::Reverse(*length), path.clone()));
    found.truncate(count);
    assert_eq!(found.len(), count);
    found.into_iter().map(|(_, path)| path).collect()
}

fn registry() -> PathBuf {
    let home = std::env::var_os("CARGO_HOME").map_or_else(|| std::env::home_dir().unwrap().join(".cargo"), Into::into);
    home.join("registry/src")
}

fn collect(folder: &Path, found: &mut Vec<(u64, PathBuf)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            collect(&path, found);
        } else if kind.is_file() && path.to_str().is_some_and(|path| !path.contains(['"', '\\', '\n'])) {
            found.push((entry.metadata().unwrap().len(), path));
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
