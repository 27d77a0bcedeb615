"""The types of the API: made of docs/openapi.json by tools/generate_types.py, not by hand."""

# ruff: noqa
from __future__ import annotations

from typing import Any, Literal, Optional, TypedDict, Union

Action = Literal["cancel", "retry", "delete", "redrive", "discard"]
Algorithm = Literal["sliding_window", "token_bucket"]
AtCap = Literal["wait", "reject"]
BulkAction = Literal["cancel", "retry", "delete"]
CatchUp = Literal["skip", "one", "all"]
DeadReason = Literal["exhausted", "timeout", "not_retryable", "expired", "poison"]
DependsOn = Union[str, "Dependency"]
Duration = Union[str, float]
ErrorCode = Literal["invalid_json", "invalid_utf8", "incomplete_body", "refused", "key_required", "invalid_key", "key_expired", "key_revoked", "missing_scope", "queue_not_allowed", "cross_origin", "route_not_found", "file_not_found", "invalid_id", "task_not_found", "queue_not_found", "worker_not_found", "dead_letter_not_found", "actor_not_found", "operation_not_found", "schedule_not_found", "workflow_not_found", "key_not_found", "rate_limit_not_set", "method_not_allowed", "body_timeout", "workflow_finished", "nothing_failed", "workflow_callback_runs", "task_finished", "task_not_finished", "unique_key_held", "unique_key_released", "parent_failed", "parent_gone", "task_not_waiting", "no_result", "key_configured", "key_name_taken", "too_many_keys", "queue_changed", "queue_not_empty", "schedule_exists", "schedule_changed", "trigger_refused", "operation_finished", "worker_dead", "lease_lost", "not_cancelled", "no_deadline", "worker_gone", "result_expired", "body_too_large", "unsupported_media_type", "unsupported_content_encoding", "wrong_host", "invalid_field", "first_key", "unknown_field", "missing_field", "duplicate_field", "invalid_parameter", "unknown_parameter", "duplicate_parameter", "invalid_header", "idempotency_key_reused", "parent_not_found", "dependency_cycle", "confirmation_required", "too_many_queues", "too_many_schedules", "queue_full", "at_cap", "too_many_streams", "internal", "busy", "draining", "shutting_down", "too_many_subscribers", "store_unavailable", "indeterminate", "store_schema", "store_full"]
ErrorKind = Literal["failure", "panic", "exit", "signal", "timeout", "output", "arguments", "no_handler", "spawn", "cancelled", "lost", "poison", "skipped", "unneeded", "expired"]
LimitBy = Literal["queue", "priority", "rate_key"]
LimitNumbers = Union[int, "ByClass"]
LogLevel = Literal["debug", "info", "warn", "error"]
OnFailure = Literal["skip", "run", "only"]
OperationState = Literal["running", "done", "cancelled"]
Origin = Literal["api", "file"]
Overlap = Literal["allow", "skip"]
PriorityWord = Literal["high", "medium", "low"]
Status = Literal["pending", "scheduled", "queued", "running", "retry", "success", "failed", "timeout", "cancelled", "expired", "skipped"]
Strategy = Literal["exponential", "linear", "fixed", "fibonacci"]
Time = str
Unique = Union[bool, "UniqueSettings"]
UniqueConflict = Literal["return", "reject", "replace"]
UniqueScope = Literal["waiting", "running", "success", "failed", "timeout", "cancelled", "expired", "skipped"]
WorkerAsked = Literal["quiet", "stop"]
WorkerKind = Literal["node", "remote"]
WorkflowState = Literal["running", "success", "failed", "cancelled"]
i64 = int
Priority = Union[PriorityWord, int]


class _ActorAlways(TypedDict):
    kind: str
    mailbox: int
    name: str
    path: str
    restarts: int
    state: str


class Actor(_ActorAlways, total=False):
    last_panic: Optional[LastPanic]
    note: Optional[str]
    parent: Optional[str]
    started_at: Optional[Time]
    strategy: Optional[str]


class _AttemptAlways(TypedDict):
    generation: int
    number: int
    outcome: str


