//! The program: a configuration and handlers in, a server until it is told to stop.

use std::{
    net::{SocketAddr, TcpListener, ToSocketAddrs as _},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use tokio_util::task::AbortOnDropHandle;

use super::{
    Embedded, Place, StartError,
    node::location,
    reload::Reload,
    signals::{QuietSignals, StopSignals},
};
use crate::{
    actors::{NodeSettings, supervision::Exit},
    broker::{BadRedisConfig, RedisConfig},
    clock::{Clock as _, SystemClock},
    config::{CommandConfig, Config, Database, ProcessLimits, RedisSettings, Secret, Timeout},
    engine::{Engine, Key, NewSchedule, Settings},
    http::{self, ApiState, NodeInfo},
    store::{Act, Store},
    task::{
        Millis, RateLimit, RetryPolicy, TaskDefaults,
        rate::{Algorithm, LimitBy},
    },
    work::{CommandHandler, CommandSpec, Guard, Limits, PersistentHandler, Recycling, RegisterError, Registry},
};

/// Threads that serve HTTP. Two keep up with what one store can commit.
const HTTP_THREADS: usize = 2;

/// A server in the making.
///
/// ```no_run
/// use jobqueue::{App, config::{Config, Sources}, work::{TaskContext, TaskFailure}};
///
/// let mut app = App::new(Config::load(&Sources::process(Vec::new(), None))?);
/// app.task("add", |_: TaskContext, (a, b): (i64, i64)| async move { Ok::<_, TaskFailure>(a + b) })?;
/// app.run()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct App {
    config: Config,
    registry: Registry,
    guard: Option<Guard>,
    announce: Option<fn(SocketAddr)>,
    faults: bool,
}

/// Why a server did not start or has ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("cannot listen on {address}: {error}{fix}")]
    Listen { address: String, error: std::io::Error, fix: &'static str },
    #[error(
        "would let everybody who reaches {host} submit and cancel tasks, as there is no API key. Make one with \
         `jobqueue key create NAME --scope admin --local`, or set API_KEYS; or listen on 127.0.0.1, or accept the risk with \
         --insecure-no-auth"
    )]
    Open { host: String },
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("[tasks.{name}] cannot be used: {message}")]
    Command { name: String, message: String },
    #[error(transparent)]
    Handler(#[from] RegisterError),
    #[error("[schedules.{name}] cannot be used: {message}")]
    Schedule { name: String, message: String },
    #[error("the supervision tree has ended: {0}")]
    Tree(Exit),
    #[error("the HTTP server failed: {0}")]
    Http(std::io::Error),
}

impl App {
    pub fn new(config: Config) -> Self {
        Self { config, registry: Registry::new(), guard: None, announce: None, faults: false }
    }

    /// The handlers, to add to.
    pub fn registry(&mut self) -> &mut Registry {
        &mut self.registry
    }

    /// The process that ends what commands have started when this one is killed. Only for a program that hands
    /// `__guard` on to [`crate::work::guard::guard_main`].
    #[must_use]
    pub fn with_guard(mut self, guard: Guard) -> Self {
        self.guard = Some(guard);
        self
    }

    /// Called once the API listens.
    #[must_use]
    pub fn on_listening(mut self, announce: fn(SocketAddr)) -> Self {
        self.announce = Some(announce);
        self
    }

    /// Lets tests inject panics into actors over the API.
    #[must_use]
    pub fn allow_faults(mut self) -> Self {
        self.faults = true;
        self
    }

    /// Runs until a signal or until the tree gives up.
    pub fn run(mut self) -> Result<(), RunError> {
        refuse_open(&self.config)?;
        // First what fails for reasons of the machine: a port that is in use must not have touched the store.
        let listener = listen(&self.config.api.host, self.config.api.port)?;
        self.registry.check()?;
        self.add_commands()?;
        let schedules = schedules(&self.config)?;
        actix::System::new().block_on(self.serve(listener, schedules))
    }

    fn add_commands(&mut self) -> Result<(), RunError> {
        for (name, command) in std::mem::take(&mut self.config.tasks) {
            let fail = |message: String| RunError::Command { name: name.clone(), message };
            let (spec, guard) = (spec(&command), self.guard.clone());
            let added = if command.persistent {
                let max_tasks = command.max_tasks_per_child.unwrap_or(self.config.worker.max_tasks_per_child);
                let recycling = Recycling { max_tasks, memory: command.max_child_memory };
                let handler = PersistentHandler::new(spec, recycling, guard).map_err(|e| fail(e.to_string()))?;
                self.registry.add(name.clone(), handler)
            } else {
                let handler = CommandHandler::new(spec, guard).map_err(|e| fail(e.to_string()))?;
                self.registry.add(name.clone(), handler)
            };
            added.map_err(|error| fail(error.to_string()))?;
            self.config.tasks.insert(name, command);
        }
        Ok(())
    }

