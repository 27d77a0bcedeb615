//! What depth costs: drains of a queue in which many more tasks wait, and while somebody holds a transaction open, beside a plain
//! one.

use super::{
    BenchError, Options, Report,
    library::{QUEUE, drain, start, submit_many, task, warm_up},
    report::Depth,
    site::Site,
};
use crate::store::{Act, hold_snapshot};

pub(super) async fn measure(options: &Options, site: &Site, report: &mut Report) -> Result<(), BenchError> {
    let tasks = 2 * options.tasks;
    report.depth = Some(Depth {
        plain_per_s: one(options, site, "shallow", tasks, false).await?,
        deep_per_s: one(options, site, "deep", tasks.max(options.queued), false).await?,
        deep_n: tasks.max(options.queued),
        held_per_s: one(options, site, "held", tasks, true).await?,
    });
    Ok(())
}

/// Drains the first of so many tasks, as many each time.
async fn one(options: &Options, site: &Site, what: &str, queued: usize, held: bool) -> Result<f64, BenchError> {
    let spot = site.spot(what)?;
    let node = start(&spot, options.slots, None).await?;
    warm_up(&node).await?;
    node.engine.set_paused(QUEUE, true, Act::local("queue.pause", QUEUE)).await?;
    // From before the tasks come until they are gone: what they leave behind cannot be cleared away.
    let snapshot = if held { Some(hold_snapshot(&spot.place.store)?) } else { None };
    submit_many(&node.engine, queued, |_, now| task(now)).await?;
    let rate = drain(&node, 2 * options.tasks, || {}).await?;
    drop(snapshot);
    node.engine.set_paused(QUEUE, true, Act::local("queue.pause", QUEUE)).await?;
    node.stop(std::future::pending()).await;
    Ok(rate)
}
