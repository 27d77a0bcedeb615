//! `depends_on`: which tasks a new one waits for.

use std::{borrow::Cow, collections::HashSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};
use utoipa::ToSchema;

use super::{check::Faults, problem::Fault};
use crate::task::{OnFailure, Parent, TaskId, graph::MAX_PARENTS};

/// One entry of `depends_on`.
pub(super) enum ParentDraft<'a> {
    Id(Cow<'a, str>),
    Full(Edge<'a>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Edge<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(default)]
    index: Option<usize>,
    #[serde(borrow, default)]
    task: Option<Cow<'a, str>>,
    #[serde(default)]
    on_failure: OnFailure,
}

/// The id of a task, or an object.
#[expect(dead_code, reason = "only its schema is used")]
#[derive(ToSchema)]
#[schema(as = DependsOn)]
#[serde(untagged)]
pub(super) enum ParentWritten {
    Id(String),
    Full(EdgeWritten),
}

#[expect(dead_code, reason = "only its schema is used")]
#[derive(ToSchema)]
#[schema(as = Dependency)]
pub(super) struct EdgeWritten {
    /// A task that exists.
    id: Option<String>,
    /// Instead of `id`, in a batch: the place of a task of the same batch, from 0.
    index: Option<usize>,
    /// Instead of `id`, in a workflow: the name of one of its tasks.
    task: Option<String>,
    /// What becomes of this task where that one does not succeed: it is skipped (`skip`, if not given), it runs all the same
    /// (`run`), or it runs only then (`only`).
    on_failure: Option<OnFailure>,
}

impl<'de: 'a, 'a> Deserialize<'de> for ParentDraft<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;

        impl<'de> Visitor<'de> for Written {
            type Value = ParentDraft<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the id of a task, or an object with `id` and `on_failure`")
            }

            fn visit_borrowed_str<E: Error>(self, id: &'de str) -> Result<Self::Value, E> {
                Ok(ParentDraft::Id(Cow::Borrowed(id)))
            }

            fn visit_str<E: Error>(self, id: &str) -> Result<Self::Value, E> {
                Ok(ParentDraft::Id(Cow::Owned(id.to_owned())))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Edge::deserialize(MapAccessDeserializer::new(map)).map(ParentDraft::Full)
            }
        }
        deserializer.deserialize_any(Written)
    }
}

/// Whom an entry names, in a workflow.
pub(super) enum Whom<'a> {
    /// A node, or else a task that exists.
    Either(Cow<'a, str>),
    Node(Cow<'a, str>),
    Task(Cow<'a, str>),
}

impl<'a> ParentDraft<'a> {
    /// In a workflow: whom it names, in which field.
    pub(super) fn whom(self) -> Result<(Whom<'a>, OnFailure, &'static str), &'static str> {
        match self {
            Self::Id(text) => Ok((Whom::Either(text), OnFailure::Skip, "")),
            Self::Full(Edge { id: Some(id), index: None, task: None, on_failure }) => {
                Ok((Whom::Task(id), on_failure, "/id"))
            }
            Self::Full(Edge { id: None, index: None, task: Some(name), on_failure }) => {
                Ok((Whom::Node(name), on_failure, "/task"))
            }
            Self::Full(_) => Err("give either `task`, the name of a task of this workflow, or `id`"),
        }
    }
}

/// A parent that is another task of the same batch: its place there, and the place in `depends_on`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sibling {
    pub(super) index: usize,
    pub(super) on_failure: OnFailure,
    place: usize,
}

impl Sibling {
    pub(super) fn fault(&self, detail: impl Into<String>) -> Fault {
        Fault::at(format!("/depends_on/{}/index", self.place), detail)
    }
}

/// Those known by id, and those that are siblings in a batch.
pub(super) fn check(faults: &mut Faults, drafts: Option<Vec<ParentDraft<'_>>>) -> (Vec<Parent>, Vec<Sibling>) {
    let drafts = drafts.unwrap_or_default();
    if drafts.len() > MAX_PARENTS {
        faults.invalid("/depends_on", format!("a task waits for at most {MAX_PARENTS} others, not {}", drafts.len()));
        return Default::default();
    }
    let (mut parents, mut siblings, mut seen) = (Vec::with_capacity(drafts.len()), Vec::new(), HashSet::new());
    for (place, draft) in drafts.into_iter().enumerate() {
        let at = |field: &str| format!("/depends_on/{place}{field}");
        let (id, index, on_failure, field) = match draft {
            ParentDraft::Id(id) => (Some(id), None, OnFailure::Skip, ""),
            ParentDraft::Full(edge) if edge.task.is_some() => {
                faults.invalid(at("/task"), "has a meaning in a workflow only; name the task by its `id`");
                continue;
            }
            ParentDraft::Full(edge) => (edge.id, edge.index, edge.on_failure, "/id"),
        };
        match (id, index) {
            (Some(_), Some(_)) | (None, None) => faults.invalid(at(""), "give either `id` or, in a batch, `index`"),
            (None, Some(index)) => siblings.push(Sibling { index, on_failure, place }),
            (Some(id), None) => match id.parse::<TaskId>() {
                Err(error) => faults.invalid(at(field), error.to_string()),
                Ok(id) if !seen.insert(id) => faults.invalid(at(field), "is named twice"),
                Ok(id) => parents.push(Parent { id, on_failure }),
            },
        }
    }
    (parents, siblings)
}
