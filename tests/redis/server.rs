//! A real redis-server on a free port, with its data in a folder of its own; killed when dropped.

use std::{
    net::TcpListener,
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use jobqueue::broker::{RedisBroker, RedisConfig};
use redis::Value;

pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) struct Redis {
    child: Option<Child>,
    port: u16,
    folder: tempfile::TempDir,
}

impl Redis {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    pub(crate) fn with(arguments: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut redis = Self { child: None, port, folder: tempfile::tempdir().unwrap() };
        redis.start_again(arguments);
        redis
    }

    pub(crate) fn start_again(&mut self, arguments: &[&str]) {
        // One program under several names; this one comes in a package that starts no server by itself.
        let child = Command::new("redis-check-rdb")
            .arg0("redis-server")
            .args(["--port", &self.port.to_string(), "--save", "", "--appendonly", "no", "--loglevel", "warning"])
            .arg("--dir")
            .arg(self.folder.path())
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-check-rdb is there: tests/run installs it");
        self.child = Some(child);
        eventually("Redis is up", || {
            // One that asks for a password is up too.
            match self.client().get_connection() {
                Ok(mut link) => match redis::cmd("PING").query::<Value>(&mut link) {
                    Ok(_) => true,
                    Err(error) => error.code() == Some("NOAUTH"),
                },
                Err(_) => false,
            }
        });
    }

    fn pid(&self) -> nix::unistd::Pid {
        nix::unistd::Pid::from_raw(self.child.as_ref().unwrap().id() as i32)
    }

    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(self.pid(), signal).unwrap();
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub(crate) fn dump(&self) -> PathBuf {
        self.folder.path().join("dump.rdb")
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn client(&self) -> redis::Client {
        redis::Client::open(self.url()).unwrap()
    }

    pub(crate) fn command(&self, words: &[&str]) -> Value {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query(&mut self.client().get_connection().unwrap()).unwrap()
    }

    pub(crate) fn broker(&self) -> RedisBroker {
        self.broker_of(&self.url())
    }

    pub(crate) fn broker_of(&self, url: &str) -> RedisBroker {
        RedisBroker::connect(RedisConfig::parse(url).unwrap()).unwrap()
    }

    /// A figure of INFO.
    pub(crate) fn figure(&self, name: &str) -> u64 {
        let info: String =
            redis::cmd("INFO").arg("everything").query(&mut self.client().get_connection().unwrap()).unwrap();
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
        line.trim().parse().unwrap()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let over = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < over, "not within {DEADLINE:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
