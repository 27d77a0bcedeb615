//! Who may do what: scopes, and the queues a key is good for.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::name::{self, InvalidName};

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// See everything but keys and the audit log.
    Read,
    /// Submit tasks.
    Submit,
    /// Run tasks as a worker.
    Work,
    /// Cancel, retry, pause, settings; and `read`, as nobody should act on what they cannot see.
    Operate,
    /// Everything, keys among it.
    Admin,
}

impl Scope {
    pub const ALL: [Self; 5] = [Self::Read, Self::Submit, Self::Work, Self::Operate, Self::Admin];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Submit => "submit",
            Self::Work => "work",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of scopes, as given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.has(*scope))
    }

    /// Given by name; see [`Scopes::allow`] for what that implies.
    pub fn has(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u8) != 0
    }

    /// `admin` implies everything, `operate` implies `read`.
    pub fn allow(self, scope: Scope) -> bool {
        self.has(scope) || self.has(Scope::Admin) || (scope == Scope::Read && self.has(Scope::Operate))
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Names separated by spaces. What an older version does not know is dropped: a key then may do less, never more.
    pub fn from_words(text: &str) -> Self {
        text.split(' ').filter_map(Scope::parse).collect()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |set, scope| set | (1 << scope as u8)))
    }
}

/// Names separated by spaces.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iter().map(Scope::as_str).collect::<Vec<_>>().join(" "))
    }
}

/// The queues a key is good for: names in which `*` stands for any characters, or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach(Arc<[String]>);

impl Reach {
    /// Every queue.
    pub fn all() -> Self {
        Self(Arc::new(["*".to_owned()]))
    }

    /// The patterns, each checked by [`Reach::check`] before.
    pub fn of(patterns: impl IntoIterator<Item = String>) -> Self {
        Self(patterns.into_iter().collect())
    }

    /// A queue's name, with any number of `*` in it.
    pub fn check(pattern: &str) -> Result<(), InvalidName> {
        let plain = pattern.replace('*', "");
        if plain.is_empty() && !pattern.is_empty() && pattern.len() <= 64 {
            return Ok(());
        }
        name::queue(if pattern.len() > 64 { pattern } else { &plain })
    }

    pub fn patterns(&self) -> &[String] {
        &self.0
    }

    pub fn is_all(&self) -> bool {
        self.0.iter().any(|pattern| pattern == "*")
    }

    pub fn includes(&self, queue: &str) -> bool {
        self.0.iter().any(|pattern| matches(pattern.as_bytes(), queue.as_bytes()))
    }

    /// Every queue of the other one is also one of these. A pattern that matches another, taken as a text, matches all that
    /// the other does: only its own `*` can stand for a `*`, and that stands for whatever is put in there.
    pub fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|pattern| self.includes(pattern))
    }
}

/// Goes back to the last `*` only, so that no pattern costs more than its length times the name's.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut from, mut star) = (0, 0, None);
    while from < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(byte) if *byte == name[from] => (at, from) = (at + 1, from + 1),
            _ => match star {
                None => return false,
                Some((starred, taken)) => {
                    star = Some((starred, taken + 1));
                    (at, from) = (starred + 1, taken + 1);
                }
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, yes, no) in [
            ("*", &["a", "mail-1"][..], &[][..]),
            ("mail", &["mail"], &["mail-1", "xmail", ""]),
            ("mail-*", &["mail-", "mail-1"], &["mail", "xmail-1"]),
            ("*-eu-*", &["a-eu-b", "-eu-", "a-eu-eu-b"], &["a-eu", "eu"]),
            ("a*b*c", &["abc", "axxbxxc", "abcbc"], &["ab", "acb"]),
        ] {
            let reach = Reach::of([pattern.to_owned()]);
            assert!(yes.iter().all(|name| reach.includes(name)), "{pattern}");
            assert!(!no.iter().any(|name| reach.includes(name)), "{pattern}");
        }
        assert!(!Reach::of([]).includes("a"), "no pattern is no queue");
        for (pattern, valid) in [("*", true), ("a-*", true), ("", false), ("a b", false), ("a/*", false)] {
            assert_eq!(Reach::check(pattern).is_ok(), valid, "{pattern}");
        }
    }

    #[test]
    fn what_covers_another_has_all_its_queues() {
        let reach = |patterns: &str| Reach::of(patterns.split(' ').map(str::to_owned));
        for (wide, narrow, covers) in [
            ("*", "mail-* a", true),
            ("mail-*", "mail-eu-*", true),
            ("mail-* a*", "a mail-1", true),
            ("mail-*", "mail-* b", false),
            ("mail-*", "*", false),
            ("mail-*", "*-1", false),
            ("a*b*c", "a*c", false),
            ("a*c", "a*b*c", true),
        ] {
            assert_eq!(reach(wide).covers(&reach(narrow)), covers, "{wide} over {narrow}");
        }
    }

    #[test]
    fn scopes_imply_what_is_written() {
        let allowed = |scope: Scope| {
            let set: Scopes = [scope].into_iter().collect();
            Scope::ALL.into_iter().filter(|other| set.allow(*other)).map(Scope::as_str).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            Scope::ALL.map(allowed),
            ["read", "submit", "work", "read operate", "read submit work operate admin"]
        );
        assert_eq!(Scopes::from_words("submit nonsense read").to_string(), "read submit");
    }
}
