//! Polls of workers that serve the same and wait for tasks of one queue: what one does not find the others need not look for.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Instant,
};

use super::polls::Waiting;
use crate::task::Millis;

/// A queue, and what is served (the print of it).
pub(super) type Key = (Arc<str>, i64);

/// Claims of one group under way at a time: they are made in one transaction, most of the time.
const MOST_CLAIMS: usize = 4;

pub(super) struct Group {
    /// In the order in which they came. Some may have been served elsewhere meanwhile.
    waiting: VecDeque<u64>,
    /// There may be something to find.
    pub(super) open: bool,
    /// How often that was heard: what a claim has found may be older than the last time.
    pub(super) wakes: u64,
    pub(super) claiming: usize,
    /// It is in the line of those that are to be served.
    pub(super) in_line: bool,
    /// When it opens by itself.
    pub(super) opens_at: Option<Millis>,
    pub(super) used: Instant,
}

impl Group {
    /// Nobody has looked yet.
    pub(super) fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            open: true,
            wakes: 0,
            claiming: 0,
            in_line: false,
            opens_at: None,
            used: Instant::now(),
        }
    }

    pub(super) fn add(&mut self, poll: u64) {
        self.waiting.push_back(poll);
        self.used = Instant::now();
    }

    /// It has found nothing, and is first again.
    pub(super) fn put_back(&mut self, poll: u64) {
        self.waiting.push_front(poll);
    }

    pub(super) fn wake(&mut self) {
        self.open = true;
        self.wakes += 1;
    }

    pub(super) fn has_work(&self) -> bool {
        self.open && !self.waiting.is_empty() && self.claiming < MOST_CLAIMS
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The next that waits and is not at another queue; those that wait no longer are dropped on the way.
    pub(super) fn next(&mut self, polls: &HashMap<u64, Waiting>) -> Option<u64> {
        let mut elsewhere = Vec::new();
        let mut found = None;
        while let Some(id) = self.waiting.pop_front() {
            match polls.get(&id) {
                Some(poll) if poll.is_busy => elsewhere.push(id),
                Some(poll) if !poll.is_over() => {
                    found = Some(id);
                    break;
                }
                _ => {}
            }
        }
        elsewhere.into_iter().rev().for_each(|id| self.waiting.push_front(id));
        found
    }

    pub(super) fn forget_over(&mut self, polls: &HashMap<u64, Waiting>) {
        self.waiting.retain(|id| polls.contains_key(id));
    }
}
