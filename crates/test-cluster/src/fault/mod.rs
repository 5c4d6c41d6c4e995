//! Faults on demand: their kind, how often they happen, and for which requests.

mod delivery;
mod queue;

use std::time::{Duration, SystemTime};

pub(crate) use self::{
    delivery::{Delivery, Then},
    queue::Faults,
};

/// A fault of the next connection or the next response.
///
/// ```
/// use test_cluster::{AnswerFault, Fault};
///
/// let twice_unavailable = Fault::status(503).times(2);
/// let no_second_page = Fault::from(AnswerFault::CutInBody).on_path_containing("continue=");
/// ```
#[derive(Debug, Clone)]
pub struct Fault {
    kind: FaultKind,
    /// How many times it still happens; `None` for ever.
    times: Option<usize>,
    path: Option<String>,
}

/// A fault of a connection before any HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionFault {
    /// Closed right after it was accepted.
    Refuse,
    /// Accepted, then silence.
    HangAtAccept,
    /// Silence after the first half of the server's side of the handshake.
    HangInHandshake,
    /// The handshake is refused as by a server that supports only TLS 1.1 and older.
    TlsTooOld,
    /// The handshake is answered with something that is not TLS.
    GarbageHandshake,
}

/// A fault of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerFault {
    /// That status, with the `Status` body that belongs to it. 504 is text,
    /// as a real API server has it.
    Status {
        /// The HTTP status.
        code: u16,
        /// When the client should try again.
        retry_after: Option<RetryAfter>,
    },
    /// Any answer.
    Custom {
        /// The HTTP status.
        code: u16,
        /// The header `Content-Type`.
        content_type: String,
        /// The body.
        body: Vec<u8>,
    },
    /// 301, 302, 307 or the like, to that URL.
    Redirect {
        /// The HTTP status.
        code: u16,
        /// The header `Location`.
        location: String,
    },
    /// 200 with a login page in HTML, as from a captive portal.
    LoginPage,
    /// 410 with a fresh `continue`. Waits for a request with a `continue`.
    ExpiredContinue,
    /// 200 with a list of another kind.
    WrongKind,
    /// 200 with a body that is not JSON.
    GarbageJson,
    /// 200 with the first half of the right body, complete as HTTP.
    TruncatedJson,
    /// 200 with JSON nested 100,000 deep.
    DeepJson,
    /// 200 with a list that does not end.
    EndlessBody,
    /// Headers that do not end.
    EndlessHeaders,
    /// Bytes that are not HTTP, then the end.
    Garbage,
    /// Silence instead of an answer.
    HangBeforeHeaders,
    /// Silence after a part of the headers.
    HangInHeaders,
    /// Silence after a part of the body.
    HangInBody,
    /// The connection breaks instead of an answer.
    CutBeforeHeaders,
    /// The connection breaks inside the headers.
    CutInHeaders,
    /// The connection breaks inside a body with a `Content-Length`.
    CutInBody,
    /// The connection breaks inside a chunked body.
    CutInChunkedBody,
    /// The right answer, then the connection closes without a warning.
    CloseAfterAnswer,
    /// A `Content-Length` larger than the body, then the end.
    LengthTooLarge,
    /// A `Content-Length` smaller than the body.
    LengthTooSmall,
    /// The right answer, after a pause.
    Delay(Duration),
    /// The right answer, one byte per interval.
    Drip(Duration),
}

/// The header `Retry-After`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// So many seconds from now.
    Seconds(u64),
    /// At that time, as an HTTP date.
    Date(SystemTime),
}

#[derive(Debug, Clone)]
enum FaultKind {
    Connection(ConnectionFault),
    Answer(AnswerFault),
}

impl Fault {
    /// That status, with the `Status` body that belongs to it.
    pub fn status(code: u16) -> Self {
        Self::from(AnswerFault::Status {
            code,
            retry_after: None,
        })
    }

    /// 429 with a `Retry-After`.
    pub fn too_many_requests(retry_after: RetryAfter) -> Self {
        Self::from(AnswerFault::Status {
            code: 429,
            retry_after: Some(retry_after),
        })
    }

    /// 301, 302, 307 or the like, to that URL.
    pub fn redirect(code: u16, location: &str) -> Self {
        Self::from(AnswerFault::Redirect {
            code,
            location: location.to_owned(),
        })
    }

    /// Lets it happen this many times, instead of once.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = Some(times);
        self
    }

    /// Lets it happen every time, until [`clear_faults`](crate::ApiServer::clear_faults).
    #[must_use]
    pub fn forever(mut self) -> Self {
        self.times = None;
        self
    }

    /// Waits for a request with that text in its path or query, as sent. Has no effect on
    /// faults of connections, which have no path.
    #[must_use]
    pub fn on_path_containing(mut self, part: &str) -> Self {
        self.path = Some(part.to_owned());
        self
    }
}

impl From<FaultKind> for Fault {
    fn from(kind: FaultKind) -> Self {
        Self {
            kind,
            times: Some(1),
            path: None,
        }
    }
}

impl From<ConnectionFault> for Fault {
    fn from(fault: ConnectionFault) -> Self {
        FaultKind::Connection(fault).into()
    }
}

impl From<AnswerFault> for Fault {
    fn from(fault: AnswerFault) -> Self {
        FaultKind::Answer(fault).into()
    }
}
