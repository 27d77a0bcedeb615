//! Keys of a real server: none lets it listen in public, the first is made beside it, and its configuration has some.

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

use crate::support::Server;

fn jobqueue(folder: &Path, arguments: &[&str], env: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_jobqueue"))
        .args(arguments)
        .current_dir(folder)
        .env("LOG_DIR", "")
        .envs(env.iter().copied())
        .output()
        .unwrap()
}

fn status(server: &Server, key: &str) -> u16 {
    let headers = if key.is_empty() { String::new() } else { format!("Authorization: Bearer {key}\r\n") };
    server.try_call("GET", "/api/v1/tasks", &headers, "").unwrap().0
}

#[test]
fn a_public_address_needs_a_key_and_the_first_is_made_without_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let refused = jobqueue(folder.path(), &["serve", "--host", "0.0.0.0", "--port", "0"], &[]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("jobqueue key create") && said.contains("--insecure-no-auth"), "{said}");
    assert!(!folder.path().join("data").exists(), "a refusal leaves nothing behind");

    let arguments = ["key", "create", "ops", "--scope", "admin", "--local", "--output", "json"];
    let made = jobqueue(folder.path(), &arguments, &[]);
    assert!(made.status.success(), "{made:?}");
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let key = made["key"].as_str().unwrap();

    let server = Server::start_with(folder.path(), &["--host", "0.0.0.0"]);
    assert_eq!((status(&server, ""), status(&server, key)), (401, 200));
    // While it runs the store is its own: it would not know of the key at once.
    let beside = jobqueue(folder.path(), &arguments, &[]);
    assert!(
        !beside.status.success() && String::from_utf8_lossy(&beside.stderr).contains("in use by another"),
        "{beside:?}"
    );
    let url = server.url();
    let list = jobqueue(folder.path(), &["key", "list", "--url", &url], &[("JOBQUEUE_API_KEY", key)]);
    assert!(String::from_utf8_lossy(&list.stdout).contains("ops"), "{list:?}");
    let log = jobqueue(folder.path(), &["audit", "--url", &url, "--output", "json"], &[("JOBQUEUE_API_KEY", key)]);
    let log: Value = serde_json::from_slice(&log.stdout).unwrap();
    assert_eq!((&log["data"][0]["actor"], &log["data"][0]["target"]), (&Value::from("local"), &made["id"]));
    let ended = jobqueue(
        folder.path(),
        &["key", "revoke", made["id"].as_str().unwrap(), "--url", &url],
        &[("JOBQUEUE_API_KEY", key)],
    );
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(status(&server, key), 401);
    server.kill();
    let server = Server::start_with(folder.path(), &["--host", "0.0.0.0"]);
    assert_eq!((status(&server, ""), status(&server, key)), (401, 401), "the end of the last key opens nothing");
}

#[test]
fn keys_of_the_configuration_are_good_and_written_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("keys"), "first-configured-key,second-configured-key\n").unwrap();
    std::fs::write(folder.path().join("jobqueue.toml"), "[api]\nhost = \"0.0.0.0\"\n").unwrap();
    let server = Server::start_under(folder.path(), &[], &[("API_KEYS_FILE", "keys")]);
    assert_eq!(status(&server, ""), 401);
    for key in ["first-configured-key", "second-configured-key"] {
        assert_eq!(status(&server, key), 200);
    }
    server.kill();
    for entry in std::fs::read_dir(folder.path().join("data")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(14).any(|window| window == b"configured-key"));
    }
}
