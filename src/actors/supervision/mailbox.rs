//! How actors of the tree are addressed: `Ref<A>`, an address that counts.
//!
//! actix hides how full a mailbox is, and its bound (16 plus one for each clone
//! of the address, ignored by `do_send`) is no bound to plan with. So `Ref`
//! puts each message in an [`Envelope`] that carries a counter's guard: up when
//! sent, down when taken out or dropped, whichever way the actor ends.
//!
//! The envelope holds a closure and not the message, since a blanket
//! `impl Handler<Counted<M>> for A` is against the orphan rule: with the
//! closure each actor needs one `impl` (by [`tree_actor!`]) for all messages.
//! It costs one more allocation and four atomic operations: 30-50 ns more than `Addr`, measured.

use std::{
    panic::panic_any,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use actix::{
    Actor, Addr, Context, Handler, MailboxError, Message,
    dev::{MessageResponse, OneshotSender, SendError},
};
use tokio::sync::oneshot;

/// Asks an actor to finish what it holds and call `ctx.stop()`.
#[derive(Message, Debug, Clone, Copy)]
#[rtype(result = "()")]
pub struct Shutdown;

/// An actor that can stand in the tree: it can be asked to stop, and it opens
/// envelopes. Write `impl Handler<Shutdown>` and [`tree_actor!`]`(MyActor)`.
pub trait TreeActor: Actor<Context = Context<Self>> + Handler<Shutdown> + Handler<Envelope<Self>> {}

impl<A> TreeActor for A where A: Actor<Context = Context<A>> + Handler<Shutdown> + Handler<Envelope<A>> {}

/// Makes an actor open the envelopes that a `Ref` sends it.
#[macro_export]
macro_rules! tree_actor {
    ($actor:ty) => {
        impl ::actix::Handler<$crate::actors::supervision::Envelope<$actor>> for $actor {
            type Result = ();

            fn handle(&mut self, envelope: $crate::actors::supervision::Envelope<$actor>, ctx: &mut Self::Context) {
                envelope.open(self, ctx);
            }
        }
    };
}
pub use tree_actor;

type Letter<A> = Box<dyn FnOnce(&mut A, &mut <A as Actor>::Context) + Send>;

/// Any message to an actor of type `A`, counted while it waits.
pub struct Envelope<A: Actor> {
    letter: Letter<A>,
    waiting: Waiting,
}

impl<A: Actor> Message for Envelope<A> {
    type Result = ();
}

impl<A: Actor> Envelope<A> {
    /// Hands the message to the actor. It stops counting first: the depth is
    /// that of the messages that wait, not of the one in hand.
    pub fn open(self, actor: &mut A, ctx: &mut A::Context) {
        drop(self.waiting);
        (self.letter)(actor, ctx);
    }
}

/// The number of messages that wait in one life's mailbox.
#[derive(Debug, Clone, Default)]
pub struct MailboxGauge(Arc<AtomicUsize>);

impl MailboxGauge {
    /// Messages sent by `Ref` and not yet taken out. Uncounted are `Addr`,
    /// `ctx.notify` and timers.
    pub fn depth(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn enter(&self) -> Waiting {
        self.0.fetch_add(1, Ordering::Relaxed);
        Waiting(self.clone())
    }
}

struct Waiting(MailboxGauge);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The address of one life of an actor. After a restart it is closed for good
/// (`MailboxError::Closed`): look the name up in the `Directory` again.
pub struct Ref<A: Actor> {
    addr: Addr<A>,
    gauge: MailboxGauge,
    capacity: usize,
}

impl<A: Actor> Clone for Ref<A> {
    fn clone(&self) -> Self {
        Self { addr: self.addr.clone(), gauge: self.gauge.clone(), capacity: self.capacity }
    }
}

impl<A: TreeActor> Ref<A> {
    pub(super) fn new(addr: Addr<A>, gauge: MailboxGauge, capacity: usize) -> Self {
        Self { addr, gauge, capacity }
    }

    /// Sends a message that must not be lost while the actor lives (an outcome,
    /// an order): never refused, whatever the depth.
    pub fn do_send<M>(&self, message: M)
    where
        A: Handler<M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        self.post(message, None);
    }

    /// Sends a message that may be shed (a hint, a wake, an event), unless the
    /// mailbox is at its capacity or the actor is gone.
    ///
    /// # Errors
    /// `SendError::Full` or `Closed`, with the message.
    pub fn try_send<M>(&self, message: M) -> Result<(), SendError<M>>
    where
        A: Handler<M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        if !self.connected() {
            return Err(SendError::Closed(message));
        }
        if self.depth() >= self.capacity {
            return Err(SendError::Full(message));
        }
        self.post(message, None);
        Ok(())
    }

    /// Sends a message and returns its answer. Unlike with `Addr::send`, the
    /// message is on its way at once and stays so if the future is dropped.
    ///
    /// # Errors
    /// `MailboxError::Closed` when the actor is gone, or ends before it answers.
    pub fn send<M>(&self, message: M) -> impl Future<Output = Result<M::Result, MailboxError>> + use<A, M>
    where
        A: Handler<M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        let (answer, answered) = oneshot::channel();
        self.post(message, Some(answer));
        async move { answered.await.map_err(|_| MailboxError::Closed) }
    }

    /// Resolves once the actor has reached this message: it is up and not stuck.
    ///
    /// # Errors
    /// `MailboxError::Closed` when the actor is gone.
    pub fn answers(&self) -> impl Future<Output = Result<(), MailboxError>> + use<A> {
        let (answer, answered) = oneshot::channel();
        self.deliver(Box::new(move |_, _| {
            // The asker may have stopped waiting.
            let _ = answer.send(());
        }));
        async move { answered.await.map_err(|_| MailboxError::Closed) }
    }

    /// Makes the actor panic when it reaches this message. False: it is gone.
    #[expect(clippy::panic, reason = "to panic is what it is asked for")]
    pub(super) fn inject_panic(&self) -> bool {
        let connected = self.connected(); // asked first: on another thread it may panic at once
        self.deliver(Box::new(|_, _| {
            panic_any(String::from("injected panic"));
        }));
        connected
    }

    /// True until this life has ended.
    pub fn connected(&self) -> bool {
        self.addr.connected()
    }

    pub(super) fn gauge(&self) -> MailboxGauge {
        self.gauge.clone()
    }

    /// Messages that wait now.
    pub fn depth(&self) -> usize {
        self.gauge.depth()
    }

    /// The plain actix address, for `Recipient`s. What it sends is not counted.
    pub fn addr(&self) -> &Addr<A> {
        &self.addr
    }

    fn post<M>(&self, message: M, answer: Option<OneshotSender<M::Result>>)
    where
        A: Handler<M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        self.deliver(Box::new(move |actor, ctx| {
            actor.handle(message, ctx).handle(ctx, answer);
        }));
    }

    fn deliver(&self, letter: Letter<A>) {
        self.addr.do_send(Envelope { letter, waiting: self.gauge.enter() });
    }
}
