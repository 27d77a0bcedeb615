//! The way round through the lanes of one priority, or the sublanes of one lane, in their order.

/// Lanes that are looked up at a time.
pub(super) const LOOK: usize = 512;

pub(super) struct Walk {
    start: i64,
    pub(super) at: i64,
    came_round: bool,
    pub(super) is_over: bool,
    has_looked: bool,
    /// Looks that no other priority can use up.
    own: usize,
}

impl Walk {
    pub(super) const fn from(start: i64) -> Self {
        Self { start, at: start, came_round: start == i64::MIN, is_over: false, has_looked: false, own: 1 }
    }

    /// One of those that are left for all, or its own. How many lanes are to be looked at; 0: no look is left.
    pub(super) fn look(&mut self, left: &mut usize, want: usize) -> usize {
        let is_first = !std::mem::replace(&mut self.has_looked, true);
        if *left == 0 {
            return std::mem::take(&mut self.own) * LOOK;
        }
        *left -= 1;
        // Among many that are at a limit the others have to be looked for.
        if is_first { want.clamp(16, LOOK) } else { LOOK }
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

    /// Goes on after this one.
    pub(super) fn skip(&mut self, to: i64) {
        let next = to.checked_add(1).filter(|next| !self.came_round || self.start == i64::MIN || *next < self.start);
        match next {
            Some(next) => self.at = next,
            None if self.came_round => self.is_over = true,
            None => (self.at, self.came_round) = (i64::MIN, true),
        }
    }

    /// This one is left for later.
    pub(super) fn back_to(&mut self, lane: i64) {
        (self.came_round, self.is_over) = (lane < self.start || self.start == i64::MIN, false);
        self.at = lane;
    }
}
