//! The shared heads: each call of the broker as a call of a script.

use std::{collections::BTreeMap, sync::Arc};

use redis::Client;

use super::{
    failure::Failure,
    keys::Keys,
    link::{Call, Link},
    reply::{self, Horizon},
    scripts::Scripts,
};
use crate::{
    broker::{Pop, Popped},
    task::{Mark, Priority, Quota, Ready},
};

/// Marks in one call: a script may not have too many arguments.
const MARKS: usize = 512;
/// After so long a head is filled anew, whatever is thought of it; what nobody uses is gone by then.
const HEAD_SECONDS: u32 = 3_600;
/// A refill that takes longer is given up: its node may be dead.
const REFILL_SECONDS: u32 = 10;
const STALE: &str = "another generation again and again";

pub(super) struct Heads {
    client: Client,
    pub(super) keys: Keys,
    scripts: Scripts,
}

impl Heads {
    pub(super) fn new(client: Client, prefix: &str) -> Self {
        Self { client, keys: Keys::new(prefix), scripts: Scripts::new() }
    }

    pub(super) fn connect(&self) -> Result<Link, Failure> {
        Link::open(&self.client)
    }

    /// The generation that holds, a new one if there is none or it is the one `distrusted`. Fails where Redis takes no
    /// writes.
    pub(super) fn generation(&self, link: &mut Link, distrusted: &str) -> Result<Arc<str>, Failure> {
        // The run of the server: one that has restarted has an old dump, a replica that took over may have missed something.
        let info = match link.command(redis::cmd("INFO").arg("server")) {
            // Not everybody lets us ask. An outage that this node sees makes a new generation all the same.
            Err(failure) if failure.is_refusal() => redis::Value::Nil,
            answer => answer?,
        };
        let run = reply::text(&info).and_then(run_id).unwrap_or_default();
        let suffix = format!("@{run}");
        let new = format!("{:016x}{:016x}{suffix}", fastrand::u64(..), fastrand::u64(..));
        let call =
            Call::new(&self.scripts.generation, vec![self.keys.generation()]).arg(distrusted).arg(new).arg(suffix);
        let held = link.run(&call)?;
        reply::text(&held).map(Arc::from).ok_or(Failure::Strange("no generation"))
    }

    /// Queues that are to be woken.
    pub(super) fn hint(
        &self,
        link: &mut Link,
        known: &mut Arc<str>,
        ready: &[Ready],
    ) -> Result<Vec<Arc<str>>, Failure> {
        let chunks = by_queue(ready);
        let calls: Vec<Call> = chunks.iter().map(|(queue, lanes)| self.hint_call(known, queue, lanes)).collect();
        let answers = link.run_all(&calls)?;
        let mut woken: Vec<Arc<str>> = Vec::new();
        for ((queue, lanes), answer) in chunks.iter().zip(answers) {
            let mut code = reply::int(&answer)?;
            if code < 0 {
                self.renew(link, known, queue)?;
                code = reply::int(&link.run(&self.hint_call(known, queue, lanes))?)?;
            }
            if code < 0 {
                return Err(Failure::Strange(STALE));
            }
            if code == 1 && !woken.contains(queue) {
                woken.push((*queue).clone());
            }
        }
        Ok(woken)
    }

