//! What this node tells the other nodes and hears from them. Nothing here decides anything: a cancel is in the store before
//! it is told, and what is heard makes this node look again, never act on what it was told.

use std::{
    collections::BTreeSet,
    sync::{Arc, Weak},
};

use super::{Engine, Inner, Listener, notice::Changes};
use crate::{
    broker::{Bus, BusListener, Notice, bus::Events},
    task::{Millis, QueueSettings, Ready, TaskId, WorkerId},
};

/// Tasks of a lane that are hinted at where it is not known which are new: more than a head keeps, so that one with all of
/// them knows that there may be others.
const FRONT: usize = 1_025;

/// Weak, or bus and engine would keep each other.
struct Ear(Weak<Inner>);

impl BusListener for Ear {
    fn heard(&self, notice: Notice) {
        if let Some(inner) = self.0.upgrade() {
            Engine(inner).heard(notice);
        }
    }
}

impl Engine {
    /// Joins the other nodes. Once; without it this node is alone.
    pub fn join(&self, bus: &Arc<dyn Bus>) {
        if self.0.bus.set(bus.clone()).is_err() {
            log::warn!("The engine has a bus already; the second one is ignored");
            return;
        }
        bus.listen(self.ear());
    }

    /// Hears what is told on a line besides the bus that it has joined. Once.
    pub fn hear(&self, line: &Arc<dyn Bus>) {
        if self.0.line.set(line.clone()).is_ok() {
            line.listen(self.ear());
        }
    }

    /// The line besides the bus, where there is one.
    pub fn line(&self) -> Option<&Arc<dyn Bus>> {
        self.0.line.get()
    }

    fn ear(&self) -> Arc<Ear> {
        Arc::new(Ear(Arc::downgrade(&self.0)))
    }

    /// There may be other nodes.
    pub fn has_peers(&self) -> bool {
        self.0.bus.get().is_some()
    }

    pub(super) fn tell_peers(&self, notice: Notice) {
        if let Some(bus) = self.0.bus.get() {
            bus.publish(notice);
        }
    }

    /// Hints at tasks, and sees to it that the other nodes learn of them; the queues that are to be woken here.
    pub(super) fn hint(&self, ready: &[Ready]) -> Vec<Arc<str>> {
        if ready.iter().any(|ready| ready.keyed) {
            return self.hint_with_keyed(ready);
        }
        self.hint_at_heads(ready)
    }

    /// Tasks with keys are in no head: whoever may run some is to look into the store.
    fn hint_with_keyed(&self, ready: &[Ready]) -> Vec<Arc<str>> {
        let (keyed, others): (Vec<Ready>, Vec<Ready>) = ready.iter().cloned().partition(|ready| ready.keyed);
        let mut woken: BTreeSet<Arc<str>> = keyed.into_iter().map(|ready| ready.queue).collect();
        if self.has_peers() {
            self.tell_peers(Notice::Wake(woken.iter().cloned().collect()));
        }
        woken.extend(self.hint_at_heads(&others));
        woken.into_iter().collect()
    }

    fn hint_at_heads(&self, ready: &[Ready]) -> Vec<Arc<str>> {
        if ready.is_empty() {
            return Vec::new();
        }
        let woken = self.broker().hint(ready);
        if self.broker().is_shared() {
            self.wake_peers(&woken);
        } else if self.has_peers() {
            // Whether somebody has slept here says nothing of those elsewhere.
            let queues: BTreeSet<&Arc<str>> = ready.iter().map(|ready| &ready.queue).collect();
            self.tell_peers(Notice::Submitted(queues.into_iter().cloned().collect()));
        }
        woken
    }

    /// Wakes queues on the other nodes. Whoever uses up a shared broker's wake must do so: it is for all who wait.
    pub(super) fn wake_peers(&self, queues: &[Arc<str>]) {
        if self.broker().is_shared() && self.has_peers() && !queues.is_empty() {
            self.tell_peers(Notice::Wake(queues.to_vec()));
        }
    }

    /// Asks the handler of a running task to stop, here or wherever it runs. Should nobody hear, the store still knows.
    pub(super) fn stop_handler(&self, id: TaskId, at_once: bool) {
        if !self.held().cancel(id, at_once) {
            self.tell_holders(&[id], at_once);
            self.tell_peers(Notice::Cancel { ids: vec![id], at_once });
        }
    }

