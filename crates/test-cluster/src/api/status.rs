//! `Status`, the body of every response that is not the requested object.

use serde::Serialize;

use super::continue_token;
use crate::{
    http::{Response, reason},
    state::{Access, User},
};

const EXPIRED: &str = "The provided continue parameter is too old to display a consistent list \
    result. You can start a new list without the continue parameter, or use the continue token \
    in this response to retrieve the remainder of the results. Continuing with the provided \
    token results in an inconsistent list - objects that were created, modified, or deleted \
    between the time the first chunk was returned and now may show up in the list.";

/// A `Status` of a failure.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_version: Option<&'static str>,
    metadata: Metadata,
    #[serde(rename = "status")]
    outcome: &'static str,
    message: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
    pub(crate) code: u16,
}

#[derive(Debug, Default, Serialize)]
struct Metadata {
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    group: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    kind: String,
}

impl Status {
    /// 401 for a token that is not accepted, for any reason.
    pub(crate) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized".to_owned())
    }

    /// 403 for a user that is not allowed to do this.
    pub(crate) fn forbidden(user: &User, access: &Access) -> Self {
        let Access {
            verb,
            group,
            resource,
            subresource,
            namespace,
            name,
        } = access;
        let collection = qualified(group, resource);
        let object = if name.is_empty() {
            collection
        } else {
            format!("{collection} {name:?}")
        };
        let part = if subresource.is_empty() {
            resource.clone()
        } else {
            format!("{resource}/{subresource}")
        };
        let place = if namespace.is_empty() {
            "at the cluster scope".to_owned()
        } else {
            format!("in the namespace {namespace:?}")
        };
        let message = format!(
            "{object} is forbidden: User \"{user}\" cannot {verb} resource {part:?} \
             in API group {group:?} {place}"
        );
        Self::new(403, "Forbidden", message).about(name, group, resource)
    }

    /// 403 for a path that is not a resource.
    pub(crate) fn forbidden_path(user: &User, method: &str, path: &str) -> Self {
        let verb = method.to_ascii_lowercase();
        let message = format!("forbidden: User \"{user}\" cannot {verb} path {path:?}");
        Self::new(403, "Forbidden", message).about("", "", "")
    }

    /// 404 for a Secret that does not exist.
    pub(crate) fn not_found(access: &Access) -> Self {
        let object = qualified(&access.group, &access.resource);
        let message = format!("{object} {:?} not found", access.name);
        Self::new(404, "NotFound", message).about(&access.name, &access.group, &access.resource)
    }

    /// 400 for an invalid query.
    pub(crate) fn bad_request(message: String) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 410 for a `continue` that is too old, with a fresh one.
    fn expired(fresh: Option<String>) -> Self {
        let mut status = Self::new(410, "Expired", EXPIRED.to_owned());
        status.metadata.next = fresh;
        status
    }

    /// 501 for something that a real API server supports and this one does not.
    pub(crate) fn not_implemented(what: &str) -> Self {
        Self::new(501, "", format!("the test cluster does not support {what}"))
    }

    fn new(code: u16, reason: &'static str, message: String) -> Self {
        Self {
            kind: Some("Status"),
            api_version: Some("v1"),
            metadata: Metadata::default(),
            outcome: "Failure",
            message,
            reason,
            details: None,
            code,
        }
    }

    fn about(mut self, name: &str, group: &str, kind: &str) -> Self {
        self.details = Some(Details {
            name: name.to_owned(),
            group: group.to_owned(),
            kind: kind.to_owned(),
        });
        self
    }

    fn compact(&self) -> Vec<u8> {
        let mut body = serde_json::to_vec(self).unwrap_or_default();
        body.push(b'\n');
        body
    }
}

/// 504 for a request that exceeded its `timeout`: JSON with the content type of text, and
/// without a `kind`.
pub(crate) fn timeout() -> Response {
    let message = "Timeout: request did not complete within the allotted timeout".to_owned();
    let mut status = Status::new(504, "Timeout", message).about("", "", "");
    status.kind = None;
    status.api_version = None;
    Response::new(504, "text/plain; charset=utf-8", status.compact())
        .with("Cache-Control", "no-cache, private")
}

/// The response of a server that fails with that status for reasons of its own.
pub(crate) fn fault(code: u16) -> Response {
    let (reason, message) = match code {
        401 => ("Unauthorized", "Unauthorized"),
        410 => ("Expired", EXPIRED),
        429 => (
            "TooManyRequests",
            "Too many requests, please try again later.",
        ),
        500 => (
            "InternalError",
            "Internal error occurred: etcdserver: no leader",
        ),
        503 => (
            "ServiceUnavailable",
            "the server is currently unable to handle the request",
        ),
        504 => return timeout(),
        code => ("", reason(code)),
    };
    let status = Status::new(code, reason, message.to_owned());
    Response::new(code, "application/json", status.compact())
        .with("Cache-Control", "no-cache, private")
}

/// The 410 for that `continue`, as if its list had become too old.
pub(crate) fn expired_continue(token: &str) -> Response {
    let body = Status::expired(continue_token::fresh(token)).compact();
    Response::new(410, "application/json", body).with("Cache-Control", "no-cache, private")
}

fn qualified(group: &str, resource: &str) -> String {
    if group.is_empty() {
        resource.to_owned()
    } else {
        format!("{resource}.{group}")
    }
}
