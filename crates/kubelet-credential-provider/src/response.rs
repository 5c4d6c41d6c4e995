//! `CredentialProviderResponse`.

use std::collections::BTreeMap;
use std::fmt;

use secret::{DecodeError, Object, Wiped};
use serde::{Deserialize, Serialize, Serializer};

use crate::{API_VERSION, ApiVersion, GoDuration};

const KIND: &str = "CredentialProviderResponse";

/// The response of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The images for which kubelet uses the cached response.
    pub cache_key_type: CacheKeyType,
    /// How long kubelet caches it. With 0 it is not cached; `None` leaves the duration to
    /// the configuration.
    pub cache_duration: Option<GoDuration>,
    /// The logins, by patterns of images written as in `matchImages`.
    pub auth: BTreeMap<String, Auth>,
}

/// The images for which kubelet uses a cached response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CacheKeyType {
    /// The image of the request.
    Image,
    /// All images of the same registry.
    Registry,
    /// All.
    Global,
}

/// A login. `Debug` leaves the password out.
#[derive(Clone, PartialEq, Eq)]
pub struct Auth {
    /// The user.
    pub username: String,
    /// The password.
    pub password: Wiped<String>,
}

/// Why kubelet would refuse a response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// It is not JSON, has another shape, or has an unknown field.
    #[error("decode the {KIND}")]
    Malformed(#[source] DecodeError),
    /// It is another object.
    #[error("kind is not {KIND:?}")]
    Kind,
    /// It has another version of the API than the request.
    #[error("apiVersion is not \"{0}\"")]
    ApiVersion(ApiVersion),
    /// `cacheKeyType` is missing or not one of the three.
    #[error("cacheKeyType is not Image, Registry or Global")]
    CacheKeyType,
    /// `cacheDuration` cannot be read.
    #[error("cacheDuration")]
    CacheDuration(#[source] crate::InvalidDuration),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    kind: &'static str,
    api_version: &'static str,
    cache_key_type: CacheKeyType,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    cache_duration: Option<GoDuration>,
    auth: BTreeMap<&'a str, WrittenAuth<'a>>,
}

#[derive(Serialize)]
struct WrittenAuth<'a> {
    username: &'a str,
    password: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Read {
    kind: Option<String>,
    api_version: Option<String>,
    cache_key_type: Option<String>,
    cache_duration: Option<String>,
    auth: Option<BTreeMap<String, Option<Object<ReadAuth>>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadAuth {
    username: Option<String>,
    password: Option<String>,
}

impl Response {
    /// Parses the response to a request of that version strictly, as kubelet does.
    ///
    /// # Errors
    /// [`ResponseError`].
    pub fn parse(json: &[u8], version: ApiVersion) -> Result<Self, ResponseError> {
        let Object(read): Object<Read> =
            serde_json::from_slice(json).map_err(|error| ResponseError::Malformed(error.into()))?;
        let auth = read.auth.unwrap_or_default().into_iter();
        let auth = auth
            .map(|(image, auth)| (image, Auth::from(auth)))
            .collect();
        if read.kind.as_deref() != Some(KIND) {
            return Err(ResponseError::Kind);
        }
        if read.api_version.as_deref() != Some(version.as_str()) {
            return Err(ResponseError::ApiVersion(version));
        }
        let cache_key_type = match read.cache_key_type.as_deref() {
            Some("Image") => CacheKeyType::Image,
            Some("Registry") => CacheKeyType::Registry,
            Some("Global") => CacheKeyType::Global,
            _ => return Err(ResponseError::CacheKeyType),
        };
        let duration = read.cache_duration.map(|text| text.parse()).transpose();
        Ok(Self {
            cache_key_type,
            cache_duration: duration.map_err(ResponseError::CacheDuration)?,
            auth,
        })
    }

    /// The response to a request of version `v1`, as one line of JSON.
    pub fn to_json(&self) -> Wiped<Vec<u8>> {
        let auth = self.auth.iter().map(|(image, auth)| {
            let (username, password) = (auth.username.as_str(), auth.password.as_str());
            (image.as_str(), WrittenAuth { username, password })
        });
        let written = Written {
            kind: KIND,
            api_version: API_VERSION,
            cache_key_type: self.cache_key_type,
            cache_duration: self.cache_duration,
            auth: auth.collect(),
        };
        // Strings and maps of strings can always be written as JSON.
        Wiped::new(serde_json::to_vec(&written).unwrap_or_default())
    }
}

impl Auth {
    /// A login.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            username: username.into(),
            password: Wiped::new(password.into()),
        }
    }
}

