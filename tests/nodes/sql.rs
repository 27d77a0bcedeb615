//! Tasks that are submitted in SQL, within a transaction of the caller's.

use diesel::PgConnection;
use serde_json::{Map, Value, json};

use crate::{Cluster, lines, run, support::eventually, within_a_second};

pub(crate) fn submit(database: &mut PgConnection, arguments: &str) -> String {
    lines(database, &format!("SELECT jobqueue_submit({arguments})::text AS line")).remove(0)
}

/// What the database says to a submission that it refuses.
fn refused(database: &mut PgConnection, arguments: &str) -> String {
    let call = format!("SELECT jobqueue_submit({arguments})");
    let refused = diesel::connection::SimpleConnection::batch_execute(database, &call);
    refused.expect_err(arguments).to_string()
}

#[test]
fn committed_it_runs_at_once_and_rolled_back_it_never_was() {
    let cluster = Cluster::new();
    let node = cluster.node("a", "2");
    let mut database = cluster.database();
    run(&mut database, "CREATE TABLE orders (id INT)");
    for n in 0..5 {
        run(&mut database, &format!("BEGIN; INSERT INTO orders VALUES ({n})"));
        let id = submit(&mut database, &format!("'demo.add', '[{n}, 1]', priority => '{n}'"));
        assert_eq!(node.call("GET", &format!("/api/v1/tasks/{id}"), "").0, 404);
        run(&mut database, "COMMIT");
        within_a_second("it has run", || node.task(&id)["status"] == "success");
        assert_eq!(node.get(&format!("/api/v1/tasks/{id}/result"))["result"], n + 1);
    }
    let before = node.get("/api/v1/stats")["status_counts"].clone();
    run(&mut database, "BEGIN");
    let gone = submit(&mut database, "'demo.add', '[1]', queue => 'never', unique_key => 'k', expires_in => '1 hour'");
    run(&mut database, "ROLLBACK");
    let id = submit(&mut database, "'demo.add', '[1]', delay => '300 milliseconds'");
    within_a_second("what waits for its time has run", || node.task(&id)["status"] == "success");
    assert_eq!(node.call("GET", &format!("/api/v1/tasks/{gone}"), "").0, 404);
    assert_eq!(node.call("GET", "/api/v1/queues/never", "").0, 404);
    assert_eq!(node.get("/api/v1/stats")["status_counts"]["success"], before["success"].as_u64().unwrap() + 1);
    let left = "SELECT count(*)::text AS line FROM counters WHERE queue = 'never'";
    assert_eq!(lines(&mut database, left), ["0"]);
    assert_eq!(lines(&mut database, "SELECT count(*)::text AS line FROM expiries"), ["0"]);
}

