//! A schedule as a client, or the configuration file, writes it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::{
    engine::NewSchedule,
    http::{
        ApiState,
        check::{self, Faults},
        code::Code,
        draft::{Draft, DurationWritten},
        problem::{Fault, Problem},
        shape,
        unique::UniqueDraft,
    },
    task::{
        Millis, QueueSettings, TaskDefaults, duration,
        schedule::{self, CatchUp, Meta, Overlap, Rule, Template},
    },
};

/// Times and parents that hold once only.
const ONCE: [(&str, &str); 3] = [
    ("run_at", "a schedule says when: give `delay` for a time after the tick"),
    ("expires_at", "give `expires_in`, which counts from each tick"),
    ("depends_on", "a task that ticks waits for no other"),
];

/// When it ticks: either `cron` or `every`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "a schedule: an object")]
#[schema(as = NewSchedule)]
pub(super) struct ScheduleDraft<'a> {
    /// 1 to 64 of `A-Z a-z 0-9 . _ -`. In a path that names it, it is left out.
    #[serde(borrow, default)]
    #[schema(min_length = 1, max_length = 64)]
    pub(super) name: Option<Cow<'a, str>>,
    /// Five fields (minute, hour, day of month, month, day of week) or six with seconds in front, with names, `L`, `W`, `#`,
    /// `*/5`; or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`. Where day of month and day of week are both given, either
    /// will do, or both must match if one has a `*` in it. With a `*` for seconds, minutes or hours it follows the
    /// clock through a change of summer time; without, a time that the clock leaps over ticks when it has leapt, and one that
    /// it shows twice ticks once.
    #[serde(borrow, default)]
    #[schema(examples("*/5 * * * *"))]
    pub(super) cron: Option<Cow<'a, str>>,
    /// 1 s to 366 days of elapsed time, counted from when it is set.
    #[serde(default, deserialize_with = "duration::deserialize_option")]
    #[schema(value_type = Option<DurationWritten>)]
    pub(super) every: Option<Millis>,
    /// A name of the IANA database, for `cron`; `UTC` if not given.
    #[serde(borrow, default)]
    #[schema(examples("Europe/Berlin"))]
    pub(super) timezone: Option<Cow<'a, str>>,
    /// Ticks that come more than 10 s late: `skip` leaves them out, `one` (if not given) makes the last of them, `all` the last
    /// thousand.
    #[serde(borrow, default)]
    #[schema(value_type = Option<CatchUp>)]
    pub(super) catch_up: Option<Cow<'a, str>>,
    /// While its last task is not over: `allow` (if not given) makes another one, `skip` leaves the tick out.
    #[serde(borrow, default)]
    #[schema(value_type = Option<Overlap>)]
    pub(super) overlap: Option<Cow<'a, str>>,
    /// Each tick comes later by up to this, always by the same for the same name and tick; at most 24 h.
    #[serde(default, deserialize_with = "duration::deserialize_option")]
    #[schema(value_type = Option<DurationWritten>)]
    pub(super) jitter: Option<Millis>,
    /// The task of each tick, as it would be submitted. Its `meta` gets the schedule's name as `schedule` and the tick's time as
    /// `tick`.
    #[serde(borrow, default)]
    #[schema(value_type = Option<Draft>)]
    pub(super) task: Option<&'a RawValue>,
    /// False: it is paused.
    #[serde(default)]
    pub(super) enabled: Option<bool>,
    /// Only if the schedule is at this version: of two who change it at once, one is answered 409.
    #[serde(default)]
    pub(super) version: Option<u32>,
}

impl ScheduleDraft<'_> {
    /// When it ticks, with every fault.
    pub(super) fn rule(&self, faults: &mut Faults) -> Rule {
        let catch_up = word(
            faults,
            "/catch_up",
            self.catch_up.as_deref(),
            &[("skip", CatchUp::Skip), ("one", CatchUp::One), ("all", CatchUp::All)],
        );
        let overlap =
            word(faults, "/overlap", self.overlap.as_deref(), &[("allow", Overlap::Allow), ("skip", Overlap::Skip)]);
        let text = |text: &Option<Cow<'_, str>>| text.as_ref().map(|text| text.trim().to_owned());
        let rule = Rule {
            cron: text(&self.cron),
            every: self.every,
            timezone: self.timezone.as_ref().map(|zone| zone.clone().into_owned()),
            catch_up,
            overlap,
            jitter: self.jitter.filter(|jitter| *jitter != 0),
        };
        for (field, detail) in rule.compile(0).err().unwrap_or_default() {
            faults.invalid(format!("/{field}"), detail);
        }
        rule
    }

    /// The schedule, for the queues as they are set now.
    pub(super) fn check(&self, name: &str, state: &ApiState) -> Result<NewSchedule, Problem> {
        self.check_by(name, &state.defaults, state.now(), |queue| {
            state.engine.queue_settings(queue).as_deref().cloned()
        })
    }

    fn check_by(
        &self,
        name: &str,
        defaults: &TaskDefaults,
        now: Millis,
        settings: impl Fn(&str) -> Option<QueueSettings>,
    ) -> Result<NewSchedule, Problem> {
        let mut faults = Faults::default();
        faults.named("/name", schedule::check_name(name));
        let rule = self.rule(&mut faults);
        let Some(text) = self.task.map(RawValue::get) else {
            faults.add(Code::MissingField, "/task", "`task` is required");
            return Err(faults.none().err().unwrap_or_else(Problem::internal));
        };
        faults.none()?;
        let task = template(text, defaults, now, settings).map_err(|problem| problem.under("/task"))?;
        Ok(NewSchedule { name: name.to_owned(), rule, task, enabled: self.enabled.unwrap_or(true) })
    }
}

