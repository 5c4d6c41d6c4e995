//! As much of HTTP/1.1 as a client of one API server needs: requests with
//! their bodies, answers with a length or in chunks.

mod request;
mod response;

pub(crate) use request::{Error, Request, read};
pub(crate) use response::{Framing, Response, chunk, reason};
