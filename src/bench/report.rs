//! What was measured.

use std::fmt;

use serde::Serialize;

use super::{Options, counter::Cost, site::Site};

/// Rates in tasks per second, times in milliseconds, memory in megabytes; null where a phase was not run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub version: &'static str,
    pub store: &'static str,
    pub broker: &'static str,
    pub n: usize,
    pub slots: usize,
    pub fdatasync_ms: f64,
    pub submit_one_per_s: Option<f64>,
    pub submit_http_one_per_s: Option<f64>,
    pub submit_bulk_per_s: Option<f64>,
    pub submit_http_batch_per_s: Option<f64>,
    pub drain_per_s: Option<f64>,
    /// With the default of four slots.
    pub drain_4_slots_per_s: Option<f64>,
    pub steady_per_s: Option<f64>,
    pub latency_ms: Option<Latency>,
    /// Of a whole server with its dashboard.
    pub rss_idle_mb: Option<f64>,
    /// Of the same server with `queued_n` tasks waiting.
    pub rss_queued_mb: Option<f64>,
    /// By how much Redis grew with these tasks.
    pub redis_queued_mb: Option<f64>,
    pub queued_n: usize,
    pub bytes_per_task: BytesPerTask,
    pub per_task: PerTask,
    pub keys: Option<Keys>,
    pub unique: Option<UniqueKeys>,
    pub workflows: Option<Workflows>,
    pub depth: Option<Depth>,
    pub handlers: Option<Handlers>,
}

/// From the call of submit to the handler's start, on an idle system.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Latency {
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
}

/// What a queued task takes.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct BytesPerTask {
    pub store: Option<f64>,
    /// By how much the server grew, the heads of the queues (the broker) among it.
    pub memory: Option<f64>,
    pub redis: Option<f64>,
}

/// Of the drain, but for what is named otherwise.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct PerTask {
    /// Written to the store's log.
    pub wal_bytes: Option<f64>,
    /// Transactions of the store, those that read among them with PostgreSQL.
    pub commits: Option<f64>,
    pub redis_commands: Option<f64>,
    pub cpu_us: CpuUs,
}

/// Drains, in tasks a second.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Keys {
    /// Keys that take turns.
    pub keys: usize,
    /// Of tasks without keys.
    pub plain_per_s: f64,
    /// Of tasks with a fair key each.
    pub fair_per_s: f64,
    /// Of tasks with a rate key each, whose limits are counted and not reached.
    pub rate_per_s: f64,
    /// Of one task of each rate key, which is all its limit allows.
    pub few_per_s: f64,
    /// The same beside so many tasks of a key that has used up its limit.
    pub beside_blocked_per_s: f64,
    pub blocked_n: usize,
}

/// Submissions and drains of tasks that have a unique key each, in tasks a second, and of the same without.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct UniqueKeys {
    pub plain_one_per_s: f64,
    pub one_per_s: f64,
    pub plain_bulk_per_s: f64,
    pub bulk_per_s: f64,
    /// Submissions of one key, which is held.
    pub same_one_per_s: f64,
    pub plain_drain_per_s: f64,
    pub drain_per_s: f64,
}

/// Of 10,000 tasks in one workflow; drains in tasks a second.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Workflows {
    /// From the call of submit to the answer, of 9,999 tasks and one that waits for all of them.
    pub accepted_ms: f64,
    /// Of as many tasks that wait for nothing.
    pub plain_per_s: f64,
    /// Of a graph that is 512 wide.
    pub wide_per_s: f64,
    pub fan_in_per_s: f64,
    /// From the end of one task of a chain to that of the next.
    pub link_ms: f64,
    /// From the submission of a task to its end, on the same idle node.
    pub single_ms: f64,
}

/// Drains of as many tasks each, in tasks a second.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Depth {
    /// With nothing else in the store.
    pub plain_per_s: f64,
    /// Of the first of `deep_n` tasks of the queue.
    pub deep_per_s: f64,
    pub deep_n: usize,
    /// While a transaction that has begun before they came is held open.
    pub held_per_s: f64,
}

