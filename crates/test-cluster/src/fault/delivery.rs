//! The bytes and pauses that are sent as a response or in place of it. Does no I/O: the
//! connection sends them.

use std::time::{Duration, SystemTime};

use super::{AnswerFault, RetryAfter};
use crate::{
    api, clock,
    http::{Framing, Request, Response, chunk, reason},
};

const DEPTH: usize = 100_000;

const LOGIN_PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\
    <body><form method=\"post\" action=\"/login\"><input name=\"user\">\
    <input name=\"password\" type=\"password\"></form></body></html>\n";

const LIST_BEGIN: &str =
    r#"{"kind":"SecretList","apiVersion":"v1","metadata":{"resourceVersion":"1402"},"items":["#;

/// What happens on the connection after a request.
#[derive(Debug)]
pub(crate) struct Delivery {
    /// The status that the client can read, if any.
    pub(crate) status: Option<u16>,
    /// The pause before the first byte.
    pub(crate) delay: Duration,
    pub(crate) bytes: Vec<u8>,
    /// The pause before every single byte.
    pub(crate) pace: Option<Duration>,
    pub(crate) then: Then,
}

/// What follows the bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// The connection serves the next request.
    NextRequest,
    /// A proper end of TLS and TCP.
    Close,
    /// An end of TCP in the middle of TLS.
    Cut,
    /// Silence until the client gives up.
    Hang,
    /// These bytes again and again until the client gives up.
    Repeat(Vec<u8>),
}

impl Delivery {
    /// The correct response without a fault.
    pub(crate) fn whole(answer: &Response) -> Self {
        Self::part(
            answer.status,
            [answer.head(), answer.framed_body()].concat(),
            Then::NextRequest,
        )
    }

    /// The response with that fault.
    pub(crate) fn faulty(fault: AnswerFault, request: &Request, answer: Response) -> Self {
        match fault {
            AnswerFault::Status { code, retry_after } => status(code, retry_after),
            AnswerFault::Custom {
                code,
                content_type,
                body,
            } => Self::whole(&Response::new(code, &content_type, body)),
            AnswerFault::Redirect { code, location } => redirect(code, &location),
            AnswerFault::LoginPage => Self::whole(&Response::new(
                200,
                "text/html; charset=utf-8",
                LOGIN_PAGE.into(),
            )),
            AnswerFault::ExpiredContinue => {
                let query = request.query();
                let token = query.iter().find(|(key, _)| key == "continue");
                let token = token.map_or("", |(_, token)| token.as_str());
                Self::whole(&api::expired_continue(token))
            }
            AnswerFault::WrongKind => json(LIST_BEGIN.replace("Secret", "Pod") + "]}\n"),
            AnswerFault::GarbageJson => json("{\"kind\":\"SecretList\",,\u{7f}".to_owned()),
            AnswerFault::TruncatedJson => truncated(answer),
            AnswerFault::DeepJson => json(format!(
                "{LIST_BEGIN}{}{}]}}\n",
                "[".repeat(DEPTH),
                "]".repeat(DEPTH)
            )),
            AnswerFault::EndlessBody => endless_body(answer),
            AnswerFault::EndlessHeaders => {
                let filler = format!("X-Filler: {}\r\n", "a".repeat(1000)).into_bytes();
                Self::part(answer.status, start(&answer), Then::Repeat(filler))
            }
            AnswerFault::Garbage => Self::silent(b"\x00\xffthis is not HTTP\r\n\r\n", Then::Close),
            AnswerFault::HangBeforeHeaders => Self::silent(b"", Then::Hang),
            AnswerFault::HangInHeaders => Self::part(answer.status, start(&answer), Then::Hang),
            AnswerFault::HangInBody => half(answer, Framing::BySize, Then::Hang),
            AnswerFault::CutBeforeHeaders => Self::silent(b"", Then::Cut),
            AnswerFault::CutInHeaders => Self::part(answer.status, start(&answer), Then::Cut),
            AnswerFault::CutInBody => half(answer, Framing::Length, Then::Cut),
            AnswerFault::CutInChunkedBody => half(answer, Framing::Chunked, Then::Cut),
            AnswerFault::CloseAfterAnswer => Self {
                then: Then::Close,
                ..Self::whole(&answer)
            },
            AnswerFault::LengthTooLarge => Self {
                then: Then::Close,
                ..claiming(answer, |length| length + 10)
            },
            AnswerFault::LengthTooSmall => claiming(answer, |length| length / 2),
            AnswerFault::Delay(delay) => Self {
                delay,
                ..Self::whole(&answer)
            },
            AnswerFault::Drip(interval) => Self {
                pace: Some(interval),
                ..Self::whole(&answer)
            },
        }
    }

    fn part(status: u16, bytes: Vec<u8>, then: Then) -> Self {
        Self {
            status: Some(status),
            delay: Duration::ZERO,
            bytes,
            pace: None,
            then,
        }
    }

    fn silent(bytes: &[u8], then: Then) -> Self {
        Self {
            status: None,
            ..Self::part(0, bytes.to_vec(), then)
        }
    }
}

fn status(code: u16, retry_after: Option<RetryAfter>) -> Delivery {
    let mut response = api::fault(code);
    if let Some(retry_after) = retry_after {
        let value = match retry_after {
            RetryAfter::Seconds(seconds) => seconds.to_string(),
            RetryAfter::Date(time) => clock::http_date(time.max(SystemTime::UNIX_EPOCH)),
        };
        response = response.with("Retry-After", &value);
    }
    Delivery::whole(&response)
}

fn redirect(code: u16, location: &str) -> Delivery {
    let body = format!("<a href=\"{location}\">{}</a>.\n\n", reason(code));
    let response = Response::new(code, "text/html; charset=utf-8", body.into_bytes())
        .with("Location", location);
    Delivery::whole(&response)
}

fn json(body: String) -> Delivery {
    Delivery::whole(&Response::new(200, "application/json", body.into_bytes()))
}

fn truncated(mut answer: Response) -> Delivery {
    answer.body.truncate(answer.body.len() / 2);
    Delivery::whole(&answer)
}

fn endless_body(mut answer: Response) -> Delivery {
    answer.status = 200;
    answer.framing = Framing::Chunked;
    let bytes = [answer.head(), chunk(LIST_BEGIN.as_bytes())].concat();
    let item = format!(
        r#"{{"metadata":{{"name":"filler"}},"data":{{".dockerconfigjson":"{}"}},"type":"kubernetes.io/dockerconfigjson"}},"#,
        "e30K".repeat(4096)
    );
    Delivery::part(200, bytes, Then::Repeat(chunk(item.as_bytes())))
}

/// The status line and the beginning of the first header.
fn start(answer: &Response) -> Vec<u8> {
    let line = answer.head().into_iter().take_while(|&byte| byte != b'\n');
    line.chain(*b"\nCache-Con").collect()
}

/// The headers and the first half of the body.
fn half(mut answer: Response, framing: Framing, then: Then) -> Delivery {
    answer.framing = framing;
    let mut body = answer.framed_body();
    body.truncate(body.len() / 2);
    let bytes = [answer.head(), body].concat();
    Delivery::part(answer.status, bytes, then)
}

fn claiming(mut answer: Response, length: impl Fn(usize) -> usize) -> Delivery {
    answer.framing = Framing::ClaimedLength(length(answer.body.len()));
    Delivery::whole(&answer)
}
