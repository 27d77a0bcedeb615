//! What the counters count.

use crate::task::Status;

/// What is counted: tasks in a status now, or events ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counted {
    In(Status),
    Submitted,
    Succeeded,
    FailedAttempts,
    Dead,
    CancelledTotal,
    Retried,
    ExpiredTotal,
    Snoozed,
}

impl Counted {
    const EVENTS: [(Self, i16); 8] = [
        (Self::Submitted, 100),
        (Self::Succeeded, 101),
        (Self::FailedAttempts, 102),
        (Self::Dead, 103),
        (Self::CancelledTotal, 104),
        (Self::Retried, 105),
        (Self::ExpiredTotal, 106),
        (Self::Snoozed, 107),
    ];

    pub fn code(self) -> i16 {
        match self {
            Self::In(status) => status.code(),
            event => Self::EVENTS.iter().find(|(kind, _)| *kind == event).map_or(-1, |(_, code)| *code),
        }
    }

    pub fn from_code(code: i16) -> Option<Self> {
        let event = Self::EVENTS.iter().find(|(_, number)| *number == code).map(|(kind, _)| *kind);
        event.or_else(|| Status::from_code(code).map(Self::In))
    }
}
