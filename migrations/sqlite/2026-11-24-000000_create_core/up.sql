-- Times are milliseconds since 1970 UTC, ids 16 bytes, status and counters.kind the numbers of `Status` and `Counted`.

CREATE TABLE tasks (
    -- The row id: a claim finds the row by its id once and from then on by this.
    seq              INTEGER PRIMARY KEY NOT NULL,
    id               BLOB    NOT NULL UNIQUE,
    queue            TEXT    NOT NULL,
    name             TEXT    NOT NULL,
    priority         INTEGER NOT NULL,
    status           INTEGER NOT NULL,
    -- When it may be claimed; NULL unless it is claimable. The one column the ready index depends on.
    ready_at         BIGINT,
    created_at       BIGINT  NOT NULL,
    run_at           BIGINT,
    -- Not started by then, it is over; at most `max_age_ms` after the submission, or the redrive.
    expires_at       BIGINT,
    max_age_ms       BIGINT,
    started_at       BIGINT,
    finished_at      BIGINT,
    attempt          INTEGER NOT NULL DEFAULT 0,
    failures         INTEGER NOT NULL DEFAULT 0,
    crashes          INTEGER NOT NULL DEFAULT 0,
    -- How often a handler has put it off, if it has.
    snoozes          INTEGER,
    max_retries      INTEGER NOT NULL,
    timeout_ms       BIGINT,
    generation       INTEGER NOT NULL DEFAULT 1,
    cancel_requested BOOLEAN NOT NULL DEFAULT 0,
    cancel_reason    TEXT,
    worker_id        BLOB,
    -- Kept when the task ends, so that its holder's second report is known for a duplicate; cleared when it is taken away.
    lease_id         BLOB,
    unique_key       TEXT,
    -- The unique key while the task has it: no two of a queue have the same.
    live_key         TEXT,
    -- In which statuses it has it, as bits of their numbers; NULL: while it is live.
    unique_while     INTEGER,
    -- From then on a task that is over does not have it, although it is still in `live_key`.
    unique_until     BIGINT,
    retry            TEXT,
    -- How long the result is given out after the end; NULL: the server's default.
    result_ttl_ms    BIGINT,
    -- Tasks this one waits for: how many there are, and how many have not ended as they should yet.
    parents          INTEGER NOT NULL DEFAULT 0,
    unmet            INTEGER NOT NULL DEFAULT 0,
    -- The workflow it is a node of, which counts its end.
    workflow_id      BLOB,
    -- Others wait, or have waited, for this one: its end is then more than one update.
    has_dependants   BOOLEAN NOT NULL DEFAULT 0,
    tags             TEXT,
    meta             TEXT,
    -- `FlowKeys` as JSON, of a task that shares its queue with others by keys. It then waits in a lane of its queue, not with
    -- those of its priority: `lane` tells whose turn it is, `sublane` which limits it is under; both are hashes.
    flow             TEXT,
    lane             BIGINT,
    sublane          BIGINT,
    -- Its time has come: it is in its lane.
    laned            BOOLEAN NOT NULL DEFAULT FALSE,
    error            TEXT,
    args             TEXT    NOT NULL,
    kwargs           TEXT    NOT NULL,
    result           TEXT,
    CHECK ((ready_at IS NOT NULL) = (status IN (1, 2, 4))),
    CHECK (live_key IS NULL OR status < 5 OR (coalesce(unique_while, 0) & (1 << status)) <> 0),
    CHECK ((lane IS NULL) = (flow IS NULL) AND (lane IS NULL) = (sublane IS NULL) AND (lane IS NOT NULL OR NOT laned))
);
CREATE INDEX tasks_ready ON tasks (queue, priority, ready_at, id) WHERE ready_at IS NOT NULL AND lane IS NULL;
CREATE INDEX tasks_laned ON tasks (queue, priority, lane, sublane, ready_at, id) WHERE ready_at IS NOT NULL AND laned;
CREATE INDEX tasks_unlaned ON tasks (queue, ready_at) WHERE ready_at IS NOT NULL AND lane IS NOT NULL AND NOT laned;
CREATE INDEX tasks_queue ON tasks (queue, id);
CREATE UNIQUE INDEX tasks_live_key ON tasks (queue, live_key) WHERE live_key IS NOT NULL;

-- One row for each batch granted to a worker; gone when the last of its tasks has ended.
CREATE TABLE leases (
    lease_id   BLOB    NOT NULL PRIMARY KEY,
    worker_id  BLOB    NOT NULL,
    granted_at BIGINT  NOT NULL,
    -- Tasks not ended yet.
    open       INTEGER NOT NULL,
    -- The ids, 16 bytes each.
    task_ids   BLOB    NOT NULL,
    -- When the first of its tasks may be out of time, where no node has them in hand: those of a remote worker.
    due        BIGINT,
    -- JSON: the deadlines that were moved, by task.
    extended   TEXT
) WITHOUT ROWID;
CREATE INDEX leases_due ON leases (due) WHERE due IS NOT NULL;

