//! Invariants in SQL.

use std::sync::Arc;

use diesel::{
    QueryableByName, RunQueryDsl as _,
    connection::SimpleConnection as _,
    prelude::*,
    sql_types::{BigInt, Nullable, Text},
};

use super::{Connection, dialect, limits, schema::queues, translate};
use crate::{
    store::{
        StoreError,
        invariants::{EXAMPLES, INVARIANTS, Inspect, Inspected},
    },
    task::Millis,
};

/// A store that is only read: it waits for nobody and nobody for it, so servers may work on it meanwhile.
pub struct Inspector {
    connection: Connection,
    name: Arc<str>,
}

/// What is wrong with a task's row by itself; all of these are found in one pass over the tasks.
const OF_A_TASK: &[(&str, &str)] = &[
    ("status_known", "status NOT BETWEEN 0 AND 10"),
    (
        "running_held",
        "status = 3 AND (lease_id IS NULL OR worker_id IS NULL OR NOT EXISTS (SELECT 1 FROM leases WHERE \
         leases.lease_id = tasks.lease_id AND leases.worker_id = tasks.worker_id))",
    ),
    ("claimable_has_time", "status IN (1, 2, 4) AND ready_at IS NULL"),
    ("others_have_no_time", "status NOT IN (1, 2, 4) AND ready_at IS NOT NULL"),
    ("cancel_only_running", "status IN (0, 1, 2, 4) AND cancel_requested"),
    (
        // Who was over may have lost it to another when its time was over too; who has let go of it at a start has it again
        // when it starts anew.
        "unique_key_live",
        "CASE WHEN live_key IS NOT NULL THEN live_key IS DISTINCT FROM unique_key OR (coalesce(unique_while, 31) & (1 << status)) \
         = 0 ELSE unique_key IS NOT NULL AND (coalesce(unique_while, 31) & (1 << status)) <> 0 AND NOT (status >= 5 AND \
         unique_until IS NOT NULL) AND ((coalesce(unique_while, 31) & 8) <> 0 OR (attempt = 0 AND snoozes IS NULL)) END",
    ),
    (
        "unique_scope_sound",
        "(unique_key IS NULL AND (unique_while IS NOT NULL OR unique_until IS NOT NULL)) OR (coalesce(unique_while, 31) & 23) <> 23 \
         OR (unique_while > 31 AND (unique_while & 8) = 0)",
    ),
    ("pending_has_parents", "status = 0 AND (unmet <= 0 OR parents <= 0)"),
    ("started_after_parents", "status IN (1, 2, 3, 4, 5, 6, 7) AND unmet <> 0"),
    (
        "dead_is_dead_letter",
        "status IN (6, 7) AND NOT EXISTS (SELECT 1 FROM dead_letter_queue WHERE task_id = tasks.id)",
    ),
    ("keys_have_lane", "(flow IS NULL) <> (lane IS NULL) OR (flow IS NULL) <> (sublane IS NULL)"),
    // One that is over before it has started leaves its lane by having no time any more.
    ("laned_can_start", "laned AND (flow IS NULL OR status IN (0, 3, 5, 6, 7))"),
    ("failures_within_retries", "failures > max_retries + 1 OR failures < 0 OR failures + crashes > attempt"),
    ("over_has_end", "status >= 5 AND finished_at IS NULL"),
    ("result_of_success", "status <> 5 AND result IS NOT NULL"),
    ("not_early", "status IN (3, 5, 6, 7) AND started_at < run_at"),
    (
        "expiry_noted",
        "status IN (0, 1, 2, 4) AND expires_at > {now} AND NOT EXISTS (SELECT 1 FROM expiries WHERE expires_at = \
         tasks.expires_at AND task_id = tasks.id)",
    ),
    (
        "age_has_end",
        "max_age_ms IS NOT NULL AND (expires_at IS NULL OR (generation = 1 AND expires_at > created_at + max_age_ms))",
    ),
    ("queue_exists", "queue NOT IN (SELECT name FROM queues)"),
];