    /// Remote workers that hold them may speak to this node.
    fn tell_holders(&self, ids: &[TaskId], at_once: bool) {
        if let Some(listener) = self.listener() {
            listener.cancelled(ids, at_once);
        }
    }

    pub(super) fn tell_peers_of(&self, changes: &Changes, ended: &[TaskId]) {
        if !self.has_peers() || (changes.is_empty() && ended.is_empty()) {
            return;
        }
        let Changes { ids, more, counts, queues } = changes.clone();
        let most = ended.len().min(Events::MAX_ENDED);
        let (ended_more, ended) = (ended.len() > most, ended[..most].to_vec());
        let noted = Vec::new();
        self.tell_peers(Notice::Events(Events { counts, queues, ids, more, ended, ended_more, noted }));
    }

    fn heard(&self, notice: Notice) {
        match notice {
            Notice::Wake(queues) => queues.iter().for_each(|queue| self.wake(queue)),
            Notice::Submitted(queues) => queues.iter().for_each(|queue| self.look_for_tasks(queue)),
            Notice::Cancel { ids, at_once } => {
                let elsewhere: Vec<_> = ids.into_iter().filter(|id| !self.held().cancel(*id, at_once)).collect();
                self.tell_holders(&elsewhere, at_once);
            }
            Notice::QueuesChanged(queues) => queues.iter().for_each(|queue| self.look_at_queue(queue)),
            Notice::KeysChanged => self.look_at_keys(),
            Notice::WorkersAsked(workers) => workers.iter().for_each(|worker| self.worker_asked(*worker)),
            Notice::Unresolved => self.look_for_unresolved(),
            Notice::Events(events) => self.heard_events(events),
            Notice::Missed => self.look_at_everything(),
        }
    }

    fn look_at_queue(&self, queue: &Arc<str>) {
        match self.reader().queue(queue) {
            Ok(Some(row)) => {
                self.0.settings_of.set(queue, row.settings);
                if !row.paused {
                    self.wake(queue);
                }
            }
            Ok(None) => self.0.settings_of.set(queue, QueueSettings::default()),
            Err(error) => log::debug!("A queue's settings could not be read again: {error}"),
        }
        self.queue_changed(queue);
    }

    fn look_for_tasks(&self, queue: &Arc<str>) {
        if self.broker().look_again(queue) {
            self.wake(queue);
        } else if let Err(error) = self.hint_all(queue, FRONT, Millis::MAX) {
            log::debug!("The tasks that have come into a queue could not be read: {error}");
        }
        self.queue_changed(queue);
    }

    pub(super) fn worker_asked(&self, worker: WorkerId) {
        if let Some(listener) = self.listener() {
            listener.worker_asked(worker);
        }
    }

    fn look_for_unresolved(&self) {
        if let Some(listener) = self.listener() {
            listener.unresolved();
        }
    }

    fn queue_changed(&self, queue: &Arc<str>) {
        if let Some(listener) = self.listener().filter(|listener| listener.is_interested()) {
            listener.changed(Changes { queues: [queue.clone()].into(), ..Changes::default() });
        }
    }

    fn heard_events(&self, events: Events) {
        let Events { counts, queues, ids, more, ended, ended_more, noted } = events;
        if ended_more {
            self.0.watches.all();
        } else {
            self.0.watches.ended(&ended);
        }
        if let Some(listener) = self.listener().filter(|listener| listener.is_interested()) {
            let changes = Changes { ids, more, counts, queues };
            if !changes.is_empty() {
                listener.changed(changes);
            }
            if !noted.is_empty() {
                self.look_at_notes(&**listener, &noted);
            }
        }
    }

    fn look_at_notes(&self, listener: &dyn Listener, pieces: &[(TaskId, TaskId)]) {
        match self.noted_elsewhere(pieces) {
            Ok(noted) => listener.noted(noted),
            Err(error) => log::debug!("What handlers elsewhere have said could not be read: {error}"),
        }
    }

    /// Notices were missed: whatever one of them may have been about is looked at.
    fn look_at_everything(&self) {
        self.0.watches.all();
        self.look_at_keys();
        self.worker_asked(self.worker());
        self.look_for_unresolved();
        match self.reader().queues() {
            Ok(rows) => {
                for row in rows {
                    let name: Arc<str> = row.name.into();
                    self.0.settings_of.set(&name, row.settings);
                    self.broker().look_again(&name);
                    self.wake(&name);
                }
            }
            Err(error) => log::debug!("The queues could not be read again: {error}"),
        }
    }
}
