//! `GET /metrics`: for Prometheus and whatever else reads its text format.
//!
//! Labels are bounded: a hundred queues have their own, the rest is `other`; never an id, a name or a key of a task.

mod families;
mod process;
mod stored;
mod text;

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web::Data};

use super::{
    ApiState,
    problem::Problem,
    query::{Nothing, Query},
};
use crate::{
    actors::supervision::Phase,
    engine::Snapshot,
    task::{Figures, Histogram},
};
use families as family;
use stored::Stored;
use text::{Family, Text};

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
const MILLIS_PER_SECOND: f64 = 1_000.0;

type Number = fn(&Figures) -> f64;
type Spread = fn(&Figures) -> &Histogram;

/// Gives out the metrics
///
/// In Prometheus's text format. Counters and histograms are this process's since its start; gauges of tasks, queues and
/// workers are the store's, the same from every node.
#[utoipa::path(
    get, path = "/metrics", operation_id = "get_metrics", tag = "health",
    responses((status = 200, description = "The metrics", content_type = "text/plain", body = String))
)]
pub(super) async fn metrics(state: Data<ApiState>, _: Query<Nothing>) -> Result<HttpResponse, Problem> {
    let (now, engine) = (state.now(), state.engine.clone());
    // Without its store a node still tells what it knows itself.
    let stored = state.read(move |reader| Stored::read(&engine, reader, now)).await.ok();
    let mut text = Text::default();
    text.family(&family::BUILD_INFO).add(&[("version", state.node.version)], 1.0);
    text.single(&family::STORE_UP, f64::from(stored.is_some()));
    if let Some(stored) = stored {
        stored.write(&mut text);
    }
    let snapshot = state.engine.meter().snapshot(now);
    write_work(&mut text, &state, &snapshot);
    write_store(&mut text, &snapshot);
    write_actors(&mut text, &state);
    process::write(&mut text, state.node.started_at);
    Ok(HttpResponse::Ok().content_type(CONTENT_TYPE).body(text.finish()))
}

fn write_work(text: &mut Text, state: &ApiState, snapshot: &Snapshot) {
    let counters: [(&Family, Number); 5] = [
        (&family::SUBMITTED, |figures| figures.submitted as f64),
        (&family::FAILED_ATTEMPTS, |figures| figures.failed_attempts as f64),
        (&family::RETRIES, |figures| figures.retried as f64),
        (&family::SNOOZED, |figures| figures.snoozed as f64),
        (&family::SLOT_BUSY, |figures| figures.busy_ms as f64 / MILLIS_PER_SECOND),
    ];
    for (family, value) in counters {
        let mut samples = text.family(family);
        for (queue, figures) in &snapshot.queues {
            samples.add(&[("queue", queue)], value(figures));
        }
    }
    let mut finished = text.family(&family::FINISHED);
    for (queue, figures) in &snapshot.queues {
        let Figures { succeeded, dead, cancelled, expired, .. } = figures;
        let outcomes = [("success", succeeded), ("dead", dead), ("cancelled", cancelled), ("expired", expired)];
        for (outcome, n) in outcomes {
            finished.add(&[("queue", queue), ("outcome", outcome)], *n as f64);
        }
    }
    let histograms: [(&Family, Spread); 2] =
        [(&family::WAIT, |figures| &figures.wait), (&family::RUN, |figures| &figures.run)];
    for (family, histogram) in histograms {
        let mut samples = text.family(family);
        for (queue, figures) in &snapshot.queues {
            samples.histogram(&[("queue", queue)], histogram(figures), MILLIS_PER_SECOND);
        }
    }
    text.single(&family::LEASES_LOST, state.engine.lost_leases() as f64);
    let (outcomes, spool_bytes) = state.engine.waiting_outcomes();
    text.single(&family::OUTCOMES_WAITING, outcomes as f64);
    text.single(&family::SPOOL_BYTES, spool_bytes as f64);
    text.single(&family::SLOTS, state.node.slots as f64);
    let busy = state.engine.held().list().iter().filter(|held| held.slot.is_some()).count();
    text.single(&family::SLOTS_BUSY, busy as f64);
    text.single(&family::STUCK, state.stuck.len() as f64);
}

fn write_store(text: &mut Text, snapshot: &Snapshot) {
    text.family(&family::TRANSACTIONS).histogram(&[], &snapshot.commits, 100.0 * MILLIS_PER_SECOND);
    text.family(&family::OPERATIONS).histogram(&[], &snapshot.batches, 1.0);
    let mut failures = text.family(&family::STORE_FAILURES);
    for (kind, n) in &snapshot.failures {
        failures.add(&[("cause", kind.as_str())], *n as f64);
    }
}

fn write_actors(text: &mut Text, state: &ApiState) {
    let mut states: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut mailboxes: BTreeMap<&str, usize> = BTreeMap::new();
    for row in state.tree.snapshot() {
        *states.entry((row.kind, phase(row.state))).or_default() += 1;
        *mailboxes.entry(row.kind).or_default() += row.mailbox;
    }
    let mut actors = text.family(&family::ACTORS);
    for ((kind, state), n) in states {
        actors.add(&[("kind", kind), ("state", state)], n as f64);
    }
    let mut mailbox = text.family(&family::MAILBOX);
    for (kind, messages) in mailboxes {
        mailbox.add(&[("kind", kind)], messages as f64);
    }
    let mut restarts = text.family(&family::RESTARTS);
    for (kind, n) in state.tree.restarts() {
        restarts.add(&[("kind", kind)], n as f64);
    }
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Starting => "starting",
        Phase::Running => "running",
        Phase::Restarting => "restarting",
        Phase::Parked => "parked",
        Phase::Stopping => "stopping",
        Phase::Stopped => "stopped",
    }
}
