//! The provider's entry, and a whole file with it.

use kubelet_credential_provider::API_VERSION as PROVIDER_API_VERSION;
use kubelet_credential_provider::provider_config::{API_VERSION, KIND};
use registries_conf::Registry;

use super::tree::Tree;

/// The name of the provider, which kubelet also uses as the name of the executable.
pub(in crate::commands) const NAME: &str = "crio-credential-provider";
/// Responses must not be cached, since every pull needs its own auth file. The provider's
/// response has the same duration.
const CACHE_DURATION: &str = "0s";

/// The content of the entry.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    /// The patterns, none covered by another.
    pub(super) patterns: &'a [String],
    /// The registries that the patterns come from.
    pub(super) registries: &'a [&'a Registry],
    /// The audience of the token.
    pub(super) audience: &'a str,
    /// The annotation that kubelet passes.
    pub(super) annotation: Option<&'a str>,
    /// The plugin's flags.
    pub(super) args: &'a [String],
    /// Environment variables of the plugin, with their values.
    pub(super) env: &'a [(&'static str, String)],
}

/// The provider's entry.
pub(super) fn entry(wanted: &Wanted<'_>) -> Tree {
    let mut fields = vec![
        ("name", Tree::Word(NAME)),
        ("apiVersion", Tree::Word(PROVIDER_API_VERSION)),
        ("matchImages", Tree::texts(wanted.patterns)),
        ("defaultCacheDuration", cache_duration()),
        (
            "tokenAttributes",
            token_attributes(wanted.audience, wanted.annotation),
        ),
    ];
    if !wanted.args.is_empty() {
        fields.push((ARGS, Tree::texts(wanted.args)));
    }
    if !wanted.env.is_empty() {
        fields.push((ENV, Tree::List(variables(wanted.env))));
    }
    Tree::Object(fields)
}

/// Environment variables as items of `env`.
pub(super) fn variables(env: &[(&'static str, String)]) -> Vec<Tree> {
    let item = |(name, value): &(&'static str, String)| {
        Tree::Object(vec![
            ("name", Tree::Word(name)),
            ("value", Tree::Text(value.clone())),
        ])
    };
    env.iter().map(item).collect()
}

/// The field with the plugin's flags.
pub(super) const ARGS: &str = "args";
/// The field with its environment variables.
pub(super) const ENV: &str = "env";

/// `defaultCacheDuration`.
pub(super) fn cache_duration() -> Tree {
    Tree::Text(CACHE_DURATION.to_owned())
}

/// Annotations that kubelet passes if a service account has them.
pub(super) const OPTIONAL_KEYS: &str = "optionalServiceAccountAnnotationKeys";

/// `tokenAttributes`, with an annotation to pass if there is one. kubelet need not run
/// the plugin for static pods, which have no service account.
pub(super) fn token_attributes(audience: &str, annotation: Option<&str>) -> Tree {
    let mut fields = vec![
        (
            "serviceAccountTokenAudience",
            Tree::Text(audience.to_owned()),
        ),
        ("cacheType", Tree::Word("Token")),
        ("requireServiceAccount", Tree::Bool(true)),
    ];
    fields.extend(annotation.map(|key| (OPTIONAL_KEYS, one_key(key))));
    Tree::Object(fields)
}

/// The list with one annotation.
pub(super) fn one_key(key: &str) -> Tree {
    Tree::List(vec![Tree::Text(key.to_owned())])
}

/// A file with only this entry.
pub(super) fn file(wanted: &Wanted<'_>) -> Tree {
    Tree::Object(vec![
        ("apiVersion", Tree::Word(API_VERSION)),
        ("kind", Tree::Word(KIND)),
        ("providers", Tree::List(vec![entry(wanted)])),
    ])
}
