//! The ticks of a schedule, as its tasks tell them.

use crate::support::Server;

/// Of all of its tasks, in their order.
pub(crate) fn ticks(server: &Server, schedule: &str) -> Vec<i64> {
    let (mut ticks, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/api/v1/tasks?limit=200{cursor}"));
        for task in page["data"].as_array().unwrap().iter().filter(|task| task["meta"]["schedule"] == schedule) {
            let tick = task["meta"]["tick"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
            ticks.push(tick.as_millisecond());
        }
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    ticks.sort_unstable();
    ticks
}

/// Each once, and none left out.
pub(crate) fn gapless(ticks: &[i64], step: i64) {
    assert!(ticks.len() > 1 && ticks.windows(2).all(|pair| pair[1] - pair[0] == step), "{ticks:?}");
}