class Attempt(_AttemptAlways, total=False):
    duration_ms: Optional[i64]
    error: Optional[TaskError]
    finished_at: Optional[Time]
    next_delay_ms: Optional[i64]
    started_at: Optional[Time]
    worker_id: Optional[str]


class _AttemptEndedAlways(TypedDict):
    status: Status


class AttemptEnded(_AttemptEndedAlways, total=False):
    duplicate: bool


class _AttemptErrorAlways(TypedDict):
    message: str


class AttemptError(_AttemptErrorAlways, total=False):
    detail: Optional[str]
    kind: Optional[str]
    retry_after: Optional[Duration]
    retryable: Optional[bool]


class _AuditEntryAlways(TypedDict):
    action: str
    actor: str
    at: Time
    seq: int
    target: str


class AuditEntry(_AuditEntryAlways, total=False):
    detail: Optional[dict[str, Any]]


class _BatchAlways(TypedDict):
    tasks: list[NewTask]


class Batch(_BatchAlways, total=False):
    atomic: bool


class BatchReply(TypedDict):
    results: list[ItemReply]


class _BulkAlways(TypedDict):
    action: BulkAction


class Bulk(_BulkAlways, total=False):
    all: bool
    dry_run: bool
    filter: Optional[TaskFilter]
    ids: Optional[list[str]]
    rate: Optional[str]


class BulkCounts(TypedDict):
    done: int
    dry_run: bool
    matched: int
    matched_capped: bool


class ByClass(TypedDict):
    high: int
    low: int
    medium: int


class ByPriority(TypedDict):
    high: int
    low: int
    medium: int


class Cancel(TypedDict, total=False):
    force: bool
    reason: Optional[str]


class CancelReply(TypedDict):
    cancel_requested: bool
    id: str
    status: Status


class CancelWorkflow(TypedDict, total=False):
    reason: Optional[str]


class Chord(TypedDict):
    body: NewTask
    header: list[NewTask]


class Complete(TypedDict):
    result: Any


class _DeadLetterAlways(TypedDict):
    attempts: int
    died_at: Time
    name: str
    priority: int
    queue: str
    reason: DeadReason
    task_id: str


class DeadLetter(_DeadLetterAlways, total=False):
    error: Optional[TaskError]


class DeadLetterCount(TypedDict):
    count: int
    key: str


class DeadLetterFilter(TypedDict, total=False):
    cause: Optional[str]
    died_after: Optional[str]
    error: Optional[str]
    name: Optional[str]
    queue: Optional[str]
    reason: Optional[DeadReason]


class DeadLetterGroup(TypedDict):
    count: int
    error: str
    example_id: str
    first_at: Time
    last_at: Time
    name: str
    queue: str
    reason: DeadReason
    within: list[int]


class _DeadLetterStatsAlways(TypedDict):
    alert: bool
    by_name: list[DeadLetterCount]
    by_queue: list[DeadLetterCount]
    by_reason: list[DeadLetterCount]
    last_day: int
    last_hour: int
    total: int


class DeadLetterStats(_DeadLetterStatsAlways, total=False):
    alert_at: Optional[int]


class Dependencies(TypedDict):
    children: list[Relative]
    more_children: bool
    parents: list[Relative]
    status: Status
    task_id: str


class Dependency(TypedDict, total=False):
    id: Optional[str]
    index: Optional[int]
    on_failure: Optional[OnFailure]
    task: Optional[str]


class Environment(TypedDict):
    color: str
    name: str


class _ExplanationAlways(TypedDict):
    reasons: list[Reason]
    status: Status
    summary: str
    task_id: str


class Explanation(_ExplanationAlways, total=False):
    expires_at: Optional[Time]
    expires_by: Optional[str]
    not_before: Optional[Time]


class Extend(TypedDict):
    by: Duration


class ExtendReply(TypedDict):
    deadline: Time


class _FailAlways(TypedDict):
    error: AttemptError


class Fail(_FailAlways, total=False):
    retry_after: Optional[Duration]
    retryable: Optional[bool]


class _FaultAlways(TypedDict):
    detail: str


class Fault(_FaultAlways, total=False):
    header: Optional[str]
    parameter: Optional[str]
    pointer: Optional[str]


