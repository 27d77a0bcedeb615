//! Tasks that wait for others.

use std::collections::{HashMap, hash_map::Entry};

use serde::{Deserialize, Serialize};

use super::{End, Status, TaskError, TaskId};

/// What becomes of a child whose parent did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
// The numbers are what the store keeps.
#[repr(i16)]
pub enum OnFailure {
    /// It is skipped.
    #[default]
    Skip = 0,
    /// It runs all the same.
    Run = 1,
    /// It runs only then: where the parent succeeds it is not needed.
    Only = 2,
}

impl OnFailure {
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// Of a number of another version: the strictest.
    pub fn from_code(code: i32) -> Self {
        [Self::Run, Self::Only].into_iter().find(|policy| i32::from(policy.code()) == code).unwrap_or(Self::Skip)
    }

    /// What a parent that ends so means for the child.
    pub const fn told(self, parent: Ending) -> Told {
        match (self, parent) {
            (Self::Run, _) | (Self::Skip, Ending::Success) | (Self::Only, Ending::Failure) => Told::Met,
            (Self::Skip, Ending::Failure) => Told::Missed,
            (_, Ending::Unneeded) | (Self::Only, Ending::Success) => Told::Unneeded,
        }
    }

    /// Where one parent is named in two ways.
    const fn stricter(self, other: Self) -> Self {
        match (self, other) {
            (Self::Skip, _) | (_, Self::Skip) => Self::Skip,
            (Self::Only, _) | (_, Self::Only) => Self::Only,
            (Self::Run, Self::Run) => Self::Run,
        }
    }
}

/// How a parent ended, as its children see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Success,
    /// It did not succeed.
    Failure,
    /// It was skipped because nothing had failed.
    Unneeded,
}

impl Ending {
    /// `None`: it is not over.
    pub fn of(status: Status, error: Option<&TaskError>) -> Option<Self> {
        Some(match End::of(status, error)? {
            End::Success => Self::Success,
            End::Unneeded => Self::Unneeded,
            _ => Self::Failure,
        })
    }
}

/// What a child learns from the end of a parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It waits for this one no longer.
    Met,
    /// It cannot run any more.
    Missed,
    /// It need not run.
    Unneeded,
}

/// One parent of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent {
    pub id: TaskId,
    pub on_failure: OnFailure,
}

/// Most parents of one task.
pub const MAX_PARENTS: usize = 10_000;

/// The parents where some stand for others: each once, and where it is named in several ways the stricter counts. `None`:
/// they are as they were.
pub fn moved(parents: &[Parent], to: &HashMap<TaskId, TaskId>) -> Option<Vec<Parent>> {
    if !parents.iter().any(|parent| to.contains_key(&parent.id)) {
        return None;
    }
    let (mut others, mut places) = (Vec::<Parent>::with_capacity(parents.len()), HashMap::new());
    for parent in parents {
        let id = *to.get(&parent.id).unwrap_or(&parent.id);
        match places.entry(id) {
            Entry::Vacant(place) => {
                place.insert(others.len());
                others.push(Parent { id, ..*parent });
            }
            Entry::Occupied(place) => {
                let other = &mut others[*place.get()].on_failure;
                *other = other.stricter(parent.on_failure);
            }
        }
    }
    Some(others)
}

