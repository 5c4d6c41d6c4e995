//! One pattern of `matchImages`, with kubelet's rules for it.
//!
//! Agrees with `ParseSchemelessURL`, `SplitURL` and `URLsMatch` of Kubernetes'
//! `pkg/credentialprovider`, and so with Go's `net/url`: a pattern is the URL
//! after `https://`. It matches an image when the ports are equal, the host has
//! as many labels and each of them matches, and the path begins with the
//! pattern's, not only at a slash.

use std::net::Ipv6Addr;

use percent_encoding::percent_decode_str;

use super::glob;

/// A pattern that kubelet takes, or an image, for the two are read alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchImage {
    labels: Vec<String>,
    port: String,
    path: Vec<u8>,
}

/// Why kubelet refuses a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MatchImageError {
    /// A tab, a line break or the like.
    #[error("has a control character")]
    Control,
    /// What comes after the colon is no number, or there are several colons.
    #[error("has no number after the colon of its host")]
    Port,
    /// `[` that is not the start of an IPv6 address in brackets. Go refuses it since
    /// 1.25.8 and 1.26.1, before which kubelet took a class such as `[0-9]`.
    #[error(
        "has a \"[\" in its host without an IPv6 address: kubelet takes no classes of characters since April 2026, write \"*\" or one pattern for each host"
    )]
    Bracket,
    /// A character that no host has.
    #[error("has a character in its host that none may have")]
    Host,
    /// A percent sign without two hexadecimal digits.
    #[error("has a percent sign that begins no escape")]
    Escape,
    /// Something odd before an `@`.
    #[error("has a character before the \"@\" that none may have")]
    User,
}

/// Whether kubelet would run a provider with that pattern for that image; not
/// where either cannot be read.
///
/// ```
/// use crio_credential_provider::kubelet::provider_config::match_image;
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
    /// What keeps it from being the rest of a URL; kubelet does not start then.
    pub fn parse(pattern: &str) -> Result<Self, MatchImageError> {
        let (pattern, fragment) = pattern.split_once('#').unwrap_or((pattern, ""));
        check_escapes(fragment)?;
        if pattern.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
            return Err(MatchImageError::Control);
        }
        let pattern = pattern.split('?').next().unwrap_or_default();
        let (authority, path) = match pattern.find('/') {
            Some(slash) => pattern.split_at(slash),
            None => (pattern, ""),
        };
        let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        check_host(host)?;
        if !user
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c))
        {
            return Err(MatchImageError::User);
        }
        check_escapes(user)?;
        check_escapes(path)?;
        let host = decode(host);
        let host = String::from_utf8_lossy(&host);
        let (name, port) = split_port(&host);
        Ok(Self {
            labels: name.split('.').map(str::to_owned).collect(),
            port: port.to_owned(),
            path: decode(path),
        })
    }

    /// Whether an image, as kubelet names it, matches.
    pub fn matches(&self, image: &str) -> bool {
        Self::parse(image).is_ok_and(|image| {
            self.pairs(&image, glob::matches) && image.path.starts_with(&self.path)
        })
    }

    /// Whether every image that matches `other` matches this too, as far as
    /// their labels are literal or a lone `*`.
    pub fn covers(&self, other: &Self) -> bool {
        self.pairs(other, |glob, label| glob == "*" || glob == label)
            && other.path.starts_with(&self.path)
    }

    /// Whether some image may match both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.pairs(other, glob::intersect)
            && (self.path.starts_with(&other.path) || other.path.starts_with(&self.path))
    }

    /// How many labels its host has.
    pub(super) fn labels(&self) -> usize {
        self.labels.len()
    }

    /// Its port; empty where it has none.
    pub(super) fn port(&self) -> &str {
        &self.port
    }

    fn pairs(&self, other: &Self, fits: impl Fn(&str, &str) -> bool) -> bool {
        self.port == other.port
            && self.labels.len() == other.labels.len()
            && self
                .labels
                .iter()
                .zip(&other.labels)
                .all(|(own, other)| fits(own, other))
    }
}

