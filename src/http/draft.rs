//! A task as a client writes it.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{
    parents::{ParentDraft, ParentWritten},
    unique::{ConflictWritten, UniqueDraft, UniqueWritten},
};
use crate::task::{Millis, Priority, RetryPolicy, Strategy, duration};

/// The body of a submission.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "a task: an object with at least a name")]
#[schema(as = NewTask)]
pub(super) struct Draft<'a> {
    /// Which handler runs it: 1 to 128 of `A-Z a-z 0-9 . _ - : /`. `task_name` is another name for this field.
    #[serde(alias = "task_name")]
    #[schema(min_length = 1, max_length = 128, examples("process_data"))]
    pub(super) name: String,
    #[serde(borrow, default)]
    #[schema(value_type = Option<Vec<Value>>)]
    pub(super) args: Option<&'a RawValue>,
    #[serde(borrow, default)]
    #[schema(value_type = Option<Object>)]
    pub(super) kwargs: Option<&'a RawValue>,
    /// 1 to 64 of `A-Z a-z 0-9 . _ -`; `default` if not given. `queue_name` is another name for this field.
    #[serde(borrow, default, alias = "queue_name")]
    #[schema(min_length = 1, max_length = 64)]
    pub(super) queue: Option<Cow<'a, str>>,
    /// `high` (8), `medium` (5), `low` (2) or 0 to 9; 5 if not given.
    #[serde(default, deserialize_with = "priority")]
    #[schema(value_type = Option<PriorityWritten>)]
    pub(super) priority: Priority,
    #[serde(default)]
    #[schema(value_type = Option<u32>, maximum = 1000)]
    pub(super) max_retries: Option<i64>,
    #[serde(default, deserialize_with = "object")]
    #[schema(value_type = Option<RetryWritten>)]
    pub(super) retry: Option<RetryPolicy>,
    /// Longest run time of an attempt; null: no limit; the server's default if not given.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<DurationWritten>)]
    pub(super) timeout: Option<Option<Millis>>,
    /// Not before this moment. `eta` is another name for this field.
    #[serde(borrow, default, alias = "eta")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) run_at: Option<Cow<'a, str>>,
    /// Not before this time has passed. `countdown` is another name for this field.
    #[serde(default, alias = "countdown", deserialize_with = "duration::deserialize_option")]
    #[schema(value_type = Option<DurationWritten>)]
    pub(super) delay: Option<Millis>,
    /// A task that has not started by then expires. It is not started again after it either.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) expires_at: Option<Cow<'a, str>>,
    /// A task that has not started within this time expires.
    #[serde(default, deserialize_with = "duration::deserialize_option")]
    #[schema(value_type = Option<DurationWritten>)]
    pub(super) expires_in: Option<Millis>,
    /// How long after its submission it may be started: a task that waits beyond it expires, one whose next attempt would come
    /// after it is a dead letter at once. A retry on request gives it as long again. Beside `expires_at` or `expires_in` the
    /// earlier counts. Null: for ever; the queue's default if not given.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<DurationWritten>)]
    pub(super) max_age: Option<Option<Millis>>,
    /// How long the result is given out after the end; the server's default if not given.
    #[serde(default, deserialize_with = "duration::deserialize_option")]
    #[schema(value_type = Option<DurationWritten>)]
    pub(super) result_ttl: Option<Millis>,
    /// Tasks that must be over first.
    #[serde(borrow, default)]
    #[schema(value_type = Option<Vec<ParentWritten>>, max_items = 10000)]
    pub(super) depends_on: Option<Vec<ParentDraft<'a>>>,
    /// At most one task of a queue has this key at a time: while it is live, unless `unique` says otherwise.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 256)]
    pub(super) unique_key: Option<String>,
    /// Makes the key of parts of the task, and says for how long the task has it.
    #[serde(borrow, default)]
    #[schema(value_type = Option<UniqueWritten>)]
    pub(super) unique: Option<UniqueDraft<'a>>,
    /// What to do where another task has the key: `return` it (the default), `reject` the submission, or `replace` what was
    /// asked of that task by this, if it waits.
    #[serde(borrow, default)]
    #[schema(value_type = Option<ConflictWritten>)]
    pub(super) unique_conflict: Option<Cow<'a, str>>,
    #[serde(default)]
    #[schema(max_items = 20)]
    pub(super) tags: Option<Vec<String>>,
    #[serde(borrow, default)]
    #[schema(value_type = Option<Object>)]
    pub(super) meta: Option<&'a RawValue>,
    /// Tasks with different keys take turns, however many of each wait: a tenant, a customer, a user.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 256)]
    pub(super) fair_key: Option<String>,
    /// Tasks with the same key share the rate limit that the queue sets for each key.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 256)]
    pub(super) rate_key: Option<String>,
    /// How much of the limit of its `rate_key` the task uses; 1 if not given.
    #[serde(default)]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1000000)]
    pub(super) cost: Option<i64>,
    /// Of tasks with the same key no more run at a time than the queue allows for each key.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 256)]
    pub(super) concurrency_key: Option<String>,
    /// Labels that a worker must bear to run it: 1 to 64 of `A-Z a-z 0-9 . _ - : /` each.
    #[serde(default)]
    #[schema(max_items = 16)]
    pub(super) requires: Option<Vec<String>>,
}

