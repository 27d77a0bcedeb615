//! From what a client wrote to a task that can be stored: every fault is found, not only the first.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{
    ApiState,
    code::Code,
    draft::Draft,
    flow,
    parents::{self, Sibling},
    problem::{Fault, Problem},
    times::{Age, End, Times},
    unique,
    view::{Raw, TaskView},
};
use crate::task::{
    Millis, NewTask, QueueSettings, RetryPolicy, TaskDefaults, TaskId, json, name, unique::Parts as Made,
};

/// The queue of those that name none.
pub(super) const DEFAULT_QUEUE: &str = "default";
pub(super) const MAX_RETRIES: i64 = 1_000;
pub(super) const MAX_TIMEOUT: Millis = 30 * 24 * 3_600_000;
pub(super) const MAX_RESULT_TTL: Millis = 366 * 24 * 3_600_000;
const MAX_TAGS: usize = 20;
const MAX_TAG: usize = 64;

/// The JSON parts of a task as they stand in the request.
#[derive(Clone, Copy)]
pub(super) struct Parts<'a> {
    args: Option<&'a RawValue>,
    kwargs: Option<&'a RawValue>,
    meta: Option<&'a RawValue>,
    delay: Option<Millis>,
    end: End,
}

impl<'a> Parts<'a> {
    pub(super) fn view(&self, task: &'a NewTask) -> TaskView<'a> {
        TaskView::new(
            task,
            self.args.map_or(Raw::EmptyArray, Raw::Text),
            self.kwargs.map_or(Raw::EmptyObject, Raw::Text),
            self.meta.map_or(Raw::Null, Raw::Text),
        )
    }

    /// Makes of `task` what it was when the same request was first answered.
    pub(super) fn as_of(&self, task: &mut NewTask, id: TaskId, at: Millis) {
        let before = std::mem::replace(&mut task.created_at, at);
        task.id = id;
        if let Some(delay) = self.delay {
            task.run_at = Some(at + delay);
        }
        if let Some(until) = task.unique.as_mut().and_then(|unique| unique.until.as_mut()) {
            *until += at - before;
        }
        task.expires_at = self.end.of(at);
    }
}

/// Faults with the code of their kind; the first kind found names the problem.
#[derive(Default)]
pub(super) struct Faults {
    code: Option<Code>,
    list: Vec<Fault>,
}

impl Faults {
    pub(super) fn add(&mut self, code: Code, pointer: impl Into<String>, detail: impl Into<String>) {
        self.code.get_or_insert(code);
        self.list.push(Fault::at(pointer, detail));
    }

    pub(super) fn invalid(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        self.add(Code::InvalidField, pointer, detail);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// An error, if anything was found.
    pub(super) fn none(self) -> Result<(), Problem> {
        self.code.map_or(Ok(()), |code| Err(Problem::invalid(code, self.list)))
    }

    pub(super) fn named<E: ToString>(&mut self, pointer: &str, result: Result<(), E>) {
        if let Err(error) = result {
            self.invalid(pointer, error.to_string());
        }
    }
}

/// A task that can be stored, once its siblings have their ids.
pub(super) struct Checked<'a> {
    pub(super) task: NewTask,
    pub(super) parts: Parts<'a>,
    /// Parents that are other tasks of the same batch.
    pub(super) siblings: Vec<Sibling>,
}

/// Checks a draft. `now` is the moment of its submission.
pub(super) fn check<'a>(draft: Draft<'a>, state: &ApiState, now: Millis) -> Result<Checked<'a>, Problem> {
    let settings = state.engine.queue_settings(draft.queue.as_deref().unwrap_or(DEFAULT_QUEUE));
    check_by(draft, settings.as_deref(), &state.defaults, now)
}

/// A task of no queue's and no batch's, as a client writes it; `Err` says which field is wrong and why.
pub fn offline_task(json: &str, defaults: &TaskDefaults, now: Millis) -> Result<NewTask, String> {
    let checked = super::shape::parse_text::<Draft<'_>>(json).and_then(|draft| check_by(draft, None, defaults, now));
    checked.map(|checked| checked.task).map_err(|problem| {
        let place = problem.errors().first().and_then(|fault| fault.pointer.clone()).unwrap_or_default();
        format!("{place}: {}", problem.detail())
    })
}

