//! Reads requests from a connection, one after the other.

use std::io::{self, Read};

use thiserror::Error;

// The limit of Go's server for a header block; here it is also the limit of a body.
const MOST: usize = 1 << 20;

const MOST_HEADERS: usize = 100;

/// A request as it was sent.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query, undecoded.
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the connection may serve another request.
    pub(crate) keep_alive: bool,
}

/// Why bytes are not a request.
#[derive(Debug, Error)]
pub(crate) enum Error {
    /// The connection failed.
    #[error("read a request")]
    Read(#[source] io::Error),
    /// The connection ended inside a request.
    #[error("the client closed the connection inside a request")]
    Incomplete,
    /// The bytes are not HTTP.
    #[error("parse the request")]
    Parse(#[source] httparse::Error),
    /// More than a megabyte of headers or body.
    #[error("the request is larger than {MOST} bytes")]
    TooLarge,
}

impl Request {
    /// The value of the first header of that name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The path, undecoded, without the query.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The query's pairs, decoded.
    pub(crate) fn query(&self) -> Vec<(String, String)> {
        let (_, query) = self.target.split_once('?').unwrap_or_default();
        query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(key, value)| (decode(key, true), decode(value, true)))
            .collect()
    }

    /// The path's segments, decoded.
    pub(crate) fn segments(path: &str) -> Vec<String> {
        path.split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| decode(segment, false))
            .collect()
    }

    /// The bearer token, if one was sent.
    pub(crate) fn token(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then(|| token.trim())
            .filter(|token| !token.is_empty())
    }
}

/// The next request, or `None` if the client has closed the connection. `buffer` has the
/// bytes that were read after the previous request.
pub(crate) fn read(stream: &mut impl Read, buffer: &mut Vec<u8>) -> Result<Option<Request>, Error> {
    let (mut request, head) = loop {
        if let Some(parsed) = parse(buffer)? {
            break parsed;
        }
        if buffer.len() > MOST {
            return Err(Error::TooLarge);
        }
        match fill(stream, buffer)? {
            0 if buffer.is_empty() => return Ok(None),
            0 => return Err(Error::Incomplete),
            _ => {}
        }
    };
    let length: usize = request
        .header("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    if length > MOST {
        return Err(Error::TooLarge);
    }
    while buffer.len() < head + length {
        if fill(stream, buffer)? == 0 {
            return Err(Error::Incomplete);
        }
    }
    request.body = buffer.drain(..head + length).skip(head).collect();
    Ok(Some(request))
}

fn fill(stream: &mut impl Read, buffer: &mut Vec<u8>) -> Result<usize, Error> {
    let mut chunk = [0; 4096];
    let count = stream.read(&mut chunk).map_err(Error::Read)?;
    buffer.extend(chunk.iter().take(count));
    Ok(count)
}

/// The request's head and its length, if it is complete.
fn parse(buffer: &[u8]) -> Result<Option<(Request, usize)>, Error> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(length) = parsed.parse(buffer).map_err(Error::Parse)? else {
        return Ok(None);
    };
    let mut request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        target: parsed.path.unwrap_or_default().to_owned(),
        headers: parsed
            .headers
            .iter()
            .map(|header| {
                let value = String::from_utf8_lossy(header.value).into_owned();
                (header.name.to_owned(), value)
            })
            .collect(),
        body: Vec::new(),
        keep_alive: false,
    };
    let connection = request.header("connection").unwrap_or_default();
    request.keep_alive = parsed.version == Some(1) && !connection.eq_ignore_ascii_case("close");
    Ok(Some((request, length)))
}

/// Decodes percent signs, and in a query plus signs. An invalid escape is left unchanged.
fn decode(text: &str, query: bool) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after) {
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    decoded.push(high << 4 | low);
                    rest = after;
                }
                (Some(_) | None, _) => decoded.push(byte),
            },
            (b'+', _) if query => decoded.push(b' '),
            _ => decoded.push(byte),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::{Error, decode, read};

    #[test]
    fn requests_are_read_one_after_the_other() {
        let mut sent = &b"POST /a?b=c%3Dd&e=+ HTTP/1.1\r\nContent-Length: 2\r\n\r\nhiGET /x HTTP/1.1\r\nConnection: close\r\nAuthorization: bearer t\r\n\r\n"[..];
        let mut buffer = Vec::new();

        let first = read(&mut sent, &mut buffer).unwrap().unwrap();
        assert_eq!((first.path(), first.body.as_slice()), ("/a", &b"hi"[..]));
        let query = [("b", "c=d"), ("e", " ")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(first.query(), query);
        assert!(first.keep_alive);

        let second = read(&mut sent, &mut buffer).unwrap().unwrap();
        assert_eq!((second.path(), second.token()), ("/x", Some("t")));
        assert!(!second.keep_alive);
        assert!(read(&mut sent, &mut buffer).unwrap().is_none());
    }

    #[test]
    fn text_that_is_not_a_request_is_refused() {
        let read = |mut sent: &[u8]| read(&mut sent, &mut Vec::new());
        assert!(matches!(read(b"GET / HTT"), Err(Error::Incomplete)));
        assert!(matches!(read(b"\x16\x03\x01"), Err(Error::Parse(_))));
        let large = b"GET / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n";
        assert!(matches!(read(large), Err(Error::TooLarge)));
    }

    #[test]
    fn an_invalid_escape_is_left_unchanged() {
        assert_eq!(decode("a%2fb%zz%4", false), "a/b%zz%4");
        assert_eq!(decode("a+b", false), "a+b");
    }
}
