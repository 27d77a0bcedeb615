//! What a worker can run.

use std::collections::{BTreeSet, HashSet};

use serde::{Deserialize, Serialize};

use super::flow::hash;

/// The names it has handlers for and the labels it bears. A task is for it where both fit.
#[derive(Debug, Clone)]
pub struct Serves {
    /// `None`: whatever it is called.
    names: Option<HashSet<String>>,
    /// The same, in order.
    listed: Vec<String>,
    labels: BTreeSet<String>,
    print: i64,
}

impl Serves {
    /// Tasks of any name that require no label.
    pub fn everything() -> Self {
        Self::new(None, BTreeSet::new())
    }

    /// `None`: tasks of any name.
    pub fn new(names: Option<HashSet<String>>, labels: BTreeSet<String>) -> Self {
        let mut listed: Vec<String> = names.iter().flatten().cloned().collect();
        listed.sort_unstable();
        // No name and no label has a comma.
        let of_names = if names.is_some() { listed.join(",") } else { "*".into() };
        let of_labels = labels.iter().map(String::as_str).collect::<Vec<_>>().join(",");
        let print = hash(&["serves", &of_names, &of_labels]);
        Self { names, listed, labels, print }
    }

    /// Of two that serve the same it is the same.
    pub const fn print(&self) -> i64 {
        self.print
    }

    /// In order; `None`: any.
    pub fn names(&self) -> Option<&[String]> {
        self.names.as_ref().map(|_| self.listed.as_slice())
    }

    /// Nothing at all.
    pub fn is_nothing(&self) -> bool {
        self.names.as_ref().is_some_and(HashSet::is_empty)
    }

    pub const fn labels(&self) -> &BTreeSet<String> {
        &self.labels
    }

    pub fn has_name(&self, name: &str) -> bool {
        self.names.as_ref().is_none_or(|names| names.contains(name))
    }

    pub fn has_labels(&self, required: &[String]) -> bool {
        required.iter().all(|label| self.labels.contains(label))
    }
}

impl Default for Serves {
    fn default() -> Self {
        Self::everything()
    }
}

/// What others are told of a worker: of which tasks it may take some.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Offer {
    /// Empty: of all.
    pub queues: Vec<String>,
    /// In order; `None`: tasks of any name.
    pub names: Option<Vec<String>>,
    /// There are more names than are told.
    pub more_names: bool,
    pub labels: Vec<String>,
}

/// What a worker lacks for a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lack {
    Queue,
    Name,
    Label,
}

impl Offer {
    /// Names that are told.
    pub const MOST_NAMES: usize = 1_000;

    pub fn of(queues: &[String], serves: &Serves) -> Self {
        let more_names = serves.names().is_some_and(|names| names.len() > Self::MOST_NAMES);
        let names = serves.names().map(|names| names.iter().take(Self::MOST_NAMES).cloned().collect());
        Self { queues: queues.to_vec(), names, more_names, labels: serves.labels().iter().cloned().collect() }
    }

    /// The first thing it lacks for a task, whose name need not be known; `None`: it can run it.
    pub fn lacks(&self, queue: &str, name: Option<&str>, requires: &[String]) -> Option<Lack> {
        let is_in = |list: &[String], one: &str| list.iter().any(|listed| listed == one);
        let named = self.names.as_ref().filter(|_| !self.more_names).zip(name);
        let has_name = named.is_none_or(|(names, name)| is_in(names, name));
        if !self.queues.is_empty() && !is_in(&self.queues, queue) {
            Some(Lack::Queue)
        } else if !has_name {
            Some(Lack::Name)
        } else {
            (!requires.iter().all(|label| is_in(&self.labels, label))).then_some(Lack::Label)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serves(names: &[&str], labels: &[&str]) -> Serves {
        let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        Serves::new(Some(owned(names).into_iter().collect()), owned(labels).into_iter().collect())
    }

    #[test]
    fn a_task_is_for_whoever_knows_its_name_and_bears_all_its_labels() {
        let worker = serves(&["a", "b"], &["gpu", "eu"]);
        assert!(worker.has_name("a") && !worker.has_name("c"));
        assert!(worker.has_labels(&[]) && worker.has_labels(&["gpu".into(), "eu".into()]));
        assert!(!worker.has_labels(&["gpu".into(), "us".into()]));
        assert!(Serves::everything().has_name("c") && !Serves::everything().has_labels(&["gpu".into()]));
    }

    #[test]
    fn what_is_told_says_what_is_missing() {
        let offer = Offer::of(&["mail".into()], &serves(&["b", "a"], &["gpu"]));
        assert_eq!(offer.names, Some(vec!["a".into(), "b".into()]));
        assert_eq!(offer.lacks("mail", Some("a"), &["gpu".into()]), None);
        assert_eq!(offer.lacks("other", Some("c"), &[]), Some(Lack::Queue));
        assert_eq!(offer.lacks("mail", Some("c"), &["x".into()]), Some(Lack::Name));
        assert_eq!(offer.lacks("mail", Some("a"), &["gpu".into(), "x".into()]), Some(Lack::Label));
        assert_eq!(offer.lacks("mail", None, &[]), None, "of whatever name");
        assert_eq!(Offer::of(&[], &Serves::everything()).lacks("q", Some("any"), &[]), None);
        let many = (0..2_000).map(|n| format!("n{n}")).collect();
        let offer = Offer::of(&[], &Serves::new(Some(many), BTreeSet::new()));
        assert_eq!((offer.names.as_ref().map(Vec::len), offer.more_names), (Some(Offer::MOST_NAMES), true));
        assert_eq!(offer.lacks("q", Some("n1999"), &[]), None, "it may be one of those that are not told");
    }

    #[test]
    fn the_print_is_of_what_is_served() {
        assert_eq!(serves(&["a", "b"], &["x"]).print(), serves(&["b", "a"], &["x"]).print());
        let others = [serves(&["a"], &["b", "x"]), serves(&["a", "b"], &[]), serves(&[], &[]), Serves::everything()];
        assert!(others.iter().all(|other| other.print() != serves(&["a", "b"], &["x"]).print()));
        assert_ne!(serves(&[], &[]).print(), Serves::everything().print());
    }
}