/// The same, by what is set for its queue and by what the server has.
pub(super) fn check_by<'a>(
    draft: Draft<'a>,
    settings: Option<&QueueSettings>,
    defaults: &TaskDefaults,
    now: Millis,
) -> Result<Checked<'a>, Problem> {
    let mut faults = Faults::default();
    let queue = draft.queue.unwrap_or(Cow::Borrowed(DEFAULT_QUEUE));
    faults.named("/name", name::task(&draft.name));
    faults.named("/queue", name::queue(&queue));
    part(&mut faults, "/args", draft.args, '[', "a JSON array");
    part(&mut faults, "/kwargs", draft.kwargs, '{', "a JSON object");
    part(&mut faults, "/meta", draft.meta, '{', "a JSON object");
    let is_readable = faults.is_empty();
    check_retry(&mut faults, draft.retry);
    let tags = draft.tags.unwrap_or_default();
    self::tags(&mut faults, &tags);
    let (default_retries, default_timeout) = defaults.of(&draft.name, settings);
    let max_retries = max_retries(&mut faults, draft.max_retries, default_retries);
    let timeout_ms = draft.timeout.unwrap_or(default_timeout);
    check_spans(&mut faults, draft.timeout.flatten(), draft.result_ttl);
    let age = Age { given: draft.max_age, of_queue: settings.and_then(|settings| settings.max_age) };
    let expiry = (draft.expires_at, draft.expires_in);
    let times = Times::check(&mut faults, (draft.run_at, draft.delay), expiry, age, now);
    let given = flow::Given {
        fair_key: draft.fair_key,
        rate_key: draft.rate_key,
        cost: draft.cost,
        concurrency_key: draft.concurrency_key,
        requires: draft.requires,
    };
    let flow = flow::check(&mut faults, given, settings);
    let (parents, siblings) = parents::check(&mut faults, draft.depends_on);
    let text = |part: Option<&RawValue>, empty: &str| part.map_or(empty, RawValue::get).to_owned();
    let (args, kwargs) = (text(draft.args, "[]"), text(draft.kwargs, "{}"));
    let given = unique::Given {
        key: draft.unique_key,
        unique: draft.unique,
        conflict: draft.unique_conflict,
        has_parents: !parents.is_empty() || !siblings.is_empty(),
    };
    let meta = draft.meta.map(RawValue::get);
    let made_of = Made { name: &draft.name, queue: &queue, args: &args, kwargs: &kwargs, meta };
    let unique = unique::check(&mut faults, given, is_readable.then_some(made_of), now);
    faults.none()?;
    let parts = Parts { args: draft.args, kwargs: draft.kwargs, meta: draft.meta, delay: draft.delay, end: times.end };
    let task = NewTask {
        name: draft.name,
        queue: queue.into(),
        priority: draft.priority,
        args,
        kwargs,
        max_retries,
        retry: draft.retry.or_else(|| settings?.retry),
        timeout_ms,
        run_at: times.run_at,
        expires_at: times.end.of(now),
        max_age_ms: age.max(),
        result_ttl_ms: draft.result_ttl,
        parents,
        unique,
        flow,
        tags,
        meta: meta.map(str::to_owned),
        ..NewTask::new(now)
    };
    Ok(Checked { task, parts, siblings })
}

fn check_retry(faults: &mut Faults, retry: Option<RetryPolicy>) {
    if let Some((field, detail)) = retry.and_then(|retry| retry.fault()) {
        faults.invalid(format!("/retry/{field}"), detail);
    }
}

fn check_spans(faults: &mut Faults, timeout: Option<Millis>, result_ttl: Option<Millis>) {
    if timeout.is_some_and(|timeout| !(1..=MAX_TIMEOUT).contains(&timeout)) {
        faults.invalid("/timeout", "must be more than 0 and at most 30 days, or null for no limit");
    }
    if result_ttl.is_some_and(|ttl| ttl > MAX_RESULT_TTL) {
        faults.invalid("/result_ttl", "must be at most 366 days");
    }
}

pub(super) fn part(faults: &mut Faults, pointer: &str, part: Option<&RawValue>, opening: char, expected: &str) {
    let Some(text) = part.map(RawValue::get) else { return };
    if !text.starts_with(opening) {
        faults.invalid(pointer, format!("must be {expected}"));
    } else if let Err(fault) = json::check(text) {
        faults.invalid(pointer, fault.to_string());
    }
}

pub(super) fn tags(faults: &mut Faults, tags: &[String]) {
    if tags.len() > MAX_TAGS {
        faults.invalid("/tags", format!("a task has at most {MAX_TAGS} tags, not {}", tags.len()));
        return;
    }
    for (index, tag) in tags.iter().enumerate() {
        faults.named(&format!("/tags/{index}"), name::free(tag, MAX_TAG, "a tag"));
    }
}

fn max_retries(faults: &mut Faults, given: Option<i64>, default: u32) -> u32 {
    match given.map(u32::try_from) {
        None => default,
        Some(Ok(retries)) if i64::from(retries) <= MAX_RETRIES => retries,
        Some(_) => {
            faults.invalid("/max_retries", format!("must be a number from 0 to {MAX_RETRIES}"));
            0
        }
    }
}
