//! What makes a task the only one of its kind: a key, and how long the task keeps it.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    Millis, Status,
    Status::{Cancelled, Expired, Failed, Pending, Queued, Retry, Running, Scheduled, Skipped, Success, Timeout},
    canonical::{Canonical, write_object},
};

/// A key that at most one task of a queue has at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unique {
    pub key: String,
    pub conflict: UniqueConflict,
    pub scope: KeyScope,
    /// A task that is over lets go of its key then, whatever its scope says.
    pub until: Option<Millis>,
}

impl Unique {
    /// Held while the task is live.
    pub fn live(key: impl Into<String>) -> Self {
        Self { key: key.into(), conflict: UniqueConflict::Return, scope: KeyScope::LIVE, until: None }
    }
}

/// What a submission does when another task has its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UniqueConflict {
    /// Answer with the holder.
    #[default]
    Return,
    /// Refuse.
    Reject,
    /// Make of the holder what was asked for, if it waits; otherwise refuse.
    Replace,
}

impl UniqueConflict {
    pub const ALL: [(&'static str, Self); 3] =
        [("return", Self::Return), ("reject", Self::Reject), ("replace", Self::Replace)];

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(word, _)| *word == text).map(|(_, conflict)| conflict)
    }
}

/// The statuses in which a task has its key, as bits of their numbers: those in which it waits, with or without `running`,
/// and with that some in which it is over. So a key that was let go is never to be had again before the task starts anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyScope(u16);

const fn bits(statuses: &[Status]) -> u16 {
    let (mut bits, mut place) = (0, 0);
    while place < statuses.len() {
        bits |= 1 << statuses[place].code();
        place += 1;
    }
    bits
}

/// What a scope is written with. `waiting` is whatever comes before a start, also before another one.
const WORDS: [(&str, u16); 8] = [
    ("waiting", KeyScope::WAITING.0),
    ("running", bits(&[Running])),
    ("success", bits(&[Success])),
    ("failed", bits(&[Failed])),
    ("timeout", bits(&[Timeout])),
    ("cancelled", bits(&[Cancelled])),
    ("expired", bits(&[Expired])),
    ("skipped", bits(&[Skipped])),
];

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScopeFault {
    #[error("{0:?} is none of {words}", words = KeyScope::words().join(", "))]
    Unknown(String),
    #[error("must have \"waiting\" in it: a key is held from the submission on")]
    NotWaiting,
    #[error(
        "must have \"running\" in it beside {0:?}: a key that is let go at the start is not taken again at the end"
    )]
    NotRunning(&'static str),
}

impl KeyScope {
    const WAITING: Self = Self(bits(&[Pending, Scheduled, Queued, Retry]));
    pub const LIVE: Self = Self(bits(&[Pending, Scheduled, Queued, Retry, Running]));
    /// Whatever becomes of it.
    pub const ALWAYS: Self = Self(bits(&Status::ALL));

    pub fn words() -> [&'static str; WORDS.len()] {
        WORDS.map(|(word, _)| word)
    }

    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, ScopeFault> {
        let mut scope = Self(0);
        for word in words {
            let known = WORDS.iter().find(|(known, _)| *known == word);
            scope.0 |= known.ok_or_else(|| ScopeFault::Unknown(word.to_owned()))?.1;
        }
        if !scope.holds(Queued) {
            return Err(ScopeFault::NotWaiting);
        }
        let after = Status::ALL.into_iter().find(|status| status.is_terminal() && scope.holds(*status));
        match after.filter(|_| !scope.holds(Running)) {
            Some(status) => Err(ScopeFault::NotRunning(status.as_str())),
            None => Ok(scope),
        }
    }

    pub fn to_words(self) -> Vec<&'static str> {
        WORDS.iter().filter(|(_, bits)| self.0 & bits != 0).map(|(word, _)| *word).collect()
    }

    pub const fn holds(self, status: Status) -> bool {
        self.0 & (1 << status.code()) != 0
    }

    /// The task has its key in some ways of being over.
    pub fn outlives(self) -> bool {
        self.0 & !Self::LIVE.0 != 0
    }

    /// As it is stored: nothing for what most have.
    pub fn code(self) -> Option<i32> {
        (self != Self::LIVE).then(|| self.0.into())
    }

    pub fn from_code(code: Option<i32>) -> Self {
        code.and_then(|code| u16::try_from(code).ok()).map_or(Self::LIVE, Self)
    }
}

/// The bit of a status in a stored scope.
pub fn bit(status: Status) -> i32 {
    1 << status.code()
}

/// Most parts of a task that one key is made of, and the longest path to one, in bytes.
pub const MAX_PARTS: usize = 20;
const MAX_PATH: usize = 256;

/// What a key can be made of.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    pub name: &'a str,
    pub queue: &'a str,
    /// JSON texts, checked.
    pub args: &'a str,
    pub kwargs: &'a str,
    pub meta: Option<&'a str>,
}

/// What everything that tells one call from another is.
pub const WHOLE_CALL: [&str; 3] = ["name", "args", "kwargs"];

