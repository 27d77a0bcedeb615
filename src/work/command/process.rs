//! A child process and the group it leads.

use std::{future, io, process::ExitStatus};

use nix::{
    sys::{
        signal::{Signal, killpg},
        wait::{Id, WaitPidFlag, WaitStatus, waitid},
    },
    unistd::Pid,
};
use tokio::{
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    signal::unix,
};

use super::{Limits, spawner};
use crate::work::{
    Guard,
    guard::Ticket,
    leftovers::{Run, VARIABLE},
};

/// A child that leads a process group. Dropping it kills the group and leaves the child to the runtime to reap.
///
/// The child stays unreaped until [`Group::finish`]: as long as it is, the number of its group cannot be given to
/// another, so no signal can hit a stranger.
pub(super) struct Group {
    child: Child,
    id: Pid,
    /// Its place in the guard's list until it is over.
    ticket: Option<Ticket>,
    /// Hears of children that ended; set up before the child exists, so that its end cannot be missed.
    changes: Option<unix::Signal>,
    /// Until it is over; and with it what has left the group.
    run: Option<Run>,
    finished: bool,
}

impl Group {
    /// Starts `command` as the leader of a new group.
    pub(super) async fn start(mut command: Command, limits: Limits, guard: Option<Guard>) -> io::Result<Self> {
        let changes = unix::signal(unix::SignalKind::child())?;
        let run = Run::begin()?;
        command.env(VARIABLE, run.mark());
        let mut group = spawner::spawn(command, limits, guard).await?;
        group.changes = Some(changes);
        group.run = Some(run);
        Ok(group)
    }

    /// Takes charge of a child that was just started.
    pub(super) fn adopt(child: Child, ticket: Option<Ticket>) -> io::Result<Self> {
        let id = child.id().and_then(|id| i32::try_from(id).ok()).ok_or_else(|| io::Error::other("it has no id"))?;
        let id = Pid::from_raw(id);
        if let Some(ticket) = &ticket {
            ticket.started(id);
        }
        Ok(Self { child, id, ticket, changes: None, run: None, finished: false })
    }

    pub(super) const fn id(&self) -> Pid {
        self.id
    }

    /// The child's ends of stdin, stdout and stderr; each can be taken once.
    pub(super) fn pipes(&mut self) -> (Option<ChildStdin>, Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdin.take(), self.child.stdout.take(), self.child.stderr.take())
    }

    /// Resolves once the child has ended; does not reap it. May be dropped and called again.
    pub(super) async fn exited(&mut self) {
        while !has_ended(self.id) {
            let changed = match &mut self.changes {
                Some(changes) => changes.recv().await,
                None => None,
            };
            if changed.is_none() {
                future::pending::<()>().await;
            }
        }
    }

    /// Sends a signal to everything in the group.
    pub(super) fn signal(&self, signal: Signal) {
        // Fails only where nothing is left to hear it.
        let _ = killpg(self.id, signal);
    }

    /// Asks everything in the group to end.
    pub(super) fn terminate(&self) {
        self.signal(Signal::SIGTERM);
        // A stopped process acts on a signal only when it is continued.
        self.signal(Signal::SIGCONT);
    }

    /// Kills the whole group, and then what has left it; resolves when that is done.
    pub(super) async fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        if let Some(run) = self.run.take() {
            run.end().await;
        }
    }

    /// Kills what is left in the group of a child that has ended, and reaps the child. What has left the group follows.
    pub(super) async fn finish(mut self) -> io::Result<ExitStatus> {
        self.end();
        self.run = None;
        self.child.wait().await
    }

    fn end(&mut self) {
        self.finished = true;
        self.signal(Signal::SIGKILL);
        self.ticket = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.finished {
            self.end();
            if let Some(run) = &mut self.run {
                run.stopped();
            }
        }
    }
}

/// Whether a child of ours has ended, without reaping it. One that we cannot wait for has been reaped.
fn has_ended(id: Pid) -> bool {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    !matches!(waitid(Id::Pid(id), flags), Ok(WaitStatus::StillAlive) | Err(nix::errno::Errno::EINTR))
}
