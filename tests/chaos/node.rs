//! A node as a process of its own: this test program, started again with a variable that tells it so. It runs the server of
//! the library with one handler, which writes down when it starts and ends.

use std::{
    fs::{self, File, OpenOptions},
    hash::{DefaultHasher, Hasher as _},
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jobqueue::{
    App,
    config::{Config, Sources},
    logging,
    work::{TaskContext, TaskFailure},
};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    history::{Line, Moment, now},
    load::fails,
    secrets::PAYLOAD,
    whole::HANDLER,
};

/// Name of the node that this process is.
pub(crate) const NAME: &str = "JOBQUEUE_CHAOS_NODE";
/// Folder of the run.
pub(crate) const FOLDER: &str = "JOBQUEUE_CHAOS_FOLDER";

#[derive(Deserialize)]
struct Work {
    n: usize,
    ms: u64,
    fails: u64,
}

/// Of a task that writes nothing down.
#[derive(Deserialize)]
struct Extra {
    fails: bool,
}

struct Log {
    node: String,
    file: File,
}

/// Where a node says that it is up.
pub(crate) fn address_file(folder: &Path, node: &str) -> PathBuf {
    folder.join(format!("{node}.address"))
}

pub(crate) fn run() {
    let (node, folder) = (std::env::var(NAME).unwrap(), PathBuf::from(std::env::var(FOLDER).unwrap()));
    end_with_parent();
    let file = OpenOptions::new().create(true).append(true).open(folder.join(format!("{node}.handlers"))).unwrap();
    let log = Arc::new(Log { node, file });
    let config = Config::load(&Sources::process(Vec::new(), None)).unwrap();
    logging::init(&config.log).unwrap();
    let mut app = App::new(config).on_listening(announce);
    let work = move |context: TaskContext, work: Work| {
        let log = log.clone();
        async move { log.work(&context, work).await }
    };
    app.task("chaos.work", work).unwrap();
    app.task(HANDLER, |_: TaskContext, Extra { fails }: Extra| async move {
        if fails { Err(TaskFailure::new("fails as drawn")) } else { Ok(Value::Null) }
    })
    .unwrap();
    if let Err(error) = app.run() {
        eprintln!("{error}");
        std::process::exit(1);
    }
    std::process::exit(0);
}

/// A test that is killed leaves no nodes behind.
fn end_with_parent() {
    let parent = nix::unistd::getppid();
    std::thread::spawn(move || {
        while nix::unistd::getppid() == parent {
            std::thread::sleep(Duration::from_millis(500));
        }
        std::process::exit(2);
    });
}

fn announce(address: SocketAddr) {
    let (node, folder) = (std::env::var(NAME).unwrap(), PathBuf::from(std::env::var(FOLDER).unwrap()));
    let (part, whole) = (folder.join(format!("{node}.part")), address_file(&folder, &node));
    fs::write(&part, address.to_string()).unwrap();
    fs::rename(part, whole).unwrap();
}

/// Of a task's arguments, by value: the store may write them otherwise.
pub(crate) fn hash(kwargs: &str) -> u64 {
    let value: Value = serde_json::from_str(kwargs).unwrap_or_default();
    let mut hasher = DefaultHasher::new();
    hasher.write(value.to_string().as_bytes());
    hasher.finish()
}

impl Log {
    async fn work(&self, context: &TaskContext, work: Work) -> Result<Value, TaskFailure> {
        self.write(context, &work, Moment::Start);
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(work.ms)) => {}
            () = context.cancelled() => {
                self.write(context, &work, Moment::Stopped);
                return Err(TaskFailure::new("was asked to stop"));
            }
        }
        if fails(work.n, context.attempt(), work.fails) {
            self.write(context, &work, Moment::Failure);
            return Err(TaskFailure::new("fails as planned"));
        }
        self.write(context, &work, Moment::Success);
        Ok(result(work.n, context.attempt(), lease(context), &self.node))
    }

    /// One write a line: with O_APPEND none is torn by another.
    fn write(&self, context: &TaskContext, work: &Work, what: Moment) {
        let line = Line {
            at: now(),
            what,
            task: Uuid::from_bytes(*context.id().as_bytes()),
            attempt: context.attempt(),
            lease: lease(context),
            n: work.n,
            queue: context.queue().to_owned(),
            node: self.node.clone(),
            pid: std::process::id(),
            hash: hash(context.kwargs_json()),
        };
        let mut text = serde_json::to_string(&line).unwrap();
        text.push('\n');
        (&self.file).write_all(text.as_bytes()).unwrap();
    }
}

fn lease(context: &TaskContext) -> Uuid {
    Uuid::from_bytes(*context.lease().lease.as_bytes())
}

/// What a handler returns: it names the attempt that made it.
pub(crate) fn result(n: usize, attempt: u32, lease: Uuid, node: &str) -> Value {
    json!({"n": n, "attempt": attempt, "lease": lease, "node": node, "secret": PAYLOAD})
}
