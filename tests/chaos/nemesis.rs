//! What goes wrong and when, decided by the seed alone.

use std::time::{Duration, Instant};

use crate::{
    cluster::Nodes,
    history::{Micros, now},
    proxy::Mode,
    services::{Postgres, Redis},
};

/// How long a node's silence is borne: three heartbeats and 3 s.
pub(crate) const fn patience_ms(heartbeat_s: u64) -> u64 {
    (3 * heartbeat_s + 3) * 1_000
}

pub(crate) const CUT_OFF: &str = "cut off from PostgreSQL";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Postgres,
    Redis,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    Kill(usize),
    /// As soon as there is an outcome in its spool.
    KillSpooled(usize),
    Terminate(usize),
    Start(usize),
    Stop(usize),
    GoOn(usize),
    Cut(usize, Service),
    Refuse(usize, Service),
    Swallow(usize, Service),
    Heal(usize, Service),
    FlushRedis,
    SaveRedis,
    KillRedis,
    StartRedis {
        old: bool,
    },
    RestartPostgres,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) at_ms: u64,
    pub(crate) deed: Deed,
}

/// Everything that can go wrong, at random, until a time.
pub(crate) fn plan(seed: u64, until_ms: u64) -> Vec<Step> {
    let mut random = fastrand::Rng::with_seed(seed ^ 0x006e_656d_6573_6973);
    let (mut steps, mut at, mut busy, mut redis_back) = (Vec::new(), 2_000, [0_u64; 3], 0_u64);
    // Each at least once, the first ones in an order of their own; then at random.
    let mut first: Vec<u32> = (0..13).collect();
    random.shuffle(&mut first);
    while at < until_ms {
        let kind = first.pop().unwrap_or_else(|| random.u32(..13));
        let any = random.usize(..3);
        // One that nothing is being done to, if at least one more is then left in peace.
        let node = (any..any + 3).map(|node| node % 3).find(|node| is_free(&busy, *node, at));
        let (node, free) = (node.unwrap_or(any), node.is_some());
        let mut span = |deed, undo, for_ms| {
            busy[node] = at + for_ms + 1_500;
            steps.push(Step { at_ms: at, deed });
            steps.push(Step { at_ms: at + for_ms, deed: undo });
        };
        let service = if random.bool() { Service::Postgres } else { Service::Redis };
        match kind {
            0 | 1 if free => span(Deed::Kill(node), Deed::Start(node), random.u64(300..8_000)),
            2 if free => span(Deed::Stop(node), Deed::GoOn(node), 3 * patience_ms(1)),
            3 if free => span(Deed::Terminate(node), Deed::Start(node), random.u64(500..2_000)),
            4 if free => span(Deed::Swallow(node, service), Deed::Heal(node, service), random.u64(500..12_000)),
            5 if free => span(Deed::Refuse(node, service), Deed::Heal(node, service), random.u64(500..9_000)),
            6 | 7 => steps.push(Step { at_ms: at, deed: Deed::Cut(node, service) }),
            8 => steps.push(Step { at_ms: at, deed: Deed::FlushRedis }),
            9 => steps.push(Step { at_ms: at, deed: Deed::SaveRedis }),
            10 if redis_back < at => {
                redis_back = at + random.u64(300..5_000);
                steps.push(Step { at_ms: at, deed: Deed::KillRedis });
                steps.push(Step { at_ms: redis_back, deed: Deed::StartRedis { old: random.bool() } });
            }
            11 => steps.push(Step { at_ms: at, deed: Deed::RestartPostgres }),
            12 if free => {
                busy[node] = at + REFUSED_MS + 1_500;
                steps.extend(killed_with_a_spool(node, at));
            }
            _ => {}
        }
        at += random.u64(600..3_500);
    }
    steps.sort_by_key(|step| step.at_ms);
    steps
}

/// Until the first outcomes of a node that is cut off have failed.
const REFUSED_MS: u64 = 1_000;
/// How much longer it is waited for one of them to be in the spool.
const SPOOLED: Duration = Duration::from_secs(3);

/// Cut off from its store, so that outcomes must wait on its disk; killed, and back sooner than others take its tasks.
pub(crate) fn killed_with_a_spool(node: usize, at_ms: u64) -> [Step; 4] {
    let step = |after, deed| Step { at_ms: at_ms + after, deed };
    [
        step(0, Deed::Refuse(node, Service::Postgres)),
        step(REFUSED_MS, Deed::KillSpooled(node)),
        step(REFUSED_MS, Deed::Heal(node, Service::Postgres)),
        step(REFUSED_MS, Deed::Start(node)),
    ]
}

