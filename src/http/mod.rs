//! The REST API, the dashboard's files and the probes: requests in, verbs of the engine and reads of the store out.

mod access;
mod actions;
mod actors;
mod amend;
mod attempts;
mod audit;
mod batch;
mod body;
mod bulk;
mod caller;
mod check;
mod code;
mod counts;
mod cursor;
mod dead_letters;
mod dlq;
mod draft;
mod edge;
mod events;
mod explain;
mod filter;
mod flow;
mod health;
mod history;
mod keys;
mod limits;
mod list;
mod logs;
mod metrics;
mod openapi;
mod operations;
mod parents;
mod problem;
mod query;
mod queues;
mod rate_limit;
mod refusals;
mod relatives;
mod remote;
mod reply;
mod result;
mod route;
mod schedules;
mod server;
mod session;
mod settings;
mod shape;
mod state;
mod stats;
mod submit;
mod tasks;
mod time;
mod times;
mod total;
mod ui;
mod unique;
mod unread;
mod view;
mod wait;
mod window;
mod workers;
mod workflows;

pub use check::offline_task;
pub use keys::offline_key;
pub use openapi::openapi;
pub use schedules::declared_schedule;
pub use server::serve;
pub use state::{ApiState, EdgeSettings, NodeInfo};

pub use crate::task::TaskDefaults;

use access::Need::{Open, Sifted};
use actix_web::{
    guard,
    middleware::Compress,
    web::{self, Data, ServiceConfig},
};
use route::{Path, act, at, no_route, read};

use crate::task::Scope::{self, Admin, Operate, Read, Submit, Work};

/// How the names of configured keys begin: `API_KEYS#1` is the first of them.
pub const CONFIGURED: &str = "API_KEYS#";

/// The routes below `/api/v1`, each method with the scope it needs.
fn api() -> Vec<Path> {
    let mut all = of_tasks();
    all.extend(of_workers());
    all
}

/// Those of tasks and whatever there is around them.
fn of_tasks() -> Vec<Path> {
    vec![
        at("/tasks").get(Sifted(Read), list::list).post(Sifted(Submit), submit::submit),
        act(Sifted(Submit), "/tasks/batch", batch::submit_batch),
        act(Sifted(Operate), "/tasks/bulk", bulk::bulk),
        at("/tasks/{id}").get(Read, tasks::get).patch(Operate, amend::patch).delete(Operate, amend::delete),
        act(Operate, "/tasks/{id}/run-now", amend::run_now),
        at("/tasks/{id}/result").get(Read, result::get).delete(Operate, result::delete),
        at("/tasks/{id}/result/ttl").put(Operate, result::put_ttl),
        read(Read, "/tasks/{id}/dependencies", relatives::get),
        read(Read, "/tasks/{id}/explain", explain::get),
        read(Read, "/tasks/{id}/attempts", attempts::attempts),
        read(Read, "/tasks/{id}/logs", logs::logs),
        act(Operate, "/tasks/{id}/cancel", actions::cancel),
        act(Operate, "/tasks/{id}/retry", actions::retry),
        read(Sifted(Read), "/queues", queues::list),
        at("/queues/{queue}").get(Read, queues::get).put(Operate, settings::put).delete(Operate, settings::delete),
        read(Read, "/queues/{queue}/stats", queues::stats),
        at("/queues/{queue}/rate-limit")
            .get(Read, limits::get)
            .put(Operate, limits::put)
            .delete(Operate, limits::delete),
        act(Operate, "/queues/{queue}/pause", queues::pause),
        act(Operate, "/queues/{queue}/resume", queues::resume),
        act(Operate, "/queues/{queue}/purge", settings::purge),
        at("/dlq").get(Sifted(Read), dlq::dead_letters).delete(Sifted(Operate), dead_letters::purge),
        read(Sifted(Read), "/dlq/stats", dead_letters::stats),
        read(Sifted(Read), "/dlq/groups", dead_letters::groups),
        act(Sifted(Operate), "/dlq/redrive", dead_letters::redrive),
        at("/dlq/{id}").get(Read, dlq::dead_letter).delete(Operate, dlq::delete),
        act(Operate, "/dlq/{id}/retry", dlq::retry),
        at("/schedules").get(Sifted(Read), schedules::list).post(Sifted(Operate), schedules::create),
        act(Sifted(Read), "/schedules/preview", schedules::preview_new),
        at("/schedules/{name}")
            .get(Sifted(Read), schedules::get)
            .put(Sifted(Operate), schedules::put)
            .delete(Sifted(Operate), schedules::delete),
        act(Sifted(Operate), "/schedules/{name}/pause", schedules::pause),
        act(Sifted(Operate), "/schedules/{name}/resume", schedules::resume),
        act(Sifted(Operate), "/schedules/{name}/trigger", schedules::trigger),
        read(Sifted(Read), "/schedules/{name}/preview", schedules::preview),
        read(Sifted(Read), "/operations", operations::list),
        read(Sifted(Read), "/operations/{id}", operations::get),
        act(Sifted(Operate), "/operations/{id}/cancel", operations::cancel),
        at("/workflows").get(Sifted(Read), workflows::read::list).post(Sifted(Submit), workflows::submit::submit),
        read(Read, "/workflows/{id}", workflows::read::get),
        read(Read, "/workflows/{id}/graph", workflows::graph::get),
        act(Operate, "/workflows/{id}/cancel", workflows::acts::cancel),
        act(Operate, "/workflows/{id}/retry", workflows::acts::retry),
        read(Sifted(Read), "/stats", stats::stats),
        read(Sifted(Read), "/stats/history", history::history),
        read(Sifted(Read), "/events", events::events),
        read(Read, "/system/actors", actors::list),
        act(Admin, "/system/faults/panic", actors::inject_panic).guard(guard::fn_guard(faults_allowed)),
        at("/keys").get(Admin, keys::list).post(Admin, keys::create),
        at("/keys/{id}").get(Admin, keys::get).delete(Admin, keys::revoke),
        at("/session").get(Open, session::get).post(Open, session::open).delete(Open, session::close),
        read(Admin, "/audit", audit::list),
    ]
}

