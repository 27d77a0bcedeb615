//! Priorities: 0 (last) to 9 (first), spoken of as low, medium and high.

use serde::{Deserialize, Serialize};

/// 0..=9; a higher one is served first within its queue, always or as far as [`super::Order`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Priority(u8);

/// What a number counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PriorityClass {
    High,
    Medium,
    Low,
}

impl Priority {
    pub const HIGH: Self = Self(8);
    pub const MEDIUM: Self = Self(5);
    pub const LOW: Self = Self(2);
    pub const MAX: u8 = 9;

    pub const fn new(level: u8) -> Option<Self> {
        if level <= Self::MAX { Some(Self(level)) } else { None }
    }

    pub fn parse_word(word: &str) -> Option<Self> {
        match word {
            "high" => Some(Self::HIGH),
            "medium" => Some(Self::MEDIUM),
            "low" => Some(Self::LOW),
            _ => None,
        }
    }

    pub const fn level(self) -> u8 {
        self.0
    }

    pub const fn class(self) -> PriorityClass {
        match self.0 {
            7.. => PriorityClass::High,
            4..=6 => PriorityClass::Medium,
            _ => PriorityClass::Low,
        }
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self::MEDIUM
    }
}
