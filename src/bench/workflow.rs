//! What graphs cost: drains of tasks that wait for each other beside one of tasks that do not, and the links of a chain.

use std::{pin::pin, time::Instant};

use super::{
    BenchError, Options, Report,
    library::{QUEUE, drain, start, submit_many, task, warm_up},
    report::Workflows,
    site::Site,
};
use crate::{
    engine::{Engine, Submission},
    server::Embedded,
    store::{Act, NewWorkflow},
    task::{NewTask, OnFailure, Parent, Role, TaskId},
};

/// Tasks of each graph but the chain.
const TASKS: usize = 10_000;
/// Tasks side by side in the wide graph.
const WIDE: usize = 512;
/// Links of the chain, and tasks one after the other beside it.
const LINKS: usize = 300;

pub(super) async fn measure(options: &Options, site: &Site, report: &mut Report) -> Result<(), BenchError> {
    let node = paused(options, site, "alone").await?;
    submit_many(&node.engine, TASKS, |_, now| task(now)).await?;
    let plain_per_s = drain(&node, TASKS, || {}).await?;
    node.stop(std::future::pending()).await;

    let node = paused(options, site, "wide").await?;
    submit(&node.engine, TASKS, |n| (n >= WIDE).then(|| n - WIDE).into_iter().collect()).await?;
    let wide_per_s = drain(&node, TASKS, || {}).await?;
    node.stop(std::future::pending()).await;

    let node = paused(options, site, "fan-in").await?;
    let began = Instant::now();
    let last = TASKS - 1;
    submit(&node.engine, TASKS, |n| if n == last { (0..last).collect() } else { Vec::new() }).await?;
    let accepted_ms = began.elapsed().as_secs_f64() * 1_000.0;
    let fan_in_per_s = drain(&node, TASKS, || {}).await?;
    node.stop(std::future::pending()).await;

    let node = paused(options, site, "chain").await?;
    submit(&node.engine, LINKS, |n| n.checked_sub(1).into_iter().collect()).await?;
    let link_ms = 1_000.0 / drain(&node, LINKS, || {}).await?;
    let single_ms = one_after_the_other(&node.engine).await?;
    node.stop(std::future::pending()).await;
    report.workflows = Some(Workflows { accepted_ms, plain_per_s, wide_per_s, fan_in_per_s, link_ms, single_ms });
    Ok(())
}

async fn paused(options: &Options, site: &Site, what: &str) -> Result<Embedded, BenchError> {
    let node = start(&site.spot(what)?, options.slots, None).await?;
    warm_up(&node).await?;
    node.engine.set_paused(QUEUE, true, Act::local("queue.pause", QUEUE)).await?;
    Ok(node)
}

/// A workflow in which each task waits for those at these places before it.
async fn submit(engine: &Engine, tasks: usize, parents: impl Fn(usize) -> Vec<usize>) -> Result<(), BenchError> {
    let (now, id) = (engine.clock().now(), TaskId::new());
    let mut nodes: Vec<NewTask> = (0..tasks).map(|_| NewTask { workflow: Some(id), ..task(now) }).collect();
    let mut workflow = NewWorkflow {
        id,
        name: None,
        tags: Vec::new(),
        meta: None,
        created_at: now,
        members: (0..tasks).map(|n| (n.to_string(), Role::Node)).collect(),
        edges: Vec::new(),
    };
    for child in 0..tasks {
        for parent in parents(child) {
            let on_failure = OnFailure::Skip;
            let tied = Parent { id: nodes[parent].id, on_failure };
            nodes[parent].has_dependants = true;
            nodes[child].parents.push(tied);
            workflow.edges.push((parent, child, on_failure));
        }
    }
    let submission = Submission { tasks: nodes, workflow: Some(workflow), ..Submission::default() };
    engine.submit(submission).await?;
    Ok(())
}

/// Milliseconds from the call of submit to the recorded result, each task after the end of the one before.
async fn one_after_the_other(engine: &Engine) -> Result<f64, BenchError> {
    let began = Instant::now();
    for _ in 0..LINKS {
        let task = task(engine.clock().now());
        let watch = engine.watch(task.id);
        let mut ended = pin!(watch.ended());
        ended.as_mut().enable();
        engine.submit(Submission { tasks: vec![task], ..Submission::default() }).await?;
        ended.await;
    }
    Ok(began.elapsed().as_secs_f64() * 1_000.0 / LINKS as f64)
}