class _FiguresViewAlways(TypedDict):
    cancelled: int
    dead: int
    expired: int
    failed_attempts: int
    finished_per_s: float
    retried: int
    run_ms: Spread
    snoozed: int
    submitted: int
    submitted_per_s: float
    succeeded: int
    wait_ms: Spread


class FiguresView(_FiguresViewAlways, total=False):
    success_rate: Optional[float]
    utilisation: Optional[float]
    waiting: Optional[Waiting]


class _HealthAlways(TypedDict):
    status: str


class Health(_HealthAlways, total=False):
    broker: HealthPart
    environment: Optional[Environment]
    line: Optional[HealthPart]
    store: HealthPart
    stuck_handlers: int
    version: str


class _HealthDetailsAlways(TypedDict):
    broker: HealthPart
    store: HealthPart
    version: str


class HealthDetails(_HealthDetailsAlways, total=False):
    environment: Optional[Environment]
    line: Optional[HealthPart]
    stuck_handlers: int


class _HealthPartAlways(TypedDict):
    kind: str
    status: str


class HealthPart(_HealthPartAlways, total=False):
    error: Optional[str]
    meanwhile: Optional[str]
    outcomes_waiting: Optional[int]
    since: Optional[Time]
    spool_bytes: Optional[int]


class _HeartbeatAlways(TypedDict):
    running: list[str]


class Heartbeat(_HeartbeatAlways, total=False):
    rss_bytes: Optional[int]
    wait: Optional[Duration]


class HeartbeatReply(TypedDict):
    cancel: list[str]
    cancel_at_once: list[str]
    lost: list[str]
    quiet: bool
    stop: bool


_HeldKeyAlways = TypedDict('_HeldKeyAlways', {"while": "list[str]"}, total=True)


class HeldKey(_HeldKeyAlways, total=False):
    until: Optional[Time]


class _ItemErrorAlways(TypedDict):
    code: ErrorCode
    detail: str


class ItemError(_ItemErrorAlways, total=False):
    errors: list[Fault]
    task_id: Optional[str]


class _ItemReplyAlways(TypedDict):
    index: int
    status: int


class ItemReply(_ItemReplyAlways, total=False):
    deduplicated: bool
    error: Optional[ItemError]
    id: Optional[str]
    replaced: bool


class _KeyAlways(TypedDict):
    created_at: Time
    id: str
    name: str
    queues: list[str]
    scopes: list[str]
    state: str


class Key(_KeyAlways, total=False):
    expires_at: Optional[Time]
    key: Optional[str]
    last_used_at: Optional[Time]
    revoked_at: Optional[Time]


class LastPanic(TypedDict):
    at: Time
    message: str


class LeaseRequest(TypedDict, total=False):
    max: Optional[int]
    names: Optional[list[str]]
    queues: Optional[list[str]]
    wait: Optional[Duration]


class Leased(TypedDict):
    data: list[LeasedTask]
    quiet: bool


class _LeasedTaskAlways(TypedDict):
    args: list[Any]
    attempt: int
    created_at: Time
    failures: int
    generation: int
    id: str
    kwargs: dict[str, Any]
    lease_id: str
    max_retries: int
    name: str
    parents: dict[str, Any]
    priority: int
    queue: str
    snoozes: int
    tags: list[str]


class LeasedTask(_LeasedTaskAlways, total=False):
    deadline: Optional[Time]
    meta: Optional[dict[str, Any]]
    timeout_s: Optional[float]


class _Listed_ActorAlways(TypedDict):
    data: list[dict[str, Any]]


class Listed_Actor(_Listed_ActorAlways, total=False):
    next_cursor: Optional[str]
    prev_cursor: Optional[str]


class _Listed_AttemptAlways(TypedDict):
    data: list[dict[str, Any]]


class Listed_Attempt(_Listed_AttemptAlways, total=False):
    next_cursor: Optional[str]
    prev_cursor: Optional[str]


class _Listed_AuditEntryAlways(TypedDict):
    data: list[dict[str, Any]]


