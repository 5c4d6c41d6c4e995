//! `CredentialProviderRequest`: kubelet's request on stdin.

use std::collections::BTreeMap;
use std::io::Read;

use kubelet_credential_provider as wire;
use registries_conf::{ImageName, ImageNameError};
use secret::{DecodeError, ReadError, Secret, read_bounded};

use super::API_VERSION;

/// The largest request that is read: 1 MiB. A token has a few KiB.
pub const MAX_REQUEST_BYTES: usize = 1024 * 1024;

const KIND: &str = "CredentialProviderRequest";

/// A request of kubelet: of the right kind and version, for a valid image.
#[derive(Debug)]
pub struct Request {
    /// The repository to pull, normalised, which CRI-O hashes.
    pub image: ImageName,
    /// The pod's service-account token; `None` for static pods and where the
    /// provider is configured with `requireServiceAccount: false`.
    pub token: Option<Secret>,
    /// The annotations of the service account that the provider config lists.
    pub annotations: BTreeMap<String, String>,
}

/// Why a request cannot be served. Never contains the token.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// Stdin is empty.
    #[error("stdin is empty: kubelet writes a {KIND} to it")]
    Empty,
    /// More than [`MAX_REQUEST_BYTES`], or a read error.
    #[error("read the {KIND} from stdin")]
    Read(#[source] ReadError),
    /// Not JSON, or of the wrong shape.
    #[error("decode the {KIND} from stdin")]
    Decode(#[source] DecodeError),
    /// Another kind of object.
    #[error("stdin holds kind {0:?}, expected {KIND:?}")]
    Kind(String),
    /// Another version of the API.
    #[error(
        "stdin has apiVersion {0:?}, expected {API_VERSION:?}: set it in kubelet's CredentialProviderConfig"
    )]
    ApiVersion(String),
    /// No image, or one that is not an image reference.
    #[error("the request's image")]
    Image(#[source] ImageNameError),
}

impl Request {
    /// Reads and checks the request.
    ///
    /// # Errors
    /// [`RequestError`] if it is not a valid request of kubelet.
    pub fn read(stdin: impl Read) -> Result<Self, RequestError> {
        let text = read_bounded(stdin, MAX_REQUEST_BYTES).map_err(RequestError::Read)?;
        if text.trim_ascii().is_empty() {
            return Err(RequestError::Empty);
        }
        let request = wire::Request::parse(&text)?;
        let image = ImageName::parse(&request.image).map_err(RequestError::Image)?;
        Ok(Self {
            image,
            token: request.service_account_token.map(Secret::from),
            annotations: request.service_account_annotations,
        })
    }
}

impl From<wire::RequestError> for RequestError {
    fn from(error: wire::RequestError) -> Self {
        match error {
            wire::RequestError::Malformed(error) => Self::Decode(error),
            wire::RequestError::Kind(kind) => Self::Kind(kind),
            wire::RequestError::ApiVersion(version) => Self::ApiVersion(version),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"kind":"CredentialProviderRequest","apiVersion":"credentialprovider.kubelet.k8s.io/v1",
        "image":"nginx:1.27","serviceAccountToken":"a.b.c","serviceAccountAnnotations":{"k":"v"},"future":[1]}"#;

    #[test]
    fn a_request_is_read_and_its_image_normalised() {
        let request = Request::read(GOOD.as_bytes()).unwrap();
        assert_eq!(request.image.as_str(), "docker.io/library/nginx");
        assert_eq!(request.token, Some(Secret::from("a.b.c")));
        assert_eq!(request.annotations.get("k").map(String::as_str), Some("v"));
    }

    #[test]
    fn an_absent_null_or_empty_token_counts_as_none() {
        for token in [
            "",
            r#","serviceAccountToken":null"#,
            r#","serviceAccountToken":"""#,
        ] {
            let text = format!(
                r#"{{"kind":"{KIND}","apiVersion":"{API_VERSION}","image":"quay.io/a"{token}}}"#
            );
            assert_eq!(
                Request::read(text.as_bytes()).unwrap().token,
                None,
                "{token}"
            );
        }
    }

    #[test]
    fn an_invalid_request_is_refused_with_the_reason() {
        let with = |from: &str, to: &str| GOOD.replace(from, to).into_bytes();
        for (name, input, said) in [
            ("nothing", Vec::new(), "stdin is empty"),
            ("blank", b" \n".to_vec(), "stdin is empty"),
            ("broken", b"{".to_vec(), "ends too early"),
            ("text", b"hello".to_vec(), "malformed JSON"),
            ("array", b"[]".to_vec(), "unexpected type"),
            ("other kind", with(KIND, "Pod"), "kind \"Pod\""),
            ("no kind", with("\"kind\"", "\"kin\""), "kind \"\""),
            (
                "other version",
                with("io/v1\"", "io/v1alpha1\""),
                "v1alpha1",
            ),
            (
                "empty image",
                with("nginx:1.27", ""),
                "the request's image: \"\" is not",
            ),
            (
                "bad image",
                with("nginx:1.27", "NGINX\\n"),
                "the request's image: \"NGINX\\n\" is not",
            ),
            ("wrong type", with("\"a.b.c\"", "5"), "unexpected type"),
            (
                "too large",
                vec![b' '; MAX_REQUEST_BYTES + 1],
                "larger than 1048576 bytes",
            ),
            (
                "not UTF-8",
                with("nginx", "\u{fffd}")
                    .into_iter()
                    .chain([0xff])
                    .collect(),
                "",
            ),
        ] {
            let error = anyhow::Error::new(Request::read(input.as_slice()).unwrap_err());
            let line = format!("{error:#}");
            assert!(line.contains(said), "{name}: {line}");
            assert!(!line.contains('\n'), "{name}: {line}");
        }
    }

    #[test]
    fn a_token_of_the_wrong_type_is_not_quoted() {
        let text = GOOD.replace("\"a.b.c\"", "{\"token\":\"hunter2\"}");
        let error = anyhow::Error::new(Request::read(text.as_bytes()).unwrap_err());
        assert!(!format!("{error:#} {error:?}").contains("hunter2"));
    }
}
