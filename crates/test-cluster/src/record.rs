//! The record of the server: every request, and the number of connections.

use std::{
    fs::File,
    io::{self, Write},
    sync::Mutex,
};

use crate::{http::Request, locked};

/// A request as the server received it.
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
    /// The server name the client asked for in TLS; none for an IP address.
    pub sni: Option<String>,
    /// The status of its response, if it got one.
    pub status: Option<u16>,
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

/// The record, and the file to which requests are also written, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    entries: Mutex<Entries>,
    log: Mutex<Option<File>>,
}

#[derive(Debug, Default)]
struct Entries {
    connections: usize,
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

    /// Records a new connection.
    pub(crate) fn connection(&self) {
        locked(&self.entries).connections += 1;
    }

    /// Records a request before it is answered, so that a client that has its response
    /// finds the record.
    ///
    /// # Errors
    /// The log cannot be written.
    pub(crate) fn request(
        &self,
        request: &Request,
        status: Option<u16>,
        sni: Option<&str>,
    ) -> io::Result<()> {
        let record = RecordedRequest {
            method: request.method.clone(),
            path: request.path().to_owned(),
            query: request.query(),
            headers: request.headers.clone(),
            token: request.token().map(str::to_owned),
            body: request.body.clone(),
            sni: sni.map(str::to_owned),
            status,
        };
        locked(&self.entries).requests.push(record);
        self.log(request, status)
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<RecordedRequest> {
        locked(&self.entries).requests.clone()
    }

    /// The number of connections so far.
    pub(crate) fn connections(&self) -> usize {
        locked(&self.entries).connections
    }

    /// Clears the record.
    pub(crate) fn clear(&self) {
        *locked(&self.entries) = Entries::default();
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
