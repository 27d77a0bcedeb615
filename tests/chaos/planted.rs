//! The checker is proved: a short run with each of the bugs that `src/planted.rs` knows, whose checker must name it, and the
//! same run without.

use std::time::Duration;

use crate::{
    checker::{self, Violation},
    folder, judge,
    load::{LIMITED, Plan, Planned, Tie},
    nemesis::{self, Deed, Service, Step},
    run::{NOTHING, Run},
};

impl Plan {
    /// The same task again and again, in batches.
    fn of(task: &Planned, tasks: usize, batch: usize, within_ms: u64) -> Self {
        let mut plan = Self::default();
        while plan.tasks.len() < tasks {
            let first = plan.tasks.len();
            plan.tasks.extend(vec![task.clone(); batch.min(tasks - first)]);
            plan.order(first / batch % 2, 0, first as u64 * within_ms / tasks as u64, first, true);
        }
        plan
    }

    /// All at once, the lowest of each batch first.
    fn of_all_priorities(task: &Planned, tasks: usize, batch: usize) -> Self {
        let mut plan = Self::of(task, tasks, batch, 0);
        plan.tasks.iter_mut().zip((0..10).cycle()).for_each(|(task, priority)| task.priority = priority);
        plan
    }

    /// Parents, each with a child: in the same request, or in the one that follows.
    fn pairs(parent: &Planned, pairs: usize, together: bool) -> Self {
        let mut plan = Self::default();
        for pair in 0..pairs {
            let first = plan.tasks.len();
            // A child comes when its parent is over, is just ending, or runs.
            let ms = parent.ms * (pair as u64 % 10) / 10;
            let parents = vec![Tie { parent: first, run_anyway: false }];
            plan.tasks.push(Planned { ms, ..parent.clone() });
            if !together {
                plan.order(pair % 2, 0, 0, first, true);
            }
            let next = if together { first } else { plan.tasks.len() };
            plan.tasks.push(Planned { parents, fails: 0, ms: 0, ..parent.clone() });
            plan.order(pair % 2, 0, 0, next, true);
        }
        plan
    }
}

type Variables = fn(&str) -> Vec<(String, String)>;

struct Case {
    bug: &'static str,
    /// That which must be found broken.
    number: u32,
    name: &'static str,
    plan: Plan,
    steps: Vec<Step>,
    heartbeat_s: u64,
    /// Of the nodes, with the bug and without.
    with: Variables,
    without: Variables,
}

fn bug(name: &str) -> Vec<(String, String)> {
    vec![("JOBQUEUE_PLANTED_BUG".into(), name.into())]
}

/// One node's clock is wrong, which must not matter.
fn skewed(node: &str) -> Vec<(String, String)> {
    if node == "c" { vec![("JOBQUEUE_CLOCK_SKEW".into(), "-20000".into())] } else { Vec::new() }
}

fn task() -> Planned {
    Planned { queue: "work", priority: 5, backoff_ms: 300, ..Planned::default() }
}