/// Of no-op handlers in eight slots; drains in tasks a second.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Handlers {
    /// Of children in Python that stay; null where there is no python3.
    pub persistent_per_s: Option<f64>,
    /// Of a process for each task: `true`.
    pub once_per_s: f64,
    /// The same processes started and waited for by as many threads, without a queue.
    pub bare_per_s: f64,
    pub once_n: usize,
    /// Of a Rust function that blocks.
    pub thread_per_s: f64,
    /// From the call of cancel to the end of a child that heeds SIGTERM.
    pub cancel_ms: Latency,
    /// The same, forced, of one that does not.
    pub force_ms: Latency,
}

/// Microseconds of CPU a task.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct CpuUs {
    /// Of the process that is server and workers.
    pub drain: Option<f64>,
    /// Of PostgreSQL and of Redis at the drain, where they run on this machine.
    pub drain_postgresql: Option<f64>,
    pub drain_redis: Option<f64>,
    pub http_one: Option<Split>,
    pub http_batch: Option<Split>,
}

/// By process.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Split {
    pub server: f64,
    pub client: f64,
}

impl Report {
    pub(super) fn new(options: &Options, site: &Site) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            store: site.store(),
            broker: site.broker(),
            n: options.tasks,
            slots: options.slots,
            fdatasync_ms: 0.0,
            submit_one_per_s: None,
            submit_http_one_per_s: None,
            submit_bulk_per_s: None,
            submit_http_batch_per_s: None,
            drain_per_s: None,
            drain_4_slots_per_s: None,
            steady_per_s: None,
            latency_ms: None,
            rss_idle_mb: None,
            rss_queued_mb: None,
            redis_queued_mb: None,
            queued_n: options.queued,
            bytes_per_task: BytesPerTask::default(),
            per_task: PerTask::default(),
            keys: None,
            unique: None,
            workflows: None,
            depth: None,
            handlers: None,
        }
    }
}

impl Report {
    pub(super) fn drained(&mut self, cost: &Cost, tasks: usize) {
        let each = |of: f64| of / tasks as f64;
        let known = |of: Option<f64>| of.filter(|of| of.is_finite()).map(each);
        let per_task = &mut self.per_task;
        per_task.cpu_us.drain = Some(each(cost.own_cpu_us));
        per_task.cpu_us.drain_postgresql = known(cost.postgres_cpu_us);
        per_task.cpu_us.drain_redis = known(cost.redis_cpu_us);
        (per_task.commits, per_task.wal_bytes) = (Some(each(cost.commits)), Some(each(cost.wal_bytes)));
        per_task.redis_commands = known(cost.redis_commands);
    }
}

impl Latency {
    pub(super) fn of(mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let last = samples.len().saturating_sub(1);
            samples.get(((last as f64) * share).round() as usize).copied().unwrap_or(f64::NAN)
        };
        Self { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1.0) }
    }
}