-- Attempts that were followed by another one. The last is told by the task itself.
CREATE TABLE attempts (
    task_id       BLOB    NOT NULL,
    generation    INTEGER NOT NULL,
    number        INTEGER NOT NULL,
    worker_id     BLOB,
    started_at    BIGINT,
    finished_at   BIGINT,
    outcome       TEXT    NOT NULL,
    error         TEXT,
    next_delay_ms BIGINT,
    PRIMARY KEY (task_id, generation, number)
) WITHOUT ROWID;

-- What handlers say while they work. The log of each attempt is in pieces, one for each time that a node wrote down what had
-- come together; the oldest go where there is too much.
CREATE TABLE task_logs (
    task_id    BLOB    NOT NULL,
    -- Increases with time.
    id         BLOB    NOT NULL,
    generation INTEGER NOT NULL,
    attempt    INTEGER NOT NULL,
    lines      INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    -- Lines before these that are not kept.
    dropped    INTEGER NOT NULL,
    -- JSON: `LogLine`s.
    body       TEXT    NOT NULL,
    PRIMARY KEY (task_id, id)
) WITHOUT ROWID;

-- How far tasks have come, by their own account: the last that was said.
CREATE TABLE task_progress (
    task_id    BLOB    NOT NULL PRIMARY KEY,
    generation INTEGER NOT NULL,
    attempt    INTEGER NOT NULL,
    percent    DOUBLE,
    message    TEXT,
    at         BIGINT  NOT NULL
) WITHOUT ROWID;

