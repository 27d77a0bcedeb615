//! One run: a cluster, the clients, the nemesis, and the history of it all.

use std::{
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use diesel::{PgConnection, RunQueryDsl as _, sql_query, sql_types::BigInt};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    client::{self, Client},
    cluster::{NAMES, Nodes},
    history::{Bounds, History, Written, executions},
    load::{CAPPED, KEYED, LIMITED, PAUSED, Plan},
    nemesis::{Nemesis, Step, patience_ms},
    secrets,
    services::{Postgres, Redis},
    store, whole, within,
};

pub(crate) struct Run {
    pub(crate) seed: u64,
    pub(crate) plan: Plan,
    pub(crate) steps: Vec<Step>,
    /// For the nodes besides their own: by name.
    pub(crate) variables: fn(&str) -> Vec<(String, String)>,
    pub(crate) heartbeat_s: u64,
    /// Pause and resume a queue meanwhile.
    pub(crate) pauses: bool,
    /// Schedules tick and workflows run meanwhile.
    pub(crate) whole: bool,
    /// Says nothing of what goes on.
    pub(crate) quiet: bool,
    /// How long everything may take once the nemesis has let go.
    pub(crate) settle: Duration,
}

pub(crate) const NOTHING: fn(&str) -> Vec<(String, String)> = |_| Vec::new();

fn bounds() -> Vec<Bounds> {
    vec![
        Bounds { queue: LIMITED.into(), rate: Some((60, 8_000)), ..Bounds::default() },
        Bounds { queue: CAPPED.into(), concurrency: Some(4), ..Bounds::default() },
        Bounds { queue: KEYED.into(), of_each: true, rate: Some((25, 4_000)), concurrency: Some(3) },
        Bounds { queue: PAUSED.into(), ..Bounds::default() },
    ]
}

impl Run {
    /// With everybody's logs in a folder.
    pub(crate) fn go(&self, folder: &Path) -> History {
        // PostgreSQL runs as another user.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder, open).unwrap();
        let (mut postgres, mut redis) = (Postgres::start(folder), Redis::start(folder));
        let nodes = Nodes::new(folder, &postgres, &redis, self.heartbeat_s, self.variables);
        nodes.start_all();
        within(Duration::from_secs(60), "the nodes are up", || {
            nodes.keep();
            nodes.are_up()
        });
        set_bounds(&nodes);
        if self.whole {
            whole::set_schedules(&nodes);
        }
        let (submitted, cancels) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        let (began, over) = (Instant::now(), AtomicBool::new(false));
        let deadline = began + Duration::from_millis(self.steps.last().map_or(0, |step| step.at_ms)) + self.settle;
        let (nodes, plan) = (&nodes, &self.plan);
        let client = Client { nodes, plan, began, deadline, submitted: &submitted, cancels: &cancels };
        let (pauses, reads, deeds, drawn) = std::thread::scope(|scope| {
            let clients: Vec<_> = plan
                .orders
                .iter()
                .zip(1..)
                .map(|(orders, number)| {
                    let client = &client;
                    scope.spawn(move || client.run(orders, self.seed + number))
                })
                .collect();
            let pauser = self.pauses.then(|| scope.spawn(|| client::pause_and_resume(nodes, self.seed, &over)));
            let drawer = self.whole.then(|| scope.spawn(|| whole::submit(nodes, self.seed, &over)));
            let reader = scope.spawn(|| client.read_results(self.seed, &over));
            let mut nemesis = Nemesis { nodes, postgres: &mut postgres, redis: &mut redis };
            let deeds = nemesis.run(&self.steps, began, &|what| self.say(began, what));
            nemesis.heal();
            while !clients.iter().all(|client| client.is_finished()) {
                nodes.keep();
                std::thread::sleep(Duration::from_millis(20));
            }
            over.store(true, Ordering::SeqCst);
            let pauses = pauser.map(|pauser| pauser.join().unwrap()).unwrap_or_default();
            let drawn = drawer.map(|drawer| drawer.join().unwrap()).unwrap_or_default();
            (pauses, reader.join().unwrap(), deeds, drawn)
        });
        if self.whole {
            whole::pause_schedules(nodes);
        }
        self.say(began, "all is submitted and healed");
        let (plan, secrets) = (plan.tasks.clone(), secrets::ALL.to_vec());
        let mut history = History { plan, bounds: bounds(), pauses, reads, deeds, secrets, ..History::default() };
        let say = |what: &str| self.say(began, what);
        settle(nodes, &mut postgres.connect(), deadline.max(Instant::now() + self.settle), &say);
        self.say(began, "all is over");
        history.store = store::read(&mut postgres.connect());
        history.whole = whole::read(&mut postgres.connect(), drawn);
        history.results = results(nodes, &history);
        history.written = written(nodes, &mut postgres.connect());
        (history.harms, history.exits, history.spooled) = (nodes.harms(), nodes.exits(), nodes.spooled());
        history.patience_ms = patience_ms(self.heartbeat_s);
        history.executions = executions(folder, &NAMES);
        history.submitted = submitted.into_inner().unwrap();
        history.cancels = cancels.into_inner().unwrap();
        history
    }