/// At least one node is left in peace.
fn is_free(busy: &[u64; 3], node: usize, at: u64) -> bool {
    busy[node] < at && busy.iter().filter(|until| **until >= at).count() < 2
}

pub(crate) struct Nemesis<'a> {
    pub(crate) nodes: &'a Nodes,
    pub(crate) postgres: &'a mut Postgres,
    pub(crate) redis: &'a mut Redis,
}

impl Nemesis<'_> {
    /// Does it all, and says when; the keeper's work is done in between.
    pub(crate) fn run(&mut self, steps: &[Step], began: Instant, say: &dyn Fn(&str)) -> Vec<Micros> {
        let mut done = Vec::new();
        for step in steps {
            let at = began + Duration::from_millis(step.at_ms);
            while Instant::now() < at {
                self.nodes.keep();
                std::thread::sleep(Duration::from_millis(20).min(at.saturating_duration_since(Instant::now())));
            }
            say(&format!("{:?}", step.deed));
            done.push(now());
            self.act(step.deed);
        }
        done
    }

    fn proxy(&self, node: usize, service: Service) -> &crate::proxy::Proxy {
        let node = &self.nodes.all[node];
        match service {
            Service::Postgres => &node.postgres,
            Service::Redis => &node.redis,
        }
    }

    fn act(&mut self, deed: Deed) {
        let nodes = self.nodes;
        match deed {
            Deed::Kill(node) => nodes.kill(node),
            Deed::KillSpooled(node) => {
                let until = Instant::now() + SPOOLED;
                while nodes.all[node].spooled().is_empty() && Instant::now() < until {
                    std::thread::sleep(Duration::from_millis(10));
                }
                nodes.kill(node);
            }
            Deed::Terminate(node) => {
                nodes.harm(node, "told to end");
                nodes.all[node].terminate();
            }
            Deed::Start(node) => nodes.all[node].start(),
            Deed::Stop(node) => {
                nodes.harm(node, "stopped");
                nodes.all[node].stop();
            }
            Deed::GoOn(node) => nodes.all[node].go_on(),
            Deed::Cut(node, service) => self.proxy(node, service).cut(),
            Deed::Refuse(node, service) => {
                if service == Service::Postgres {
                    nodes.harm(node, CUT_OFF);
                }
                self.proxy(node, service).set(Mode::Refuse);
                self.proxy(node, service).cut();
            }
            Deed::Swallow(node, service) => {
                if service == Service::Postgres {
                    nodes.harm(node, "cut off from PostgreSQL without a word");
                }
                self.proxy(node, service).set(Mode::Swallow);
            }
            Deed::Heal(node, service) => self.proxy(node, service).set(Mode::Pass),
            Deed::FlushRedis => {
                self.redis.command("FLUSHALL");
            }
            Deed::SaveRedis => {
                self.redis.command("SAVE");
            }
            Deed::KillRedis => self.redis.kill(),
            Deed::StartRedis { old } => self.redis.begin(old),
            Deed::RestartPostgres => {
                self.postgres.stop_at_once();
                self.postgres.begin();
            }
        }
    }

    /// Everything is as it should be again.
    pub(crate) fn heal(&mut self) {
        for node in &self.nodes.all {
            node.postgres.set(Mode::Pass);
            node.redis.set(Mode::Pass);
            node.go_on();
            node.start();
        }
        if !self.redis.command("PING") {
            self.redis.kill();
            self.redis.begin(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_everything_and_what_is_begun_is_ended() {
        let text = |seed| format!("{:?}", plan(seed, 80_000));
        assert_eq!(text(7), text(7));
        assert_ne!(text(7), text(8));
        for seed in 0..50 {
            let steps = plan(seed, 80_000);
            let count = |is: fn(&Deed) -> bool| steps.iter().filter(|step| is(&step.deed)).count();
            let down = count(|deed| matches!(deed, Deed::Kill(_) | Deed::KillSpooled(_) | Deed::Terminate(_)));
            assert_eq!(down, count(|deed| matches!(deed, Deed::Start(_))), "{seed}");
            let stopped = count(|deed| matches!(deed, Deed::Stop(_)));
            assert_eq!(stopped, count(|deed| matches!(deed, Deed::GoOn(_))), "{seed}");
        }
    }
}
