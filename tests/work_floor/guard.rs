//! A kill -9 of the process that runs commands leaves nothing of theirs. The tests start themselves as that process.

use std::{
    env, fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use jobqueue::{
    task::Outcome,
    work::{CommandSpec, Guard, StopSignal, guard::guard_main, perform},
};
use nix::{
    fcntl::{FcntlArg, fcntl},
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::support::{command, ended, eventually, granted, pids, run, script, state};

/// Set, to a folder, in the processes that are not the test.
const FOLDER: &str = "WORK_TEST_FOLDER";

/// A child, a grandchild and one in a session of its own, all of which ignore SIGTERM and hangups; writes their ids.
const STUBBORN: &str = "trap '' TERM HUP; sh -c 'echo $$ >> $0; exec sleep 1000' $1 & \
                        setsid sh -c 'echo $$ >> $0; exec sleep 1000' $1 & \
                        while ! [ -s $1 ] || [ $(wc -l < $1) -lt 2 ]; do sleep 0.01; done; echo $$ >> $1; wait";

fn guard() -> Guard {
    Guard::new(env::current_exe().unwrap(), ["guard::in_the_guard", "--exact"])
}

/// Not a test, unless the node below starts it.
#[test]
fn in_the_guard() {
    if env::var_os(FOLDER).is_some() {
        guard_main();
    }
}

/// Not a test, unless a test below starts it: runs a command until it is killed.
#[tokio::test]
async fn in_the_node() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let guard = guard();
    let registry = command(script(STUBBORN, &[&folder.join("pids")]), Some(guard.clone()));
    let stop = StopSignal::new();
    let reporting = async {
        let mut last = None;
        loop {
            let id = guard.id();
            if id != last {
                last = id;
                fs::write(folder.join("guard"), id.map(|id| format!("{id}\n")).unwrap_or_default()).unwrap();
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::select! {
        _ = perform(&registry, granted("command", "[]", "{}"), &stop, Duration::ZERO) => {}
        () = reporting => {}
    }
}

/// A process that runs a command, killed at the latest with the test.
struct Node(Child);

impl Node {
    fn start(folder: &Path) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["guard::in_the_node", "--exact", "--nocapture"]).env(FOLDER, folder).stdout(Stdio::null());
        Self(command.spawn().unwrap())
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid.cast_signed()), signal).unwrap();
}

#[tokio::test]
async fn a_killed_node_leaves_no_grandchild() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::start(folder.path());
    let processes = pids(&folder.path().join("pids"), 3).await;
    let guard = pids(&folder.path().join("guard"), 1).await[0];
    assert!(processes.iter().all(|&pid| state(pid).is_some_and(|state| state != 'Z')));
    node.kill();
    for pid in processes {
        ended(pid).await;
    }
    ended(guard).await;
}

#[tokio::test]
async fn a_guard_that_was_killed_is_replaced_by_one_that_knows_what_runs() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::start(folder.path());
    let processes = pids(&folder.path().join("pids"), 3).await;
    let file = folder.path().join("guard");
    let first = pids(&file, 1).await[0];
    signal(first, Signal::SIGKILL);
    let second = eventually("another guard runs", || {
        let id = fs::read_to_string(&file).ok()?.trim().parse::<u32>().ok()?;
        (id != first).then_some(id)
    })
    .await;
    node.kill();
    for pid in processes {
        ended(pid).await;
    }
    ended(second).await;
}

#[tokio::test]
async fn a_guard_ignores_what_ends_its_parent_and_is_in_a_group_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let _node = Node::start(folder.path());
    pids(&folder.path().join("pids"), 3).await;
    let guard = pids(&folder.path().join("guard"), 1).await[0];
    let stat = fs::read_to_string(format!("/proc/{guard}/stat")).unwrap();
    assert_eq!(stat.rsplit_once(") ").unwrap().1.split(' ').nth(2), Some(guard.to_string().as_str()));
    // In the real program it is the only thread there is; here the test harness has its own.
    eventually("the guard's thread blocks INT, QUIT, TERM and HUP", || {
        let threads = fs::read_dir(format!("/proc/{guard}/task")).ok()?.flatten();
        let mut masks = threads.filter_map(|thread| {
            let status = fs::read_to_string(thread.path().join("status")).ok()?;
            let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:"))?.trim().to_owned();
            u64::from_str_radix(&blocked, 16).ok()
        });
        let signals = [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGHUP];
        masks.any(|blocked| signals.iter().all(|&signal| blocked & (1 << (signal as u32 - 1)) != 0)).then_some(())
    })
    .await;
}

/// A guard that only writes down what it is told.
fn recorder(file: &Path) -> Guard {
    Guard::new("/bin/sh", ["-c", "exec cat > $0", file.to_str().unwrap()])
}

#[tokio::test]
async fn every_group_is_withdrawn_also_that_of_a_program_that_cannot_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lines");
    let guard = recorder(&file);
    let sound = command(CommandSpec::new(["true"]), Some(guard.clone()));
    let broken = command(CommandSpec::new(["/no/such/program"]), Some(guard.clone()));
    assert_eq!(run(&sound, granted("command", "[]", "{}")).await, Outcome::Success("null".into()));
    assert!(matches!(run(&broken, granted("command", "[]", "{}")).await, Outcome::Failure { .. }));
    let lines = eventually("the guard is told all", || {
        let text = fs::read_to_string(&file).ok()?;
        text.ends_with("-2\n").then(|| text.lines().map(str::to_owned).collect::<Vec<_>>())
    })
    .await;
    // The child announces itself, then the parent announces it; the program that cannot start is announced by itself.
    assert!(lines[0].starts_with("+1 ") && lines[0] == lines[1], "{lines:?}");
    assert!(lines[2] == "-1" && lines[3].starts_with("+2 ") && lines[4] == "-2" && lines.len() == 5, "{lines:?}");
}

#[tokio::test]
async fn a_guard_that_does_not_read_blocks_nobody_and_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lines");
    let guard = recorder(&file);
    let registry = command(CommandSpec::new(["true"]), Some(guard.clone()));
    let task = || granted("command", "[]", "{}");
    run(&registry, task()).await;
    let first = guard.id().unwrap();
    signal(first, Signal::SIGSTOP);
    let pipe = fs::File::open(format!("/proc/{first}/fd/0")).unwrap();
    fcntl(&pipe, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
    drop(pipe);
    // The quickest to fill it with.
    let broken = command(CommandSpec::new(["/no/such/program"]), Some(guard.clone()));
    let mut commands = 0;
    while guard.id() == Some(first) {
        run(&broken, task()).await;
        commands += 1;
        assert!(commands < 1_000, "the pipe never fills");
    }
    assert_eq!(run(&registry, task()).await, Outcome::Success("null".into()));
}

#[tokio::test]
async fn without_a_guard_that_can_start_commands_run_all_the_same() {
    let guard = Guard::new("/no/such/guard", [] as [&str; 0]);
    let registry = command(CommandSpec::new(["true"]), Some(guard.clone()));
    assert_eq!(run(&registry, granted("command", "[]", "{}")).await, Outcome::Success("null".into()));
    // One that dies at once: the child that announces itself to it must not be killed by a broken pipe.
    let guard = Guard::new("/bin/true", [] as [&str; 0]);
    let registry = command(CommandSpec::new(["true"]), Some(guard.clone()));
    for _ in 0..20 {
        assert_eq!(run(&registry, granted("command", "[]", "{}")).await, Outcome::Success("null".into()));
    }
}