    fn say(&self, began: Instant, what: &str) {
        if !self.quiet {
            eprintln!("{:>6} ms  {what}", began.elapsed().as_millis());
        }
    }
}

/// Waits until every task is over. What was not by then the checker will find.
fn settle(nodes: &Nodes, store: &mut PgConnection, deadline: Instant, say: &dyn Fn(&str)) {
    #[derive(diesel::QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        n: i64,
    }
    let mut random = fastrand::Rng::new();
    let mut said = Instant::now();
    while Instant::now() < deadline {
        nodes.keep();
        // A pause that nobody was told of may have come late.
        nodes.call_any(&mut random, "POST", &format!("/api/v1/queues/{PAUSED}/resume"), &[], "{}");
        let left: Count = sql_query("SELECT count(*) AS n FROM tasks WHERE status < 5").get_result(store).unwrap();
        if left.n == 0 {
            return;
        }
        if said.elapsed() > Duration::from_secs(10) {
            say(&format!("{} tasks are not over yet", left.n));
            said = Instant::now();
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn set_bounds(nodes: &Nodes) {
    for bounds in bounds() {
        let mut body = json!({});
        if let Some(concurrency) = bounds.concurrency {
            body[if bounds.of_each { "key_concurrency" } else { "concurrency" }] = concurrency.into();
        }
        if let Some((limit, per)) = bounds.rate {
            body[if bounds.of_each { "key_rate_limit" } else { "rate_limit" }] =
                json!({"limit": limit, "per": format!("{per}ms")});
        }
        let path = format!("/api/v1/queues/{}", bounds.queue);
        let answer = nodes.call_any(&mut fastrand::Rng::new(), "PUT", &path, &[], &body.to_string());
        assert!(answer.as_ref().is_some_and(|(status, _)| *status < 300), "{path}: {answer:?}");
    }
}

/// Whatever others may read.
fn written(nodes: &Nodes, store: &mut PgConnection) -> Vec<Written> {
    let mut all = store::rows_with(store, &secrets::NOT_STORED);
    for node in &nodes.all {
        all.push(Written { place: format!("{}.log", node.name), text: node.log() });
        for path in ["/metrics", "/health"] {
            let text = node.address().and_then(|address| client::text(&address, path)).unwrap_or_default();
            all.push(Written { place: format!("{path} of {}", node.name), text });
        }
    }
    all
}

/// Some results as two nodes give them out.
fn results(nodes: &Nodes, history: &History) -> Vec<(Uuid, String)> {
    let done = history.store.tasks.iter().filter(|task| task.result.is_some());
    let some = done.step_by((history.store.tasks.len() / 40).max(1));
    let mut all = Vec::new();
    for (task, node) in some.flat_map(|task| nodes.all[..2].iter().map(move |node| (task, node))) {
        let path = format!("/api/v1/tasks/{}/result", task.id);
        let answer = node.address().and_then(|address| client::call(&address, "GET", &path, &[], ""));
        let shown = answer.map_or_else(|| "no answer".into(), |(_, answer): (u16, Value)| answer["result"].to_string());
        all.push((task.id, shown));
    }
    all
}