class Listed_AuditEntry(_Listed_AuditEntryAlways, total=False):
    next_cursor: Optional[str]
    prev_cursor: Optional[str]


class _Listed_DeadLetterAlways(TypedDict):
    data: list[dict[str, Any]]


class Listed_DeadLetter(_Listed_DeadLetterAlways, total=False):
    next_cursor: Optional[str]
    prev_cursor: Optional[str]


class _Listed_DeadLetterGroupAlways(TypedDict):
    data: list[dict[str, Any]]


class Listed_DeadLetterGroup(_Listed_DeadLetterGroupAlways, total=False):
    next_cursor: Optional[str]
    prev_cursor: Optional[str]


class _Listed_KeyAlways(TypedDict):
    data: list[dict[str, Any]]


class Listed_Key(_Listed_KeyAlways, total=False):
    next_cursor: Optional[str]
    prev_cursor: Optional[str]


class _Listed_OperationAlways(TypedDict):
    data: list[dict[str, Any]]


class Listed_Operation(_Listed_OperationAlways, total=False):
    next_cursor: Optional[str]
    prev_cursor: Optional[str]


class _Listed_QueueAlways(TypedDict):
    data: list[dict[str, Any]]


class Listed_Queue(_Listed_QueueAlways, total=False):
    next_cursor: Optional[str]
    prev_cursor: Optional[str]


class _Listed_ScheduleAlways(TypedDict):
    data: list[dict[str, Any]]


class Listed_Schedule(_Listed_ScheduleAlways, total=False):
    next_cursor: Optional[str]
    prev_cursor: Optional[str]


class _Listed_ScheduleTickAlways(TypedDict):
    data: list[dict[str, Any]]


class Listed_ScheduleTick(_Listed_ScheduleTickAlways, total=False):
    next_cursor: Optional[str]
    prev_cursor: Optional[str]


class _Listed_WorkerAlways(TypedDict):
    data: list[dict[str, Any]]


class Listed_Worker(_Listed_WorkerAlways, total=False):
    next_cursor: Optional[str]
    prev_cursor: Optional[str]


class _Listed_WorkflowAlways(TypedDict):
    data: list[dict[str, Any]]


class Listed_Workflow(_Listed_WorkflowAlways, total=False):
    next_cursor: Optional[str]
    prev_cursor: Optional[str]


class _LogAlways(TypedDict):
    data: list[LogLine]
    dropped: int


class Log(_LogAlways, total=False):
    next_cursor: Optional[str]
    prev_cursor: Optional[str]


class LogLine(TypedDict):
    at: Time
    attempt: int
    generation: int
    level: LogLevel
    message: str


class Login(TypedDict):
    key: str


class _NewKeyAlways(TypedDict):
    name: str
    scopes: list[str]


class NewKey(_NewKeyAlways, total=False):
    expires_at: Optional[str]
    expires_in: Optional[Duration]
    queues: Optional[list[str]]


class _NewLogLineAlways(TypedDict):
    message: str


class NewLogLine(_NewLogLineAlways, total=False):
    at: Optional[str]
    level: LogLevel


class NewLogLines(TypedDict):
    lines: list[NewLogLine]


class NewProgress(TypedDict, total=False):
    message: Optional[str]
    percent: Optional[float]


class NewRateLimit(TypedDict, total=False):
    algorithm: Optional[Algorithm]
    burst: Optional[int]
    by: Optional[LimitBy]
    enabled: Optional[bool]
    limit: Optional[LimitNumbers]
    max_tasks_per_minute: Optional[int]
    per: Optional[Duration]


class NewSchedule(TypedDict, total=False):
    catch_up: Optional[CatchUp]
    cron: Optional[str]
    enabled: Optional[bool]
    every: Optional[Duration]
    jitter: Optional[Duration]
    name: Optional[str]
    overlap: Optional[Overlap]
    task: Optional[NewTask]
    timezone: Optional[str]
    version: Optional[int]


class _NewTaskAlways(TypedDict):
    name: str


