//! The real server as a process of its own, and a client that speaks HTTP over a socket.

#![allow(dead_code, reason = "shared: each test program uses a part of it")]

pub(crate) mod postgres;
pub(crate) mod starts;
pub(crate) mod store;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use serde_json::Value;

const DEADLINE: Duration = Duration::from_secs(60);

/// A server on a free port with its data in a folder; killed when dropped.
pub(crate) struct Server {
    child: Child,
    address: String,
}

impl Server {
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_with(folder, &[])
    }

    pub(crate) fn start_with(folder: &Path, arguments: &[&str]) -> Self {
        Self::start_under(folder, arguments, &[])
    }

    pub(crate) fn start_under(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::try_start(folder, arguments, variables).unwrap_or_else(|log| panic!("no start:\n{log}"))
    }

    /// Starts it as often as it takes: a task that kills it may do so before it is up. Also says how often it did.
    pub(crate) fn start_again(folder: &Path, arguments: &[&str]) -> (Self, usize) {
        let (mut server, mut deaths) = (None, 0);
        eventually("the server gets up", || {
            server = Self::try_start(folder, arguments, &[]).ok();
            deaths += usize::from(server.is_none());
            server.is_some()
        });
        (server.unwrap(), deaths)
    }

    /// The log, where it ends before it is up.
    fn try_start(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Result<Self, String> {
        let port: &[&str] = if arguments.contains(&"--port") { &[] } else { &["--port", "0"] };
        let mut child = program(folder)
            .args(["dev", "--log-format", "json"])
            .args(port)
            .args(arguments)
            .envs(variables.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (tell, told) = mpsc::channel();
        let log = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            let mut all = String::new();
            for line in log.lines().map_while(Result::ok) {
                let record: Value = serde_json::from_str(&line).unwrap_or_default();
                if record["msg"] == "jobqueue is up" {
                    let _ = tell.send(Ok(record["address"].as_str().unwrap().to_owned()));
                }
                all.push_str(&line);
                all.push('\n');
            }
            let _ = tell.send(Err(all));
        });
        let mut server = Self { child, address: String::new() };
        server.address = told.recv_timeout(DEADLINE).unwrap()?;
        Ok(server)
    }

    /// Where it listens, as `127.0.0.1:8000`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Where it is reached on this machine, whatever address it listens on.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address.replace("0.0.0.0", "127.0.0.1"))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// kill -9, and waits until the process is gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the process to end by itself; its exit code.
    pub(crate) fn wait(mut self) -> Option<i32> {
        let mut status = None;
        eventually("the server ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.and_then(|status| status.code())
    }

    pub(crate) fn is_up(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// One request; status and body (null where it is not JSON). `None`: the connection failed.
    pub(crate) fn try_call(&self, method: &str, path: &str, headers: &str, body: &str) -> Option<(u16, Value, String)> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).ok()?;
        // A refusal may come before the whole body is taken.
        let _ = stream.write_all(body.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        // JSON has no line breaks here: what comes in chunks is every other line.
        let is_chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        let whole: String = body.split("\r\n").skip(1).step_by(2).collect();
        let body = if is_chunked { &whole } else { body };
        Some((status, serde_json::from_str(body).unwrap_or_default(), head.to_owned()))
    }

    pub(crate) fn call(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let headers = "Content-Type: application/json\r\n";
        let (status, body, _) = self.try_call(method, path, headers, body).expect("an answer");
        (status, body)
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let (status, body) = self.call("GET", path, "");
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Of a text that is no JSON.
    pub(crate) fn text(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Submits a task; its id.
    pub(crate) fn submit(&self, task: &str) -> String {
        let (status, body) = self.call("POST", "/api/v1/tasks", task);
        assert_eq!(status, 201, "{task}: {body}");
        body["id"].as_str().unwrap().to_owned()
    }

    /// Submits tasks in batches; their ids.
    pub(crate) fn submit_all(&self, tasks: Vec<Value>) -> Vec<String> {
        let mut ids = Vec::with_capacity(tasks.len());
        for batch in tasks.chunks(1_000) {
            let (status, body) =
                self.call("POST", "/api/v1/tasks/batch", &serde_json::json!({ "tasks": batch }).to_string());
            assert_eq!(status, 200, "{body}");
            for result in body["results"].as_array().unwrap() {
                assert_eq!(result["status"], 201, "{result}");
                ids.push(result["id"].as_str().unwrap().to_owned());
            }
        }
        ids
    }

    pub(crate) fn task(&self, id: &str) -> Value {
        self.get(&format!("/api/v1/tasks/{id}"))
    }

    /// Waits until the task is over.
    pub(crate) fn finished(&self, id: &str) -> Value {
        self.until(id, |task| {
            ["success", "failed", "timeout", "cancelled"].contains(&task["status"].as_str().unwrap_or_default())
        })
    }

    pub(crate) fn until(&self, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut task = Value::Null;
        eventually("the task gets there", || {
            task = self.task(id);
            is_so(&task)
        });
        task
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program as tests run it: in a folder of its own, without log files.
pub(crate) fn program(folder: &Path) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_jobqueue"));
    program.current_dir(folder).env("JOBQUEUE_FAULTS", "1").env("LOG_DIR", "");
    if let Some(url) = store::database(folder) {
        program.env("DATABASE_URL", url);
    }
    if let Some((url, prefix)) = store::redis(folder) {
        program.env("REDIS_URL", url).env("REDIS_PREFIX", prefix);
    }
    program
}

/// The large version of a test was asked for: `tests/run --long`.
pub(crate) fn is_long() -> bool {
    std::env::var_os("JOBQUEUE_TESTS").is_some_and(|value| value == "long")
}

/// Tries again until it is so, or the deadline is over.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < DEADLINE, "{what}: not within {DEADLINE:?}");
        std::thread::yield_now();
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
