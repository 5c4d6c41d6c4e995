//! The typed configuration, and the images that a provider is run for.

use std::fmt;

use secret::Secret;

use super::match_image::{MatchImage, match_image};

/// A decoded `CredentialProviderConfig`, valid or not.
#[derive(Debug, Clone, Default)]
pub struct CredentialProviderConfig {
    /// Its `apiVersion`.
    pub api_version: String,
    /// The providers, in file order.
    pub providers: Vec<CredentialProvider>,
}

/// A program that kubelet runs.
#[derive(Debug, Clone, Default)]
pub struct CredentialProvider {
    /// The name, which is also that of its executable.
    pub name: String,
    /// The patterns of the images that it is run for.
    pub match_images: Vec<String>,
    /// The duration as written, such as `12h`; `None` if it is missing.
    pub default_cache_duration: Option<String>,
    /// The API version of the requests that it gets.
    pub api_version: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// The environment variables that it gets in addition to kubelet's own.
    pub env: Vec<EnvVar>,
    /// The settings for the token of the pod's service account; `None` if it gets no
    /// token.
    pub token_attributes: Option<TokenAttributes>,
    /// The line in its file, from 1.
    pub line: usize,
}

/// An environment variable.
#[derive(Debug, Clone)]
pub struct EnvVar {
    /// Its name.
    pub name: String,
    /// Its value, which may be a secret.
    pub value: Secret,
}

/// The settings for the token that a provider gets.
#[derive(Debug, Clone, Default)]
pub struct TokenAttributes {
    /// The audience of the token.
    pub service_account_token_audience: String,
    /// Whether kubelet caches credentials by token or by service account.
    pub cache_type: String,
    /// Whether the provider is not run for pods without a service account; `None` if it
    /// is missing.
    pub require_service_account: Option<bool>,
    /// The annotations that a service account must have.
    pub required_service_account_annotation_keys: Vec<String>,
    /// The annotations that are passed on if a service account has them.
    pub optional_service_account_annotation_keys: Vec<String>,
}

/// A problem for which kubelet would not start. Contains no value of an environment
/// variable or argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// The position of the provider in the list, from 0; `None` if the problem is not in
    /// a provider.
    pub provider: Option<usize>,
    /// The field, such as `providers[0].name`; empty for the whole document.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            line,
            field,
            message,
            provider: _,
        } = self;
        if field.is_empty() {
            write!(f, "line {line}: {message}")
        } else {
            write!(f, "line {line}: {field}: {message}")
        }
    }
}

impl TokenAttributes {
    /// The annotations of service accounts that kubelet passes, optional ones first.
    pub fn annotation_keys(&self) -> impl Iterator<Item = &str> {
        let optional = self.optional_service_account_annotation_keys.iter();
        let keys = optional.chain(&self.required_service_account_annotation_keys);
        keys.map(String::as_str)
    }

    /// Whether kubelet passes an annotation.
    pub fn passes(&self, annotation: &str) -> bool {
        self.annotation_keys().any(|key| key == annotation)
    }
}

impl CredentialProvider {
    /// Whether kubelet would run it for an image.
    pub fn is_for(&self, image: &str) -> bool {
        self.match_images
            .iter()
            .any(|pattern| match_image(pattern, image))
    }

    /// Whether kubelet would run it for every image that matches a pattern.
    pub fn covers(&self, pattern: &str) -> bool {
        MatchImage::parse(pattern).is_ok_and(|pattern| {
            let mut own = self.match_images.iter();
            own.any(|own| MatchImage::parse(own).is_ok_and(|own| own.covers(&pattern)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_are_run_in_order_for_the_images_that_they_match() {
        let provider = |name: &str, pattern: &str| CredentialProvider {
            name: name.to_owned(),
            match_images: vec![pattern.to_owned()],
            ..CredentialProvider::default()
        };
        let config = CredentialProviderConfig {
            providers: vec![
                provider("one", "*.io"),
                provider("two", "docker.io"),
                provider("three", "quay.io/org"),
            ],
            ..CredentialProviderConfig::default()
        };
        let names = |image| -> Vec<_> {
            let providers = config.providers.iter();
            let providers = providers.filter(|provider| provider.is_for(image));
            providers.map(|provider| provider.name.as_str()).collect()
        };
        assert_eq!(names("docker.io/library/nginx"), ["one", "two"]);
        assert_eq!(names("quay.io/org/app"), ["one", "three"]);
        assert_eq!(names("gcr.example.com/app").len(), 0);
        let one = &config.providers[0];
        assert!(one.covers("quay.io/org") && !one.covers("a.quay.io"));
    }
}
