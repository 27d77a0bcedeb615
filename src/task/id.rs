//! Identifiers. A task's id is a UUIDv7: its order is the order of submission, so an index on it is a time index too.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The 16 bytes as stored, big end first, so that byte order is id order.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// `None` unless `bytes` are 16.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Uuid::from_bytes(self.0).as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                // Only the 36 character form: the others would give one task several addresses.
                if text.len() != 36 {
                    return Err(InvalidId($what));
                }
                Uuid::try_parse(text).map(|uuid| Self(uuid.into_bytes())).map_err(|_| InvalidId($what))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut text = [0; 36];
                serializer.serialize_str(Uuid::from_bytes(self.0).as_hyphenated().encode_lower(&mut text))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

identifier!(
    /// A task. UUIDv7, increasing within a process.
    TaskId,
    "task id"
);
identifier!(
    /// One grant of tasks to a worker: random, so that a superseded holder can be told from the present one.
    LeaseId,
    "lease id"
);
identifier!(
    /// One incarnation of a worker node: a restart is a new one.
    WorkerId,
    "worker id"
);
identifier!(
    /// A key of the API.
    KeyId,
    "key id"
);

impl TaskId {
    /// The next id; ids made by one process increase even within a millisecond.
    pub fn new() -> Self {
        Self(Uuid::now_v7().into_bytes())
    }

    /// The least id made at or after `at`: where a list by time begins.
    pub fn first_at(at: super::Millis) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&at.clamp(0, (1 << 48) - 1).to_be_bytes()[2..]);
        Self(bytes)
    }
}

impl Default for TaskId {
    fn default() -> Self {
        Self::new()
    }
}

impl LeaseId {
    pub fn random() -> Self {
        Self(Uuid::new_v4().into_bytes())
    }
}

impl KeyId {
    pub fn random() -> Self {
        Self(Uuid::new_v4().into_bytes())
    }
}

impl WorkerId {
    pub fn new() -> Self {
        Self(Uuid::now_v7().into_bytes())
    }
}

impl Default for WorkerId {
    fn default() -> Self {
        Self::new()
    }
}

/// What the outside holds as proof of its grant: the task (to find the row by its key) and the random lease.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LeaseToken {
    pub task: TaskId,
    pub lease: LeaseId,
}

impl fmt::Display for LeaseToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let simple = |bytes| Uuid::from_bytes(bytes);
        write!(f, "{}{}", simple(self.task.0).as_simple(), simple(self.lease.0).as_simple())
    }
}

impl FromStr for LeaseToken {
    type Err = InvalidLease;

    fn from_str(text: &str) -> Result<Self, InvalidLease> {
        let halves = text.split_at_checked(32).filter(|_| text.len() == 64).ok_or(InvalidLease)?;
        let read = |half: &str| Uuid::try_parse(half).map(Uuid::into_bytes).map_err(|_| InvalidLease);
        Ok(Self { task: TaskId(read(halves.0)?), lease: LeaseId(read(halves.1)?) })
    }
}

impl Serialize for LeaseToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The text is no lease id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a lease id: expected the 64 hexadecimal digits that came with the task")]
pub struct InvalidLease;

/// The text is not a UUID in its 36 character form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {0}: expected a UUID such as 0198f2d4-7a3c-7c11-9a34-5b8e4d1f0c2a")]
pub struct InvalidId(&'static str);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_process_increase() {
        let ids: Vec<_> = (0..10_000).map(|_| TaskId::new()).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn an_id_reads_back_from_its_text_and_nothing_else_does() {
        let id = TaskId::new();
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "x", &id.to_string()[1..], &format!("{{{id}}}"), &id.to_string().replace('-', "")] {
            assert!(bad.parse::<TaskId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_lease_reads_back_from_its_text_and_nothing_else_does() {
        let token = LeaseToken { task: TaskId::new(), lease: LeaseId::random() };
        let text = token.to_string();
        assert_eq!(text.parse(), Ok(token));
        let wide = format!("{}é{}", &text[..31], &text[33..]);
        for bad in ["", "x", &text[1..], &format!("{text}0"), &format!("{}-{}", &text[..31], &text[32..]), &wide] {
            assert_eq!(bad.parse::<LeaseToken>(), Err(InvalidLease), "{bad}");
        }
    }

    #[test]
    fn the_first_id_of_a_moment_is_below_every_id_made_then() {
        let at = 1_800_000_000_123;
        let made = Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, 1_800_000_000, 123_000_000));
        assert!(TaskId::first_at(at) <= TaskId::from_bytes(made.into_bytes()));
        assert!(TaskId::first_at(at + 1) > TaskId::from_bytes(made.into_bytes()));
    }
}
