//! The checks that kubelet makes on a decoded configuration.

use std::collections::HashSet;

use super::match_image::MatchImage;
use super::provider::{CredentialProvider, CredentialProviderConfig, Problem, TokenAttributes};
use crate::{API_VERSION as PROVIDER_API_VERSION, ApiVersion, GoDuration};

const CACHE_TYPES: [&str; 2] = ["ServiceAccount", "Token"];
const REQUIRED: &str = "tokenAttributes.requiredServiceAccountAnnotationKeys";
const OPTIONAL: &str = "tokenAttributes.optionalServiceAccountAnnotationKeys";
/// The longest name part of an annotation key.
const MAX_NAME: usize = 63;
/// The longest prefix of an annotation key, a DNS subdomain.
const MAX_PREFIX: usize = 253;

impl CredentialProviderConfig {
    /// The problems that kubelet reports after decoding: those of
    /// `validateCredentialProviderConfig`, and names that cannot be those of an
    /// executable.
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.providers.is_empty() {
            problems.push(Problem {
                line: 1,
                provider: None,
                field: "providers".to_owned(),
                message: "at least one provider is required".to_owned(),
            });
        }
        let mut names = HashSet::new();
        for (index, provider) in self.providers.iter().enumerate() {
            let mut check = Check {
                problems: &mut problems,
                provider,
                index,
            };
            check.name(names.insert(provider.name.as_str()));
            check.api_version();
            check.match_images();
            check.cache_duration();
            if let Some(attributes) = &provider.token_attributes {
                check.token_attributes(attributes);
            }
        }
        problems
    }
}

/// The checks of one provider.
struct Check<'a> {
    problems: &'a mut Vec<Problem>,
    provider: &'a CredentialProvider,
    index: usize,
}

impl Check<'_> {
    fn refuse(&mut self, field: &str, message: impl Into<String>) {
        self.problems.push(Problem {
            line: self.provider.line,
            provider: Some(self.index),
            field: format!("providers[{}].{field}", self.index),
            message: message.into(),
        });
    }

    fn name(&mut self, is_first: bool) {
        let name = &self.provider.name;
        if name.is_empty() || name == "." || name == ".." || name.contains(['/', ' ']) {
            let message = format!("{name:?} is not the name of an executable: no \"/\", no space");
            self.refuse("name", message);
        }
        if !is_first {
            self.refuse("name", format!("{name:?} is given twice"));
        }
    }

    fn api_version(&mut self) {
        let version = self.provider.api_version.as_str();
        if version.is_empty() {
            self.refuse("apiVersion", "is required");
        } else if version.parse::<ApiVersion>().is_err() {
            let known = ApiVersion::ALL.map(ApiVersion::as_str).join(", ");
            self.refuse("apiVersion", format!("{version:?} is not one of {known}"));
        }
    }

    fn match_images(&mut self) {
        let patterns = &self.provider.match_images;
        if patterns.is_empty() {
            self.refuse("matchImages", "at least one pattern is required");
        }
        for (index, pattern) in patterns.iter().enumerate() {
            if let Err(error) = MatchImage::parse(pattern) {
                let shown: String = pattern.chars().take(256).collect();
                self.refuse(
                    &format!("matchImages[{index}]"),
                    format!("{shown:?} {error}"),
                );
            }
        }
    }

    fn cache_duration(&mut self) {
        let Some(text) = &self.provider.default_cache_duration else {
            self.refuse("defaultCacheDuration", "is required");
            return;
        };
        match text.parse::<GoDuration>().map(GoDuration::as_nanos) {
            Err(error) => self.refuse("defaultCacheDuration", format!("is {error}")),
            Ok(..0) => self.refuse("defaultCacheDuration", "must not be negative"),
            Ok(_) => {}
        }
    }

    fn token_attributes(&mut self, attributes: &TokenAttributes) {
        if self.provider.api_version != PROVIDER_API_VERSION {
            let message = format!("need a provider of apiVersion {PROVIDER_API_VERSION}");
            self.refuse("tokenAttributes", message);
        }
        if attributes.service_account_token_audience.is_empty() {
            self.refuse("tokenAttributes.serviceAccountTokenAudience", "is required");
        }
        if attributes.require_service_account.is_none() {
            self.refuse("tokenAttributes.requireServiceAccount", "is required");
        }
        let cache_type = attributes.cache_type.as_str();
        if cache_type.is_empty() {
            self.refuse(
                "tokenAttributes.cacheType",
                "is required: Token or ServiceAccount",
            );
        } else if !CACHE_TYPES.contains(&cache_type) {
            let message = format!("{cache_type:?} is neither Token nor ServiceAccount");
            self.refuse("tokenAttributes.cacheType", message);
        }
        let required = &attributes.required_service_account_annotation_keys;
        let optional = &attributes.optional_service_account_annotation_keys;
        if attributes.require_service_account == Some(false) && !required.is_empty() {
            self.refuse(REQUIRED, "need requireServiceAccount: true");
        }
        self.annotation_keys(REQUIRED, required);
        self.annotation_keys(OPTIONAL, optional);
        for key in required.iter().filter(|key| optional.contains(key)) {
            self.refuse(REQUIRED, format!("{key:?} is both required and optional"));
        }
    }

    fn annotation_keys(&mut self, field: &str, keys: &[String]) {
        let mut seen = HashSet::new();
        for key in keys {
            if !is_qualified_name(&key.to_lowercase()) {
                self.refuse(field, format!("{key:?} is not the name of an annotation"));
            }
            if !seen.insert(key) {
                self.refuse(field, format!("{key:?} is given twice"));
            }
        }
    }
}

/// `IsQualifiedName`: a name, optionally with a DNS subdomain and a slash before it.
fn is_qualified_name(key: &str) -> bool {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    name.len() <= MAX_NAME
        && is_part(name, "-_.")
        && prefix.is_none_or(|prefix| {
            prefix.len() <= MAX_PREFIX && prefix.split('.').all(|part| is_part(part, "-"))
        })
}

/// Whether a text consists of letters, digits and `others`, and neither begins nor ends
/// with one of `others`.
fn is_part(text: &str, others: &str) -> bool {
    let is_edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    is_edge(text.chars().next())
        && is_edge(text.chars().next_back())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotation_keys_are_qualified_names() {
        let (name, prefix) = ("n".repeat(63), "p.".repeat(126) + "p");
        for (key, expected) in [
            ("a", true),
            ("a.b_c-d", true),
            ("example.com/a", true),
            (&format!("{prefix}/{name}"), true),
            (&format!("{prefix}p/{name}"), false),
            (&format!("{name}n"), false),
            ("", false),
            ("/a", false),
            ("a/", false),
            ("a/b/c", false),
            ("-a", false),
            ("a-", false),
            ("a b", false),
            ("ex_ample.com/a", false),
            ("-example.com/a", false),
            ("example..com/a", false),
        ] {
            assert_eq!(is_qualified_name(key), expected, "{key}");
        }
    }
}
