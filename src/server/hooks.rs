//! What the command line does within this process.

use std::ffi::OsString;

use super::{App, RunError, node::location};
use crate::{
    bench,
    cli::{BenchOptions, BenchPart, Failure, Hooks, Migrate, ServeOptions},
    clock::{Clock as _, SystemClock},
    config::{Config, Database},
    doctor, http, logging,
    store::{
        Act, KeyAdded, Store, StoreError,
        invariants::{Inspect as _, Inspected},
        postgres, sqlite,
    },
    work::{Guard, demo},
};

/// With this in the environment a server registers `fault.*` tasks and lets panics be injected: for tests of its own.
const FAULTS: &str = "JOBQUEUE_FAULTS";

/// The commands of the `jobqueue` binary.
pub fn hooks() -> Hooks {
    Hooks { serve, migrate, create_key, check, doctor: doctor::examine, bench, openapi, guard }
}

fn serve(config: Config, options: ServeOptions) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::failed(error.to_string());
    logging::init(&config.log).map_err(|error| failed(&error))?;
    logging::install_panic_hook();
    for warning in &config.warnings {
        log::warn!("{warning}");
    }
    let mut app = App::new(config).with_guard(Guard::of_this_program()).on_listening(options.announce);
    if options.demo {
        demo::register(app.registry()).map_err(|error| failed(&error))?;
    }
    if std::env::var_os(FAULTS).is_some() {
        demo::register_faults(app.registry()).map_err(|error| failed(&error))?;
        app = app.allow_faults();
    }
    app.run().map_err(|error| match error {
        RunError::Open { .. } => Failure::usage(error.to_string()),
        _ => failed(&error),
    })
}

fn migrate(config: Config, action: Migrate) -> Result<String, Failure> {
    let failed = |error: StoreError| Failure::failed(error.to_string());
    let store = Store::open(&location(&config.database)).map_err(failed)?;
    Ok(match action {
        Migrate::Up => match store.migrate_up().map_err(failed)?.as_slice() {
            [] => "nothing to do: every migration is applied".into(),
            run => format!("applied {}", run.join(", ")),
        },
        Migrate::Down => match store.migrate_down().map_err(failed)? {
            Some(name) => format!("undone {name}"),
            None => "nothing to undo: no migration is applied".into(),
        },
        Migrate::Status => {
            let (applied, pending) = store.migrations().map_err(failed)?;
            let line = |state: &str, name: &String| format!("{state:<8} {name}");
            let lines = applied.iter().map(|name| line("applied", name));
            lines.chain(pending.iter().map(|name| line("pending", name))).collect::<Vec<_>>().join("\n")
        }
    })
}

/// The first key, before there is anybody who may make one. The lock on the file keeps a running server from not knowing.
fn create_key(config: Config, body: String) -> Result<String, Failure> {
    let failed = |error: StoreError| Failure::failed(error.to_string());
    let now = SystemClock.now();
    let (row, shown) = http::offline_key(&body, now).map_err(Failure::usage)?;
    let store = Store::open(&location(&config.database)).map_err(failed)?;
    store.migrate_up().map_err(failed)?;
    let act = Act::local("key.create", row.id);
    let mut added = KeyAdded::Done;
    let mut session = store.session().map_err(failed)?;
    let stored = session.transaction(&mut |tx| {
        added = tx.add_key(&row, false)?;
        if added == KeyAdded::Done { tx.audit(&act, now) } else { Ok(()) }
    });
    stored.map_err(failed)?;
    match added {
        KeyAdded::Done => Ok(shown),
        KeyAdded::NameTaken => {
            Err(Failure::failed(format!("a key named {:?} is in use: choose another name", row.name)))
        }
        KeyAdded::NotFirst | KeyAdded::MakerGone => Err(Failure::failed("the key was not made")),
        KeyAdded::TooMany(most) => Err(Failure::failed(format!("there are {most} keys, the most that are kept"))),
    }
}

fn check(config: &Config) -> Result<Vec<Inspected>, Failure> {
    let failed = |error: StoreError| Failure::failed(error.to_string());
    let now = SystemClock.now();
    match &config.database {
        Database::File(path) if !path.exists() => Err(Failure::not_found(format!(
            "there is no database at {}; name another with --database-url or DATABASE_URL",
            path.display()
        ))),
        Database::File(path) => sqlite::inspector(path).and_then(|mut store| store.inspect(now)).map_err(failed),
        Database::Server(url) => {
            postgres::inspector(url.reveal()).and_then(|mut store| store.inspect(now)).map_err(failed)
        }
    }
}

fn bench(options: BenchOptions) -> Result<String, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::failed(error.to_string());
    let wanted = |part| options.only.is_empty() || options.only.contains(&part);
    let measured = bench::run(&bench::Options {
        program: std::env::current_exe().map_err(|error| failed(&error))?,
        library: wanted(BenchPart::Library),
        http: wanted(BenchPart::Http),
        memory: wanted(BenchPart::Memory),
        keys: wanted(BenchPart::Keys),
        unique: wanted(BenchPart::Unique),
        workflow: wanted(BenchPart::Workflow),
        depth: wanted(BenchPart::Depth),
        handlers: wanted(BenchPart::Handlers),
        tasks: options.tasks,
        queued: options.queued,
        slots: options.concurrency,
        steady_s: options.steady_s,
        latency_s: options.latency_s,
        folder: options.folder,
        postgres: options.postgres,
        redis: options.redis,
    });
    let report = measured.map_err(|error| failed(&error))?;
    if options.json {
        return serde_json::to_string(&report).map_err(|error| failed(&error));
    }
    Ok(report.to_string())
}

fn openapi() -> Result<String, Failure> {
    http::openapi().to_pretty_json().map_err(|error| Failure::failed(error.to_string()))
}

fn guard(_: Vec<OsString>) -> u8 {
    crate::work::guard::guard_main()
}
