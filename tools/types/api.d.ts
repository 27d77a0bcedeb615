// Shapes of the REST API's answers, as the dashboard reads them. Global so that JSDoc can name them without imports.

type Status =
  | "pending" | "scheduled" | "queued" | "running" | "retry" | "success"
  | "failed" | "timeout" | "cancelled" | "expired" | "skipped";

type StatusCounts = Record<Status, number>;
type TaskError = { kind: string; message: string; detail?: unknown };
type Page<T> = { data: T[]; next_cursor: string | null; prev_cursor: string | null };

interface Task {
  id: string;
  name: string;
  queue: string;
  priority: number;
  status: Status;
  attempt: number;
  failures: number;
  crashes: number;
  snoozes: number;
  max_retries: number;
  timeout_ms: number | null;
  error: TaskError | null;
  created_at: string;
  run_at: string | null;
  expires_at: string | null;
  max_age_ms: number | null;
  ready_at: string | null;
  started_at: string | null;
  finished_at: string | null;
  duration_ms: number | null;
  worker_id: string | null;
  cancel_requested: boolean;
  unique_key: string | null;
  fair_key: string | null;
  rate_key: string | null;
  cost: number | null;
  concurrency_key: string | null;
  requires: string[];
  tags: string[];
  generation: number;
  progress?: Progress;
}

interface Progress { percent: number | null; message: string | null; at: string }
interface LogLine { at: string; level: "debug" | "info" | "warn" | "error"; message: string; attempt: number; generation: number }

type Outcome = "running" | "success" | "failure" | "timeout" | "cancelled" | "expired" | "crashed" | "released";

interface Attempt {
  number: number;
  generation: number;
  worker_id: string | null;
  started_at: string;
  finished_at: string | null;
  duration_ms: number | null;
  outcome: Outcome;
  error: TaskError | null;
  next_delay_ms: number | null;
}

interface Stats {
  status_counts: StatusCounts;
  dead_letters: number;
  queues: number;
  workers: number;
  slots: { total: number; busy: number };
  totals: { submitted: number; succeeded: number; failed_attempts: number; dead: number; cancelled: number };
  oldest_ready_s: number | null;
}

interface Queue {
  name: string;
  paused: boolean;
  weight: number;
  version: number;
  rate_limit: string | null;
  concurrency: number | null;
  key_rate_limit: string | null;
  key_concurrency: number | null;
  at_cap: "wait" | "reject";
  ageing: string | null;
  max_age: string | null;
  fair_weights: Record<string, number>;
  at_cap: "wait" | "reject";
  max_depth: number | null;
  ageing: string | null;
  max_retries: number | null;
  timeout?: string | null;
  max_age: string | null;
  retry: unknown;
  retention: { success: string | null; others: string | null };
  total_queued: number;
  queued_by_priority: { high: number; medium: number; low: number };
  status_counts: StatusCounts;
  unservable: number;
  oldest_ready_s: number | null;
}

interface DeadLetter {
  task_id: string;
  name: string;
  queue: string;
  priority: number;
  reason: "exhausted" | "timeout" | "poison" | "not_retryable" | "expired";
  error: TaskError | null;
  attempts: number;
  died_at: string;
}

interface DeadGroup {
  queue: string;
  name: string;
  reason: DeadLetter["reason"];
  error: string;
  count: number;
  within: number[];
  first_at: string;
  last_at: string;
}

interface Operation {
  id: string;
  action: "cancel" | "retry" | "delete" | "redrive" | "discard";
  state: "running" | "done" | "cancelled";
  done: number;
  refused: number;
  rate: number | null;
  created_at: string;
  finished_at: string | null;
}

interface Relative { id: string; name: string; queue: string | null; status: Status; on_failure: "skip" | "run" | "only" }
type WorkflowState = "running" | "success" | "failed" | "cancelled";
interface FlowProgress { total: number; open: number; success: number; failed: number; timeout: number; cancelled: number; expired: number; skipped: number; unneeded: number }

interface Workflow {
  id: string;
  name: string | null;
  state: WorkflowState;
  created_at: string;
  finished_at: string | null;
  duration_ms: number | null;
  progress: FlowProgress;
  queues: string[];
  tags: string[];
}

type Callback = { id: string; status: Status | null };
interface WorkflowDetail extends Workflow { callbacks: { on_success: Callback | null; on_failure: Callback | null } }

interface GraphNode { node: string; id: string; status: Status | null; name: string | null; queue: string | null; started_at: string | null; finished_at: string | null }
interface WorkflowGraph { id: string; state: WorkflowState; nodes: GraphNode[]; edges: { from: string; to: string; on_failure: "skip" | "run" | "only" }[] }

interface ScheduleRun { tick: string; at: string; task_id: string | null; reason: string | null }
interface ScheduleTick { tick: string; due_at: string; local: string }

interface Schedule {
  name: string;
  cron: string | null;
  every: string | null;
  timezone: string | null;
  catch_up: "skip" | "one" | "all";
  overlap: "allow" | "skip";
  jitter: string | null;
  task: { name: string; queue: string };
  enabled: boolean;
  origin: "api" | "file";
  version: number;
  next_tick: string | null;
  next_at: string | null;
  made: number;
  missed: number;
  overlapped: number;
  refused: number;
  runs: ScheduleRun[];
  updated_at: string;
}

type Spread = { count: number; mean: number | null; p50: number | null; p95: number | null; p99: number | null };
interface StatsPoint {
  at: string;
  submitted: number;
  succeeded: number;
  failed_attempts: number;
  success_rate: number | null;
  wait_ms: Spread;
  run_ms: Spread;
  utilisation: number | null;
  waiting?: { high: number; medium: number; low: number } | null;
}
interface StatsHistory { from: string; to: string; step_ms: number; queue: string | null; points: StatsPoint[] }

interface Slot { slot: number; task_id: string | null; name: string | null; started_at: string | null }

interface Worker {
  id: string;
  kind: "node" | "remote";
  name: string | null;
  client: string | null;
  host: string;
  pid: number;
  version: string;
  state: "alive" | "draining" | "quiet" | "stopped" | "dead";
  asked: "quiet" | "stop" | null;
  started_at: string;
  heartbeat_age_s: number;
  rss_bytes: number | null;
  slots_total: number;
  queues: string[];
  names: string[] | null;
  labels: string[];
  slots: Slot[];
  processed: number | null;
  failed: number | null;
}

interface Actor {
  path: string;
  parent: string | null;
  name: string;
  kind: string;
  state: "starting" | "running" | "restarting" | "parked" | "stopping" | "stopped";
  strategy: string | null;
  restarts: number;
  mailbox: number;
  last_panic: { message: string; at: string } | null;
  started_at: string;
}

/** Who asks. Without `auth` everybody may do everything. */
interface Session { auth: boolean; name: string | null; scopes: string[]; queues: string[] }

type HealthPart = { kind: string; status: string };
interface Environment { name: string; color: string }
interface Health { status: "ok" | "degraded" | "down"; store: HealthPart; broker: HealthPart; version: string; environment?: Environment | null }

interface Problem {
  title?: string;
  status?: number;
  detail?: string;
  code?: string;
  request_id?: string;
  errors?: { pointer: string; detail: string }[];
}

/** What an SSE event carries: a hint that something changed, never the data itself. */
interface Hint { topic: "tasks" | "queues" | "workers" | "progress" | "log"; queues?: string[]; ids?: string[]; task_id?: string }
