//! `graphile_worker`: setup | one N | bulk N | paced N | work CONCURRENCY LOCAL_QUEUE (0: none)

use std::{
    env,
    error::Error,
    fs::OpenOptions,
    io::Write as _,
    sync::Arc,
    time::{Duration, Instant},
};

use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, TaskHandler, WorkerContext, WorkerOptions, WorkerUtils,
};
use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

const IN_FLIGHT: usize = 32;
const BATCH: usize = 1_000;
const PACE: Duration = Duration::from_millis(5);

type Failure = Box<dyn Error + Send + Sync>;

/// About 200 bytes of JSON. `t` is the moment of the call of submit, or 0.
#[derive(Clone, Serialize, Deserialize)]
struct Noop {
    t: i64,
    user: u64,
    kind: String,
    tags: Vec<String>,
    pad: String,
}

fn task(t: i64) -> Noop {
    Noop { t, user: 123_456, kind: "noop".into(), tags: vec!["a".into(), "b".into()], pad: "x".repeat(130) }
}

/// Microseconds of `CLOCK_MONOTONIC`, which all processes share.
fn now() -> i64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("there is a clock");
    time.tv_sec() * 1_000_000 + time.tv_nsec() / 1_000
}

impl TaskHandler for Noop {
    const IDENTIFIER: &'static str = "noop";

    async fn run(self, _: WorkerContext) -> impl IntoTaskHandlerResult {
        if self.t != 0 {
            let waited = now() - self.t;
            let path = env::var("LATENCY_FILE").map_err(|error| error.to_string())?;
            let file = OpenOptions::new().append(true).create(true).open(path);
            file.and_then(|mut file| writeln!(file, "{waited}")).map_err(|error| error.to_string())?;
        }
        Ok::<(), String>(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let number = |n: usize| arguments.get(n).map_or(Ok(0), |word| word.parse::<usize>());
    let (mode, first, second) = (arguments.first().map_or("", String::as_str), number(1)?, number(2)?);
    let mut options = WorkerOptions::default().database_url(&env::var("PG_URL")?).max_pg_conn(32).define_job::<Noop>();
    if mode == "work" {
        options = options.concurrency(first);
        if second > 0 {
            let queue = LocalQueueConfig::default().with_size(second);
            options = options.local_queue(queue).complete_job_batch_delay(Duration::ZERO);
        }
    }
    let worker = options.init().await?;
    let utils = Arc::new(worker.create_utils());
    let began = Instant::now();
    match mode {
        "setup" => return Ok(()),
        "work" => return Ok(worker.run().await?),
        "one" => one(&utils, first).await?,
        "bulk" => bulk(&utils, first).await?,
        "paced" => paced(&utils, first).await?,
        _ => return Err(format!("not a mode: {mode:?}").into()),
    }
    println!("{}", first as f64 / began.elapsed().as_secs_f64());
    Ok(())
}

async fn one(utils: &Arc<WorkerUtils>, count: usize) -> Result<(), Failure> {
    let submitters = (0..IN_FLIGHT).map(|n| {
        let utils = utils.clone();
        let share = count / IN_FLIGHT + usize::from(n < count % IN_FLIGHT);
        tokio::spawn(async move {
            for _ in 0..share {
                utils.add_job(task(0), JobSpec::default()).await?;
            }
            Ok::<_, Failure>(())
        })
    });
    for submitter in submitters.collect::<Vec<_>>() {
        submitter.await??;
    }
    Ok(())
}

async fn bulk(utils: &WorkerUtils, count: usize) -> Result<(), Failure> {
    let spec = JobSpec::default();
    for first in (0..count).step_by(BATCH) {
        let rows: Vec<_> = (0..BATCH.min(count - first)).map(|_| (task(0), &spec)).collect();
        utils.add_jobs(&rows).await?;
    }
    Ok(())
}

/// One task each 5 ms; a slow submission does not delay the next.
async fn paced(utils: &Arc<WorkerUtils>, count: usize) -> Result<(), Failure> {
    let mut pace = tokio::time::interval(PACE);
    let mut pending = Vec::with_capacity(count);
    for _ in 0..count {
        pace.tick().await;
        let (utils, task) = (utils.clone(), task(now()));
        pending.push(tokio::spawn(async move { utils.add_job(task, JobSpec::default()).await }));
    }
    for submission in pending {
        submission.await??;
    }
    Ok(())
}
