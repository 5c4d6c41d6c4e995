//! `CredentialProviderResponse`: the response to kubelet on stdout.
//!
//! It never contains a credential: CRI-O reads credentials from the auth file.

use std::io::{self, Write};

use kubelet_credential_provider::{self as wire, Auth, CacheKeyType, GoDuration};
use registries_conf::ImageName;

/// The response: it is not cached, and contains at most an empty login for the image.
///
/// - `cacheKeyType: Image`, `cacheDuration: 0s`: CRI-O deletes the auth file with the
///   pull, so every pull needs a new one, and kubelet must run the provider again.
/// - The empty login is never sent to a registry: CRI-O ignores a login without a user
///   name. It makes kubelet record the service account that the image was pulled for
///   (`KubeletEnsureSecretPulledImages`), so that others must prove their own access to
///   the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response(wire::Response);

impl Response {
    /// `auth: {}`: kubelet records the image as usable by all pods of the node.
    pub fn empty() -> Self {
        Self(wire::Response {
            cache_key_type: CacheKeyType::Image,
            cache_duration: Some(GoDuration::ZERO),
            auth: [].into(),
        })
    }

    /// The empty login for `image`: kubelet records the service account that it was
    /// pulled for.
    #[expect(clippy::needless_pass_by_value, reason = "the image is used up")]
    pub fn owned(image: ImageName) -> Self {
        let mut response = Self::empty();
        let login = (image.as_str().to_owned(), Auth::new("", ""));
        response.0.auth = [login].into();
        response
    }

    /// Writes the response as one line of JSON.
    ///
    /// # Errors
    /// The errors of `stdout`.
    pub fn write(&self, mut stdout: impl Write) -> io::Result<()> {
        stdout.write_all(&self.0.to_json())?;
        stdout.write_all(b"\n")?;
        stdout.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_written_as_these_bytes() {
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
