//! Names of keys. Every key of a queue has the same hash tag, so that one script may use them all on a Redis Cluster.

use crate::task::Priority;

/// Makes the keys of one installation.
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    pub(super) fn generation(&self) -> String {
        format!("{}:generation", self.prefix)
    }

    /// The one channel between the nodes.
    pub(super) fn channel(&self) -> String {
        format!("{}:bus", self.prefix)
    }

    pub(super) fn state(&self, queue: &str) -> String {
        self.of(queue, "state")
    }

    /// Refills under way: the field is level and token, the value when it is given up.
    pub(super) fn gates(&self, queue: &str) -> String {
        self.of(queue, "gates")
    }

    pub(super) fn lane(&self, queue: &str, level: u8) -> String {
        self.of(queue, &format!("lane:{level}"))
    }

    /// Hints that came while the store is read.
    pub(super) fn gate(&self, queue: &str, level: u8) -> String {
        self.of(queue, &format!("gate:{level}"))
    }

    pub(super) fn lanes(&self, queue: &str) -> impl Iterator<Item = String> {
        (0..=Priority::MAX).map(|level| self.lane(queue, level))
    }

    /// Everything there is of a queue, its state first.
    pub(super) fn all(&self, queue: &str) -> Vec<String> {
        let gates = (0..=Priority::MAX).map(|level| self.gate(queue, level));
        [self.state(queue), self.gates(queue)].into_iter().chain(self.lanes(queue)).chain(gates).collect()
    }

    fn of(&self, queue: &str, what: &str) -> String {
        format!("{{{}:{queue}}}:{what}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What Redis Cluster hashes: what is between the first `{` and the next `}`, if that is anything.
    fn hash_tag(key: &str) -> &str {
        let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
        tag.filter(|tag| !tag.is_empty()).unwrap_or(key)
    }

    proptest! {
        #[test]
        fn all_keys_of_a_queue_share_a_hash_tag(queue in "[A-Za-z0-9._-]{1,64}", prefix in "[A-Za-z0-9._:-]{1,32}") {
            let keys = Keys::new(&prefix);
            let all = keys.all(&queue);
            let want = format!("{prefix}:{queue}");
            for key in &all {
                prop_assert_eq!(hash_tag(key), want.as_str());
            }
            let different: std::collections::BTreeSet<_> = all.iter().collect();
            prop_assert_eq!(different.len(), 22);
        }
    }

    #[test]
    fn queues_and_installations_do_not_meet() {
        assert_ne!(Keys::new("a").lane("q", 1), Keys::new("b").lane("q", 1));
        assert_ne!(Keys::new("a").lane("q", 1), Keys::new("a").lane("q", 2));
    }
}
