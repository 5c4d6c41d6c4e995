//! The threads of a server: one accepts, one serves each connection.

use std::{
    collections::HashMap,
    io,
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustls::ServerConfig;

use crate::{api::Behaviour, connection, fault::Faults, locked, record::Journal, state::State};

// How soon a thread that sleeps notices that the server stops.
const NAP: Duration = Duration::from_millis(10);

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) behaviour: Behaviour,
    pub(crate) tls: Arc<ServerConfig>,
    pub(crate) tls_too_old: bool,
    pub(crate) state: Mutex<State>,
    pub(crate) faults: Mutex<Faults>,
    pub(crate) journal: Journal,
    stopping: AtomicBool,
    open: Mutex<HashMap<usize, TcpStream>>,
}

impl Shared {
    pub(crate) fn new(
        behaviour: Behaviour,
        tls: ServerConfig,
        too_old: bool,
        journal: Journal,
    ) -> Self {
        Self {
            behaviour,
            tls: Arc::new(tls),
            tls_too_old: too_old,
            state: Mutex::default(),
            faults: Mutex::default(),
            journal,
            stopping: AtomicBool::new(false),
            open: Mutex::default(),
        }
    }

    /// Sleeps so long, or until the server stops.
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

    /// Tells all threads to end.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    /// Ends all connections, in the middle of whatever they do.
    pub(crate) fn hang_up(&self) {
        for socket in locked(&self.open).values() {
            // It may be closed already.
            let _closed = socket.shutdown(Shutdown::Both);
        }
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }
}

/// Accepts connections until the server stops; returns the threads that may
/// still run.
pub(crate) fn accept(listener: &TcpListener, shared: &Arc<Shared>) -> Vec<JoinHandle<()>> {
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    for socket in listener.incoming() {
        if shared.is_stopping() {
            break;
        }
        threads.retain(|thread| !thread.is_finished());
        // A client that is gone before it was accepted is none.
        if let Ok(thread) = socket.and_then(|socket| spawn(shared, socket)) {
            threads.push(thread);
        }
    }
    threads
}

fn spawn(shared: &Arc<Shared>, socket: TcpStream) -> io::Result<JoinHandle<()>> {
    let peer = socket.peer_addr()?;
    let handle = socket.try_clone()?;
    let number = shared.journal.connection(peer);
    locked(&shared.open).insert(number, handle);
    let shared = Arc::clone(shared);
    thread::Builder::new()
        .name(format!("connection-{number}"))
        .spawn(move || {
            connection::serve(&shared, number, socket);
            locked(&shared.open).remove(&number);
        })
}