/// What is wrong between rows: each statement answers one row for each violation, with what names it.
const OF_SEVERAL: &[(&str, &str)] = &[
    (
        "lease_counts",
        "SELECT uuid(l.lease_id) AS subject FROM leases l LEFT JOIN (SELECT lease_id, count(*) AS n FROM tasks WHERE \
         status = 3 GROUP BY lease_id) held ON held.lease_id = l.lease_id WHERE l.open <> coalesce(held.n, 0)",
    ),
    (
        "lease_of_live_worker",
        "SELECT uuid(lease_id) AS subject FROM leases WHERE worker_id NOT IN (SELECT id FROM workers WHERE state IN \
         ('alive', 'draining'))",
    ),
    (
        "unique_key_once",
        "SELECT queue || ': ' || live_key AS subject FROM tasks WHERE live_key IS NOT NULL GROUP BY queue, live_key HAVING \
         count(*) > 1",
    ),
    (
        "pending_is_told",
        "SELECT uuid(tasks.id) AS subject FROM tasks WHERE status = 0 AND NOT EXISTS (SELECT 1 FROM task_dependencies d JOIN tasks p \
         ON p.id = d.parent_id WHERE d.child_id = tasks.id AND NOT d.resolved AND (p.status < 5 OR p.id IN (SELECT task_id \
         FROM unresolved_parents))) AND NOT EXISTS (SELECT 1 FROM task_dependencies d JOIN workflows p ON p.id = d.parent_id \
         WHERE d.child_id = tasks.id AND NOT d.resolved AND (p.state = 0 OR p.id IN (SELECT task_id FROM \
         unresolved_parents))) AND id NOT IN (SELECT task_id FROM unresolved_parents)",
    ),
    (
        "unmet_counts",
        "SELECT uuid(tasks.id) AS subject FROM tasks WHERE status = 0 AND unmet <> (SELECT count(*) FROM task_dependencies WHERE \
         child_id = tasks.id AND NOT resolved)",
    ),
    (
        "parent_tells",
        "SELECT DISTINCT uuid(tasks.id) AS subject FROM task_dependencies d JOIN tasks ON tasks.id = d.parent_id WHERE NOT d.resolved \
         AND NOT tasks.has_dependants AND d.child_id NOT IN (SELECT task_id FROM unresolved_parents) UNION SELECT \
         uuid(workflows.id) AS subject FROM task_dependencies d JOIN workflows ON workflows.id = d.parent_id WHERE NOT d.resolved \
         AND NOT workflows.has_dependants",
    ),
    (
        "dependencies_exist",
        "SELECT uuid(d.child_id) AS subject FROM task_dependencies d LEFT JOIN tasks c ON c.id = d.child_id LEFT JOIN \
         tasks p ON p.id = d.parent_id WHERE c.id IS NULL OR (c.status = 0 AND p.id IS NULL AND d.parent_id NOT IN \
         (SELECT id FROM workflows))",
    ),
    (
        "dead_letter_is_dead",
        "SELECT uuid(task_id) AS subject FROM dead_letter_queue WHERE task_id NOT IN (SELECT id FROM tasks WHERE \
         status IN (6, 7))",
    ),
    (
        // Whoever waits has all attempts written down, whoever runs or has run to its end tells the last one itself;
        // one that ended while it waited may be either.
        "attempts_numbered",
        "SELECT uuid(tasks.id) AS subject FROM tasks LEFT JOIN (SELECT task_id, generation, count(*) AS n, max(number) AS last, \
         min(number) AS first FROM attempts GROUP BY task_id, generation) a ON a.task_id = tasks.id AND a.generation = \
         tasks.generation WHERE attempt < 0 OR coalesce(a.first, 1) < 1 OR coalesce(a.last, 0) <> coalesce(a.n, 0) OR \
         CASE WHEN status IN (0, 1, 2, 4) THEN coalesce(a.n, 0) <> attempt WHEN status IN (3, 5, 6, 7) THEN coalesce(a.n, \
         0) <> attempt - 1 ELSE coalesce(a.n, 0) NOT IN (attempt, attempt - 1) END",
    ),
    (
        "attempts_of_tasks",
        "SELECT DISTINCT uuid(task_id) AS subject FROM attempts WHERE task_id NOT IN (SELECT id FROM tasks)",
    ),
    (
        "schedule_next",
        "SELECT name AS subject FROM schedules WHERE (next_tick IS NULL) <> (next_at IS NULL) OR next_at < next_tick OR \
         (paused_by IS NOT NULL AND next_at IS NOT NULL)",
    ),
    (
        "counters_add_up",
        "SELECT queue || ', priority ' || priority || ', status ' || kind || ': counted ' || sum(counted) || ', found ' || \
         sum(found) AS subject FROM (SELECT queue, priority, kind, n AS counted, 0 AS found FROM counters WHERE kind < 100 \
         UNION ALL SELECT queue, priority, status, 0, count(*) FROM tasks GROUP BY queue, priority, status) both_ways GROUP BY \
         queue, priority, kind HAVING sum(counted) <> sum(found)",
    ),
    (
        "workflow_counts",
        "SELECT uuid(w.id) AS subject FROM workflows w LEFT JOIN (SELECT workflow_id, count(*) AS total, sum(CASE WHEN gone THEN 1 \
         ELSE 0 END) AS deleted, sum(CASE WHEN e = 5 THEN 1 ELSE 0 END) AS success, sum(CASE WHEN e = 6 THEN 1 ELSE 0 END) AS \
         failed, sum(CASE WHEN e = 7 THEN 1 ELSE 0 END) AS timeout, sum(CASE WHEN e = 8 THEN 1 ELSE 0 END) AS cancelled, \
         sum(CASE WHEN e = 9 THEN 1 ELSE 0 END) AS expired, sum(CASE WHEN e = 10 THEN 1 ELSE 0 END) AS skipped, \
         sum(CASE WHEN e = 11 THEN 1 ELSE 0 END) AS unneeded FROM (SELECT m.workflow_id, t.id IS NULL AS gone, CASE WHEN t.id IS \
         NULL THEN m.ended WHEN t.status = 10 AND t.error LIKE '%\"kind\":\"unneeded\"%' THEN 11 ELSE t.status END AS e FROM \
         workflow_tasks m LEFT JOIN tasks t ON t.id = m.task_id WHERE m.role = 0) ends GROUP BY workflow_id) n ON n.workflow_id = \
         w.id WHERE w.total <> coalesce(n.total, 0) OR w.deleted <> n.deleted OR w.success <> n.success OR w.failed <> n.failed \
         OR w.timeout <> n.timeout OR w.cancelled <> n.cancelled OR w.expired <> n.expired OR w.skipped <> n.skipped OR \
         w.unneeded <> n.unneeded",
    ),
    (
        "workflow_state",
        "SELECT uuid(id) AS subject FROM workflows WHERE state <> CASE WHEN success + failed + timeout + cancelled + expired + \
         skipped + unneeded < total THEN 0 WHEN failed + timeout + expired > 0 THEN 2 WHEN cancelled > 0 THEN 3 WHEN skipped > 0 \
         THEN 2 ELSE 1 END OR (state = 0) <> (finished_at IS NULL)",
    ),
    (
        "workflow_members",
        "SELECT uuid(tasks.id) AS subject FROM tasks LEFT JOIN workflow_tasks m ON m.workflow_id = tasks.workflow_id AND m.task_id = \
         tasks.id AND m.role = 0 WHERE tasks.workflow_id IS NOT NULL AND m.task_id IS NULL UNION SELECT uuid(m.task_id) AS subject \
         FROM workflow_tasks m LEFT JOIN tasks ON tasks.id = m.task_id LEFT JOIN workflows w ON w.id = m.workflow_id WHERE w.id IS \
         NULL OR (m.role = 0 AND tasks.workflow_id IS DISTINCT FROM m.workflow_id AND tasks.id IS NOT NULL)",
    ),
    (
        "concurrency_kept",
        "SELECT name || ': ' || n || ' of ' || {concurrency} AS subject FROM queues JOIN (SELECT \
         queue, count(*) AS n FROM tasks WHERE status = 3 GROUP BY queue) held ON held.queue = name WHERE n > \
         {concurrency}",
    ),
];

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Nullable<Text>)]
    subject: Option<String>,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// How many, and some of them.
