//! Answers a request: authenticates its sender, determines the access that it needs,
//! authorizes it, and returns the response. Depends on the clock, but not on the
//! connection.

mod attributes;
mod continue_token;
mod json;
mod reviews;
mod secrets;
mod selector;
mod status;

use std::sync::Mutex;

use self::{
    attributes::{Attributes, attributes},
    status::Status,
};
use crate::{
    http::{Request, Response},
    locked,
    state::{State, User},
};

pub(crate) use self::status::{expired_continue, fault};

const VERSION: &str = r#"{
  "major": "1",
  "minor": "36",
  "gitVersion": "v1.36.2",
  "gitTreeState": "clean",
  "compiler": "gc",
  "platform": "linux/amd64"
}"#;

/// The options in which this server differs from an ordinary one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Behaviour {
    /// A prefix of every path, as with a proxy in front of the API server.
    pub(crate) path_prefix: String,
    /// The most objects of one page, even if the client asks for more.
    pub(crate) max_page: Option<usize>,
    /// Whether objects that the selector drops count towards a page.
    pub(crate) sparse_pages: bool,
}

/// The response to a request.
pub(crate) fn answer(behaviour: &Behaviour, state: &Mutex<State>, request: &Request) -> Response {
    let query = request.query();
    let Some(path) = request.path().strip_prefix(&behaviour.path_prefix) else {
        return page_not_found();
    };
    let Some(user) = authenticate(state, request) else {
        return json::status(&Status::unauthorized());
    };
    let attributes = attributes(&request.method, path);
    match &attributes {
        Attributes::Path(path) => nonresource(&user, &request.method, path),
        Attributes::Resource(access) if !locked(state).grants.allow(&user, access) => {
            json::status(&Status::forbidden(&user, access))
        }
        Attributes::Resource(access) if access.resource == "selfsubjectaccessreviews" => {
            reviews::create_own(state, &user, &request.body)
        }
        Attributes::Resource(access) if access.resource == "subjectaccessreviews" => {
            reviews::create(state, &request.body)
        }
        Attributes::Resource(access) if access.name.is_empty() => {
            secrets::list(behaviour, state, access, &query)
        }
        Attributes::Resource(access) => secrets::get(state, access),
    }
}

/// The sender of the request, or `None` if its token is not accepted.
fn authenticate(state: &Mutex<State>, request: &Request) -> Option<User> {
    let Some(token) = request.token() else {
        return Some(User::Anonymous);
    };
    let account = locked(state).tokens.authenticate(token)?;
    Some(User::ServiceAccount(account))
}

fn nonresource(user: &User, method: &str, path: &str) -> Response {
    match path {
        "/version" => json::text_of_json(200, VERSION),
        _ => json::status(&Status::forbidden_path(user, method, path)),
    }
}

fn page_not_found() -> Response {
    let body = b"404 page not found\n".to_vec();
    Response::new(404, "text/plain; charset=utf-8", body)
}
