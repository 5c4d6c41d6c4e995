//! Keys that nearly match a pull source, and why they do not.
//!
//! [`Key`] decides what matches. This module reads a key as its author may have meant it,
//! and names each difference.

use std::collections::BTreeMap;

use registries_conf::ImageName;

use containers_auth::{Key, glob};

const BLANK: &str = "it has a blank or line break at an end";
const SCHEME: &str = "no scheme but http:// and https:// is dropped";
const VERSION: &str = "\"/v1\" or \"/v2\" is dropped only with a slash after it";
const TAG: &str = "a key has no tag and no digest";
const STAR: &str = "a \"*\" in a path is an ordinary character";
const CASE: &str = "upper and lower case differ";
const LABELS: &str = "a \"*\" matches within one label of the host";
const COMPONENT: &str = "a path ends with a whole component";
const PATH: &str = "it has another path";

/// The pull sources by the names of their hosts, in lower case and without ports.
#[derive(Debug)]
pub(super) struct NearMisses<'s> {
    by_host: BTreeMap<String, Vec<&'s ImageName>>,
}

/// A pull source that a key nearly matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NearMiss<'s> {
    /// The source.
    pub(super) source: &'s ImageName,
    /// Why the key does not match it, in a few words.
    pub(super) why: String,
}

/// A key as its author may have meant it.
struct Meant<'k> {
    host: &'k str,
    port: &'k str,
    path: &'k str,
    /// The parts that no key should have.
    odd: Vec<&'static str>,
}

impl<'s> NearMisses<'s> {
    /// Indexes the sources. Of several that are equally near, the first is named.
    pub(super) fn new(sources: impl IntoIterator<Item = &'s ImageName>) -> Self {
        let mut by_host: BTreeMap<String, Vec<&ImageName>> = BTreeMap::new();
        for source in sources {
            let (host, _) = split_port(source.host());
            by_host.entry(host.to_lowercase()).or_default().push(source);
        }
        Self { by_host }
    }

    /// The source that a key nearly matches, if it matches none.
    pub(super) fn of(&self, key: &str) -> Option<NearMiss<'s>> {
        let meant = Meant::of(key);
        let host = meant.host.to_lowercase();
        let sources: Vec<&ImageName> = match host.strip_prefix("*.") {
            // All hosts with that ending, since a star is often meant to match several
            // labels.
            Some(domain) => {
                let hosts = self.by_host.iter();
                let below = hosts.filter(|(host, _)| {
                    host.strip_suffix(domain)
                        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                });
                below.flat_map(|(_, sources)| sources).copied().collect()
            }
            None => self
                .by_host
                .get(&host)
                .into_iter()
                .flatten()
                .copied()
                .collect(),
        };
        let differences = sources
            .into_iter()
            .map(|source| (source, meant.differences(source)));
        let (source, differences) = differences.min_by_key(|(_, why)| why.len())?;
        let why = differences.join("; ");
        (!why.is_empty()).then_some(NearMiss { source, why })
    }
}

/// Why a key cannot match any source.
pub(super) fn unparsable(key: &str) -> Option<String> {
    Key::parse(key).err().map(|error| format!("it {error}"))
}

impl<'k> Meant<'k> {
    fn of(key: &'k str) -> Self {
        let mut odd = Vec::new();
        let mut note = |is_odd: bool, what| {
            if is_odd {
                odd.push(what);
            }
        };
        let mut text = key.trim();
        note(text != key, BLANK);
        if let Some((scheme, rest)) = text.split_once("://") {
            note(!matches!(scheme, "http" | "https"), SCHEME);
            text = rest;
        }
        let (host, path) = text.split_once('/').unwrap_or((text, ""));
        let (host, port) = split_port(host);
        let mut path = match path.split_once('/') {
            Some(("v1" | "v2", rest)) => rest,
            None if matches!(path, "v1" | "v2") => {
                note(true, VERSION);
                ""
            }
            _ => path,
        };
        path = path.trim_end_matches('/');
        let name = path.rfind('/').map_or(0, |slash| slash + 1);
        let tag = path.get(name..).and_then(|name| name.find([':', '@']));
        if let Some(tag) = tag {
            note(true, TAG);
            path = path.get(..name + tag).unwrap_or(path);
        }
        if let Some((before, _)) = path.split_once('*') {
            note(true, STAR);
            path = before.rsplit_once('/').map_or("", |(parent, _)| parent);
        }
        Self {
            host,
            port,
            path,
            odd,
        }
    }

