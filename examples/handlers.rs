//! A server of one's own: an async function, one that blocks, a value that both share, and a layer around every attempt.
//!
//! ```sh
//! cargo run --example handlers &
//! jobqueue submit thumbnail --args '["cat.jpg", 64]' --wait
//! ```

use std::{
    collections::BTreeMap,
    error::Error,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use jobqueue::{
    App,
    config::{Config, Sources},
    task::Outcome,
    work::{Data, Next, Registry, TaskContext, TaskFailure},
};

/// How long attempts took, by name.
#[derive(Debug, Default)]
pub(crate) struct Times(Mutex<BTreeMap<String, Duration>>);

impl Times {
    fn add(&self, name: &str, took: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default() += took;
    }
}

/// Parameters say what a function is given: here the arguments, then what was registered with `data`.
async fn report((): (), times: Data<Times>) -> Result<BTreeMap<String, u128>, TaskFailure> {
    let times = times.0.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(times.iter().map(|(name, took)| (name.clone(), took.as_micros())).collect())
}

/// Computes for a while, so it has a thread of its own, and looks now and then whether it is still wanted.
fn thumbnail((file, size): (String, u32), context: TaskContext) -> Result<String, TaskFailure> {
    for _line in 0..size {
        if context.is_cancelled() {
            return Err(TaskFailure::new("was asked to stop"));
        }
        std::hint::black_box(&file);
    }
    Ok(format!("{file}.{size}.png"))
}

pub(crate) fn register(registry: &mut Registry) -> Result<(), Box<dyn Error>> {
    let times = Data::new(Times::default());
    let kept = times.clone();
    registry
        .shared(times)
        .layer(move |context: TaskContext, next: Next| {
            let times = kept.clone();
            async move {
                let (name, began) = (context.name().to_owned(), Instant::now());
                let outcome = next.run(context).await;
                times.add(&name, began.elapsed());
                if let Outcome::Failure { error, .. } = &outcome {
                    log::warn!("{name} failed: {}", error.message);
                }
                outcome
            }
        })
        .function("report", report)?
        .blocking_function("thumbnail", thumbnail)?;
    Ok(())
}

#[allow(dead_code, reason = "the tests run only what is above")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut app = App::new(Config::load(&Sources::process(Vec::new(), None))?);
    register(app.registry())?;
    Ok(app.run()?)
}
