//! `kubelet::Request::read` and `ServiceAccount::from_token`.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use provider::{
    kubelet::{Request, RequestError},
    service_account::ServiceAccount,
};
use registries_conf::ImageName;
use secret::Secret;
use serde_json::Value;

use crate::presentable::{
    assert_no_marker, assert_readable, every_form, has_marker, line, planted,
};

/// kubelet's request on stdin, and the claims of its token.
///
/// The input is a request; it is also used as the claims of a token, so that the fuzzer
/// need not produce base64.
///
/// - An accepted request is the one that a plain JSON reader finds; its image is in full
///   and parses to itself; its token is not empty.
/// - A refusal is one readable line. It quotes the kind, the version or the image that it
///   refuses, and nothing else of the input.
/// - A namespace is a DNS-1123 label, and the one in the claims.
pub fn request(data: &[u8]) {
    one_request(data);
    one_token(data);
    if let Some(planted) = planted(data, b'"') {
        one_request(&planted);
        one_token(&planted);
    }
}

fn one_request(data: &[u8]) {
    let plain = serde_json::from_slice::<Value>(data).ok();
    let field = |name: &str| plain.as_ref()?.get(name)?.as_str();
    match Request::read(data) {
        Ok(request) => {
            let name = request.image.as_str();
            assert_eq!(ImageName::parse_canonical(name), Ok(request.image.clone()));
            assert_eq!(ImageName::parse(name), Ok(request.image.clone()));
            let token = request.token.as_ref();
            assert!(token.is_none_or(|token| !token.expose().is_empty()));
            if plain.is_some() {
                assert_eq!(field("kind"), Some("CredentialProviderRequest"));
                let version = "credentialprovider.kubelet.k8s.io/v1";
                assert_eq!(field("apiVersion"), Some(version));
                let given = field("serviceAccountToken").filter(|token| !token.is_empty());
                assert_eq!(token.map(Secret::expose), given.map(str::as_bytes));
            }
            if !has_marker(&format!("{name:?} {:?}", request.annotations)) {
                assert_no_marker(&format!("{request:?}"));
            }
            if let Some(token) = token {
                one_account(token, None);
            }
        }
        Err(error) => {
            assert_readable(&line(&error));
            let quoted = match &error {
                RequestError::Kind(kind) => Some((kind, "kind")),
                RequestError::ApiVersion(version) => Some((version, "apiVersion")),
                RequestError::Image(error) => Some((&error.name, "image")),
                _ => None,
            };
            if let Some((quoted, name)) = quoted
                && plain.is_some()
            {
                let given = field(name).unwrap_or_default();
                // A long name is cut, and ends in dots.
                assert!(
                    given.starts_with(quoted.trim_end_matches("...")),
                    "{quoted:?} is not a {name}"
                );
            }
            if quoted.is_none_or(|(quoted, _)| !has_marker(quoted)) {
                assert_no_marker(&every_form(&error));
            }
        }
    }
}

fn one_token(claims: &[u8]) {
    let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
    let plain = serde_json::from_slice::<Value>(claims).ok();
    one_account(&Secret::from(token.as_str()), plain.as_ref());
}

fn one_account(token: &Secret, claims: Option<&Value>) {
    match ServiceAccount::from_token(token) {
        Ok(account) => {
            let namespace = account.namespace.as_str();
            assert!(is_label(namespace), "{namespace:?}");
            if let Some(claims) = claims {
                let said = &claims["kubernetes.io"];
                assert_eq!(said["namespace"].as_str(), Some(namespace));
                let name = said["serviceaccount"]["name"].as_str();
                assert_eq!(name, account.name.as_deref());
            }
        }
        Err(error) => {
            assert_readable(&line(&error));
            assert_no_marker(&every_form(&error));
        }
    }
}

/// RFC 1123, as Kubernetes has it: `[a-z0-9]([-a-z0-9]*[a-z0-9])?`, at most 63.
fn is_label(text: &str) -> bool {
    let inner = text.trim_matches('-');
    inner.len() == text.len()
        && (1..=63).contains(&text.len())
        && text
            .chars()
            .all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-'))
}
