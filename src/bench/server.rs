//! A server in a process of its own.

use std::{
    collections::VecDeque,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, ChildStderr, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::sync::oneshot;

use super::{BenchError, site::Spot};

/// For the start, and again for the end.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether the process has ended.
const LOOK: Duration = Duration::from_millis(5);
/// Lines of its log that are shown when it fails.
const LAST_LINES: usize = 5;

type LastLines = Arc<Mutex<VecDeque<String>>>;

/// Killed when dropped, so that no way out of the measurement leaves it behind.
pub(super) struct Server {
    child: Child,
    address: String,
    said: LastLines,
}

impl Server {
    /// `serve` on a free port, with its data and the queue `bench` in this folder, and none of our own settings.
    pub(super) async fn start(program: &Path, spot: &Spot) -> Result<Self, BenchError> {
        let folder = spot.folder();
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("jobqueue.toml"), "[queues.bench]\nweight = 1\n")?;
        let mut child = Command::new(program)
            .args(["serve", "--port", "0", "--log-format", "json", "--log-level", "warn,jobqueue::server=info"])
            .env_clear()
            .env("LOG_DIR", "")
            .envs(spot.environment.iter().cloned())
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| failed(format!("cannot be started ({}): {error}", program.display()), &[]))?;
        let said = LastLines::default();
        let (tell, address) = oneshot::channel();
        let log = child.stderr.take();
        let mut server = Self { child, address: String::new(), said: said.clone() };
        std::thread::spawn(move || log.map(|log| follow(log, tell, &said)));
        server.address = match tokio::time::timeout(PATIENCE, address).await {
            Ok(Ok(address)) => address,
            _ => return Err(server.failed("did not start".into())),
        };
        Ok(server)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// TERM, and the orderly end.
    pub(super) async fn stop(mut self) -> Result<(), BenchError> {
        let pid = i32::try_from(self.child.id()).map(Pid::from_raw);
        let told = pid.is_ok_and(|pid| kill(pid, Signal::SIGTERM).is_ok());
        let began = Instant::now();
        while told && began.elapsed() < PATIENCE {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(self.failed(format!("ended with {status}"))),
                None => tokio::time::sleep(LOOK).await,
            }
        }
        Err(self.failed("did not stop and was killed".into()))
    }

    fn failed(&self, what: String) -> BenchError {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        failed(what, said.iter().cloned().collect::<Vec<_>>().as_slice())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn failed(what: String, said: &[String]) -> BenchError {
    let said = if said.is_empty() { String::new() } else { format!("; it said:\n{}", said.join("\n")) };
    BenchError::Server { what, said }
}

/// Reads the log to its end, or the server would block on it; tells the address.
fn follow(log: ChildStderr, tell: oneshot::Sender<String>, said: &LastLines) {
    let mut tell = Some(tell);
    for line in BufReader::new(log).lines().map_while(Result::ok) {
        let record: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
        if let Some(address) = record["address"].as_str().filter(|_| record["msg"] == "jobqueue is up")
            && let Some(tell) = tell.take()
        {
            let _ = tell.send(address.to_owned());
        }
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() == LAST_LINES {
            said.pop_front();
        }
        said.push_back(line);
    }
}
