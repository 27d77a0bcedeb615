//! Every error there can be, with what the page `/docs/errors` says of it. A problem's status comes from here too, so
//! that neither can differ from what is answered.

use actix_web::http::StatusCode;
use serde::{Serialize, Serializer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema},
};

/// `name: status, identifier, meaning, remedy` → the enum and what is said of each of its members.
macro_rules! codes {
    ($($name:literal: $status:ident, $code:ident, $meaning:literal, $remedy:literal;)+) => {
        /// What went wrong: stable, for programs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Code {
            $($code),+
        }

        impl Code {
            const ALL: &[Self] = &[$(Self::$code),+];

            fn entry(self) -> Entry {
                match self {
                    $(Self::$code => Entry {
                        code: $name, status: StatusCode::$status.as_u16(), meaning: $meaning, remedy: $remedy
                    }),+
                }
            }

            pub(super) fn name(self) -> &'static str {
                match self {
                    $(Self::$code => $name),+
                }
            }

            pub(super) fn status(self) -> StatusCode {
                match self {
                    $(Self::$code => StatusCode::$status),+
                }
            }
        }
    };
}

codes! {
    "invalid_json": BAD_REQUEST, InvalidJson,
        "The body is empty or is not JSON.",
        "Send one JSON object. The detail has the line and column of the first error.";
    "invalid_utf8": BAD_REQUEST, InvalidUtf8,
        "The body has bytes that are not UTF-8.",
        "Encode the body as UTF-8. Bytes of another kind can be sent as Base64 in a string.";
    "incomplete_body": BAD_REQUEST, IncompleteBody,
        "The connection ended before the whole body was there.",
        "Send it again. If it happens often, look at the proxies between client and server.";
    "refused": BAD_REQUEST, Refused,
        "The request is not sound HTTP. It may come with another 4xx status.",
        "Look at the status and the detail, then at how the client builds its request.";
    "key_required": UNAUTHORIZED, KeyRequired,
        "The server asks for an API key, and the request brings none.",
        "Send the key as `Authorization: Bearer jq_…` or as `X-API-Key`; in the dashboard, log in.";
    "invalid_key": UNAUTHORIZED, InvalidKey,
        "There is no such API key.",
        "Check that it was copied whole. `jobqueue key list` shows the keys there are.";
    "key_expired": UNAUTHORIZED, KeyExpired,
        "The API key was made for a time, and that is over.",
        "Ask whoever runs the server for a new one.";
    "key_revoked": UNAUTHORIZED, KeyRevoked,
        "The API key was revoked.",
        "Ask whoever runs the server for a new one.";
    "missing_scope": FORBIDDEN, MissingScope,
        "The API key does not have the scope that this needs.",
        "The detail names the scope. Use a key that has it.";
    "queue_not_allowed": FORBIDDEN, QueueNotAllowed,
        "The API key is good for some queues only, and this is about others, or about all.",
        "Use a key that is good for the queue; for what is about all queues, one without queues.";
    "cross_origin": FORBIDDEN, CrossOrigin,
        "A page of another origin tried to change something.",
        "Use the dashboard of this server, or call the API from a program instead of a browser's page.";
    "route_not_found": NOT_FOUND, RouteNotFound,
        "There is nothing at this path.",
        "Compare the path with the API reference at `/docs`. The API's own paths begin with `/api/v1`.";
    "file_not_found": NOT_FOUND, FileNotFound,
        "The dashboard has no such file.",
        "Reload the page: it may be of another version than the server.";
    "invalid_id": NOT_FOUND, InvalidId,
        "The id in the path is not a UUID, so nothing can have it.",
        "Use the id as the server gave it, with nothing cut off.";
    "task_not_found": NOT_FOUND, TaskNotFound,
        "No task has this id.",
        "Check the id. A task that is over is deleted after its retention.";
    "queue_not_found": NOT_FOUND, QueueNotFound,
        "No queue has this name.",
        "Check the name. A queue comes into being with its first task.";
    "worker_not_found": NOT_FOUND, WorkerNotFound,
        "No worker has this id.",
        "List the workers: each start of a server is a worker with an id of its own.";
    "dead_letter_not_found": NOT_FOUND, DeadLetterNotFound,
        "This task is not a dead letter.",
        "It may have been retried already: read the task.";
    "actor_not_found": NOT_FOUND, ActorNotFound,
        "No actor runs at this path.",
        "List the actors: one that is restarting has no address for a moment.";
    "operation_not_found": NOT_FOUND, OperationNotFound,
        "No operation has this id.",
        "List the operations: the newest hundred are shown.";
    "schedule_not_found": NOT_FOUND, ScheduleNotFound,
        "No schedule has this name.",
        "List the schedules. Names are as they were given, capitals and all.";
    "workflow_not_found": NOT_FOUND, WorkflowNotFound,
        "No workflow has this id.",
        "Check the id. A workflow is deleted after the last of its tasks.";
    "key_not_found": NOT_FOUND, KeyNotFound,
        "No API key has this id.",
        "List the keys. Those in the configuration have no id and are changed there.";
    "rate_limit_not_set": NOT_FOUND, RateLimitNotSet,
        "The queue has no rate limit, and the server has none for queues without one.",
        "Set one with PUT at the same path.";
    "method_not_allowed": METHOD_NOT_ALLOWED, MethodNotAllowed,
        "The path is there, but not for this method.",
        "Use one of the methods in the header `Allow`.";
    "body_timeout": REQUEST_TIMEOUT, BodyTimeout,
        "The body did not arrive in time.",
        "Send it in one go, and split a large batch.";
    "workflow_finished": CONFLICT, WorkflowFinished,
        "The workflow is over, so it cannot be cancelled.",
        "Nothing is left to do. Its state says how it ended.";
    "nothing_failed": CONFLICT, NothingFailed,
        "No task of the workflow has failed, or none that has can run again.",
        "The detail says which. What waits for tasks of other workflows runs again after those.";
    "workflow_callback_runs": CONFLICT, WorkflowCallbackRuns,
        "The workflow has called a callback, which runs: that could not be called once more.",
        "Wait until it is over, or cancel it, and retry the workflow then.";
    "task_finished": CONFLICT, TaskFinished,
        "The task is over, so it cannot be cancelled.",
        "Nothing is left to do. Its status says how it ended.";
    "task_not_finished": CONFLICT, TaskNotFinished,
        "The task is not over, so it cannot be run again.",
        "Wait for its end, or cancel it first.";
    "unique_key_held": CONFLICT, UniqueKeyHeld,
        "Another task of the queue has this unique key, and the submission said to reject in that case, or to replace one that waits and is of no workflow.",
        "The answer's `task_id` is the task that has it. Wait for its end, cancel it, or submit with another key. `GET` shows in `unique` for how long it has the key.";
    "unique_key_released": CONFLICT, UniqueKeyReleased,
        "The task that held the unique key was deleted at this very moment, and nothing was stored.",
        "Submit again: the key is free now.";
    "parent_failed": CONFLICT, ParentFailed,
        "The task waits for the success of another one, which did not succeed.",
        "Retry that one first: the answer's `task_id` is the one.";
    "parent_gone": CONFLICT, ParentGone,
        "The task waits for the success of another one, which did not succeed and has been deleted since.",
        "Submit it anew, with the parents it is to have now. The answer's `task_id` is the one that is gone.";
    "task_not_waiting": CONFLICT, TaskNotWaiting,
        "Only a task that waits can be changed, and this one runs or is over.",
        "Cancel it and submit it anew, or wait for its end and retry it.";
    "no_result": CONFLICT, NoResult,
        "Only a task that has succeeded has a result.",
        "Look at its status: what went wrong is its `error`.";
    "key_configured": CONFLICT, KeyConfigured,
        "The API key is named in the server's configuration too, so that revoking it would not end it.",
        "Take it out of `API_KEYS`, restart the server, then revoke it.";
    "key_name_taken": CONFLICT, KeyNameTaken,
        "An API key in use has this name.",
        "Choose another name, or revoke that key first.";
    "too_many_keys": CONFLICT, TooManyKeys,
        "There are as many API keys in use as the server keeps.",
        "Revoke keys that nobody uses: the list says when each was last used.";
    "queue_changed": CONFLICT, QueueChanged,
        "Somebody else has changed the queue since its `version` was read.",
        "Read it again, and change what is there now.";
    "queue_not_empty": CONFLICT, QueueNotEmpty,
        "The queue has tasks, finished ones among them.",
        "Purge it (what waits is cancelled), wait for what runs, then delete what is over by `POST /tasks/bulk`.";
    "schedule_exists": CONFLICT, ScheduleExists,
        "There is a schedule of this name already.",
        "Choose another name, or replace it with PUT.";
    "schedule_changed": CONFLICT, ScheduleChanged,
        "Somebody else has changed the schedule since its `version` was read.",
        "Read it again, and change what is there now.";
    "trigger_refused": CONFLICT, TriggerRefused,
        "The task of the schedule was refused, as by a queue that is full or a unique key that is held.",
        "The detail says why. Mend that, or change the schedule's task.";
    "operation_finished": CONFLICT, OperationFinished,
        "The operation is over, so it cannot be stopped.",
        "Nothing is left to do. What it has done stays done.";
    "worker_dead": CONFLICT, WorkerDead,
        "The remote worker has stopped, or was silent for too long: what it held runs elsewhere.",
        "Register again. What it ran may be stopped: what it says of that is dropped.";
    "lease_lost": CONFLICT, LeaseLost,
        "The task is not held under this lease, or not any more.",
        "Drop what was to be said. The task was taken back, and runs or has run elsewhere.";
    "not_cancelled": CONFLICT, NotCancelled,
        "Nobody has asked for the task to be cancelled, and its time is not over.",
        "Give it back by `release`, or report an error.";
    "no_deadline": CONFLICT, NoDeadline,
        "The task has no time limit.",
        "Go on: there is no deadline to be moved.";
    "worker_gone": CONFLICT, WorkerGone,
        "The worker has stopped, or is held to be dead.",
        "Nothing is left to be asked of it: one that starts again is another worker.";
    "result_expired": GONE, ResultExpired,
        "The result's time is over, or it was deleted. The task itself is still there.",
        "Keep results longer with `result_ttl`, or keep large ones elsewhere and return their address.";
    "body_too_large": PAYLOAD_TOO_LARGE, BodyTooLarge,
        "The body is larger than is taken here.",
        "Split a batch. Keep large data elsewhere and submit its address.";
    "unsupported_media_type": UNSUPPORTED_MEDIA_TYPE, UnsupportedMediaType,
        "The body is announced as something else than JSON.",
        "Send the header `Content-Type: application/json`.";
    "unsupported_content_encoding": UNSUPPORTED_MEDIA_TYPE, UnsupportedContentEncoding,
        "The body is compressed.",
        "Send it as it is, without the header `Content-Encoding`.";
    "wrong_host": MISDIRECTED_REQUEST, WrongHost,
        "The request names a host that this server is not. A server on a loopback address answers to its own names only.",
        "Use `localhost` or the address it listens on.";
    "invalid_field": UNPROCESSABLE_ENTITY, InvalidField,
        "A field of the body has a value that is not possible.",
        "Each entry of `errors` has the field's place as a JSON pointer, and what it must be.";
    "first_key": UNPROCESSABLE_ENTITY, FirstKey,
        "From the first API key on, keys are asked for everywhere: that one must be able to make more.",
        "Give the first key the scope `admin`.";
    "unknown_field": UNPROCESSABLE_ENTITY, UnknownField,
        "The body has a field that there is not.",
        "Mend its name: the detail has the nearest known one. Data of your own goes into `meta`.";
    "missing_field": UNPROCESSABLE_ENTITY, MissingField,
        "A field that is required is not there.",
        "Add the field that `errors` names.";
    "duplicate_field": UNPROCESSABLE_ENTITY, DuplicateField,
        "A field is given twice, or once more under its other name.",
        "Give it once.";
    "invalid_parameter": UNPROCESSABLE_ENTITY, InvalidParameter,
        "A query parameter has a value that is not possible.",
        "Each entry of `errors` names the parameter and what it must be. A cursor belongs to the filters it came with.";
    "unknown_parameter": UNPROCESSABLE_ENTITY, UnknownParameter,
        "There is no such query parameter here.",
        "Mend its name: the detail has the nearest known one.";
    "duplicate_parameter": UNPROCESSABLE_ENTITY, DuplicateParameter,
        "A query parameter is given twice.",
        "Give it once. Several statuses are separated by commas.";
    "invalid_header": UNPROCESSABLE_ENTITY, InvalidHeader,
        "A header has a value that is not possible.",
        "`errors` names the header and what it must be.";
    "idempotency_key_reused": UNPROCESSABLE_ENTITY, IdempotencyKeyReused,
        "This `Idempotency-Key` was used for another request within the last 24 hours.",
        "Use a new key for each new request, and the same one only to repeat it unchanged.";
    "parent_not_found": UNPROCESSABLE_ENTITY, ParentNotFound,
        "`depends_on` names a task that does not exist.",
        "Submit parents first, or in the same batch by their `index`. A task that is over is deleted after its retention.";
    "dependency_cycle": UNPROCESSABLE_ENTITY, DependencyCycle,
        "Tasks of the batch wait for each other in a circle, so none could ever start.",
        "`errors` names the tasks of one circle: take one of its edges out. Only an atomic batch is refused as a whole.";
    "confirmation_required": UNPROCESSABLE_ENTITY, ConfirmationRequired,
        "The filter is empty, so this would be done to everything.",
        "Give a condition, or say that everything is meant with `all`.";
    "too_many_queues": UNPROCESSABLE_ENTITY, TooManyQueues,
        "The submission would make a queue, and there are as many as there may be.",
        "Use a queue that exists. What differs from task to task belongs into a tag.";
    "too_many_schedules": UNPROCESSABLE_ENTITY, TooManySchedules,
        "There are as many schedules as the server keeps.",
        "Delete those that nobody needs, or let one task do the work of several.";
    "queue_full": TOO_MANY_REQUESTS, QueueFull,
        "As many tasks wait in the queue as its `max_depth` allows. Nothing was stored.",
        "Send it again after `Retry-After`. If it lasts, more workers or a larger `max_depth` are needed.";
    "at_cap": TOO_MANY_REQUESTS, AtCap,
        "The queue has `at_cap: reject`, and tasks that are not over take up all of its `concurrency`, or of the `key_concurrency` of this key. Nothing was stored.",
        "Send it again after `Retry-After`, or set `at_cap` to `wait`, so that tasks wait for their turn.";
    "too_many_streams": TOO_MANY_REQUESTS, TooManyStreams,
        "As many clients follow events with this API key as may with one.",
        "End one of those streams, or poll instead. A key of its own for each program keeps them apart.";
    "internal": INTERNAL_SERVER_ERROR, Internal,
        "A defect of the server.",
        "Search the server's log for the request id, and report what it says.";
    "busy": SERVICE_UNAVAILABLE, Busy,
        "More submissions wait than the server takes at once. Nothing was stored.",
        "Send it again after `Retry-After`, with an `Idempotency-Key`. If it lasts, submit in batches.";
    "draining": SERVICE_UNAVAILABLE, Draining,
        "The server is shutting down and changes nothing any more.",
        "Send it again after `Retry-After`, to the server that comes next.";
    "shutting_down": SERVICE_UNAVAILABLE, ShuttingDown,
        "The server went down while this waited to be stored.",
        "Send it again after `Retry-After`, with an `Idempotency-Key`.";
    "too_many_subscribers": SERVICE_UNAVAILABLE, TooManySubscribers,
        "As many clients follow events as may.",
        "Poll instead, or close a dashboard that nobody looks at.";
    "store_unavailable": SERVICE_UNAVAILABLE, StoreUnavailable,
        "The store does not answer. Nothing was changed.",
        "Send it again after `Retry-After`. The detail and `/health` say what is wrong with the store.";
    "indeterminate": SERVICE_UNAVAILABLE, Indeterminate,
        "The store was lost while it committed, or has not answered in time: this may have been done or not.",
        "Send it again after `Retry-After`. With the same `Idempotency-Key` that is safe: what was stored is not stored twice.";
    "store_schema": SERVICE_UNAVAILABLE, StoreSchema,
        "The database has the schema of another version.",
        "Run `jobqueue migrate status`, then `jobqueue migrate up` with the version that is to be used.";
    "store_full": INSUFFICIENT_STORAGE, StoreFull,
        "No space is left on the disk of the store. Nothing was changed.",
        "Make space on the disk. What is stored stays readable meanwhile.";
}

/// One entry of the document's `x-errors`.
#[derive(Serialize)]
struct Entry {
    code: &'static str,
    status: u16,
    meaning: &'static str,
    remedy: &'static str,
}

/// All of them, for the API's description.
pub(super) fn reference() -> serde_json::Value {
    let entries: Vec<Entry> = Code::ALL.iter().map(|code| code.entry()).collect();
    serde_json::to_value(entries).unwrap_or_default()
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl PartialSchema for Code {
    fn schema() -> RefOr<Schema> {
        let names = Code::ALL.iter().map(|code| code.name());
        ObjectBuilder::new()
            .schema_type(utoipa::openapi::Type::String)
            .description(Some("What went wrong: stable, for programs. `/docs/errors` says more of each."))
            .enum_values(Some(names))
            .into()
    }
}

impl ToSchema for Code {
    fn name() -> std::borrow::Cow<'static, str> {
        "ErrorCode".into()
    }
}
