//! A workflow as a client writes it.

use std::{collections::HashSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::http::draft::Draft;

/// The body of a submission: one of `tasks`, `chain`, `group` and `chord`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `tasks`, `chain`, `group` or `chord`")]
#[schema(as = NewWorkflow)]
pub(in crate::http) struct WorkflowBody<'a> {
    /// To find it by: 1 to 128 of `A-Z a-z 0-9 . _ - : /`. Several may have the same.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 128)]
    pub(super) name: Option<String>,
    #[serde(default)]
    #[schema(max_items = 20)]
    pub(super) tags: Option<Vec<String>>,
    #[serde(borrow, default)]
    #[schema(value_type = Option<Object>)]
    pub(super) meta: Option<&'a RawValue>,
    /// Tasks by the names they have in this workflow. In `depends_on` they are named so; a task that exists is named by its
    /// id.
    #[serde(borrow, default)]
    #[schema(value_type = Option<std::collections::HashMap<String, Draft>>)]
    pub(super) tasks: Option<Named<'a>>,
    /// Each runs after the one before has succeeded. They are named `0`, `1`, …
    #[serde(borrow, default)]
    #[schema(value_type = Option<Vec<Draft>>, max_items = 10001)]
    pub(super) chain: Option<Vec<&'a RawValue>>,
    /// All run side by side. They are named `0`, `1`, …
    #[serde(borrow, default)]
    #[schema(value_type = Option<Vec<Draft>>, max_items = 10001)]
    pub(super) group: Option<Vec<&'a RawValue>>,
    /// A group, and a task that runs after all of it.
    #[serde(borrow, default, deserialize_with = "crate::http::draft::object")]
    pub(super) chord: Option<Chord<'a>>,
    /// Runs once each task has succeeded. It reads how many there were as the result of its parent, which is the workflow.
    #[serde(borrow, default)]
    #[schema(value_type = Option<Draft>)]
    pub(super) on_success: Option<&'a RawValue>,
    /// Runs once the workflow is over and has not succeeded. The result of its parent names the tasks that failed.
    #[serde(borrow, default)]
    #[schema(value_type = Option<Draft>)]
    pub(super) on_failure: Option<&'a RawValue>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `header` and `body`")]
pub(in crate::http) struct Chord<'a> {
    /// They are named `0`, `1`, …
    #[serde(borrow)]
    #[schema(value_type = Vec<Draft>, max_items = 10000)]
    pub(super) header: Vec<&'a RawValue>,
    /// It is named `body`.
    #[serde(borrow)]
    #[schema(value_type = Draft)]
    pub(super) body: &'a RawValue,
}

/// Values by name, in their order; a name that is given twice is refused rather than the first of them lost.
pub(in crate::http) struct Named<'a>(pub(super) Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Named<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;

        impl<'de> Visitor<'de> for Written {
            type Value = Named<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tasks by their names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let (mut values, mut seen) = (Vec::new(), HashSet::new());
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    if !seen.insert(name.clone()) {
                        return Err(A::Error::custom(format!("duplicate field `{name}`")));
                    }
                    values.push((name, value));
                }
                Ok(Named(values))
            }
        }
        deserializer.deserialize_map(Written)
    }
}
