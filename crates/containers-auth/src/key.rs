//! The key of a docker config's entry: the images that it matches, and how specific it
//! is.
//!
//! Agrees with kubelet's keyring (`pkg/credentialprovider/keyring.go`,
//! `BasicDockerKeyring.Add` and `URLsMatch`), with four differences: a path matches whole
//! components only; Docker Hub's names are one host; a login of Docker Hub is only for
//! that host; a trailing slash is ignored.

use std::borrow::Cow;

use image_name::ImageName;

use crate::schemeless_url::{SchemelessUrl, UrlError, glob, split_port};

/// The names of Docker Hub, which are one host.
const DOCKER_HUB: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/// A normalised key: scheme, user info, query, fragment, a leading `/v1/` or `/v2/` and
/// trailing slashes are removed, escapes are decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key<'a> {
    /// The host, with its port.
    host: Cow<'a, str>,
    /// The path, without slashes at its ends; empty if the key is only a host.
    path: Cow<'a, [u8]>,
}

/// How specific a key is; the greater one wins: more path components, then an
/// exact host before a glob, then the longer glob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Specificity {
    /// The number of components of the path.
    pub path_components: usize,
    /// Whether the host is a name, and not a glob.
    pub exact_host: bool,
    /// The length of a glob, in bytes; 0 for a name.
    pub glob_length: usize,
}

impl<'a> Key<'a> {
    /// Normalises a key. A key that no image can match is not an error, since docker
    /// configs contain logins for other tools too.
    ///
    /// # Errors
    /// [`UrlError`] if kubelet cannot parse the key: it then matches nothing.
    pub fn parse(raw: &'a str) -> Result<Self, UrlError> {
        let without_scheme = raw
            .strip_prefix("https://")
            .or_else(|| raw.strip_prefix("http://"))
            .unwrap_or(raw);
        let url = SchemelessUrl::parse(without_scheme)?;
        if let Some((host, path)) = url.borrowed() {
            return Ok(Self {
                host: Cow::Borrowed(host),
                path: Cow::Borrowed(trimmed(api_path(path))),
            });
        }
        // kubelet stores the decoded key, and parses it once more to compare it.
        let path = String::from_utf8_lossy(api_path(url.path()));
        let decoded = [url.host(), &path].concat();
        let url = SchemelessUrl::parse(&decoded)?;
        Ok(Self {
            host: Cow::Owned(url.host().to_owned()),
            path: Cow::Owned(trimmed(url.path()).to_vec()),
        })
    }

    /// Whether the credential under this key may be sent to `source`.
    pub fn matches(&self, source: &ImageName) -> bool {
        self.matches_host(source.host()) && self.is_parent_of(source.path())
    }

    /// How specific the key is.
    pub fn specificity(&self) -> Specificity {
        let exact_host = !self.is_glob();
        let components = self.path.split(|&byte| byte == b'/');
        Specificity {
            path_components: components.filter(|part| !part.is_empty()).count(),
            exact_host,
            glob_length: if exact_host { 0 } else { self.name().len() },
        }
    }

    /// Whether the host is a glob, which containers/image does not understand.
    pub fn is_glob(&self) -> bool {
        self.name().contains('*')
    }

    /// The path, without slashes at its ends.
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// The hosts, with their ports, that a key without a glob matches: its own, or all
    /// names of Docker Hub.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        let host = self.host.strip_suffix(':').unwrap_or(&self.host);
        let (own, hub) = match host {
            "" => (None, &[][..]),
            host if is_hub(host) => (None, &DOCKER_HUB[..]),
            host => (Some(host), &[][..]),
        };
        own.into_iter().chain(hub.iter().copied())
    }

    /// Whether the host of an image, with its port, matches.
    pub fn matches_host(&self, host: &str) -> bool {
        let (name, port) = split_port(&self.host);
        let (of_source, its_port) = split_port(host);
        if self.is_glob() {
            port == its_port && glob::host_matches(name, of_source)
        } else {
            self.hosts().any(|own| own == host)
        }
    }

    /// The key as in kubelet's keyring, without slashes at its end. Of the keys that
    /// match an image, kubelet tries the one that sorts last first
    /// (`BasicDockerKeyring.Lookup`).
    pub fn in_keyring(&self) -> Vec<u8> {
        let slash: &[u8] = if self.path.is_empty() { b"" } else { b"/" };
        [self.host.as_bytes(), slash, &self.path].concat()
    }

    fn name(&self) -> &str {
        split_port(&self.host).0
    }

    fn is_parent_of(&self, path: &str) -> bool {
        self.path.is_empty()
            || path
                .as_bytes()
                .strip_prefix(&*self.path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    }
}

/// The path without the version of the registry API: `docker login` has written keys
/// such as `https://index.docker.io/v1/`.
fn api_path(path: &[u8]) -> &[u8] {
    let after = |version: &[u8]| path.strip_prefix(version);
    let rest = after(b"/v1").or_else(|| after(b"/v2"));
    rest.filter(|rest| rest.starts_with(b"/")).unwrap_or(path)
}

fn trimmed(path: &[u8]) -> &[u8] {
    let mut path = path.strip_prefix(b"/").unwrap_or(path);
    while let Some(shorter) = path.strip_suffix(b"/") {
        path = shorter;
    }
    path
}