/// How a priority is written.
#[expect(dead_code, reason = "only its schema is used")]
#[derive(ToSchema)]
#[schema(as = Priority)]
#[serde(untagged)]
enum PriorityWritten {
    Word(PriorityWord),
    Level(u8),
}

#[expect(dead_code, reason = "only its schema is used")]
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
enum PriorityWord {
    High,
    Medium,
    Low,
}

/// `"250ms"`, `"30s"`, `"5m"`, `"1h"`, `"7d"`, or a number of seconds.
#[expect(dead_code, reason = "only its schema is used")]
#[derive(ToSchema)]
#[schema(as = Duration)]
#[serde(untagged)]
pub(super) enum DurationWritten {
    Text(String),
    Seconds(f64),
}

#[expect(dead_code, reason = "only its schema is used")]
#[derive(ToSchema)]
#[schema(as = RetryPolicy)]
pub(super) struct RetryWritten {
    strategy: Option<Strategy>,
    /// Growth factor of the exponential strategy.
    #[schema(minimum = 1, maximum = 100)]
    base: Option<f64>,
    initial: Option<DurationWritten>,
    max: Option<DurationWritten>,
    jitter: Option<bool>,
}

/// A field whose null means something other than its absence.
pub(super) fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Millis>>, D::Error> {
    duration::deserialize_option(deserializer).map(Some)
}

/// A priority within another object.
pub(super) struct PriorityField(pub(super) Priority);

impl<'de> Deserialize<'de> for PriorityField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        priority(deserializer).map(Self)
    }
}

/// Objects only: serde would take a list of the fields' values, in order, for one.
pub(super) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    struct Written<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Written<T> {
        type Value = Option<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object or null")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map)).map(Some)
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }
    deserializer.deserialize_any(Written(PhantomData))
}

fn priority<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Priority, D::Error> {
    struct Written;

    impl Visitor<'_> for Written {
        type Value = Priority;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("\"high\", \"medium\", \"low\" or a number from 0 to 9")
        }

        fn visit_str<E: Error>(self, word: &str) -> Result<Priority, E> {
            Priority::parse_word(word).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(word), &self))
        }

        fn visit_u64<E: Error>(self, level: u64) -> Result<Priority, E> {
            let priority = u8::try_from(level).ok().and_then(Priority::new);
            priority.ok_or_else(|| E::invalid_value(serde::de::Unexpected::Unsigned(level), &self))
        }

        fn visit_i64<E: Error>(self, level: i64) -> Result<Priority, E> {
            Err(E::invalid_value(serde::de::Unexpected::Signed(level), &self))
        }

        fn visit_unit<E: Error>(self) -> Result<Priority, E> {
            Ok(Priority::default())
        }
    }
    deserializer.deserialize_any(Written)
}
