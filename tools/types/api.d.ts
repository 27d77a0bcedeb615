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
  tags: string[];
  generation: number;
}

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
  max_depth: number | null;
  total_queued: number;
  queued_by_priority: { high: number; medium: number; low: number };
  status_counts: StatusCounts;
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

interface Slot { slot: number; task_id: string | null; name: string | null; started_at: string | null }

interface Worker {
  id: string;
  host: string;
  pid: number;
  version: string;
  state: "alive" | "draining" | "dead";
  started_at: string;
  heartbeat_age_s: number;
  slots_total: number;
  slots: Slot[];
  processed: number;
  failed: number;
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
interface Health { status: "ok" | "degraded" | "down"; store: HealthPart; broker: HealthPart; version: string }

interface Problem {
  title?: string;
  status?: number;
  detail?: string;
  code?: string;
  request_id?: string;
  errors?: { pointer: string; detail: string }[];
}

/** What an SSE event carries: a hint that something changed, never the data itself. */
interface Hint { topic: "tasks" | "queues" | "workers"; queues?: string[]; ids?: string[] }