/// `sha256:` and 128 bits of the hash of a JSON object in canonical form: the paths, each with what is there. What is wrong is
/// told with the place of its path.
pub fn derive(by: &[impl AsRef<str>], parts: Parts<'_>) -> Result<String, (usize, String)> {
    let mut roots: [(&str, Option<&str>, Option<Canonical>); 3] =
        [("args", Some(parts.args), None), ("kwargs", Some(parts.kwargs), None), ("meta", parts.meta, None)];
    let mut found = std::collections::BTreeMap::new();
    for (place, path) in by.iter().map(AsRef::as_ref).enumerate() {
        let fault = |detail: String| (place, detail);
        let (root, rest) = path.split_once('.').map_or((path, None), |(root, rest)| (root, Some(rest)));
        let value = match (root, rest) {
            ("name", None) => Canonical::string(parts.name),
            ("queue", None) => Canonical::string(parts.queue),
            _ => {
                let root = roots.iter_mut().find(|(name, ..)| *name == root);
                let (_, text, read) = root.filter(|_| path.len() <= MAX_PATH).ok_or_else(|| {
                    fault("must be \"name\", \"queue\", \"args\", \"kwargs\", \"meta\" or a path such as \"args.0\" or \"kwargs.user.id\"".into())
                })?;
                if let (None, Some(text)) = (&read, *text) {
                    *read = Canonical::read(text);
                }
                let whole = read.as_ref();
                let value = rest.map_or(whole, |rest| rest.split('.').try_fold(whole?, |at, one| at.get(one)));
                value.cloned().ok_or_else(|| fault(format!("the task has nothing at {path:?}; a null would do")))?
            }
        };
        found.insert(path, value);
    }
    let mut text = String::new();
    write_object(found.iter().map(|(path, value)| (*path, value)), &mut text);
    Ok(short(&text))
}

/// The first 128 bits in base64url. No longer than it must be: keys that are hashes are spread over the whole index, so its size
/// is what a submission costs.
fn short(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let hash = Sha256::digest(text);
    let bits = hash.iter().take(16).fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    let digit = |place: u32| {
        let left = 128 - 6 * (place + 1).min(21);
        let six = if place < 21 { bits >> left } else { bits << 4 };
        char::from(DIGITS[usize::try_from(six & 63).unwrap_or(0)])
    };
    "sha256:".chars().chain((0..22).map(digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTS: Parts<'_> = Parts {
        name: "n",
        queue: "q",
        args: r#"[1, {"a": [2, 3]}]"#,
        kwargs: r#"{"user": {"id": 7, "name": "ü"}, "none": null}"#,
        meta: None,
    };

    #[test]
    fn a_key_is_the_hash_of_its_parts() {
        // printf '{"args.0":1,"kwargs.user.id":7,"name":"n"}' | openssl dgst -sha256 -binary | head -c 16 | basenc --base64url
        let key = derive(&["name", "kwargs.user.id", "args.0"], PARTS).unwrap();
        assert_eq!(key, "sha256:oHPphO1l-xCwXP4hkjwNMw");
        let same = Parts { args: r#"[1.0]"#, kwargs: r#"{"user":{"id":70e-1}}"#, queue: "other", ..PARTS };
        assert_eq!(derive(&["args.0", "name", "name", "kwargs.user.id"], same), Ok(key.clone()));
        assert_ne!(derive(&["args.0", "name"], PARTS), Ok(key.clone()));
        assert_ne!(derive(&["name", "kwargs.user.id", "args.0"], Parts { name: "m", ..PARTS }), Ok(key));
        // A value says where it is from.
        let swapped = Parts { args: "[7]", kwargs: r#"{"x":1}"#, ..PARTS };
        let straight = Parts { args: "[1]", kwargs: r#"{"x":7}"#, ..PARTS };
        assert_ne!(derive(&["args.0", "kwargs.x"], swapped), derive(&["args.0", "kwargs.x"], straight));
    }

    #[test]
    fn what_is_not_there_is_said() {
        for path in [
            "args.2",
            "args.01",
            "args.-1",
            "args.+1",
            "args.",
            "args.0.x",
            "kwargs.",
            "kwargs.user.x",
            "kwargs..id",
            "meta",
            "meta.x",
        ] {
            let (place, detail) = derive(&["name", path], PARTS).unwrap_err();
            assert!(place == 1 && detail.contains("nothing at"), "{path}: {detail}");
        }
        for path in ["", "tags", "name.x", "queue.x", "Args", "argsx", "args/0"] {
            let (_, detail) = derive(&[path], PARTS).unwrap_err();
            assert!(detail.contains("must be"), "{path}: {detail}");
        }
        for path in ["args", "args.1.a.1", "kwargs.none", "kwargs.user.name"] {
            assert!(derive(&[path], PARTS).is_ok(), "{path}");
        }
    }

    #[test]
    fn a_scope_never_has_a_gap() {
        for words in [&["waiting"][..], &["waiting", "running"], &["running", "waiting", "success", "failed"]] {
            let scope = KeyScope::parse(words.iter().copied()).unwrap();
            assert_eq!(KeyScope::from_code(scope.code()), scope);
            let mut sorted = words.to_vec();
            sorted.sort_by_key(|word| KeyScope::words().iter().position(|known| known == word));
            assert_eq!(scope.to_words(), sorted);
        }
        assert_eq!(KeyScope::parse(["waiting", "running"]), Ok(KeyScope::LIVE));
        assert_eq!(KeyScope::parse(KeyScope::words()), Ok(KeyScope::ALWAYS));
        assert_eq!(KeyScope::parse(["running"]), Err(ScopeFault::NotWaiting));
        assert_eq!(KeyScope::parse(["waiting", "success"]), Err(ScopeFault::NotRunning("success")));
        assert_eq!(KeyScope::parse(["waiting", "queued"]), Err(ScopeFault::Unknown("queued".into())));
    }
}