class NewTask(_NewTaskAlways, total=False):
    args: Optional[list[Any]]
    concurrency_key: Optional[str]
    cost: Optional[int]
    delay: Optional[Duration]
    depends_on: Optional[list[DependsOn]]
    expires_at: Optional[str]
    expires_in: Optional[Duration]
    fair_key: Optional[str]
    kwargs: Optional[dict[str, Any]]
    max_age: Optional[Duration]
    max_retries: Optional[int]
    meta: Optional[dict[str, Any]]
    priority: Optional[Priority]
    queue: Optional[str]
    rate_key: Optional[str]
    requires: Optional[list[str]]
    result_ttl: Optional[Duration]
    retry: Optional[RetryPolicy]
    run_at: Optional[str]
    tags: Optional[list[str]]
    timeout: Optional[Duration]
    unique: Optional[Unique]
    unique_conflict: Optional[UniqueConflict]
    unique_key: Optional[str]


class _NewWorkerAlways(TypedDict):
    concurrency: int
    names: list[str]


class NewWorker(_NewWorkerAlways, total=False):
    client: Optional[str]
    host: Optional[str]
    labels: list[str]
    name: Optional[str]
    pid: Optional[int]
    prefetch: int
    queues: Optional[list[str]]


class NewWorkflow(TypedDict, total=False):
    chain: Optional[list[NewTask]]
    chord: Optional[Chord]
    group: Optional[list[NewTask]]
    meta: Optional[dict[str, Any]]
    name: Optional[str]
    on_failure: Optional[NewTask]
    on_success: Optional[NewTask]
    tags: Optional[list[str]]
    tasks: Optional[dict[str, NewTask]]


class Noted(TypedDict):
    cancel: bool


class _OperationAlways(TypedDict):
    action: Action
    created_at: Time
    done: int
    id: str
    refused: int
    state: OperationState


class Operation(_OperationAlways, total=False):
    finished_at: Optional[Time]
    rate: Optional[float]


class _OutcomeAlways(TypedDict):
    lease_id: str


class Outcome(_OutcomeAlways, total=False):
    cancelled: Optional[bool]
    error: Optional[AttemptError]
    log: Optional[list[NewLogLine]]
    release: Optional[bool]
    result: Any
    retry_after: Optional[Duration]
    retryable: Optional[bool]
    snooze: Optional[Duration]


class _OutcomeReplyAlways(TypedDict):
    status: int


class OutcomeReply(_OutcomeReplyAlways, total=False):
    code: Optional[ErrorCode]
    detail: Optional[str]
    duplicate: bool
    errors: list[Fault]
    task_status: Optional[Status]


class Outcomes(TypedDict):
    outcomes: list[Outcome]


class OutcomesReply(TypedDict):
    results: list[OutcomeReply]


class Probe(TypedDict):
    status: str


class _ProblemAlways(TypedDict):
    code: ErrorCode
    detail: str
    instance: str
    request_id: str
    status: int
    title: str
    type: str


class Problem(_ProblemAlways, total=False):
    errors: list[Fault]
    task_id: Optional[str]


class Progress(TypedDict):
    cancelled: int
    expired: int
    failed: int
    open: int
    skipped: int
    success: int
    timeout: int
    total: int
    unneeded: int


class _QueueAlways(TypedDict):
    at_cap: AtCap
    fair_weights: dict[str, int]
    retention: RetentionView
    name: str
    paused: bool
    queued_by_priority: ByPriority
    status_counts: StatusCounts
    total_queued: int
    unservable: int
    version: int
    weight: int


class Queue(_QueueAlways, total=False):
    ageing: Optional[str]
    concurrency: Optional[int]
    key_concurrency: Optional[int]
    key_rate_limit: Optional[str]
    max_age: Optional[str]
    max_depth: Optional[int]
    max_retries: Optional[int]
    retry: Optional[dict[str, Any]]
    timeout: Optional[str]
    oldest_ready_s: Optional[float]
    rate_limit: Optional[str]


class QueueSettings(TypedDict, total=False):
    ageing: Optional[Duration]
    at_cap: Optional[AtCap]
    concurrency: Optional[int]
    fair_weights: Optional[dict[str, int]]
    key_concurrency: Optional[int]
    key_rate_limit: Optional[NewRateLimit]
    max_age: Optional[Duration]
    max_depth: Optional[int]
    max_retries: Optional[int]
    paused: bool
    rate_limit: Optional[NewRateLimit]
    retention: Optional[Retention]
    retry: Optional[RetryPolicy]
    timeout: Optional[Duration]
    version: Optional[int]
    weight: Optional[int]


