//! From what a client wrote to a workflow that can be stored: parents first, each edge between tasks that there are.

use std::collections::{HashMap, HashSet};

use serde_json::value::RawValue;

use super::body::{Chord, WorkflowBody};
use crate::{
    http::{
        ApiState,
        caller::Caller,
        check::{self, Faults},
        code::Code,
        draft::Draft,
        parents::{ParentDraft, Whom},
        problem::{Fault, Problem},
        shape,
    },
    store::NewWorkflow,
    task::{
        Millis, NewTask, OnFailure, Parent, Role, TaskId, UniqueConflict,
        graph::{self, MAX_PARENTS},
        name,
        workflow::{MAX_EDGES, MAX_NODES},
    },
};

/// Most faults told of one request.
const MOST_FAULTS: usize = 20;
const MAX_NAME: usize = 128;

/// What can be stored.
pub(super) struct Planned {
    pub(super) workflow: NewWorkflow,
    /// Parents before their children, callbacks last.
    pub(super) tasks: Vec<NewTask>,
    /// Where in the request each of the tasks stands, as a JSON pointer.
    pub(super) places: Vec<String>,
    /// In the order of the request: the place of each node among the tasks.
    pub(super) written: Vec<usize>,
    /// Parents that are not of this workflow.
    pub(super) outside: Vec<TaskId>,
}

/// A task as it is written, and where.
struct Written<'a> {
    name: String,
    place: String,
    text: &'a RawValue,
    /// Nodes it depends on by the form of the whole: the one before it, or all of them before it.
    after: std::ops::Range<usize>,
}

/// A node that has been read.
struct Node {
    task: NewTask,
    within: Vec<(usize, OnFailure)>,
}

/// Faults of the parts of a request, up to a number; the first one's code is that of all.
#[derive(Default)]
struct Found {
    code: Option<Code>,
    list: Vec<Fault>,
}

impl Found {
    fn add(&mut self, code: Code, pointer: String, detail: impl Into<String>) {
        self.code.get_or_insert(code);
        self.list.push(Fault::at(pointer, detail));
    }

    /// What is not about a part of the body is the answer to all of it.
    fn take(&mut self, problem: Problem) -> Result<(), Problem> {
        if problem.errors().is_empty() {
            return Err(problem);
        }
        self.code.get_or_insert(problem.code());
        self.list.extend(problem.errors().iter().cloned());
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.list.len() >= MOST_FAULTS
    }

    fn none(mut self) -> Result<(), Problem> {
        self.list.truncate(MOST_FAULTS);
        self.code.map_or(Ok(()), |code| Err(Problem::invalid(code, self.list)))
    }
}

pub(super) fn plan(body: &[u8], state: &ApiState, caller: &Caller, now: Millis) -> Result<Planned, Problem> {
    let body: WorkflowBody<'_> = shape::parse(body)?;
    let mut faults = Faults::default();
    if let Some(name) = &body.name {
        faults.named("/name", name::workflow(name));
    }
    let tags = body.tags.unwrap_or_default();
    check::tags(&mut faults, &tags);
    check::part(&mut faults, "/meta", body.meta, '{', "a JSON object");
    faults.none()?;
    let written = written(body.tasks.map(|named| named.0), body.chain, body.group, body.chord)?;
    let mut outside = HashSet::new();
    let mut nodes = read(&written, state, caller, now, &mut outside)?;
    let order = order(&nodes, &written)?;
    let callbacks =
        [("on_success", Role::OnSuccess, body.on_success), ("on_failure", Role::OnFailure, body.on_failure)];
    let id = TaskId::new();
    let mut workflow = NewWorkflow {
        id,
        name: body.name,
        tags,
        meta: body.meta.map(|meta| meta.get().to_owned()),
        created_at: now,
        members: Vec::with_capacity(written.len() + 2),
        edges: Vec::new(),
    };
    // Their ids in this order: whoever walks by id comes to parents first.
    let place_of: HashMap<usize, usize> = order.iter().enumerate().map(|(place, node)| (*node, place)).collect();
    for node in &order {
        nodes[*node].task.id = TaskId::new();
        nodes[*node].task.workflow = Some(id);
        workflow.members.push((written[*node].name.clone(), Role::Node));
    }
    let ids: Vec<TaskId> = nodes.iter().map(|node| node.task.id).collect();
    let mut parents = HashSet::new();
    for (place, node) in order.iter().enumerate() {
        for (parent, on_failure) in std::mem::take(&mut nodes[*node].within) {
            nodes[*node].task.parents.push(Parent { id: ids[parent], on_failure });
            workflow.edges.push((place_of[&parent], place, on_failure));
            parents.insert(parent);
        }
    }
    let mut places: Vec<String> = order.iter().map(|node| written[*node].place.clone()).collect();
    let mut tasks: Vec<Option<NewTask>> = nodes.into_iter().map(|node| Some(node.task)).collect();
    parents.into_iter().for_each(|parent| tasks[parent].iter_mut().for_each(|task| task.has_dependants = true));
    let mut tasks: Vec<NewTask> = order.iter().filter_map(|node| tasks[*node].take()).collect();
    for (name, role, text) in callbacks {
        let Some(text) = text else { continue };
        let on_failure = if role == Role::OnFailure { OnFailure::Only } else { OnFailure::Skip };
        let place = format!("/{name}");
        let mut task = callback(text, state, caller, now).map_err(|problem| problem.under(&place))?;
        task.parents = vec![Parent { id, on_failure }];
        workflow.members.push((name.to_owned(), role));
        places.push(place);
        tasks.push(task);
    }
    unique(&tasks, &places)?;
    let written = (0..written.len()).map(|node| place_of[&node]).collect();
    Ok(Planned { workflow, tasks, places, written, outside: outside.into_iter().collect() })
}

