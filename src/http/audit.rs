//! The audit log: what operators did.

use actix_web::{HttpResponse, web::Data};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    ApiState,
    cursor::Binding,
    problem::Problem,
    query::{self, Query},
    reply::{self, Listed},
    time::Time,
    view::Raw,
};
use crate::{
    store::{AuditFilter, AuditRow},
    task::name,
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    /// Name of a key; `anonymous` where none was asked for; `local` for what was done on the machine itself.
    actor: Option<String>,
    #[param(example = "queue.pause")]
    action: Option<String>,
    /// Id of a task or key, or name of a queue.
    target: Option<String>,
    /// 1 to 200; 50 if not given.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(super) struct AuditView<'a> {
    seq: i64,
    at: Time,
    actor: &'a str,
    /// `task.cancel`, `task.retry`, `result.ttl`, `result.delete`, `queue.configure`, `queue.pause`, `queue.resume`,
    /// `queue.delete`, `rate_limit.set`, `rate_limit.delete`, `key.create` or `key.revoke`.
    action: &'a str,
    target: &'a str,
    #[schema(value_type = Option<Object>)]
    detail: Raw<'a>,
}

impl<'a> From<&'a AuditRow> for AuditView<'a> {
    fn from(row: &'a AuditRow) -> Self {
        let AuditRow { seq, at, actor, action, target, detail } = row;
        Self { seq: *seq, at: Time(*at), actor, action, target, detail: Raw::or_null(detail.as_deref()) }
    }
}

/// Lists what operators did, the latest first
///
/// Kept for 90 days. Only what has changed something is in it.
#[utoipa::path(
    get, path = "/api/v1/audit", operation_id = "list_audit", tag = "system",
    params(AuditQuery),
    responses((status = 200, body = Listed<AuditView>))
)]
pub(super) async fn list(state: Data<ApiState>, query: Query<AuditQuery>) -> Result<HttpResponse, Problem> {
    let AuditQuery { actor, action, target, limit, cursor } = query.0;
    for (parameter, text) in [("actor", &actor), ("action", &action), ("target", &target)] {
        if let Some(text) = text {
            name::free(text, 256, "it").map_err(|error| query::invalid(parameter, error.to_string()))?;
        }
    }
    let limit = query::limit(limit.as_deref())?;
    let filter = AuditFilter { actor, action, target };
    let binding = Binding::new(&("audit", &filter));
    let before = binding.number(cursor.as_deref())?;
    let mut rows = state.read(move |reader| reader.audit(&filter, before, limit + 1)).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next_cursor = rows.last().filter(|_| more).map(|row| binding.write_number(row.seq));
    reply::ok(&Listed { data: rows.iter().map(AuditView::from).collect(), next_cursor, prev_cursor: None })
}
