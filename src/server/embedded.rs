//! A node without its HTTP side: store, engine, handlers and the tree, started in order and stopped in reverse.

use std::{os::fd::BorrowedFd, path::Path, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::node::{Identity, Place};

use crate::{
    actors::{
        Link, Node, NodeSettings,
        events::EventHub,
        remote::RemoteHub,
        stuck::StuckHandlers,
        supervision::{Directory, Exit, Root, Supervisor, Tree},
        tree,
    },
    broker::{
        BadRedisConfig, Broker, Bus, InProcess, Line as NotifyLine, NotifyBroker, RedisBroker, RedisConfig,
        RedisStartError,
    },
    clock::{Clock as _, SystemClock},
    engine::{Engine, Settings, StageThreads},
    planted::{self, Bug},
    store::{Location, Store, StoreError, WorkerInfo, postgres},
    task::{Serves, WorkerId, patience},
    work::{Registry, witness},
};

/// How long handlers get to notice that the process ends, after their tasks were given back.
const HANDLERS_END: Duration = Duration::from_secs(1);

/// A running node.
pub struct Embedded {
    pub engine: Engine,
    pub node: Arc<Node>,
    pub worker: WorkerInfo,
    root: Root,
    stages: StageThreads,
    handlers: Handlers,
    /// Free again when nothing of this node is left.
    _identity: Option<Identity>,
}

/// The runtime of the handlers. Dropped as it is on an arbiter, a runtime would panic: it waits for its threads.
struct Handlers(Option<tokio::runtime::Runtime>);

impl Handlers {
    /// Ends the handlers' tasks, and with each the grant it holds. Blocks.
    fn end(mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_timeout(HANDLERS_END);
        }
    }
}

