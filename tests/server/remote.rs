//! Remote workers of a real server: they outlive it, and it finds out when they do not live.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    time::Instant,
};

use serde_json::json;

use crate::{
    remote_worker::{beat, complete, lease, register},
    support::{Server, eventually, is_long, program},
};

/// A server whose workers may be silent for a minute: what is tested is not to fail because a machine is slow.
fn patient(folder: &Path) -> Server {
    Server::start_under(folder, &[], &[("WORKER_HEARTBEAT_INTERVAL", "20s")])
}

#[test]
fn a_server_that_is_killed_takes_nothing_from_a_worker_that_lives() {
    let folder = tempfile::tempdir().unwrap();
    let server = patient(folder.path());
    let worker = register(&server, &["away"]);
    let ids = server.submit_all((0..3).map(|n| json!({"name": "away", "args": [n]})).collect());
    let mut leased = Vec::new();
    eventually("it has two", || {
        leased.extend(lease(&server, &worker, 2 - leased.len() as u32));
        leased.len() == 2
    });
    server.kill();
    let server = patient(folder.path());
    let (status, told) = beat(&server, &worker, &[&leased[0], &leased[1]]);
    assert_eq!((status, &told["lost"]), (200, &json!([])));
    let third = lease(&server, &worker, 1).pop().unwrap();
    for task in leased.iter().chain([&third]) {
        assert_eq!(complete(&server, task, &task["args"][0]).0, 200);
    }
    for (n, id) in ids.iter().enumerate() {
        let task = server.finished(id);
        assert_eq!((&task["result"], &task["attempt"], &task["crashes"]), (&json!(n), &json!(1), &json!(0)));
    }
    drop(server);
    let checked = program(folder.path()).args(["check"]).output().unwrap();
    assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stdout));
}

#[test]
fn what_a_worker_held_that_fell_silent_runs_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_under(folder.path(), &[], &[("WORKER_HEARTBEAT_INTERVAL", "1s")]);
    let silent = register(&server, &["away"]);
    let id = server.submit(r#"{"name": "away"}"#);
    let lost = lease(&server, &silent, 1).pop().unwrap();
    eventually("it is found dead", || server.get(&silent)["state"] == "dead");
    let other = register(&server, &["away"]);
    let again = lease(&server, &other, 1).pop().unwrap();
    assert_eq!((&again["id"], &again["attempt"]), (&json!(id), &json!(2)));
    let (status, problem) = complete(&server, &lost, &json!(1));
    assert_eq!((status, &problem["code"]), (409, &json!("lease_lost")));
    assert_eq!(beat(&server, &silent, &[&lost]).1["code"], "worker_dead");
    assert_eq!(complete(&server, &again, &json!(2)).0, 200);
    let task = server.finished(&id);
    assert_eq!((&task["result"], &task["crashes"]), (&json!(2), &json!(1)));
}

#[test]
fn a_grant_that_never_arrived_goes_back() {
    let folder = tempfile::tempdir().unwrap();
    let server = patient(folder.path());
    let worker = register(&server, &["away"]);
    let id = server.submit(r#"{"name": "away"}"#);
    // The answer is lost on its way.
    let lost = lease(&server, &worker, 1).pop().unwrap();
    eventually("it is queued again", || {
        // A server that has much to do may answer 503: the next one will do.
        beat(&server, &worker, &[]);
        server.task(&id)["status"] == "queued"
    });
    let again = lease(&server, &worker, 1).pop().unwrap();
    assert_eq!((&again["id"], &again["failures"]), (&json!(id), &json!(0)));
    assert_eq!(server.task(&id)["crashes"], 0);
    assert_eq!(complete(&server, &lost, &json!(1)).0, 409);
    assert_eq!(complete(&server, &again, &json!(1)).0, 200);
}

/// Bytes of memory that a process holds.
fn rss(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix("kB").unwrap().trim().parse::<u64>().unwrap() * 1_024
}

#[test]
#[expect(clippy::print_stdout, reason = "the figures are what one may want to look at")]
fn many_polls_wait_and_a_task_wakes_one_of_them() {
    let count = if is_long() { 10_000 } else { 300 };
    let folder = tempfile::tempdir().unwrap();
    let server = patient(folder.path());
    let before = rss(server.pid());
    let worker = register(&server, &["away"]);
    let body = r#"{"wait": "60s"}"#;
    let request =
        format!("POST {worker}/lease HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let mut polls: Vec<TcpStream> = Vec::with_capacity(count);
    for n in 0..count {
        if n % 500 == 0 {
            beat(&server, &worker, &[]);
        }
        let mut poll = TcpStream::connect(server.address()).unwrap();
        poll.write_all(request.as_bytes()).unwrap();
        polls.push(poll);
    }
    // The head of an answer says that its poll waits.
    polls.iter().for_each(|poll| poll.set_nonblocking(true).unwrap());
    eventually("all of them wait", || polls.iter().all(|poll| poll.peek(&mut [0]).is_ok_and(|read| read > 0)));
    let began = Instant::now();
    let ids = server.submit_all(vec![json!({"name": "away"}); 20]);
    let held = || ids.iter().filter(|id| server.task(id)["status"] == "running").count();
    eventually("each task is with one of them", || held() == ids.len());
    let took = began.elapsed();
    let after = rss(server.pid());
    let in_vain = polls.iter().filter(|poll| received(poll).contains(r#""data":[]"#)).count();
    assert_eq!(in_vain, 0, "no poll was answered in vain");
    let mib = |bytes: u64| bytes >> 20;
    println!("{count} polls: {} MiB before, {} MiB with them; 20 tasks after {took:?}", mib(before), mib(after));
    assert!(!is_long() || after <= 150 << 20, "{} MiB", mib(after));
}

/// What has come by now.
fn received(mut stream: &TcpStream) -> String {
    let mut answer = Vec::new();
    // It ends with there being no more at this moment.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}
