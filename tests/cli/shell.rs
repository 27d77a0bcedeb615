//! `healthcheck`, `completions`, `man`.

use std::process::{Command, Stdio};

use crate::{
    run::{alone, ended},
    support::{Server, program},
};

#[test]
fn a_health_check_knows_the_server_of_its_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let port = server.address().rsplit(':').next().unwrap().to_owned();
    let check = |host: &str| {
        let mut command = program(folder.path());
        ended(command.arg("healthcheck").env("API_PORT", &port).env("API_HOST", host).env("WORKER_CONCURRENCY", "x"))
    };
    for host in ["127.0.0.1", "0.0.0.0", "localhost"] {
        check(host).is(0, &["ok"]);
    }
    server.kill();
    check("127.0.0.1").is(1, &["cannot reach the server"]);
    alone(folder.path(), &["healthcheck", "--port", &port, "--timeout", "soon"]).is(2, &["expected a duration"]);
}

#[test]
fn shells_accept_the_completions() {
    let folder = tempfile::tempdir().unwrap();
    for (shell, part) in
        [("bash", "complete -F _jobqueue"), ("zsh", "#compdef jobqueue"), ("fish", "complete -c jobqueue")]
    {
        let ran = alone(folder.path(), &["completions", shell]);
        ran.is(0, &[part, "redrive"]);
        if shell == "bash" {
            let file = folder.path().join("completions");
            std::fs::write(&file, &ran.out).unwrap();
            let status = Command::new("bash").arg("-n").arg(&file).stderr(Stdio::inherit()).status().unwrap();
            assert!(status.success());
        }
    }
    alone(folder.path(), &["completions", "tcsh"]).is(2, &["bash, zsh, fish"]);
    alone(folder.path(), &["man"]).is(0, &[".TH jobqueue 1", "jobqueue\\-dlq"]);
}
