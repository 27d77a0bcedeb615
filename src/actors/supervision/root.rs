//! The top of the tree, whose end nobody but the process can answer.

use std::sync::Arc;

use tokio::sync::watch;

use super::{
    child::{Child, Watch},
    directory::Directory,
    mailbox::Ref,
    obituary::{self, Exit},
    spec::SupervisorSpec,
    supervisor::Supervisor,
    tree::Tree,
};

/// A running tree. Dropping it ends every actor at once.
pub struct Root {
    child: Child,
    supervisor: Ref<Supervisor>,
}

impl Root {
    /// Starts the supervisor at the root, on this thread's arbiter.
    pub fn start(name: &str, spec: SupervisorSpec, tree: &Tree, directory: &Directory) -> Self {
        let path = tree.add(None, name, "Supervisor");
        let incarnation = tree.starting(&path);
        let place = (path, Arc::from(name));
        let watch = Watch::new(place, incarnation, 1024, tree, directory, None);
        let (child, supervisor) = watch.start_supervisor(spec);
        Self { child, supervisor }
    }

    /// The root's own address, to add children.
    pub fn supervisor(&self) -> &Ref<Supervisor> {
        &self.supervisor
    }

    /// Resolves when the tree has ended: `Normal` after [`Root::stop`]; after
    /// anything else the process should exit with an error.
    pub fn exit(&self) -> impl Future<Output = Exit> + use<> {
        let done: watch::Receiver<_> = self.child.done();
        obituary::exit(done)
    }

    /// Asks the tree to stop, each child within its grace; resolves when it has.
    pub fn stop(&self) -> impl Future<Output = Exit> + use<> {
        self.child.ask_to_stop();
        self.exit()
    }
}