/// `parseHost` of Go 1.26.
fn check_host(host: &str) -> Result<(), MatchImageError> {
    let (zone, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.rsplit_once(']').ok_or(MatchImageError::Bracket)?;
            let (address, zone) = match address.split_once("%25") {
                Some((address, zone)) => (address, Some(zone)),
                None => (address, None),
            };
            if address.parse::<Ipv6Addr>().is_err() || zone == Some("") {
                return Err(MatchImageError::Bracket);
            }
            (zone.unwrap_or_default(), port)
        }
        None if host.contains('[') => return Err(MatchImageError::Bracket),
        None => {
            let colon = host.find(':').and_then(|colon| host.get(colon..));
            ("", colon.unwrap_or_default())
        }
    };
    let digits = port.strip_prefix(':');
    let is_port = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if !port.is_empty() && !digits.is_some_and(is_port) {
        return Err(MatchImageError::Port);
    }
    if !host.chars().all(may_be_in_host) {
        return Err(MatchImageError::Host);
    }
    check_escapes(host)?;
    // In a host an escape stands for a byte beyond ASCII, or for a percent sign; in
    // a zone also for what may be there without one, and for a space.
    let in_zone = |code: u8| !zone.is_empty() && (code == b' ' || may_be_in_host(code.into()));
    if !codes(host).all(|code| code >= 0x80 || code == b'%' || in_zone(code)) {
        return Err(MatchImageError::Host);
    }
    Ok(())
}

fn may_be_in_host(c: char) -> bool {
    !c.is_ascii() || c.is_ascii_alphanumeric() || "-_.~!$&'()*+,;=:[]<>\"%".contains(c)
}

/// What the escapes of a text stand for.
fn codes(text: &str) -> impl Iterator<Item = u8> {
    let escapes = text.split('%').skip(1);
    escapes.filter_map(|rest| u8::from_str_radix(rest.get(..2)?, 16).ok())
}

fn check_escapes(text: &str) -> Result<(), MatchImageError> {
    let is_escape = |rest: &str| {
        rest.get(..2)
            .is_some_and(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    let good = text.split('%').skip(1).all(is_escape);
    good.then_some(()).ok_or(MatchImageError::Escape)
}

/// `net.SplitHostPort`, which takes the brackets off only where a port follows.
fn split_port(host: &str) -> (&str, &str) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => {
            let bare = name
                .strip_prefix('[')
                .and_then(|name| name.strip_suffix(']'));
            (bare.unwrap_or(name), port)
        }
        _ => (host, ""),
    }
}

fn decode(text: &str) -> Vec<u8> {
    percent_decode_str(text).collect()
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
    fn patterns_match_what_kubelets_own_matcher_matches() {
        let text = include_str!("../../../tests/data/vectors/matching.json");
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
    fn kubelet_refuses_what_is_no_url() {
        for (pattern, expected) in [
            ("", None),
            ("quay.io", None),
            ("*", None),
            ("quay.io/with space", None),
            ("quay.io/a?b c#d", None),
            ("[::1]:5000", None),
            ("[fe80::1%25en0]", None),
            ("[fe80::1%25e%20n]:5000/a", None),
            ("[::ffff:1.2.3.4]", None),
            ("a:/b", None),
            ("quay.io#a%20b", None),
            ("quay.io?a%zz", None),
            ("quay.io:x", Some(MatchImageError::Port)),
            ("https://quay.io", None),
            ("quay.io:*", Some(MatchImageError::Port)),
            ("a:1:2", Some(MatchImageError::Port)),
            ("[::1", Some(MatchImageError::Bracket)),
            ("a[b-d].io", Some(MatchImageError::Bracket)),
            ("mirror[0-9].k8s.io:5000/a", Some(MatchImageError::Bracket)),
            ("[ab].io", Some(MatchImageError::Bracket)),
            ("[a-b].io:80", Some(MatchImageError::Bracket)),
            ("[1.2.3.4]", Some(MatchImageError::Bracket)),
            ("[fe80::1%25]", Some(MatchImageError::Bracket)),
            ("[::1][::1]", Some(MatchImageError::Bracket)),
            ("[fe80::1%25e%0an]", Some(MatchImageError::Host)),
            ("[::1]x", Some(MatchImageError::Port)),
            ("qu ay.io", Some(MatchImageError::Host)),
            ("{quay}.io", Some(MatchImageError::Host)),
            ("quay%41.io", Some(MatchImageError::Host)),
            ("quay%.io", Some(MatchImageError::Escape)),
            ("quay.io/%zz", Some(MatchImageError::Escape)),
            ("x#%zz", Some(MatchImageError::Escape)),
            ("quay.io\n", Some(MatchImageError::Control)),
            ("us er@quay.io", Some(MatchImageError::User)),
        ] {
            assert_eq!(MatchImage::parse(pattern).err(), expected, "{pattern:?}");
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
        fn whatever_the_pattern_nothing_panics(pattern in ".*", image in ".*") {
            match_image(&pattern, &image);
        }

        #[test]
        fn a_pattern_that_covers_another_matches_all_that_it_matches(
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