fn cases() -> Vec<Case> {
    let step = |at_ms, deed| Step { at_ms, deed };
    let cuts = (0..60).map(|n| step(500 + n * 150, Deed::Cut(n as usize % 3, Service::Postgres)));
    let cuts = cuts.chain([step(9_600, Deed::RestartPostgres)]).collect();
    vec![
        Case {
            bug: "no-lease-check",
            number: 3,
            name: "a result that its last holder has not returned",
            plan: Plan::of(&Planned { ms: 5_000, ..task() }, 33, 11, 0),
            // Long enough for its tasks to run elsewhere, and back while they do.
            steps: vec![step(1_000, Deed::Stop(0)), step(10_000, Deed::GoOn(0))],
            heartbeat_s: 1,
            with: |_| bug("no-lease-check"),
            without: NOTHING,
        },
        Case {
            bug: "children-early",
            number: 9,
            name: "a child started before its parents were over",
            plan: Plan::pairs(&Planned { ms: 100, fails: 60, max_retries: 20, ..task() }, 60, true),
            steps: Vec::new(),
            heartbeat_s: 1,
            with: |_| bug("children-early"),
            without: NOTHING,
        },
        Case {
            bug: "children-in-one-statement",
            number: 9,
            name: "pending for ever",
            plan: Plan::pairs(&Planned { ms: 60, ..task() }, 240, false),
            steps: Vec::new(),
            heartbeat_s: 1,
            with: |_| bug("children-in-one-statement"),
            without: NOTHING,
        },
        Case {
            bug: "hint-before-commit",
            number: 2,
            name: "two starts by one grant",
            plan: Plan::of(&Planned { ms: 10, ..task() }, 1_500, 5, 9_000),
            steps: cuts,
            heartbeat_s: 1,
            with: |_| bug("hint-before-commit"),
            without: NOTHING,
        },
        Case {
            bug: "limiter-per-node",
            number: 7,
            name: "more starts than the rate allows",
            plan: Plan::of(&Planned { queue: LIMITED, ms: 50, ..task() }, 140, 20, 0),
            steps: Vec::new(),
            heartbeat_s: 1,
            with: |_| bug("limiter-per-node"),
            without: NOTHING,
        },
        Case {
            bug: "wall-clock-reaper",
            number: 4,
            name: "leases lost without a cause",
            plan: Plan::of(&Planned { ms: 300, ..task() }, 300, 10, 5_000),
            steps: Vec::new(),
            heartbeat_s: 1,
            with: |node| [bug("wall-clock-reaper"), skewed(node)].concat(),
            without: skewed,
        },
        Case {
            bug: "spool-after-reap",
            number: 4,
            name: "run again although its outcome was on the disk",
            // More than the nodes can do meanwhile: there is always something in hand.
            plan: Plan::of(&Planned { ms: 800, ..task() }, 400, 40, 2_000),
            steps: nemesis::killed_with_a_spool(0, 2_000).into(),
            // The node is to be back sooner than others take its tasks, on a slow machine too.
            heartbeat_s: 5,
            with: |_| bug("spool-after-reap"),
            without: NOTHING,
        },
        Case {
            bug: "lowest-first",
            number: 6,
            name: "overtaken by lower priorities",
            plan: Plan::of_all_priorities(&Planned { ms: 200, ..task() }, 1_500, 50),
            steps: Vec::new(),
            heartbeat_s: 1,
            with: |_| bug("lowest-first"),
            without: NOTHING,
        },
    ]
}

fn run(case: &Case, variables: Variables) -> Vec<Violation> {
    let (plan, steps) = (case.plan.clone(), case.steps.clone());
    let folder = folder();
    let settle = Duration::from_secs(25);
    let heartbeat_s = case.heartbeat_s;
    let run = Run { seed: 1, plan, steps, variables, heartbeat_s, pauses: false, whole: false, quiet: true, settle };
    let found = judge(&run, &folder);
    std::fs::remove_dir_all(folder).unwrap();
    found
}

#[test]
fn planted_bugs_are_caught_and_named() {
    let (mut table, mut wrong) = (format!("{:<28}{}\n", "BUG", "CAUGHT BY"), String::new());
    for case in cases() {
        // Both at once: there is little to do in either.
        let (with, without) = std::thread::scope(|scope| {
            let with = scope.spawn(|| run(&case, case.with));
            let without = run(&case, case.without);
            (with.join().unwrap(), without)
        });
        let caught = with.iter().filter(|found| (found.number, found.name) == (case.number, case.name)).count();
        table += &format!("{:<28}invariant {}, {}: {caught} times\n", case.bug, case.number, case.name);
        if caught == 0 {
            wrong += &format!("{} was not caught; found was:\n{}", case.bug, checker::report(&with));
        }
        if !without.is_empty() {
            wrong += &format!("without {}:\n{}", case.bug, checker::report(&without));
        }
    }
    eprintln!("{table}");
    assert!(wrong.is_empty(), "{wrong}");
}