    /// Why the key does not match a source whose host ends like the key's.
    fn differences(&self, source: &ImageName) -> Vec<String> {
        let (host, port) = split_port(source.host());
        let mut all: Vec<String> = self.odd.iter().copied().map(str::to_owned).collect();
        let mut note = |differs: bool, what: &str| {
            if differs {
                all.push(what.to_owned());
            }
        };
        let lower = self.host.to_lowercase();
        let is_glob = self.host.contains('*');
        note(
            is_glob && !glob::host_matches(&lower, &host.to_lowercase()),
            LABELS,
        );
        let rest = source.path().strip_prefix(&*self.path.to_lowercase());
        let is_lower = |text: &str| text == text.to_lowercase();
        let is_same = is_lower(self.host) || !is_glob && self.host == host;
        note(!is_same || rest.is_some() && !is_lower(self.path), CASE);
        match rest {
            None => note(true, PATH),
            Some(rest) => {
                let is_whole = self.path.is_empty() || rest.is_empty() || rest.starts_with('/');
                note(!is_whole, COMPONENT);
            }
        }
        if self.port != port {
            let named = |port: &str| match port {
                "" => "without a port".to_owned(),
                port => format!("for port {port}"),
            };
            let (own, its) = (named(self.port), named(port));
            all.push(format!("it is {own}, the source {its}"));
        }
        all
    }
}

/// A host's name and its port, which may be empty.
fn split_port(host: &str) -> (&str, &str) {
    host.split_once(':').unwrap_or((host, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(key: &str, source: &str) -> Option<String> {
        let source = ImageName::parse(source).unwrap();
        let misses = NearMisses::new([&source]);
        misses.of(key).map(|near| near.why)
    }

    #[test]
    fn each_difference_is_named() {
        for (key, source, expected) in [
            (
                "m.x:5000",
                "m.x/a",
                "it is for port 5000, the source without a port",
            ),
            (
                "m.x",
                "m.x:5000/a",
                "it is without a port, the source for port 5000",
            ),
            (
                "m.x:1/a",
                "m.x:5000/a",
                "it is for port 1, the source for port 5000",
            ),
            ("M.x", "m.x/a", CASE),
            ("m.x/A", "m.x/a/b", CASE),
            ("https://m.x/v2", "m.x/a", VERSION),
            ("m.x/v1", "m.x/a", VERSION),
            ("m.x/a/*", "m.x/a/b", STAR),
            ("m.x/a*", "m.x/abc", STAR),
            ("m.x/a:1.2", "m.x/a", TAG),
            ("m.x/a@sha256:00", "m.x/a", TAG),
            ("m.x:5000/a:1", "m.x:5000/a", TAG),
            ("docker://m.x", "m.x/a", SCHEME),
            ("HTTPS://m.x/a", "m.x/a", SCHEME),
            ("*.x", "a.m.x/a", LABELS),
            ("*.m.x", "m.x/a", LABELS),
            ("m.x/org", "m.x/organisation/a", COMPONENT),
            ("m.x/other", "m.x/a", PATH),
            ("m.x/a/b", "m.x/a", PATH),
            ("m.x\n", "m.x/a", BLANK),
        ] {
            assert_eq!(
                near(key, source).as_deref(),
                Some(expected),
                "{key:?} {source}"
            );
        }
    }

    #[test]
    fn several_differences_are_all_named() {
        let why = near(" docker://M.x:5000/a:1", "m.x/a").unwrap();
        let expected = [
            BLANK,
            SCHEME,
            TAG,
            CASE,
            "it is for port 5000, the source without a port",
        ];
        assert_eq!(why, expected.join("; "));
    }

    #[test]
    fn another_host_is_not_near() {
        for key in [
            "n.x", "m.y", "", "*", "*.y", "xm.x", "*.*.x.y", "m", "\u{1b}",
        ] {
            assert_eq!(near(key, "m.x/a"), None, "{key:?}");
        }
    }

    #[test]
    fn the_nearest_source_is_named() {
        let sources =
            ["m.x/b", "m.x:5000/a", "m.x:5000/b"].map(|name| ImageName::parse(name).unwrap());
        let misses = NearMisses::new(&sources);
        let near = misses.of("m.x/a").unwrap();
        assert_eq!((near.source, &*near.why), (&sources[0], PATH));
        let near = misses.of("m.x:1/b").unwrap();
        assert_eq!(near.source, &sources[0]);
    }

    #[test]
    fn a_key_that_cannot_match_has_a_reason() {
        assert_eq!(unparsable("m.x/a"), None);
        for key in ["m.x\n", "[0-9].x", "m.x:*", "a b"] {
            assert!(
                unparsable(key).is_some_and(|why| why.starts_with("it has ")),
                "{key:?}"
            );
        }
    }
}
