//! The cost of runs for the API server: many at once, and the traffic of one.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::measure::spread;
use crate::scene::{ONE_SECRET, Scene, Stage, feed};
use crate::table::{Table, grouped, milliseconds};

const AT_ONCE: usize = 100;

/// Measures many providers at once, as after a restart of nodes.
pub(crate) fn at_once(provider: &Path) -> Result<Table> {
    let mut table = Table::new(&[
        "100 at once, each finds",
        "all done after ms",
        "one run ms, median",
        "requests",
        "connections",
        "failed",
    ]);
    for (name, other) in [("1 Secret", 0), ("1 of 100 Secrets", 99)] {
        let stage = Scene {
            other,
            ..ONE_SECRET
        }
        .lay_out()?;
        let start = Instant::now();
        let runs: Vec<Result<_>> = thread::scope(|scope| {
            let stage = &stage;
            let run = move |node| {
                let mut command = stage.command_of_node(provider, node);
                feed(&mut command, &stage.request())?;
                let start = Instant::now();
                let status = command.status()?;
                Ok((start.elapsed(), status.success()))
            };
            let threads = (0..AT_ONCE).map(|node| scope.spawn(move || run(node)));
            let threads: Vec<_> = threads.collect();
            let joined = threads.into_iter().map(thread::ScopedJoinHandle::join);
            joined
                .map(|run| run.unwrap_or_else(|_panic| bail!("a thread panicked")))
                .collect()
        });
        let total = start.elapsed();
        let runs = runs.into_iter().collect::<Result<Vec<_>>>()?;
        let failed = runs.iter().filter(|(_, success)| !success).count();
        table.row([
            name.to_owned(),
            milliseconds(total),
            milliseconds(spread(runs.iter().map(|run| run.0))?.median),
            grouped(u64::try_from(stage.server.requests().len())?),
            grouped(u64::try_from(stage.server.connections())?),
            grouped(u64::try_from(failed)?),
        ]);
    }
    Ok(table)
}

/// The bytes that one run sends and receives, handshake and TLS records included.
pub(crate) fn traffic(provider: &Path) -> Result<Table> {
    let mut table = Table::new(&[
        "one pull, in the namespace",
        "connections",
        "requests",
        "bytes sent",
        "bytes received",
    ]);
    let sizes: [(&str, usize); 5] = [
        ("no Secret", 0),
        ("1 Secret", 1),
        ("10 Secrets", 10),
        ("100 Secrets", 100),
        ("1,000 Secrets", 1_000),
    ];
    for (name, matching) in sizes {
        let stage = Scene {
            matching,
            ..ONE_SECRET
        }
        .lay_out()?;
        let (sent, received) = relayed(&stage, provider)?;
        table.row([
            name.to_owned(),
            grouped(u64::try_from(stage.server.connections())?),
            grouped(u64::try_from(stage.server.requests().len())?),
            grouped(sent),
            grouped(received),
        ]);
    }
    Ok(table)
}

/// Runs one provider through a relay that counts bytes.
fn relayed(stage: &Stage, provider: &Path) -> Result<(u64, u64)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let url = format!("https://{}", listener.local_addr()?);
    let relay = Relay {
        server: stage.server.address(),
        sent: AtomicU64::new(0),
        received: AtomicU64::new(0),
    };
    let relay = Arc::new(relay);
    let relaying = Arc::clone(&relay);
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let relay = Arc::clone(&relaying);
            thread::spawn(move || relay.serve(&client));
        }
    });
    let mut command = stage.command_at(provider, &url);
    feed(&mut command, &stage.request())?;
    let status = command.status().context("run through the relay")?;
    if !status.success() {
        bail!("through the relay: {status}");
    }
    Ok((
        relay.sent.load(Ordering::SeqCst),
        relay.received.load(Ordering::SeqCst),
    ))
}

struct Relay {
    server: SocketAddr,
    sent: AtomicU64,
    received: AtomicU64,
}

impl Relay {
    fn serve(&self, client: &TcpStream) -> io::Result<()> {
        let server = TcpStream::connect(self.server)?;
        thread::scope(|scope| {
            scope.spawn(|| pass(client, &server, &self.sent));
            pass(&server, client, &self.received)
        })
    }
}

/// Counts before it passes bytes on, so that a received response is already counted.
fn pass(mut from: &TcpStream, mut to: &TcpStream, count: &AtomicU64) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        let length = from.read(&mut buffer)?;
        let Some(bytes) = buffer.get(..length).filter(|bytes| !bytes.is_empty()) else {
            return to.shutdown(Shutdown::Write);
        };
        count.fetch_add(u64::try_from(length).unwrap_or_default(), Ordering::SeqCst);
        to.write_all(bytes)?;
    }
}
