//! The pod's namespace and service account, from the claims of the token that kubelet
//! passes (kubelet: `tokenAttributes` of `CredentialProviderConfig`).
//!
//! The signature is not verified here: the API server verifies the token when it is used,
//! and until then only a file name depends on it.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secret::{DecodeError, Object, Secret, Wiped};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

use crate::dns;

/// A namespace's name: always a DNS-1123 label, so it is safe as a path segment
/// of a URL and as a part of a file name.
///
/// <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace(String);

impl Namespace {
    /// # Errors
    /// [`NotALabel`] if the text is not a DNS-1123 label.
    pub fn parse(name: &str) -> Result<Self, NotALabel> {
        if dns::is_label(name) {
            Ok(Self(name.to_owned()))
        } else {
            Err(NotALabel)
        }
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is not a DNS-1123 label. It is not quoted, since it is part of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a DNS-1123 label (lower-case letters, digits and '-', at most 63)")]
pub struct NotALabel;

/// The claims of the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccount {
    /// The pod's namespace.
    pub namespace: Namespace,
    /// The service account's name, if the token has it; for messages only.
    pub name: Option<String>,
    /// The audiences the token is meant for; for messages only.
    pub audiences: Vec<String>,
}

/// Why a token cannot be used. Never contains any part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not three parts with dots between them.
    #[error("serviceAccountToken is not a JSON Web Token: expected three parts, found {0}")]
    Parts(usize),
    /// The middle part is not base64url.
    #[error("the claims of serviceAccountToken are not base64url")]
    Base64,
    /// The middle part is not a JSON object of the known shape.
    #[error("decode the claims of serviceAccountToken")]
    Claims(#[source] DecodeError),
    /// The claim with the namespace is missing.
    #[error(
        "serviceAccountToken has no claim \"kubernetes.io\" with a namespace: it is not a Kubernetes service-account token"
    )]
    NoNamespace,
    /// The claim is not a valid namespace name.
    #[error("the namespace in serviceAccountToken")]
    Namespace(#[source] NotALabel),
}

#[derive(Deserialize)]
struct Claims<'a> {
    #[serde(rename = "kubernetes.io", default, borrow)]
    kubernetes: Option<Object<Kubernetes<'a>>>,
    #[serde(default, deserialize_with = "audiences")]
    aud: Vec<String>,
}

#[derive(Deserialize)]
struct Kubernetes<'a> {
    #[serde(default, borrow)]
    namespace: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    serviceaccount: Option<Object<Named<'a>>>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(default, borrow)]
    name: Option<Cow<'a, str>>,
}

impl ServiceAccount {
    /// Decodes the claims of a bound service-account token.
    ///
    /// # Errors
    /// [`TokenError`] if the token has no valid namespace.
    pub fn from_token(token: &Secret) -> Result<Self, TokenError> {
        let mut parts = token.expose().split(|&byte| byte == b'.');
        let (Some(_), Some(claims), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            let count = token.expose().split(|&byte| byte == b'.').count();
            return Err(TokenError::Parts(count));
        };
        let text = Wiped::new(
            BASE64_URL
                .decode(claims)
                .map_err(|_position| TokenError::Base64)?,
        );
        let Object(claims): Object<Claims<'_>> =
            serde_json::from_slice(&text).map_err(|e| TokenError::Claims(e.into()))?;
        let Object(kubernetes) = claims.kubernetes.ok_or(TokenError::NoNamespace)?;
        let namespace = kubernetes.namespace.ok_or(TokenError::NoNamespace)?;
        Ok(Self {
            namespace: Namespace::parse(&namespace).map_err(TokenError::Namespace)?,
            name: kubernetes
                .serviceaccount
                .and_then(|Object(account)| account.name)
                .map(Cow::into_owned),
            audiences: claims.aud,
        })
    }
}

const BASE64_URL: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// RFC 7519 section 4.1.3: one string, or an array of strings. Other types are ignored:
/// audiences are for messages only.
fn audiences<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct Audiences;

    impl<'de> Visitor<'de> for Audiences {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string or an array of strings")
        }

        fn visit_str<E>(self, one: &str) -> Result<Self::Value, E> {
            Ok(vec![one.to_owned()])
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Vec::new())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut all = Vec::new();
            while let Some(one) = seq.next_element()? {
                all.push(one);
            }
            Ok(all)
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(
            self,
            mut map: A,
        ) -> Result<Self::Value, A::Error> {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok(Vec::new())
        }
    }

    deserializer.deserialize_any(Audiences)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> Secret {
        Secret::from(format!("e30.{}.c2ln", BASE64_URL.encode(claims)).as_str())
    }

    #[test]
    fn the_namespace_comes_from_the_claims_of_a_recorded_token() {
        for file in [
            include_str!("../../test-cluster/tests/recordings/jwt-claims.json"),
            include_str!("../../test-cluster/tests/recordings/jwt-claims-not-pod-bound.json"),
        ] {
            let account = ServiceAccount::from_token(&token(file)).unwrap();
            let expected = ServiceAccount {
                namespace: Namespace("default".to_owned()),
                name: Some("default".to_owned()),
                audiences: vec!["https://kubernetes.default.svc".to_owned()],
            };
            assert_eq!(account, expected);
        }
    }

    #[test]
    fn a_token_without_a_usable_namespace_is_refused() {
        for (name, given, expected) in [
            ("one part", Secret::from("abc"), TokenError::Parts(1)),
            ("two parts", Secret::from("a.b"), TokenError::Parts(2)),
            ("four parts", Secret::from("a.b.c.d"), TokenError::Parts(4)),
            ("no base64", Secret::from("a.!.c"), TokenError::Base64),
            ("no claim", token("{}"), TokenError::NoNamespace),
            (
                "null",
                token(r#"{"kubernetes.io":null}"#),
                TokenError::NoNamespace,
            ),
            (
                "no namespace",
                token(r#"{"kubernetes.io":{}}"#),
                TokenError::NoNamespace,
            ),
            (
                "path",
                token(r#"{"kubernetes.io":{"namespace":"../../x"}}"#),
                TokenError::Namespace(NotALabel),
            ),
        ] {
            assert_eq!(ServiceAccount::from_token(&given), Err(expected), "{name}");
        }
        for claims in [
            r#"{"kubernetes.io":{"namespace":7}}"#,
            r#"{"kubernetes.io":["default"]}"#,
            r#"[{"namespace":"default"}]"#,
        ] {
            let refused = ServiceAccount::from_token(&token(claims));
            assert!(
                matches!(refused, Err(TokenError::Claims(_))),
                "{claims}: {refused:?}"
            );
        }
    }

    #[test]
    fn a_namespace_is_a_dns_label() {
        for good in ["a", "0", "team-a", "a--b", &"x".repeat(63)] {
            assert!(Namespace::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "-a",
            "a-",
            "A",
            "a.b",
            "a/b",
            "..",
            "a\0",
            "a\n",
            "ä",
            "a b",
            &"x".repeat(64),
        ] {
            assert!(Namespace::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn audiences_are_read_in_every_form_and_never_fail_a_run() {
        for (aud, expected) in [
            (r#""a""#, vec!["a"]),
            (r#"["a","b"]"#, vec!["a", "b"]),
            ("null", vec![]),
            (r#"{"a":1}"#, vec![]),
        ] {
            let claims = format!(r#"{{"aud":{aud},"kubernetes.io":{{"namespace":"n"}}}}"#);
            let account = ServiceAccount::from_token(&token(&claims)).unwrap();
            assert_eq!(account.audiences, expected, "{aud}");
        }
    }
}
