//! A PostgreSQL cluster of a test's own, which it may kill, freeze and start again. Ended with all its processes when dropped.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use diesel::{Connection as _, PgConnection, connection::SimpleConnection as _};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::eventually;

pub(crate) struct Postgres {
    folder: tempfile::TempDir,
    port: u16,
    settings: Vec<String>,
    server: Option<Child>,
}

impl Postgres {
    /// As Debian installs it (fsync on) apart from `settings`, such as `max_connections=20`.
    pub(crate) fn start(settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        if is_root() {
            ran(Command::new("chown").arg("postgres").arg(folder.path()));
        }
        let options = ["-U", "test", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync", "-D"];
        ran(program("initdb").args(options).arg(data));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings = settings.iter().copied().map(str::to_owned).collect();
        let mut postgres = Self { folder, port, settings, server: None };
        postgres.start_again();
        postgres
    }

    pub(crate) fn start_again(&mut self) {
        assert!(self.server.is_none());
        let log = fs::OpenOptions::new().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        let mut server = program("postgres");
        server.arg("-D").arg(self.folder.path().join("data")).args(["-p", &self.port.to_string()]);
        server.args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]);
        self.settings.iter().for_each(|setting| {
            server.args(["-c", setting]);
        });
        self.server = Some(server.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        eventually("PostgreSQL is up", || PgConnection::establish(&self.url()).is_ok());
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://test@127.0.0.1:{}/postgres", self.port)
    }

    /// What the server calls it.
    pub(crate) fn name(&self) -> String {
        format!("PostgreSQL at 127.0.0.1:{}/postgres", self.port)
    }

    pub(crate) fn connect(&self) -> PgConnection {
        PgConnection::establish(&self.url()).unwrap()
    }

    pub(crate) fn run(&self, sql: &str) {
        self.connect().batch_execute(sql).unwrap();
    }

    /// kill -9 of every process of it.
    pub(crate) fn kill(&mut self) {
        let processes = self.processes();
        self.signal(&processes, Signal::SIGKILL);
        self.ended();
        // The next one does not start while one of these holds its memory.
        eventually("its processes are gone", || processes.iter().skip(1).all(|pid| kill(*pid, None).is_err()));
    }

    /// As `pg_ctl stop -m immediate` does: no process of it writes down anything more.
    pub(crate) fn stop_immediately(&mut self) {
        self.signal(&self.processes()[..1], Signal::SIGQUIT);
        self.ended();
    }

    pub(crate) fn freeze(&self) {
        // First the one that makes others.
        self.signal(&self.processes()[..1], Signal::SIGSTOP);
        self.signal(&self.processes()[1..], Signal::SIGSTOP);
    }

    pub(crate) fn thaw(&self) {
        self.signal(&self.processes(), Signal::SIGCONT);
    }

    fn ended(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.wait().unwrap();
        }
    }

    /// One that has ended by itself meanwhile needs none.
    fn signal(&self, processes: &[Pid], signal: Signal) {
        for pid in processes {
            let _ = kill(*pid, signal);
        }
    }

    /// The server, then its children.
    fn processes(&self) -> Vec<Pid> {
        let Some(server) = &self.server else { return Vec::new() };
        let server = server.id();
        let folders = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let pids = folders.filter_map(|folder| folder.file_name().to_str()?.parse::<u32>().ok());
        let children = pids.filter(|pid| parent(*pid) == Some(server));
        [server].into_iter().chain(children).map(|pid| Pid::from_raw(pid as i32)).collect()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.signal(&self.processes(), Signal::SIGKILL);
        self.ended();
    }
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // After the name, which may have anything in it: state, parent.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn ran(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// A program of PostgreSQL's, which does not run as root.
fn program(name: &str) -> Command {
    let path = programs().join(name);
    if !is_root() {
        return Command::new(path);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]).arg(path).current_dir("/");
    command
}

/// Where Debian puts them: the newest version.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed").filter_map(Result::ok);
    let number = |path: &Path| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let newest = versions.map(|version| version.path()).max_by_key(|path| number(path));
    newest.unwrap().join("bin")
}
