//! The clients: they submit what is planned, try again under the same idempotency key where no answer came, cancel, pause and
//! resume, and remember what they were told.

use std::{
    collections::HashMap,
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    cluster::Nodes,
    history::{Cancel, CancelTold, Pause, Read, Submitted, Told, now},
    load::{Order, PAUSED, Plan, When},
    secrets::API_KEY,
};

const ANSWER: Duration = Duration::from_secs(6);
const PAUSE: Duration = Duration::from_millis(150);

pub(crate) struct Client<'a> {
    pub(crate) nodes: &'a Nodes,
    pub(crate) plan: &'a Plan,
    pub(crate) began: Instant,
    /// Nothing is tried again after it.
    pub(crate) deadline: Instant,
    pub(crate) submitted: &'a Mutex<Vec<Submitted>>,
    pub(crate) cancels: &'a Mutex<Vec<Cancel>>,
}

impl Client<'_> {
    pub(crate) fn run(&self, orders: &[Order], seed: u64) {
        let (mut random, mut ids) = (fastrand::Rng::with_seed(seed), HashMap::new());
        let mut running: Vec<(Instant, Uuid)> = Vec::new();
        for order in orders {
            let at = self.began + Duration::from_millis(order.at_ms);
            std::thread::sleep(at.saturating_duration_since(Instant::now()));
            let told = self.submit(order, &ids, &mut random);
            for submitted in &told {
                let Told::Created(id) = submitted.told else { continue };
                ids.insert(submitted.n, id);
                match self.plan.tasks[submitted.n].cancel {
                    Some(When::AtOnce) => self.cancel(id, &mut random),
                    Some(When::WhileItRuns) => running.push((Instant::now() + Duration::from_millis(700), id)),
                    None => {}
                }
            }
            self.submitted.lock().unwrap().extend(told);
            let due: Vec<_> = running.extract_if(.., |(at, _)| *at <= Instant::now()).collect();
            due.into_iter().for_each(|(_, id)| self.cancel(id, &mut random));
        }
        for (at, id) in running {
            std::thread::sleep(at.saturating_duration_since(Instant::now()));
            self.cancel(id, &mut random);
        }
    }

    fn submit(&self, order: &Order, ids: &HashMap<usize, Uuid>, random: &mut fastrand::Rng) -> Vec<Submitted> {
        let members = order.first..order.first + order.count;
        let body = |n: usize| {
            self.plan.tasks[n].body(n, |tie| {
                // Of a parent whose submission was never answered there is nothing to name.
                let place = members.contains(&tie.parent).then(|| Ok(tie.parent - order.first));
                place.or_else(|| ids.get(&tie.parent).copied().map(Err)).map(|name| tie.named(name))
            })
        };
        let (path, body) = if order.batch {
            ("/api/v1/tasks/batch", json!({"tasks": members.clone().map(body).collect::<Vec<_>>()}))
        } else {
            ("/api/v1/tasks", body(order.first))
        };
        let (sent, body) = (now(), body.to_string());
        let (answer, tries) = self.until_known(path, &order.key, &body, random);
        let answered = now();
        let told = |n: usize| {
            let item = match &answer {
                Some((200, value)) if order.batch => {
                    let item = &value["results"][n - order.first];
                    (item["status"].as_u64().unwrap_or_default(), item)
                }
                Some((status, value)) => (u64::from(*status), value),
                None => return (Told::Nothing, String::new()),
            };
            let id = item.1["id"].as_str().and_then(|id| id.parse().ok());
            match (item.0, id) {
                (201, Some(id)) => (Told::Created(id), String::new()),
                (200, Some(id)) => (Told::Deduplicated(id), String::new()),
                (409, _) if self.plan.tasks[n].reject => (Told::KeyHeld, String::new()),
                _ => (Told::Refused, item.1.to_string()),
            }
        };
        let submitted = |n| {
            let (told, detail) = told(n);
            Submitted { n, sent, answered, tries, told, detail }
        };
        members.clone().map(submitted).collect()
    }

    /// Tries one node after the other until one says what became of it.
    fn until_known(
        &self,
        path: &str,
        key: &str,
        body: &str,
        random: &mut fastrand::Rng,
    ) -> (Option<(u16, Value)>, u32) {
        let mut tries = 0;
        while Instant::now() < self.deadline {
            tries += 1;
            match self.nodes.call_any(random, "POST", path, &[("Idempotency-Key", key)], body) {
                Some((status, answer)) if status < 500 => return (Some((status, answer)), tries),
                _ => std::thread::sleep(PAUSE),
            }
        }
        (None, tries)
    }

    fn cancel(&self, task: Uuid, random: &mut fastrand::Rng) {
        let path = format!("/api/v1/tasks/{task}/cancel");
        let mut told = CancelTold::Nothing;
        let mut tries = 0;
        while Instant::now() < self.deadline {
            tries += 1;
            told = match self.nodes.call_any(random, "POST", &path, &[], "{}") {
                Some((200, answer)) if answer["status"] == "cancelled" => CancelTold::WhileWaiting,
                Some((200, _)) => CancelTold::WhileRunning,
                // It may have been the try before that has ended it.
                Some((409, _)) if tries > 1 => CancelTold::Nothing,
                Some((409, _)) => CancelTold::Over,
                _ => {
                    std::thread::sleep(PAUSE);
                    continue;
                }
            };
            break;
        }
        self.cancels.lock().unwrap().push(Cancel { task, answered: now(), told });
    }
}

