//! What kubelet writes to the provider's stdin.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// A `CredentialProviderRequest`.
#[derive(Clone)]
pub(crate) struct Request(Value);

impl Request {
    /// A request as a kubelet sends it for a static pod.
    pub(crate) fn new(image: &str) -> Self {
        Self(json!({
            "kind": "CredentialProviderRequest",
            "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
            "image": image,
        }))
    }

    /// With the token of the pod's service account.
    pub(crate) fn token(self, token: &str) -> Self {
        self.field("serviceAccountToken", json!(token))
    }

    /// With that value in that field.
    pub(crate) fn field(mut self, name: &str, value: Value) -> Self {
        self.0[name] = value;
        self
    }

    /// Without that field.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.as_object_mut().unwrap().remove(name);
        self
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A JSON Web Token with these claims, which no API server has issued.
pub(crate) fn token_with_claims(claims: &Value) -> String {
    let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
    format!("eyJhbGciOiJSUzI1NiJ9.{claims}.c2lnbmF0dXJl")
}