    async fn serve(self, listener: TcpListener, schedules: Option<Vec<NewSchedule>>) -> Result<(), RunError> {
        let Self { config, registry, announce, faults, .. } = self;
        // Before anybody can know of us: who is told that we are up may stop us at once.
        let (mut signals, quiet, reload) = (StopSignals::listen(), QuietSignals::listen(), Reload::listen());
        let node = start(&config, registry).await?;
        if let Some(schedules) = schedules {
            declare(&node.engine, schedules).await?;
        }
        let draining = Arc::new(AtomicBool::new(false));
        let state = api_state(&config, &node, draining.clone(), faults);
        let address = listener.local_addr().map_err(RunError::Http)?;
        let server = http::serve(listener, state, HTTP_THREADS).map_err(RunError::Http)?;
        let handle = server.handle();
        let mut serving = actix::spawn(server);
        let (fenced, orders) = (node.node.fenced.clone(), node.node.clone());
        let _obeying = AbortOnDropHandle::new(tokio::task::spawn_local(quiet.obey(orders.clone())));
        log::info!(address = address.to_string().as_str(), slots = config.worker.concurrency; "jobqueue is up");
        if let Some(announce) = announce {
            announce(address);
        }
        let reloading = actix::spawn(reload.run(config, node.engine.clone()));
        let ended = tokio::select! {
            () = signals.requested() => None,
            () = orders.standing.stop_asked() => None,
            exit = node.ended() => Some(exit),
            () = fenced.cancelled() => Some(Exit::GaveUp("the store holds this node to be dead".into())),
            served = &mut serving => {
                log::error!("The HTTP server has ended by itself: {served:?}");
                None
            }
        };
        reloading.abort();
        draining.store(true, std::sync::atomic::Ordering::SeqCst);
        log::info!(running = node.engine.held().len(); "Stopping: nothing new is started, running tasks may end");
        // The API answers reads while slots drain, so that their progress can be watched.
        let exit = node.stop(told_again(&mut signals, ended.is_some())).await;
        handle.stop(false).await;
        match ended.unwrap_or(exit) {
            Exit::Normal => Ok(()),
            other => Err(RunError::Tree(other)),
        }
    }
}

/// Resolves when the stop is to be cut short: at a second signal, or at once where there is nothing to wait for.
async fn told_again(signals: &mut StopSignals, failed: bool) {
    if !failed {
        signals.requested().await;
        log::warn!("Told to stop a second time: what still runs is ended and goes back to its queue");
    }
}

/// Whoever reaches the port could run tasks: that must be wanted explicitly. Keys in the store are looked for here already,
/// so that a server which refuses has neither listened nor started anything.
fn refuse_open(config: &Config) -> Result<(), RunError> {
    if !config.api.is_open() {
        return Ok(());
    }
    if !matches!(&config.database, Database::File(path) if !path.exists()) {
        let store = Store::open(&location(&config.database)).map_err(StartError::Store)?;
        store.migrate_up().map_err(StartError::Store)?;
        if !store.reader().keys().map_err(StartError::Store)?.is_empty() {
            return Ok(());
        }
    }
    Err(RunError::Open { host: config.api.host.clone() })
}

fn listen(host: &str, port: u16) -> Result<TcpListener, RunError> {
    let fail = |error: std::io::Error| {
        let fix = match error.kind() {
            std::io::ErrorKind::AddrInUse => ". Stop the program that uses it, or choose another port with --port",
            std::io::ErrorKind::PermissionDenied => ". Ports below 1024 need privileges; choose another with --port",
            _ => "",
        };
        RunError::Listen { address: format!("{host}:{port}"), error, fix }
    };
    let addresses: Vec<SocketAddr> = (host, port).to_socket_addrs().map_err(fail)?.collect();
    let listener = TcpListener::bind(addresses.as_slice()).map_err(fail)?;
    listener.set_nonblocking(true).map_err(fail)?;
    Ok(listener)
}

fn spec(command: &CommandConfig) -> CommandSpec {
    let mut spec = CommandSpec::new(command.argv.iter().cloned());
    spec.env = command.env.clone();
    spec.inherit_env = command.inherit_env.clone();
    spec.cwd = command.cwd.clone();
    spec.permanent_exit_codes = command.permanent_exit_codes.clone();
    let ProcessLimits { memory, cpu, open_files, file_size } = command.limits;
    spec.limits = Limits { memory, cpu, open_files, file_size };
    if let Some(limit) = command.output_limit {
        spec.output_limit = usize::try_from(limit).unwrap_or(usize::MAX);
    }
    spec
}

/// What the file says of schedules, checked as the API would; nothing is stored yet.
pub(super) fn schedules(config: &Config) -> Result<Option<Vec<NewSchedule>>, RunError> {
    let (defaults, now) = (defaults(config), SystemClock.now());
    let checked = |(name, json): (&String, &String)| {
        let fail = |message| RunError::Schedule { name: name.clone(), message };
        http::declared_schedule(name, json, &defaults, now).map_err(fail)
    };
    config.schedules.as_ref().map(|all| all.iter().map(checked).collect()).transpose()
}