class _QueueSettingsShownAlways(TypedDict):
    at_cap: AtCap
    fair_weights: dict[str, int]
    retention: RetentionView


class QueueSettingsShown(_QueueSettingsShownAlways, total=False):
    ageing: Optional[str]
    concurrency: Optional[int]
    key_concurrency: Optional[int]
    key_rate_limit: Optional[str]
    max_age: Optional[str]
    max_depth: Optional[int]
    max_retries: Optional[int]
    retry: Optional[dict[str, Any]]
    timeout: Optional[str]


class _QueueStatsAlways(TypedDict):
    queue: str
    queued_by_priority: ByPriority
    status_counts: StatusCounts
    total_queued: int


class QueueStats(_QueueStatsAlways, total=False):
    oldest_ready_s: Optional[float]
    rate_limit: Optional[RateLimit]


class _RateLimitAlways(TypedDict):
    algorithm: Algorithm
    burst: int
    by: LimitBy
    enabled: bool
    limit: LimitNumbers
    next_permit_in_s: float
    per: str
    remaining: int
    source: str
    used: int


class RateLimit(_RateLimitAlways, total=False):
    by_priority: dict[str, RateLimitPart]


class RateLimitPart(TypedDict):
    limit: int
    next_permit_in_s: float
    remaining: int
    used: int


class _ReasonAlways(TypedDict):
    code: str
    detail: str


class Reason(_ReasonAlways, total=False):
    count: Optional[int]
    missing: Optional[str]
    parents: list[str]
    until: Optional[Time]


class Redrive(TypedDict, total=False):
    all: bool
    dry_run: bool
    filter: Optional[DeadLetterFilter]
    rate: Optional[str]


class RegisteredWorker(TypedDict):
    heartbeat_every_s: float
    protocol: int
    ttl_s: float
    worker_id: str


class _RelativeAlways(TypedDict):
    id: str
    name: str
    on_failure: OnFailure
    status: Status


class Relative(_RelativeAlways, total=False):
    queue: Optional[str]


class ResultTtl(TypedDict):
    ttl: Duration


class Retention(TypedDict, total=False):
    others: Optional[Duration]
    success: Optional[Duration]


class RetentionView(TypedDict, total=False):
    others: Optional[str]
    success: Optional[str]


class Retry(TypedDict):
    base: float
    initial: str
    jitter: bool
    max: str
    strategy: Strategy


class RetryDeadLetter(TypedDict, total=False):
    args: Optional[list[Any]]
    kwargs: Optional[dict[str, Any]]


class RetryPolicy(TypedDict, total=False):
    base: Optional[float]
    initial: Optional[Duration]
    jitter: Optional[bool]
    max: Optional[Duration]
    strategy: Optional[Strategy]


class _ScheduleAlways(TypedDict):
    catch_up: CatchUp
    created_at: Time
    enabled: bool
    made: int
    missed: int
    name: str
    origin: Origin
    overlap: Overlap
    overlapped: int
    refused: int
    runs: list[ScheduleRun]
    task: NewTask
    updated_at: Time
    version: int


class Schedule(_ScheduleAlways, total=False):
    cron: Optional[str]
    every: Optional[str]
    jitter: Optional[str]
    last_task_id: Optional[str]
    next_at: Optional[Time]
    next_tick: Optional[Time]
    paused_by: Optional[Origin]
    timezone: Optional[str]


class _ScheduleRunAlways(TypedDict):
    at: Time
    tick: Time


class ScheduleRun(_ScheduleRunAlways, total=False):
    reason: Optional[str]
    task_id: Optional[str]


class ScheduleTick(TypedDict):
    due_at: Time
    local: str
    tick: Time


class _SessionAlways(TypedDict):
    auth: bool
    queues: list[str]
    scopes: list[str]


