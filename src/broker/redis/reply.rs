//! What Redis answers, none of it taken on trust.

use redis::Value;

use super::failure::Failure;
use crate::{
    broker::Popped,
    task::{Mark, Millis, Priority, TaskId},
};

const STRANGE: Failure = Failure::Strange("what no script of ours would");

/// Where a refill goes on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Horizon {
    /// The head is of another generation.
    Stale,
    Start,
    Until(Mark),
}

pub(super) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        Value::VerbatimString { text, .. } => Some(text),
        _ => None,
    }
}

pub(super) fn int(value: &Value) -> Result<i64, Failure> {
    match value {
        Value::Int(n) => Ok(*n),
        _ => Err(STRANGE),
    }
}

fn list(value: &Value) -> Result<&[Value], Failure> {
    match value {
        Value::Array(values) => Ok(values),
        _ => Err(STRANGE),
    }
}

/// Scores are doubles; ours are whole.
fn millis(value: &Value) -> Option<Millis> {
    let text = text(value)?;
    text.parse().ok().or_else(|| text.parse::<f64>().ok().filter(|n| n.is_finite()).map(|n| n as Millis))
}

fn id(value: &Value) -> Option<TaskId> {
    match value {
        Value::BulkString(bytes) => TaskId::from_slice(bytes),
        _ => None,
    }
}

fn priority(value: &Value) -> Option<Priority> {
    Priority::new(u8::try_from(int(value).ok()?).ok()?)
}

/// `None`: the head is of another generation. Never more than was asked for.
pub(super) fn popped(value: &Value, most: usize) -> Result<Option<Popped>, Failure> {
    let [code, rest @ ..] = list(value)? else { return Err(STRANGE) };
    if int(code)? == 0 {
        return Ok(None);
    }
    let [starved, due, blocked, rest @ ..] = rest else { return Err(STRANGE) };
    let mut popped =
        Popped { entries: Vec::new(), starved: priority(starved), next_due: millis(due), blocked: int(blocked)? != 0 };
    let mut rest = rest;
    while let [level, n, more @ ..] = rest {
        let priority = priority(level).ok_or(STRANGE)?;
        let n = usize::try_from(int(n)?).ok().filter(|n| 2 * n <= more.len()).ok_or(STRANGE)?;
        let (pairs, after) = more.split_at(2 * n);
        for pair in pairs.chunks_exact(2) {
            // A member that is no id is nobody's task.
            if let (Some(id), Some(at)) = (id(&pair[0]), millis(&pair[1])) {
                popped.entries.push((priority, (at, id)));
            }
        }
        rest = after;
    }
    popped.entries.truncate(most);
    Ok(Some(popped))
}

pub(super) fn horizon(value: &Value) -> Result<Horizon, Failure> {
    match list(value)? {
        [code] if int(code)? == 0 => Ok(Horizon::Stale),
        [_] => Ok(Horizon::Start),
        [_, score, member] => {
            let mark = millis(score).zip(id(member)).ok_or(STRANGE)?;
            Ok(Horizon::Until(mark))
        }
        _ => Err(STRANGE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(bytes: &[u8]) -> Value {
        Value::BulkString(bytes.to_vec())
    }

    #[test]
    fn hostile_answers_are_failures_or_nothing() {
        for strange in [
            Value::Nil,
            Value::Okay,
            Value::Array(vec![]),
            Value::Array(vec![Value::Nil]),
            Value::Array(vec![Value::Int(1)]),
            Value::Array(vec![Value::Int(1), Value::Int(-1), bulk(b""), Value::Int(0), Value::Int(5), Value::Int(9)]),
            Value::Array(vec![Value::Int(1), Value::Int(-1), bulk(b""), Value::Int(0), Value::Int(77), Value::Int(0)]),
            Value::Array(vec![Value::Int(1), Value::Int(-1), bulk(b""), Value::Int(0), Value::Int(5), Value::Int(-3)]),
        ] {
            assert!(popped(&strange, 1).is_err(), "{strange:?}");
            let _ = horizon(&strange);
        }
        let entry = |id: &[u8], at: &[u8]| {
            let head = [Value::Int(1), Value::Int(99), bulk(b"nan"), Value::Int(0), Value::Int(5), Value::Int(1)];
            Value::Array(head.into_iter().chain([bulk(id), bulk(at)]).collect())
        };
        for (id, at, n) in [
            (&b"short"[..], &b"1"[..], 0),
            (&[7; 17], b"1", 0),
            (&[7; 16], b"inf", 0),
            (&[7; 16], b"x", 0),
            (&[7; 16], b"1e3", 1),
            (&[7; 16], b"-5", 1),
        ] {
            let popped = popped(&entry(id, at), 9).unwrap().unwrap();
            assert_eq!((popped.entries.len(), popped.starved, popped.next_due), (n, None, None));
        }
        assert_eq!(popped(&entry(&[7; 16], b"1"), 0).unwrap().unwrap().entries, []);
    }
}