/// A name as a part of a JSON pointer.
fn pointed(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The tasks of whichever form was used.
fn written<'a>(
    tasks: Option<Vec<(String, &'a RawValue)>>,
    chain: Option<Vec<&'a RawValue>>,
    group: Option<Vec<&'a RawValue>>,
    chord: Option<Chord<'a>>,
) -> Result<Vec<Written<'a>>, Problem> {
    let invalid = |place: &str, detail: String| Problem::invalid(Code::InvalidField, vec![Fault::at(place, detail)]);
    let given = [("tasks", tasks.is_some()), ("chain", chain.is_some()), ("group", group.is_some())];
    let given = given.into_iter().chain([("chord", chord.is_some())]).filter(|(_, given)| *given);
    let given: Vec<&str> = given.map(|(name, _)| name).collect();
    let [form] = given[..] else {
        let place = given.get(1).map(|name| format!("/{name}")).unwrap_or_default();
        return Err(invalid(&place, "give one of `tasks`, `chain`, `group` and `chord`".into()));
    };
    let place = if form == "chord" { "/chord/header".to_owned() } else { format!("/{form}") };
    let (mut written, last) = (Vec::new(), chord.as_ref().map(|chord| chord.body));
    match tasks {
        Some(tasks) => written.extend(tasks.into_iter().map(|(name, text)| {
            let place = format!("/tasks/{}", pointed(&name));
            Written { name, place, text, after: 0..0 }
        })),
        None => {
            let texts = chain.or(group).or(chord.map(|chord| chord.header)).unwrap_or_default();
            written.extend(texts.into_iter().enumerate().map(|(n, text)| {
                let after = if form == "chain" && n > 0 { n - 1..n } else { 0..0 };
                Written { name: n.to_string(), place: format!("{place}/{n}"), text, after }
            }));
        }
    }
    if written.is_empty() {
        return Err(invalid(&place, "has no task: give at least one".into()));
    }
    let count = written.len() + usize::from(last.is_some());
    if count > MAX_NODES {
        return Err(invalid(&place, format!("a workflow has at most {MAX_NODES} tasks, not {count}")));
    }
    if let Some(text) = last {
        let after = 0..written.len();
        written.push(Written { name: "body".into(), place: "/chord/body".into(), text, after });
    }
    Ok(written)
}

fn read(
    written: &[Written<'_>],
    state: &ApiState,
    caller: &Caller,
    now: Millis,
    outside: &mut HashSet<TaskId>,
) -> Result<Vec<Node>, Problem> {
    let places: HashMap<&str, usize> = written.iter().enumerate().map(|(n, task)| (&*task.name, n)).collect();
    let (mut nodes, mut found, mut edges) = (Vec::with_capacity(written.len()), Found::default(), 0);
    for (n, one) in written.iter().enumerate() {
        if found.is_full() {
            break;
        }
        if let Err(error) = named(&one.name) {
            found.add(Code::InvalidField, one.place.clone(), error);
            continue;
        }
        let (task, parents) = match draft(one.text, state, caller, now) {
            Ok(read) => read,
            Err(problem) => {
                found.take(problem.under(&one.place))?;
                continue;
            }
        };
        edges += parents.len() + one.after.len();
        if edges > MAX_EDGES || parents.len() > MAX_PARENTS {
            let detail = format!(
                "a task has at most {MAX_PARENTS} dependencies, and all tasks of a workflow together {MAX_EDGES}"
            );
            found.add(Code::InvalidField, format!("{}/depends_on", one.place), detail);
            break;
        }
        let mut node = Node { task, within: one.after.clone().map(|parent| (parent, OnFailure::Skip)).collect() };
        let ties = Ties { n, places: &places, place: &one.place };
        ties.resolve(parents, &mut node, outside, &mut found);
        nodes.push(node);
    }
    found.none()?;
    Ok(nodes)
}

/// A name that is no id, or nobody could tell which is meant.
fn named(text: &str) -> Result<(), String> {
    name::free(text, MAX_NAME, "the name of a task").map_err(|error| error.to_string())?;
    if text.parse::<TaskId>().is_ok() {
        return Err("the name of a task is no UUID: in `depends_on` that is a task that exists".into());
    }
    Ok(())
}

type Read<'a> = (NewTask, Vec<ParentDraft<'a>>);

