//! In which form the client gets its answer: indented or compact, whole
//! objects or their metadata alone. Always JSON; YAML, protobuf and tables,
//! which a real API server also has, are not acceptable here.

use serde::Serialize;

use super::status::Status;
use crate::http::{Request, Response};

// Clients that a person is likely to sit before.
const READ_BY_PEOPLE: [&str; 3] = ["curl/", "Wget/", "Mozilla/"];

/// The form of an answer.
#[derive(Debug)]
pub(crate) struct Rendering {
    pretty: bool,
    accept: Vec<Accept>,
}

/// A form of object that the client takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accept {
    /// The object.
    Whole,
    /// `PartialObjectMetadata` instead of an object.
    Partial,
    /// `PartialObjectMetadataList` instead of a list.
    PartialList,
}

impl Rendering {
    /// The form that the request asks for.
    pub(crate) fn of(request: &Request, query: &[(String, String)], pretty: Option<bool>) -> Self {
        let agent = request.header("user-agent").unwrap_or_default();
        let asked = query
            .iter()
            .find(|(key, _)| key == "pretty")
            .map(|(_, value)| matches!(value.as_str(), "1" | "true"));
        let by_agent = READ_BY_PEOPLE.iter().any(|name| agent.starts_with(name));
        Self {
            pretty: pretty.or(asked).unwrap_or(by_agent),
            accept: request
                .header("accept")
                .unwrap_or("*/*")
                .split(',')
                .filter_map(accept)
                .collect(),
        }
    }

    /// Whether metadata alone is asked for, or the 406 if none of the forms
    /// the client takes is `Whole` or `partial`.
    pub(crate) fn partial(&self, partial: Accept) -> Result<bool, Response> {
        self.accept
            .iter()
            .find(|&&accept| accept == Accept::Whole || accept == partial)
            .map(|&accept| accept != Accept::Whole)
            .ok_or_else(|| self.status(&Status::not_acceptable()))
    }

    /// A `Status` as an answer.
    pub(crate) fn status(&self, status: &Status) -> Response {
        let response = self.json(status.code, status);
        if status.code == 403 {
            response.with("X-Content-Type-Options", "nosniff")
        } else {
            response
        }
    }

    /// A value as an answer.
    pub(crate) fn json(&self, code: u16, value: &impl Serialize) -> Response {
        let body = if self.pretty {
            serde_json::to_string_pretty(value)
        } else {
            serde_json::to_string(value).map(|text| text + "\n")
        };
        // These types have no key that is not a string, so that this does
        // not fail; if it did, the client would see an empty body.
        json_response(code, &body.unwrap_or_default())
    }

    /// Text that is indented JSON for every client.
    #[expect(clippy::unused_self, reason = "reads like the other forms at its call")]
    pub(crate) fn indented(&self, text: &str) -> Response {
        json_response(200, text)
    }
}

fn json_response(code: u16, body: &str) -> Response {
    // Go writes these so that JSON may stand inside HTML; they occur nowhere
    // but in strings.
    let body = body
        .replace('&', "\\u0026")
        .replace('<', "\\u003c")
        .replace('>', "\\u003e");
    let mut response = Response::new(code, "application/json", body.into_bytes());
    response
        .headers
        .insert(0, ("Cache-Control", "no-cache, private".to_owned()));
    response
}

fn accept(clause: &str) -> Option<Accept> {
    let mut parts = clause.split(';').map(str::trim);
    let media_type = parts.next()?;
    if !matches!(media_type, "application/json" | "application/*" | "*/*") {
        return None;
    }
    match parts.find_map(|part| part.strip_prefix("as=")) {
        None => Some(Accept::Whole),
        Some("PartialObjectMetadata") => Some(Accept::Partial),
        Some("PartialObjectMetadataList") => Some(Accept::PartialList),
        Some(_) => None,
    }
}
