//! Nodes on one store whose heads are in Redis.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use jobqueue::{
    actors::NodeSettings,
    broker::{Bus, RedisConfig},
    clock::{Clock, SystemClock},
    engine::{Changes, ClaimReply, Engine, Listener, Settings, StageThreads, Submission},
    server::{Embedded, Place},
    store::{Act, Location, WorkerInfo, sqlite::SqliteStore},
    task::{NewTask, Outcome, WorkerId},
    work::{Registry, StopReason, TaskContext, TaskFailure},
};

use crate::server::{DEADLINE, Redis, eventually};

/// What a node is told by its engine.
#[derive(Debug, PartialEq)]
enum Told {
    Woken(Arc<str>),
    Changed(Changes2),
}

type Changes2 = (Vec<jobqueue::task::TaskId>, Vec<Arc<str>>);

struct Tell(Mutex<mpsc::Sender<Told>>);

impl Tell {
    fn tell(&self, told: Told) {
        let _ = self.0.lock().unwrap().send(told);
    }
}

impl Listener for Tell {
    fn woken(&self, queue: &Arc<str>) {
        self.tell(Told::Woken(queue.clone()));
    }
    fn is_interested(&self) -> bool {
        true
    }
    fn changed(&self, changes: Changes) {
        self.tell(Told::Changed((changes.ids, changes.queues.into_iter().collect())));
    }
    fn unresolved(&self) {}
    fn operation_begun(&self) {}
    fn fenced(&self) {}
}

struct Peer {
    engine: Engine,
    told: mpsc::Receiver<Told>,
    _stage: StageThreads,
}

impl Peer {
    /// A node without actors, on a store that it shares with others.
    fn start(store: &SqliteStore, redis: &Redis) -> Self {
        let broker = Arc::new(redis.broker());
        let worker = WorkerInfo {
            patience: 12_000,
            id: WorkerId::new(),
            node: None,
            host: "here".into(),
            pid: 1,
            version: "0".into(),
            slots: 2,
            started_at: SystemClock.now(),
            ..WorkerInfo::default()
        };
        let (session, reader, clock) = (store.session().unwrap(), store.reader(), Arc::new(SystemClock));
        let settings = Settings::default();
        let (engine, stage) = Engine::start(vec![session], reader, broker.clone(), clock, settings, &worker).unwrap();
        let (tell, told) = mpsc::channel();
        engine.listen(Arc::new(Tell(Mutex::new(tell))));
        let bus: Arc<dyn Bus> = broker;
        engine.join(&bus);
        Self { engine, told, _stage: stage }
    }

    async fn submit(&self) -> NewTask {
        let task = NewTask::named("t", "q", self.engine.clock().now());
        let submission = Submission { tasks: vec![task], ..Submission::default() };
        self.engine.submit(submission).await.unwrap().tasks.remove(0)
    }

    fn claim(&self) -> ClaimReply {
        let (reply, claimed) = mpsc::channel();
        self.engine.claim("q".into(), 5, move |claimed| reply.send(claimed).unwrap());
        claimed.recv_timeout(DEADLINE).unwrap().unwrap()
    }

    fn hears(&self, what: &str, mut is_it: impl FnMut(&Told) -> bool) {
        eventually(what, || self.told.try_iter().any(|told| is_it(&told)));
    }
}

