//! What the handlers work with.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actix_web::web;

use super::problem::Problem;
use crate::{
    actors::{events::EventHub, remote::RemoteHub, standing::Standing, stuck::StuckHandlers, supervision::Tree},
    engine::Engine,
    store::{Reader, StoreError},
    task::{Millis, TaskDefaults},
};

/// What every handler may use. Made once, shared by all of the server's threads.
pub struct ApiState {
    /// Writes, and through its reader, reads.
    pub engine: Engine,
    /// For the list of actors.
    pub tree: Tree,
    /// For `GET /events`.
    pub events: EventHub,
    /// For remote workers.
    pub remote: RemoteHub,
    /// Handlers of this node that do not end.
    pub stuck: StuckHandlers,
    /// What is asked of this node.
    pub standing: Arc<Standing>,
    /// What a submission gets that does not say otherwise.
    pub defaults: TaskDefaults,
    /// This process.
    pub node: NodeInfo,
    /// Set when the shutdown begins: probes and new work are then refused, long requests end.
    pub draining: Arc<AtomicBool>,
    /// Routes that break something on purpose exist.
    pub allow_faults: bool,
    /// So many dead letters are an alert.
    pub dead_letter_alert: Option<u32>,
    /// Limits towards clients.
    pub edge: EdgeSettings,
}

/// This process, as shown.
#[derive(Debug, Clone)]
pub struct NodeInfo {
    /// Name of the machine.
    pub host: String,
    /// Process id.
    pub pid: u32,
    /// Version of this program.
    pub version: &'static str,
    /// Tasks it can run at the same time.
    pub slots: usize,
    /// Start of the process.
    pub started_at: Millis,
    /// What the installation is called, and the colour of that.
    pub environment: Option<(String, &'static str)>,
}

/// Limits towards clients.
#[derive(Debug, Clone)]
pub struct EdgeSettings {
    /// Host names beyond the loopback ones under which a server bound to loopback answers.
    pub hosts: Vec<String>,
    /// Longest time from a request's head to the end of its body.
    pub body_deadline: Duration,
    /// Most clients that follow events; with one key, a quarter of them.
    pub max_subscribers: usize,
    /// How often something is sent to those, so that proxies keep the connection and one that is gone is noticed.
    pub keep_alive: Duration,
    /// Most open connections; those beyond wait to be accepted.
    pub max_connections: usize,
}

impl Default for EdgeSettings {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            body_deadline: Duration::from_secs(10),
            max_subscribers: 200,
            keep_alive: Duration::from_secs(15),
            max_connections: 12_000,
        }
    }
}

impl ApiState {
    pub(super) fn now(&self) -> Millis {
        self.engine.clock().now()
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Reads from the store, off the arbiter.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        let reader = self.engine.reader().clone();
        match web::block(move || work(&*reader)).await {
            Ok(read) => read.map_err(Problem::from),
            Err(_) => Err(Problem::internal()),
        }
    }
}