#[test]
fn it_is_heard_beside_redis_too() {
    let (cluster, redis) = (Cluster::new(), crate::redis_server::Redis::start());
    let node = cluster.node_with("a", &[("REDIS_URL", &redis.url())]);
    let mut database = cluster.database();
    // The shared head knows of all there is, and sleeps.
    let id = node.submit(r#"{"name": "demo.add", "args": [1]}"#);
    node.finished(&id);
    for n in 0..5 {
        let id = submit(&mut database, &format!("'demo.add', '[{n}, 1]', priority => '{n}'"));
        within_a_second("it has run", || node.task(&id)["status"] == "success");
    }
    let id = submit(&mut database, "'demo.add', '[1]', delay => '300 milliseconds'");
    within_a_second("what waits for its time has run", || node.task(&id)["status"] == "success");
    assert_eq!(node.get("/health")["broker"], json!({"kind": "redis", "status": "ok"}));
}

#[test]
fn a_thousand_in_one_transaction_all_run() {
    let cluster = Cluster::new();
    let (one, other) = (cluster.node("a", "4"), cluster.node("b", "4"));
    let mut database = cluster.database();
    run(
        &mut database,
        "SELECT count(jobqueue_submit('fault.noop', queue => 'q' || n % 3)) FROM generate_series(1, 1000) n",
    );
    eventually("all have run", || one.get("/api/v1/stats")["status_counts"]["success"] == 1_000);
    let unlike = "SELECT count(DISTINCT id)::text AS line FROM tasks WHERE attempt = 1";
    assert_eq!(lines(&mut database, unlike), ["1000"]);
    drop(other);
}

#[test]
fn a_unique_key_has_one_live_task() {
    let cluster = Cluster::new();
    let node = cluster.node("a", "2");
    assert_eq!(node.call("PUT", "/api/v1/queues/default", r#"{"paused": true}"#).0, 200);
    let mut database = cluster.database();
    let id = submit(&mut database, "'demo.echo', unique_key => 'k'");
    assert_eq!(submit(&mut database, "'demo.echo', unique_key => 'k'"), id);
    let by_rest = node.call("POST", "/api/v1/tasks", r#"{"name": "demo.echo", "unique_key": "k"}"#);
    assert_eq!((by_rest.0, &by_rest.1["id"]), (200, &json!(id)));
    let told = refused(&mut database, "'demo.echo', unique_key => 'k', unique_conflict => 'reject'");
    assert!(told.contains(&format!("`unique_key` is held by task {id}")), "{told}");
    // Of two transactions the later one waits for the earlier.
    run(&mut database, "BEGIN");
    let first = submit(&mut database, "'demo.echo', unique_key => 'l'");
    let mut second = cluster.database();
    let waits = std::thread::spawn(move || submit(&mut second, "'demo.echo', unique_key => 'l'"));
    let held = "SELECT count(*)::text AS line FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
                AND datname = current_database() AND query LIKE '%jobqueue_submit%'";
    let mut watch = cluster.database();
    eventually("it waits", || lines(&mut watch, held) == ["1"]);
    run(&mut database, "COMMIT");
    assert_eq!(waits.join().unwrap(), first);
    assert_eq!(lines(&mut database, "SELECT count(*)::text AS line FROM tasks"), ["2"]);
}

#[test]
fn what_rest_refuses_is_refused_by_the_name_of_the_argument() {
    let cluster = Cluster::new();
    let node = cluster.node("a", "2");
    let mut database = cluster.database();
    assert_eq!(node.call("PUT", "/api/v1/queues/full", r#"{"paused": true, "max_depth": 2}"#).0, 200);
    assert_eq!(node.call("PUT", "/api/v1/queues/aged", r#"{"max_age": "1h"}"#).0, 200);
    let capped = r#"{"paused": true, "key_concurrency": 1, "at_cap": "reject"}"#;
    assert_eq!(node.call("PUT", "/api/v1/queues/capped", capped).0, 200);
    let limit = r#""limit": 5, "per": "1m""#;
    for (queue, more) in [
        ("window", ""),
        ("bucket", r#", "algorithm": "token_bucket""#),
        ("burst", r#", "algorithm": "token_bucket", "burst": 8"#),
        ("off", r#", "enabled": false"#),
    ] {
        let settings = format!(r#"{{"paused": true, "key_rate_limit": {{{limit}{more}}}}}"#);
        assert_eq!(node.call("PUT", &format!("/api/v1/queues/{queue}"), &settings).0, 200);
    }
    let deep = format!("'t', '{}{}'", "[".repeat(65), "]".repeat(65));
    let (long, many) = (format!("'{}'", "n".repeat(129)), "'t', tags => array_fill('a'::text, ARRAY[21])".to_owned());
    let large = format!("'t', to_jsonb(ARRAY[repeat('x', {})])", 1 << 20);
    for (arguments, names) in [
        ("NULL", "`name`"),
        ("''", "`name`"),
        ("'a b'", "`name`"),
        (&long, "`name`"),
        ("E'a\\nb'", "`name`"),
        ("'t', queue => ''", "`queue`"),
        ("'t', queue => 'a/b'", "`queue`"),
        ("'t', queue => 'ä'", "`queue`"),
        ("'t', priority => 'normal'", "`priority`"),
        ("'t', priority => '10'", "`priority`"),
        ("'t', '1'", "`args`"),
        ("'t', 'null'", "`args`"),
        ("'t', '{}', '{}'", "`kwargs`"),
        ("'t', '[]', '[]'", "`kwargs`"),
        ("'t', meta => '[]'", "`meta`"),
        ("'t', '[1e400]'", "`args`"),
        ("'t', '{\"a\": [{\"b\": -1e309}]}'", "`args`"),
        (&deep, "`args`"),
        (&large, "`args`"),
        ("'t', max_retries => -1", "`max_retries`"),
        ("'t', max_retries => 1001", "`max_retries`"),
        ("'t', timeout => '-1 second'", "`timeout`"),
        ("'t', timeout => '31 days'", "`timeout`"),
        ("'t', result_ttl => '2 years'", "`result_ttl`"),
        ("'t', delay => '-1 second'", "`delay`"),
        ("'t', delay => '1 second', run_at => now()", "`delay`"),
        ("'t', delay => '6 years'", "`delay`"),
        ("'t', run_at => 'infinity'", "`run_at`"),
        ("'t', run_at => now() + interval '6 years'", "`run_at`"),
        ("'t', expires_at => now()", "`expires_at`"),
        ("'t', expires_at => '-infinity'", "`expires_at`"),
        ("'t', max_age => '-1 hour'", "`max_age`"),
        ("'t', max_age => '367 days'", "`max_age`"),
        ("'t', delay => '1 hour', max_age => '1 hour'", "`max_age`"),
        ("'t', delay => '1 hour', expires_in => '1 hour'", "`expires_in`"),
        ("'t', queue => 'aged', delay => '2 hours'", "`max_age`"),
        ("'t', expires_in => '1 hour', expires_at => now()", "`expires_in`"),
        ("'t', unique_key => ''", "`unique_key`"),
        ("'t', unique_key => repeat('k', 257)", "`unique_key`"),
        ("'t', unique_key => E'a\\tb'", "`unique_key`"),
        ("'t', unique_key => 'k', unique_conflict => 'replace'", "`unique_conflict`"),
        ("'t', unique_conflict => 'reject'", "`unique_conflict`"),
        ("'t', retry => '[]'", "`retry` must be a JSON object"),
        ("'t', retry => '{\"delay\": 1}'", "`retry` has no \"delay\""),
        ("'t', retry => '{\"strategy\": \"random\"}'", "`retry` has a strategy"),
        ("'t', retry => '{\"base\": 0.5}'", "`retry` has a base"),
        ("'t', retry => '{\"base\": \"x\"}'", "`retry` has a base"),
        ("'t', retry => '{\"base\": null}'", "`retry` has a base"),
        ("'t', retry => '{\"initial\": \"5 weeks\"}'", "`retry` has an initial"),
        ("'t', retry => '{\"initial\": -1}'", "`retry` has an initial"),
        ("'t', retry => '{\"max\": \"31d\"}'", "`retry` has a max"),
        ("'t', retry => '{\"initial\": 61, \"max\": \"1m\"}'", "longer than max"),
        ("'t', retry => '{\"jitter\": 1}'", "`retry` has a jitter"),
        ("'t', fair_key => ''", "`fair_key`"),
        ("'t', fair_key => repeat('k', 257)", "`fair_key`"),
        ("'t', rate_key => E'a\\nb'", "`rate_key`"),
        ("'t', concurrency_key => E'\\u0085'", "`concurrency_key`"),
        ("'t', concurrency_key => ''", "`concurrency_key`"),
        ("'t', rate_key => 'a', cost => 0", "`cost` must be a number from 1"),
        ("'t', rate_key => 'a', cost => 1000001", "`cost` must be a number from 1"),
        ("'t', requires => '{a b}'", "`requires`"),
        ("'t', requires => '{NULL}'", "`requires`"),
        ("'t', requires => array_fill('a'::text, '{17}')", "`requires`"),
        ("'t', cost => 1", "`cost` has a meaning beside `rate_key` only"),
        ("'t', rate_key => 'a', cost => 6, queue => 'window'", "at once (5)"),
        ("'t', rate_key => 'a', cost => 6, queue => 'bucket'", "at once (5)"),
        ("'t', rate_key => 'a', cost => 9, queue => 'burst'", "at once (8)"),
        ("'t', depends_on => '{NULL}'", "`depends_on`"),
        ("'t', depends_on => array_fill(gen_random_uuid(), ARRAY[2, 2])", "`depends_on`"),
        ("'t', depends_on => array_fill(gen_random_uuid(), ARRAY[2])", "`depends_on` names a task twice"),
        ("'t', depends_on => '{00000000-0000-7000-8000-000000000001}'", "no task 00000000-0000-7000-8000-000000000001"),
        ("'t', on_failure => '{run}'", "`on_failure`"),
        ("'t', depends_on => ARRAY[gen_random_uuid()], on_failure => '{stop}'", "`on_failure`"),
        ("'t', depends_on => ARRAY[gen_random_uuid()], on_failure => '{}'", "`on_failure`"),
        ("'t', depends_on => ARRAY[gen_random_uuid()], on_failure => '{run,skip}'", "`on_failure`"),
        (&many, "`tags`"),
        ("'t', tags => '{a,NULL}'", "`tags`"),
        ("'t', tags => '{\"\"}'", "`tags`"),
        // Refused by PostgreSQL itself.
        ("'t', '[\"\\u0000\"]'", "unsupported Unicode escape sequence"),
        ("'t', '[\"\\ud800\"]'", "json"),
        ("'t', '[1,]'", "json"),
    ] {
        let told = refused(&mut database, arguments);
        assert!(told.contains(names), "{arguments}: {told}");
    }
    let sound = format!("'t', '{}1e308{}', tags => '{{}}', queue => 'full'", "[".repeat(64), "]".repeat(64));
    submit(&mut database, &sound);
    submit(&mut database, "'t', queue => 'full'");
    let told = refused(&mut database, "'t', queue => 'full'");
    assert!(told.contains("\"full\"") && told.contains("max_depth"), "{told}");
    assert_eq!(lines(&mut database, "SELECT count(*)::text AS line FROM tasks"), ["2"]);
    // By whatever way the place was taken.
    submit(&mut database, "'t', queue => 'capped', concurrency_key => 'a'");
    let over_rest = r#"{"name": "t", "queue": "capped", "concurrency_key": "a"}"#;
    assert_eq!(node.call("POST", "/api/v1/tasks", over_rest).0, 429);
    let told = refused(&mut database, "'t', queue => 'capped', concurrency_key => 'a'");
    assert!(told.contains("\"capped\"") && told.contains("at_cap"), "{told}");
    submit(&mut database, "'t.x:y/z_-9', queue => 'capped', concurrency_key => 'b'");
    for sound in [
        "queue => 'window', rate_key => 'a', cost => 5",
        "queue => 'burst', rate_key => 'a', cost => 8",
        "queue => 'off', rate_key => 'a', cost => 6",
        "queue => 'window', fair_key => repeat('ü', 256)",
    ] {
        submit(&mut database, &format!("'t', {sound}"));
    }
}

#[test]
fn tasks_of_different_fair_keys_take_turns() {
    let cluster = Cluster::new();
    let node = cluster.node("a", "1");
    let mut database = cluster.database();
    assert_eq!(node.call("PUT", "/api/v1/queues/q", r#"{"paused": true}"#).0, 200);
    let many = |key: &str, n: u32| {
        format!(
            "SELECT count(jobqueue_submit('fault.noop', queue => 'q', fair_key => '{key}')) FROM generate_series(1, {n})"
        )
    };
    run(&mut database, &many("loud", 200));
    run(&mut database, &many("quiet", 2));
    // As by REST: one lane for both.
    node.submit(r#"{"name": "fault.noop", "queue": "q", "fair_key": "quiet"}"#);
    let lanes = "SELECT count(DISTINCT lane)::text AS line FROM tasks WHERE laned";
    assert_eq!(lines(&mut database, lanes), ["2"]);
    assert_eq!(node.call("POST", "/api/v1/queues/q/resume", "").0, 200);
    let done = "SELECT count(*)::text AS line FROM tasks WHERE status = 5 AND flow::json ->> 'fair_key' = 'quiet'";
    eventually("those of the other key have run", || lines(&mut database, done) == ["3"]);
    let before = "SELECT count(*)::text AS line FROM tasks WHERE flow::json ->> 'fair_key' = 'loud' AND started_at < \
                  (SELECT max(started_at) FROM tasks WHERE flow::json ->> 'fair_key' = 'quiet')";
    let before: u32 = lines(&mut database, before)[0].parse().unwrap();
    assert!(before <= 6, "{before} of 200 came before 3 of another key");
}

#[test]
fn a_role_needs_the_function_alone_and_the_tables_are_found_wherever_it_looks() {
    let cluster = Cluster::new();
    let node = cluster.node("a", "2");
    let mut database = cluster.database();
    let shop = lines(&mut database, "SELECT 'shop_' || current_database() AS line").remove(0);
    run(&mut database, &format!("CREATE ROLE {shop} LOGIN; CREATE SCHEMA shop AUTHORIZATION {shop}"));
    let mut client =
        <PgConnection as diesel::Connection>::establish(&cluster.url.replace("test@", &format!("{shop}@"))).unwrap();
    run(&mut client, "SET search_path = shop; CREATE TABLE tasks (id INT)");
    let call = "SELECT public.jobqueue_submit('demo.add', '[1]')::text AS line";
    let told = diesel::connection::SimpleConnection::batch_execute(&mut client, call).unwrap_err().to_string();
    assert!(told.contains("permission denied"), "{told}");
    run(&mut database, &format!("GRANT EXECUTE ON FUNCTION jobqueue_submit TO {shop}"));
    let id = lines(&mut client, call).remove(0);
    within_a_second("it has run", || node.task(&id)["status"] == "success");
}

/// Fields of a task, as REST and as SQL have them.
struct Both {
    rest: Map<String, Value>,
    sql: Vec<String>,
}

impl Both {
    fn add(&mut self, random: &mut fastrand::Rng, field: &str, rest: Value, sql: impl Into<String>) {
        if random.bool() {
            self.rest.insert(field.into(), rest);
            self.sql.push(format!("{field} => {}", sql.into()));
        }
    }

    fn some(random: &mut fastrand::Rng, case: usize) -> Self {
        let mut both = Self { rest: Map::new(), sql: vec!["'fault.noop'".into()] };
        // One that the node has a handler for: the database does not know which it has.
        both.rest.insert("name".into(), json!("fault.noop"));
        let n = random.u32(..1_000);
        let (args, kwargs) = (json!([n, "ä'\"\\", null, {"b": [1.5]}]), json!({"k": n, "j": {"é": "\n"}}));
        let text = |value: &Value| format!("'{}'::jsonb", value.to_string().replace('\'', "''"));
        both.add(random, "args", args.clone(), text(&args));
        both.add(random, "kwargs", kwargs.clone(), text(&kwargs));
        let (word, level) = (random.choice(["high", "medium", "low"]).unwrap(), random.u8(..10));
        if random.bool() {
            both.add(random, "priority", json!(word), format!("'{word}'"));
        } else {
            both.add(random, "priority", json!(level), format!("'{level}'"));
        }
        both.add(random, "max_retries", json!(n), n.to_string());
        // No whole seconds: of a policy the text is kept, which says them in another way.
        let ms = random.u32(1..100_000) | 1;
        both.add(random, "timeout", json!(format!("{ms}ms")), format!("'{ms} milliseconds'"));
        both.add(random, "result_ttl", json!(format!("{n}s")), format!("'{n} seconds'"));
        if random.bool() {
            both.add(random, "delay", json!(format!("{ms}ms")), format!("'{ms} milliseconds'"));
            both.add(random, "expires_in", json!(format!("{}ms", ms + 5)), format!("'{} milliseconds'", ms + 5));
            let age = ms + random.u32(3..8);
            both.add(random, "max_age", json!(format!("{age}ms")), format!("'{age} milliseconds'"));
        } else {
            let at = random.choice(["2020-01-01T00:00:00.123Z", "2027-06-01T12:00:00+02:00"]).unwrap();
            both.add(random, "run_at", json!(at), format!("'{at}'"));
            both.add(random, "expires_at", json!("2028-01-01T00:00:00Z"), "'2028-01-01T00:00:00Z'");
        }
        both.add(random, "unique_key", json!(format!("ü {case}")), format!("'ü {case}'"));
        if both.rest.contains_key("unique_key") {
            both.add(random, "unique_conflict", json!("reject"), "'reject'");
        }
        if random.bool() {
            both.add(random, "tags", json!(["a/b", "ö \"q\""]), r#"ARRAY['a/b', 'ö "q"']"#);
        } else {
            both.add(random, "tags", json!([]), "'{}'");
        }
        let keys = ["tenant-7", "ü \"q\" \\ / 🗝", "k"];
        for field in ["fair_key", "rate_key", "concurrency_key"] {
            let key = random.choice(keys).unwrap();
            both.add(random, field, json!(key), format!("'{key}'"));
        }
        if both.rest.contains_key("rate_key") {
            let cost = random.choice([1, 2, 1_000_000]).unwrap();
            both.add(random, "cost", json!(cost), cost.to_string());
        }
        both.add(random, "requires", json!(["gpu", "Gpu", "a_b", "gpu"]), "'{gpu,Gpu,a_b,gpu}'");
        both.add(random, "meta", kwargs.clone(), text(&kwargs));
        let strategy = random.choice(["exponential", "linear", "fixed", "fibonacci"]).unwrap();
        let retry = json!({"strategy": strategy, "base": 2.5, "initial": format!("{ms}ms"), "max": "1h", "jitter": random.bool()});
        both.add(random, "retry", retry.clone(), text(&retry));
        both
    }
}

#[test]
fn what_sql_stores_is_what_rest_stores() {
    let cluster = Cluster::new();
    let node = cluster.node("a", "2");
    let mut database = cluster.database();
    let settings = r#"{"paused": true, "max_retries": 7, "timeout": null, "max_age": "366d", "retry": {"strategy": "fixed", "initial": "2s"}}"#;
    for (queue, settings) in [("plain", r#"{"paused": true}"#), ("set", settings)] {
        for way in ["rest", "sql"] {
            let queue = format!("{way}-{queue}");
            assert_eq!(node.call("PUT", &format!("/api/v1/queues/{queue}"), settings).0, 200);
        }
    }
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    // Times as far as they are from the submission; those long before it or given as such are left as they are.
    let row = "SELECT (to_jsonb(t) - '{id,queue,created_at,args,kwargs,meta,retry}'::text[] || jsonb_build_object('args', args::jsonb, 'retry', retry::jsonb, \
               'kwargs', kwargs::jsonb, 'meta', meta::jsonb, 'ready_at', CASE WHEN ready_at > 1811000000000 THEN ready_at ELSE \
               ready_at - created_at END, 'run_at', CASE WHEN abs(run_at - created_at) > 200000 THEN run_at ELSE run_at - \
               created_at END, 'expires_at', CASE WHEN expires_at = 1830297600000 THEN expires_at ELSE expires_at - \
               created_at END, 'expiry_noted', EXISTS (SELECT 1 FROM expiries e WHERE e.task_id = t.id AND e.expires_at = \
               t.expires_at)))::text AS line FROM tasks t WHERE id = ";
    for case in 0..120 {
        let Both { mut rest, mut sql } = Both::some(&mut random, case);
        let queue = if case % 2 == 0 { "plain" } else { "set" };
        rest.insert("queue".into(), json!(format!("rest-{queue}")));
        sql.push(format!("queue => 'sql-{queue}'"));
        let (rest, sql) = (Value::Object(rest).to_string(), sql.join(", "));
        let (by_rest, by_sql) = (node.submit(&rest), submit(&mut database, &sql));
        let of = |id: String, database: &mut PgConnection| lines(database, &format!("{row}'{id}'")).remove(0);
        let (one, other) = (of(by_rest, &mut database), of(by_sql, &mut database));
        assert_eq!(one, other, "seed {seed}\n{rest}\n{sql}");
    }
    let counters = |way: &str| {
        format!(
            "SELECT concat_ws(' ', replace(queue, '{way}', ''), priority, kind, sum(n)) AS line FROM counters \
             WHERE queue LIKE '{way}-%' GROUP BY queue, priority, kind ORDER BY 1"
        )
    };
    assert_eq!(lines(&mut database, &counters("rest")), lines(&mut database, &counters("sql")));
    let ids = "SELECT bool_and(id::text ~ '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-')::text AS line FROM tasks";
    assert_eq!(lines(&mut database, ids), ["true"]);
}
