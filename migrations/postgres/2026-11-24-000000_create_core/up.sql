-- Times are milliseconds since 1970 UTC, status and counters.kind the numbers of `Status` and `Counted`.

CREATE TABLE tasks (
    id               UUID    NOT NULL PRIMARY KEY WITH (fillfactor = 50),
    queue            TEXT COLLATE "C"    NOT NULL,
    name             TEXT COLLATE "C"    NOT NULL,
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
    cancel_requested BOOLEAN NOT NULL DEFAULT FALSE,
    cancel_reason    TEXT,
    worker_id        UUID,
    -- Kept when the task ends, so that its holder's second report is known for a duplicate; cleared when it is taken away.
    lease_id         UUID,
    unique_key       TEXT,
    -- The unique key while the task has it: no two of a queue have the same.
    live_key         TEXT COLLATE "C",
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
    workflow_id      UUID,
    -- Others wait, or have waited, for this one: its end is then more than one update.
    has_dependants   BOOLEAN NOT NULL DEFAULT FALSE,
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
) WITH (
    -- Room for the two updates of a task on its own page: the second one then touches no index. The first one, the claim,
    -- makes a second entry in each: with room for it in the indexes too, no page is split.
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_scale_factor = 0.1, autovacuum_analyze_scale_factor = 0.1,
    autovacuum_vacuum_cost_delay = 0
);
CREATE INDEX tasks_ready ON tasks (queue, priority, ready_at, id) WHERE ready_at IS NOT NULL AND lane IS NULL;
CREATE INDEX tasks_laned ON tasks (queue, priority, lane, sublane, ready_at, id) WHERE ready_at IS NOT NULL AND laned;
CREATE INDEX tasks_unlaned ON tasks (queue, ready_at) WHERE ready_at IS NOT NULL AND lane IS NOT NULL AND NOT laned;
CREATE INDEX tasks_queue ON tasks (queue, id) WITH (fillfactor = 50);
CREATE UNIQUE INDEX tasks_live_key ON tasks (queue, live_key) WHERE live_key IS NOT NULL;

