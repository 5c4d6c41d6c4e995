//! The state that the threads of a server share: one accepts connections, and one serves
//! each connection.

use std::{
    collections::HashMap,
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustls::ServerConfig;

use crate::{api::Behaviour, fault::Faults, locked, record::Journal, state::State};

/// The interval at which a sleeping thread checks whether the server stops.
const NAP: Duration = Duration::from_millis(10);

/// The state that all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) behaviour: Behaviour,
    pub(crate) tls: Arc<ServerConfig>,
    pub(crate) state: Mutex<State>,
    pub(crate) faults: Mutex<Faults>,
    pub(crate) journal: Journal,
    stopping: AtomicBool,
    open: Mutex<HashMap<SocketAddr, TcpStream>>,
}

impl Shared {
    pub(crate) fn new(behaviour: Behaviour, tls: ServerConfig, journal: Journal) -> Self {
        Self {
            behaviour,
            tls: Arc::new(tls),
            state: Mutex::default(),
            faults: Mutex::default(),
            journal,
            stopping: AtomicBool::new(false),
            open: Mutex::default(),
        }
    }

    /// Sleeps for `duration`, or until the server stops.
    pub(crate) fn sleep(&self, duration: Duration) {
        let end = Instant::now() + duration;
        while !self.is_stopping() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            thread::sleep(left.min(NAP));
        }
    }

    /// Makes all threads end.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    /// Adds a connection that [`hang_up`](Self::hang_up) ends.
    pub(crate) fn opened(&self, peer: SocketAddr, socket: TcpStream) {
        locked(&self.open).insert(peer, socket);
    }

    /// Removes a connection that has ended.
    pub(crate) fn closed(&self, peer: SocketAddr) {
        locked(&self.open).remove(&peer);
    }

    /// Ends all connections at once.
    pub(crate) fn hang_up(&self) {
        for socket in locked(&self.open).values() {
            // Ignore an error: it may be closed already.
            let _closed = socket.shutdown(Shutdown::Both);
        }
    }

    /// Whether the server is stopping.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }
}
