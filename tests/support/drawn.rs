//! Workflows drawn from a seed, and what must come of them.

use serde_json::{Value, json};

use crate::{
    support::{Server, eventually},
    workflows as graphs,
};

const POLICIES: [&str; 3] = ["skip", "run", "only"];

pub(crate) struct Graph {
    nodes: Vec<Drawn>,
}

struct Drawn {
    fails: bool,
    /// Places of parents, and the policy towards each.
    parents: Vec<(usize, &'static str)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Success,
    Failed,
    Skipped,
    Unneeded,
}

impl Graph {
    /// Each task waits for some of those before it. What becomes of each is the same in whatever order its parents end.
    pub(crate) fn draw(random: &mut fastrand::Rng, size: usize) -> Self {
        loop {
            let graph = Self::draw_any(random, size);
            if graph.is_plain() {
                return graph;
            }
        }
    }

    fn draw_any(random: &mut fastrand::Rng, size: usize) -> Self {
        let node = |place: usize| {
            let mut parents: Vec<usize> =
                (0..random.usize(0..4)).filter(|_| place > 0).map(|_| random.usize(0..place)).collect();
            parents.sort_unstable();
            parents.dedup();
            let parents =
                parents.into_iter().map(|parent| (parent, POLICIES[[0, 0, 0, 1, 2][random.usize(0..5)]])).collect();
            Drawn { fails: random.u8(0..6) == 0, parents }
        };
        Self { nodes: (0..size).map(node).collect() }
    }

    /// Submitted in an order that is not that of the graph.
    pub(crate) fn submit(&self, server: &Server) -> Value {
        let task = |place: usize| {
            let Drawn { fails, parents } = &self.nodes[place];
            let edge = |(parent, policy): &(usize, &str)| json!({"task": format!("n{parent}"), "on_failure": policy});
            let (name, args) = if *fails { ("demo.fail", json!(["no"])) } else { ("fault.clock", json!([])) };
            json!({"name": name, "args": args, "max_retries": 0, "depends_on": parents.iter().map(edge).collect::<Vec<_>>()})
        };
        let tasks: serde_json::Map<_, _> =
            (0..self.nodes.len()).rev().map(|place| (format!("n{place}"), task(place))).collect();
        let callback = json!({"name": "demo.echo"});
        let body = json!({"tasks": tasks, "on_success": callback, "on_failure": callback});
        let (status, answer) = server.call("POST", "/api/v1/workflows", &body.to_string());
        assert_eq!(status, 201, "{answer}");
        answer
    }

    /// How each must end, whether skipped as needless or not.
    fn ends(&self) -> Vec<End> {
        let mut ends: Vec<End> = Vec::new();
        for node in &self.nodes {
            let told = |(parent, policy): &(usize, &str)| match (*policy, ends[*parent]) {
                ("run", _) | ("skip", End::Success) | ("only", End::Failed | End::Skipped) => None,
                ("skip", End::Failed | End::Skipped) => Some(End::Skipped),
                _ => Some(End::Unneeded),
            };
            let told: Vec<End> = node.parents.iter().filter_map(told).collect();
            // Where one parent makes it needless and another impossible, the first to end decides: either is right.
            ends.push(match told.first() {
                Some(_) if told.contains(&End::Skipped) => End::Skipped,
                Some(end) => *end,
                None if node.fails => End::Failed,
                None => End::Success,
            });
        }
        ends
    }

    fn is_plain(&self) -> bool {
        let ends = self.ends();
        self.nodes.iter().all(|node| {
            let mut told: Vec<bool> = Vec::new();
            for (parent, policy) in &node.parents {
                match (*policy, ends[*parent]) {
                    ("skip", End::Failed | End::Skipped) => told.push(true),
                    ("skip" | "only", End::Unneeded) | ("only", End::Success) => told.push(false),
                    _ => {}
                }
            }
            told.windows(2).all(|pair| pair[0] == pair[1])
        })
    }

    /// It comes to its end, no task early, and each callback is called as it must be.
    pub(crate) fn check(&self, server: &Server, submitted: &Value) {
        let id = submitted["id"].as_str().unwrap();
        let settled = |one: &Value| {
            let over =
                |role: &str| ["success", "skipped"].contains(&one["callbacks"][role]["status"].as_str().unwrap());
            one["state"] != "running" && over("on_success") && over("on_failure")
        };
        eventually("the workflow is over", || settled(&graphs::get(server, id)));
        let workflow = graphs::get(server, id);
        let ends = self.ends();
        let failed = ends.contains(&End::Failed);
        assert_eq!(workflow["state"], if failed { "failed" } else { "success" }, "{workflow}");
        let of = |role: &str| workflow["callbacks"][role]["status"].as_str().unwrap().to_owned();
        let expected = if failed { ("skipped", "success") } else { ("success", "skipped") };
        assert_eq!((&*of("on_success"), &*of("on_failure")), expected);
        let called = server
            .task(workflow["callbacks"][if failed { "on_failure" } else { "on_success" }]["id"].as_str().unwrap());
        assert_eq!(
            (&called["generation"], &called["attempt"]),
            (&json!(1), &json!(1 + called["crashes"].as_u64().unwrap()))
        );
        let n = |end: End| ends.iter().filter(|one| **one == end).count();
        let progress = &workflow["progress"];
        assert_eq!(
            (progress["success"].as_u64().unwrap() as usize, progress["failed"].as_u64().unwrap() as usize),
            (n(End::Success), n(End::Failed))
        );
        let skipped = progress["skipped"].as_u64().unwrap() + progress["unneeded"].as_u64().unwrap();
        assert_eq!(skipped as usize, n(End::Skipped) + n(End::Unneeded));
        let tasks: Vec<Value> =
            (0..self.nodes.len()).map(|n| server.task(submitted["tasks"][format!("n{n}")].as_str().unwrap())).collect();
        for ((node, task), end) in self.nodes.iter().zip(&tasks).zip(&ends) {
            let status = match end {
                End::Success => "success",
                End::Failed => "failed",
                End::Skipped | End::Unneeded => "skipped",
            };
            assert_eq!(task["status"], status, "{task}");
            for (parent, _) in node.parents.iter().filter(|_| status != "skipped") {
                let (started, over) =
                    (task["started_at"].as_str().unwrap(), tasks[*parent]["finished_at"].as_str().unwrap());
                assert!(started >= over, "{task} started before {} was over", tasks[*parent]);
            }
            let finished = workflow["finished_at"].as_str().unwrap();
            assert!(
                task["finished_at"].as_str().unwrap() <= finished && called["started_at"].as_str().unwrap() >= finished
            );
        }
    }
}
