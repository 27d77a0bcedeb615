//! The keys of the API, in memory: a request is not to read the store to know who asks.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{Engine, admin::blocking_read};
use crate::{
    broker::Notice,
    store::{Act, KeyAdded, KeyRevoked, KeyRow, StoreError},
    task::{KeyId, Millis, Reach, Scope, Scopes},
};

/// The use of a key is written down at most so often.
const NOTED_EVERY: Millis = 60_000;

/// SHA-256 of a secret: all that is kept of it.
pub type KeyHash = [u8; 32];

pub fn hash(secret: &str) -> KeyHash {
    Sha256::digest(secret).into()
}

/// A key as requests are held against it.
#[derive(Debug)]
pub struct Key {
    /// `None`: it is configured, not stored.
    pub id: Option<KeyId>,
    pub name: Arc<str>,
    pub hash: KeyHash,
    pub scopes: Scopes,
    pub queues: Reach,
    pub expires_at: Option<Millis>,
    pub revoked_at: Option<Millis>,
    used_at: AtomicI64,
    noted_at: AtomicI64,
}

impl Key {
    /// A key of the configuration: good for everything.
    pub fn configured(name: &str, secret: &str) -> Self {
        Self {
            id: None,
            name: name.into(),
            hash: hash(secret),
            scopes: [Scope::Admin].into_iter().collect(),
            queues: Reach::all(),
            expires_at: None,
            revoked_at: None,
            used_at: AtomicI64::new(0),
            noted_at: AtomicI64::new(0),
        }
    }

    /// When it was last used, as this process knows.
    pub fn used_at(&self) -> Option<Millis> {
        Some(self.used_at.load(Ordering::Relaxed)).filter(|at| *at > 0)
    }
}

impl From<KeyRow> for Key {
    fn from(row: KeyRow) -> Self {
        let KeyRow { id, name, hash, scopes, queues, created_at: _, expires_at, revoked_at, last_used_at } = row;
        let used = last_used_at.unwrap_or(0);
        Self {
            id: Some(id),
            name: name.into(),
            hash,
            scopes,
            queues,
            expires_at,
            revoked_at,
            used_at: AtomicI64::new(used),
            noted_at: AtomicI64::new(used),
        }
    }
}

/// Why a secret opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRefused {
    Unknown,
    Expired,
    Revoked,
}

/// All keys, those that are no longer good too: their holders are told why.
#[derive(Default)]
pub struct Keys {
    /// There is any: requests are asked for one. Never taken back, so that the end of the last key opens nothing.
    required: AtomicBool,
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    configured: Vec<Arc<Key>>,
    /// By the first bytes of the hash. That these are compared in varying time tells nothing: nobody can choose a secret
    /// by its hash.
    by_hash: HashMap<[u8; 8], Vec<Arc<Key>>>,
    /// Raised by each change made here: what was read before it is out of date.
    changes: u64,
}

fn first(hash: &KeyHash) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash[..8]);
    bytes
}

impl Known {
    fn find(&self, hash: &KeyHash) -> Option<&Arc<Key>> {
        let candidates = self.by_hash.get(&first(hash))?;
        candidates.iter().find(|key| bool::from(key.hash.ct_eq(hash)))
    }

    fn put(&mut self, key: Arc<Key>) {
        let same = self.by_hash.entry(first(&key.hash)).or_default();
        same.retain(|other| other.hash != key.hash);
        same.push(key);
    }
}

impl Keys {
    pub(super) fn new(configured: &[Arc<Key>], stored: Vec<KeyRow>) -> Self {
        let keys = Self::default();
        {
            let mut known = keys.known.write().unwrap_or_else(PoisonError::into_inner);
            known.configured = configured.to_vec();
            keys.fill(&mut known, stored);
        }
        keys
    }

    fn fill(&self, known: &mut Known, stored: Vec<KeyRow>) {
        let before = std::mem::take(&mut known.by_hash);
        let any = !stored.is_empty() || !known.configured.is_empty();
        let kept = |hash: &KeyHash| before.get(&first(hash))?.iter().find(|key| key.hash == *hash).cloned();
        for row in stored {
            let old = kept(&row.hash);
            let key = Key::from(row);
            if let Some(old) = old {
                key.used_at.fetch_max(old.used_at.load(Ordering::Relaxed), Ordering::Relaxed);
                key.noted_at.fetch_max(old.noted_at.load(Ordering::Relaxed), Ordering::Relaxed);
            }
            known.put(Arc::new(key));
        }
        for key in known.configured.clone() {
            known.put(key);
        }
        if any {
            self.required.store(true, Ordering::Release);
        }
    }

