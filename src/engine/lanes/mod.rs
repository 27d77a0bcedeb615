//! Tasks with keys: whose turn it is in a queue. They wait in lanes in the store, and are taken from there within the
//! transaction of the claim; no broker knows them.
//!
//! Lanes take turns. A claim goes on after the lane that was served last, takes from each lane as many as its weight, and comes
//! round again. So a lane waits for one task of each other lane (times their weights) at most, on each node, whatever waits in
//! them. A lane that is at its limit is passed over. All that is remembered is where a node is in its round and who was at a
//! limit: forgotten, it costs time.
//!
//! Within a priority, that is. A higher one comes first, unless the queue's tasks gain priority as they wait ([`aged`]).

mod aged;
mod gate;
mod pass;
mod turn;
mod turns;
mod walk;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

pub(super) use gate::KeyGate;
use gate::Refused;
use turn::{Turn, in_turns};
pub(super) use turns::Turns;
use walk::Walk;

use super::Engine;
use crate::{
    store::{Fronting, StoreError, Tx},
    task::{Lane, Mark, Millis, Order, Priority, QueueSettings, Quota, TaskId, flow::lane_of_fair_key},
};

/// How often a claim looks up lanes, beside once for each priority; the next one goes on.
const LOOKS: usize = 8;

/// What a claim asks for.
pub(super) struct Ask<'a> {
    pub(super) queue: &'a Arc<str>,
    pub(super) settings: &'a QueueSettings,
    pub(super) want: usize,
    pub(super) now: Millis,
    /// Of what the claimer serves: others have turns of their own.
    pub(super) print: i64,
}

/// A task whose turn it is.
pub(super) struct Pick {
    pub(super) priority: Priority,
    pub(super) task: Fronting,
    /// Since when it is ready; with ageing, since when the first of those is that wait for it in turns: so that it is not the
    /// age of the one whose turn it is by which they come late.
    pub(super) since: Millis,
}

impl Pick {
    pub(super) const fn mark(&self) -> Mark {
        self.task.mark
    }
}

/// What there was for a claim.
#[derive(Default)]
pub(super) struct Picked {
    pub(super) picks: Vec<Pick>,
    /// Lanes have not been looked at, or not to the end.
    pub(super) more: bool,
    /// Something is at a limit: when to ask again, at the latest.
    pub(super) blocked_until: Option<Millis>,
    /// Something waits for a task to end.
    pub(super) at_cap: bool,
    /// A limit of the whole queue has no room for more.
    pub(super) no_room: bool,
}

impl Picked {
    fn blocked(&mut self, until: Millis) {
        self.blocked_until = Some(self.blocked_until.map_or(until, |before| before.min(until)));
    }
}

impl Engine {
    /// The tasks whose turn it is, within what the limits leave.
    pub(super) fn take_turns(
        &self,
        tx: &mut dyn Tx,
        ask: &Ask<'_>,
        gate: &mut KeyGate,
        quota: Quota,
    ) -> Result<Picked, StoreError> {
        let mut turn = self.0.turns.take(ask.queue, ask.print);
        turn.begin(ask.settings, ask.now, self.ends());
        let weights = ask.settings.fair_weights.iter().map(|(key, weight)| (lane_of_fair_key(key), *weight as usize));
        let round = Round {
            ask,
            weights: weights.collect(),
            pivot: fastrand::i64(..),
            turn: &mut turn,
            gate,
            quota,
            picked: Picked::default(),
            seen: HashSet::new(),
            looks: LOOKS,
            in_round: true,
        };
        let done = match ask.settings.ageing {
            Some(_) => round.go_by_age(tx, Order::new(ask.settings.ageing)),
            None => round.go(tx),
        };
        self.0.turns.keep(ask.queue, ask.print, turn, ask.now);
        done
    }

    /// Forgets a queue of which nothing is held here; false where something is. Never blocks.
    pub fn forget_if_empty(&self, queue: &str) -> bool {
        let is_empty = self.broker().forget_if_empty(queue);
        if is_empty {
            self.forget_turns(queue);
        }
        is_empty
    }

    pub(super) fn forget_turns(&self, queue: &str) {
        self.0.turns.forget(queue);
    }

    /// Lanes have got tasks: they are looked at, if they are among many that were at their limit.
    pub(super) fn look_into(&self, lanes: &[(Arc<str>, Priority, i64)]) {
        for (queue, priority, lane) in lanes {
            self.0.turns.each(queue, |turn| turn.look_into(*priority, *lane));
        }
    }

    /// Where the next round of a priority begins on this node.
    pub(super) fn next_turn(&self, queue: &str, priority: Priority) -> i64 {
        self.0.turns.latest(queue, |turn| turn.next(priority)).unwrap_or(i64::MIN)
    }