#[actix::test]
async fn what_one_node_does_the_other_hears_of() {
    let (redis, folder) = (Redis::start(), tempfile::tempdir().unwrap());
    let store = SqliteStore::open(&folder.path().join("jobs.db")).unwrap();
    store.migrate_up().unwrap();
    let (one, other) = (Peer::start(&store, &redis), Peer::start(&store, &redis));
    let listeners = || redis.command(&["PUBLISH", "jobqueue:bus", "{}"]) == redis::Value::Int(2);
    eventually("both listen", listeners);
    let queue: Arc<str> = "q".into();

    // A wake, on empty -> non-empty; and what has changed.
    assert!(one.claim().grants.is_empty());
    let task = one.submit().await;
    other.hears("the wake", |told| *told == Told::Woken(queue.clone()));
    other.hears("the event", |told| matches!(told, Told::Changed((ids, _)) if ids.contains(&task.id)));

    // A cancel of a task that runs elsewhere.
    let mut grants = other.claim().grants;
    let grant = grants.pop().unwrap();
    assert_eq!(grant.task().id, task.id);
    one.engine.cancel(task.id, None, false, Act::local("task.cancel", "t")).await.unwrap();
    eventually("the handler is asked to stop", || grant.stop().reason() == Some(StopReason::Cancel));

    // The end of a task that ran elsewhere.
    let watch = one.engine.watch(task.id);
    let mut ended = std::pin::pin!(watch.ended());
    ended.as_mut().enable();
    grant.finish(Outcome::Interrupted);
    tokio::time::timeout(DEADLINE, ended).await.unwrap();

    // Settings.
    let change = |row: &mut jobqueue::store::QueueRow| row.settings.concurrency = Some(7);
    one.engine.change_queue("q", None, change, Act::local("queue.configure", "q")).await.unwrap();
    let known = || other.engine.queue_settings("q").is_some_and(|settings| settings.concurrency == Some(7));
    eventually("the other knows", known);
    assert_eq!(one.engine.broker().outage(), None);
}

fn registry() -> Registry {
    let mut registry = Registry::new();
    registry.task("t", |_: TaskContext, (): ()| async { Ok::<_, TaskFailure>("done") }).unwrap();
    registry
}

async fn ended(node: &Embedded, tasks: u64) {
    let done = async {
        while node.engine.processed() < tasks {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(DEADLINE, done).await.unwrap();
}

async fn submit(node: &Embedded, tasks: usize) {
    let now = node.engine.clock().now();
    let tasks = (0..tasks).map(|_| NewTask::named("t", "q", now)).collect();
    node.engine.submit(Submission { tasks, ..Submission::default() }).await.unwrap();
}

#[actix::test]
async fn a_node_runs_every_task_once_whatever_happens_to_redis() {
    let (mut redis, folder) = (Redis::start(), tempfile::tempdir().unwrap());
    let settings = NodeSettings {
        slots: 4,
        heartbeat: Duration::from_secs(3),
        drain: Duration::from_secs(25),
        grace: Duration::from_secs(5),
        dead_letter_alert: None,
        queues: BTreeMap::new(),
        labels: BTreeSet::new(),
    };
    let config = RedisConfig::parse(&redis.url()).unwrap();
    let place = Place { store: Location::File(folder.path().join("jobs.db")), data: folder.path().into() };
    let node = Embedded::start(&place, registry(), settings, Settings::default(), Some(config)).await.unwrap();
    submit(&node, 500).await;
    ended(&node, 500).await;
    assert_eq!((node.engine.broker().kind(), node.engine.broker().outage()), ("redis", None));
    submit(&node, 3_000).await;
    redis.command(&["FLUSHALL"]);
    ended(&node, 3_500).await;
    submit(&node, 3_000).await;
    redis.kill();
    let before = std::time::Instant::now();
    submit(&node, 10).await;
    ended(&node, 6_510).await;
    eprintln!("{:?} for what was left when Redis was killed", before.elapsed());
    assert!(node.engine.broker().outage().is_some());
    redis.start_again(&[]);
    eventually("Redis is back", || node.engine.broker().outage().is_none());
    submit(&node, 3_000).await;
    redis.signal(nix::sys::signal::Signal::SIGSTOP);
    ended(&node, 9_510).await;
    redis.signal(nix::sys::signal::Signal::SIGCONT);
    assert_eq!(node.engine.processed(), 9_510, "none ran twice");
    assert_eq!(node.engine.failed() + node.engine.lost_leases(), 0);
    node.stop(std::future::pending()).await;
}
