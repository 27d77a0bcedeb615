//! Moments as the API writes them.

use serde::{Serialize, Serializer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, Type},
};

use crate::task::Millis;

/// RFC 3339 in UTC with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time(pub(super) Millis);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(moment) => serializer.collect_str(&format_args!("{moment:.3}")),
            // Beyond the calendar: nothing that came in through the API is.
            Err(_) => serializer.serialize_none(),
        }
    }
}

impl PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        let format = SchemaFormat::KnownFormat(KnownFormat::DateTime);
        ObjectBuilder::new().schema_type(Type::String).format(Some(format)).into()
    }
}

impl ToSchema for Time {}

/// Seconds between two moments, not below 0.
pub(super) fn seconds(from: Millis, to: Millis) -> f64 {
    (to - from).max(0) as f64 / 1_000.0
}

/// A moment as RFC 3339 writes it.
pub(super) fn parse(text: &str) -> Option<Millis> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}
