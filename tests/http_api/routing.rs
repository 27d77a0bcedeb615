//! Who runs what: by the names a worker has handlers for, the labels it bears and the queues it takes tasks of.

use std::{collections::BTreeSet, sync::Arc};

use jobqueue::{
    engine::{Claimer, Reason},
    store::{Page, TaskFilter},
    task::{Granted, Outcome, Serves, Status, TaskId},
};
use serde_json::{Value, json};

use crate::support::Server;

fn serves(names: &[&str], labels: &[&str]) -> Serves {
    let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
    Serves::new(Some(owned(names).into_iter().collect()), owned(labels).into_iter().collect())
}

fn labelled(labels: &[&str]) -> Serves {
    Serves::new(None, labels.iter().map(|label| (*label).to_owned()).collect())
}

async fn task(server: &Server, id: &str) -> Value {
    server.get(&format!("/api/v1/tasks/{id}")).await.json()
}

/// Why it does not run: the codes, and the first reason.
async fn explained(server: &Server, id: &str) -> (Vec<String>, Value) {
    let view = server.get(&format!("/api/v1/tasks/{id}/explain")).await.json();
    let reasons = view["reasons"].as_array().unwrap();
    (
        reasons.iter().map(|reason| reason["code"].as_str().unwrap().to_owned()).collect(),
        reasons.first().cloned().unwrap_or_default(),
    )
}

async fn finish(server: &Server, claimer: &Claimer, task: Granted) {
    server.engine.finish_for(claimer.worker, Arc::new(task), Outcome::Success("1".into())).await.unwrap();
}

fn ids(tasks: &[Granted]) -> Vec<String> {
    tasks.iter().map(|task| task.id.to_string()).collect()
}

async fn unservable(server: &Server, queue: &str) -> (Value, String) {
    let metrics = server.get("/metrics").await.text();
    let line = format!("jobqueue_unservable_tasks{{queue=\"{queue}\"}} ");
    let told = metrics.lines().find_map(|text| text.strip_prefix(&line)).unwrap().to_owned();
    (server.get(&format!("/api/v1/queues/{queue}")).await.json()["unservable"].clone(), told)
}

