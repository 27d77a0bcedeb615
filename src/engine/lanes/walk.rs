//! The way round through the lanes of one priority, in their order.

pub(super) struct Walk {
    start: i64,
    pub(super) at: i64,
    came_round: bool,
    pub(super) is_over: bool,
    pub(super) has_looked: bool,
}

impl Walk {
    pub(super) const fn from(start: i64) -> Self {
        Self { start, at: start, came_round: start == i64::MIN, is_over: false, has_looked: false }
    }

    /// Of those that were found from here on, the ones that are on the way.
    pub(super) fn next(&mut self, mut lanes: Vec<i64>, look: usize) -> Vec<i64> {
        let found = lanes.len();
        if self.came_round && self.start > i64::MIN {
            lanes.retain(|lane| *lane < self.start);
        }
        let next = lanes.last().and_then(|last| last.checked_add(1)).filter(|_| found == look && lanes.len() == found);
        match next {
            Some(next) => self.at = next,
            None if self.came_round => self.is_over = true,
            None => (self.at, self.came_round) = (i64::MIN, true),
        }
        lanes
    }

    /// This one is left for later.
    pub(super) fn back_to(&mut self, lane: i64) {
        (self.came_round, self.is_over) = (lane < self.start || self.start == i64::MIN, false);
        self.at = lane;
    }
}
