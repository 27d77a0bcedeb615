//! When tasks have started, as their handlers and the server say.

use super::Server;

/// Milliseconds of every start there was: of the last attempt by its handler, of those a kill has ended by their grant.
pub(crate) fn starts(server: &Server, ids: &[String]) -> Vec<i64> {
    let millis = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
    let mut starts = Vec::new();
    for id in ids {
        starts.push(server.task(id)["result"].as_i64().unwrap());
        let attempts = server.get(&format!("/api/v1/tasks/{id}/attempts"));
        for attempt in attempts["data"].as_array().unwrap() {
            if attempt["outcome"] == "crashed" {
                starts.push(millis(attempt["started_at"].as_str().unwrap()));
            }
        }
    }
    starts.sort_unstable();
    starts
}

pub(crate) fn most_in_a_window(starts: &[i64], window: i64) -> usize {
    let within = |first: usize| starts[first..].iter().take_while(|start| **start < starts[first] + window).count();
    (0..starts.len()).map(within).max().unwrap_or_default()
}
