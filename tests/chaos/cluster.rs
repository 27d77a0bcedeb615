//! The nodes, each with a folder, a way to PostgreSQL and a way to Redis of its own, and a keeper that starts them again.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    client,
    history::{Exit, Harm, Spooled, now},
    node,
    proxy::Proxy,
    secrets::{API_KEY, POSTGRES_PASSWORD, REDIS_PASSWORD},
    services::{Postgres, Redis},
};

pub(crate) const NAMES: [&str; 3] = ["a", "b", "c"];
pub(crate) const SLOTS: usize = 12;

/// One node, whichever of its lives.
pub(crate) struct Node {
    pub(crate) name: &'static str,
    pub(crate) postgres: Proxy,
    pub(crate) redis: Proxy,
    folder: PathBuf,
    heartbeat_s: u64,
    variables: Vec<(String, String)>,
    life: Mutex<Life>,
}

#[derive(Default)]
struct Life {
    child: Option<Child>,
    /// It is to be up: whoever finds it ended starts it again.
    wanted: bool,
    /// The end of this life was caused.
    harmed: bool,
    stopped: bool,
    tried: Option<Instant>,
}

/// What became of a process that has ended although it was wanted.
#[derive(Default)]
struct Ended {
    harm: Option<Harm>,
    exit: Option<Exit>,
}

pub(crate) struct Nodes {
    pub(crate) all: Vec<Node>,
    harms: Mutex<Vec<Harm>>,
    exits: Mutex<Vec<Exit>>,
    spooled: Mutex<Vec<Spooled>>,
}

impl Nodes {
    /// `variables`: more of them, for each node.
    pub(crate) fn new(
        folder: &std::path::Path,
        postgres: &Postgres,
        redis: &Redis,
        heartbeat_s: u64,
        variables: impl Fn(&str) -> Vec<(String, String)>,
    ) -> Self {
        let node = |name: &&'static str| Node {
            name,
            postgres: Proxy::to(&postgres.socket()),
            redis: Proxy::to(&redis.socket()),
            folder: folder.to_owned(),
            heartbeat_s,
            variables: variables(name),
            life: Mutex::new(Life::default()),
        };
        let all = NAMES.iter().map(node).collect();
        Self { all, harms: Mutex::default(), exits: Mutex::default(), spooled: Mutex::default() }
    }

    /// Where a request can be sent now: to any node that has said where it listens, up or not.
    pub(crate) fn call_any(
        &self,
        random: &mut fastrand::Rng,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Option<(u16, Value)> {
        let node = &self.all[random.usize(..self.all.len())];
        client::call(&node.address()?, method, path, headers, body)
    }

    pub(crate) fn harms(&self) -> Vec<Harm> {
        self.harms.lock().unwrap().clone()
    }

    pub(crate) fn exits(&self) -> Vec<Exit> {
        self.exits.lock().unwrap().clone()
    }

    pub(crate) fn spooled(&self) -> Vec<Spooled> {
        self.spooled.lock().unwrap().clone()
    }

    /// kill -9; stays down until it is started.
    pub(crate) fn kill(&self, node: usize) {
        self.harm(node, "killed");
        let pid = self.all[node].kill();
        let left = self.all[node].spooled();
        let of = |(task, attempt)| Spooled { node: self.all[node].name.into(), pid, task, attempt };
        self.spooled.lock().unwrap().extend(left.into_iter().map(of));
    }

    /// Writes down what is done to a node, before it is done.
    pub(crate) fn harm(&self, node: usize, what: &str) {
        let node = &self.all[node];
        let mut life = node.life.lock().unwrap();
        life.harmed = true;
        let pid = life.child.as_ref().map_or(0, Child::id);
        let what = what.to_owned();
        self.harms.lock().unwrap().push(Harm { node: node.name.into(), pid, what, at: now() });
    }

    /// Starts what should be up and is not. Called again and again.
    pub(crate) fn keep(&self) {
        for node in &self.all {
            let Ended { harm, exit } = node.keep();
            self.harms.lock().unwrap().extend(harm);
            self.exits.lock().unwrap().extend(exit);
        }
    }

    pub(crate) fn start_all(&self) {
        self.all.iter().for_each(Node::start);
    }

    pub(crate) fn are_up(&self) -> bool {
        self.all.iter().all(|node| {
            let healthy = node.address().and_then(|address| client::call(&address, "GET", "/health", &[], ""));
            healthy.is_some_and(|(status, answer)| status == 200 && answer["status"] == "ok")
        })
    }
}