pub(crate) fn is_hub(host: &str) -> bool {
    DOCKER_HUB.contains(&host)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde::Deserialize;

    use super::*;

    fn image(name: &str) -> ImageName {
        ImageName::parse(name).unwrap()
    }

    fn matches(key: &str, source: &ImageName) -> bool {
        Key::parse(key).is_ok_and(|key| key.matches(source))
    }

    #[derive(Deserialize)]
    struct Vectors {
        images: Vec<String>,
        rows: Vec<Row>,
    }

    #[derive(Deserialize)]
    struct Row {
        key: String,
        kubelet_keyring: BTreeSet<String>,
        containers_image: BTreeSet<String>,
    }

    impl Row {
        /// The images that the keyring accepts, without the matches that end inside a
        /// path component.
        fn whole_components(&self) -> BTreeSet<String> {
            let inside = |image: &str| {
                let path = self.key.split_once('/').map_or("", |(_, path)| path);
                image
                    .split_once('/')
                    .and_then(|(_, of_image)| of_image.strip_prefix(path.trim_end_matches('/')))
                    .is_some_and(|rest| {
                        !path.is_empty() && !rest.starts_with('/') && !rest.is_empty()
                    })
            };
            let bare = !self.key.contains("://");
            self.kubelet_keyring
                .iter()
                .filter(|image| !(bare && inside(image)))
                .cloned()
                .collect()
        }

        fn expected(&self, rows: &[Row]) -> BTreeSet<String> {
            let trimmed = self.key.trim_end_matches('/');
            if self.key.contains("docker.io") && !self.key.contains('*') {
                // One host under several names, as in containers/image.
                self.containers_image.clone()
            } else if let Some(row) = rows
                .iter()
                .find(|row| row.key == trimmed && trimmed != self.key)
            {
                // A trailing slash does not matter.
                row.whole_components()
            } else {
                self.whole_components()
            }
        }
    }

    #[test]
    fn keys_match_as_in_kubelets_keyring_except_for_the_stated_differences() {
        let vectors: Vectors =
            serde_json::from_str(include_str!("../tests/data/matching.json")).unwrap();
        for row in &vectors.rows {
            let matched: BTreeSet<String> = vectors
                .images
                .iter()
                // containers/image does not accept IPv6 hosts in image names.
                .filter(|name| ImageName::parse(name).is_ok_and(|name| matches(&row.key, &name)))
                .cloned()
                .collect();
            let mut expected = row.expected(&vectors.rows);
            expected.retain(|name| ImageName::parse(name).is_ok());
            assert_eq!(matched, expected, "key {:?}", row.key);
        }
    }

    #[test]
    fn keys_beyond_the_recorded_ones() {
        for (key, source, expected) in [
            (
                "https://index.docker.io/v1/",
                "docker.io/library/nginx",
                true,
            ),
            (
                "https://index.docker.io/v1/",
                "registry-1.docker.io/library/nginx",
                true,
            ),
            ("registry-1.docker.io", "docker.io/library/nginx", true),
            ("docker.io", "localhost/app", false),
            ("docker.io", "docker.io.evil.example/app", false),
            ("quay.io/org", "quay.io/organisation/app", false),
            ("quay.io/org", "quay.io/org", true),
            ("quay.io/v2/org", "quay.io/org/app", true),
            ("quay.io/v2", "quay.io/org/app", false),
            ("quay.io/v1/", "quay.io/org/app", true),
            ("quay.io//org", "quay.io/org/app", false),
            ("quay.io:", "quay.io/org/app", true),
            ("quay.io:443", "quay.io/org/app", false),
            ("user@quay.io", "quay.io/org/app", true),
            ("quay.io/org?x=1#y", "quay.io/org/app", true),
            ("*", "quay.io/app", false),
            ("*.*", "quay.io/app", true),
            ("q*y.i*", "quay.io/app", true),
            ("q*x*.io", "quay.io/app", false),
            ("*uay*.io", "quay.io/app", true),
            ("*.example.com:5000", "a.example.com:5000/x", true),
            ("*.example.com:5000", "a.example.com/x", false),
            ("*.example.com", "a.b.example.com/x", false),
            ("*.docker.io", "docker.io/library/nginx", false),
            ("quay.io/%6frg", "quay.io/org/app", true),
            ("quay.io/org%2Fapp", "quay.io/org/app", true),
            ("quay.io/%76%31/org", "quay.io/org/app", true),
            ("quay.io/%256frg", "quay.io/org/app", true),
            ("quay.io/%25256frg", "quay.io/org/app", false),
            ("quay.io/org%3Fx", "quay.io/org/app", true),
            ("quay.io/org%0A", "quay.io/org/app", false),
            ("quay.io/%ff", "quay.io/org/app", false),
            ("quay.io/%zz", "quay.io/org/app", false),
            ("[q]uay.io", "quay.io/org/app", false),
            ("qua[a-z].io", "quay.io/org/app", false),
            ("qua\\y.io", "quay.io/org/app", false),
            ("HTTPS://quay.io", "quay.io/org/app", false),
        ] {
            assert_eq!(matches(key, &image(source)), expected, "{key} {source}");
        }
    }

    #[test]
    fn more_specific_keys_are_greater() {
        let order = [
            "*.*",
            "*.io",
            "q*.io",
            "quay.io",
            "*.io/org",
            "q*.io/org",
            "https://quay.io/v1/org/",
            "*.io/org/app",
            "quay.io/org/app",
        ];
        for pair in order.windows(2) {
            let of = |key| Key::parse(key).unwrap().specificity();
            assert!(of(pair[0]) < of(pair[1]), "{pair:?}");
        }
    }
}
