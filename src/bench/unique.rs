//! What unique keys cost: submissions with a key each, made of the arguments, beside the same without.

use super::{
    BenchError, Options, Report,
    library::{QUEUE, drain, start, submit_many, submit_one, task, warm_up},
    report::UniqueKeys,
    site::Site,
};
use crate::{
    store::Act,
    task::{
        NewTask, Unique,
        unique::{Parts, WHOLE_CALL, derive},
    },
};

pub(super) async fn measure(options: &Options, site: &Site, report: &mut Report) -> Result<(), BenchError> {
    let (plain_one, plain_bulk, plain_drain) = one(options, site, "without", numbered).await?;
    let (one_by_one, bulk, drain) = one(options, site, "unique", unique).await?;
    let node = start(&site.spot("same")?, options.slots, None).await?;
    warm_up(&node).await?;
    node.engine.set_paused(QUEUE, true, Act::local("queue.pause", QUEUE)).await?;
    let same = submit_one(&node.engine, options.tasks, |_, now| unique(0, now)).await?;
    node.stop(std::future::pending()).await;
    report.unique = Some(UniqueKeys {
        plain_one_per_s: plain_one,
        one_per_s: one_by_one,
        plain_bulk_per_s: plain_bulk,
        bulk_per_s: bulk,
        same_one_per_s: same,
        plain_drain_per_s: plain_drain,
        drain_per_s: drain,
    });
    Ok(())
}

/// One by one, in bulk, and the drain.
async fn one(
    options: &Options,
    site: &Site,
    what: &str,
    make: fn(usize, i64) -> NewTask,
) -> Result<(f64, f64, f64), BenchError> {
    let node = start(&site.spot(what)?, options.slots, None).await?;
    warm_up(&node).await?;
    node.engine.set_paused(QUEUE, true, Act::local("queue.pause", QUEUE)).await?;
    let one_by_one = submit_one(&node.engine, options.tasks, make).await?;
    let drained = drain(&node, options.tasks, || {}).await?;
    node.stop(std::future::pending()).await;
    // A store of its own: what is left of a key that was held costs whoever comes next with it.
    let node = start(&site.spot(&format!("{what}_bulk"))?, options.slots, None).await?;
    warm_up(&node).await?;
    node.engine.set_paused(QUEUE, true, Act::local("queue.pause", QUEUE)).await?;
    let bulk = submit_many(&node.engine, options.tasks, make).await?;
    node.stop(std::future::pending()).await;
    Ok((one_by_one, bulk, drained))
}

fn numbered(number: usize, now: i64) -> NewTask {
    let plain = task(now);
    NewTask { args: format!("[{number}, {}", &plain.args[1..]), ..plain }
}

fn unique(number: usize, now: i64) -> NewTask {
    let task = numbered(number, now);
    let parts = Parts { name: &task.name, queue: &task.queue, args: &task.args, kwargs: &task.kwargs, meta: None };
    let key = derive(&WHOLE_CALL, parts).unwrap_or_default();
    NewTask { unique: Some(Box::new(Unique::live(key))), ..task }
}