impl Node {
    pub(crate) fn address(&self) -> Option<String> {
        fs::read_to_string(node::address_file(&self.folder, self.name)).ok()
    }

    pub(crate) fn start(&self) {
        let mut life = self.life.lock().unwrap();
        life.wanted = true;
        if life.child.is_none() {
            self.spawn(&mut life);
        }
    }

    fn spawn(&self, life: &mut Life) {
        let _ = fs::remove_file(node::address_file(&self.folder, self.name));
        let log = self.folder.join(format!("{}.log", self.name));
        let log = fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
        let (data, postgres, redis) = (self.folder.join(self.name), self.postgres.address(), self.redis.address());
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["node_process", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
            .current_dir(&self.folder)
            .env(node::NAME, self.name)
            .env(node::FOLDER, &self.folder)
            .env("DATABASE_URL", format!("postgres://test:{POSTGRES_PASSWORD}@{postgres}/postgres?sslmode=disable"))
            .env("REDIS_URL", format!("redis://:{REDIS_PASSWORD}@{redis}"))
            .env("API_KEYS", API_KEY)
            .env("JOBQUEUE_DATA_DIR", data)
            .env("WORKER_CONCURRENCY", SLOTS.to_string())
            .env("WORKER_HEARTBEAT_INTERVAL", format!("{}s", self.heartbeat_s))
            .envs([("API_PORT", "0"), ("WORKER_DRAIN_TIMEOUT", "3s"), ("WORKER_CANCEL_GRACE", "1s"), ("LOG_DIR", "")])
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        *life = Life { child: Some(child), wanted: true, tried: Some(Instant::now()), ..Life::default() };
    }

    fn keep(&self) -> Ended {
        let (mut life, mut ended) = (self.life.lock().unwrap(), Ended::default());
        if !life.wanted {
            return ended;
        }
        if let Some(child) = &mut life.child {
            let Some(status) = child.try_wait().unwrap() else { return ended };
            let pid = child.id();
            // That of a life that was cut off or stopped was caused; one that never got up may have found its store away.
            if self.address().is_none() {
                ended.harm = Some(Harm { node: self.name.into(), pid, what: "did not get up".into(), at: now() });
            } else if !life.harmed {
                let (node, code, log) = (self.name.into(), status.to_string(), self.last_words());
                ended.exit = Some(Exit { node, pid, code, log });
            }
            life.child = None;
        }
        if life.tried.is_none_or(|at| at.elapsed() > Duration::from_millis(400)) {
            self.spawn(&mut life);
        }
        ended
    }

    /// What all its lives have said.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join(format!("{}.log", self.name))).unwrap_or_default()
    }

    fn last_words(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(4)..].join("\n")
    }

    /// Kills it, and says which process that was.
    fn kill(&self) -> u32 {
        let mut life = self.life.lock().unwrap();
        life.wanted = false;
        let Some(mut child) = life.child.take() else { return 0 };
        let _ = child.kill();
        let _ = child.wait();
        child.id()
    }

    /// The attempts whose outcomes wait on its disk. A line without its end was promised to nobody.
    pub(crate) fn spooled(&self) -> Vec<(Uuid, u32)> {
        let text = fs::read_to_string(self.folder.join(self.name).join("node.outcomes")).unwrap_or_default();
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let outcome = |line: &str| -> Option<(Uuid, u32)> {
            let outcome: Value = serde_json::from_str(line.split_once(' ')?.1).ok()?;
            Some((outcome["task"].as_str()?.parse().ok()?, outcome["attempt"].as_u64()? as u32))
        };
        whole.map(|line| outcome(line).unwrap()).collect()
    }

    /// Told to end; stays down until it is started. One that does not end in time is killed.
    pub(crate) fn terminate(&self) {
        let mut life = self.life.lock().unwrap();
        life.wanted = false;
        let Some(mut child) = life.child.take() else { return };
        let _ = kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM);
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(20) {
            if child.try_wait().unwrap().is_some() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = child.kill();
        let _ = child.wait();
    }

    pub(crate) fn stop(&self) {
        self.signal(Signal::SIGSTOP, true);
    }

    pub(crate) fn go_on(&self) {
        self.signal(Signal::SIGCONT, false);
    }

    fn signal(&self, signal: Signal, stopped: bool) {
        let mut life = self.life.lock().unwrap();
        if stopped || life.stopped {
            life.stopped = stopped;
            if let Some(child) = &life.child {
                let _ = kill(Pid::from_raw(child.id() as i32), signal);
            }
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}
