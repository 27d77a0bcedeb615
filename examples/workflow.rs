//! A diamond of tasks with a callback: submitted, followed to its end, its result read.
//!
//! ```sh
//! jobqueue dev &
//! cargo run --example workflow
//! ```

use std::time::Duration;

use jobqueue::client::{Client, Error, TaskRequest, Workflow};

/// What the last task returns.
pub(crate) async fn sum(client: &Client) -> Result<String, Error> {
    let add = |numbers: [i64; 2]| TaskRequest::new("demo.add").args(&numbers);
    let mut sums = Workflow::named("sums").tag("example");
    let start = sums.task("start", TaskRequest::new("demo.echo").args(&["ready"])?);
    let left = sums.task("left", add([1, 2])?);
    let right = sums.task("right", add([3, 4])?);
    let both = sums.task("both", add([3, 7])?);
    sums.depends_on(&left, [&start]);
    sums.depends_on(&right, [&start]);
    sums.depends_on(&both, [&left, &right]);
    let sums = sums.on_failure(TaskRequest::new("demo.echo").args(&["something went wrong"])?);

    let submitted = client.submit_workflow(&sums).await?;
    let end = client.wait_for_workflow(submitted.id, Duration::from_secs(30)).await?;
    let state = end.map_or_else(|| "still running".to_owned(), |end| end.state.to_string());
    let result = client.get(submitted.tasks["both"]).await?.result;
    Ok(format!("{state}: {}", result.map_or_else(|| "null".to_owned(), |result| result.get().to_owned())))
}

#[tokio::main]
#[allow(dead_code, clippy::print_stdout, reason = "the tests run only what is above")]
async fn main() -> Result<(), Error> {
    let url = std::env::var("JOBQUEUE_URL").unwrap_or_else(|_| "http://127.0.0.1:8000".into());
    println!("{}", sum(&Client::new(url)?).await?);
    Ok(())
}