impl From<Option<Object<ReadAuth>>> for Auth {
    /// `null` is an empty login, as in Go.
    fn from(read: Option<Object<ReadAuth>>) -> Self {
        let (username, password) =
            read.map_or((None, None), |Object(read)| (read.username, read.password));
        Self::new(username.unwrap_or_default(), password.unwrap_or_default())
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

#[expect(clippy::ref_option, reason = "serde's signature")]
fn as_text<S: Serializer>(duration: &Option<GoDuration>, serializer: S) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => serializer.collect_str(duration),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"kind":"CredentialProviderResponse","apiVersion":"credentialprovider.kubelet.k8s.io/v1","cacheKeyType":"Image","cacheDuration":"1m0s","auth":{"a.test":{"username":"u","password":"hunter2"}}}"#;

    #[test]
    fn a_response_is_written_as_these_bytes_and_read_back() {
        let response = Response::parse(GOOD.as_bytes(), ApiVersion::V1).unwrap();
        let expected = Response {
            cache_key_type: CacheKeyType::Image,
            cache_duration: Some("60s".parse().unwrap()),
            auth: [("a.test".to_owned(), Auth::new("u", "hunter2"))].into(),
        };
        assert_eq!(response, expected);
        assert_eq!(*response.to_json(), GOOD.as_bytes());
        assert!(!format!("{response:?}").contains("hunter2"));
    }

    #[test]
    fn a_response_has_the_version_of_its_request() {
        let beta = GOOD.replace("k8s.io/v1", "k8s.io/v1beta1");
        for (text, version, fits) in [
            (GOOD, ApiVersion::V1, true),
            (&beta, ApiVersion::V1Beta1, true),
            (&beta, ApiVersion::V1Alpha1, false),
            (GOOD, ApiVersion::V1Beta1, false),
        ] {
            let read = Response::parse(text.as_bytes(), version);
            let expected = (!fits).then_some(ResponseError::ApiVersion(version));
            assert_eq!(read.err(), expected, "{version}");
        }
    }

    #[test]
    fn nulls_are_read_as_in_go() {
        let auth = r#"{"a.test":{"username":"u","password":"hunter2"}}"#;
        for (text, logins) in [
            (GOOD.replace(auth, "null"), 0),
            (GOOD.replace(&format!(",\"auth\":{auth}"), ""), 0),
            (GOOD.replace(auth, r#"{"a.test":null}"#), 1),
            (GOOD.replace("\"1m0s\"", "null"), 1),
        ] {
            let response = Response::parse(text.as_bytes(), ApiVersion::V1).unwrap();
            assert_eq!(response.auth.len(), logins, "{text}");
        }
    }

    #[test]
    fn responses_that_kubelet_refuses_are_refused_and_not_quoted() {
        for (from, to, expected) in [
            ("CredentialProviderResponse", "hunter2", "kind is not"),
            ("k8s.io/v1", "k8s.io/v1beta1", "apiVersion is not"),
            ("\"Image\"", "\"image\"", "cacheKeyType is not"),
            ("\"Image\"", "null", "cacheKeyType is not"),
            ("\"1m0s\"", "\"60\"", "cacheDuration"),
            ("\"1m0s\"", "60", "decode"),
            ("\"auth\"", "\"auths\"", "decode"),
            ("\"auth\"", "\"Auth\"", "decode"),
            ("\"username\"", "\"email\"", "decode"),
            ("\"kind\"", "\"auth\":{},\"kind\"", "decode"),
            ("\"hunter2\"", "[\"hunter2\"]", "decode"),
            (
                r#"{"username":"u","password":"hunter2"}"#,
                r#"["u","hunter2"]"#,
                "decode",
            ),
            ("}}}", "}}", "decode"),
            ("}}}", "}}}x", "decode"),
        ] {
            let text = GOOD.replacen(from, to, 1);
            let error = Response::parse(text.as_bytes(), ApiVersion::V1).unwrap_err();
            assert!(error.to_string().starts_with(expected), "{text}: {error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{text}");
        }
    }
}