pub(super) type Found = (u64, Vec<String>);

impl Inspector {
    pub(super) fn new(connection: Connection, name: Arc<str>) -> Self {
        Self { connection, name }
    }

    fn inspected(&mut self, now: Millis) -> QueryResult<Vec<Inspected>> {
        let mut found = self.of_a_task(now)?;
        for (name, statement) in OF_SEVERAL {
            found.push((name, self.rows(&filled(statement, now))?));
        }
        if let Some(statement) = dialect::UNSOUND {
            found.push(("file_sound", self.rows(statement)?));
        }
        found.push(("permits_within_limit", self.permits()?));
        let looked_for = INVARIANTS.iter().filter_map(|invariant| {
            let at = found.iter().position(|(name, _)| *name == invariant.name)?;
            let (violations, examples) = found.swap_remove(at).1;
            Some(Inspected { invariant: *invariant, violations, examples })
        });
        Ok(looked_for.collect())
    }

    fn of_a_task(&mut self, now: Millis) -> QueryResult<Vec<(&'static str, Found)>> {
        let sum = |wrong: &str| format!("CAST(coalesce(sum(CASE WHEN {wrong} THEN 1 ELSE 0 END), 0) AS TEXT)");
        let sums: Vec<String> = OF_A_TASK.iter().map(|(_, wrong)| sum(&filled(wrong, now))).collect();
        let statement = format!("SELECT {} AS subject FROM tasks", sums.join(" || ' ' || "));
        let counts = self.texts(&statement)?.pop().unwrap_or_default();
        let counts = counts.split(' ').map(|count| count.parse::<u64>().unwrap_or_default());
        let mut found = Vec::with_capacity(OF_A_TASK.len());
        for ((name, wrong), n) in OF_A_TASK.iter().zip(counts) {
            let some = format!("SELECT uuid(id) AS subject FROM tasks WHERE ({wrong}) LIMIT {EXAMPLES}");
            found.push((*name, (n, if n > 0 { self.texts(&filled(&some, now))? } else { Vec::new() })));
        }
        Ok(found)
    }

