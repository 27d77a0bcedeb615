//! The store's counters, added up as the API shows them.

use serde::{Serialize, Serializer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::Type},
};

use crate::{
    store::{Counted, CounterRow},
    task::{PriorityClass, Status},
};

/// How many tasks are in each status, every one of them named.
pub(super) struct StatusCounts([i64; Status::ALL.len()]);

impl StatusCounts {
    pub(super) fn of(counters: &[CounterRow]) -> Self {
        Self(Status::ALL.map(|status| sum(counters, |row| row.kind == Counted::In(status))))
    }
}

pub(super) fn sum(counters: &[CounterRow], wanted: impl Fn(&CounterRow) -> bool) -> i64 {
    counters.iter().filter(|row| wanted(row)).map(|row| row.n).sum()
}

impl Serialize for StatusCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(Status::ALL.iter().map(|status| status.as_str()).zip(self.0))
    }
}

impl PartialSchema for StatusCounts {
    fn schema() -> RefOr<Schema> {
        let number = || ObjectBuilder::new().schema_type(Type::Integer);
        let object = Status::ALL.iter().fold(ObjectBuilder::new().schema_type(Type::Object), |object, status| {
            object.property(status.as_str(), number()).required(status.as_str())
        });
        object.into()
    }
}

impl ToSchema for StatusCounts {}

/// Tasks that wait for a worker or for their time.
#[derive(Serialize, ToSchema)]
pub(super) struct ByPriority {
    high: i64,
    medium: i64,
    low: i64,
}

impl ByPriority {
    pub(super) fn of(counters: &[CounterRow]) -> Self {
        let waits = |row: &CounterRow| matches!(row.kind, Counted::In(status) if Status::CLAIMABLE.contains(&status));
        let class = |class| sum(counters, |row| waits(row) && row.priority.class() == class);
        Self { high: class(PriorityClass::High), medium: class(PriorityClass::Medium), low: class(PriorityClass::Low) }
    }

    pub(super) fn total(&self) -> i64 {
        self.high + self.medium + self.low
    }
}
