//! The part of HTTP/1.1 that a client of one API server needs: requests with bodies, and
//! responses with a length or in chunks.

mod request;
mod response;

pub(crate) use request::{Error, Request, read};
pub(crate) use response::{Framing, Response, chunk, reason};
