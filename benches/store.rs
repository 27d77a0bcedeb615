//! The store alone: the schema and the statements of the server, without engine and actors. What a whole server does less
//! than this is lost above the store.
//!
//! `cargo bench --bench store [-- TASKS]`; with `DATABASE_URL=postgres://…` in databases of its own on that server.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark fails by a panic and prints")]

use std::{
    io::Write as _,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use jobqueue::{
    store::{Claim, Finished, Inserted, Location, Recorded, Session, Store, Tx, WorkerInfo, postgres},
    task::{Granted, LeaseId, NewTask, Priority, Verdict, WorkerId},
};

/// Rows of a transaction: as many as the engine puts into one.
const BATCH: usize = 512;
const QUEUE: &str = "bench";

fn main() {
    // `cargo test --benches` runs this too, without this word: there is nothing to test.
    let mut arguments = std::env::args().skip(1);
    if !arguments.any(|argument| argument == "--bench") {
        return;
    }
    let tasks = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(100_000) / BATCH * BATCH;
    let folder = tempfile::tempdir().unwrap();
    println!("{tasks} tasks, {BATCH} rows a transaction");
    let mut bench = Bench::new(&folder.path().join("apart.db"));
    rate("insert", tasks, || bench.each(tasks, |bench| bench.insert()));
    let mut granted = Vec::new();
    rate("claim", tasks, || bench.each(tasks, |bench| granted.push(bench.claim())));
    rate("finish", tasks, || granted.iter().for_each(|granted| bench.finish(granted)));

    let mut bench = Bench::new(&folder.path().join("drain.db"));
    bench.each(tasks, Bench::insert);
    rate("finish + claim, as a drain merges them", tasks, || bench.merged(tasks, false));
    let mut bench = Bench::new(&folder.path().join("steady.db"));
    bench.insert();
    rate("finish + claim + insert, as in a steady state", tasks, || bench.merged(tasks, true));
    println!("{:<46} {:>9.3} ms", "f: fdatasync of 8 kB, median", fdatasync(folder.path()).as_secs_f64() * 1e3);
}

fn rate(what: &str, tasks: usize, work: impl FnOnce()) {
    let began = Instant::now();
    work();
    println!("{what:<46} {:>9.0} tasks/s", tasks as f64 / began.elapsed().as_secs_f64());
}

/// A store with one queue and one worker, and its one writer.
struct Bench {
    _store: Store,
    session: Box<dyn Session>,
    worker: WorkerId,
    args: String,
    /// Counts up instead of a clock.
    now: i64,
}

impl Bench {
    fn new(path: &Path) -> Self {
        let location = match std::env::var("DATABASE_URL") {
            Ok(url) => Location::Server(scratch(&url, path)),
            Err(_) => Location::File(path.to_owned()),
        };
        let store = Store::open(&location).unwrap();
        store.migrate_up().unwrap();
        let mut session = store.session().unwrap();
        let worker = WorkerInfo {
            patience: 12_000,
            id: WorkerId::new(),
            node: None,
            host: "bench".into(),
            pid: 1,
            version: "0".into(),
            slots: 512,
            started_at: 1,
            ..WorkerInfo::default()
        };
        let setup = &mut |tx: &mut dyn Tx| {
            tx.register_worker(&worker)?;
            tx.ensure_queue(QUEUE, 1)
        };
        session.transaction(setup).unwrap();
        let args = format!("[{:?}, 12345, {{\"customer\": \"c-000017\", \"dry_run\": false}}]", "x".repeat(140));
        Self { _store: store, session, worker: worker.id, args, now: 1 }
    }

    fn each(&mut self, tasks: usize, mut work: impl FnMut(&mut Self)) {
        (0..tasks / BATCH).for_each(|_| work(self));
    }

    fn tasks(&mut self) -> Vec<NewTask> {
        self.now += 1;
        let queue: Arc<str> = QUEUE.into();
        let one = |_| NewTask { args: self.args.clone(), ..NewTask::named("bench.noop", queue.clone(), self.now) };
        (0..BATCH).map(one).collect()
    }

    fn insert(&mut self) {
        let tasks = self.tasks();
        self.session.transaction(&mut |tx| insert(tx, &tasks)).unwrap();
    }

    fn claim(&mut self) -> Vec<Granted> {
        let (claim, mut granted) = (self.new_claim(), Vec::new());
        self.session.transaction(&mut |tx| take(tx, &claim).map(|taken| granted = taken)).unwrap();
        assert_eq!(granted.len(), BATCH);
        granted
    }

    fn finish(&mut self, granted: &[Granted]) {
        let (worker, now) = (self.worker, self.now);
        self.session.transaction(&mut |tx| end(tx, worker, granted, now)).unwrap();
    }

    /// Each transaction ends what the one before has granted and grants the next, and perhaps stores as many new ones.
    fn merged(&mut self, tasks: usize, with_insert: bool) {
        let mut granted = self.claim();
        for round in 1..=tasks / BATCH {
            let last = round == tasks / BATCH;
            let new = if with_insert { self.tasks() } else { Vec::new() };
            let (claim, worker, now) = (self.new_claim(), self.worker, self.now);
            let work = &mut |tx: &mut dyn Tx| {
                end(tx, worker, &granted, now)?;
                insert(tx, &new)?;
                granted = if last { Vec::new() } else { take(tx, &claim)? };
                Ok(())
            };
            self.session.transaction(work).unwrap();
            assert_eq!(granted.is_empty(), last);
        }
    }

    fn new_claim(&self) -> Claim {
        let (queue, worker, lease) = (QUEUE.into(), self.worker, LeaseId::random());
        Claim {
            queue,
            worker,
            lease,
            now: self.now,
            suspect_allowed: true,
            laned: false,
            serves: Arc::default(),
            timed: false,
        }
    }
}

/// A database of its own, in the place of one that an earlier run has left.
fn scratch(url: &str, path: &Path) -> String {
    let name = format!("jobqueue_bench_{}", path.file_stem().unwrap().to_string_lossy());
    postgres::drop_scratch(url, &name).unwrap();
    postgres::create_scratch(url, &name).unwrap()
}

type Done<T> = Result<T, jobqueue::store::StoreError>;

fn insert(tx: &mut dyn Tx, tasks: &[NewTask]) -> Done<()> {
    let tasks: Vec<&NewTask> = tasks.iter().collect();
    let stored = tx.insert(&tasks)?;
    assert!(stored.iter().all(|stored| matches!(stored, Inserted::As(_))));
    Ok(())
}

fn take(tx: &mut dyn Tx, claim: &Claim) -> Done<Vec<Granted>> {
    let ready = tx.ready_after(QUEUE, Priority::default(), None, BATCH)?;
    let hints: Vec<_> = ready.into_iter().map(|mark| (Priority::default(), mark)).collect();
    Ok(tx.claim(claim, &hints)?.tasks)
}

fn end(tx: &mut dyn Tx, worker: WorkerId, granted: &[Granted], now: i64) -> Done<()> {
    let verdict = Verdict::Success { result: "\"done\"".into() };
    let items: Vec<_> = granted.iter().map(|task| Finished { task, worker, verdict: &verdict }).collect();
    let recorded = tx.finish(&items, now)?;
    assert!(recorded.iter().all(|recorded| matches!(recorded, Recorded::Done(_))));
    Ok(())
}

fn fdatasync(folder: &Path) -> Duration {
    let mut file = std::fs::File::create(folder.join("fdatasync")).unwrap();
    let mut once = || {
        let began = Instant::now();
        file.write_all(&[7; 8_192]).unwrap();
        file.sync_data().unwrap();
        began.elapsed()
    };
    let mut times: Vec<_> = (0..200).map(|_| once()).collect();
    times.sort_unstable();
    times[100]
}
