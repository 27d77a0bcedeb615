//! What keys cost: drains of tasks that share a queue by them, beside one of tasks that do not.

use super::{
    BenchError, Options, Report,
    library::{QUEUE, drain, start, submit_many, task, warm_up},
    report::Keys,
    site::Site,
};
use crate::{
    engine::Engine,
    store::{Act, QueueRow},
    task::{
        FlowKeys, NewTask, RateLimit,
        rate::{Algorithm, LimitBy},
    },
};

const KEYS: usize = 10_000;
const ASIDE: &str = "bench-aside";
/// Tasks of the key that is at its limit, for each of the others.
const BLOCKED: usize = 10;

/// What else is in the store.
enum Beside {
    Nothing,
    /// So many that wait for their time in another queue.
    Aside(usize),
    /// So many of a key that has used up its limit.
    Blocked(usize),
}

pub(super) async fn measure(options: &Options, site: &Site, report: &mut Report) -> Result<(), BenchError> {
    let tasks = options.tasks;
    let plain = one(options, site, "plain", |_, now| task(now), None, Beside::Nothing).await?;
    let fair = |number: usize, now| keyed(now, FlowKeys { fair_key: Some(name(number)), ..FlowKeys::default() });
    let fair = one(options, site, "fair", fair, None, Beside::Nothing).await?;
    let rate = |number: usize, now| keyed(now, FlowKeys { rate_key: Some(name(number)), ..FlowKeys::default() });
    // More than there are: each is counted, and none waits.
    let rated = one(options, site, "rate", rate, Some(1_000_000), Beside::Nothing).await?;
    // With as many tasks in the store, which nothing keeps from another queue.
    let open = one(options, site, "open", rate, Some(1), Beside::Aside(tasks * BLOCKED)).await?;
    let blocked = one(options, site, "blocked", rate, Some(1), Beside::Blocked(tasks * BLOCKED)).await?;
    report.keys = Some(Keys {
        keys: KEYS,
        plain_per_s: plain,
        fair_per_s: fair,
        rate_per_s: rated,
        few_per_s: open,
        beside_blocked_per_s: blocked,
        blocked_n: tasks * BLOCKED,
    });
    Ok(())
}

fn keyed(now: i64, flow: FlowKeys) -> NewTask {
    NewTask { flow: Some(Box::new(flow)), ..task(now) }
}

fn name(number: usize) -> String {
    format!("key-{}", number % KEYS)
}

/// Drains tasks; with a limit of 1 only as many as there are keys.
async fn one(
    options: &Options,
    site: &Site,
    what: &str,
    make: fn(usize, i64) -> NewTask,
    limit: Option<u32>,
    beside: Beside,
) -> Result<f64, BenchError> {
    let node = start(&site.spot(what)?, options.slots, None).await?;
    warm_up(&node).await?;
    node.engine.set_paused(QUEUE, true, Act::local("queue.pause", QUEUE)).await?;
    if let Some(limit) = limit {
        set_limit(&node.engine, limit).await?;
    }
    let tasks = if limit == Some(1) { options.tasks.min(KEYS) } else { options.tasks };
    let own = |_: usize, now| keyed(now, FlowKeys { rate_key: Some("blocked".into()), ..FlowKeys::default() });
    let mut blocked = 0;
    match beside {
        Beside::Nothing => {}
        Beside::Aside(count) => {
            let aside = |_: usize, now| NewTask { queue: ASIDE.into(), run_at: Some(now + 3_600_000), ..task(now) };
            submit_many(&node.engine, count, aside).await?;
        }
        Beside::Blocked(count) => {
            blocked = count;
            submit_many(&node.engine, count, own).await?;
        }
    }
    submit_many(&node.engine, tasks, make).await?;
    // The blocked key starts one.
    let rate = drain(&node, tasks + usize::from(blocked > 0), || {}).await?;
    node.stop(std::future::pending()).await;
    Ok(rate)
}

async fn set_limit(engine: &Engine, limit: u32) -> Result<(), BenchError> {
    let rule = RateLimit {
        by: LimitBy::RateKey,
        limit: [limit; 3],
        per: 3_600_000,
        algorithm: Algorithm::SlidingWindow,
        burst: 0,
        enabled: true,
    };
    let set = move |row: &mut QueueRow| row.settings.key_rate_limit = Some(rule);
    engine.change_queue(QUEUE, None, set, Act::local("rate_limit.set", QUEUE)).await?;
    Ok(())
}