impl Report {
    fn of_handlers(&self) -> [(&'static str, Option<f64>, &'static str); 8] {
        let of = self.handlers;
        [
            ("children in Python that stay", of.and_then(|of| of.persistent_per_s), "tasks/s"),
            ("a process for each task", of.map(|of| of.once_per_s), "tasks/s"),
            ("the same without a queue", of.map(|of| of.bare_per_s), "processes/s"),
            ("a thread for each task", of.map(|of| of.thread_per_s), "tasks/s"),
            ("cancel to end of a child, p50", of.map(|of| of.cancel_ms.p50), "ms"),
            ("cancel to end of a child, p99", of.map(|of| of.cancel_ms.p99), "ms"),
            ("forced, of a deaf one, p50", of.map(|of| of.force_ms.p50), "ms"),
            ("forced, of a deaf one, p99", of.map(|of| of.force_ms.p99), "ms"),
        ]
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "jobqueue {} on {} + {}, {} tasks", self.version, self.store, self.broker, self.n)?;
        let (latency, cpu) = (self.latency_ms, self.per_task.cpu_us);
        let split = |of: Option<Split>, part: fn(Split) -> f64| of.map(part);
        let deep = self.depth.map_or(0, |of| of.deep_n);
        for (what, value, unit) in [
            ("submit one by one, 64 in flight", self.submit_one_per_s, "tasks/s"),
            ("the same over HTTP", self.submit_http_one_per_s, "tasks/s"),
            ("submit in bulk, 1000 a call", self.submit_bulk_per_s, "tasks/s"),
            ("the same over HTTP", self.submit_http_batch_per_s, "tasks/s"),
            (&format!("drain, {} slots", self.slots), self.drain_per_s, "tasks/s"),
            ("drain, 4 slots", self.drain_4_slots_per_s, "tasks/s"),
            ("steady: submit and drain at once", self.steady_per_s, "tasks/s"),
            ("latency p50", latency.map(|latency| latency.p50), "ms"),
            ("latency p95", latency.map(|latency| latency.p95), "ms"),
            ("latency p99", latency.map(|latency| latency.p99), "ms"),
            ("latency max", latency.map(|latency| latency.max), "ms"),
            ("drain, without keys", self.keys.map(|keys| keys.plain_per_s), "tasks/s"),
            ("10,000 fair keys", self.keys.map(|keys| keys.fair_per_s), "tasks/s"),
            ("10,000 rate keys", self.keys.map(|keys| keys.rate_per_s), "tasks/s"),
            ("one task of each", self.keys.map(|keys| keys.few_per_s), "tasks/s"),
            ("the same beside a blocked key", self.keys.map(|keys| keys.beside_blocked_per_s), "tasks/s"),
            ("submit one by one, without key", self.unique.map(|unique| unique.plain_one_per_s), "tasks/s"),
            ("with a unique key each", self.unique.map(|unique| unique.one_per_s), "tasks/s"),
            ("with a key that is held", self.unique.map(|unique| unique.same_one_per_s), "tasks/s"),
            ("submit in bulk, without key", self.unique.map(|unique| unique.plain_bulk_per_s), "tasks/s"),
            ("with a unique key each", self.unique.map(|unique| unique.bulk_per_s), "tasks/s"),
            ("drain, without key", self.unique.map(|unique| unique.plain_drain_per_s), "tasks/s"),
            ("with a unique key each", self.unique.map(|unique| unique.drain_per_s), "tasks/s"),
            ("10,000 tasks in a workflow, accepted", self.workflows.map(|of| of.accepted_ms), "ms"),
            ("as many tasks alone, drain", self.workflows.map(|of| of.plain_per_s), "tasks/s"),
            ("in a graph 512 wide", self.workflows.map(|of| of.wide_per_s), "tasks/s"),
            ("all parents of one", self.workflows.map(|of| of.fan_in_per_s), "tasks/s"),
            ("link of a chain", self.workflows.map(|of| of.link_ms), "ms"),
            ("one task from submit to its end", self.workflows.map(|of| of.single_ms), "ms"),
            ("drain of a queue, nothing else queued", self.depth.map(|of| of.plain_per_s), "tasks/s"),
            (&format!("of the first of {deep} tasks"), self.depth.map(|of| of.deep_per_s), "tasks/s"),
            ("with a transaction held open", self.depth.map(|of| of.held_per_s), "tasks/s"),
            ("memory of an idle server", self.rss_idle_mb, "MB"),
            (&format!("with {} tasks queued", self.queued_n), self.rss_queued_mb, "MB"),
            ("store, per queued task", self.bytes_per_task.store, "bytes"),
            ("Redis, with these tasks queued", self.redis_queued_mb, "MB"),
            ("log written per task drained", self.per_task.wal_bytes, "bytes"),
            ("commits per task drained", self.per_task.commits, ""),
            ("Redis commands per task drained", self.per_task.redis_commands, ""),
            ("CPU per task drained", cpu.drain, "µs"),
            ("the same, PostgreSQL", cpu.drain_postgresql, "µs"),
            ("the same, Redis", cpu.drain_redis, "µs"),
            ("CPU of the server per HTTP task", split(cpu.http_one, |of| of.server), "µs"),
            ("CPU of the client per HTTP task", split(cpu.http_one, |of| of.client), "µs"),
            ("the same in batches, server", split(cpu.http_batch, |of| of.server), "µs"),
            ("the same in batches, client", split(cpu.http_batch, |of| of.client), "µs"),
            ("fdatasync of this disk", Some(self.fdatasync_ms), "ms"),
        ]
        .into_iter()
        .chain(self.of_handlers())
        {
            let Some(value) = value else { continue };
            let digits = if value >= 1_000.0 {
                0
            } else if value >= 0.1 {
                2
            } else {
                4
            };
            writeln!(f, "{what:<36} {value:>10.digits$} {unit}")?;
        }
        Ok(())
    }
}