#[actix::test]
async fn a_task_that_nobody_can_run_waits_and_says_so_until_somebody_can() {
    let server = Server::serving(serves(&["known"], &[])).await;
    let unknown = server.submit(r#"{"name":"unknown"}"#).await;
    let known = server.submit(r#"{"name":"known"}"#).await;
    let granted = server.claim("default").await;
    assert_eq!(granted.iter().map(|grant| grant.task().id.to_string()).collect::<Vec<_>>(), [known]);
    assert!(server.claim_some("default", 5).await.is_empty(), "it holds up nobody, and nobody fails with it");
    let (codes, reason) = explained(&server, &unknown).await;
    assert_eq!((codes, &reason["missing"]), (vec!["no_worker".into()], &json!("name")));
    let detail = reason["detail"].as_str().unwrap();
    assert!(detail.contains("\"unknown\"") && detail.contains("\"default\""), "{detail}");
    let view = task(&server, &unknown).await;
    assert_eq!((&view["status"], &view["attempt"], &view["requires"]), (&json!("queued"), &json!(0), &json!([])));
    assert_eq!(unservable(&server, "default").await, (json!(1), "1".into()));
    drop(granted);

    let other = server.worker(&["elsewhere"], serves(&["unknown"], &[]));
    let (_, reason) = explained(&server, &unknown).await;
    assert_eq!(reason["missing"], "name", "that one takes tasks of another queue: {reason}");
    let other_queue = server.submit(r#"{"name":"unknown","queue":"elsewhere"}"#).await;
    assert_eq!(explained(&server, &other_queue).await.0, Vec::<String>::new());
    assert_eq!(ids(&server.claim_for(&other, "elsewhere", 5).await.grants), [other_queue]);

    let worker = server.worker(&[], serves(&["unknown"], &[]));
    assert_eq!(explained(&server, &unknown).await.0, Vec::<String>::new());
    assert_eq!(unservable(&server, "default").await, (json!(0), "0".into()));
    for (ask, codes) in [("quiet", vec!["no_worker".to_owned()]), ("resume", Vec::new())] {
        let asked = server.post(&format!("/api/v1/workers/{}/{ask}", worker.worker), "").await;
        assert_eq!(asked.status, 200, "{}", asked.text());
        assert_eq!(explained(&server, &unknown).await.0, codes, "{ask}");
    }
    let mut granted = server.claim_for(&worker, "default", 5).await.grants;
    assert_eq!(ids(&granted), [&*unknown]);
    assert_eq!(granted[0].attempt, 1);
    assert_eq!(task(&server, &unknown).await["worker_id"], json!(worker.worker));
    finish(&server, &worker, granted.remove(0)).await;
    assert_eq!(task(&server, &unknown).await["status"], "success");
}

#[actix::test]
async fn a_task_goes_to_who_bears_all_labels_it_requires() {
    let server = Server::start().await;
    let gpu = server.submit(r#"{"name":"a","requires":["gpu"]}"#).await;
    let both = server.submit(r#"{"name":"a","requires":["region:eu","gpu","gpu"]}"#).await;
    assert_eq!(task(&server, &both).await["requires"], json!(["gpu", "region:eu"]));
    let plain = server.submit(r#"{"name":"a"}"#).await;
    let own = server.claim("default").await;
    assert_eq!(own.iter().map(|grant| grant.task().id.to_string()).collect::<Vec<_>>(), [plain]);
    let (codes, reason) = explained(&server, &gpu).await;
    assert_eq!((&codes[0][..], &reason["missing"]), ("no_worker", &json!("label")));
    assert!(reason["detail"].as_str().unwrap().contains("(gpu)"), "{reason}");
    assert_eq!(unservable(&server, "default").await.0, 2);
    let with_gpu = server.worker(&[], labelled(&["gpu"]));
    assert_eq!(ids(&server.claim_for(&with_gpu, "default", 5).await.grants), [gpu]);
    assert_eq!(explained(&server, &both).await.1["missing"], "label");
    let elsewhere = server.worker(&[], labelled(&["gpu", "region:us"]));
    assert!(server.claim_for(&elsewhere, "default", 5).await.grants.is_empty());
    let right = server.worker(&[], labelled(&["gpu", "region:eu", "fast"]));
    assert_eq!(ids(&server.claim_for(&right, "default", 5).await.grants), [both]);
}

/// Where it was not known beforehand: by a function of the database, another node, an earlier configuration of this one.
#[actix::test]
async fn who_comes_upon_tasks_it_cannot_run_passes_them_by_unburnt() {
    let server = Server::start().await;
    let mut tasks = vec![json!({"name": "a"}); 300];
    tasks.extend(vec![json!({"name": "b", "queue": "default"}); 3]);
    tasks.push(json!({"name": "a", "fair_key": "f", "max_retries": 0}));
    let answer = server.post("/api/v1/tasks/batch", &json!({ "tasks": tasks }).to_string()).await.json();
    let all: Vec<String> =
        answer["results"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect();
    // The same node, as one that has no handler for most of it.
    let only_b = Claimer { worker: server.engine.worker(), serves: Arc::new(serves(&["b"], &[])) };
    let mut granted = Vec::new();
    for _ in 0..1_000 {
        let reply = server.claim_for(&only_b, "default", 7).await;
        granted.extend(reply.grants);
        if !reply.more {
            break;
        }
    }
    assert_eq!(ids(&granted), all[300..303], "none fails, none is in the way");
    let reply = server.claim_for(&only_b, "default", 7).await;
    assert!(reply.grants.is_empty() && !reply.more && reply.blocked_until.is_none(), "it sleeps");
    let view = task(&server, &all[0]).await;
    assert_eq!((&view["status"], &view["attempt"]), (&json!("queued"), &json!(0)));
    let attempts = server.get(&format!("/api/v1/tasks/{}/attempts", all[0])).await.json();
    assert_eq!(attempts["data"], json!([]));
    // Whoever can run them finds all of them.
    let mut found: BTreeSet<String> = BTreeSet::new();
    loop {
        let grants = server.claim_some("default", 50).await;
        if grants.is_empty() {
            break;
        }
        for grant in grants {
            assert_eq!(grant.task().attempt, 1);
            found.insert(grant.task().id.to_string());
            grant.finish(Outcome::Success("1".into()));
        }
    }
    assert_eq!(
        found,
        all.iter().enumerate().filter(|(n, _)| !(300..303).contains(n)).map(|(_, id)| id.clone()).collect()
    );
}

#[actix::test]
async fn a_worker_elsewhere_takes_what_waits_without_keys_and_leaves_to_this_node_what_is_its() {
    let server = Server::serving(serves(&["own", "both"], &[])).await;
    let own = server.submit(r#"{"name":"own"}"#).await;
    let both = server.submit(r#"{"name":"both"}"#).await;
    let theirs = server.submit(r#"{"name":"theirs"}"#).await;
    let worker = server.worker(&[], serves(&["both", "theirs"], &[]));
    let reply = server.claim_for(&worker, "default", 1).await;
    assert!(reply.more, "one was asked for");
    let mut granted = ids(&reply.grants);
    let reply = server.claim_for(&worker, "default", 5).await;
    granted.extend(ids(&reply.grants));
    assert_eq!(granted.iter().collect::<BTreeSet<_>>(), [&both, &theirs].into());
    assert!(!server.claim_for(&worker, "default", 5).await.more);
    let left = server.claim("default").await;
    assert_eq!(left.iter().map(|grant| grant.task().id.to_string()).collect::<Vec<_>>(), [own]);
}

#[actix::test]
async fn what_could_not_be_handed_on_goes_back_unburnt() {
    let server = Server::serving(serves(&[], &[])).await;
    let id = server.submit(r#"{"name":"theirs","max_retries":0}"#).await;
    let worker = server.worker(&[], serves(&["theirs"], &[]));
    let granted = server.claim_for(&worker, "default", 1).await.grants;
    assert_eq!(task(&server, &id).await["worker_id"], json!(worker.worker));
    server.engine.give_back(worker.worker, granted);
    let mut again = Vec::new();
    for _ in 0..1_000 {
        again = server.claim_for(&worker, "default", 1).await.grants;
        if !again.is_empty() {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(ids(&again), [&*id]);
    // A node of which a worker is held to be dead gives it nothing.
    let stranger = Claimer { worker: jobqueue::task::WorkerId::new(), serves: worker.serves.clone() };
    assert!(server.claim_for(&stranger, "default", 1).await.fenced);
    finish(&server, &worker, again.remove(0)).await;
    assert_eq!(task(&server, &id).await["failures"], 0);
}

#[actix::test]
async fn keys_hold_for_tasks_that_are_not_for_everybody_and_those_hold_up_nobody() {
    let server = Server::serving(serves(&["fast"], &[])).await;
    let set = json!({"key_concurrency": 1});
    let put = server.call("PUT", "/api/v1/queues/default", &[], set.to_string().as_bytes()).await;
    assert_eq!(put.status, 200, "{}", put.text());
    let mut tasks = Vec::new();
    for tenant in ["x", "y", "z"] {
        tasks.extend(vec![json!({"name": "slow", "fair_key": tenant, "meta": {"of": tenant}}); 40]);
        tasks.extend(vec![json!({"name": "fast", "fair_key": tenant, "meta": {"of": tenant}}); 40]);
    }
    tasks.extend(vec![json!({"name": "slow", "concurrency_key": "one", "meta": {"of": "one"}}); 3]);
    server.post("/api/v1/tasks/batch", &json!({ "tasks": tasks }).to_string()).await;
    let of = |task: &Granted| serde_json::from_str::<Value>(task.meta.as_deref().unwrap()).unwrap()["of"].to_string();
    // Of each tenant as many, for this node and for the other worker.
    let mut taken: Vec<String> = Vec::new();
    while taken.len() < 60 {
        let grants = server.claim_some("default", 3).await;
        assert!(!grants.is_empty(), "only {} of 120", taken.len());
        assert!(grants.iter().all(|grant| grant.task().name == "fast"));
        for grant in grants {
            taken.push(of(grant.task()));
            grant.finish(Outcome::Success("1".into()));
        }
    }
    for tenant in ["\"x\"", "\"y\"", "\"z\""] {
        let n = taken.iter().filter(|of| *of == tenant).count();
        assert!((18..=22).contains(&n), "{tenant}: {n} of {}", taken.len());
    }
    let worker = server.worker(&[], serves(&["slow"], &[]));
    let mut taken: Vec<String> = Vec::new();
    while taken.len() < 61 {
        let reply = server.claim_for(&worker, "default", 3).await;
        assert!(!reply.grants.is_empty() || reply.more, "only {} of 121", taken.len());
        assert!(reply.grants.iter().all(|task| task.name == "slow"));
        taken.extend(reply.grants.iter().map(of));
    }
    assert_eq!(taken.iter().filter(|of| *of == "\"one\"").count(), 1, "no more at a time than may");
    for tenant in ["\"x\"", "\"y\"", "\"z\""] {
        let n = taken.iter().filter(|of| *of == tenant).count();
        assert!((18..=22).contains(&n), "{tenant}: {n} of {}", taken.len());
    }
}

#[actix::test]
async fn what_is_required_goes_wherever_tasks_are_made() {
    let server = Server::start().await;
    let workflow = json!({"chain": [{"name": "a", "requires": ["gpu"]}, {"name": "a", "requires": ["gpu"]}]});
    let made = server.post("/api/v1/workflows", &workflow.to_string()).await.json();
    let schedule = json!({"name": "s", "every": "1h", "task": {"name": "a", "queue": "s", "requires": ["gpu", "big"]}});
    let put = server.post("/api/v1/schedules", &schedule.to_string()).await;
    assert_eq!(put.status, 201, "{}", put.text());
    assert_eq!(put.json()["task"]["requires"], json!(["big", "gpu"]));
    let ticked = server.post("/api/v1/schedules/s/trigger", "").await.json();
    let worker = server.worker(&[], labelled(&["gpu", "big"]));
    assert!(server.claim_some("default", 5).await.is_empty());
    for n in ["0", "1"] {
        let id = made["tasks"][n].as_str().unwrap();
        let mut granted = server.claim_for(&worker, "default", 5).await.grants;
        assert_eq!(ids(&granted), [id]);
        finish(&server, &worker, granted.remove(0)).await;
    }
    let id = ticked["id"].as_str().unwrap_or_else(|| panic!("{ticked}")).to_owned();
    assert!(server.claim_some("s", 5).await.is_empty());
    let mut granted = server.claim_for(&worker, "s", 5).await.grants;
    assert_eq!(ids(&granted), [&*id]);
    finish(&server, &worker, granted.remove(0)).await;
    // Once more, by hand.
    assert_eq!(server.post(&format!("/api/v1/tasks/{id}/retry"), "").await.status, 200);
    assert!(server.claim_some("s", 5).await.is_empty());
    assert_eq!(ids(&server.claim_for(&worker, "s", 5).await.grants), [id]);
}

#[actix::test]
async fn labels_that_cannot_be_are_refused_and_a_task_keeps_its_own() {
    let server = Server::start().await;
    let many: Vec<String> = (0..17).map(|n| format!("l{n}")).collect();
    for (requires, pointer) in [
        (json!("gpu"), "/requires"),
        (json!([1]), "/requires/0"),
        (json!(many), "/requires"),
        (json!(["gpu", ""]), "/requires/1"),
        (json!(["a b"]), "/requires/0"),
        (json!(["a,b"]), "/requires/0"),
        (json!(["ü"]), "/requires/0"),
        (json!(["l".repeat(65)]), "/requires/0"),
    ] {
        let answer = server.post("/api/v1/tasks", &json!({"name": "a", "requires": requires}).to_string()).await;
        assert_eq!(answer.status, 422, "{requires}: {}", answer.text());
        let told = answer.json()["errors"][0]["pointer"].as_str().unwrap_or_default().to_owned();
        assert!(pointer.starts_with(&told) && !told.is_empty(), "{requires}: {}", answer.text());
    }
    assert_eq!(server.stored(), 0);
    let longest = "Az09._:/-".repeat(7) + "l";
    let id = server.submit(&json!({"name": "a", "requires": [longest]}).to_string()).await;
    assert_eq!(task(&server, &id).await["requires"], json!([longest]));
    let null = server.submit(r#"{"name":"a","requires":null}"#).await;
    assert_eq!(task(&server, &null).await["requires"], json!([]));
    let patched = server
        .call("PATCH", &format!("/api/v1/tasks/{id}"), &[("Content-Type", "application/json")], br#"{"requires":[]}"#)
        .await;
    assert_eq!(patched.status, 422, "{}", patched.text());
}

#[actix::test]
async fn the_list_of_workers_says_what_each_takes() {
    let server = Server::start().await;
    let claimer = server.worker(&["mail", "bulk"], serves(&["b", "a"], &["gpu", "eu"]));
    let listed = server.get("/api/v1/workers").await.json();
    let of = |id: &Value| listed["data"].as_array().unwrap().iter().find(|worker| worker["id"] == *id).unwrap().clone();
    let worker = of(&json!(claimer.worker));
    assert_eq!(worker["queues"], json!(["mail", "bulk"]));
    assert_eq!(worker["names"], json!(["a", "b"]));
    assert_eq!(worker["labels"], json!(["eu", "gpu"]));
    let own = of(&json!(server.engine.worker()));
    assert_eq!((&own["queues"], &own["names"], &own["labels"]), (&json!([]), &Value::Null, &json!([])));
}

/// Whatever waits, whoever is there: exactly what is said to have no worker is left when all have taken what they can.
#[actix::test]
async fn what_is_said_to_have_no_worker_is_what_none_of_them_takes() {
    for seed in 0..30 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut some = |all: &[&'static str], most: usize| -> Vec<&'static str> {
            let mut all = all.to_vec();
            random.shuffle(&mut all);
            all.truncate(random.usize(0..=most));
            all
        };
        let server = Server::serving(serves(&some(&["a", "b", "c"], 2), &some(&["x", "y"], 1))).await;
        let workers: Vec<Claimer> = (0..2)
            .map(|_| server.worker(&[], serves(&some(&["a", "b", "c", "d"], 2), &some(&["x", "y", "z"], 2))))
            .collect();
        for _ in 0..25 {
            let mut body = json!({"name": some(&["a", "b", "c", "d"], 1).first().unwrap_or(&"a"), "requires": some(&["x", "y", "z"], 1)});
            for field in ["fair_key", "rate_key"] {
                if let Some(key) = some(&["k", "l"], 1).first() {
                    body[field] = json!(key);
                }
            }
            server.submit(&body.to_string()).await;
        }
        let filter = TaskFilter { queue: Some("default".into()), ..TaskFilter::default() };
        let page = Page { limit: 100, ascending: true, ..Page::default() };
        let all = || server.engine.reader().tasks(&filter, &page).unwrap().rows;
        let nobody = |id: TaskId| {
            let explained = server.engine.explain(id, usize::MAX).unwrap().unwrap();
            explained.reasons.iter().any(|reason| matches!(reason, Reason::NoWorker(_)))
        };
        let left: BTreeSet<TaskId> = all().iter().map(|task| task.id).filter(|id| nobody(*id)).collect();
        // Until a whole round brings nothing.
        let mut taken = 1;
        while taken > 0 {
            taken = 0;
            for claimer in &workers {
                let reply = server.claim_for(claimer, "default", 3).await;
                taken += reply.grants.len() + usize::from(reply.more);
                for task in &reply.grants {
                    assert!(!left.contains(&task.id), "seed {seed}: {task:?} was said to have no worker");
                    assert!(claimer.serves.has_name(&task.name), "seed {seed}: {task:?}");
                }
            }
            let own = server.claim_some("default", 3).await;
            taken += own.len();
            for grant in own {
                assert!(!left.contains(&grant.task().id), "seed {seed}: {:?} was said to have no worker", grant.task());
                grant.finish(Outcome::Success("1".into()));
            }
        }
        let waits: BTreeSet<TaskId> =
            all().iter().filter(|task| task.status == Status::Queued).map(|task| task.id).collect();
        assert_eq!(waits, left, "seed {seed}");
    }
}
