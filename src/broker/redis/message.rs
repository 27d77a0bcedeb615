//! Notices as bytes. What comes in was written by anybody who can reach Redis.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    broker::bus::{Events, Notice},
    task::{TaskId, name},
};

const VERSION: u8 = 1;
/// Longer ones are not even parsed.
const LONGEST: usize = 64 * 1024;
/// Queues or tasks in one message.
const MOST: usize = 1_000;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    v: u8,
    /// The node that sends.
    node: String,
    body: Body,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Body {
    Wake(Vec<Arc<str>>),
    Cancel(Vec<TaskId>),
    Queues(Vec<Arc<str>>),
    Keys,
    Events(Events),
}

/// `None`: there is nothing to send.
pub(super) fn encode(node: &str, notice: Notice) -> Option<Vec<u8>> {
    let body = match notice {
        Notice::Wake(queues) => Body::Wake(queues),
        Notice::Cancel(ids) => Body::Cancel(ids),
        Notice::QueuesChanged(queues) => Body::Queues(queues),
        Notice::KeysChanged => Body::Keys,
        Notice::Events(mut events) => {
            // Names enough for anybody; those who watch read again anyway.
            events.more |= events.queues.len() > 100;
            events.queues = events.queues.into_iter().take(100).collect();
            Body::Events(events)
        }
        Notice::Missed => return None,
    };
    serde_json::to_vec(&Message { v: VERSION, node: node.to_owned(), body }).ok()
}

/// What a message says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Notice(Notice),
    /// Sent by this node.
    Own,
    /// Not one of ours, or of a version we do not know.
    Malformed,
}

pub(super) fn decode(node: &str, bytes: &[u8]) -> Heard {
    if bytes.len() > LONGEST {
        return Heard::Malformed;
    }
    let Ok(Message { v: VERSION, node: sender, body }) = serde_json::from_slice(bytes) else { return Heard::Malformed };
    if sender == node {
        return Heard::Own;
    }
    let are_names = |queues: &[Arc<str>]| queues.len() <= MOST && queues.iter().all(|queue| name::queue(queue).is_ok());
    let notice = match body {
        Body::Wake(queues) if are_names(&queues) => Notice::Wake(queues),
        Body::Queues(queues) if are_names(&queues) => Notice::QueuesChanged(queues),
        Body::Cancel(ids) if ids.len() <= MOST => Notice::Cancel(ids),
        Body::Keys => Notice::KeysChanged,
        Body::Events(events) if is_sound(&events) => Notice::Events(events),
        _ => return Heard::Malformed,
    };
    Heard::Notice(notice)
}

fn is_sound(events: &Events) -> bool {
    events.ids.len() <= Events::MAX_IDS
        && events.ended.len() <= Events::MAX_ENDED
        && events.queues.len() <= MOST
        && events.queues.iter().all(|queue| name::queue(queue).is_ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::task::Status;

    #[test]
    fn notices_come_out_as_they_went_in_and_own_ones_do_not() {
        let id = TaskId::new();
        let events = Events {
            counts: [(Status::Success, 3)].into(),
            queues: ["a".into()].into(),
            ids: vec![id],
            ended: vec![id],
            more: true,
            ..Events::default()
        };
        for notice in [
            Notice::Wake(vec!["a".into(), "b.c".into()]),
            Notice::Cancel(vec![id]),
            Notice::QueuesChanged(vec!["a".into()]),
            Notice::KeysChanged,
            Notice::Events(events),
        ] {
            let bytes = encode("x", notice.clone()).unwrap();
            assert_eq!(decode("y", &bytes), Heard::Notice(notice));
            assert_eq!(decode("x", &bytes), Heard::Own);
        }
        assert_eq!(encode("x", Notice::Missed), None);
    }

    #[test]
    fn the_longest_message_is_accepted() {
        let queues = (0..500).map(|n| format!("{n:064}").as_str().into()).collect();
        let ids: Vec<_> = (0..500).map(|_| TaskId::new()).collect();
        let events = Events { ended: ids.clone(), ids: ids[..100].to_vec(), ..Events::default() };
        for notice in [Notice::Wake(queues), Notice::Cancel(ids), Notice::Events(events)] {
            assert_eq!(decode("y", &encode("x", notice.clone()).unwrap()), Heard::Notice(notice));
        }
    }

    #[test]
    fn what_is_not_ours_is_malformed() {
        let long = vec![b' '; LONGEST + 1];
        let many = format!(r#"{{"v":1,"node":"x","body":{{"wake":[{}"a"]}}}}"#, r#""a","#.repeat(MOST));
        for bytes in [
            &b""[..],
            b"null",
            b"\xff\xfe",
            &long,
            many.as_bytes(),
            br#"{"v":2,"node":"x","body":"keys"}"#,
            br#"{"v":1,"node":"x","body":"keys","more":1}"#,
            br#"{"v":1,"node":"x","body":"what"}"#,
            br#"{"v":1,"node":"x","body":{"wake":["a b"]}}"#,
            br#"{"v":1,"node":"x","body":{"wake":[""]}}"#,
            br#"{"v":1,"node":"x","body":{"cancel":["no id"]}}"#,
            br#"{"v":1,"node":"x","body":{"events":{"counts":{"what":1}}}}"#,
        ] {
            assert_eq!(decode("y", bytes), Heard::Malformed, "{}", String::from_utf8_lossy(bytes));
        }
        let deep = [b"[".repeat(30_000), b"]".repeat(30_000)].concat();
        assert_eq!(decode("y", &deep), Heard::Malformed);
    }

    proptest! {
        #[test]
        fn nothing_that_comes_in_does_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(decode("y", &bytes), Heard::Malformed);
        }
    }
}
