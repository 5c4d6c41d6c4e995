//! `SelfSubjectAccessReview`: a user asks what it may do; `SubjectAccessReview`: what
//! another user may do.

use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use super::{json, status::Status};
use crate::{
    http::Response,
    locked,
    state::{Access, State, User},
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    kind: &'static str,
    api_version: &'static str,
    metadata: Metadata,
    spec: &'a Spec,
    status: Answer,
}

#[derive(Serialize)]
struct Metadata {}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    spec: Spec,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resource_attributes: Option<ResourceAttributes>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    user: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    groups: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct ResourceAttributes {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    namespace: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    verb: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    group: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    resource: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    subresource: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    name: String,
}

#[derive(Serialize)]
struct Answer {
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Answers what the user that asks may do.
pub(crate) fn create_own(state: &Mutex<State>, user: &User, body: &[u8]) -> Response {
    answer(state, "SelfSubjectAccessReview", Some(user), body)
}

/// Answers what the user that is named may do.
pub(crate) fn create(state: &Mutex<State>, body: &[u8]) -> Response {
    answer(state, "SubjectAccessReview", None, body)
}

fn answer(state: &Mutex<State>, kind: &'static str, user: Option<&User>, body: &[u8]) -> Response {
    let spec = match serde_json::from_slice::<Asked>(body) {
        Ok(Asked { spec }) => spec,
        Err(error) => {
            let message = format!("the object provided is unrecognized: {error}");
            return json::status(&Status::bad_request(message));
        }
    };
    let access = spec.resource_attributes.as_ref().map(|asked| Access {
        verb: asked.verb.clone(),
        group: asked.group.clone(),
        resource: asked.resource.clone(),
        subresource: asked.subresource.clone(),
        namespace: asked.namespace.clone(),
        name: asked.name.clone(),
    });
    // Who asks about itself has the groups of its login, not those that it names.
    let (asked_about, groups) = match user {
        Some(user) => (user.clone(), &[][..]),
        None => (User::named(&spec.user), &spec.groups[..]),
    };
    let allowed = access.is_some_and(|access| {
        let grants = &locked(state).grants;
        grants.allow(&asked_about, &access) || grants.allow_groups(groups, &access)
    });
    let review = Review {
        kind,
        api_version: "authorization.k8s.io/v1",
        metadata: Metadata {},
        spec: &spec,
        status: Answer {
            allowed,
            reason: allowed.then(|| format!("RBAC: allowed to {asked_about} by the test")),
        },
    };
    json::json(201, &review)
}
