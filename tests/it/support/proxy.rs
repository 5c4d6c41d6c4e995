//! An HTTP proxy that supports `CONNECT`, connects to one server for every target, and
//! records the requests.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A running proxy. Its thread ends with the test process.
pub(crate) struct RecordingProxy {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl RecordingProxy {
    /// Starts a proxy on a free port of `127.0.0.1`.
    pub(crate) fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let record = Arc::clone(&heads);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let record = Arc::clone(&record);
                // A client that disconnects ends only its own connection.
                thread::spawn(move || tunnel(client, server, &record).unwrap_or_default());
            }
        });
        Self { address, heads }
    }

    /// `http://` and its address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The same with a login.
    pub(crate) fn url_with_login(&self, login: &str) -> String {
        format!("http://{login}@{}", self.address)
    }

    /// The requested targets, `host:port`, in order.
    pub(crate) fn targets(&self) -> Vec<String> {
        let target = |head: &String| head.split(' ').nth(1).unwrap().to_owned();
        self.heads().iter().map(target).collect()
    }

    /// The requests up to their empty lines.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

fn tunnel(mut client: TcpStream, server: SocketAddr, heads: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    heads.lock().unwrap().push(head);
    let mut upstream = TcpStream::connect(server)?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    let mut back = (upstream.try_clone()?, client.try_clone()?);
    let returning = thread::spawn(move || {
        let copied = io::copy(&mut back.0, &mut back.1);
        copied.and_then(|_| back.1.shutdown(Shutdown::Write))
    });
    io::copy(&mut reader, &mut upstream)?;
    upstream.shutdown(Shutdown::Write)?;
    returning.join().unwrap_or(Ok(()))
}