/// A task that is submitted at each tick. It is checked as a submission is, then kept as it was written.
fn template(
    text: &str,
    defaults: &TaskDefaults,
    now: Millis,
    settings: impl Fn(&str) -> Option<QueueSettings>,
) -> Result<Template, Problem> {
    let draft: Draft<'_> = shape::parse_text(text)?;
    let given = [draft.run_at.is_some(), draft.expires_at.is_some(), draft.depends_on.is_some()];
    let mut faults = Faults::default();
    for ((field, detail), _) in ONCE.iter().zip(given).filter(|(_, given)| *given) {
        faults.invalid(format!("/{field}"), *detail);
    }
    faults.none()?;
    let settings = settings(draft.queue.as_deref().unwrap_or(check::DEFAULT_QUEUE));
    let checked = check::check_by(draft, settings.as_ref(), defaults, now)?.task;
    let written: Draft<'_> = shape::parse_text(text)?;
    let meta = match written.meta {
        Some(meta) => serde_json::from_str(meta.get()).map_err(|_| Problem::internal())?,
        None => Meta::new(),
    };
    if let Some(key) = Template::reserved(&meta) {
        let fault = Fault::at(format!("/meta/{key}"), "is set by the schedule: use another key");
        return Err(Problem::invalid(Code::InvalidField, vec![fault]));
    }
    Ok(Template {
        name: checked.name,
        queue: checked.queue.to_string(),
        priority: checked.priority.level(),
        args: written.args.map(ToOwned::to_owned),
        kwargs: written.kwargs.map(ToOwned::to_owned),
        max_retries: written.max_retries.map(|_| checked.max_retries),
        retry: written.retry,
        timeout: written.timeout,
        delay: written.delay,
        expires_in: written.expires_in,
        max_age: written.max_age,
        result_ttl: written.result_ttl,
        unique_key: written.unique_key,
        unique: written.unique.map(UniqueDraft::into_rule),
        unique_conflict: checked.unique.map(|unique| unique.conflict).unwrap_or_default(),
        fair_key: written.fair_key,
        rate_key: written.rate_key,
        cost: written.cost.and_then(|cost| u32::try_from(cost).ok()),
        concurrency_key: written.concurrency_key,
        requires: checked.flow.map(|keys| keys.requires).unwrap_or_default(),
        tags: checked.tags,
        meta,
    })
}

fn word<T: Copy + Default>(faults: &mut Faults, pointer: &str, given: Option<&str>, known: &[(&str, T)]) -> T {
    let Some(given) = given else { return T::default() };
    let found = known.iter().find(|(name, _)| *name == given).map(|(_, value)| *value);
    if found.is_none() {
        let names: Vec<_> = known.iter().map(|(name, _)| format!("{name:?}")).collect();
        faults.invalid(pointer, format!("must be one of {}", names.join(", ")));
    }
    found.unwrap_or_default()
}

/// A schedule of the configuration file, as JSON; an error names the field.
pub fn declared_schedule(name: &str, json: &str, defaults: &TaskDefaults, now: Millis) -> Result<NewSchedule, String> {
    let read = |json| {
        let draft: ScheduleDraft<'_> = shape::parse_text(json)?;
        if draft.name.is_some() || draft.version.is_some() {
            let field = if draft.name.is_some() { "name" } else { "version" };
            return Err(Problem::invalid(
                Code::InvalidField,
                vec![Fault::at(format!("/{field}"), "has no place here")],
            ));
        }
        draft.check_by(name, defaults, now, |_| None)
    };
    read(json).map_err(|problem| {
        let place = problem.errors().first().and_then(|fault| fault.pointer.clone()).unwrap_or_default();
        format!("{}: {}", place.trim_start_matches('/').replace('/', "."), problem.detail())
    })
}
