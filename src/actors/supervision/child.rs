//! One watched actor: started, run to its end, reported.
//!
//! actix restarts no actor that panicked, and leaves the panic to tokio. So
//! each child's future runs inside a task of ours, which catches the panic and
//! whose drop guard, the obituary, reports to the supervisor (Erlang's monitor).
//! The supervisor holds a leash (Erlang's link): when it is gone, so is the child.

use std::{any::TypeId, sync::Arc, time::Duration};

use actix::{Addr, Arbiter, AsyncContext, Context, WeakRecipient, dev::channel::channel};
use actix_rt::ArbiterHandle;
use tokio::sync::{oneshot, watch};

use super::{
    directory::Directory,
    mailbox::{MailboxGauge, Ref, Shutdown, TreeActor},
    obituary::{Down, Exit, Obituary, Verdict, exit},
    spec::{Strategy, SupervisorSpec},
    supervisor::Supervisor,
    tree::{Life, Tree},
};

/// How long a child whose leash was cut may take to let go. Only one whose
/// thread is stuck takes any time; after this its supervisor waits no more.
const LETTING_GO: Duration = Duration::from_secs(1);

/// What each start function is given: the means to start one watched actor.
pub struct Watch {
    pub(super) path: Arc<str>,
    pub(super) name: Arc<str>,
    pub(super) incarnation: u64,
    pub(super) capacity: usize,
    pub(super) tree: Tree,
    pub(super) directory: Directory,
    pub(super) obituary: Obituary,
}

impl Watch {
    pub(super) fn new(
        place: (Arc<str>, Arc<str>),
        incarnation: u64,
        capacity: usize,
        tree: &Tree,
        directory: &Directory,
        to: Option<WeakRecipient<Down>>,
    ) -> Self {
        let (path, name) = place;
        let obituary = Obituary {
            path: Arc::clone(&path),
            incarnation,
            exit: Exit::Lost,
            verdict: Verdict::default(),
            tree: tree.clone(),
            entry: None,
            thread: None,
            done: watch::Sender::new(None),
            to,
        };
        Self { path, name, incarnation, capacity, tree: tree.clone(), directory: directory.clone(), obituary }
    }

    /// The child's name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Its place in the tree, for its log lines.
    pub fn path(&self) -> &Arc<str> {
        &self.path
    }

    /// Where to find the siblings.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Starts `actor` on this thread.
    pub fn start<A: TreeActor>(self, actor: A) -> Child {
        let ctx = Context::new();
        let address = self.reference(ctx.address());
        let (child, obituary, end) = self.enter(address, None);
        actix_rt::spawn(obituary.run(move || ctx.into_future(actor), end));
        child
    }

    /// Starts the actor that `make` returns on the thread of another arbiter.
    pub fn start_in<A: TreeActor>(self, arbiter: &ArbiterHandle, make: impl FnOnce() -> A + Send + 'static) -> Child {
        // The capacity is actix's own, which nothing sent by `Ref` heeds.
        let (sender, receiver) = channel(16);
        let address = self.reference(Addr::new(sender));
        let (child, obituary, end) = self.enter(address, None);
        // If the arbiter is gone the closure is dropped, and the obituary with it.
        arbiter.spawn_fn(move || {
            let life = move || Context::with_receiver(receiver).into_future(make());
            actix_rt::spawn(obituary.run(life, end));
        });
        child
    }

    /// Starts the actor that `make` returns on a thread of its own, which ends
    /// with it.
    pub fn start_alone<A: TreeActor>(mut self, make: impl FnOnce() -> A + Send + 'static) -> Child {
        let arbiter = Arbiter::new().handle();
        self.obituary.thread = Some(arbiter.clone());
        self.start_in(&arbiter, make)
    }

    /// Starts a supervisor on this thread.
    pub fn supervise(self, spec: SupervisorSpec) -> Child {
        self.start_supervisor(spec).0
    }

    pub(super) fn start_supervisor(self, spec: SupervisorSpec) -> (Child, Ref<Supervisor>) {
        let strategy = spec.strategy;
        let supervisor = Supervisor::new(&self, spec, Arc::clone(&self.obituary.verdict));
        let ctx = Context::new();
        let address = self.reference(ctx.address());
        let (child, obituary, end) = self.enter(address.clone(), Some(strategy));
        actix_rt::spawn(obituary.run(move || ctx.into_future(supervisor), end));
        (child, address)
    }

    fn reference<A: TreeActor>(&self, address: Addr<A>) -> Ref<A> {
        Ref::new(address, MailboxGauge::default(), self.capacity)
    }

    /// Makes the new life known to the tree and the directory.
    fn enter<A: TreeActor>(
        self,
        address: Ref<A>,
        strategy: Option<Strategy>,
    ) -> (Child, Obituary, oneshot::Receiver<()>) {
        let injected = address.clone();
        let life = Life { gauge: address.gauge(), injector: Arc::new(move || injected.inject_panic()), strategy };
        self.tree.attach(&self.path, self.incarnation, life);
        self.directory.put(&self.name, self.incarnation, address.clone());
        let mut obituary = self.obituary;
        obituary.entry = Some((self.directory, TypeId::of::<A>(), self.name));
        let (leash, end) = oneshot::channel();
        let child = Child {
            incarnation: self.incarnation,
            stop: Box::new(move || address.do_send(Shutdown)),
            done: obituary.done.subscribe(),
            leash,
        };
        (child, obituary, end)
    }
}

/// A started child, its actor's type erased. Dropping it ends the child at once.
pub struct Child {
    pub(super) incarnation: u64,
    stop: Box<dyn Fn() + Send + Sync>,
    done: watch::Receiver<Option<Exit>>,
    leash: oneshot::Sender<()>,
}

impl Child {
    /// Asks the child to finish, waits for its grace, then ends it. Returns how
    /// it ended; none if its thread is stuck and it still runs.
    pub(super) async fn stop(self, grace: Duration) -> Option<Exit> {
        let Self { stop, done, leash, .. } = self;
        stop();
        let asked = tokio::time::timeout(grace, exit(done.clone())).await;
        drop(leash);
        match asked {
            Ok(exit) => Some(exit),
            Err(_) => tokio::time::timeout(LETTING_GO, exit(done)).await.ok(),
        }
    }

    pub(super) fn done(&self) -> watch::Receiver<Option<Exit>> {
        self.done.clone()
    }

    pub(super) fn ask_to_stop(&self) {
        (self.stop)();
    }
}
