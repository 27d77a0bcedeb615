//! The load: which tasks are submitted when, decided by the seed alone.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::secrets::PAYLOAD;

/// A task as it is planned. Its place in the plan is its number, and an argument of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Planned {
    pub(crate) queue: &'static str,
    pub(crate) priority: u8,
    /// How long its handler takes.
    pub(crate) ms: u64,
    /// Attempts of a hundred that fail; which ones, its number and theirs decide.
    pub(crate) fails: u64,
    pub(crate) max_retries: u32,
    pub(crate) backoff_ms: i64,
    pub(crate) delay_ms: i64,
    pub(crate) expires_in_ms: Option<i64>,
    pub(crate) unique_key: Option<String>,
    /// A submission whose key is held is to be refused, instead of being given the holder.
    pub(crate) reject: bool,
    pub(crate) parents: Vec<Tie>,
    pub(crate) cancel: Option<When>,
    /// It shares its queue by keys, which this one is part of.
    pub(crate) tenant: Option<u8>,
    /// For how long its result is given out.
    pub(crate) result_ttl_ms: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tie {
    pub(crate) parent: usize,
    pub(crate) run_anyway: bool,
}

/// When a task is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    AtOnce,
    WhileItRuns,
}

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) key: String,
    /// Since the start of the load.
    pub(crate) at_ms: u64,
    pub(crate) first: usize,
    pub(crate) count: usize,
    /// Otherwise a task by itself.
    pub(crate) batch: bool,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    pub(crate) tasks: Vec<Planned>,
    /// By client.
    pub(crate) orders: [Vec<Order>; 2],
}

pub(crate) const LIMITED: &str = "limited";
pub(crate) const CAPPED: &str = "capped";
pub(crate) const PAUSED: &str = "paused";
/// Of tasks with keys: a rate limit and a cap for each.
pub(crate) const KEYED: &str = "keyed";
const TENANTS: u8 = 6;
const QUEUES: [&str; 3] = ["work", "mail", "reports"];
/// Live at a time at most as many as there are keys.
const UNIQUE_KEYS: u64 = 12;

impl Plan {
    /// About so many tasks within a time.
    pub(crate) fn mixed(seed: u64, tasks: usize, within_ms: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut plan = Self::default();
        while plan.tasks.len() < tasks {
            let (first, at_ms) = (plan.tasks.len(), plan.tasks.len() as u64 * within_ms / tasks as u64);
            let client = random.usize(..2);
            let batch = match random.u32(..100) {
                0..12 => plan.chain(&mut random),
                12..22 => plan.fan_in(&mut random),
                22..28 => plan.late_child(&mut random, client),
                28..40 => {
                    plan.tasks.push(mixed(&mut random));
                    false
                }
                _ => {
                    (0..random.usize(5..50)).for_each(|_| plan.tasks.push(mixed(&mut random)));
                    true
                }
            };
            plan.order(client, seed, at_ms, first, batch);
        }
        plan
    }

    pub(crate) fn order(&mut self, client: usize, seed: u64, at_ms: u64, first: usize, batch: bool) {
        let count = self.tasks.len() - first;
        self.orders[client].push(Order { key: format!("{seed}-{first}"), at_ms, first, count, batch });
    }

    fn chain(&mut self, random: &mut fastrand::Rng) -> bool {
        let mut before: Option<usize> = None;
        for _ in 0..random.usize(2..6) {
            let parents = before.map(|parent| Tie { parent, run_anyway: random.u32(..4) == 0 });
            before = Some(self.tasks.len());
            self.tasks.push(Planned { parents: parents.into_iter().collect(), ..member(random) });
        }
        true
    }

    fn fan_in(&mut self, random: &mut fastrand::Rng) -> bool {
        let run_anyway = random.u32(..4) == 0;
        let first = self.tasks.len();
        (0..random.usize(2..7)).for_each(|_| self.tasks.push(member(random)));
        let parents = (first..self.tasks.len()).map(|parent| Tie { parent, run_anyway }).collect();
        self.tasks.push(Planned { parents, ..member(random) });
        true
    }

    /// A child of a task that the same client has submitted just before, which may be over or just ending.
    fn late_child(&mut self, random: &mut fastrand::Rng, client: usize) -> bool {
        let before = self.orders[client].last().map(|order| order.first + order.count - 1);
        let parent = before.filter(|parent| self.tasks[*parent].unique_key.is_none());
        let parents = parent.map(|parent| Tie { parent, run_anyway: random.bool() });
        self.tasks.push(Planned { parents: parents.into_iter().collect(), ..member(random) });
        false
    }
}

