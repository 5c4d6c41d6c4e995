//! The access that a request needs, by its method and path, as in the API server's
//! `RequestInfoFactory`.

use crate::{http::Request, state::Access};

/// The access that a request needs.
#[derive(Debug)]
pub(crate) enum Attributes {
    /// An access to an object or a collection.
    Resource(Access),
    /// Another path.
    Path(String),
}

/// The access that a request with this method and path needs.
pub(crate) fn attributes(method: &str, path: &str) -> Attributes {
    let segments = Request::segments(path);
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (group, rest) = match segments.as_slice() {
        ["api", _version, rest @ ..] if !rest.is_empty() => ("", rest),
        ["apis", group, _version, rest @ ..] if !rest.is_empty() => (*group, rest),
        _ => return Attributes::Path(path.to_owned()),
    };
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
        _ => ("", rest),
    };
    let mut rest = rest.iter().map(|&segment| segment.to_owned());
    let mut next = || rest.next().unwrap_or_default();
    let (resource, name, subresource) = (next(), next(), next());
    Attributes::Resource(Access {
        verb: verb(method, &name).to_owned(),
        group: group.to_owned(),
        resource,
        subresource,
        namespace: namespace.to_owned(),
        name,
    })
}

fn verb(method: &str, name: &str) -> &'static str {
    match (method, name.is_empty()) {
        ("GET", true) => "list",
        ("GET", false) => "get",
        ("POST", _) => "create",
        _ => "",
    }
}
