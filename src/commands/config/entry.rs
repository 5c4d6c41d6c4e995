//! What is written of ours: the provider's entry, and a whole file.

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
