//! `CredentialProviderResponse`: what kubelet reads from our stdout.
//!
//! No credential ever travels through kubelet: CRI-O takes them from the auth
//! file.

use std::io::{self, Write};

use kubelet_credential_provider::{self as wire, Auth, CacheKeyType, GoDuration};
use registries_conf::ImageName;

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
pub struct Response(wire::Response);

impl Response {
    /// `auth: {}`: kubelet records the image as free for all pods of the node.
    pub fn empty() -> Self {
        Self(wire::Response {
            cache_key_type: CacheKeyType::Image,
            cache_duration: Some(GoDuration::ZERO),
            auth: [].into(),
        })
    }

    /// The empty login for `image`: kubelet records whose image it is.
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
    /// As `stdout` says.
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