-- One row for each batch granted to a worker; gone when the last of its tasks has ended.
CREATE TABLE leases (
    lease_id   UUID    NOT NULL PRIMARY KEY,
    worker_id  UUID    NOT NULL,
    granted_at BIGINT  NOT NULL,
    -- Tasks not ended yet.
    open       INTEGER NOT NULL,
    -- The ids, 16 bytes each, one after the other.
    task_ids   BYTEA   NOT NULL,
    -- When the first of its tasks may be out of time, where no node has them in hand: those of a remote worker.
    due        BIGINT,
    -- JSON: the deadlines that were moved, by task.
    extended   TEXT
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX leases_due ON leases (due) WHERE due IS NOT NULL;

-- Attempts that were followed by another one. The last is told by the task itself.
CREATE TABLE attempts (
    task_id       UUID    NOT NULL,
    generation    INTEGER NOT NULL,
    number        INTEGER NOT NULL,
    worker_id     UUID,
    started_at    BIGINT,
    finished_at   BIGINT,
    outcome       TEXT    NOT NULL,
    error         TEXT,
    next_delay_ms BIGINT,
    PRIMARY KEY (task_id, generation, number)
);

-- What handlers say while they work. The log of each attempt is in pieces, one for each time that a node wrote down what had
-- come together; the oldest go where there is too much.
CREATE TABLE task_logs (
    task_id    UUID    NOT NULL,
    -- Increases with time.
    id         UUID    NOT NULL,
    generation INTEGER NOT NULL,
    attempt    INTEGER NOT NULL,
    lines      INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    -- Lines before these that are not kept.
    dropped    INTEGER NOT NULL,
    -- JSON: `LogLine`s.
    body       TEXT    NOT NULL,
    PRIMARY KEY (task_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);

-- How far tasks have come, by their own account: the last that was said.
CREATE TABLE task_progress (
    task_id    UUID    NOT NULL PRIMARY KEY,
    generation INTEGER NOT NULL,
    attempt    INTEGER NOT NULL,
    percent    DOUBLE PRECISION,
    message    TEXT,
    at         BIGINT  NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);

CREATE TABLE dead_letter_queue (
    task_id  UUID    NOT NULL PRIMARY KEY,
    queue    TEXT COLLATE "C"    NOT NULL,
    name     TEXT COLLATE "C"    NOT NULL,
    priority INTEGER NOT NULL,
    reason   TEXT    NOT NULL,
    error    TEXT    NOT NULL,
    attempts INTEGER NOT NULL,
    died_at  BIGINT  NOT NULL,
    -- Its error's message with what differs between failures of one kind left out.
    cause    TEXT    NOT NULL DEFAULT ''
);
CREATE INDEX dead_letter_queue_died ON dead_letter_queue (died_at, task_id);

CREATE TABLE queues (
    name       TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
    paused     BOOLEAN NOT NULL DEFAULT FALSE,
    weight     INTEGER NOT NULL DEFAULT 1,
    -- `QueueSettings` as JSON; the version is raised by each change, so that of two editors one is told.
    settings   TEXT    NOT NULL DEFAULT '{}',
    version    INTEGER NOT NULL DEFAULT 1,
    created_at BIGINT  NOT NULL
);

-- What has been granted under a queue's rate limit, and under the one of each rate key, changed in the transaction of the
-- grant. It outlives its queue for as long as it matters: a queue that is made again may not start more than it might have.
CREATE TABLE limits (
    queue         TEXT COLLATE "C" NOT NULL,
    -- A rate key; empty: the queue itself.
    key           TEXT COLLATE "C" NOT NULL,
    matters_until BIGINT NOT NULL,
    state         TEXT   NOT NULL,
    PRIMARY KEY (queue, key)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX limits_old ON limits (matters_until) WHERE key <> '';

-- Places that running tasks take under their concurrency key, capped or not. One that has ended has given its place back, whether
-- its row is gone yet or not: what counts is that the task runs under this lease.
CREATE TABLE key_holds (
    queue    TEXT COLLATE "C" NOT NULL,
    key      TEXT COLLATE "C" NOT NULL,
    task_id  UUID NOT NULL,
    lease_id UUID NOT NULL,
    PRIMARY KEY (queue, key, task_id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

-- Places that tasks take from their submission on, where one beyond the cap of its concurrency key is refused. They count while
-- the task is not over.
CREATE TABLE key_places (
    queue    TEXT COLLATE "C" NOT NULL,
    key      TEXT COLLATE "C" NOT NULL,
    task_id  UUID NOT NULL,
    PRIMARY KEY (queue, key, task_id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

-- A parent is a task or a whole workflow.
CREATE TABLE task_dependencies (
    parent_id  UUID    NOT NULL,
    child_id   UUID    NOT NULL,
    -- What becomes of the child where this parent has not succeeded: 0 it is skipped, 1 it runs all the same, 2 it runs only
    -- then.
    on_failure INTEGER NOT NULL,
    -- The child knows how this parent ended.
    resolved   BOOLEAN NOT NULL DEFAULT FALSE,
    PRIMARY KEY (parent_id, resolved, child_id)
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX task_dependencies_child ON task_dependencies (child_id, parent_id);

-- Graphs of tasks that were submitted as one. The numbers change in the transactions in which its tasks end, by one update for
-- each transaction; those that are not counted in any have not ended.
CREATE TABLE workflows (
    id             UUID NOT NULL PRIMARY KEY,
    name           TEXT COLLATE "C",
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
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX workflows_state ON workflows (state, id);
CREATE INDEX workflows_name ON workflows (name, id) WHERE name IS NOT NULL;

-- What of a workflow is long and never changes.
CREATE TABLE workflow_plans (
    workflow_id UUID NOT NULL PRIMARY KEY,
    -- JSON: of each edge the places of parent and child among the nodes, in the order of their ids, and `on_failure`.
    edges       TEXT NOT NULL,
    meta        TEXT
);

CREATE TABLE workflow_tasks (
    workflow_id UUID NOT NULL,
    task_id     UUID NOT NULL,
    name        TEXT COLLATE "C" NOT NULL,
    -- 0: a node, 1: what runs after a success, 2: what runs where it is none.
    role        INTEGER NOT NULL,
    -- How it ended, of a node that is deleted: the numbers of `End`.
    ended       INTEGER,
    PRIMARY KEY (workflow_id, task_id)
);

-- Parents that are over and have more children than were told in the transaction of their end; and children that came in by
-- `jobqueue_submit`, whose parents have not been asked yet.
CREATE TABLE unresolved_parents (
    task_id UUID NOT NULL PRIMARY KEY
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

-- Tasks that may be over by this time.
CREATE TABLE expiries (
    expires_at BIGINT NOT NULL,
    task_id    UUID   NOT NULL,
    PRIMARY KEY (expires_at, task_id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

CREATE TABLE workers (
    id         UUID    NOT NULL PRIMARY KEY,
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
) WITH (fillfactor = 50);

CREATE TABLE idempotency_keys (
    key        TEXT   NOT NULL PRIMARY KEY,
    body_hash  BYTEA  NOT NULL,
    created_at BIGINT NOT NULL,
    -- What became of each task of the request, so that a repeat can be given the same answer.
    response   TEXT   NOT NULL
);
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);

-- One row for each (queue, priority, kind) a transaction touched, added in that transaction: no row is hot. A counter is the
-- sum of its rows; they are added up every now and then.
CREATE TABLE counters (
    queue    TEXT COLLATE "C"    NOT NULL,
    priority INTEGER NOT NULL,
    kind     INTEGER NOT NULL,
    n        BIGINT  NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX counters_queue ON counters (queue);

-- Work on many tasks that an operator has asked for, done a bounded number at a time. What has been done is in the same
-- transaction as how far it has come, so that a crash repeats and loses nothing.
CREATE TABLE operations (
    id          UUID   NOT NULL PRIMARY KEY,
    action      TEXT   NOT NULL CHECK (action IN ('cancel', 'retry', 'delete', 'redrive', 'discard')),
    filter      TEXT   NOT NULL,
    -- Tasks a second at most; NULL: as fast as it goes.
    rate        DOUBLE PRECISION,
    state       TEXT   NOT NULL CHECK (state IN ('running', 'done', 'cancelled')),
    -- Tasks up to this one have been looked at.
    position    UUID,
    done        BIGINT NOT NULL DEFAULT 0,
    refused     BIGINT NOT NULL DEFAULT 0,
    created_at  BIGINT NOT NULL,
    finished_at BIGINT
);

-- What makes tasks by the clock.
CREATE TABLE schedules (
    name       TEXT    COLLATE "C" NOT NULL PRIMARY KEY,
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
    last_task  UUID,
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
    queue           TEXT COLLATE "C"    NOT NULL,
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
);
CREATE INDEX task_metrics_age ON task_metrics (span_ms, starts_at);

-- Keys of the API. A row stays when its key is revoked or expired: that keys are asked for must not end with the last one.
CREATE TABLE api_keys (
    id           UUID   NOT NULL PRIMARY KEY,
    name         TEXT COLLATE "C"   NOT NULL,
    -- SHA-256 of the secret, which is kept nowhere.
    hash         BYTEA  NOT NULL UNIQUE,
    -- Words separated by spaces; queues are patterns.
    scopes       TEXT   NOT NULL,
    queues       TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT,
    revoked_at   BIGINT,
    -- To the minute.
    last_used_at BIGINT
);

-- What operators did, written in the transaction of the deed.
CREATE TABLE audit_log (
    seq    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at     BIGINT NOT NULL,
    actor  TEXT   NOT NULL,
    action TEXT   NOT NULL,
    target TEXT   NOT NULL,
    detail TEXT
);
CREATE INDEX audit_log_target ON audit_log (target, seq);

-- What keeps a JSON value from being accepted, as `task/json.rs` has it; NULL: nothing. (NUL and halves of surrogate pairs no
-- jsonb contains.) A look at the text tells of most values that neither is too deep nor has too large a number.
CREATE FUNCTION jobqueue_json_fault(part JSONB) RETURNS TEXT LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF length(part::text) - length(translate(part::text, '[{', '')) <= 64 AND part::text !~ '[0-9.]{250}' THEN
        RETURN NULL;
    END IF;
    RETURN (
        WITH RECURSIVE walk (value, depth) AS (
            SELECT part, 1
            UNION ALL
            SELECT inner_one.value, walk.depth + 1 FROM walk, LATERAL (
                SELECT value FROM jsonb_array_elements(CASE jsonb_typeof(walk.value) WHEN 'array' THEN walk.value ELSE '[]' END)
                UNION ALL
                SELECT value FROM jsonb_each(CASE jsonb_typeof(walk.value) WHEN 'object' THEN walk.value ELSE '{}' END)
            ) inner_one WHERE walk.depth <= 64
        )
        SELECT CASE
            WHEN bool_or(depth > 64 AND jsonb_typeof(value) IN ('array', 'object')) THEN 'is nested deeper than 64 levels'
            WHEN bool_or(jsonb_typeof(value) = 'number' AND (length(value::text) > 400
                OR abs((value #>> '{}')::numeric) > 1.7976931348623157e308))
                THEN 'contains a number longer than 400 characters or beyond the range of a 64-bit float'
        END FROM walk
    );
END
$$;

-- A duration as the API has it, in milliseconds; NULL: none.
CREATE FUNCTION jobqueue_duration(written JSONB) RETURNS NUMERIC LANGUAGE SQL IMMUTABLE AS $$
    SELECT CASE jsonb_typeof(written)
        WHEN 'number' THEN round((written #>> '{}')::numeric * 1000)
        WHEN 'string' THEN (
            SELECT round(part[1]::numeric * CASE part[2] WHEN 'ms' THEN 1 WHEN 'm' THEN 60000 WHEN 'h' THEN 3600000
                WHEN 'd' THEN 86400000 ELSE 1000 END)
            FROM regexp_match(btrim(written #>> '{}'),
                '^([0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})\s*(ms|s|m|h|d)?$') part)
    END
$$;

-- What keeps a retry policy from being accepted, as `task/retry.rs` has it; NULL: nothing.
CREATE FUNCTION jobqueue_retry_fault(policy JSONB) RETURNS TEXT LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    unknown TEXT;
    initial NUMERIC := jobqueue_duration(coalesce(policy -> 'initial', '1'));
    longest NUMERIC := jobqueue_duration(coalesce(policy -> 'max', '300'));
BEGIN
    IF jsonb_typeof(policy) <> 'object' THEN
        RETURN 'must be a JSON object';
    END IF;
    SELECT key INTO unknown FROM jsonb_object_keys(policy) key WHERE key NOT IN ('strategy', 'base', 'initial', 'max', 'jitter');
    RETURN CASE
        WHEN unknown IS NOT NULL THEN format('has no "%s": it has strategy, base, initial, max and jitter', unknown)
        WHEN policy -> 'strategy' NOT IN ('"exponential"', '"linear"', '"fixed"', '"fibonacci"')
            THEN 'has a strategy that is none of "exponential", "linear", "fixed", "fibonacci"'
        WHEN CASE jsonb_typeof(policy -> 'base') WHEN 'number' THEN (policy ->> 'base')::numeric NOT BETWEEN 1 AND 100
            ELSE policy ? 'base' END THEN 'has a base that is no number from 1 to 100'
        WHEN initial IS NULL OR initial NOT BETWEEN 0 AND 2592000000
            THEN 'has an initial that is no duration up to 30 days, such as "250ms", "30s", "5m" or a number of seconds'
        WHEN longest IS NULL OR longest NOT BETWEEN 0 AND 2592000000
            THEN 'has a max that is no duration up to 30 days, such as "250ms", "30s", "5m" or a number of seconds'
        WHEN initial > longest THEN 'has an initial that is longer than max'
        WHEN jsonb_typeof(policy -> 'jitter') <> 'boolean' THEN 'has a jitter that is neither true nor false'
    END;
END
$$;

-- Where tasks of these keys wait, as `task/flow.rs` has it. The same for ever: it is stored.
CREATE FUNCTION jobqueue_lane(VARIADIC parts TEXT[]) RETURNS BIGINT LANGUAGE SQL IMMUTABLE AS $$
    SELECT ('x' || encode(substr(sha256(string_agg(int8send(octet_length(part)::bigint) || part, '' ORDER BY place)), 1, 8),
        'hex'))::bit(64)::bigint
    FROM (SELECT convert_to(word, 'UTF8') AS part, place FROM unnest(parts) WITH ORDINALITY AS p (word, place)) encoded
$$;

-- The keys of a task as it keeps them, which is how `FlowKeys` is written; NULL: it has none.
CREATE FUNCTION jobqueue_flow(fair_key TEXT, rate_key TEXT, cost INTEGER, concurrency_key TEXT, requires TEXT[]) RETURNS TEXT
LANGUAGE SQL STABLE AS $$
    SELECT '{' || nullif(concat_ws(',', '"fair_key":' || to_json(fair_key)::text, '"rate_key":' || to_json(rate_key)::text,
        '"cost":' || nullif(cost, 1)::text, '"concurrency_key":' || to_json(concurrency_key)::text,
        '"requires":' || array_to_json(requires)::text), '') || '}'
$$;

-- Submits a task within the caller's transaction, as `POST /api/v1/tasks` does: committed, it runs; rolled back, it never was.
-- What is NULL is as if it had not been given. The limits are those of `http/check.rs`.
CREATE FUNCTION jobqueue_submit(
    name            TEXT,
    -- An array, or an object: then it is `kwargs`.
    args            JSONB       DEFAULT NULL,
    kwargs          JSONB       DEFAULT NULL,
    queue           TEXT        DEFAULT NULL,
    priority        TEXT        DEFAULT NULL,
    delay           INTERVAL    DEFAULT NULL,
    run_at          TIMESTAMPTZ DEFAULT NULL,
    expires_in      INTERVAL    DEFAULT NULL,
    expires_at      TIMESTAMPTZ DEFAULT NULL,
    max_retries     INTEGER     DEFAULT NULL,
    -- 0: no limit.
    timeout         INTERVAL    DEFAULT NULL,
    result_ttl      INTERVAL    DEFAULT NULL,
    unique_key      TEXT        DEFAULT NULL,
    unique_conflict TEXT        DEFAULT NULL,
    tags            TEXT[]      DEFAULT NULL,
    meta            JSONB       DEFAULT NULL,
    retry           JSONB       DEFAULT NULL,
    -- Tasks it waits for.
    depends_on      UUID[]      DEFAULT NULL,
    -- 'skip' or 'run', where one of them does not succeed, or run 'only' then: one for all, or one for each.
    on_failure      TEXT[]      DEFAULT NULL,
    -- 0: for ever.
    max_age         INTERVAL    DEFAULT NULL,
    -- By which it shares its queue with others.
    fair_key        TEXT        DEFAULT NULL,
    rate_key        TEXT        DEFAULT NULL,
    cost            INTEGER     DEFAULT NULL,
    concurrency_key TEXT        DEFAULT NULL,
    -- Labels that a worker must bear to run it.
    requires        TEXT[]      DEFAULT NULL
) RETURNS UUID LANGUAGE plpgsql SECURITY DEFINER AS $$
#variable_conflict use_column
DECLARE
    p_queue      TEXT := coalesce(jobqueue_submit.queue, 'default');
    p_args       JSONB := coalesce(jobqueue_submit.args, '[]');
    p_kwargs     JSONB := coalesce(jobqueue_submit.kwargs, '{}');
    args_fault   TEXT := jobqueue_json_fault(p_args);
    kwargs_fault TEXT := jobqueue_json_fault(p_kwargs);
    meta_fault   TEXT := jobqueue_json_fault(jobqueue_submit.meta);
    p_key        TEXT := jobqueue_submit.unique_key;
    p_conflict   TEXT := coalesce(jobqueue_submit.unique_conflict, 'return');
    p_retry      JSONB := jobqueue_submit.retry;
    retry_fault  TEXT := jobqueue_retry_fault(p_retry);
    p_parents    UUID[] := coalesce(jobqueue_submit.depends_on, '{}');
    parents      INTEGER := cardinality(p_parents);
    policies     TEXT[] := coalesce(jobqueue_submit.on_failure, '{skip}');
    p_fair       TEXT := jobqueue_submit.fair_key;
    p_rate       TEXT := jobqueue_submit.rate_key;
    p_cost       INTEGER := jobqueue_submit.cost;
    p_concurrent TEXT := jobqueue_submit.concurrency_key;
    -- In order, each once.
    p_requires   TEXT[] := (SELECT array_agg(DISTINCT label COLLATE "C" ORDER BY label COLLATE "C")
        FROM unnest(jobqueue_submit.requires) label);
    p_flow       TEXT := jobqueue_flow(p_fair, p_rate, p_cost, p_concurrent, p_requires);
    p_place      TEXT[];
    p_lane       BIGINT;
    p_sublane    BIGINT;
    rule         JSON;
    most         BIGINT;
    unknown      UUID;
    micros       BIGINT := floor(extract(epoch FROM clock_timestamp()) * 1000000);
    at           BIGINT := micros / 1000;
    level        INTEGER;
    starts_at    BIGINT;
    over_at      BIGINT;
    settings     JSON;
    retries      INTEGER := jobqueue_submit.max_retries;
    limit_ms     BIGINT;
    age_ms       BIGINT;
    task         UUID;
    state        INTEGER;
    -- The argument at fault, and what it must be.
    argument     TEXT;
    must         TEXT;
BEGIN
    SELECT f.argument, f.must INTO argument, must FROM (VALUES
        ('name', jobqueue_submit.name IS NULL OR jobqueue_submit.name COLLATE "C" !~ '^[A-Za-z0-9._:/-]{1,128}$',
            'has 1 to 128 of A-Z a-z 0-9 . _ - : /'),
        ('queue', p_queue COLLATE "C" !~ '^[A-Za-z0-9._-]{1,64}$', 'has 1 to 64 of A-Z a-z 0-9 . _ -'),
        ('priority', jobqueue_submit.priority COLLATE "C" !~ '^(high|medium|low|[0-9])$',
            'must be ''high'', ''medium'', ''low'' or ''0'' to ''9'''),
        ('args', jsonb_typeof(p_args) NOT IN ('array', 'object'), 'must be a JSON array, or an object with arguments by name'),
        ('kwargs', jsonb_typeof(p_args) = 'object' AND jobqueue_submit.kwargs IS NOT NULL,
            'cannot be given beside `args` that are an object'),
        ('kwargs', jsonb_typeof(p_kwargs) <> 'object', 'must be a JSON object'),
        ('meta', jsonb_typeof(jobqueue_submit.meta) <> 'object', 'must be a JSON object'),
        ('args', octet_length(p_args::text) + octet_length(p_kwargs::text)
            + coalesce(octet_length(jobqueue_submit.meta::text), 0) > 1048576, 'has at most 1 MiB together with kwargs and meta'),
        ('args', args_fault IS NOT NULL, args_fault),
        ('kwargs', kwargs_fault IS NOT NULL, kwargs_fault),
        ('meta', meta_fault IS NOT NULL, meta_fault),
        ('max_retries', retries NOT BETWEEN 0 AND 1000, 'must be a number from 0 to 1000'),
        ('timeout', jobqueue_submit.timeout NOT BETWEEN interval '0' AND interval '30 days',
            'must be at most 30 days, or 0 for no limit'),
        ('result_ttl', jobqueue_submit.result_ttl NOT BETWEEN interval '0' AND interval '366 days', 'must be at most 366 days'),
        ('delay', jobqueue_submit.delay IS NOT NULL AND jobqueue_submit.run_at IS NOT NULL, 'cannot be given beside `run_at`'),
        ('delay', jobqueue_submit.delay NOT BETWEEN interval '0' AND interval '1830 days', 'must be from 0 to 5 years'),
        ('run_at', NOT isfinite(jobqueue_submit.run_at)
            OR jobqueue_submit.run_at > clock_timestamp() + interval '1830 days', 'must be at most 5 years from now'),
        ('expires_in', jobqueue_submit.expires_in IS NOT NULL AND jobqueue_submit.expires_at IS NOT NULL,
            'cannot be given beside `expires_at`'),
        ('expires_in', jobqueue_submit.expires_in NOT BETWEEN interval '0' AND interval '1830 days', 'must be from 0 to 5 years'),
        ('expires_at', NOT isfinite(jobqueue_submit.expires_at)
            OR jobqueue_submit.expires_at > clock_timestamp() + interval '1830 days', 'must be at most 5 years from now'),
        ('max_age', jobqueue_submit.max_age NOT BETWEEN interval '0' AND interval '366 days',
            'must be at most 366 days, or 0 for no bound'),
        ('unique_key', length(p_key) NOT BETWEEN 1 AND 256 OR p_key ~ '[\u0001-\u001f\u007f-\u009f]',
            'has 1 to 256 characters, none of them a control character'),
        ('unique_conflict', p_conflict NOT IN ('return', 'reject'), 'must be ''return'' or ''reject'''),
        ('unique_conflict', p_key IS NULL AND jobqueue_submit.unique_conflict IS NOT NULL, 'has a meaning beside `unique_key` only'),
        ('tags', coalesce(array_ndims(jobqueue_submit.tags), 1) > 1 OR cardinality(jobqueue_submit.tags) > 20
            OR EXISTS (SELECT 1 FROM unnest(jobqueue_submit.tags) tag WHERE tag IS NULL OR length(tag) NOT BETWEEN 1 AND 64
                OR tag ~ '[\u0001-\u001f\u007f-\u009f]'),
            'are at most 20, of 1 to 64 characters each, none of them a control character'),
        ('retry', retry_fault IS NOT NULL, retry_fault),
        ('depends_on', coalesce(array_ndims(p_parents), 1) > 1 OR parents > 10000
            OR EXISTS (SELECT 1 FROM unnest(p_parents) parent WHERE parent IS NULL), 'must be the ids of at most 10000 tasks'),
        ('depends_on', parents <> (SELECT count(DISTINCT parent) FROM unnest(p_parents) parent), 'names a task twice'),
        ('on_failure', parents = 0 AND jobqueue_submit.on_failure IS NOT NULL, 'is of no use without `depends_on`'),
        ('on_failure', coalesce(array_ndims(policies), 2) > 1 OR cardinality(policies) NOT IN (1, parents) OR EXISTS (
            SELECT 1 FROM unnest(policies) policy WHERE policy IS NULL OR policy NOT IN ('skip', 'run', 'only')),
            'must be ''skip'', ''run'' or ''only'', one for all of `depends_on` or one for each'),
        ('fair_key', length(p_fair) NOT BETWEEN 1 AND 256 OR p_fair ~ '[\u0001-\u001f\u007f-\u009f]',
            'has 1 to 256 characters, none of them a control character'),
        ('rate_key', length(p_rate) NOT BETWEEN 1 AND 256 OR p_rate ~ '[\u0001-\u001f\u007f-\u009f]',
            'has 1 to 256 characters, none of them a control character'),
        ('concurrency_key', length(p_concurrent) NOT BETWEEN 1 AND 256 OR p_concurrent ~ '[\u0001-\u001f\u007f-\u009f]',
            'has 1 to 256 characters, none of them a control character'),
        ('requires', coalesce(array_ndims(jobqueue_submit.requires), 1) > 1 OR cardinality(jobqueue_submit.requires) > 16
            OR EXISTS (SELECT 1 FROM unnest(jobqueue_submit.requires) label
                WHERE label IS NULL OR label COLLATE "C" !~ '^[A-Za-z0-9._:/-]{1,64}$'),
            'are at most 16 labels, of 1 to 64 of A-Z a-z 0-9 . _ - : / each'),
        ('cost', p_cost NOT BETWEEN 1 AND 1000000, 'must be a number from 1 to 1000000'),
        ('cost', p_cost IS NOT NULL AND p_rate IS NULL, 'has a meaning beside `rate_key` only')
    ) AS f (argument, is_wrong, must) WHERE f.is_wrong LIMIT 1;
    IF must IS NULL THEN
        starts_at := coalesce(at + floor(extract(epoch FROM jobqueue_submit.delay) * 1000),
            floor(extract(epoch FROM jobqueue_submit.run_at) * 1000));
        over_at := coalesce(at + floor(extract(epoch FROM jobqueue_submit.expires_in) * 1000),
            floor(extract(epoch FROM jobqueue_submit.expires_at) * 1000));
        IF over_at <= greatest(starts_at, at) THEN
            argument := CASE WHEN jobqueue_submit.expires_at IS NULL THEN 'expires_in' ELSE 'expires_at' END;
            must := 'must be later than now and than the time it may start, or it could never run';
        END IF;
    END IF;
    IF must IS NOT NULL THEN
        RAISE invalid_parameter_value USING MESSAGE = format('jobqueue_submit: `%s` %s', argument, must);
    END IF;
    IF jsonb_typeof(p_args) = 'object' THEN
        p_kwargs := p_args;
        p_args := '[]';
    END IF;
    level := CASE coalesce(jobqueue_submit.priority, 'medium')
        WHEN 'high' THEN 8 WHEN 'medium' THEN 5 WHEN 'low' THEN 2 ELSE jobqueue_submit.priority::integer END;
    state := CASE WHEN parents > 0 THEN 0 WHEN starts_at > at THEN 1 ELSE 2 END;
    SELECT parent INTO unknown FROM unnest(p_parents) parent WHERE NOT EXISTS (SELECT 1 FROM tasks t WHERE t.id = parent) LIMIT 1;
    IF FOUND THEN
        RAISE foreign_key_violation USING MESSAGE = format('jobqueue_submit: `depends_on`: there is no task %s', unknown);
    END IF;

    -- Held until the end of the transaction, so that the queue is not deleted before its task is there to be seen.
    SELECT q.settings INTO settings FROM queues q WHERE q.name = p_queue FOR KEY SHARE;
    IF NOT FOUND THEN
        IF (SELECT count(*) FROM queues) >= 10000 THEN
            RAISE configuration_limit_exceeded
                USING MESSAGE = 'jobqueue_submit: there are 10000 queues already, the most that are kept';
        END IF;
        INSERT INTO queues (name, created_at) VALUES (p_queue, at) ON CONFLICT (name) DO NOTHING;
        SELECT q.settings INTO settings FROM queues q WHERE q.name = p_queue FOR KEY SHARE;
    END IF;
    -- Counted only where there is a bound: each task of this transaction is two more rows to count.
    IF settings -> 'max_depth' IS NOT NULL AND (settings ->> 'max_depth')::bigint
        <= (SELECT coalesce(sum(c.n), 0) FROM counters c WHERE c.queue = p_queue AND c.kind IN (0, 1, 2, 4))
    THEN
        RAISE configuration_limit_exceeded
            USING MESSAGE = format('jobqueue_submit: as many tasks wait in queue "%s" as it may hold (max_depth)', p_queue);
    END IF;
    IF settings ->> 'at_cap' = 'reject' THEN
        PERFORM 1 FROM queues q WHERE q.name = p_queue FOR NO KEY UPDATE;
        IF (settings ->> 'concurrency')::bigint
            <= (SELECT coalesce(sum(c.n), 0) FROM counters c WHERE c.queue = p_queue AND c.kind IN (0, 1, 2, 3, 4))
            OR (settings ->> 'key_concurrency')::bigint <= (SELECT count(*) FROM key_places p JOIN tasks t ON t.id = p.task_id
                WHERE p.queue = p_queue AND p.key = p_concurrent AND t.status < 5)
        THEN
            RAISE configuration_limit_exceeded USING MESSAGE =
                format('jobqueue_submit: tasks that are not over take up all of a cap of queue "%s" (at_cap)', p_queue);
        END IF;
    END IF;
    rule := settings -> 'key_rate_limit';
    IF p_cost > 1 AND (rule ->> 'enabled')::boolean THEN
        most := (rule -> 'limit' ->> 0)::bigint;
        IF rule ->> 'algorithm' = 'token_bucket' THEN
            most := coalesce(nullif((rule ->> 'burst')::bigint, 0), most);
        END IF;
        IF p_cost > most THEN
            RAISE invalid_parameter_value USING MESSAGE =
                format('jobqueue_submit: `cost` is more than a rate key of this queue may ever use at once (%s)', most);
        END IF;
    END IF;
    IF p_flow IS NOT NULL THEN
        p_place := CASE
            WHEN p_fair IS NOT NULL THEN ARRAY['fair', p_fair]
            WHEN p_rate IS NOT NULL THEN ARRAY['rate', p_rate]
            WHEN p_concurrent IS NOT NULL THEN ARRAY['concurrency', p_concurrent]
            ELSE ARRAY['worker', '']
        END;
        p_lane := jobqueue_lane(VARIADIC p_place
            || CASE WHEN p_requires IS NULL THEN '{}' ELSE ARRAY['', array_to_string(p_requires, ',')] END);
        p_sublane := jobqueue_lane('limits', coalesce('=' || p_rate, ''), coalesce('=' || p_concurrent, ''));
    END IF;
    retries := coalesce(retries, (settings ->> 'max_retries')::integer, 3);
    limit_ms := CASE
        WHEN jobqueue_submit.timeout IS NOT NULL THEN nullif(floor(extract(epoch FROM jobqueue_submit.timeout) * 1000), 0)
        -- A limit of null is none.
        WHEN settings -> 'timeout' IS NOT NULL THEN (settings ->> 'timeout')::bigint
        ELSE 300000
    END;
    age_ms := CASE
        WHEN jobqueue_submit.max_age IS NOT NULL THEN nullif(floor(extract(epoch FROM jobqueue_submit.max_age) * 1000), 0)
        ELSE jobqueue_duration((settings -> 'max_age')::jsonb)
    END;
    IF at + age_ms <= starts_at THEN
        RAISE invalid_parameter_value USING
            MESSAGE = 'jobqueue_submit: `max_age` must be longer than the time until it may start, or it could never run',
            HINT = 'What is not given is set for the queue; 0 is no bound.';
    END IF;
    over_at := least(over_at, at + age_ms);

    -- Version 7: the time in milliseconds, then the part of the millisecond, so that ids of one session increase.
    task := (lpad(to_hex(at), 12, '0') || to_hex(28672 + micros % 1000 * 4096 / 1000)
        || substr(replace(gen_random_uuid()::text, '-', ''), 17))::uuid;
    FOR try IN 1..3 LOOP
        INSERT INTO tasks (id, queue, name, priority, status, ready_at, created_at, run_at, expires_at, max_age_ms, max_retries,
            timeout_ms, unique_key, live_key, retry, parents, unmet, result_ttl_ms, tags, meta, flow, lane, sublane, laned, args,
            kwargs)
        VALUES (task, p_queue, jobqueue_submit.name, level, state, CASE WHEN parents = 0 THEN greatest(starts_at, at) END, at,
            starts_at, over_at, age_ms, retries, limit_ms, p_key, p_key, coalesce(p_retry::text, (settings -> 'retry')::text),
            parents, parents,
            floor(extract(epoch FROM jobqueue_submit.result_ttl) * 1000),
            array_to_json(nullif(jobqueue_submit.tags, '{}'))::text, jobqueue_submit.meta::text, p_flow, p_lane, p_sublane,
            p_flow IS NOT NULL AND state = 2, p_args::text, p_kwargs::text)
        ON CONFLICT (queue, live_key) WHERE live_key IS NOT NULL DO NOTHING;
        IF FOUND THEN
            INSERT INTO counters (queue, priority, kind, n) VALUES (p_queue, level, state, 1), (p_queue, level, 100, 1);
            IF settings ->> 'at_cap' = 'reject' AND settings -> 'key_concurrency' IS NOT NULL AND p_concurrent IS NOT NULL THEN
                INSERT INTO key_places (queue, key, task_id) VALUES (p_queue, p_concurrent, task);
            END IF;
            IF over_at IS NOT NULL THEN
                INSERT INTO expiries (expires_at, task_id) VALUES (over_at, task);
            END IF;
            -- Its parents are not held until the end of a transaction of whatever length: they are asked after it, by a node.
            IF parents > 0 THEN
                INSERT INTO task_dependencies (parent_id, child_id, on_failure)
                SELECT parent, task, array_position(ARRAY['skip', 'run', 'only'], coalesce(policies[place], policies[1])) - 1
                FROM unnest(p_parents) WITH ORDINALITY AS p (parent, place);
                INSERT INTO unresolved_parents (task_id) VALUES (task);
            END IF;
            -- The nodes hear it when this is committed; the same said twice in a transaction is sent once.
            PERFORM pg_notify('jobqueue.' || c.relnamespace, json_build_object('v', 1, 'node', 'sql', 'body', CASE
                WHEN parents > 0 THEN '"unresolved"' ELSE json_build_object('submitted', json_build_array(p_queue)) END)::text)
                FROM pg_class c WHERE c.oid = 'tasks'::regclass;
            RETURN task;
        END IF;
        DECLARE
            holder UUID;
        BEGIN
            -- One that is over, and whose time is over too, has it no longer.
            UPDATE tasks t SET live_key = NULL
            WHERE t.queue = p_queue AND t.live_key = p_key AND t.status >= 5 AND t.unique_until <= at;
            CONTINUE WHEN FOUND;
            SELECT t.id INTO holder FROM tasks t WHERE t.queue = p_queue AND t.live_key = p_key;
            IF FOUND AND p_conflict = 'return' THEN
                RETURN holder;
            ELSIF FOUND THEN
                RAISE unique_violation USING MESSAGE = format('jobqueue_submit: `unique_key` is held by task %s', holder);
            END IF;
        END;
    END LOOP;
    RAISE serialization_failure USING MESSAGE = 'jobqueue_submit: `unique_key` changes hands all the time: try again';
END
$$;

-- Whoever may execute it may submit, and needs no right to the tables. These are found wherever the caller looks.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION jobqueue_submit SET search_path = %I, pg_temp', current_schema());
END
$$;
REVOKE ALL ON FUNCTION jobqueue_submit FROM PUBLIC;