class Session(_SessionAlways, total=False):
    name: Optional[str]


class Slots(TypedDict):
    busy: int
    total: int


SnoozeAttempt = TypedDict('SnoozeAttempt', {"for": "Duration"}, total=True)


class _SpreadAlways(TypedDict):
    count: int


class Spread(_SpreadAlways, total=False):
    mean: Optional[float]
    p50: Optional[float]
    p95: Optional[float]
    p99: Optional[float]


class _StatsAlways(TypedDict):
    dead_letters: int
    queues: int
    slots: Slots
    status_counts: StatusCounts
    totals: Totals
    window: StatsWindow
    workers: int


class Stats(_StatsAlways, total=False):
    oldest_ready_s: Optional[float]


_StatsHistoryAlways = TypedDict('_StatsHistoryAlways', {"from": "Time", "points": "list[StatsPoint]", "step_ms": "i64", "to": "Time"}, total=True)


class StatsHistory(_StatsHistoryAlways, total=False):
    queue: Optional[str]


class _StatsPointAlways(TypedDict):
    cancelled: int
    dead: int
    expired: int
    failed_attempts: int
    finished_per_s: float
    retried: int
    run_ms: Spread
    snoozed: int
    submitted: int
    submitted_per_s: float
    succeeded: int
    wait_ms: Spread
    at: Time


class StatsPoint(_StatsPointAlways, total=False):
    success_rate: Optional[float]
    utilisation: Optional[float]
    waiting: Optional[Waiting]


_StatsWindowAlways = TypedDict('_StatsWindowAlways', {"cancelled": "int", "dead": "int", "expired": "int", "failed_attempts": "int", "finished_per_s": "float", "retried": "int", "run_ms": "Spread", "snoozed": "int", "submitted": "int", "submitted_per_s": "float", "succeeded": "int", "wait_ms": "Spread", "from": "Time", "to": "Time"}, total=True)


class StatsWindow(_StatsWindowAlways, total=False):
    success_rate: Optional[float]
    utilisation: Optional[float]
    waiting: Optional[Waiting]
    queue: Optional[str]


class StatusCounts(TypedDict):
    cancelled: int
    expired: int
    failed: int
    pending: int
    queued: int
    retry: int
    running: int
    scheduled: int
    skipped: int
    success: int
    timeout: int


class _StuckHandlerAlways(TypedDict):
    replaced: bool
    since: Time
    slot: int


class StuckHandler(_StuckHandlerAlways, total=False):
    name: Optional[str]
    task_id: Optional[str]


class _TaskAlways(TypedDict):
    attempt: int
    cancel_requested: bool
    crashes: int
    created_at: Time
    failures: int
    generation: int
    id: str
    max_retries: int
    name: str
    parents: int
    priority: int
    queue: str
    requires: list[str]
    snoozes: int
    status: Status
    tags: list[str]


class Task(_TaskAlways, total=False):
    args: Optional[list[Any]]
    concurrency_key: Optional[str]
    cost: Optional[int]
    deduplicated: bool
    duration_ms: Optional[i64]
    error: Optional[TaskError]
    expires_at: Optional[Time]
    fair_key: Optional[str]
    finished_at: Optional[Time]
    kwargs: Optional[dict[str, Any]]
    max_age_ms: Optional[i64]
    meta: Optional[dict[str, Any]]
    node: Optional[str]
    progress: Optional[Progress]
    rate_key: Optional[str]
    ready_at: Optional[Time]
    replaced: bool
    result: Any
    result_ttl_ms: Optional[i64]
    retry: Optional[Retry]
    run_at: Optional[Time]
    started_at: Optional[Time]
    timeout_ms: Optional[i64]
    unique: Optional[HeldKey]
    unique_key: Optional[str]
    worker_id: Optional[str]
    workflow_id: Optional[str]


class TaskChange(TypedDict, total=False):
    priority: Optional[int]
    run_at: Optional[str]


class _TaskErrorAlways(TypedDict):
    kind: ErrorKind
    message: str


class TaskError(_TaskErrorAlways, total=False):
    detail: Optional[str]


