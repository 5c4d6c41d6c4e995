//! OpenShift's `CRIOCredentialProviderConfig`, from which the Machine Config Operator
//! writes kubelet's file.
//!
//! <https://github.com/openshift/api/blob/master/config/v1alpha1/types_crio_credential_provider_config.go>

use registries_conf::{Config as Registries, ImageName};
use tracing::{error, warn};

use super::derived::Derived;
use super::tree::Tree;
use crate::commands::match_images;

/// The version that OpenShift serves since 2026.
pub(super) const V1: &str = "config.openshift.io/v1";
/// The preview of OpenShift 4.21.
pub(super) const V1ALPHA1: &str = "config.openshift.io/v1alpha1";

/// The most patterns that the API server accepts.
const MAX_PATTERNS: usize = 50;
/// The longest pattern that it accepts.
const MAX_LENGTH: usize = 512;
/// The patterns of OpenShift's own providers for ECR, GCR and ACR. The operator leaves
/// out patterns that are equal to one of them.
const PLATFORM_PATTERNS: [&str; 13] = [
    "*.dkr.ecr.*.amazonaws.com",
    "*.dkr.ecr.*.amazonaws.com.cn",
    "*.dkr.ecr-fips.*.amazonaws.com",
    "*.dkr.ecr.us-iso-east-1.c2s.ic.gov",
    "*.dkr.ecr.us-isob-east-1.sc2s.sgov.gov",
    "gcr.io",
    "*.gcr.io",
    "*.pkg.dev",
    "container.cloud.google.com",
    "*.azurecr.io",
    "*.azurecr.cn",
    "*.azurecr.de",
    "*.azurecr.us",
];

/// The object with the patterns.
///
/// # Errors
/// The API server would refuse it; each reason is logged with its registry.
pub(super) fn object(
    api_version: &'static str,
    registries: &Registries,
    derived: &Derived<'_>,
) -> anyhow::Result<Tree> {
    let mut refused = 0;
    for (index, pattern) in derived.patterns.iter().enumerate() {
        let origin = || origin(registries, derived, pattern);
        if let Err(reason) = check(pattern) {
            refused += 1;
            error!("{pattern:?} of {}: {reason}", origin());
        } else if index >= MAX_PATTERNS {
            refused += 1;
            error!(
                "{pattern:?} of {}: it is one more than {MAX_PATTERNS}",
                origin()
            );
        } else if PLATFORM_PATTERNS.contains(&pattern.as_str()) {
            warn!(
                "{pattern:?} of {}: OpenShift leaves it out if its own provider for that registry has it: give a registry or path below it a mirror instead",
                origin()
            );
        }
    }
    anyhow::ensure!(
        refused == 0,
        "OpenShift would refuse {refused} of the {} patterns (above): give the mirrors to fewer or other prefixes in registries.conf, or apply an object with the patterns that matter",
        derived.patterns.len()
    );
    Ok(Tree::Object(vec![
        ("apiVersion", Tree::Word(api_version)),
        ("kind", Tree::Word("CRIOCredentialProviderConfig")),
        (
            "metadata",
            Tree::Object(vec![("name", Tree::Word("cluster"))]),
        ),
        (
            "spec",
            Tree::Object(vec![("matchImages", Tree::texts(&derived.patterns))]),
        ),
    ]))
}

/// The origin of a pattern, with file and line.
fn origin(registries: &Registries, derived: &Derived<'_>, pattern: &str) -> String {
    let gives = |patterns: &[String]| patterns.iter().any(|own| own == pattern);
    for registry in &derived.registries {
        if match_images::patterns(registries, registry).is_ok_and(|own| gives(&own)) {
            return format!("registry {:?} at {}", registry.prefix, registry.origin);
        }
    }
    let alias = registries
        .aliases()
        .into_iter()
        .find(|(name, _)| ImageName::parse(name).is_ok_and(|image| image.as_str() == pattern));
    match alias {
        Some((name, alias)) => format!("alias {name:?} at {}", alias.origin),
        None => "unqualified-search-registries".to_owned(),
    }
}

/// Checks a pattern: lower-case labels or `*` as a whole label, optionally a port, and a
/// path of lower-case letters, digits and `-._/`; a lone `*` is refused.
fn check(pattern: &str) -> Result<(), &'static str> {
    let (authority, path) = pattern.split_once('/').unwrap_or((pattern, ""));
    let (host, port) = authority.split_once(':').unwrap_or((authority, "0"));
    let is_edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_label = |label: &str| {
        label == "*"
            || label.starts_with(is_edge)
                && label.ends_with(is_edge)
                && label.chars().all(|c| is_edge(c) || c == '-')
    };
    if pattern.len() > MAX_LENGTH {
        return Err("it has more than 512 characters");
    }
    if pattern == "*" {
        return Err("it matches every host of one label");
    }
    if !host.split('.').all(is_label) {
        return Err(
            "the host may have lower-case letters, digits, \"-\" and labels that are \"*\"",
        );
    }
    if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("the port is not a number");
    }
    if !path.chars().all(|c| is_edge(c) || "-._/".contains(c)) {
        return Err("the path may have lower-case letters, digits and \"-._/\"");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openshift_accepts_some_patterns() {
        for (pattern, expected) in [
            ("docker.io", true),
            ("*.azurecr.io", true),
            ("example.*.com", true),
            ("*.*", true),
            ("registry.io:8080/path", true),
            ("localhost", true),
            ("a", true),
            ("quay.io/", true),
            ("quay.io/org/app.x_y-z", true),
            (&format!("quay.io/{}", "a".repeat(504)), true),
            (&format!("quay.io/{}", "a".repeat(505)), false),
            ("*", false),
            ("QUAY.io", false),
            ("quay.io/Org", false),
            ("quay.io/a:b", false),
            ("exa*mple.com", false),
            ("a-.test", false),
            ("-a.test", false),
            ("a..test", false),
            ("a.test.", false),
            ("a.test:", false),
            ("a.test:x", false),
            ("a.test:1:2", false),
            ("a_b.test", false),
            ("[::1]:5000", false),
            ("é.test", false),
            ("a.test/é", false),
            ("a.test\n", false),
            ("", false),
        ] {
            assert_eq!(check(pattern).is_ok(), expected, "{pattern}");
        }
    }
}