impl Client<'_> {
    /// Reads results of tasks that keep theirs for a while only, at any node, the latest most often.
    pub(crate) fn read_results(&self, seed: u64, over: &AtomicBool) -> Vec<Read> {
        let (mut random, mut reads) = (fastrand::Rng::with_seed(seed), Vec::new());
        while !over.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(25));
            let known: Vec<Uuid> =
                self.submitted.lock().unwrap().iter().filter_map(|one| self.short_lived(one)).collect();
            let latest = if random.bool() { known.len().min(25) } else { known.len() };
            let Some(task) = random.choice(&known[known.len() - latest..]).copied() else { continue };
            reads.extend(read(self.nodes, task, &mut random));
        }
        reads
    }

    fn short_lived(&self, submitted: &Submitted) -> Option<Uuid> {
        self.plan.tasks[submitted.n].result_ttl_ms?;
        if let Told::Created(id) = submitted.told { Some(id) } else { None }
    }
}

fn read(nodes: &Nodes, task: Uuid, random: &mut fastrand::Rng) -> Option<Read> {
    let from = now();
    let (status, answer) = nodes.call_any(random, "GET", &format!("/api/v1/tasks/{task}/result"), &[], "")?;
    Some(Read { task, from, until: now(), status, result: answer["result"].to_string() })
}

/// How long a request that was given up may still come to be done, as where its node is cut off.
const LATE: Duration = Duration::from_secs(45);

/// Pauses and resumes a queue until told to end. A pause that an earlier, unanswered resume may have ended is not kept.
pub(crate) fn pause_and_resume(nodes: &Nodes, seed: u64, over: &AtomicBool) -> Vec<Pause> {
    let (mut random, mut pauses) = (fastrand::Rng::with_seed(seed), Vec::new());
    let mut doubt: Option<Instant> = None;
    // Whether it was done, and whether a try was not answered.
    let done = |random: &mut fastrand::Rng, verb: &str| {
        let mut unanswered = false;
        while !over.load(Ordering::SeqCst) {
            match nodes.call_any(random, "POST", &format!("/api/v1/queues/{PAUSED}/{verb}"), &[], "{}") {
                Some((200, _)) => return (true, unanswered),
                Some((404, _)) => return (false, unanswered),
                _ => unanswered = true,
            }
            std::thread::sleep(PAUSE);
        }
        (false, unanswered)
    };
    while !over.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(random.u64(500..3_000)));
        let (paused, _) = done(&mut random, "pause");
        let from = now();
        std::thread::sleep(Duration::from_millis(random.u64(500..2_500)));
        let until = now();
        if paused && doubt.is_none_or(|at| at.elapsed() > LATE) {
            pauses.push(Pause { queue: PAUSED.into(), from, until });
        }
        if done(&mut random, "resume").1 {
            doubt = Some(Instant::now());
        }
    }
    pauses
}

/// One request on a connection of its own; `None`: no answer, so nobody knows what became of it.
pub(crate) fn call(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Option<(u16, Value)> {
    let (status, answer) = exchange(address, method, path, headers, body)?;
    Some((status, serde_json::from_str(&answer).ok()?))
}

/// The same of an answer that is no JSON.
pub(crate) fn text(address: &str, path: &str) -> Option<String> {
    exchange(address, "GET", path, &[], "").map(|(_, answer)| answer)
}

fn exchange(address: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(ANSWER)).ok()?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    head.push_str(&format!("Authorization: Bearer {API_KEY}\r\n"));
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len()));
    stream.write_all(head.as_bytes()).ok()?;
    let _ = stream.write_all(body.as_bytes());
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8(answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    // Cut off in its midst it is no answer.
    let length: Option<usize> = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    if length.is_some_and(|length| length != body.len()) {
        return None;
    }
    Some((status, body.to_owned()))
}
