//! Answers in JSON, compact as every client but `curl` and the like gets it. YAML,
//! protobuf, tables and metadata alone, which a real API server also has, are missing.

use serde::Serialize;

use super::status::Status;
use crate::http::Response;

/// A `Status` as an answer.
pub(crate) fn status(status: &Status) -> Response {
    json(status.code, status)
}

/// A value as an answer.
#[expect(
    clippy::expect_used,
    reason = "these types have no key that is not a string"
)]
pub(crate) fn json(code: u16, value: &impl Serialize) -> Response {
    let text = serde_json::to_string(value).expect("a value encodes as JSON");
    text_of_json(code, &(text + "\n"))
}

/// JSON that is written already.
pub(crate) fn text_of_json(code: u16, text: &str) -> Response {
    // Go escapes these, so that JSON can be embedded in HTML. They occur in strings alone.
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
