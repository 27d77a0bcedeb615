//! The REST API, the dashboard's files and the probes: requests in, verbs of the engine and reads of the store out.

mod actions;
mod actors;
mod amend;
mod attempts;
mod batch;
mod body;
mod bulk;
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
mod health;
mod history;
mod list;
mod metrics;
mod openapi;
mod parents;
mod problem;
mod query;
mod queues;
mod rate_limit;
mod refusals;
mod relatives;
mod reply;
mod result;
mod route;
mod server;
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
mod unread;
mod view;
mod wait;
mod window;
mod workers;

pub use openapi::openapi;
pub use server::serve;
pub use state::{ApiState, EdgeSettings, NodeInfo, TaskDefaults};

use actix_web::{
    guard,
    middleware::Compress,
    web::{self, Data, ServiceConfig},
};
use route::{act, at, no_route, read};

/// The whole route table.
pub fn configure(config: &mut ServiceConfig) {
    config.service(
        web::scope("/api/v1")
            .service(at("/tasks").get(list::list).post(submit::submit))
            .service(act("/tasks/batch", batch::submit_batch))
            .service(act("/tasks/bulk", bulk::bulk))
            .service(at("/tasks/{id}").get(tasks::get).patch(amend::patch).delete(amend::delete))
            .service(act("/tasks/{id}/run-now", amend::run_now))
            .service(at("/tasks/{id}/result").get(result::get).delete(result::delete))
            .service(at("/tasks/{id}/result/ttl").put(result::put_ttl))
            .service(read("/tasks/{id}/dependencies", relatives::get))
            .service(read("/tasks/{id}/explain", explain::get))
            .service(read("/tasks/{id}/attempts", attempts::attempts))
            .service(act("/tasks/{id}/cancel", actions::cancel))
            .service(act("/tasks/{id}/retry", actions::retry))
            .service(read("/queues", queues::list))
            .service(at("/queues/{queue}").get(queues::get).put(settings::put).delete(settings::delete))
            .service(read("/queues/{queue}/stats", queues::stats))
            .service(
                at("/queues/{queue}/rate-limit")
                    .get(settings::get_limit)
                    .put(settings::put_limit)
                    .delete(settings::delete_limit),
            )
            .service(act("/queues/{queue}/pause", queues::pause))
            .service(act("/queues/{queue}/resume", queues::resume))
            .service(act("/queues/{queue}/purge", settings::purge))
            .service(at("/dlq").get(dlq::dead_letters).delete(dead_letters::purge))
            .service(read("/dlq/stats", dead_letters::stats))
            .service(read("/dlq/groups", dead_letters::groups))
            .service(act("/dlq/redrive", dead_letters::redrive))
            .service(at("/dlq/{id}").get(dlq::dead_letter).delete(dlq::delete))
            .service(act("/dlq/{id}/retry", dlq::retry))
            .service(read("/operations", bulk::list))
            .service(read("/operations/{id}", bulk::get))
            .service(act("/operations/{id}/cancel", bulk::cancel))
            .service(read("/workers", workers::list))
            .service(read("/workers/{id}", workers::get))
            .service(read("/stats", stats::stats))
            .service(read("/stats/history", history::history))
            .service(read("/events", events::events))
            .service(read("/system/actors", actors::list))
            .service(act("/system/faults/panic", actors::inject_panic).guard(guard::fn_guard(faults_allowed))),
    );
    config
        .service(read("/health", health::health))
        .service(read("/healthz", health::alive))
        .service(read("/readyz", health::ready))
        .service(read("/metrics", metrics::metrics))
        .service(read("/openapi.json", openapi::document))
        .service(read("/", ui::root))
        .service(
            web::scope("/docs")
                .wrap(Compress::default())
                .service(read("", ui::docs))
                .service(read("/errors", ui::docs)),
        )
        .service(
            web::scope("/ui")
                .wrap(Compress::default())
                .service(read("", ui::file))
                .service(read("/{path:.*}", ui::file)),
        );
}

fn faults_allowed(context: &guard::GuardContext<'_>) -> bool {
    context.app_data::<Data<ApiState>>().is_some_and(|state| state.allow_faults)
}
