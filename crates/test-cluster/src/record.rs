//! What the server saw: every connection and every request.

use std::{
    fs::File,
    io::{self, Write},
    net::SocketAddr,
    sync::Mutex,
};

use crate::{http::Request, locked};

/// A request as the server saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedRequest {
    /// `GET`, `POST`, ...
    pub method: String,
    /// The path as sent, without the query.
    pub path: String,
    /// The query's pairs, decoded, in their order.
    pub query: Vec<(String, String)>,
    /// The headers as sent, in their order.
    pub headers: Vec<(String, String)>,
    /// The bearer token.
    pub token: Option<String>,
    /// The body.
    pub body: Vec<u8>,
    /// Which connection it came over; see [`RecordedConnection::number`].
    pub connection: usize,
    /// The server name the client asked for in TLS; none for an IP address.
    pub sni: Option<String>,
    /// Whether the connection resumed an earlier TLS session.
    pub resumed: bool,
    /// The status it got, if it got one.
    pub status: Option<u16>,
}

/// A connection as the server saw it, whether or not it came to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedConnection {
    /// Counts from 1 for the life of the server.
    pub number: usize,
    /// The client's address.
    pub peer: SocketAddr,
    /// Whether the TLS handshake was completed.
    pub encrypted: bool,
    /// The server name the client asked for in TLS; none for an IP address.
    pub sni: Option<String>,
    /// Whether the client resumed an earlier TLS session.
    pub resumed: bool,
    /// How many requests came over it.
    pub requests: usize,
    /// What went wrong, such as the client's TLS alert. Faults on demand are
    /// not in here.
    pub error: Option<String>,
}

impl RecordedRequest {
    /// The value of the first header of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The first value of that name in the query.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// The record itself, and the file it may go to as well.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    entries: Mutex<Entries>,
    log: Mutex<Option<File>>,
}

#[derive(Debug, Default)]
struct Entries {
    accepted: usize,
    connections: Vec<RecordedConnection>,
    requests: Vec<RecordedRequest>,
}

impl Journal {
    /// A record whose requests are also written to a file, a line each.
    pub(crate) fn new(log: Option<File>) -> Self {
        Self {
            log: Mutex::new(log),
            ..Self::default()
        }
    }

    /// Records a new connection, and returns its number.
    pub(crate) fn connection(&self, peer: SocketAddr) -> usize {
        let mut entries = locked(&self.entries);
        entries.accepted += 1;
        let number = entries.accepted;
        entries.connections.push(RecordedConnection {
            number,
            peer,
            encrypted: false,
            sni: None,
            resumed: false,
            requests: 0,
            error: None,
        });
        number
    }

    /// Changes what is known of a connection, unless it was cleared.
    pub(crate) fn update(&self, number: usize, change: impl FnOnce(&mut RecordedConnection)) {
        let mut entries = locked(&self.entries);
        let connection = entries
            .connections
            .iter_mut()
            .find(|connection| connection.number == number);
        if let Some(connection) = connection {
            change(connection);
        }
    }

    /// Records a request before it is answered: a client that has its answer finds the
    /// record.
    pub(crate) fn request(
        &self,
        connection: usize,
        request: &Request,
        status: Option<u16>,
        sni: Option<&str>,
        resumed: bool,
    ) {
        let record = RecordedRequest {
            method: request.method.clone(),
            path: request.path().to_owned(),
            query: request.query(),
            headers: request.headers.clone(),
            token: request.token().map(str::to_owned),
            body: request.body.clone(),
            connection,
            sni: sni.map(str::to_owned),
            resumed,
            status,
        };
        self.update(connection, |connection| connection.requests += 1);
        locked(&self.entries).requests.push(record);
        if let Err(error) = self.log(request, status) {
            self.update(connection, |connection| {
                connection.error = Some(format!("write the log: {error}"));
            });
        }
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<RecordedRequest> {
        locked(&self.entries).requests.clone()
    }

    /// The connections so far.
    pub(crate) fn connections(&self) -> Vec<RecordedConnection> {
        locked(&self.entries).connections.clone()
    }

    /// Forgets what was recorded.
    pub(crate) fn clear(&self) {
        let mut entries = locked(&self.entries);
        entries.connections.clear();
        entries.requests.clear();
    }

    fn log(&self, request: &Request, status: Option<u16>) -> io::Result<()> {
        let mut log = locked(&self.log);
        let Some(file) = log.as_mut() else {
            return Ok(());
        };
        let status = status.map_or("none".to_owned(), |status| status.to_string());
        let line = format!("{} {} -> {status}\n", request.method, request.target);
        // One write for each line, so that a reader of the file sees whole lines.
        file.write_all(line.as_bytes())
    }
}
