//! The guard: a helper process that ends what commands started when this process is killed.
//!
//! A kill -9 gives no chance to clean up, and the kernel's parent-death signal reaches only direct children. So one
//! helper process holds the read end of a pipe whose write end only this process has. It is told of each command's
//! process group and of its end, a line each. When the pipe ends, this process is gone, and the guard kills the groups
//! that are left.
//!
//! A group is withdrawn *before* its leader is reaped: while the leader is unreaped, its number cannot be another's.

mod line;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, fcntl},
    sys::{
        signal::{Signal, kill},
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::Pid,
};

use super::leftovers;

pub(super) use line::announce;
pub use line::guard_main;

/// The hidden command of the binary that runs [`guard_main`].
pub const GUARD_COMMAND: &str = "__guard";

/// A guard that lived shorter than this is not started again at once.
const SHORT_LIFE: Duration = Duration::from_secs(1);

/// Handle to the guard process: started with the first command, started again if it dies. Clones share it.
#[derive(Debug, Clone)]
pub struct Guard(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    program: PathBuf,
    arguments: Vec<OsString>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    tickets: u64,
    /// The groups to be killed, by ticket: what a new guard is told first.
    groups: BTreeMap<u64, Pid>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    id: Pid,
    pipe: Arc<OwnedFd>,
}

/// One command's place in the guard's list, taken before the command exists. Dropping it withdraws the group.
///
/// It has a number of its own because the child announces itself: if its program then cannot be executed, the parent
/// never learns the group's number, and still has to withdraw it.
#[derive(Debug)]
pub(super) struct Ticket {
    guard: Guard,
    number: u64,
}

impl Guard {
    /// A guard that is `program` with `arguments`; that program has to call [`guard_main`].
    pub fn new(program: impl Into<PathBuf>, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        let arguments = arguments.into_iter().map(Into::into).collect();
        Self(Arc::new(Shared { program: program.into(), arguments, state: Mutex::default() }))
    }

    /// A guard that is this very program with the argument [`GUARD_COMMAND`].
    ///
    /// Only for programs whose `main` calls [`guard_main`] on that argument before anything else: any other would start
    /// a second time instead.
    pub fn of_this_program() -> Self {
        // Not its path: a newer version may have been put there while this one runs.
        Self::new("/proc/self/exe", [GUARD_COMMAND])
    }

    /// A place for a command that is about to be started. Starts the guard where it does not run.
    pub(super) fn ticket(&self) -> Ticket {
        let mut state = self.0.lock();
        if state.running.is_none() {
            self.0.start(&mut state);
        }
        state.tickets += 1;
        Ticket { guard: self.clone(), number: state.tickets }
    }

    /// The guard process, while there is one.
    pub fn id(&self) -> Option<u32> {
        self.0.lock().running.as_ref().map(|running| running.id.as_raw().cast_unsigned())
    }
}

impl Ticket {
    /// What the child needs to [`announce`] itself; `None` while no guard runs.
    pub(super) fn line(&self) -> Option<(Arc<OwnedFd>, u64)> {
        let state = self.guard.0.lock();
        state.running.as_ref().map(|running| (Arc::clone(&running.pipe), self.number))
    }

    /// The command has started. Said once more by the parent: the guard that the child told may be dead by now.
    pub(super) fn started(&self, group: Pid) {
        let mut state = self.guard.0.lock();
        state.groups.insert(self.number, group);
        state.tell(|pipe| announce(pipe, self.number, group));
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.guard.0.lock();
        state.groups.remove(&self.number);
        state.tell(|pipe| line::withdraw(pipe, self.number));
    }
}

impl State {
    fn tell(&self, line: impl FnOnce(&OwnedFd) -> Result<(), Errno>) {
        let Some(running) = &self.running else { return };
        // A guard that has died is noticed, and replaced, by the thread that watches it. One that does not read would
        // be left with a list that is wrong: it must go as well, and before its pipe is closed.
        if line(&running.pipe) == Err(Errno::EAGAIN) {
            let _ = kill(running.id, Signal::SIGKILL);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(self: &Arc<Self>, state: &mut State) {
        match self.launch() {
            Ok(running) => {
                state.running = Some(running);
                for (&ticket, &group) in &state.groups {
                    state.tell(|pipe| announce(pipe, ticket, group));
                }
            }
            Err(error) => log::warn!(
                "cannot start the guard {}: {error}. Were this process killed, what its commands started would go on",
                self.program.display()
            ),
        }
    }

    fn launch(self: &Arc<Self>) -> io::Result<Running> {
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .env(line::GUARDED, leftovers::instance())
            // A group of its own: a Ctrl-C in the terminal is not meant for it.
            .process_group(0)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        // The write end is close-on-exec, as all of std's: no command inherits it and holds it open.
        let pipe = child.stdin.take().map(OwnedFd::from).ok_or(io::ErrorKind::BrokenPipe)?;
        // Whoever writes must not wait for a guard that does not read.
        fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let id = Pid::from_raw(child.id().cast_signed());
        let shared = Arc::downgrade(self);
        thread::Builder::new()
            .name("guard-watch".into())
            .stack_size(128 * 1024)
            .spawn(move || watch(&shared, child))?;
        Ok(Running { id, pipe: Arc::new(pipe) })
    }
}

/// Waits for a guard's end and replaces it while there is something to guard.
fn watch(shared: &Weak<Shared>, mut child: Child) {
    let started = Instant::now();
    let id = Pid::from_raw(child.id().cast_signed());
    while waitid(Id::Pid(id), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) == Err(Errno::EINTR) {}
    if let Some(shared) = shared.upgrade() {
        // Forgotten before it is reaped: nobody may kill it by a number that is another process's by then.
        shared.lock().running = None;
    }
    let _ = child.wait();
    if started.elapsed() < SHORT_LIFE {
        thread::sleep(SHORT_LIFE);
    }
    let Some(shared) = shared.upgrade() else { return };
    let mut state = shared.lock();
    if state.running.is_none() && !state.groups.is_empty() {
        log::warn!("the guard process {id} has died and is started again");
        shared.start(&mut state);
    }
}
