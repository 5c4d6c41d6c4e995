//! Writes responses as Go's HTTP server does.

use std::time::SystemTime;

use crate::{clock, random};

// The size of the buffer of Go's server: a longer body is sent in chunks.
const LARGEST_WITH_LENGTH: usize = 2048;

const CHUNK: usize = 32 * 1024;

/// A response before it is sent.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Headers beyond `Audit-Id`, `Date` and those of the framing.
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) framing: Framing,
}

/// How the end of the body is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// A length for a short body, chunks for a long one.
    BySize,
    /// `Content-Length`.
    Length,
    /// `Content-Length` with this value, true or not.
    ClaimedLength(usize),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

impl Response {
    /// An answer with that content type and body, and no other header.
    pub(crate) fn new(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        Self {
            status,
            headers: vec![("Content-Type", content_type.to_owned())],
            body,
            framing: Framing::BySize,
        }
    }

    /// Adds a header.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// The status line and the headers, with the empty line after them.
    pub(crate) fn head(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        let mut line = |name: &str, value: &str| {
            head.push_str(name);
            head.push_str(": ");
            head.push_str(value);
            head.push_str("\r\n");
        };
        line("Audit-Id", &random::uuid());
        for (name, value) in &self.headers {
            line(name, value);
        }
        line("Date", &clock::http_date(SystemTime::now()));
        match self.length() {
            Some(length) => line("Content-Length", &length.to_string()),
            None => line("Transfer-Encoding", "chunked"),
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// The body as it goes over the wire.
    pub(crate) fn framed_body(&self) -> Vec<u8> {
        if self.length().is_some() {
            return self.body.clone();
        }
        let chunks: Vec<Vec<u8>> = self.body.chunks(CHUNK).map(chunk).collect();
        [chunks.concat(), b"0\r\n\r\n".to_vec()].concat()
    }

    fn length(&self) -> Option<usize> {
        match self.framing {
            Framing::BySize => {
                Some(self.body.len()).filter(|&length| length <= LARGEST_WITH_LENGTH)
            }
            Framing::Length => Some(self.body.len()),
            Framing::ClaimedLength(length) => Some(length),
            Framing::Chunked => None,
        }
    }
}

/// One chunk of a chunked body.
pub(crate) fn chunk(bytes: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

/// The standard reason phrase of a status, as in Go.
pub(crate) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        413 => "Request Entity Too Large",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Unknown",
    }
}
