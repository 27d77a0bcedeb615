//! What operators do to queues; and their settings as last heard of, for what need not be exact: a submission's defaults
//! and bounds.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use super::{
    Engine,
    admin::{audited, blocking_read},
    notice::After,
};
use crate::{
    broker::Notice,
    store::{Act, QueueDeleted, QueueRow, StoreError, Tx},
    task::QueueSettings,
};

/// Only of queues for which something is set.
#[derive(Default)]
pub(super) struct KnownSettings(RwLock<HashMap<Arc<str>, Arc<QueueSettings>>>);

impl KnownSettings {
    pub(super) fn set(&self, queue: &Arc<str>, settings: QueueSettings) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if settings == QueueSettings::default() {
            known.remove(queue);
        } else {
            known.insert(queue.clone(), Arc::new(settings));
        }
    }

    fn get(&self, queue: &str) -> Option<Arc<QueueSettings>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(queue).cloned()
    }
}

/// What became of a change of a queue's settings.
#[derive(Debug, Clone)]
pub enum QueueChanged {
    Done(Box<QueueRow>),
    /// Somebody else has changed it meanwhile: it is at this version now.
    Meanwhile(u32),
    /// There are as many queues as this server keeps.
    TooMany(usize),
}

impl Engine {
    /// What is set for a queue; `None` where nothing is.
    pub fn queue_settings(&self, queue: &str) -> Option<Arc<QueueSettings>> {
        self.0.settings_of.get(queue)
    }

    /// Changes what is set for a queue, if it is still at the version named; makes the queue where there is none. In force
    /// with the next claim.
    pub async fn change_queue(
        &self,
        queue: &str,
        if_version: Option<u32>,
        mut change: impl FnMut(&mut QueueRow) + Send + 'static,
        act: Act,
    ) -> Result<QueueChanged, StoreError> {
        let (name, most) = (queue.to_owned(), self.0.settings.max_queues);
        let counted = name.clone();
        let full =
            blocking_read(self, move |reader| Ok(reader.queue(&counted)?.is_none() && reader.queues()?.len() >= most));
        if full.await? {
            return Ok(QueueChanged::TooMany(most));
        }
        let set = move |tx: &mut dyn Tx, now| {
            let is_new = tx.queue(&name)?.is_none();
            tx.ensure_queue(&name, now)?;
            let Some(mut row) = tx.queue(&name)? else { return Ok(QueueChanged::Meanwhile(0)) };
            if if_version.is_some_and(|version| version != row.version) {
                return Ok(QueueChanged::Meanwhile(row.version));
            }
            let before = row.clone();
            change(&mut row);
            // A queue that is new is written down even where nothing is set for it.
            if row != before {
                tx.configure(&row)?;
                row.version += 1;
            }
            audited(tx, is_new || row != before, &act, now)?;
            Ok(QueueChanged::Done(Box::new(row)))
        };
        let (told, engine): (Arc<str>, _) = (queue.into(), self.clone());
        // Here, in the order of the commits: whoever is answered later must not set what was replaced meanwhile.
        let tell = move |done: &QueueChanged, after: &mut After| {
            let QueueChanged::Done(row) = done else { return };
            engine.0.settings_of.set(&told, row.settings.clone());
            if let Some(changes) = &mut after.changes {
                changes.queues.insert(told);
            }
        };
        let done = self.admin(set, tell).await?;
        if let QueueChanged::Done(row) = &done {
            let queue: Arc<str> = row.name.as_str().into();
            if !row.paused {
                self.wake(&queue);
            }
            self.tell_peers(Notice::QueuesChanged(vec![queue]));
        }
        Ok(done)
    }

    /// Deletes a queue that has no task.
    pub async fn delete_queue(&self, queue: &str, act: Act) -> Result<QueueDeleted, StoreError> {
        let name: Arc<str> = queue.into();
        let (deleted, told, engine) = (name.clone(), name.clone(), self.clone());
        let tell = move |done: &QueueDeleted, after: &mut After| {
            if *done == QueueDeleted::Done {
                engine.0.settings_of.set(&told, QueueSettings::default());
                after.deleted.push(told);
            }
        };
        let delete = move |tx: &mut dyn Tx, now| {
            let done = tx.delete_queue(&deleted)?;
            audited(tx, done == QueueDeleted::Done, &act, now)?;
            Ok(done)
        };
        let done = self.admin(delete, tell).await?;
        if done == QueueDeleted::Done {
            self.broker().forget(&name);
            self.forget_turns(&name);
            self.tell_peers(Notice::QueuesChanged(vec![name]));
        }
        Ok(done)
    }

    /// No task of a paused queue starts. False where there is no such queue.
    pub async fn set_paused(&self, queue: &str, paused: bool, act: Act) -> Result<bool, StoreError> {
        let name: Arc<str> = queue.into();
        let told = name.clone();
        let tell = move |done: &bool, after: &mut After| {
            if let Some(changes) = after.changes.as_mut().filter(|_| *done) {
                changes.queues.insert(told);
            }
        };
        let queue = name.clone();
        let set = move |tx: &mut dyn Tx, now| {
            let changed = tx.queue(&queue)?.is_some_and(|row| row.paused != paused);
            let done = tx.set_paused(&queue, paused)?;
            audited(tx, changed, &act, now)?;
            Ok(done)
        };
        let done = self.admin(set, tell).await?;
        if done && !paused {
            self.wake(&name);
        }
        if done {
            self.tell_peers(Notice::QueuesChanged(vec![name]));
        }
        Ok(done)
    }
}
