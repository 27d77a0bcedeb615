//! Between a node and a service: a TCP proxy that can cut its connections, refuse new ones, or swallow what is sent as a
//! network does that is cut without a word. What was swallowed arrives when it is healed, as by TCP's retransmission.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Pass,
    Refuse,
    Swallow,
}

struct State {
    mode: Mode,
    /// Both ends of every connection.
    open: Vec<(TcpStream, UnixStream)>,
    over: bool,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    target: PathBuf,
}

pub(crate) struct Proxy {
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl Proxy {
    /// To the socket of a service, which need not be there yet.
    pub(crate) fn to(target: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Mutex::new(State { mode: Mode::Pass, open: Vec::new(), over: false });
        let shared = Arc::new(Shared { state, changed: Condvar::new(), target: target.to_owned() });
        let own = shared.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if own.state().over {
                    break;
                }
                let own = own.clone();
                // Waits where it is swallowed, and must not keep others out.
                std::thread::spawn(move || own.serve(client));
            }
        });
        Self { shared, address }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.shared.state().mode = mode;
        self.shared.changed.notify_all();
    }

    /// Ends every connection there is.
    pub(crate) fn cut(&self) {
        for (client, server) in self.shared.state().open.drain(..) {
            let _ = client.shutdown(Shutdown::Both);
            let _ = server.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.state().over = true;
        self.set(Mode::Pass);
        self.cut();
        let _ = TcpStream::connect(self.address); // so that the listener looks
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while everything is swallowed; what holds then.
    fn mode(&self) -> Mode {
        let mut state = self.state();
        while state.mode == Mode::Swallow {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.mode
    }

    fn serve(self: Arc<Self>, client: TcpStream) {
        if self.mode() == Mode::Refuse {
            return;
        }
        let Ok(server) = UnixStream::connect(&self.target) else { return };
        let _ = client.set_nodelay(true);
        let (Ok(client2), Ok(server2)) = (client.try_clone(), server.try_clone()) else { return };
        let (Ok(client3), Ok(server3)) = (client.try_clone(), server.try_clone()) else { return };
        {
            let mut state = self.state();
            // Those that have ended themselves are forgotten now and then.
            if state.open.len() > 64 {
                state.open.retain(|(client, _)| client.peer_addr().is_ok());
            }
            state.open.push((client3, server3));
        }
        let own = self.clone();
        std::thread::spawn(move || {
            let _ = own.copy(&server2, &client2);
            let _ = client2.shutdown(Shutdown::Both);
            let _ = server2.shutdown(Shutdown::Both);
        });
        let _ = self.copy(&client, &server);
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
    }

    fn copy(&self, mut from: impl Read, mut to: impl Write) -> io::Result<()> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let n = from.read(&mut buffer)?;
            // Also the end of a connection stays unknown while everything is swallowed.
            self.mode();
            if n == 0 {
                return Ok(());
            }
            to.write_all(&buffer[..n])?;
        }
    }
}