    fn texts(&mut self, statement: &str) -> QueryResult<Vec<String>> {
        let rows: Vec<Row> = diesel::sql_query(statement).load(&mut self.connection)?;
        Ok(rows.into_iter().filter_map(|row| row.subject).collect())
    }

    fn rows(&mut self, statement: &str) -> QueryResult<Found> {
        let count = diesel::sql_query(format!("SELECT count(*) AS n FROM ({statement}) found"));
        let n = u64::try_from(count.get_result::<Count>(&mut self.connection)?.n).unwrap_or(0);
        let some = format!("SELECT subject FROM ({statement}) found LIMIT {EXAMPLES}");
        Ok((n, if n > 0 { self.texts(&some)? } else { Vec::new() }))
    }

    /// By the code that gives the permits out.
    fn permits(&mut self) -> QueryResult<Found> {
        let set: Vec<(String, String)> =
            queues::table.select((queues::name, queues::settings)).load(&mut self.connection)?;
        let mut over = Vec::new();
        for (queue, text) in set {
            let settings = limits::settings(&text);
            let Some(rule) = settings.rate_limit.filter(|rule| rule.enabled) else { continue };
            let Some(state) = limits::state(&mut self.connection, &queue)? else { continue };
            for key in rule.keys() {
                if let Some((used, most)) = state.excess(&rule, *key) {
                    over.push(format!("{queue}, {}: {used} of {most}", key.as_str()));
                }
            }
        }
        Ok((over.len() as u64, over.into_iter().take(EXAMPLES).collect()))
    }
}

/// The statement with the time put in, with each `uuid(column)` as the API writes an id, and with what each store says in its
/// own way.
fn filled(statement: &str, now: Millis) -> String {
    let mut parts = statement.split("uuid(");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (column, rest) = part.split_once(')').unwrap_or((part, ""));
        text.push_str(&dialect::id_text(column));
        text.push_str(rest);
    }
    text.replace("{now}", &now.to_string()).replace("{concurrency}", dialect::CONCURRENCY)
}

impl Inspect for Inspector {
    fn inspect(&mut self, now: Millis) -> Result<Vec<Inspected>, StoreError> {
        let told = |name: &Arc<str>, error: &diesel::result::Error| translate(name, error);
        // One snapshot: counters and rows are compared as they were at one moment.
        self.connection.batch_execute(dialect::SNAPSHOT).map_err(|error| told(&self.name, &error))?;
        let inspected = self.inspected(now);
        // It has only read: there is nothing to keep.
        let _ = self.connection.batch_execute("ROLLBACK");
        inspected.map_err(|error| told(&self.name, &error))
    }
}
