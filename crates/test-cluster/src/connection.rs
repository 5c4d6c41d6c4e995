//! One connection, from the accepted socket to its end.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    sync::Arc,
    time::Duration,
};

use rustls::{ServerConnection, StreamOwned};

use crate::{
    api,
    fault::{ConnectionFault, Delivery, Then},
    http::{self, Request},
    locked,
    shared::Shared,
};

// Record type alert, TLS 1.1, two bytes: fatal, protocol_version.
const PROTOCOL_VERSION_ALERT: [u8; 7] = [0x15, 0x03, 0x02, 0x00, 0x02, 0x02, 0x46];

const NOT_TLS: &[u8] = b"SSH-2.0-OpenSSH_9.9\r\n";

type Tls = StreamOwned<ServerConnection, TcpStream>;

/// Serves a connection until it ends.
///
/// # Errors
/// The client hangs up, or refuses the certificate.
pub(crate) fn serve(shared: &Shared, mut socket: TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let fault = locked(&shared.faults).for_connection();
    match fault {
        Some(ConnectionFault::Refuse) => return socket.shutdown(Shutdown::Both),
        Some(ConnectionFault::HangAtAccept) => return drain(&mut socket),
        Some(ConnectionFault::HangInHandshake) => return hang_in_handshake(shared, socket),
        Some(ConnectionFault::TlsTooOld) => return say(&mut socket, &PROTOCOL_VERSION_ALERT),
        Some(ConnectionFault::GarbageHandshake) => return say(&mut socket, NOT_TLS),
        None => {}
    }
    let tls = handshake(shared, socket)?;
    requests(shared, tls)
}

fn handshake(shared: &Shared, mut socket: TcpStream) -> io::Result<Tls> {
    let mut connection = server_connection(shared)?;
    while connection.is_handshaking() {
        let (read, written) = connection.complete_io(&mut socket)?;
        if (read, written) == (0, 0) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(StreamOwned::new(connection, socket))
}

fn requests(shared: &Shared, mut stream: Tls) -> io::Result<()> {
    let mut buffer = Vec::new();
    loop {
        let request = match http::read(&mut stream, &mut buffer) {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(()),
            Err(http::Error::Read(error)) => return Err(error),
            Err(error) => return Err(io::Error::other(error)),
        };
        let delivery = delivery(shared, &request);
        let sni = stream.conn.server_name();
        shared.journal.request(&request, delivery.status, sni)?;
        send(shared, &mut stream, &delivery)?;
        match delivery.then {
            Then::NextRequest if request.keep_alive => {}
            Then::NextRequest | Then::Close => {
                stream.conn.send_close_notify();
                stream.flush()?;
                return stream.sock.shutdown(Shutdown::Write);
            }
            Then::Cut => return stream.sock.shutdown(Shutdown::Both),
            Then::Hang => return drain(&mut stream.sock),
            Then::Repeat(bytes) => loop {
                stream.write_all(&bytes)?;
            },
        }
    }
}

fn delivery(shared: &Shared, request: &Request) -> Delivery {
    let answer = api::answer(&shared.behaviour, &shared.state, request);
    let fault = locked(&shared.faults).for_request(request);
    match fault {
        Some(fault) => Delivery::faulty(fault, request, answer),
        None => Delivery::whole(&answer),
    }
}

fn send(shared: &Shared, stream: &mut Tls, delivery: &Delivery) -> io::Result<()> {
    shared.sleep(delivery.delay);
    match delivery.pace {
        None => stream.write_all(&delivery.bytes)?,
        Some(interval) => drip(shared, stream, &delivery.bytes, interval)?,
    }
    stream.flush()
}

fn drip(shared: &Shared, stream: &mut Tls, bytes: &[u8], interval: Duration) -> io::Result<()> {
    for byte in bytes {
        shared.sleep(interval);
        stream.write_all(&[*byte])?;
        stream.flush()?;
    }
    Ok(())
}

fn hang_in_handshake(shared: &Shared, mut socket: TcpStream) -> io::Result<()> {
    let mut connection = server_connection(shared)?;
    while connection.wants_read() && !connection.wants_write() {
        if connection.read_tls(&mut socket)? == 0 {
            return Ok(());
        }
        connection.process_new_packets().map_err(io::Error::other)?;
    }
    let mut flight = Vec::new();
    connection.write_tls(&mut flight)?;
    flight.truncate(flight.len() / 2);
    socket.write_all(&flight)?;
    drain(&mut socket)
}

/// Reads the client's first bytes, answers, and waits until the client hangs up: closing
/// a socket with unread bytes would discard the answer.
fn say(socket: &mut TcpStream, answer: &[u8]) -> io::Result<()> {
    let mut heard = [0; 16 * 1024];
    if socket.read(&mut heard)? == 0 {
        return Ok(());
    }
    socket.write_all(answer)?;
    socket.shutdown(Shutdown::Write)?;
    drain(socket)
}

/// Reads until the client hangs up, or the server is stopped.
fn drain(socket: &mut TcpStream) -> io::Result<()> {
    let mut ignored = [0; 4096];
    while socket.read(&mut ignored)? > 0 {}
    Ok(())
}

fn server_connection(shared: &Shared) -> io::Result<ServerConnection> {
    ServerConnection::new(Arc::clone(&shared.tls)).map_err(io::Error::other)
}
