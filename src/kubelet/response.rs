//! `CredentialProviderResponse`: what kubelet reads from our stdout.
//!
//! No credential ever travels through kubelet: CRI-O takes them from the auth
//! file (SPEC section 2, point 6).

use std::io::{self, Write};

use registries_conf::ImageName;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::API_VERSION;

/// The answer: nothing for kubelet to cache, and at most a login without a user
/// for the image itself.
///
/// - `cacheKeyType: Image`, `cacheDuration: 0s`: CRI-O consumes the auth file
///   with the pull, so every pull needs a fresh one, and kubelet must ask again.
/// - The empty login sends nothing anywhere (CRI-O ignores a login without a
///   user name), but makes kubelet record for whom the image was pulled
///   (`KubeletEnsureSecretPulledImages`), so that other service accounts must
///   prove their own access to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    owned_image: Option<ImageName>,
}

impl Response {
    /// `auth: {}`: kubelet records the image as free for all pods of the node.
    pub fn empty() -> Self {
        Self { owned_image: None }
    }

    /// The empty login for `image`: kubelet records whose image it is.
    pub fn owned(image: ImageName) -> Self {
        Self {
            owned_image: Some(image),
        }
    }

    /// Writes the response as one line of JSON.
    ///
    /// # Errors
    /// As `stdout` says.
    pub fn write(&self, mut stdout: impl Write) -> io::Result<()> {
        serde_json::to_writer(&mut stdout, self)?;
        stdout.write_all(b"\n")?;
        stdout.flush()
    }
}

impl Serialize for Response {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(5))?;
        map.serialize_entry("kind", "CredentialProviderResponse")?;
        map.serialize_entry("apiVersion", API_VERSION)?;
        map.serialize_entry("cacheKeyType", "Image")?;
        map.serialize_entry("cacheDuration", "0s")?;
        map.serialize_entry("auth", &Auth(self.owned_image.as_ref()))?;
        map.end()
    }
}

struct Auth<'a>(Option<&'a ImageName>);

impl Serialize for Auth<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct EmptyLogin {
            username: &'static str,
            password: &'static str,
        }
        let mut map = serializer.serialize_map(None)?;
        if let Some(image) = self.0 {
            let login = EmptyLogin {
                username: "",
                password: "",
            };
            map.serialize_entry(image.as_str(), &login)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_these_bytes() {
        let image = ImageName::parse("nginx").unwrap();
        for (response, auth) in [
            (Response::empty(), "{}"),
            (
                Response::owned(image),
                r#"{"docker.io/library/nginx":{"username":"","password":""}}"#,
            ),
        ] {
            let mut out = Vec::new();
            response.write(&mut out).unwrap();
            let expected = format!(
                "{{\"kind\":\"CredentialProviderResponse\",\"apiVersion\":\"credentialprovider.kubelet.k8s.io/v1\",\"cacheKeyType\":\"Image\",\"cacheDuration\":\"0s\",\"auth\":{auth}}}\n"
            );
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