class TaskFilter(TypedDict, total=False):
    created_after: Optional[str]
    created_before: Optional[str]
    name: Optional[str]
    q: Optional[str]
    queue: Optional[str]
    status: list[Status]
    tag: Optional[str]
    worker: Optional[str]
    workflow: Optional[str]


class _TaskListAlways(TypedDict):
    data: list[Task]


class TaskList(_TaskListAlways, total=False):
    total: int
    total_capped: bool
    next_cursor: Optional[str]
    prev_cursor: Optional[str]


class _TaskResultAlways(TypedDict):
    status: Status
    task_id: str


class TaskResult(_TaskResultAlways, total=False):
    duration_ms: Optional[i64]
    error: Optional[TaskError]
    expires_at: Optional[Time]
    finished_at: Optional[Time]
    result: Any
    started_at: Optional[Time]


class Total(TypedDict):
    total: int
    total_capped: bool


class Totals(TypedDict):
    cancelled: int
    dead: int
    failed_attempts: int
    submitted: int
    succeeded: int


UniqueSettings = TypedDict('UniqueSettings', {"by": "Optional[list[str]]", "for": "Optional[Duration]", "while": "Optional[list[UniqueScope]]"}, total=False)


class Waiting(TypedDict):
    high: float
    low: float
    medium: float


class _WorkerAlways(TypedDict):
    heartbeat_age_s: float
    host: str
    id: str
    kind: WorkerKind
    labels: list[str]
    pid: int
    queues: list[str]
    slots: list[WorkerSlot]
    slots_total: int
    started_at: Time
    state: str
    stuck: list[StuckHandler]
    version: str


class Worker(_WorkerAlways, total=False):
    asked: Optional[WorkerAsked]
    client: Optional[str]
    failed: Optional[int]
    name: Optional[str]
    names: Optional[list[str]]
    processed: Optional[int]
    rss_bytes: Optional[int]


class _WorkerSlotAlways(TypedDict):
    slot: int


class WorkerSlot(_WorkerSlotAlways, total=False):
    name: Optional[str]
    started_at: Optional[Time]
    task_id: Optional[str]


class _WorkflowAlways(TypedDict):
    created_at: Time
    id: str
    progress: Progress
    queues: list[str]
    state: WorkflowState
    tags: list[str]


class Workflow(_WorkflowAlways, total=False):
    duration_ms: Optional[i64]
    finished_at: Optional[Time]
    name: Optional[str]


class _WorkflowCallbackAlways(TypedDict):
    id: str


class WorkflowCallback(_WorkflowCallbackAlways, total=False):
    status: Optional[Status]


class WorkflowCallbacks(TypedDict, total=False):
    on_failure: Optional[WorkflowCallback]
    on_success: Optional[WorkflowCallback]


class WorkflowCancelled(TypedDict):
    cancelled: int
    id: str
    state: WorkflowState
    stopping: int


class _WorkflowDetailAlways(TypedDict):
    created_at: Time
    id: str
    progress: Progress
    queues: list[str]
    state: WorkflowState
    tags: list[str]
    callbacks: WorkflowCallbacks
    statuses: dict[str, int]


class WorkflowDetail(_WorkflowDetailAlways, total=False):
    duration_ms: Optional[i64]
    finished_at: Optional[Time]
    name: Optional[str]
    meta: Optional[dict[str, Any]]


WorkflowEdge = TypedDict('WorkflowEdge', {"from": "str", "on_failure": "OnFailure", "to": "str"}, total=True)


class WorkflowGraph(TypedDict):
    edges: list[WorkflowEdge]
    id: str
    nodes: list[WorkflowNode]
    state: WorkflowState


class _WorkflowNodeAlways(TypedDict):
    id: str
    node: str


class WorkflowNode(_WorkflowNodeAlways, total=False):
    finished_at: Optional[Time]
    name: Optional[str]
    queue: Optional[str]
    started_at: Optional[Time]
    status: Optional[Status]


class WorkflowRetried(TypedDict):
    id: str
    left: int
    retried: int
    state: WorkflowState


class WorkflowSubmitted(TypedDict):
    callbacks: dict[str, str]
    id: str
    tasks: dict[str, str]
