//! `doctor`: every misconfiguration is named, with why and how to mend it.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use diesel::{Connection as _, SqliteConnection, connection::SimpleConnection as _};
use serde_json::Value;

use crate::{
    run::{Ran, alone, ended},
    support::{Server, program},
};

/// Findings that are not ok, each as `check: what`.
fn findings(ran: &Ran) -> Vec<String> {
    let report = ran.json();
    let bad = report["findings"].as_array().unwrap().iter().filter(|finding| finding["verdict"] != "ok");
    bad.map(|finding| {
        let text = |field: &str| finding[field].as_str().filter(|text| !text.is_empty()).unwrap().to_owned();
        // Each says why it matters and what to do.
        let (_, _) = (text("why"), text("fix"));
        format!("{}: {}", text("check"), text("what"))
    })
    .collect()
}

fn doctor(folder: &Path) -> Command {
    let mut command = program(folder);
    command.args(["doctor", "--json", "--port", "0"]);
    command
}

#[track_caller]
fn names(ran: &Ran, said: &[&str]) {
    let found = findings(ran);
    for part in said {
        assert!(found.iter().any(|finding| finding.contains(part)), "{part:?} is not in {found:#?}");
    }
}

fn database(folder: &Path) -> SqliteConnection {
    let path: PathBuf = folder.join("data/jobqueue.db");
    SqliteConnection::establish(path.to_str().unwrap()).unwrap()
}

#[test]
fn a_sound_set_up_has_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let ran = alone(folder.path(), &["doctor", "--port", "0"]);
    assert!(ran.code == 0 && !ran.out.contains("error"), "{ran:?}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
    // Nor has one whose server runs: the port and the database are its own.
    let server = Server::start(folder.path());
    let port = server.address().rsplit(':').next().unwrap();
    let ran = alone(folder.path(), &["doctor", "--port", port]);
    ran.is(0, &["a jobqueue server answers at"]);
    assert!(!ran.out.contains("error"), "{ran:?}");
}

/// Ten at once: one run names them all.
#[test]
fn ten_misconfigurations_are_all_named() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    fs::write(folder.path().join("not-executable.sh"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(folder.path().join("not-executable.sh"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let toml = "[worker]\nconcurency = 9\n[tasks.gone]\ncommand = [\"no-such-program\"]\n\
                [tasks.plain]\ncommand = [\"./not-executable.sh\"]\n[tasks.lost]\ncommand = [\"true\"]\ncwd = \"nowhere\"\n";
    fs::write(folder.path().join("jobqueue.toml"), toml).unwrap();
    let shell = "ulimit -n 64; exec \"$0\" doctor --json --host 127.0.0.1 --concurrency 4096";
    let mut command = Command::new("sh");
    command.args(["-c", shell, env!("CARGO_BIN_EXE_jobqueue")]).current_dir(folder.path());
    command.env("API_PORT", &port).env("LOG_DIR", "file/logs").env("DATABASE_URL", "sqlite://file/x.db");
    command.env("REDIS_URL", "redis://r").env("API_KEYS", "a key").env("WORKER_CONCURENCY", "3");
    let ran = ended(&mut command);
    assert_eq!(ran.code, 1);
    names(
        &ran,
        &[
            "configuration: jobqueue.toml:2: worker.concurency", // 1. an unknown key
            "configuration: REDIS_URL",                          // 2. Redis without PostgreSQL
            "configuration: API_KEYS",                           // 3. keys that nobody could send
            "configuration: WORKER_CONCURENCY is set",           // 4. a variable that nobody reads
            "port: 127.0.0.1:",                                  // 5. a port in use
            "data_folder: file cannot be written",               // 6. a data folder that is none
            "log_folder: file/logs cannot be written",           // 7. a log folder that cannot be made
            "handler: [tasks.gone]: there is no program",        // 8. a program that does not exist
            "handler: [tasks.plain]: \"./not-executable.sh\" is not exec", // 9. one that is not executable
            "handler: [tasks.lost]: its working folder nowhere", // 10. a folder that does not exist
            "open_files: 64 files may be open at once",          // 11. a limit too low
            "memory: there are",                                 // 12. memory for 4096 commands
        ],
    );
    let text = ended(program(folder.path()).args(["doctor", "--port", "0"]).env("REDIS_URL", "redis://r"));
    text.is(1, &["why: ", "fix: "]);
}

#[test]
fn what_is_wrong_with_the_database_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    names(
        &ended(&mut doctor(folder.path())),
        &["database_lock: ./data/jobqueue.db is in use by another jobqueue process (pid"],
    );
    server.signal("-TERM");
    server.wait();
    assert!(!findings(&ended(&mut doctor(folder.path()))).iter().any(|found| found.contains("database")));

    let mut other = database(folder.path());
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    names(&ended(&mut doctor(folder.path())), &["database_lock: SQLite at ./data/jobqueue.db: "]);
    other.batch_execute("ROLLBACK").unwrap();

    other.batch_execute("UPDATE workers SET beat_at = beat_at + 3600000").unwrap();
    names(&ended(&mut doctor(folder.path())), &["clock: the database has times that are 35"]);
    other.batch_execute("UPDATE workers SET beat_at = 1").unwrap();

    other.batch_execute("INSERT INTO __diesel_schema_migrations VALUES ('29991231000000', CURRENT_TIMESTAMP)").unwrap();
    let newer = ended(&mut doctor(folder.path()));
    assert_eq!(newer.code, 1);
    names(&newer, &["schema: ./data/jobqueue.db was made by a newer version: 29991231000000"]);
    // The server says the same, instead of working on what it does not know.
    ended(program(folder.path()).args(["serve", "--port", "0"])).is(1, &["made by a newer version", "29991231000000"]);
    other.batch_execute("DELETE FROM __diesel_schema_migrations").unwrap();
    names(&ended(&mut doctor(folder.path())), &["schema: migrations are pending"]);
    drop(other);
    fs::write(folder.path().join("data/jobqueue.db"), "no database, but a text that is long enough to be looked at\n")
        .unwrap();
    names(&ended(&mut doctor(folder.path())), &["schema: SQLite at"]);
}

#[test]
fn an_open_address_and_a_folder_in_memory_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut open = doctor(folder.path());
    names(
        &ended(open.args(["--host", "0.0.0.0"])),
        &["authentication: the API listens on 0.0.0.0:0 and API_KEYS names no key"],
    );
    names(&ended(open.arg("--insecure-no-auth")), &["authentication: the API listens on 0.0.0.0:0 and nobody has to"]);
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        let ran = ended(doctor(folder.path()).args(["--database-url", "sqlite:///dev/shm/jobqueue-doctor/x.db"]));
        names(&ran, &["file_system: /dev/shm/jobqueue-doctor is on tmpfs"]);
        assert!(!memory.join("jobqueue-doctor").exists());
    }
    let report: Value = ended(&mut doctor(folder.path())).json();
    assert_eq!(report["ok"], true);
}
