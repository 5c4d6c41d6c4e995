//! One pattern of `matchImages`, with kubelet's rules for it.
//!
//! Agrees with `URLsMatch` of Kubernetes' `pkg/credentialprovider`: a pattern matches
//! an image when the ports are equal, the host has as many labels and each of them
//! matches, and the path begins with the pattern's, not only at a slash.

use containers_auth::{SchemelessUrl, UrlError, glob};

use super::intersect::intersect;

/// A pattern that kubelet accepts, or an image: both are parsed in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchImage(SchemelessUrl<'static>);

/// Whether kubelet would run a provider with that pattern for that image; `false` if
/// either cannot be parsed.
///
/// ```
/// use kubelet_credential_provider::provider_config::match_image;
///
/// assert!(match_image("*.example.com/team", "a.example.com/team/app"));
/// assert!(!match_image("*.example.com", "a.b.example.com/app"));
/// ```
pub fn match_image(pattern: &str, image: &str) -> bool {
    MatchImage::parse(pattern).is_ok_and(|pattern| pattern.matches(image))
}

impl MatchImage {
    /// Reads a pattern as kubelet does.
    ///
    /// # Errors
    /// [`UrlError`] if the pattern is not valid; kubelet does not start then.
    pub fn parse(pattern: &str) -> Result<Self, UrlError> {
        SchemelessUrl::parse(pattern).map(|url| Self(url.into_owned()))
    }

    /// Whether an image, as kubelet names it, matches.
    pub fn matches(&self, image: &str) -> bool {
        let image = Self::parse(image);
        image.is_ok_and(|image| self.pairs(&image, glob::matches) && self.is_above(&image))
    }

    /// Whether every image that matches `other` matches this too, as far as
    /// their labels are literal or a lone `*`.
    pub fn covers(&self, other: &Self) -> bool {
        self.pairs(other, |glob, label| glob == "*" || glob == label) && self.is_above(other)
    }

    /// Whether some image may match both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.pairs(other, intersect) && (self.is_above(other) || other.is_above(self))
    }

    /// The number of labels of its host.
    pub fn labels(&self) -> usize {
        self.0.name_and_port().0.split('.').count()
    }

    /// The port; empty if there is none.
    pub fn port(&self) -> &str {
        self.0.name_and_port().1
    }

    fn is_above(&self, other: &Self) -> bool {
        other.0.path().starts_with(self.0.path())
    }

    fn pairs(&self, other: &Self, fits: impl Fn(&str, &str) -> bool) -> bool {
        let (own, port) = self.0.name_and_port();
        let (others, its_port) = other.0.name_and_port();
        port == its_port
            && self.labels() == other.labels()
            && own
                .split('.')
                .zip(others.split('.'))
                .all(|(own, other)| fits(own, other))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Vectors {
        images: Vec<String>,
        rows: Vec<Row>,
    }

    #[derive(Deserialize)]
    struct Row {
        key: String,
        kubelet_urls_match: BTreeSet<String>,
    }

    #[test]
    fn patterns_match_the_same_images_as_in_kubelet() {
        let text = include_str!("../../tests/data/match_images.json");
        let vectors: Vectors = serde_json::from_str(text).unwrap();
        for row in &vectors.rows {
            let matched: BTreeSet<String> = vectors
                .images
                .iter()
                .filter(|image| match_image(&row.key, image))
                .cloned()
                .collect();
            assert_eq!(matched, row.kubelet_urls_match, "{:?}", row.key);
        }
    }

    #[test]
    fn patterns_match_label_by_label_with_port_and_path() {
        for (pattern, image, expected) in [
            ("*.k8s.io", "registry.k8s.io/pause", true),
            ("registry.*.io", "registry.k8s.io/pause", true),
            ("registry.k8s.*", "registry.k8s.io/pause", true),
            ("*-eu.k8s.io", "mirror-eu.k8s.io/pause", true),
            ("mirror[0-9].k8s.io", "mirror7.k8s.io/pause", false),
            ("*.k8s.io/p", "registry.k8s.io/pause", true),
            ("*.k8s.io/pause/", "registry.k8s.io/pause", false),
            ("*.k8s.io/pause", "registry.k8s.io/pause/sub", true),
            ("*.k8s.io:5000/p", "registry.k8s.io:5000/pause", true),
            ("*.k8s.io:5000/p", "registry.k8s.io:5001/pause", false),
            ("*.k8s.io/p", "registry.k8s.io:5000/pause", false),
            ("*.k8s.io", "k8s.io/pause", false),
            ("*.*.k8s.io", "registry.k8s.io/pause", false),
            ("*.*.k8s.io", "k8s.io/pause", false),
            ("k8s.io", "k8s.com/pause", false),
            ("k*.io", "quay.io/app", false),
            ("quay.io:", "quay.io/app", true),
            ("user@quay.io", "quay.io/app", true),
            ("quay.io/a%2Fb", "quay.io/a/b/c", true),
            ("https://quay.io", "quay.io/app", false),
            ("", "quay.io/app", false),
        ] {
            assert_eq!(match_image(pattern, image), expected, "{pattern} {image}");
        }
    }

    #[test]
    fn patterns_cover_and_overlap_each_other() {
        for (one, other, covers, overlaps) in [
            ("quay.io", "quay.io/org", true, true),
            ("quay.io/org", "quay.io", false, true),
            ("quay.io", "quay.io:443", false, false),
            ("*.io", "quay.io/org", true, true),
            ("*.io", "*.*", false, true),
            ("*.io", "a.quay.io", false, false),
            ("*-a.io", "b-*.io", false, true),
            ("quay.io/a", "quay.io/b", false, false),
        ] {
            let parse = |pattern| MatchImage::parse(pattern).unwrap();
            let (left, right) = (parse(one), parse(other));
            assert_eq!(left.covers(&right), covers, "{one} covers {other}");
            assert_eq!(left.overlaps(&right), overlaps, "{one} overlaps {other}");
            assert_eq!(right.overlaps(&left), overlaps, "{other} overlaps {one}");
        }
    }

    proptest! {
        #[test]
        fn matching_never_panics(pattern in ".*", image in ".*") {
            match_image(&pattern, &image);
        }

        #[test]
        fn a_pattern_that_covers_another_matches_all_its_images(
            one in "[ab*]\\.[ab*](/[ab])?", other in "[ab*]\\.[ab*](/[ab])?", image in "[ab]\\.[ab]/[ab]{1,2}",
        ) {
            let (one, other) = (MatchImage::parse(&one).unwrap(), MatchImage::parse(&other).unwrap());
            if one.covers(&other) && other.matches(&image) {
                prop_assert!(one.matches(&image));
            }
            if one.matches(&image) && other.matches(&image) {
                prop_assert!(one.overlaps(&other));
            }
        }
    }
}
