//! `CredentialProviderRequest`.

use std::collections::BTreeMap;
use std::fmt;

use secret::{DecodeError, Object, Wiped};
use serde::{Deserialize, Serialize};

use crate::{API_VERSION, ApiVersion};

const KIND: &str = "CredentialProviderRequest";
/// The most characters of a field that an error contains.
const MAX_SHOWN: usize = 300;

/// kubelet's request to a provider.
///
/// `Debug` leaves the token out.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The image that is pulled, without tag and digest.
    pub image: String,
    /// The token of the pod's service account, if the provider is configured to get one
    /// and the pod has one.
    pub service_account_token: Option<Wiped<String>>,
    /// The annotations of the service account that the provider is configured to get.
    pub service_account_annotations: BTreeMap<String, String>,
}

/// Why a text is not a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// It is not JSON, or has another shape.
    #[error("decode the {KIND}")]
    Malformed(#[source] DecodeError),
    /// It is another object; its kind, cut to 300 characters.
    #[error("kind is {0:?}, expected {KIND:?}")]
    Kind(String),
    /// It has another version of the API, cut to 300 characters.
    #[error("apiVersion is {0:?}, expected {API_VERSION:?}")]
    ApiVersion(String),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    kind: &'static str,
    api_version: &'static str,
    image: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_account_token: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    service_account_annotations: &'a BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Read {
    kind: Option<String>,
    api_version: Option<String>,
    image: Option<String>,
    service_account_token: Option<String>,
    service_account_annotations: Option<BTreeMap<String, String>>,
}

impl Request {
    /// Parses a request of version `v1`. Unknown fields are ignored, so that requests of
    /// newer kubelets can be read.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn parse(json: &[u8]) -> Result<Self, RequestError> {
        let Object(read): Object<Read> =
            serde_json::from_slice(json).map_err(|error| RequestError::Malformed(error.into()))?;
        let token = read.service_account_token.map(Wiped::new);
        let (kind, version) = (
            read.kind.unwrap_or_default(),
            read.api_version.unwrap_or_default(),
        );
        if kind != KIND {
            return Err(RequestError::Kind(shorten(&kind)));
        }
        if version != API_VERSION {
            return Err(RequestError::ApiVersion(shorten(&version)));
        }
        Ok(Self {
            image: read.image.unwrap_or_default(),
            service_account_token: token.filter(|token| !token.is_empty()),
            service_account_annotations: read.service_account_annotations.unwrap_or_default(),
        })
    }

    /// The request as one line of JSON, for a provider that is configured with that
    /// version.
    pub fn to_json(&self, version: ApiVersion) -> Wiped<Vec<u8>> {
        let written = Written {
            kind: KIND,
            api_version: version.as_str(),
            image: &self.image,
            service_account_token: self.service_account_token.as_deref().map(String::as_str),
            service_account_annotations: &self.service_account_annotations,
        };
        // Strings and maps of strings can always be written as JSON.
        Wiped::new(serde_json::to_vec(&written).unwrap_or_default())
    }
}

fn shorten(text: &str) -> String {
    text.chars().take(MAX_SHOWN).collect()
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("image", &self.image)
            .field(
                "service_account_token",
                &self.service_account_token.as_ref().map(|_| ".."),
            )
            .field(
                "service_account_annotations",
                &self.service_account_annotations,
            )
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_back_as_it_was_written() {
        let request = Request {
            image: "docker.io/library/nginx".to_owned(),
            service_account_token: Some(Wiped::new("a.hunter2.c".to_owned())),
            service_account_annotations: [("k".to_owned(), "v".to_owned())].into(),
        };
        let json = request.to_json(ApiVersion::V1);
        let expected = r#"{"kind":"CredentialProviderRequest","apiVersion":"credentialprovider.kubelet.k8s.io/v1","image":"docker.io/library/nginx","serviceAccountToken":"a.hunter2.c","serviceAccountAnnotations":{"k":"v"}}"#;
        assert_eq!(*json, expected.as_bytes());
        assert_eq!(Request::parse(&json), Ok(request.clone()));
        assert!(!format!("{request:?}").contains("hunter2"));
    }

    #[test]
    fn text_that_is_not_a_request_is_refused_and_not_quoted() {
        for (json, expected) in [
            ("{}", "kind is \"\", expected \"CredentialProviderRequest\""),
            ("[]", "decode the CredentialProviderRequest"),
            (
                r#"["CredentialProviderRequest","credentialprovider.kubelet.k8s.io/v1","a","b",{}]"#,
                "decode the CredentialProviderRequest",
            ),
            (
                r#"{"kind":"Pod"}"#,
                "kind is \"Pod\", expected \"CredentialProviderRequest\"",
            ),
            (
                r#"{"kind":"CredentialProviderRequest","apiVersion":"v1"}"#,
                "apiVersion is \"v1\", expected \"credentialprovider.kubelet.k8s.io/v1\"",
            ),
            (
                r#"{"serviceAccountToken":{"hunter2":1}}"#,
                "decode the CredentialProviderRequest",
            ),
        ] {
            let error = Request::parse(json.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), expected, "{json}");
            assert!(!format!("{error:?}").contains("hunter2"), "{json}");
        }
    }
}
