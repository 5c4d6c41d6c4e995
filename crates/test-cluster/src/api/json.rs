//! Responses in compact JSON, as every client except `curl` and the like gets it. The
//! other formats of a real API server (YAML, protobuf, tables, partial metadata) are not
//! supported.

use serde::Serialize;

use super::status::Status;
use crate::http::Response;

/// A `Status` as a response.
pub(crate) fn status(status: &Status) -> Response {
    json(status.code, status)
}

/// A value as a response.
#[expect(clippy::expect_used, reason = "all keys of these types are strings")]
pub(crate) fn json(code: u16, value: &impl Serialize) -> Response {
    let text = serde_json::to_string(value).expect("a value encodes as JSON");
    text_of_json(code, &(text + "\n"))
}

/// A response with this JSON text.
pub(crate) fn text_of_json(code: u16, text: &str) -> Response {
    // Go escapes these, so that JSON can be embedded in HTML. They occur only in strings.
    let body = text
        .replace('&', "\\u0026")
        .replace('<', "\\u003c")
        .replace('>', "\\u003e");
    let mut response = Response::new(code, "application/json", body.into_bytes());
    response
        .headers
        .insert(0, ("Cache-Control", "no-cache, private".to_owned()));
    response
}
