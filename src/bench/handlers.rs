//! What it costs to run commands: children that stay, children for one task beside the same processes started by hand, and the
//! time from a cancel to the end of a child.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{
    BenchError, Options, Report,
    library::{QUEUE, drain, submit_many},
    report::{Handlers, Latency},
    site::{Site, Spot},
};
use crate::{
    actors::NodeSettings,
    engine::{Engine, Settings, Submission},
    server::Embedded,
    store::Act,
    task::{NewTask, TaskId},
    work::{CommandHandler, CommandSpec, Guard, PersistentHandler, Recycling, Registry, TaskContext},
};

/// Children at a time.
const SLOTS: usize = 8;
/// What a persistent child in Python is at least.
const CHILD: &str = r#"
import json, sys
for line in sys.stdin:
    task = json.loads(line)
    sys.stdout.write(json.dumps({"id": task["id"], "result": None}) + "\n")
    sys.stdout.flush()
"#;
/// Tells its process id and waits.
const WAITS: &str = "echo $$ > pid.part; mv pid.part pid; exec sleep 3600";
const DEAF: &str = "trap '' TERM; echo $$ > pid.part; mv pid.part pid; while :; do sleep 3600; done";
const CANCELS: usize = 200;
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn measure(options: &Options, site: &Site, report: &mut Report) -> Result<(), BenchError> {
    // Each of them is a process: fewer than of tasks without.
    let processes = (options.tasks / 25).max(100);
    let persistent_per_s = match has_python() {
        true => Some(drained(site, "persistent", options.tasks, |number, now| named("persistent", number, now)).await?),
        false => None,
    };
    let bare_before = bare(processes)?;
    let once_per_s = drained(site, "once", processes, |number, now| named("once", number, now)).await?;
    let bare_per_s = f64::midpoint(bare_before, bare(processes)?);
    let thread_per_s = drained(site, "thread", options.tasks, |number, now| named("thread", number, now)).await?;
    let cancel_ms = cancels(site, "waits", false).await?;
    let force_ms = cancels(site, "deaf", true).await?;
    report.handlers = Some(Handlers {
        persistent_per_s,
        once_per_s,
        bare_per_s,
        once_n: processes,
        thread_per_s,
        cancel_ms,
        force_ms,
    });
    Ok(())
}

fn named(name: &str, number: usize, now: i64) -> NewTask {
    NewTask { args: format!("[{number}]"), ..NewTask::named(name, QUEUE, now) }
}

fn has_python() -> bool {
    let version = Command::new("python3").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

/// The same program, by as many threads as there are slots, each waiting for the end of its own. Processes a second.
fn bare(processes: usize) -> Result<f64, BenchError> {
    let began = Instant::now();
    let each = processes.div_ceil(SLOTS);
    let run = || -> Result<(), std::io::Error> {
        for _ in 0..each {
            let pipes = [Stdio::piped(), Stdio::piped(), Stdio::piped()];
            let [stdin, stdout, stderr] = pipes;
            Command::new("true").stdin(stdin).stdout(stdout).stderr(stderr).spawn()?.wait_with_output()?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..SLOTS).map(|_| scope.spawn(run)).collect();
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(ran) => ran.map_err(BenchError::from),
            Err(_) => Err(BenchError::Other("a thread that started processes panicked".into())),
        })
    })?;
    Ok((each * SLOTS) as f64 / began.elapsed().as_secs_f64())
}

async fn drained(site: &Site, what: &str, tasks: usize, make: fn(usize, i64) -> NewTask) -> Result<f64, BenchError> {
    let node = start(&site.spot(&format!("handlers_{what}"))?).await?;
    // Children have been started, and statements prepared.
    for round in [SLOTS * 4, tasks] {
        node.engine.set_paused(QUEUE, true, Act::local("queue.pause", QUEUE)).await?;
        submit_many(&node.engine, round, make).await?;
        let rate = drain(&node, round, || {}).await?;
        if round == tasks {
            node.stop(std::future::pending()).await;
            return Ok(rate);
        }
    }
    Err(BenchError::Other("nothing was measured".into()))
}

async fn start(spot: &Spot) -> Result<Embedded, BenchError> {
    let failed = |error: &dyn std::fmt::Display| BenchError::Other(error.to_string());
    let guard = || Some(Guard::of_this_program());
    let folder = spot.folder();
    fs::create_dir_all(&folder)?;
    let mut registry = Registry::new();
    let spec = |argv: &[&str]| {
        let mut spec = CommandSpec::new(argv.iter().copied());
        spec.cwd = Some(folder.clone());
        spec
    };
    let stays =
        PersistentHandler::new(spec(&["python3", "-c", CHILD]), Recycling { max_tasks: 0, memory: None }, guard());
    registry.add("persistent", stays.map_err(|error| failed(&error))?).map_err(|error| failed(&error))?;
    for (name, argv) in [("once", &["true"][..]), ("waits", &["sh", "-c", WAITS]), ("deaf", &["sh", "-c", DEAF])] {
        let handler = CommandHandler::new(spec(argv), guard()).map_err(|error| failed(&error))?;
        registry.add(name, handler).map_err(|error| failed(&error))?;
    }
    let noop = |_: TaskContext, _: crate::work::Arguments| Ok::<_, crate::work::TaskFailure>(());
    registry.blocking_task("thread", noop).map_err(|error| failed(&error))?;
    let settings = NodeSettings {
        slots: SLOTS,
        heartbeat: Duration::from_secs(3),
        drain: Duration::from_secs(25),
        grace: Duration::from_secs(5),
        dead_letter_alert: None,
        queues: BTreeMap::new(),
        labels: BTreeSet::new(),
    };
    let engine_settings = Settings::default();
    Ok(Embedded::start(&spot.place, registry, settings, engine_settings, spot.redis.clone()).await?)
}

/// From the call of cancel to the end of the child's process, one after the other.
async fn cancels(site: &Site, name: &'static str, force: bool) -> Result<Latency, BenchError> {
    let spot = site.spot(&format!("handlers_{name}"))?;
    let node = start(&spot).await?;
    let pid_file = spot.folder().join("pid");
    let mut samples = Vec::with_capacity(CANCELS);
    for _ in 0..CANCELS {
        let task = NewTask::named(name, QUEUE, node.engine.clock().now());
        let id = task.id;
        node.engine.submit(Submission { tasks: vec![task], ..Submission::default() }).await?;
        let pid = until(|| fs::read_to_string(&pid_file).ok()?.trim().parse::<u32>().ok()).await?;
        fs::remove_file(&pid_file)?;
        samples.push(cancel(&node.engine, id, pid, force).await?);
    }
    node.stop(std::future::pending()).await;
    Ok(Latency::of(samples))
}

async fn cancel(engine: &Engine, id: TaskId, pid: u32, force: bool) -> Result<f64, BenchError> {
    let began = Instant::now();
    engine.cancel(id, None, force, Act::local("task.cancel", id)).await?;
    until(|| has_ended(pid).then_some(())).await?;
    Ok(began.elapsed().as_secs_f64() * 1_000.0)
}

/// A zombie has ended.
fn has_ended(pid: u32) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    stat.map_or(true, |stat| stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with(['Z', 'X'])))
}

async fn until<T>(mut ask: impl FnMut() -> Option<T>) -> Result<T, BenchError> {
    let over = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return Ok(answer);
        }
        if Instant::now() > over {
            return Err(BenchError::Other("a child neither began nor ended".into()));
        }
        tokio::time::sleep(Duration::from_micros(500)).await;
    }
}
