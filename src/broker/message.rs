//! Notices as bytes. What comes in was written by anybody who can reach the channel.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    broker::bus::{Events, Notice},
    task::{TaskId, WorkerId, name},
};

const VERSION: u8 = 1;
/// Longer ones are not even parsed.
pub(super) const LONGEST: usize = 64 * 1024;
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
    Submitted(Vec<Arc<str>>),
    Cancel { ids: Vec<TaskId>, at_once: bool },
    Queues(Vec<Arc<str>>),
    Keys,
    Workers(Vec<WorkerId>),
    Unresolved,
    Events(Events),
}

/// Messages of at most `longest` bytes that say it together; none where there is nothing to send.
pub(super) fn encode(node: &str, notice: Notice, longest: usize) -> Vec<Vec<u8>> {
    let whole = message(node, notice.clone());
    match whole {
        Some(bytes) if bytes.len() > longest => match halves(notice) {
            Some(halves) => halves.into_iter().flat_map(|half| encode(node, half, longest)).collect(),
            // One name or id is never so long.
            None => Vec::new(),
        },
        whole => whole.into_iter().collect(),
    }
}

/// The same, said by two; `None` where there is nothing to divide.
fn halves(notice: Notice) -> Option<[Notice; 2]> {
    fn split<T>(mut all: Vec<T>) -> Option<[Vec<T>; 2]> {
        let half = all.split_off(all.len().div_ceil(2));
        (!half.is_empty()).then_some([all, half])
    }
    Some(match notice {
        Notice::Wake(queues) => split(queues)?.map(Notice::Wake),
        Notice::Submitted(queues) => split(queues)?.map(Notice::Submitted),
        Notice::QueuesChanged(queues) => split(queues)?.map(Notice::QueuesChanged),
        Notice::WorkersAsked(workers) => split(workers)?.map(Notice::WorkersAsked),
        Notice::Cancel { ids, at_once } => split(ids)?.map(|ids| Notice::Cancel { ids, at_once }),
        Notice::Events(mut events) => {
            let mut later = Events::default();
            if let Some([first, rest]) = split(std::mem::take(&mut events.ended)) {
                (events.ended, later.ended) = (first, rest);
            }
            if let Some([first, rest]) = split(std::mem::take(&mut events.ids)) {
                (events.ids, later.ids) = (first, rest);
            }
            if let Some([first, rest]) = split(std::mem::take(&mut events.queues).into_iter().collect()) {
                (events.queues, later.queues) = (first.into_iter().collect(), rest.into_iter().collect());
            }
            if let Some([first, rest]) = split(std::mem::take(&mut events.noted)) {
                (events.noted, later.noted) = (first, rest);
            }
            (later != Events::default()).then_some([Notice::Events(events), Notice::Events(later)])?
        }
        Notice::KeysChanged | Notice::Unresolved | Notice::Missed => return None,
    })
}

fn message(node: &str, notice: Notice) -> Option<Vec<u8>> {
    let body = match notice {
        Notice::Wake(queues) => Body::Wake(queues),
        Notice::Submitted(queues) => Body::Submitted(queues),
        Notice::Cancel { ids, at_once } => Body::Cancel { ids, at_once },
        Notice::QueuesChanged(queues) => Body::Queues(queues),
        Notice::KeysChanged => Body::Keys,
        Notice::WorkersAsked(workers) => Body::Workers(workers),
        Notice::Unresolved => Body::Unresolved,
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
        Body::Submitted(queues) if are_names(&queues) => Notice::Submitted(queues),
        Body::Cancel { ids, at_once } if ids.len() <= MOST => Notice::Cancel { ids, at_once },
        Body::Keys => Notice::KeysChanged,
        Body::Workers(workers) if workers.len() <= MOST => Notice::WorkersAsked(workers),
        Body::Unresolved => Notice::Unresolved,
        Body::Events(events) if is_sound(&events) => Notice::Events(events),
        _ => return Heard::Malformed,
    };
    Heard::Notice(notice)
}

fn is_sound(events: &Events) -> bool {
    events.ids.len() <= Events::MAX_IDS
        && events.ended.len() <= Events::MAX_ENDED
        && events.noted.len() <= Events::MAX_NOTED
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
            noted: vec![(id, id)],
            ..Events::default()
        };
        for notice in [
            Notice::Wake(vec!["a".into(), "b.c".into()]),
            Notice::Submitted(vec!["a".into()]),
            Notice::Cancel { ids: vec![id], at_once: true },
            Notice::QueuesChanged(vec!["a".into()]),
            Notice::KeysChanged,
            Notice::WorkersAsked(vec![WorkerId::new()]),
            Notice::Unresolved,
            Notice::Events(events),
        ] {
            let bytes = encode("x", notice.clone(), LONGEST).remove(0);
            assert_eq!(decode("y", &bytes), Heard::Notice(notice));
            assert_eq!(decode("x", &bytes), Heard::Own);
        }
        assert!(encode("x", Notice::Missed, LONGEST).is_empty());
    }

    #[test]
    fn the_longest_message_is_accepted() {
        let queues = (0..500).map(|n| format!("{n:064}").as_str().into()).collect();
        let ids: Vec<_> = (0..500).map(|_| TaskId::new()).collect();
        let events = Events { ended: ids.clone(), ids: ids[..100].to_vec(), ..Events::default() };
        for notice in [Notice::Wake(queues), Notice::Cancel { ids, at_once: false }, Notice::Events(events)] {
            assert_eq!(decode("y", &encode("x", notice.clone(), LONGEST)[0]), Heard::Notice(notice));
        }
    }

    #[test]
    fn what_does_not_fit_is_said_in_parts() {
        let queues: Vec<Arc<str>> = (0..500).map(|n| format!("{n:064}").as_str().into()).collect();
        let ids: Vec<_> = (0..500).map(|_| TaskId::new()).collect();
        let events = Events {
            counts: [(Status::Success, 500)].into(),
            queues: queues[..100].iter().cloned().collect(),
            ended: ids.clone(),
            noted: ids[..100].iter().map(|id| (*id, *id)).collect(),
            ids: ids[..100].to_vec(),
            ..Events::default()
        };
        let heard = |notice| {
            let parts = encode("x", notice, 1_000);
            assert!(parts.len() > 1 && parts.iter().all(|part| part.len() <= 1_000));
            parts.into_iter().map(|part| decode("y", &part)).collect::<Vec<_>>()
        };
        let mut names = Vec::new();
        for part in heard(Notice::Wake(queues)) {
            let Heard::Notice(Notice::Wake(some)) = part else { panic!("{part:?}") };
            names.extend(some);
        }
        assert_eq!(names.len(), 500);
        let mut all = Events::default();
        for part in heard(Notice::Events(events.clone())) {
            let Heard::Notice(Notice::Events(some)) = part else { panic!("{part:?}") };
            all.merge(some);
        }
        assert_eq!(all, events);
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
            br#"{"v":1,"node":"x","body":{"cancel":{"ids":["no id"],"at_once":true}}}"#,
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
