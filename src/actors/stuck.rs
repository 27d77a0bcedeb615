//! Handlers that go on although their attempts were ended: nobody can end a thread, or a future that never yields.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use crate::task::{Granted, Millis, TaskId};

/// One of them.
#[derive(Debug, Clone)]
pub struct StuckHandler {
    number: u64,
    /// The slot that it ran in.
    pub slot: usize,
    pub task: TaskId,
    pub name: String,
    pub queue: Arc<str>,
    /// When it was given up.
    pub since: Millis,
    /// Its slot runs other tasks meanwhile. Otherwise there are too many of them, and its slot waits for its end.
    pub replaced: bool,
}

/// Those of this node. Each takes a thread and what it holds, so there are at most as many beside the slots as there are slots.
#[derive(Clone)]
pub struct StuckHandlers(Arc<Inner>);

struct Inner {
    most: usize,
    last: AtomicU64,
    stuck: Mutex<Vec<StuckHandler>>,
}

impl StuckHandlers {
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Inner { most, last: AtomicU64::new(0), stuck: Mutex::default() }))
    }

    pub fn list(&self) -> Vec<StuckHandler> {
        self.stuck().clone()
    }

    pub fn len(&self) -> usize {
        self.stuck().len()
    }

    pub fn is_empty(&self) -> bool {
        self.stuck().is_empty()
    }

    /// No slot is replaced any more.
    pub fn is_full(&self) -> bool {
        self.len() >= self.0.most
    }

    pub(super) fn add(&self, slot: usize, task: &Granted, since: Millis) -> StuckHandler {
        let number = self.0.last.fetch_add(1, Ordering::Relaxed);
        let mut stuck = self.stuck();
        let handler = StuckHandler {
            number,
            slot,
            task: task.id,
            name: task.name.clone(),
            queue: task.queue.clone(),
            since,
            replaced: stuck.iter().filter(|handler| handler.replaced).count() < self.0.most,
        };
        stuck.push(handler.clone());
        handler
    }

    /// It has ended after all; how many of the slot's are left.
    pub(super) fn remove(&self, handler: &StuckHandler) -> usize {
        let mut stuck = self.stuck();
        stuck.retain(|other| other.number != handler.number);
        stuck.iter().filter(|other| other.slot == handler.slot).count()
    }

    /// Whether this slot, which waits for one of them to end, may go on, as there is room for that one beside it now.
    pub(super) fn readmit(&self, slot: usize) -> bool {
        let mut stuck = self.stuck();
        let replaced = stuck.iter().filter(|handler| handler.replaced).count();
        match stuck.iter_mut().find(|handler| handler.slot == slot && !handler.replaced) {
            Some(_) if replaced >= self.0.most => false,
            Some(handler) => {
                handler.replaced = true;
                true
            }
            None => true,
        }
    }

    pub(super) fn of_slot(&self, slot: usize) -> usize {
        self.stuck().iter().filter(|handler| handler.slot == slot).count()
    }

    fn stuck(&self) -> MutexGuard<'_, Vec<StuckHandler>> {
        self.0.stuck.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{LeaseId, Priority};

    fn task() -> Granted {
        Granted {
            id: TaskId::new(),
            lease: LeaseId::random(),
            name: "n".into(),
            queue: "q".into(),
            priority: Priority::default(),
            args: String::new(),
            kwargs: String::new(),
            meta: None,
            attempt: 1,
            failures: 0,
            crashes: 0,
            snoozes: 0,
            max_retries: 0,
            retry: None,
            timeout_ms: None,
            expires_at: None,
            generation: 1,
            keyed: false,
            parents: 0,
            workflow: None,
            has_dependants: false,
            ready_at: 0,
            started_at: 0,
        }
    }

    #[test]
    fn a_slot_that_waits_goes_on_when_there_is_room() {
        let stuck = StuckHandlers::new(1);
        let first = stuck.add(1, &task(), 0);
        let second = stuck.add(2, &task(), 0);
        assert_eq!((first.replaced, second.replaced, stuck.is_full()), (true, false, true));
        assert!(!stuck.readmit(2));
        assert_eq!(stuck.remove(&first), 0);
        assert!(stuck.readmit(2));
        assert!(stuck.list()[0].replaced && stuck.is_full());
        assert!(!stuck.add(1, &task(), 0).replaced);
        stuck.remove(&second);
        assert!(stuck.readmit(1) && stuck.readmit(2), "what waits for nothing may go on");
    }
}
