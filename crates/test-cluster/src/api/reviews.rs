//! `SelfSubjectAccessReview`, about the user that sends it, and `SubjectAccessReview`,
//! about another user.

use std::sync::Mutex;

use serde::Deserialize;
use serde_json::json;

use super::{json, status::Status};
use crate::{
    http::Response,
    locked,
    state::{Access, State, User},
};

#[derive(Deserialize)]
struct Review {
    spec: Spec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    resource_attributes: Access,
    #[serde(default)]
    user: String,
    #[serde(default)]
    groups: Vec<String>,
}

/// Reviews the access of the user that sends the request.
pub(crate) fn create_own(state: &Mutex<State>, user: &User, body: &[u8]) -> Response {
    answer(state, "SelfSubjectAccessReview", Some(user), body)
}

/// Reviews the access of the user in the request.
pub(crate) fn create(state: &Mutex<State>, body: &[u8]) -> Response {
    answer(state, "SubjectAccessReview", None, body)
}

fn answer(state: &Mutex<State>, kind: &str, user: Option<&User>, body: &[u8]) -> Response {
    let spec = match serde_json::from_slice::<Review>(body) {
        Ok(Review { spec }) => spec,
        Err(error) => {
            let message = format!("the object provided is unrecognized: {error}");
            return json::status(&Status::bad_request(message));
        }
    };
    // A user that asks about itself has the groups of its login, not those in the
    // request.
    let (asked_about, groups) = match user {
        Some(user) => (user.clone(), &[][..]),
        None => (User::named(&spec.user), &spec.groups[..]),
    };
    let access = &spec.resource_attributes;
    let grants = &locked(state).grants;
    let allowed = grants.allow(&asked_about, access) || grants.allow_groups(groups, access);
    let review = json!({
        "kind": kind,
        "apiVersion": "authorization.k8s.io/v1",
        "status": {"allowed": allowed},
    });
    json::json(201, &review)
}