    /// How often a task with keys and one without take turns, for those of the same priority.
    pub(super) fn is_turn_of_keys(&self, queue: &Arc<str>, print: i64, priority: Priority) -> bool {
        self.0.turns.with(queue, print, |turn| turn.is_turn_of_keys(priority))
    }
}

/// Lanes, each with a number of tasks.
type Counts = Vec<(i64, usize)>;

/// A claim's way through the lanes.
struct Round<'a> {
    ask: &'a Ask<'a>,
    weights: HashMap<i64, usize>,
    /// Where it begins among the sublanes of each lane: another place each time.
    pivot: i64,
    turn: &'a mut Turn,
    gate: &'a mut KeyGate,
    quota: Quota,
    picked: Picked,
    /// Asked for before.
    seen: HashSet<TaskId>,
    /// That are left for this claim.
    looks: usize,
    /// The next claim goes on after what is served.
    in_round: bool,
}

impl Round<'_> {
    fn go(mut self, tx: &mut dyn Tx) -> Result<Picked, StoreError> {
        let levels = tx.lane_levels(self.ask.queue)?;
        for &priority in &levels {
            self.reopened(tx, priority)?;
            self.level(tx, priority)?;
        }
        Ok(self.done(&levels))
    }

    /// Those that have missed a turn at a limit come first: among the others they would have to be looked for.
    fn reopened(&mut self, tx: &mut dyn Tx, priority: Priority) -> Result<(), StoreError> {
        let (mut lanes, mut sum) = (Counts::new(), 0);
        while sum < self.room(priority)
            && let Some(lane) = self.turn.reopened(priority)
        {
            lanes.push((lane, self.weight(lane)));
            sum += self.weight(lane);
        }
        if lanes.is_empty() {
            return Ok(());
        }
        // One turn each, like everybody.
        self.in_round = false;
        let (mut passed, before) = (Vec::new(), self.picked.picks.len());
        self.serve_each(tx, priority, &lanes, &lanes, &mut passed)?;
        self.pass_all(tx, priority, passed, (before, &lanes.into_iter().collect()))?;
        self.in_round = true;
        Ok(())
    }

    /// `levels`: of which something waits.
    fn done(mut self, levels: &[Priority]) -> Picked {
        // A limit of the whole queue.
        let wanted = self.picked.picks.len() < self.ask.want;
        self.picked.no_room = wanted && levels.iter().any(|priority| self.quota.room(*priority) == 0);
        let (until, at_cap) = self.turn.blocked_until();
        self.picked.at_cap = at_cap;
        if let Some(until) = until {
            self.picked.blocked(until);
        }
        self.picked
    }

    fn weight(&self, lane: i64) -> usize {
        self.weights.get(&self.turn.fair_lane(lane)).copied().unwrap_or(1).max(1)
    }

    fn room(&self, priority: Priority) -> usize {
        self.quota.room(priority).min(self.ask.want - self.picked.picks.len())
    }

    /// From the lane after the last one that was served, once round.
    fn level(&mut self, tx: &mut dyn Tx, priority: Priority) -> Result<(), StoreError> {
        let mut walk = Walk::from(self.turn.next(priority));
        while self.room(priority) > 0 && !walk.is_over {
            let room = self.room(priority);
            let (wanted, sum) = self.wanted(tx, priority, &mut walk, room)?;
            if !wanted.is_empty() {
                self.serve(tx, priority, wanted, room.div_ceil(sum))?;
            }
        }
        Ok(())
    }

    /// The next lanes on the way that may be served, with their weights and the sum of these: enough for the room there is.
    fn wanted(
        &mut self,
        tx: &mut dyn Tx,
        priority: Priority,
        walk: &mut Walk,
        room: usize,
    ) -> Result<(Counts, usize), StoreError> {
        let (mut wanted, mut sum) = (Vec::new(), 0);
        while sum < room && !walk.is_over {
            while let Some((to, until)) = self.turn.closed(priority, walk.at, self.ask.now).filter(|_| !walk.is_over) {
                walk.skip(to);
                self.picked.blocked(until);
            }
            if walk.is_over {
                break;
            }
            let (from, before) = (walk.at, wanted.len());
            let look = walk.look(&mut self.looks, room - sum);
            if look == 0 {
                self.picked.more |= self.turn.stop_at(priority, walk.at);
                walk.is_over = true;
                return Ok((wanted, sum));
            }
            let lanes = walk.next(tx.lanes_from(self.ask.queue, priority, walk.at, look)?, look);
            let last = lanes.last().copied().filter(|_| lanes.len() == look);
            for lane in lanes {
                if sum >= room {
                    walk.back_to(lane);
                    break;
                }
                if self.turn.is_blocked(lane, None) {
                    self.turn.passed_over(priority);
                    self.missed(priority, lane);
                } else {
                    let weight = self.weight(lane);
                    sum += weight;
                    wanted.push((lane, weight));
                }
            }
            // Where tasks gain priority as they wait, who is not at a limit any more is found by looking.
            if let Some(to) = last.filter(|_| wanted.len() == before && self.ask.settings.ageing.is_none()) {
                self.turn.close(priority, (from, to), self.ask.now);
            }
        }
        if walk.is_over {
            self.turn.came_round(priority);
        }
        Ok((wanted, sum))
    }

    /// Takes from lanes in turns; what some leave is for those that have more.
    fn serve(
        &mut self,
        tx: &mut dyn Tx,
        priority: Priority,
        wanted: Vec<(i64, usize)>,
        turns: usize,
    ) -> Result<(), StoreError> {
        let (room, before) = (self.room(priority), self.picked.picks.len());
        let asked: Vec<_> = wanted.iter().map(|(lane, weight)| (*lane, (weight * turns).min(room))).collect();
        let mut passed = Vec::new();
        let share: HashMap<i64, usize> = asked.iter().copied().collect();
        let mut left = self.serve_each(tx, priority, &wanted, &asked, &mut passed)?;
        let room = self.room(priority);
        if room > 0 && !left.is_empty() {
            let asked: Vec<_> = left.iter().map(|(lane, n)| (*lane, n + room)).collect();
            let wanted: Vec<_> =
                wanted.into_iter().filter(|(lane, _)| left.iter().any(|(one, _)| one == lane)).collect();
            left = self.serve_each(tx, priority, &wanted, &asked, &mut passed)?;
            // Where nothing was taken, what is left is at a limit.
            let progress = self.picked.picks.len() > before;
            self.picked.more |= progress && self.room(priority) > 0 && !left.is_empty();
        }
        self.pass_all(tx, priority, passed, (before, &share))
    }

    /// The lanes that have more than was asked for, with how much that was.
    fn serve_each(
        &mut self,
        tx: &mut dyn Tx,
        priority: Priority,
        wanted: &[(i64, usize)],
        asked: &[(i64, usize)],
        passed: &mut Vec<Lane>,
    ) -> Result<Vec<(i64, usize)>, StoreError> {
        let (mut tasks, left) = self.fronts(tx, priority, wanted, asked)?;
        tasks.retain(|task| !self.seen.contains(&task.mark.1));
        self.gate.load(tx, self.ask.queue, tasks.iter().map(|task| &task.flow))?;
        for task in tasks {
            if self.room(priority) == 0 {
                break;
            }
            let place = task.place;
            self.seen.insert(task.mark.1);
            let since = task.mark.0;
            if !self.pick(priority, task, since) {
                self.passed_over(priority, place, passed);
            }
        }
        Ok(left.into_iter().filter(|(lane, _)| !self.turn.is_blocked(*lane, None)).collect())
    }

    /// The first tasks of lanes, in turns, and the lanes that have more than was asked for.
    fn fronts(
        &self,
        tx: &mut dyn Tx,
        priority: Priority,
        wanted: &[(i64, usize)],
        asked: &[(i64, usize)],
    ) -> Result<(Vec<Fronting>, Counts), StoreError> {
        let mut fronts: HashMap<i64, Vec<Fronting>> = HashMap::new();
        for task in tx.lane_fronts(self.ask.queue, priority, asked, self.pivot)? {
            fronts.entry(task.place.lane).or_default().push(task);
        }
        let is_full = |(lane, n): &&(i64, usize)| fronts.get(lane).is_some_and(|tasks| tasks.len() == *n);
        let left = asked.iter().filter(is_full).copied().collect();
        let lanes = wanted.iter().filter_map(|(lane, weight)| Some((*weight, fronts.remove(lane)?)));
        Ok((in_turns(lanes.collect()), left))
    }

    /// False where its lane is at a limit.
    fn pick(&mut self, priority: Priority, task: Fronting, since: Millis) -> bool {
        let Lane { lane, sublane } = task.place;
        if self.turn.is_blocked(lane, Some(sublane)) || self.turn.is_blocked(lane, None) {
            return false;
        }
        if let Some(fair) = task.flow.fair_lane().filter(|fair| self.weights.contains_key(fair)) {
            self.turn.learn(lane, fair);
        }
        match self.gate.admit(&task.flow) {
            Ok(()) => {
                self.quota.take(priority);
                if self.in_round {
                    self.turn.served(priority, lane);
                }
                self.picked.picks.push(Pick { priority, task, since });
                true
            }
            Err(Refused::UntilNextClaim) => {
                self.picked.more = true;
                true
            }
            Err(Refused::NotServed) => {
                self.turn.leave(lane, self.ask.now);
                false
            }
            Err(Refused::For { until, whole_lane }) => {
                self.turn.block(lane, (!whole_lane).then_some(sublane), until, self.ask.now);
                false
            }
        }
    }
}
