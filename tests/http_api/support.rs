//! A server in this process and a client that speaks plain HTTP/1.1 over TCP.

use std::{
    collections::HashMap,
    net::{SocketAddr, TcpListener},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jobqueue::{
    actors::{
        events::{EventHub, Events},
        notes::NoteTaker,
        remote::{Beats, Polls, RemoteHub},
        stuck::StuckHandlers,
        supervision::Tree,
    },
    broker::{Broker, Bus, InProcess, RedisBroker, RedisConfig},
    clock::SystemClock,
    engine::{Changes, ClaimReply, Claimer, Engine, Grant, Listener, Settings},
    http::{ApiState, EdgeSettings, NodeInfo, TaskDefaults, serve},
    store::{Counted, Location, Store, WorkerInfo},
    task::{Granted, Serves, TaskId, WorkerId},
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

#[path = "../support/store.rs"]
mod store;

/// Long enough for a loaded machine; no test takes it unless it fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Tries until it is so.
pub(crate) async fn eventually(what: &str, mut probe: impl AsyncFnMut() -> bool) {
    let over = std::time::Instant::now() + 2 * DEADLINE;
    while !probe().await {
        assert!(std::time::Instant::now() < over, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What a node without handlers serves.
pub(crate) fn nothing() -> Serves {
    Serves::new(Some(Default::default()), Default::default())
}

/// What a remote worker has to stop a task.
pub(crate) const GRACE: Duration = Duration::from_secs(1);

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) engine: Engine,
    pub(crate) events: EventHub,
    pub(crate) draining: Arc<AtomicBool>,
    store: Store,
    _folder: tempfile::TempDir,
}

struct Tell(EventHub, RemoteHub);

impl Listener for Tell {
    fn woken(&self, queue: &Arc<str>) {
        self.1.woken(queue);
    }
    fn cancelled(&self, ids: &[TaskId], at_once: bool) {
        self.1.cancelled(ids, at_once);
    }
    fn worker_asked(&self, _: WorkerId) {
        self.1.asked();
    }
    fn is_interested(&self) -> bool {
        self.0.is_watched()
    }
    fn changed(&self, changes: Changes) {
        self.0.changed(changes);
    }
    fn unresolved(&self) {}
    fn operation_begun(&self) {}
    fn fenced(&self) {}
}

fn broker(folder: &Path) -> (Arc<dyn Broker>, Option<Arc<dyn Bus>>) {
    let Some((url, prefix)) = store::redis(folder) else { return (Arc::new(InProcess::default()), None) };
    let config = RedisConfig::parse(&url).unwrap().with_prefix(&prefix).unwrap();
    let broker = Arc::new(RedisBroker::connect(config).unwrap());
    assert_eq!(broker.outage(), None, "the Redis of JOBQUEUE_TEST_BROKER answers");
    (broker.clone(), Some(broker))
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut ApiState)) -> Self {
        Self::with_settings(Settings::default(), change).await
    }

    pub(crate) async fn with_settings(settings: Settings, change: impl FnOnce(&mut ApiState)) -> Self {
        Self::whole(settings, Serves::everything(), change).await
    }

    /// One whose node runs nothing but this.
    pub(crate) async fn serving(serves: Serves) -> Self {
        Self::whole(Settings::default(), serves, |_| {}).await
    }

    async fn whole(settings: Settings, serves: Serves, change: impl FnOnce(&mut ApiState)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = match store::database(folder.path()) {
            Some(url) => Location::Server(url),
            None => Location::File(folder.path().join("jobs.db")),
        };
        let store = Store::open(&location).unwrap();
        store.migrate_up().unwrap();
        let worker = WorkerInfo {
            patience: 12_000,
            id: WorkerId::new(),
            node: None,
            host: "here".into(),
            pid: 1,
            version: "0".into(),
            slots: 2,
            started_at: 1_800_000_000_000,
            serves: Arc::new(serves),
            ..WorkerInfo::default()
        };
        let sessions = store.sessions().unwrap();
        let (broker, bus) = broker(folder.path());
        let (engine, _stage) =
            Engine::start(sessions, store.reader(), broker, Arc::new(SystemClock), settings, &worker).unwrap();
        let events = EventHub::default();
        let remote = RemoteHub::new(Duration::from_secs(3), GRACE);
        engine.listen(Arc::new(Tell(events.clone(), remote.clone())));
        if let Some(bus) = bus {
            engine.join(&bus);
        }
        actix::Actor::start(Events::new(events.clone()));
        actix::Actor::start(NoteTaker::new(engine.clone(), events.clone()));
        actix::Actor::start(Beats::new(engine.clone(), remote.clone()));
        actix::Actor::start(Polls::new(engine.clone(), remote.clone()));
        let hub = events.clone();
        let mut state = ApiState {
            engine: engine.clone(),
            tree: Tree::new(),
            events,
            remote,
            stuck: StuckHandlers::new(2),
            standing: Arc::default(),
            defaults: TaskDefaults {
                max_retries: 3,
                timeout_ms: Some(300_000),
                result_ttl_ms: 3_600_000,
                per_name: HashMap::new(),
            },
            node: NodeInfo {
                host: "here".into(),
                pid: 1,
                version: "0.1.0",
                slots: 2,
                started_at: 1_800_000_000_000,
                environment: None,
            },
            draining: Arc::default(),
            allow_faults: false,
            dead_letter_alert: None,
            edge: EdgeSettings::default(),
        };
        change(&mut state);
        let draining = state.draining.clone();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        actix::spawn(serve(listener, state, 1).unwrap());
        Self { address, engine, events: hub, draining, store, _folder: folder }
    }

    /// Another writer of the same store, as another process would be one.
    pub(crate) fn session(&self) -> Box<dyn jobqueue::store::Session> {
        self.store.session().unwrap()
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes as they are and reads until the server closes.
    pub(crate) async fn raw(&self, request: &[u8]) -> Response {
        let mut stream = self.connect().await;
        // The server may have answered and closed before it was sent all of it.
        let _ = stream.write_all(request).await;
        Response::read(&mut stream).await
    }

    pub(crate) async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head += &format!("Host: {}\r\n", self.address);
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        self.raw(&[head.as_bytes(), b"\r\n", body].concat()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.call("GET", path, &[], b"").await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Response {
        self.call("POST", path, &[("Content-Type", "application/json")], body.as_bytes()).await
    }

    /// Submits a task and returns its id.
    pub(crate) async fn submit(&self, body: &str) -> String {
        let response = self.post("/api/v1/tasks", body).await;
        assert_eq!(response.status, 201, "{}", response.text());
        response.json()["id"].as_str().unwrap().to_owned()
    }

    /// Claims what is ready, as a worker would.
    pub(crate) async fn claim(&self, queue: &str) -> Vec<Grant> {
        // Where a stage of its own claims, it may come before the hint of what has just been submitted: a worker is woken
        // by that, and so comes again.
        let tries = if self.engine.reader().kind() == "sqlite" { 1 } else { 20 };
        for _ in 1..tries {
            let grants = self.claim_once(queue).await;
            if !grants.is_empty() {
                return grants;
            }
        }
        self.claim_once(queue).await
    }

    /// The same for a worker with so many free slots.
    pub(crate) async fn claim_some(&self, queue: &str, want: usize) -> Vec<Grant> {
        for _ in 1..20 {
            let grants = self.claim_up_to(queue, want).await;
            if !grants.is_empty() {
                return grants;
            }
        }
        Vec::new()
    }

    async fn claim_once(&self, queue: &str) -> Vec<Grant> {
        self.claim_up_to(queue, 100).await
    }

    /// All that a claim says.
    pub(crate) async fn claim_reply(&self, queue: &str, want: usize) -> ClaimReply {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.engine.claim(queue.into(), want, move |reply| drop(sender.send(reply)));
        tokio::time::timeout(DEADLINE, receiver).await.unwrap().unwrap().unwrap()
    }

    /// All that a claim says of another worker than this node.
    pub(crate) async fn claim_for(&self, claimer: &Claimer, queue: &str, want: usize) -> ClaimReply<Granted> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.engine.claim_for(claimer.clone(), queue.into(), want, move |reply| drop(sender.send(reply)));
        tokio::time::timeout(DEADLINE, receiver).await.unwrap().unwrap().unwrap()
    }

    /// A worker besides this node, as one that asks it for tasks.
    pub(crate) fn worker(&self, queues: &[&str], serves: Serves) -> Claimer {
        let claimer = Claimer { worker: WorkerId::new(), serves: Arc::new(serves) };
        let info = WorkerInfo {
            patience: 3_600_000,
            id: claimer.worker,
            node: None,
            host: "there".into(),
            pid: 2,
            version: "0".into(),
            slots: 1,
            started_at: 1_800_000_000_000,
            queues: queues.iter().map(|queue| (*queue).to_owned()).collect(),
            serves: claimer.serves.clone(),
            ..WorkerInfo::default()
        };
        self.session().transaction(&mut |tx| tx.register_worker(&info)).unwrap();
        claimer
    }

    async fn claim_up_to(&self, queue: &str, want: usize) -> Vec<Grant> {
        self.claim_reply(queue, want).await.grants
    }

    /// Tasks ever stored.
    pub(crate) fn stored(&self) -> i64 {
        let counters = self.engine.reader().counters(None).unwrap();
        counters.iter().filter(|row| row.kind == Counted::Submitted).map(|row| row.n).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.draining.store(true, Ordering::SeqCst);
        self.engine.close();
    }
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) async fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        let read = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut bytes)).await;
        // A reset after the answer is the server's way to refuse the rest of a request.
        let _ = read.expect("the server neither answered nor closed");
        Self::parse(&bytes).unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(&bytes)))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        let headers: Vec<_> = lines.filter_map(header).collect();
        let mut body = bytes[end + 4..].to_vec();
        if headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked") {
            body = unchunk(&body);
        }
        Some(Self { status, headers, body })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Checks that this is a whole problem document with this status and code.
    #[track_caller]
    pub(crate) fn assert_problem(&self, status: u16, code: &str) -> Value {
        let text = self.text();
        assert_eq!(self.status, status, "{text}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{text}");
        let problem = self.json();
        assert_eq!(problem["code"], code, "{text}");
        assert_eq!(problem["status"], status, "{text}");
        assert_eq!(problem["type"], format!("/docs/errors#{code}"), "{text}");
        assert_eq!(problem["request_id"], self.header("x-request-id").unwrap(), "{text}");
        for field in ["title", "detail", "instance"] {
            assert!(problem[field].as_str().is_some_and(|value| !value.is_empty()), "{field}: {text}");
        }
        problem
    }
}

fn unchunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = bytes.windows(2).position(|window| window == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).unwrap(), 16).unwrap();
        bytes = &bytes[end + 2..];
        if size == 0 {
            break;
        }
        body.extend_from_slice(&bytes[..size]);
        bytes = &bytes[size + 2..];
    }
    body
}