impl Drop for Handlers {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Node(String),
    #[error("REDIS_URL: {0}")]
    RedisConfig(#[from] BadRedisConfig),
    #[error(transparent)]
    Redis(#[from] RedisStartError),
    #[error("cannot start the threads that run handlers: {0}")]
    Handlers(std::io::Error),
}

impl Embedded {
    /// Opens the store (bringing its schema up), takes back what an earlier life of this node held, and starts the tree on
    /// this thread's arbiter. With `redis` the heads of the queues are kept there.
    pub async fn start(
        place: &Place,
        registry: Registry,
        settings: NodeSettings,
        engine_settings: Settings,
        redis: Option<RedisConfig>,
    ) -> Result<Self, StartError> {
        let identity = match &place.store {
            Location::File(_) => None,
            Location::Server(_) => Some(Identity::take(&place.data).map_err(StartError::Node)?),
        };
        let node_id = identity.as_ref().map(|identity| identity.id.clone());
        let store = Store::open(&place.store)?;
        for migration in store.migrate_up()? {
            log::info!("Migration {migration} was applied to {}", store.name());
        }
        let runtime = handler_runtime(settings.slots).map_err(StartError::Handlers)?;
        let (handle, handlers) = (runtime.handle().clone(), Handlers(Some(runtime)));
        let clock = Arc::new(SystemClock);
        let worker = worker_info(clock.now(), &settings, &registry, node_id.clone());
        let Joint { broker, bus, line } = joint(redis, &store).await?;
        let spool = place.spool();
        let engine_settings = Settings { spool: Some(spool.clone()), ..engine_settings };
        let (engine, stages) =
            Engine::start(store.sessions()?, store.reader(), broker, clock, engine_settings, &worker)?;
        // Before its leases are taken back: an outcome counts only while the task is its holder's.
        let late = planted::is(Bug::SpoolAfterReap);
        if !late {
            engine.replay(&spool).await?;
        }
        take_over(&engine, node_id, &place.witness()).await?;
        if late {
            engine.replay(&spool).await?;
        }
        let remote = RemoteHub::new(settings.heartbeat, settings.grace);
        let slots = settings.slots;
        let node = Arc::new(Node {
            engine: engine.clone(),
            registry,
            handlers: handle,
            settings,
            directory: Directory::new(),
            tree: Tree::new(),
            events: EventHub::default(),
            remote,
            stuck: StuckHandlers::new(slots),
            standing: Arc::default(),
            fenced: CancellationToken::new(),
        });
        let root = tree::start(&node);
        // Supervisors start their children in turns of their own: a wake needs the one of the queues.
        while node.directory.get::<Supervisor>(tree::QUEUES).is_none() {
            tokio::task::yield_now().await;
        }
        engine.listen(Arc::new(Link(node.clone())));
        if let Some(bus) = bus {
            engine.join(&bus);
        }
        if let Some(line) = &line {
            engine.hear(line);
        }
        for queue in engine.reader().queues()? {
            node.wake(&queue.name.into());
        }
        Ok(Self { engine, node, worker, root, stages, handlers, _identity: identity })
    }

    /// Resolves when the tree has ended, by [`Embedded::stop`] or by giving up.
    pub fn ended(&self) -> impl Future<Output = Exit> + use<> {
        self.root.exit()
    }

    /// Starts nothing more and lets running tasks end within the drain, or until `at_once` resolves; what is left goes back
    /// to its queue.
    pub async fn stop(self, at_once: impl Future<Output = ()>) -> Exit {
        let Self { engine, root, stages, handlers, _identity, .. } = self;
        if let Err(error) = engine.set_worker_state("draining").await {
            log::warn!("The store could not be told that this node drains: {error}");
        }
        let exit = tokio::select! {
            exit = root.stop() => exit,
            () = at_once => Exit::Normal,
        };
        drop(root); // with its slots, if some still run
        if let Err(error) = engine.set_worker_state("stopped").await {
            log::warn!("The store could not be told that this node has stopped: {error}");
        }
        // Both block: neither is for an arbiter.
        let ended = tokio::task::spawn_blocking(move || {
            handlers.end();
            engine.close();
            stages.join();
        });
        if ended.await.is_err() {
            log::error!("The end of the stage could not be waited for");
        }
        exit
    }
}

/// What a node has in common with others.
struct Joint {
    broker: Arc<dyn Broker>,
    /// The way to the other nodes, where there may be some.
    bus: Option<Arc<dyn Bus>>,
    /// Besides it: hears what was submitted in SQL, where Redis carries everything else.
    line: Option<Arc<dyn Bus>>,
}

impl NotifyLine for postgres::Line {
    fn hear(&mut self, rouse: BorrowedFd<'_>, patience: Duration) -> Result<Vec<String>, String> {
        Self::hear(self, rouse, patience)
    }

    fn say(&mut self, messages: &[String]) -> Result<(), String> {
        Self::say(self, messages)
    }
}

async fn joint(redis: Option<RedisConfig>, store: &Store) -> Result<Joint, StartError> {
    let notify = match store {
        Store::Sqlite(_) => None,
        Store::Postgres(database) => {
            let database = database.clone();
            let name = database.name().clone();
            let open = move || database.line().map(|line| Box::new(line) as Box<dyn NotifyLine>);
            let started = NotifyBroker::start(name, Box::new(open), redis.is_some());
            Some(Arc::new(started.map_err(StartError::Handlers)?))
        }
    };
    let Some(config) = redis else {
        return Ok(match notify {
            Some(notify) => Joint { broker: notify.clone(), bus: Some(notify), line: None },
            None => Joint { broker: Arc::new(InProcess::default()), bus: None, line: None },
        });
    };
    // Not on the arbiter: it waits for the first answer.
    let connected = tokio::task::spawn_blocking(move || RedisBroker::connect(config)).await;
    let broker = Arc::new(connected.map_err(|error| StartError::Handlers(std::io::Error::other(error)))??);
    Ok(Joint { broker: broker.clone(), bus: Some(broker), line: notify.map(|line| line as Arc<dyn Bus>) })
}

/// Most threads that poll handlers: what four slots, the default, need. Each one that sleeps is one more to be woken by a burst.
const MOST_POLLING: usize = 9;
/// Threads for what blocks besides attempts: reads of parents' results, and what handlers start themselves.
const BLOCKING_BESIDES: usize = 64;

/// Handlers that never yield keep a thread each, while they run in a slot and while they are stuck beside it: with two threads
/// for each slot and one more they hold up nobody. On a node with many slots so many of them are not expected. Threads live
/// as long as the process: a child's parent-death signal comes with the end of the *thread* that started it.
fn handler_runtime(slots: usize) -> std::io::Result<tokio::runtime::Runtime> {
    let cores = std::thread::available_parallelism().map_or(2, usize::from).max(2);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads((2 * slots + 1).clamp(cores, MOST_POLLING.max(cores)))
        .max_blocking_threads(2 * slots + BLOCKING_BESIDES)
        .thread_name("handler")
        .enable_all()
        .build()
}

fn worker_info(now: i64, settings: &NodeSettings, registry: &Registry, node: Option<String>) -> WorkerInfo {
    let serves = Serves::new(Some(registry.names().map(str::to_owned).collect()), settings.labels.clone());
    let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
    WorkerInfo {
        id: WorkerId::new(),
        node,
        host: if host.is_empty() { "localhost".into() } else { host },
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").into(),
        slots: u32::try_from(settings.slots).unwrap_or(u32::MAX),
        started_at: now,
        patience: patience(settings.heartbeat),
        queues: settings.queues.keys().cloned().collect(),
        serves: Arc::new(serves),
        ..WorkerInfo::default()
    }
}

/// Takes back what earlier lives of this node held, and sees to it that a crash of this one names its cause.
async fn take_over(engine: &Engine, node: Option<String>, witness: &Path) -> Result<(), StoreError> {
    let reaped = engine.reap_predecessors(node, witness::last_words(witness)).await?;
    // After the commit: what was written there has been heard.
    if let Err(error) = witness::listen(witness) {
        log::warn!("A crash of this process will not name its cause: {}: {error}", witness.display());
    }
    if reaped.workers > 0 {
        log::warn!(
            workers = reaped.workers, requeued = reaped.requeued.len(), poisoned = reaped.poisoned.len(),
            cancelled = reaped.cancelled.len();
            "An earlier life of this node ended without stopping; its tasks were taken back"
        );
    }
    Ok(())
}
