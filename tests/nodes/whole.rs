//! Workflows over several nodes, of which one after the other is killed.

use serde_json::Value;

use crate::{
    Cluster,
    drawn::Graph,
    support::{self, Server, eventually},
    workflows as graphs,
};

#[test]
fn random_workflows_on_three_nodes_run_in_order_to_their_end_and_call_back_once() {
    let seeds = if support::is_long() { 8 } else { 1 };
    for seed in 100..100 + seeds {
        let cluster = Cluster::new();
        let mut random = fastrand::Rng::with_seed(seed);
        let node = |name: &str| cluster.start(name, &["--concurrency", "6"], &[("WORKER_HEARTBEAT_INTERVAL", "1s")]);
        let mut nodes: Vec<Server> = ["a", "b", "c"].map(node).into();
        let drawn: Vec<Graph> = (0..9).map(|_| Graph::draw(&mut random, 50)).collect();
        let ids: Vec<Value> = drawn.iter().enumerate().map(|(n, graph)| graph.submit(&nodes[n % 3])).collect();
        let ended = |server: &Server| {
            let n = |progress: &Value, field: &str| progress[field].as_u64().unwrap();
            let progress = ids.iter().map(|one| graphs::get(server, one["id"].as_str().unwrap())["progress"].clone());
            progress.map(|progress| n(&progress, "total") - n(&progress, "open")).sum::<u64>()
        };
        // One is killed and comes back, another is killed and does not.
        let some = random.u64(20..150);
        eventually("some are done", || ended(&nodes[1]) >= some);
        nodes.remove(0).kill();
        nodes.push(node("a"));
        let more = some + random.u64(20..150);
        eventually("more are done", || ended(&nodes[1]) >= more);
        nodes.remove(0).kill();
        for (n, (graph, submitted)) in drawn.iter().zip(&ids).enumerate() {
            graph.check(&nodes[n % 2], submitted);
        }
    }
}
