//! PostgreSQL and Redis of the test's own, reached by sockets in its folder: no port is theirs, so none can be taken from them
//! while they are down.

use std::{
    fs,
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use diesel::{Connection as _, PgConnection};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{secrets::REDIS_PASSWORD, within};

const START: Duration = Duration::from_secs(60);

/// A cluster as Debian installs it (fsync on).
pub(crate) struct Postgres {
    child: Option<Child>,
    bin: PathBuf,
    as_root: bool,
    folder: PathBuf,
}

impl Postgres {
    pub(crate) fn start(folder: &Path) -> Self {
        let mut bins: Vec<_> = fs::read_dir("/usr/lib/postgresql")
            .map(|all| all.flatten().map(|entry| entry.path().join("bin")).collect())
            .unwrap_or_default();
        bins.sort();
        let bin = bins.pop().expect("PostgreSQL is there: tests/run installs it");
        let folder = folder.join("postgres");
        fs::create_dir_all(&folder).unwrap();
        let as_root = fs::metadata(&folder).unwrap().uid() == 0;
        if as_root {
            let done = Command::new("chown").arg("postgres").arg(&folder).status().unwrap();
            assert!(done.success(), "chown");
        }
        let mut own = Self { child: None, bin, as_root, folder };
        let made = own
            .command("initdb")
            .arg("-D")
            .arg(own.folder.join("data"))
            .args(["-U", "test", "-A", "trust", "-E", "UTF8", "--no-locale"])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        own.begin();
        own
    }

    /// PostgreSQL refuses to run as root.
    fn command(&self, program: &str) -> Command {
        let program = self.bin.join(program);
        if !self.as_root {
            return Command::new(program);
        }
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]).arg(program);
        command
    }

    pub(crate) fn begin(&mut self) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.folder.with_extension("log")).unwrap();
        let child = self
            .command("postgres")
            .arg("-D")
            .arg(self.folder.join("data"))
            .arg("-k")
            .arg(&self.folder)
            .args(["-c", "listen_addresses=", "-c", "fsync=on", "-c", "max_connections=200"])
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        within(START, "PostgreSQL answers", || PgConnection::establish(&self.url()).is_ok());
    }

    /// As by a power cut: nothing is finished, the log is replayed at the next start.
    pub(crate) fn stop_at_once(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = kill(Pid::from_raw(child.id() as i32), Signal::SIGQUIT);
            let _ = child.wait();
        }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join(".s.PGSQL.5432")
    }

    /// Not by way of a proxy.
    pub(crate) fn url(&self) -> String {
        format!("postgres://test@/postgres?host={}", self.folder.display())
    }

    pub(crate) fn connect(&self) -> PgConnection {
        PgConnection::establish(&self.url()).unwrap()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop_at_once();
    }
}

pub(crate) struct Redis {
    child: Option<Child>,
    folder: PathBuf,
}

impl Redis {
    pub(crate) fn start(folder: &Path) -> Self {
        let folder = folder.join("redis");
        fs::create_dir_all(&folder).unwrap();
        let mut own = Self { child: None, folder };
        own.begin(false);
        own
    }

    /// `old`: with the dump that was saved last, if any was.
    pub(crate) fn begin(&mut self, old: bool) {
        if !old {
            let _ = fs::remove_file(self.folder.join("dump.rdb"));
        }
        // One program under several names; this one comes in a package that starts no server by itself.
        let child = Command::new("redis-check-rdb")
            .arg0("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--loglevel", "warning"])
            .args(["--requirepass", REDIS_PASSWORD, "--unixsocket"])
            .arg(self.socket())
            .arg("--dir")
            .arg(&self.folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-check-rdb is there: tests/run installs it");
        self.child = Some(child);
        within(START, "Redis answers", || self.command("PING"));
    }

    pub(crate) fn command(&self, word: &str) -> bool {
        let url = format!("redis+unix://{}?pass={REDIS_PASSWORD}", self.socket().display());
        let client = redis::Client::open(url).unwrap();
        client.get_connection().and_then(|mut link| redis::cmd(word).query::<redis::Value>(&mut link)).is_ok()
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("redis.socket")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
