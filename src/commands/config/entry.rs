//! What is written of ours: the provider's entry, a whole file, OpenShift's object.

use super::tree::Tree;
use crate::kubelet::API_VERSION as PROVIDER_API_VERSION;
use crate::kubelet::provider_config::{API_VERSION, KIND};

/// The name of the provider, which kubelet also takes for that of the executable.
pub(in crate::commands) const NAME: &str = "crio-credential-provider";
/// Nothing is to be cached, as every pull needs an auth file of its own; the
/// provider answers the same.
const CACHE_DURATION: &str = "0s";

/// The provider's entry.
pub(super) fn entry(patterns: &[String], audience: &str, annotation: Option<&str>) -> Tree {
    Tree::Object(vec![
        ("name", Tree::Word(NAME)),
        ("apiVersion", Tree::Word(PROVIDER_API_VERSION)),
        ("matchImages", Tree::texts(patterns)),
        ("defaultCacheDuration", cache_duration()),
        ("tokenAttributes", token_attributes(audience, annotation)),
    ])
}

/// `defaultCacheDuration`.
pub(super) fn cache_duration() -> Tree {
    Tree::Text(CACHE_DURATION.to_owned())
}

/// Annotations that kubelet hands over where a service account has them.
pub(super) const OPTIONAL_KEYS: &str = "optionalServiceAccountAnnotationKeys";

/// `tokenAttributes`: static pods have no service account, and are not to fail. With
/// an annotation that is to be handed over.
pub(super) fn token_attributes(audience: &str, annotation: Option<&str>) -> Tree {
    let mut fields = vec![
        (
            "serviceAccountTokenAudience",
            Tree::Text(audience.to_owned()),
        ),
        ("cacheType", Tree::Word("Token")),
        ("requireServiceAccount", Tree::Bool(false)),
    ];
    fields.extend(annotation.map(|key| (OPTIONAL_KEYS, one_key(key))));
    Tree::Object(fields)
}

/// The list with one annotation.
pub(super) fn one_key(key: &str) -> Tree {
    Tree::List(vec![Tree::Text(key.to_owned())])
}

/// A file with the entry alone.
pub(super) fn file(patterns: &[String], audience: &str, annotation: Option<&str>) -> Tree {
    let entry = entry(patterns, audience, annotation);
    Tree::Object(vec![
        ("apiVersion", Tree::Word(API_VERSION)),
        ("kind", Tree::Word(KIND)),
        ("providers", Tree::List(vec![entry])),
    ])
}

/// OpenShift's object, of which its operator makes kubelet's file.
///
/// <https://github.com/openshift/api/blob/master/config/v1alpha1/types_crio_credential_provider_config.go>
pub(super) fn openshift(patterns: &[String]) -> Tree {
    Tree::Object(vec![
        ("apiVersion", Tree::Word("config.openshift.io/v1alpha1")),
        ("kind", Tree::Word("CRIOCredentialProviderConfig")),
        (
            "metadata",
            Tree::Object(vec![("name", Tree::Word("cluster"))]),
        ),
        (
            "spec",
            Tree::Object(vec![("matchImages", Tree::texts(patterns))]),
        ),
    ])
}

/// The most patterns that OpenShift's object takes.
pub(super) const OPENSHIFT_MAX_PATTERNS: usize = 50;
/// The longest pattern that it takes.
const OPENSHIFT_MAX_LENGTH: usize = 512;

/// Whether OpenShift's object takes a pattern: lower-case labels or lone stars,
/// a port, and a path of letters, digits and `-._/`; no lone star for all.
pub(super) fn openshift_takes(pattern: &str) -> bool {
    let (authority, path) = pattern.split_once('/').unwrap_or((pattern, ""));
    let (host, port) = authority.split_once(':').unwrap_or((authority, "0"));
    let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_label = |label: &str| {
        label == "*"
            || label.starts_with(lower)
                && label.ends_with(lower)
                && label.chars().all(|c| lower(c) || c == '-')
    };
    pattern.len() <= OPENSHIFT_MAX_LENGTH
        && pattern != "*"
        && host.split('.').all(is_label)
        && !port.is_empty()
        && port.bytes().all(|byte| byte.is_ascii_digit())
        && path.chars().all(|c| lower(c) || "-._/".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openshift_takes_some_patterns() {
        for (pattern, expected) in [
            ("docker.io", true),
            ("*.azurecr.io", true),
            ("example.*.com", true),
            ("registry.io:8080/path", true),
            ("localhost", true),
            ("quay.io/org/app.x_y-z", true),
            (&format!("quay.io/{}", "a".repeat(504)), true),
            (&format!("quay.io/{}", "a".repeat(505)), false),
            ("*", false),
            ("QUAY.io", false),
            ("exa*mple.com", false),
            ("a-.test", false),
            ("a..test", false),
            ("a.test:", false),
            ("a.test:x", false),
            ("a_b.test", false),
            ("", false),
        ] {
            assert_eq!(openshift_takes(pattern), expected, "{pattern}");
        }
    }
}