    fn hint_call(&self, generation: &str, queue: &str, lanes: &BTreeMap<Priority, Vec<Mark>>) -> Call<'_> {
        let mut keys = vec![self.keys.state(queue), self.keys.gates(queue)];
        for priority in lanes.keys() {
            keys.extend([self.keys.lane(queue, priority.level()), self.keys.gate(queue, priority.level())]);
        }
        let mut call = Call::new(&self.scripts.hint, keys).arg(generation);
        for (priority, marks) in lanes {
            call.push(priority.level());
            call.push(marks.len());
            push_marks(&mut call, marks);
        }
        call
    }

    pub(super) fn pop(&self, link: &mut Link, known: &mut Arc<str>, queue: &str, pop: &Pop) -> Result<Popped, Failure> {
        let mut popped = reply::popped(&link.run(&self.pop_call(known, queue, pop))?, pop.n)?;
        if popped.is_none() {
            self.renew(link, known, queue)?;
            popped = reply::popped(&link.run(&self.pop_call(known, queue, pop))?, pop.n)?;
        }
        popped.ok_or(Failure::Strange(STALE))
    }

    fn pop_call(&self, generation: &str, queue: &str, pop: &Pop) -> Call<'_> {
        let &Pop { n, quota, order, now } = pop;
        let keys = [self.keys.state(queue)].into_iter().chain(self.keys.lanes(queue)).collect();
        let call = |script| Call::new(script, keys).arg(generation).arg(n).arg(now);
        match order.ageing() {
            Some(ageing) => with_quota(call(&self.scripts.pop_aged), &quota).arg(ageing),
            None if quota == Quota::UNLIMITED => call(&self.scripts.pop),
            None => with_quota(call(&self.scripts.pop), &quota),
        }
    }

    pub(super) fn begin_refill(
        &self,
        link: &mut Link,
        known: &mut Arc<str>,
        queue: &str,
        priority: Priority,
        token: &str,
    ) -> Result<Option<Mark>, Failure> {
        let begin = |generation: &str| {
            let call = Call::new(&self.scripts.begin_refill, self.refill_keys(queue, priority)).arg(generation);
            call.arg(priority.level()).arg(token).arg(REFILL_SECONDS)
        };
        let mut horizon = reply::horizon(&link.run(&begin(known))?)?;
        if horizon == Horizon::Stale {
            self.renew(link, known, queue)?;
            horizon = reply::horizon(&link.run(&begin(known))?)?;
        }
        match horizon {
            Horizon::Stale => Err(Failure::Strange(STALE)),
            Horizon::Start => Ok(None),
            Horizon::Until(mark) => Ok(Some(mark)),
        }
    }

    /// A head that has become one of another generation meanwhile is left alone.
    pub(super) fn end_refill(
        &self,
        link: &mut Link,
        generation: &str,
        (queue, priority, token): (&str, Priority, &str),
        rows: &[Mark],
        complete: bool,
    ) -> Result<(), Failure> {
        let call = Call::new(&self.scripts.end_refill, self.refill_keys(queue, priority)).arg(generation);
        let mut call = call.arg(priority.level()).arg(token).arg(u8::from(complete)).arg(HEAD_SECONDS);
        push_marks(&mut call, rows);
        reply::int(&link.run(&call)?).map(drop)
    }

    /// Ids held for a queue, horizons not counted.
    pub(super) fn depth(&self, link: &mut Link, queue: &str) -> Result<usize, Failure> {
        let commands: Vec<_> = self.keys.lanes(queue).map(|lane| redis::cmd("ZCARD").arg(lane).take()).collect();
        let mut depth = 0;
        for members in link.commands(&commands)? {
            depth += usize::try_from(reply::int(&members)? - 1).unwrap_or(0);
        }
        Ok(depth)
    }

    fn refill_keys(&self, queue: &str, priority: Priority) -> Vec<String> {
        let level = priority.level();
        vec![self.keys.state(queue), self.keys.gates(queue), self.keys.lane(queue, level), self.keys.gate(queue, level)]
    }

    /// The head is of another generation than we know, or is none: whichever of the two is out of date is made new.
    fn renew(&self, link: &mut Link, known: &mut Arc<str>, queue: &str) -> Result<(), Failure> {
        *known = self.generation(link, "")?;
        link.run(&Call::new(&self.scripts.reset, self.keys.all(queue)).arg(&**known).arg(HEAD_SECONDS)).map(drop)
    }
}

fn run_id(info: &str) -> Option<&str> {
    info.lines().find_map(|line| line.strip_prefix("run_id:")).map(str::trim)
}

type Chunk<'a> = (&'a Arc<str>, BTreeMap<Priority, Vec<Mark>>);

/// By queue and lane, in pieces that one call may carry.
fn by_queue(ready: &[Ready]) -> Vec<Chunk<'_>> {
    let mut queues: BTreeMap<&Arc<str>, Vec<&Ready>> = BTreeMap::new();
    for hint in ready {
        queues.entry(&hint.queue).or_default().push(hint);
    }
    let pieces = queues.into_iter().flat_map(|(queue, hints)| {
        let pieces: Vec<_> = hints.chunks(MARKS).map(|piece| (queue, lanes(piece))).collect();
        pieces
    });
    pieces.collect()
}

fn lanes(hints: &[&Ready]) -> BTreeMap<Priority, Vec<Mark>> {
    let mut lanes: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for hint in hints {
        lanes.entry(hint.priority).or_default().push(hint.mark);
    }
    lanes
}

fn push_marks(call: &mut Call, marks: &[Mark]) {
    for (at, id) in marks {
        call.push(*at);
        call.push(id.as_bytes().as_slice());
    }
}

fn with_quota<'a>(call: Call<'a>, quota: &Quota) -> Call<'a> {
    let (total, levels, rooms) = quota.by_level();
    let digits: String = levels.iter().map(u8::to_string).collect();
    rooms.iter().fold(call.arg(bounded(total)).arg(digits), |call, room| call.arg(bounded(*room)))
}

/// Numbers in Lua are doubles.
fn bounded(room: usize) -> u32 {
    u32::try_from(room).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_run_of_a_server_is_found() {
        assert_eq!(run_id("# Server\r\nredis_version:7\r\nrun_id:abc\r\nx:1"), Some("abc"));
        assert_eq!(run_id("nothing"), None);
    }
}
