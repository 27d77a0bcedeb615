//! One acting actor, one log of what happens, one tree.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, MessageResult};

pub(crate) use jobqueue::actors::supervision::*;

/// "+name" at each start, "-name" at each end, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn note(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    /// What happened since the last call.
    pub(crate) fn take(&self) -> String {
        std::mem::take(&mut *self.0.lock().unwrap()).join(" ")
    }
}

/// Acts as it is told.
#[derive(Clone)]
pub(crate) struct Probe {
    pub(crate) name: &'static str,
    pub(crate) log: Log,
    /// How long it takes to stop; `None`: for ever.
    pub(crate) drain: Option<Duration>,
    pub(crate) panics_in_started: bool,
    pub(crate) panics_in_stopped: bool,
}

tree_actor!(Probe);

impl Actor for Probe {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        self.log.note(format!("+{}", self.name));
        if self.panics_in_started {
            panic!("cannot start")
        }
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.log.note(format!("-{}", self.name));
        if self.panics_in_stopped {
            panic!("cannot stop")
        }
    }
}

#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Boom;

impl Handler<Boom> for Probe {
    type Result = ();
    fn handle(&mut self, _: Boom, _: &mut Self::Context) {
        panic!("boom {}", self.name)
    }
}

#[derive(Message)]
#[rtype(result = "&'static str")]
pub(crate) struct WhoAreYou;

impl Handler<WhoAreYou> for Probe {
    type Result = MessageResult<WhoAreYou>;
    fn handle(&mut self, _: WhoAreYou, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.name)
    }
}

/// Ends normally, of its own accord.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Finish;

impl Handler<Finish> for Probe {
    type Result = ();
    fn handle(&mut self, _: Finish, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

impl Handler<Shutdown> for Probe {
    type Result = ();
    fn handle(&mut self, _: Shutdown, ctx: &mut Self::Context) {
        match self.drain {
            Some(Duration::ZERO) => ctx.stop(),
            Some(drain) => {
                ctx.run_later(drain, |_, ctx| ctx.stop());
            }
            None => {}
        }
    }
}

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Lets (paused) time pass.
pub(crate) async fn settle(millis: u64) {
    tokio::time::sleep(ms(millis)).await;
}

/// What a tree and its tests share.
#[derive(Clone, Default)]
pub(crate) struct World {
    pub(crate) tree: Tree,
    pub(crate) directory: Directory,
    pub(crate) log: Log,
}

impl World {
    /// Pauses the clock.
    pub(crate) fn paused() -> Self {
        tokio::time::pause();
        Self::default()
    }

    pub(crate) fn probe(&self, name: &'static str) -> Probe {
        Probe {
            name,
            log: self.log.clone(),
            drain: Some(Duration::ZERO),
            panics_in_started: false,
            panics_in_stopped: false,
        }
    }

    /// A child that stops at once when asked.
    pub(crate) fn child(&self, name: &'static str) -> ChildSpec {
        acting(self.probe(name))
    }

    /// A child that takes this long to stop; its grace is 500 ms.
    pub(crate) fn draining(&self, name: &'static str, drain: u64) -> ChildSpec {
        acting(Probe { drain: Some(ms(drain)), ..self.probe(name) }).grace(ms(500))
    }

    /// A child that never stops by itself; its grace is 50 ms.
    pub(crate) fn stuck(&self, name: &'static str) -> ChildSpec {
        acting(Probe { drain: None, ..self.probe(name) }).grace(ms(50))
    }

    pub(crate) async fn start(&self, spec: SupervisorSpec) -> Root {
        let root = Root::start("root", spec, &self.tree, &self.directory);
        settle(1).await;
        root
    }

    /// The living probe of this name.
    pub(crate) fn get(&self, name: &str) -> Ref<Probe> {
        let found = self.directory.get(name);
        found.unwrap_or_else(|| panic!("{name} is not up"))
    }

    pub(crate) async fn boom(&self, name: &str) {
        assert!(self.get(name).send(Boom).await.is_err());
        // Lets the supervisor hear of it.
        settle(1).await;
    }

    pub(crate) fn row(&self, path: &str) -> ActorRow {
        let row = self.tree.row(path);
        row.unwrap_or_else(|| panic!("no row for {path}"))
    }

    pub(crate) fn state(&self, path: &str) -> Phase {
        self.row(path).state
    }
}

pub(crate) fn acting(probe: Probe) -> ChildSpec {
    ChildSpec::new(probe.name, "Probe", move |watch| watch.start(probe.clone()))
}

/// Three restarts a minute; back-off from 100 ms to 5 s.
pub(crate) fn supervisor(strategy: Strategy) -> SupervisorSpec {
    SupervisorSpec::new(strategy).intensity(3, Duration::from_secs(60)).backoff(ms(100), ms(5000))
}

pub(crate) fn one_for_one() -> SupervisorSpec {
    supervisor(Strategy::OneForOne)
}
