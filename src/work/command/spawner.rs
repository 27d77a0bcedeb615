//! The one thread that starts all commands.
//!
//! The kernel's parent-death signal is sent when the *thread* that forked ends, not the process. A runtime's thread may
//! end early (one that entered `block_in_place` becomes a spare thread), and its children would be killed with it. This
//! thread lives as long as the process; and it spares the runtime the time that forking takes.

use std::{
    io,
    os::fd::OwnedFd,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};

use nix::{
    errno::Errno,
    sys::{
        prctl,
        signal::{SigHandler, Signal, signal},
    },
    unistd::{Pid, getppid},
};
use tokio::{process::Command, runtime::Handle, sync::oneshot};

use super::{Limits, process::Group};
use crate::work::{
    Guard,
    guard::{Ticket, announce},
};

struct Request {
    command: Command,
    limits: Limits,
    guard: Option<Guard>,
    /// The runtime that will watch the child.
    runtime: Handle,
    reply: oneshot::Sender<io::Result<Group>>,
}

static SPAWNER: Mutex<Option<mpsc::Sender<Request>>> = Mutex::new(None);

/// Starts a command. Where the caller has gone away by then, the child is killed.
pub(super) async fn spawn(command: Command, limits: Limits, guard: Option<Guard>) -> io::Result<Group> {
    let (reply, answer) = oneshot::channel();
    requests()?
        .send(Request { command, limits, guard, runtime: Handle::current(), reply })
        .map_err(|_| io::Error::other("the thread that starts commands has ended"))?;
    answer.await.unwrap_or_else(|_| Err(io::Error::other("the start of the command panicked")))
}

fn requests() -> io::Result<mpsc::Sender<Request>> {
    let mut spawner = SPAWNER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(sender) = &*spawner {
        return Ok(sender.clone());
    }
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new().name("spawner".into()).spawn(move || serve(&receiver))?;
    *spawner = Some(sender.clone());
    Ok(sender)
}

fn serve(requests: &mpsc::Receiver<Request>) {
    for Request { command, limits, guard, runtime, reply } in requests {
        if reply.is_closed() {
            continue;
        }
        // Tokio panics where its runtime is shutting down; this thread must outlive that.
        let started = catch_unwind(AssertUnwindSafe(|| start(command, limits, guard, &runtime)));
        // A reply that nobody takes drops the group, which kills it.
        let _ = reply.send(started.unwrap_or_else(|_| Err(io::Error::other("the runtime is shutting down"))));
    }
}

fn start(mut command: Command, limits: Limits, guard: Option<Guard>, runtime: &Handle) -> io::Result<Group> {
    let _entered = runtime.enter();
    let ticket = guard.as_ref().map(Guard::ticket);
    command.process_group(0);
    prepare(&mut command, limits, ticket.as_ref().and_then(Ticket::line));
    Group::adopt(command.spawn()?, ticket)
}

/// What the child does between fork and exec.
fn prepare(command: &mut Command, limits: Limits, guard: Option<(Arc<OwnedFd>, u64)>) {
    let parent = Pid::this();
    let set_up = move || {
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        // The parent may have died before the line above: then no signal will come.
        if getppid() != parent {
            return Err(Errno::ESRCH.into());
        }
        // The child announces itself: were that left to the parent, a kill between fork and announcement would leave
        // what the child starts unguarded. The owned descriptor in this closure keeps its number from being reused.
        if let Some((pipe, ticket)) = &guard {
            #[expect(unsafe_code, reason = "a dead guard must not kill the child by SIGPIPE")]
            // SAFETY: no handler is installed, only ignoring and the default, which std has set just before.
            unsafe { signal(Signal::SIGPIPE, SigHandler::SigIgn) }?;
            let _ = announce(pipe, *ticket, Pid::this());
            #[expect(unsafe_code, reason = "and the program starts with the default")]
            // SAFETY: as above.
            unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }?;
        }
        // Last: the announcement is not to fail for want of what the program may not have.
        limits.apply()
    };
    #[expect(unsafe_code, reason = "process set-up between fork and exec has no safe form")]
    // SAFETY: the closure only makes the system calls prctl, getppid, getpid, sigaction, write and setrlimit, formats two numbers
    // into an array, and neither allocates nor locks.
    unsafe {
        command.pre_exec(set_up)
    };
}