CREATE TABLE dead_letter_queue (
    task_id  BLOB    NOT NULL PRIMARY KEY,
    queue    TEXT    NOT NULL,
    name     TEXT    NOT NULL,
    priority INTEGER NOT NULL,
    reason   TEXT    NOT NULL,
    error    TEXT    NOT NULL,
    attempts INTEGER NOT NULL,
    died_at  BIGINT  NOT NULL,
    -- Its error's message with what differs between failures of one kind left out.
    cause    TEXT    NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX dead_letter_queue_died ON dead_letter_queue (died_at, task_id);

CREATE TABLE queues (
    name       TEXT    NOT NULL PRIMARY KEY,
    paused     BOOLEAN NOT NULL DEFAULT 0,
    weight     INTEGER NOT NULL DEFAULT 1,
    -- `QueueSettings` as JSON; the version is raised by each change, so that of two editors one is told.
    settings   TEXT    NOT NULL DEFAULT '{}',
    version    INTEGER NOT NULL DEFAULT 1,
    created_at BIGINT  NOT NULL
) WITHOUT ROWID;

-- What has been granted under a queue's rate limit, and under the one of each rate key, changed in the transaction of the
-- grant. It outlives its queue for as long as it matters: a queue that is made again may not start more than it might have.
CREATE TABLE limits (
    queue         TEXT NOT NULL,
    -- A rate key; empty: the queue itself.
    key           TEXT NOT NULL,
    matters_until BIGINT NOT NULL,
    state         TEXT   NOT NULL,
    PRIMARY KEY (queue, key)
) WITHOUT ROWID;
CREATE INDEX limits_old ON limits (matters_until) WHERE key <> '';

-- Places that running tasks take under their concurrency key, capped or not. One that has ended has given its place back, whether
-- its row is gone yet or not: what counts is that the task runs under this lease.
CREATE TABLE key_holds (
    queue    TEXT NOT NULL,
    key      TEXT NOT NULL,
    task_id  BLOB NOT NULL,
    lease_id BLOB NOT NULL,
    PRIMARY KEY (queue, key, task_id)
) WITHOUT ROWID;

-- Places that tasks take from their submission on, where one beyond the cap of its concurrency key is refused. They count while
-- the task is not over.
CREATE TABLE key_places (
    queue    TEXT NOT NULL,
    key      TEXT NOT NULL,
    task_id  BLOB NOT NULL,
    PRIMARY KEY (queue, key, task_id)
) WITHOUT ROWID;

-- A parent is a task or a whole workflow.
CREATE TABLE task_dependencies (
    parent_id  BLOB    NOT NULL,
    child_id   BLOB    NOT NULL,
    -- What becomes of the child where this parent has not succeeded: 0 it is skipped, 1 it runs all the same, 2 it runs only
    -- then.
    on_failure INTEGER NOT NULL,
    -- The child knows how this parent ended.
    resolved   BOOLEAN NOT NULL DEFAULT 0,
    PRIMARY KEY (parent_id, resolved, child_id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX task_dependencies_child ON task_dependencies (child_id, parent_id);

-- Graphs of tasks that were submitted as one. The numbers change in the transactions in which its tasks end, by one update for
-- each transaction; those that are not counted in any have not ended.
CREATE TABLE workflows (
    id             BLOB NOT NULL PRIMARY KEY,
    name           TEXT,
    -- The numbers of `WorkflowState`.
    state          INTEGER NOT NULL,
    created_at     BIGINT  NOT NULL,
    -- When the last of its tasks ended, if they all have.
    finished_at    BIGINT,
    -- The latest end of any of them: transactions need not come in the order of their times.
    latest_end     BIGINT  NOT NULL DEFAULT 0,
    total          INTEGER NOT NULL,
    success        INTEGER NOT NULL DEFAULT 0,
    failed         INTEGER NOT NULL DEFAULT 0,
    timeout        INTEGER NOT NULL DEFAULT 0,
    cancelled      INTEGER NOT NULL DEFAULT 0,
    expired        INTEGER NOT NULL DEFAULT 0,
    skipped        INTEGER NOT NULL DEFAULT 0,
    unneeded       INTEGER NOT NULL DEFAULT 0,
    -- Of its tasks, callbacks not among them, so many are deleted.
    deleted        INTEGER NOT NULL DEFAULT 0,
    -- Tasks wait, or have waited, for it as a whole: callbacks.
    has_dependants BOOLEAN NOT NULL,
    -- JSON: the names of the queues of its tasks.
    queues         TEXT    NOT NULL,
    tags           TEXT
) WITHOUT ROWID;
CREATE INDEX workflows_state ON workflows (state, id);
CREATE INDEX workflows_name ON workflows (name, id) WHERE name IS NOT NULL;

-- What of a workflow is long and never changes.
CREATE TABLE workflow_plans (
    workflow_id BLOB NOT NULL PRIMARY KEY,
    -- JSON: of each edge the places of parent and child among the nodes, in the order of their ids, and `on_failure`.
    edges       TEXT NOT NULL,
    meta        TEXT
) WITHOUT ROWID;

CREATE TABLE workflow_tasks (
    workflow_id BLOB NOT NULL,
    task_id     BLOB NOT NULL,
    name        TEXT NOT NULL,
    -- 0: a node, 1: what runs after a success, 2: what runs where it is none.
    role        INTEGER NOT NULL,
    -- How it ended, of a node that is deleted: the numbers of `End`.
    ended       INTEGER,
    PRIMARY KEY (workflow_id, task_id)
) WITHOUT ROWID;

-- Parents that are over and have more children than were told in the transaction of their end.
CREATE TABLE unresolved_parents (
    task_id BLOB NOT NULL PRIMARY KEY
) WITHOUT ROWID;

-- Tasks that may be over by this time.
CREATE TABLE expiries (
    expires_at BIGINT NOT NULL,
    task_id    BLOB   NOT NULL,
    PRIMARY KEY (expires_at, task_id)
) WITHOUT ROWID;

CREATE TABLE workers (
    id         BLOB    NOT NULL PRIMARY KEY,
    host       TEXT    NOT NULL,
    pid        INTEGER NOT NULL,
    version    TEXT    NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('alive', 'draining', 'stopped', 'dead')),
    slots      INTEGER NOT NULL,
    started_at BIGINT  NOT NULL,
    beat_seq   BIGINT  NOT NULL DEFAULT 0,
    beat_at    BIGINT  NOT NULL,
    -- Without a heartbeat for so long it is dead.
    patience_ms BIGINT NOT NULL,
    -- What the lives of one node have in common.
    node       TEXT,
    -- A process of its own that asks for tasks over the API is 'remote'.
    kind       TEXT    NOT NULL DEFAULT 'node' CHECK (kind IN ('node', 'remote')),
    name       TEXT,
    -- The program by which a remote one speaks to the API.
    client     TEXT,
    -- What an operator wants of it: to start nothing new, or to end when what it runs has ended. NULL: that it works.
    asked      TEXT    CHECK (asked IN ('quiet', 'stop')),
    -- `Offer` as JSON: of which queues it takes tasks, of which names, and the labels it bears.
    offer      TEXT    NOT NULL DEFAULT '{}',
    -- Tasks that a remote one may hold beyond its slots.
    prefetch   INTEGER NOT NULL DEFAULT 0,
    -- Memory that it holds, where it has said so.
    rss_bytes  BIGINT
) WITHOUT ROWID;

CREATE TABLE idempotency_keys (
    key        TEXT   NOT NULL PRIMARY KEY,
    body_hash  BLOB   NOT NULL,
    created_at BIGINT NOT NULL,
    -- What became of each task of the request, so that a repeat can be given the same answer.
    response   TEXT   NOT NULL
) WITHOUT ROWID;
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);

-- Changed by one delta for each (queue, priority, kind) a transaction touched, in that transaction.
CREATE TABLE counters (
    queue    TEXT    NOT NULL,
    priority INTEGER NOT NULL,
    kind     INTEGER NOT NULL,
    n        BIGINT  NOT NULL,
    PRIMARY KEY (queue, priority, kind)
) WITHOUT ROWID;

-- Work on many tasks that an operator has asked for, done a bounded number at a time. What has been done is in the same
-- transaction as how far it has come, so that a crash repeats and loses nothing.
CREATE TABLE operations (
    id          BLOB   NOT NULL PRIMARY KEY,
    action      TEXT   NOT NULL CHECK (action IN ('cancel', 'retry', 'delete', 'redrive', 'discard')),
    filter      TEXT   NOT NULL,
    -- Tasks a second at most; NULL: as fast as it goes.
    rate        DOUBLE,
    state       TEXT   NOT NULL CHECK (state IN ('running', 'done', 'cancelled')),
    -- Tasks up to this one have been looked at.
    position    BLOB,
    done        BIGINT NOT NULL DEFAULT 0,
    refused     BIGINT NOT NULL DEFAULT 0,
    created_at  BIGINT NOT NULL,
    finished_at BIGINT
) WITHOUT ROWID;

-- What makes tasks by the clock.
CREATE TABLE schedules (
    name       TEXT    NOT NULL PRIMARY KEY,
    -- The queue of its task, by which it is decided who may see it.
    queue      TEXT    NOT NULL,
    -- `Rule`, `Template` and `Tally` as JSON.
    rule       TEXT    NOT NULL,
    task       TEXT    NOT NULL,
    origin     TEXT    NOT NULL CHECK (origin IN ('api', 'file')),
    paused_by  TEXT    CHECK (paused_by IN ('api', 'file')),
    -- Raised by each change of what is set, so that of two editors one is told.
    version    INTEGER NOT NULL DEFAULT 1,
    -- From when `every` counts.
    anchor     BIGINT  NOT NULL,
    -- The first tick that has not been dealt with, and when it is due: moved on in the transaction that makes its task.
    next_tick  BIGINT,
    next_at    BIGINT,
    last_task  BLOB,
    tally      TEXT    NOT NULL DEFAULT '{}',
    created_at BIGINT  NOT NULL,
    updated_at BIGINT  NOT NULL
);
CREATE INDEX schedules_next ON schedules (next_at) WHERE next_at IS NOT NULL;

-- What has happened, by minute and by hour: for each queue, and under the empty name for all of them. Rows add up: each node
-- adds what it has done since its last addition.
CREATE TABLE task_metrics (
    -- 60000: a minute, 3600000: an hour.
    span_ms         INTEGER NOT NULL,
    queue           TEXT    NOT NULL,
    starts_at       BIGINT  NOT NULL,
    submitted       BIGINT  NOT NULL,
    succeeded       BIGINT  NOT NULL,
    failed_attempts BIGINT  NOT NULL,
    dead            BIGINT  NOT NULL,
    retried         BIGINT  NOT NULL,
    snoozed         BIGINT  NOT NULL,
    cancelled       BIGINT  NOT NULL,
    expired         BIGINT  NOT NULL,
    busy_ms         BIGINT  NOT NULL,
    slot_ms         BIGINT  NOT NULL,
    -- Tasks found waiting, added up over so many looks.
    waiting_high    BIGINT  NOT NULL,
    waiting_medium  BIGINT  NOT NULL,
    waiting_low     BIGINT  NOT NULL,
    looks           BIGINT  NOT NULL,
    -- JSON: how many durations up to each bound (in milliseconds) and above the one before, and the sum of all.
    waits           TEXT    NOT NULL,
    runs            TEXT    NOT NULL,
    PRIMARY KEY (span_ms, queue, starts_at)
) WITHOUT ROWID;
CREATE INDEX task_metrics_age ON task_metrics (span_ms, starts_at);

-- Keys of the API. A row stays when its key is revoked or expired: that keys are asked for must not end with the last one.
CREATE TABLE api_keys (
    id           BLOB   NOT NULL PRIMARY KEY,
    name         TEXT   NOT NULL,
    -- SHA-256 of the secret, which is kept nowhere.
    hash         BLOB   NOT NULL UNIQUE,
    -- Words separated by spaces; queues are patterns.
    scopes       TEXT   NOT NULL,
    queues       TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT,
    revoked_at   BIGINT,
    -- To the minute.
    last_used_at BIGINT
) WITHOUT ROWID;

-- What operators did, written in the transaction of the deed.
CREATE TABLE audit_log (
    seq    INTEGER PRIMARY KEY NOT NULL,
    at     BIGINT NOT NULL,
    actor  TEXT   NOT NULL,
    action TEXT   NOT NULL,
    target TEXT   NOT NULL,
    detail TEXT
);
CREATE INDEX audit_log_target ON audit_log (target, seq);
