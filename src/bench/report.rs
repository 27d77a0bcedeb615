//! What was measured.

use std::fmt;

use serde::Serialize;

use super::Options;

/// Rates in tasks per second, times in milliseconds.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub version: &'static str,
    pub store: &'static str,
    pub broker: &'static str,
    pub n: usize,
    pub slots: usize,
    pub fdatasync_ms: f64,
    pub submit_one_per_s: f64,
    pub submit_bulk_per_s: f64,
    pub drain_per_s: f64,
    /// With the default of four slots.
    pub drain_4_slots_per_s: f64,
    pub steady_per_s: f64,
    pub latency_ms: Latency,
    pub per_task: PerTask,
}

/// From the call of submit to the handler's start, on an idle system.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Latency {
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
}

/// Of the drain.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct PerTask {
    pub cpu_us: f64,
}

impl Report {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            store: "sqlite",
            broker: "in_process",
            n: options.tasks,
            slots: options.slots,
            fdatasync_ms: 0.0,
            submit_one_per_s: 0.0,
            submit_bulk_per_s: 0.0,
            drain_per_s: 0.0,
            drain_4_slots_per_s: 0.0,
            steady_per_s: 0.0,
            latency_ms: Latency::default(),
            per_task: PerTask::default(),
        }
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

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "jobqueue {} on {} + {}, {} tasks", self.version, self.store, self.broker, self.n)?;
        let Latency { p50, p95, p99, max } = self.latency_ms;
        for (what, value, unit) in [
            ("submit one by one, 64 in flight", self.submit_one_per_s, "tasks/s"),
            ("submit in bulk, 1000 a call", self.submit_bulk_per_s, "tasks/s"),
            (&format!("drain, {} slots", self.slots), self.drain_per_s, "tasks/s"),
            ("drain, 4 slots", self.drain_4_slots_per_s, "tasks/s"),
            ("steady: submit and drain at once", self.steady_per_s, "tasks/s"),
            ("CPU per task drained", self.per_task.cpu_us, "µs"),
            ("latency p50", p50, "ms"),
            ("latency p95", p95, "ms"),
            ("latency p99", p99, "ms"),
            ("latency max", max, "ms"),
            ("fdatasync of this disk", self.fdatasync_ms, "ms"),
        ] {
            if value >= 1_000.0 {
                writeln!(f, "{what:<34} {value:>10.0} {unit}")?;
            } else {
                writeln!(f, "{what:<34} {value:>10.2} {unit}")?;
            }
        }
        Ok(())
    }
}