pub(super) async fn declare(engine: &Engine, schedules: Vec<NewSchedule>) -> Result<(), StartError> {
    let declared = schedules.len();
    let changed = engine.declare_schedules(schedules).await?;
    log::info!(declared, changed; "The schedules of the configuration file are set");
    Ok(())
}

fn millis(value: Millis) -> Duration {
    Duration::from_millis(value.unsigned_abs())
}

async fn start(config: &Config, registry: Registry) -> Result<Embedded, StartError> {
    let settings = NodeSettings {
        slots: config.worker.concurrency,
        heartbeat: millis(config.worker.heartbeat_interval_ms),
        drain: millis(config.worker.drain_timeout_ms),
        grace: millis(config.worker.cancel_grace_ms),
        dead_letter_alert: config.dead_letter_alert,
        queues: config.worker.queues.clone(),
        labels: config.worker.labels.clone(),
    };
    let retry = RetryPolicy { base: config.defaults.retry_backoff_base, ..RetryPolicy::default() };
    let name = |number: usize| format!("{}{}", http::CONFIGURED, number + 1);
    let configured = config.api.keys.iter().enumerate();
    let keys = configured.map(|(number, key)| Arc::new(Key::configured(&name(number), key.reveal()))).collect();
    let engine_settings =
        Settings { retry, keys, rate_limit: default_limit(config), defaults: defaults(config), ..Settings::default() };
    let redis = redis(&config.redis)?;
    let node = Embedded::start(&Place::of(config), registry, settings, engine_settings, redis).await?;
    set_weights(&node.engine, config).await?;
    Ok(node)
}

/// Where the heads of the queues are to be kept, if in Redis.
fn redis(settings: &RedisSettings) -> Result<Option<RedisConfig>, BadRedisConfig> {
    let RedisSettings { url, host, port, db, user, password, prefix } = settings;
    let config = match (url, host) {
        (Some(url), _) => RedisConfig::parse(url.reveal())?,
        (None, Some(host)) => {
            let password = password.as_ref().map(Secret::reveal);
            RedisConfig::from_parts(host, *port, *db, user.as_deref(), password)?
        }
        (None, None) => return Ok(None),
    };
    config.with_prefix(prefix).map(Some)
}

/// A weight in the file is in force from the start, whether the queue has been used yet or not.
/// The limit of queues that have none of their own: per minute and class of priority; a class without one is free.
fn default_limit(config: &Config) -> Option<RateLimit> {
    config.rate_limit.iter().any(Option::is_some).then(|| RateLimit {
        by: LimitBy::Priority,
        limit: config.rate_limit.map(|limit| limit.unwrap_or(RateLimit::MAX_LIMIT)),
        per: 60_000,
        algorithm: Algorithm::SlidingWindow,
        burst: 0,
        enabled: true,
    })
}

async fn set_weights(engine: &Engine, config: &Config) -> Result<(), StartError> {
    for (name, queue) in &config.queues {
        let weight = queue.weight;
        engine.change_queue(name, None, move |row| row.weight = weight, Act::local("queue.configure", name)).await?;
    }
    Ok(())
}

/// What a submission gets that does not say otherwise.
fn defaults(config: &Config) -> TaskDefaults {
    let per_name = config.tasks.iter().map(|(name, task)| {
        let timeout = match task.timeout {
            Timeout::Inherit => config.defaults.timeout_ms,
            Timeout::Never => None,
            Timeout::After(limit) => Some(limit),
        };
        (name.clone(), (task.max_retries.unwrap_or(config.defaults.max_retries), timeout))
    });
    TaskDefaults {
        max_retries: config.defaults.max_retries,
        timeout_ms: config.defaults.timeout_ms,
        result_ttl_ms: config.defaults.result_ttl_ms,
        per_name: per_name.collect(),
    }
}

fn api_state(config: &Config, node: &Embedded, draining: Arc<AtomicBool>, allow_faults: bool) -> ApiState {
    ApiState {
        engine: node.engine.clone(),
        tree: node.node.tree.clone(),
        events: node.node.events.clone(),
        remote: node.node.remote.clone(),
        stuck: node.node.stuck.clone(),
        standing: node.node.standing.clone(),
        defaults: defaults(config),
        node: NodeInfo {
            host: node.worker.host.clone(),
            pid: node.worker.pid,
            version: env!("CARGO_PKG_VERSION"),
            slots: config.worker.concurrency,
            started_at: node.worker.started_at,
            environment: config.api.environment.clone().map(|name| (name, config.api.environment_color)),
        },
        draining,
        allow_faults,
        dead_letter_alert: config.dead_letter_alert,
        edge: http::EdgeSettings { hosts: vec![config.api.host.clone()], ..http::EdgeSettings::default() },
    }
}