/// Those of workers, and what remote ones say.
fn of_workers() -> Vec<Path> {
    vec![
        at("/workers").get(Sifted(Read), workers::list).post(Sifted(Work), remote::register::register),
        at("/workers/{id}").get(Sifted(Read), workers::get).delete(Sifted(Work), remote::register::leave),
        act(Sifted(Work), "/workers/{id}/lease", remote::lease::lease),
        act(Sifted(Work), "/workers/{id}/heartbeat", remote::heartbeat::beat),
        act(Sifted(Work), "/workers/{id}/outcomes", remote::outcomes::outcomes),
        act(Sifted(Work), "/leases/{id}/complete", remote::report::complete),
        act(Sifted(Work), "/leases/{id}/fail", remote::report::fail),
        act(Sifted(Work), "/leases/{id}/snooze", remote::report::snooze),
        act(Sifted(Work), "/leases/{id}/release", remote::report::release),
        act(Sifted(Work), "/leases/{id}/cancelled", remote::report::cancelled),
        act(Sifted(Work), "/leases/{id}/extend", remote::report::extend),
        act(Sifted(Work), "/leases/{id}/progress", remote::note::progress),
        act(Sifted(Work), "/leases/{id}/log", remote::note::log),
        act(Operate, "/workers/{id}/quiet", workers::quiet),
        act(Operate, "/workers/{id}/resume", workers::resume),
        act(Operate, "/workers/{id}/stop", workers::stop),
    ]
}

/// Those beside it.
fn beside() -> Vec<Path> {
    vec![
        read(Open, "/health", health::health),
        read(Open, "/healthz", health::alive),
        read(Open, "/readyz", health::ready),
        read(Read, "/metrics", metrics::metrics),
        read(Open, "/openapi.json", openapi::document),
        read(Open, "/", ui::root),
    ]
}

/// The reference, for people.
fn documents() -> Vec<Path> {
    vec![read(Open, "", ui::docs), read(Open, "/errors", ui::docs)]
}

/// The dashboard's files.
fn files() -> Vec<Path> {
    vec![read(Open, "", ui::file), read(Open, "/{path:.*}", ui::file)]
}

/// The whole route table.
pub fn configure(config: &mut ServiceConfig) {
    config.service(api().into_iter().fold(web::scope("/api/v1"), actix_web::Scope::service));
    for path in beside() {
        config.service(path);
    }
    let below = |prefix, paths: Vec<Path>| {
        paths.into_iter().fold(web::scope(prefix).wrap(Compress::default()), actix_web::Scope::service)
    };
    config.service(below("/docs", documents())).service(below("/ui", files()));
}

/// A method of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteInfo {
    /// In capitals. Where GET is, HEAD is too.
    pub method: &'static str,
    pub path: String,
    /// What a key needs; `None`: no key is asked for.
    pub scope: Option<Scope>,
}

/// Every route there is.
pub fn routes() -> Vec<RouteInfo> {
    let below = |prefix: &'static str, paths: Vec<Path>| paths.into_iter().map(move |path| (prefix, path));
    let all = below("/api/v1", api()).chain(below("", beside()));
    let all = all.chain(below("/docs", documents())).chain(below("/ui", files()));
    all.flat_map(|(prefix, Path { path, methods, .. })| {
        methods.into_iter().map(move |(method, need)| {
            let path = format!("{prefix}{path}");
            RouteInfo { method, path, scope: need.scope() }
        })
    })
    .collect()
}

fn faults_allowed(context: &guard::GuardContext<'_>) -> bool {
    context.app_data::<Data<ApiState>>().is_some_and(|state| state.allow_faults)
}
