//! Who is where: the current address of each actor, by type and name.
//!
//! A restarted actor has a new address, so siblings keep names, not addresses,
//! or keep an address and look again once it is closed. An entry appears before
//! the actor's `started` runs and goes when that life ends.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use super::mailbox::{Ref, TreeActor};

type Names = HashMap<Arc<str>, Entry>;

struct Entry {
    /// Which life this is, so that a late obituary removes no successor.
    incarnation: u64,
    /// A `Ref<A>` of the type under which it is filed.
    address: Box<dyn Any + Send + Sync>,
}

/// A cheap handle to one shared directory.
#[derive(Clone, Default)]
pub struct Directory(Arc<RwLock<HashMap<TypeId, Names>>>);

impl Directory {
    /// An empty directory.
    pub fn new() -> Self {
        Self::default()
    }

    /// The living actor of this type and name. `None` while it is down: try
    /// again after a moment, as its supervisor does.
    pub fn get<A: TreeActor>(&self, name: &str) -> Option<Ref<A>> {
        let types = self.read();
        let entry = types.get(&TypeId::of::<A>())?.get(name)?;
        let found = entry.address.downcast_ref::<Ref<A>>()?;
        found.connected().then(|| found.clone())
    }

    /// All living actors of this type with their names, in no order.
    pub fn all<A: TreeActor>(&self) -> Vec<(Arc<str>, Ref<A>)> {
        let types = self.read();
        let Some(names) = types.get(&TypeId::of::<A>()) else {
            return Vec::new();
        };
        names
            .iter()
            .filter_map(|(name, entry)| {
                let found = entry.address.downcast_ref::<Ref<A>>()?;
                found.connected().then(|| (Arc::clone(name), found.clone()))
            })
            .collect()
    }

    pub(super) fn put<A: TreeActor>(&self, name: &Arc<str>, incarnation: u64, address: Ref<A>) {
        let entry = Entry { incarnation, address: Box::new(address) };
        let replaced = self.write().entry(TypeId::of::<A>()).or_default().insert(Arc::clone(name), entry);
        // Outside the lock: the last address of an actor takes its queued
        // messages along, and what those do when dropped is not known here.
        drop(replaced);
    }

    /// Removes the entry unless a later life has replaced it.
    pub(super) fn remove(&self, actor: TypeId, name: &str, incarnation: u64) {
        let mut types = self.write();
        let Some(names) = types.get_mut(&actor) else {
            return;
        };
        let removed = match names.get(name) {
            Some(entry) if entry.incarnation == incarnation => names.remove(name),
            _ => None,
        };
        drop(types);
        drop(removed); // outside the lock, see `put`
    }

    // A poisoned lock means that some thread panicked while it held the map,
    // whose every update is one insert or remove: it is whole.
    fn read(&self) -> RwLockReadGuard<'_, HashMap<TypeId, Names>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<TypeId, Names>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