fn draft<'a>(text: &'a RawValue, state: &ApiState, caller: &Caller, now: Millis) -> Result<Read<'a>, Problem> {
    let mut draft: Draft<'a> = shape::parse_text(text.get())?;
    let parents = draft.depends_on.take().unwrap_or_default();
    let task = check::check(draft, state, now)?.task;
    caller.check_queue(&task.queue)?;
    Ok((task, parents))
}

fn callback(text: &RawValue, state: &ApiState, caller: &Caller, now: Millis) -> Result<NewTask, Problem> {
    let (task, parents) = draft(text, state, caller, now)?;
    if parents.is_empty() {
        return Ok(task);
    }
    let fault = Fault::at("/depends_on", "a callback waits for its workflow and for nothing else");
    Err(Problem::invalid(Code::InvalidField, vec![fault]))
}

/// Whom the dependencies of one node name.
struct Ties<'a> {
    n: usize,
    places: &'a HashMap<&'a str, usize>,
    place: &'a str,
}

impl Ties<'_> {
    fn resolve(
        &self,
        parents: Vec<ParentDraft<'_>>,
        node: &mut Node,
        outside: &mut HashSet<TaskId>,
        found: &mut Found,
    ) {
        let mut nodes: HashSet<usize> = node.within.iter().map(|(parent, _)| *parent).collect();
        let mut ids = HashSet::new();
        for (entry, parent) in parents.into_iter().enumerate() {
            let at = |field: &str| format!("{}/depends_on/{entry}{field}", self.place);
            let (whom, on_failure, field) = match parent.whom() {
                Ok(named) => named,
                Err(detail) => {
                    found.add(Code::InvalidField, at(""), detail);
                    continue;
                }
            };
            let (known, id) = match &whom {
                Whom::Either(text) => (self.places.get(&**text), text.parse::<TaskId>().ok()),
                Whom::Node(text) => (self.places.get(&**text), None),
                Whom::Task(text) => (None, text.parse::<TaskId>().ok()),
            };
            match (known, id) {
                (Some(parent), _) if *parent == self.n => {
                    found.add(Code::DependencyCycle, at(field), "a task cannot wait for itself");
                }
                (Some(parent), _) if nodes.insert(*parent) => node.within.push((*parent, on_failure)),
                (None, Some(id)) if ids.insert(id) => {
                    node.task.parents.push(Parent { id, on_failure });
                    outside.insert(id);
                }
                (Some(_), _) | (None, Some(_)) => found.add(Code::InvalidField, at(field), "is named twice"),
                (None, None) => {
                    let (Whom::Either(text) | Whom::Node(text) | Whom::Task(text)) = whom;
                    let detail = format!("{text:?} is neither a task of this workflow nor the id of one that exists");
                    found.add(Code::ParentNotFound, at(field), detail);
                }
            }
        }
    }
}

/// Parents first; a circle is told by the names in it.
fn order(nodes: &[Node], written: &[Written<'_>]) -> Result<Vec<usize>, Problem> {
    let within: Vec<Vec<Parent>> = nodes
        .iter()
        .map(|node| node.within.iter().map(|(n, on_failure)| Parent { id: nodes[*n].task.id, on_failure: *on_failure }))
        .map(Iterator::collect)
        .collect();
    let tied = nodes.iter().zip(&within).map(|(node, parents)| (node.task.id, parents.as_slice()));
    graph::order(tied).map_err(|circle| {
        let mut names: Vec<&str> = circle.iter().take(MOST_FAULTS).map(|n| &*written[*n].name).collect();
        names.extend((circle.len() > names.len()).then_some("…"));
        names.extend(circle.first().map(|n| &*written[*n].name));
        let detail = format!("is part of a circle: {}", names.join(" → "));
        let fault = |n: &usize| Fault::at(format!("{}/depends_on", written[*n].place), detail.clone());
        Problem::invalid(Code::DependencyCycle, circle.iter().take(MOST_FAULTS).map(fault).collect())
    })
}

/// Of tasks of one workflow with the same unique key all but one could not be stored.
fn unique(tasks: &[NewTask], places: &[String]) -> Result<(), Problem> {
    let mut seen: HashMap<(&str, &str), usize> = HashMap::new();
    let mut found = Found::default();
    for (n, task) in tasks.iter().enumerate() {
        let Some(unique) = task.unique.as_deref() else { continue };
        if unique.conflict == UniqueConflict::Replace {
            let detail = "cannot be \"replace\": a task of a workflow is one of its own; \"return\" and \"reject\" refuse the workflow";
            found.add(Code::InvalidField, format!("{}/unique_conflict", places[n]), detail);
        }
        let key = unique.key.as_str();
        if let Some(first) = seen.insert((&task.queue, key), n) {
            let detail =
                format!("{} has the same unique key, and at most one live task of a queue has it", places[first]);
            found.add(Code::InvalidField, format!("{}/unique_key", places[n]), detail);
        }
    }
    found.none()
}
