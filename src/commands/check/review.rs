//! Access reviews: `SelfSubjectAccessReview` and `SubjectAccessReview` of
//! `authorization.k8s.io/v1`. Only `check` uses them.

use provider::api_server::{Client, ClientError};
use secret::DecodeError;
use secret::Object;
use serde::Deserialize;
use serde_json::{Value, json};

const GROUP: &str = "authorization.k8s.io/v1";
/// The verb by which nodes may request tokens for an audience.
pub(super) const REQUEST_AUDIENCE: &str = "request-serviceaccounts-token-audience";
/// The largest response that is read: 64 KiB.
const MAX_BYTES: usize = 64 * 1024;

/// An access to Secrets of a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Access<'a> {
    /// The namespace.
    pub(super) namespace: &'a str,
    /// `list`, `get` and so on.
    pub(super) verb: &'a str,
    /// The name of one Secret; `None` for all of them.
    pub(super) name: Option<&'a str>,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReviewError {
    /// The request failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The response is not a review.
    #[error("the answer is not a review: is this the API server?")]
    NoReview(#[source] DecodeError),
}

/// Whether the client itself has this access.
///
/// # Errors
/// [`ReviewError`].
pub(super) fn may_i(client: &Client, access: &Access<'_>) -> Result<bool, ReviewError> {
    ask(client, "SelfSubjectAccessReview", &attributes(access))
}

/// Whether a service account of the namespace has this access; the client must have the
/// right to review.
///
/// # Errors
/// [`ReviewError`].
pub(super) fn may_account(
    client: &Client,
    account: &str,
    access: &Access<'_>,
) -> Result<bool, ReviewError> {
    let namespace = access.namespace;
    let mut spec = attributes(access);
    if let Value::Object(fields) = &mut spec {
        let user = format!("system:serviceaccount:{namespace}:{account}");
        fields.insert("user".to_owned(), user.into());
        // The groups that the API server assigns to a token of that account.
        let groups = json!([
            "system:serviceaccounts",
            format!("system:serviceaccounts:{namespace}"),
            "system:authenticated",
        ]);
        fields.insert("groups".to_owned(), groups);
    }
    ask(client, "SubjectAccessReview", &spec)
}

/// Whether a node may request tokens of a service account for an audience that no volume
/// of its pods names. Since Kubernetes 1.33, the audience is the resource of that access,
/// and the service account the name (Kubernetes:
/// `ServiceAccountNodeAudienceRestriction`). The client must have the right to review.
///
/// # Errors
/// [`ReviewError`].
pub(super) fn may_node_request(
    client: &Client,
    node: &str,
    (namespace, account): (&str, &str),
    audience: &str,
) -> Result<bool, ReviewError> {
    let spec = json!({
        "user": format!("system:node:{node}"),
        "groups": ["system:nodes", "system:authenticated"],
        "resourceAttributes": {
            "namespace": namespace,
            "verb": REQUEST_AUDIENCE,
            "resource": audience,
            "name": account,
        },
    });
    ask(client, "SubjectAccessReview", &spec)
}

fn attributes(access: &Access<'_>) -> Value {
    let mut attributes = json!({
        "namespace": access.namespace,
        "verb": access.verb,
        "resource": "secrets",
    });
    if let (Some(name), Value::Object(fields)) = (access.name, &mut attributes) {
        fields.insert("name".to_owned(), name.into());
    }
    json!({ "resourceAttributes": attributes })
}

fn ask(client: &Client, kind: &str, spec: &Value) -> Result<bool, ReviewError> {
    #[derive(Deserialize)]
    struct Review {
        status: Object<Status>,
    }
    #[derive(Deserialize)]
    struct Status {
        allowed: bool,
    }
    let resource = kind.to_lowercase() + "s";
    let review = json!({"kind": kind, "apiVersion": GROUP, "spec": spec}).to_string();
    let path = format!("/apis/{GROUP}/{resource}");
    let answer = client.post(&path, review.as_bytes(), MAX_BYTES)?;
    let Object(review): Object<Review> =
        serde_json::from_slice(&answer).map_err(|error| ReviewError::NoReview(error.into()))?;
    Ok(review.status.0.allowed)
}