fn plain(random: &mut fastrand::Rng) -> Planned {
    Planned {
        queue: QUEUES[random.usize(..QUEUES.len())],
        priority: random.u8(..10),
        ms: random.u64(..120),
        backoff_ms: 200,
        ..Planned::default()
    }
}

/// Of a graph: most succeed.
fn member(random: &mut fastrand::Rng) -> Planned {
    let task = plain(random);
    match random.u32(..20) {
        0 => Planned { fails: 100, max_retries: 1, ..task },
        1..5 => Planned { fails: 40, max_retries: 12, ..task },
        _ => task,
    }
}

fn mixed(random: &mut fastrand::Rng) -> Planned {
    let task = plain(random);
    match random.u32(..1000) {
        0..120 => Planned { fails: 40, max_retries: 12, ..task },
        120..150 => Planned { fails: 100, max_retries: random.u32(..3), ..task },
        150..230 => Planned { delay_ms: random.i64(50..4_000), ..task },
        230..280 => {
            let unique_key = Some(format!("key {}", random.u64(..UNIQUE_KEYS)));
            Planned { queue: "unique", ms: random.u64(20..400), unique_key, reject: random.bool(), ..task }
        }
        280..310 => Planned { queue: LIMITED, ..task },
        310..350 => Planned { queue: CAPPED, ms: random.u64(20..120), ..task },
        350..390 => Planned { queue: PAUSED, ..task },
        390..410 => Planned { delay_ms: 600_000, cancel: Some(When::AtOnce), ..task },
        410..413 => Planned { ms: 30_000, cancel: Some(When::WhileItRuns), ..task },
        413..430 => Planned { queue: PAUSED, expires_in_ms: Some(random.i64(200..2_500)), ..task },
        430..445 => Planned { ms: random.u64(500..5_000), ..task },
        475..515 => {
            let (ms, tenant) = (random.u64(20..200), Some(random.u8(..TENANTS)));
            let delay_ms = if random.u32(..5) == 0 { random.i64(50..2_000) } else { 0 };
            Planned { queue: KEYED, ms, delay_ms, tenant, fails: 10, max_retries: 12, ..task }
        }
        445..475 => Planned { result_ttl_ms: Some(random.i64(1_000..8_000)), ..task },
        _ => task,
    }
}

/// Whether an attempt of a task fails.
pub(crate) fn fails(n: usize, attempt: u32, percent: u64) -> bool {
    mix(n as u64 * 1_000 + u64::from(attempt)) % 100 < percent
}

/// Spreads numbers evenly (the finaliser of splitmix64).
fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

impl Planned {
    /// What its handler is given.
    pub(crate) fn kwargs(&self, n: usize) -> Value {
        json!({"n": n, "ms": self.ms, "fails": self.fails, "secret": PAYLOAD})
    }

    /// As it is sent. `parent`: how a parent is named.
    pub(crate) fn body(&self, n: usize, parent: impl Fn(&Tie) -> Option<Value>) -> Value {
        let mut body = json!({
            "name": "chaos.work", "kwargs": self.kwargs(n), "queue": self.queue, "priority": self.priority,
            "max_retries": self.max_retries, "meta": {"n": n},
            "retry": {"strategy": "fixed", "initial": format!("{}ms", self.backoff_ms.max(1)), "jitter": false},
        });
        if self.delay_ms > 0 {
            body["delay"] = format!("{}ms", self.delay_ms).into();
        }
        if let Some(expires_in) = self.expires_in_ms {
            body["expires_in"] = format!("{expires_in}ms").into();
        }
        if let Some(ttl) = self.result_ttl_ms {
            body["result_ttl"] = format!("{ttl}ms").into();
        }
        if let Some(key) = &self.unique_key {
            body["unique_key"] = key.clone().into();
            body["unique_conflict"] = if self.reject { "reject" } else { "return" }.into();
        }
        if let Some(tenant) = self.tenant {
            body["rate_key"] = format!("rate {tenant}").into();
            body["concurrency_key"] = format!("user {tenant}").into();
            // Some share their turns.
            body["fair_key"] = format!("tenant {}", tenant / 2).into();
        }
        let parents: Vec<Value> = self.parents.iter().filter_map(parent).collect();
        if !parents.is_empty() {
            body["depends_on"] = parents.into();
        }
        body
    }
}

impl Tie {
    /// As an entry of `depends_on`.
    pub(crate) fn named(&self, name: Result<usize, Uuid>) -> Value {
        let on_failure = if self.run_anyway { "run" } else { "skip" };
        match name {
            Ok(index) => json!({"index": index, "on_failure": on_failure}),
            Err(id) => json!({"id": id, "on_failure": on_failure}),
        }
    }
}