    /// A key of the configuration has this secret: only there it can be taken away.
    pub fn is_configured(&self, hash: &KeyHash) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.configured.iter().any(|key| key.hash == *hash)
    }

    /// Requests are asked for a key.
    pub fn required(&self) -> bool {
        self.required.load(Ordering::Acquire)
    }

    /// The key of this hash, if it is good now.
    pub fn find(&self, hash: &KeyHash, now: Millis) -> Result<Arc<Key>, KeyRefused> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let key = known.find(hash).ok_or(KeyRefused::Unknown)?;
        if key.revoked_at.is_some() {
            return Err(KeyRefused::Revoked);
        }
        if key.expires_at.is_some_and(|at| at <= now) {
            return Err(KeyRefused::Expired);
        }
        key.used_at.fetch_max(now, Ordering::Relaxed);
        Ok(key.clone())
    }

    /// A change that is on the disk is in force before its author hears of it.
    fn change(&self, change: impl FnOnce(&mut Known)) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.changes += 1;
        change(&mut known);
        if !known.by_hash.is_empty() {
            self.required.store(true, Ordering::Release);
        }
    }

    fn changes(&self) -> u64 {
        self.known.read().unwrap_or_else(PoisonError::into_inner).changes
    }

    /// Takes over what was read, unless something was changed here since the read began.
    fn renew(&self, read_at: u64, stored: Vec<KeyRow>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.changes == read_at {
            self.fill(&mut known, stored);
        }
    }

    /// Keys whose use is to be written down, with its time.
    fn to_note(&self) -> Vec<(KeyId, Millis)> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let used = known.by_hash.values().flatten().filter_map(|key| {
            let (used, noted) = (key.used_at.load(Ordering::Relaxed), key.noted_at.load(Ordering::Relaxed));
            (used >= noted + NOTED_EVERY).then_some(())?;
            key.noted_at.store(used, Ordering::Relaxed);
            Some((key.id?, used))
        });
        used.collect()
    }
}

impl Engine {
    /// Who may ask for what.
    pub fn keys(&self) -> &Keys {
        &self.0.keys
    }

    /// Stores a key, by the hash of its maker's. From the first one on, every request needs one: only that is made without.
    pub async fn create_key(&self, key: KeyRow, by: Option<KeyHash>, act: Act) -> Result<KeyAdded, StoreError> {
        let (engine, row) = (self.clone(), key.clone());
        let maker = self.clone();
        let add = move |tx: &mut dyn crate::store::Tx, now| {
            // Here, after whatever was committed before: the maker may have been let in when its key was still good.
            match &by {
                Some(by) if maker.keys().find(by, now).is_err() => return Ok(KeyAdded::MakerGone),
                None if maker.keys().required() => return Ok(KeyAdded::NotFirst),
                _ => {}
            }
            let added = tx.add_key(&key, by.is_none())?;
            if added == KeyAdded::Done {
                tx.audit(&act, now)?;
            }
            Ok(added)
        };
        let tell = move |added: &KeyAdded, _: &mut super::notice::After| {
            if *added == KeyAdded::Done {
                engine.0.keys.change(|known| known.put(Arc::new(row.into())));
            }
        };
        let added = self.admin(add, tell).await?;
        self.tell_peers(Notice::KeysChanged);
        Ok(added)
    }

    /// Ends a key, and every session that was opened with it.
    pub async fn revoke_key(&self, id: KeyId, act: Act) -> Result<KeyRevoked, StoreError> {
        let engine = self.clone();
        let revoke = move |tx: &mut dyn crate::store::Tx, now| {
            let revoked = tx.revoke_key(id, now)?;
            if revoked == KeyRevoked::Done {
                tx.audit(&act, now)?;
            }
            Ok(revoked)
        };
        let tell = move |_: &KeyRevoked, _: &mut super::notice::After| {
            engine.0.keys.change(|known| {
                for key in known.by_hash.values_mut().flatten().filter(|key| key.id == Some(id)) {
                    let now = engine.clock().now();
                    *key = Arc::new(Key { revoked_at: Some(now), ..key.copy() });
                }
            });
        };
        let revoked = self.admin(revoke, tell).await?;
        self.tell_peers(Notice::KeysChanged);
        Ok(revoked)
    }

    /// Another node has changed some. Blocks.
    pub(super) fn look_at_keys(&self) {
        let read_at = self.0.keys.changes();
        match self.reader().keys() {
            Ok(stored) => self.0.keys.renew(read_at, stored),
            Err(error) => log::debug!("The keys could not be read again: {error}"),
        }
    }

    /// Learns of keys that others have changed in the store, and notes there which were used.
    pub async fn renew_keys(&self) -> Result<(), StoreError> {
        let used = self.0.keys.to_note();
        if !used.is_empty() {
            self.admin(move |tx, _| tx.touch_keys(&used), |_, _| {}).await?;
        }
        let read_at = self.0.keys.changes();
        let stored = blocking_read(self, |reader| reader.keys()).await?;
        self.0.keys.renew(read_at, stored);
        Ok(())
    }
}

impl Key {
    fn copy(&self) -> Self {
        Self {
            id: self.id,
            name: self.name.clone(),
            hash: self.hash,
            scopes: self.scopes,
            queues: self.queues.clone(),
            expires_at: self.expires_at,
            revoked_at: self.revoked_at,
            used_at: AtomicI64::new(self.used_at.load(Ordering::Relaxed)),
            noted_at: AtomicI64::new(self.noted_at.load(Ordering::Relaxed)),
        }
    }
}