/// An order in which each task comes after those of its parents that are among `tasks`; or the places of a cycle.
pub fn order<'a, I>(tasks: I) -> Result<Vec<usize>, Vec<usize>>
where
    I: ExactSizeIterator<Item = (TaskId, &'a [Parent])> + Clone,
{
    let Sorted { order, children, unmet } = sort(tasks);
    if order.len() == unmet.len() { Ok(order) } else { Err(cycle(&children, &unmet)) }
}

/// The places of the tasks that have no place in any order: those of cycles, and those that wait for such.
pub fn stuck<'a, I>(tasks: I) -> Vec<usize>
where
    I: ExactSizeIterator<Item = (TaskId, &'a [Parent])> + Clone,
{
    if tasks.clone().all(|(_, parents)| parents.is_empty()) {
        return Vec::new();
    }
    let unmet = sort(tasks).unmet;
    (0..unmet.len()).filter(|place| unmet[*place] > 0).collect()
}

struct Sorted {
    order: Vec<usize>,
    children: Vec<Vec<usize>>,
    /// By place: parents that are not in the order.
    unmet: Vec<usize>,
}

/// As far as it goes; linear in the number of tasks and edges (Kahn, 1962).
fn sort<'a, I>(tasks: I) -> Sorted
where
    I: ExactSizeIterator<Item = (TaskId, &'a [Parent])> + Clone,
{
    let places: HashMap<TaskId, usize> = tasks.clone().enumerate().map(|(place, (id, _))| (id, place)).collect();
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); tasks.len()];
    let mut unmet = vec![0_usize; tasks.len()];
    for (place, (_, parents)) in tasks.clone().enumerate() {
        for parent in parents.iter().filter_map(|parent| places.get(&parent.id)) {
            children[*parent].push(place);
            unmet[place] += 1;
        }
    }
    let mut order: Vec<usize> = (0..unmet.len()).filter(|place| unmet[*place] == 0).collect();
    let mut next = 0;
    while let Some(&place) = order.get(next) {
        next += 1;
        for &child in &children[place] {
            unmet[child] -= 1;
            if unmet[child] == 0 {
                order.push(child);
            }
        }
    }
    Sorted { order, children, unmet }
}

/// Every task that is left has a parent that is left: going from parent to parent must come back to where it was.
fn cycle(children: &[Vec<usize>], unmet: &[usize]) -> Vec<usize> {
    let mut parent_of: HashMap<usize, usize> = HashMap::new();
    for (place, of) in children.iter().enumerate().filter(|(place, _)| unmet[*place] > 0) {
        parent_of.extend(of.iter().map(|child| (*child, place)));
    }
    let Some(start) = (0..unmet.len()).find(|place| unmet[*place] > 0) else { return Vec::new() };
    let (mut path, mut place) = (Vec::new(), start);
    loop {
        if let Some(from) = path.iter().position(|visited| *visited == place) {
            let mut cycle = path.split_off(from);
            cycle.reverse();
            return cycle;
        }
        path.push(place);
        match parent_of.get(&place) {
            Some(parent) => place = *parent,
            None => return path,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(n: usize) -> TaskId {
        let mut bytes = [0; 16];
        bytes[8..].copy_from_slice(&(n as u64).to_be_bytes());
        TaskId::from_bytes(bytes)
    }

    fn parents(edges: &[(usize, usize)], n: usize) -> Vec<Vec<Parent>> {
        let mut parents: Vec<Vec<Parent>> = vec![Vec::new(); n];
        for (child, parent) in edges {
            parents[*child].push(Parent { id: id(*parent), on_failure: OnFailure::Skip });
        }
        parents
    }

    fn stuck_of(edges: &[(usize, usize)], n: usize) -> Vec<usize> {
        let parents = parents(edges, n);
        stuck(parents.iter().enumerate().map(|(place, parents)| (id(place), parents.as_slice())))
    }

    fn ordered(edges: &[(usize, usize)], n: usize) -> Result<Vec<usize>, Vec<usize>> {
        let parents = parents(edges, n);
        order(parents.iter().enumerate().map(|(place, parents)| (id(place), parents.as_slice())))
    }

    proptest! {
        #[test]
        fn an_order_has_parents_first_and_a_cycle_is_one(
            n in 1..30_usize, edges in prop::collection::vec((0..30_usize, 0..30_usize), 0..60),
        ) {
            let edges: Vec<_> = edges.into_iter().map(|(child, parent)| (child % n, parent % n)).collect();
            match ordered(&edges, n) {
                Ok(order) => {
                    let mut sorted = order.clone();
                    sorted.sort_unstable();
                    prop_assert_eq!(sorted, (0..n).collect::<Vec<_>>());
                    let place = |task| order.iter().position(|other| *other == task);
                    for (child, parent) in edges {
                        prop_assert!(place(parent) < place(child));
                    }
                }
                Err(cycle) => {
                    prop_assert!(!cycle.is_empty());
                    let stuck = stuck_of(&edges, n);
                    prop_assert!(cycle.iter().all(|place| stuck.contains(place)));
                    // Nothing is that does not wait for one that is, and without them there is an order.
                    for place in &stuck {
                        prop_assert!(edges.iter().any(|(child, parent)| child == place && stuck.contains(parent)));
                    }
                    let rest: Vec<_> = edges.iter().filter(|(child, _)| !stuck.contains(child)).copied().collect();
                    prop_assert!(rest.iter().all(|(_, parent)| !stuck.contains(parent)));
                    prop_assert!(ordered(&rest, n).is_ok());
                    for (index, parent) in cycle.iter().enumerate() {
                        let child = cycle[(index + 1) % cycle.len()];
                        prop_assert!(edges.contains(&(child, *parent)), "{:?}", cycle);
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn moved_parents_are_each_there_once_and_none_is_looser_than_it_was(
            parents in prop::collection::vec((0..12_usize, any::<bool>()), 0..12),
            to in prop::collection::hash_map(0..12_usize, 0..12_usize, 0..8),
        ) {
            let policy = |run: bool| if run { OnFailure::Run } else { OnFailure::Skip };
            let parents: Vec<_> = parents.iter().map(|(n, run)| Parent { id: id(*n), on_failure: policy(*run) }).collect();
            let to: HashMap<_, _> = to.iter().map(|(from, to)| (id(*from), id(*to))).collect();
            let place = |parent: &Parent| *to.get(&parent.id).unwrap_or(&parent.id);
            let Some(others) = moved(&parents, &to) else {
                prop_assert!(parents.iter().all(|parent| !to.contains_key(&parent.id)));
                return Ok(());
            };
            for (index, other) in others.iter().enumerate() {
                prop_assert!(others[..index].iter().all(|before| before.id != other.id));
                let mut of = parents.iter().filter(|parent| place(parent) == other.id).peekable();
                prop_assert!(of.peek().is_some());
                prop_assert_eq!(other.on_failure, policy(of.all(|parent| parent.on_failure == OnFailure::Run)));
            }
            prop_assert!(parents.iter().all(|parent| others.iter().any(|other| other.id == place(parent))));
        }
    }

    #[test]
    fn parents_that_are_not_among_the_tasks_do_not_count() {
        assert_eq!(ordered(&[(0, 7), (1, 0)], 2), Ok(vec![0, 1]));
        assert_eq!(ordered(&[(0, 0)], 1), Err(vec![0]));
    }
}
