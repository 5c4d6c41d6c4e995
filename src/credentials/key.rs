//! The key of a docker config's entry: which pull sources it serves, and how
//! specific it is (SPEC section 5).
//!
//! Agrees with kubelet's keyring (`pkg/credentialprovider/keyring.go`,
//! `BasicDockerKeyring.Add` and `URLsMatch`), but for: a path matches whole
//! components only; Docker Hub's names are one host, and its login goes to that
//! host alone; a trailing slash does not matter.

use registries_conf::ImageName;

/// The name every other name of Docker Hub stands for.
const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_ALIASES: [&str; 2] = ["index.docker.io", "registry-1.docker.io"];

/// A normalised key: scheme, user info, query, fragment, a leading `/v1/` or
/// `/v2/` and trailing slashes are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key<'a> {
    host: Host<'a>,
    /// Without slashes at the ends; empty where the key is a host alone.
    path: &'a str,
}

/// How specific a key is; the greater one wins: more path components, then an
/// exact host before a glob, then the longer glob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Specificity {
    pub(super) path_components: usize,
    pub(super) exact_host: bool,
    pub(super) glob_length: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Host<'a> {
    name: &'a str,
    port: &'a str,
}

impl<'a> Key<'a> {
    /// Normalises a key. Every text is a key; one that no image can match is
    /// not an error, since docker configs hold logins for other tools too.
    pub fn parse(raw: &'a str) -> Self {
        let rest = raw
            .strip_prefix("https://")
            .or_else(|| raw.strip_prefix("http://"))
            .unwrap_or(raw);
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (authority, path) = match rest.split_once('/') {
            Some((authority, path)) => (authority, path),
            None => (rest, ""),
        };
        let host = authority.rsplit('@').next().unwrap_or_default();
        let path = ["v1", "v2"]
            .into_iter()
            .find_map(|version| path.strip_prefix(version)?.strip_prefix('/'))
            .unwrap_or(path);
        Self {
            host: Host::parse(host),
            path: path.trim_end_matches('/'),
        }
    }

    /// Whether the credential under this key may be sent to `source`.
    pub fn matches(&self, source: &ImageName) -> bool {
        self.host.matches(Host::parse(source.host())) && self.is_parent_of(source.path())
    }

    /// How specific the key is.
    pub fn specificity(&self) -> Specificity {
        let exact_host = !self.host.is_glob();
        Specificity {
            path_components: self.path.split('/').filter(|part| !part.is_empty()).count(),
            exact_host,
            glob_length: if exact_host { 0 } else { self.host.name.len() },
        }
    }

    /// Whether the host is a glob, which containers/image does not understand.
    pub fn is_glob(&self) -> bool {
        self.host.is_glob()
    }

    fn is_parent_of(&self, path: &str) -> bool {
        self.path.is_empty()
            || path
                .strip_prefix(self.path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl<'a> Host<'a> {
    fn parse(host: &'a str) -> Self {
        let (name, port) = match host.rsplit_once(':') {
            // The colons of an IPv6 address are inside its brackets.
            Some((name, port)) if !port.contains(']') => (name, port),
            _ => (host, ""),
        };
        Self { name, port }
    }

    fn is_glob(&self) -> bool {
        self.name.contains('*')
    }

    fn matches(&self, target: Host<'_>) -> bool {
        if self.port != target.port || self.name.is_empty() {
            return false;
        }
        if !self.is_glob() {
            return self.canonical() == target.canonical();
        }
        let mut labels = target.name.split('.');
        self.name
            .split('.')
            .all(|glob| labels.next().is_some_and(|label| glob_matches(glob, label)))
            && labels.next().is_none()
    }

    fn canonical(&self) -> &'a str {
        if self.port.is_empty() && DOCKER_HUB_ALIASES.contains(&self.name) {
            DOCKER_HUB
        } else {
            self.name
        }
    }
}

/// Whether `text` matches `glob`, in which `*` stands for any run of characters.
fn glob_matches(glob: &str, text: &str) -> bool {
    let Some((head, mut tail)) = glob.split_once('*') else {
        return glob == text;
    };
    let Some(mut rest) = text.strip_prefix(head) else {
        return false;
    };
    // Between two stars the leftmost occurrence leaves the most to the others.
    while let Some((middle, next)) = tail.split_once('*') {
        let Some((_, after)) = rest.split_once(middle) else {
            return false;
        };
        (rest, tail) = (after, next);
    }
    rest.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde::Deserialize;

    use super::*;

    fn image(name: &str) -> ImageName {
        ImageName::parse(name).unwrap()
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
        /// What the keyring accepts, less the matches inside a path component.
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
                // One host, whatever its name; containers/image says the same.
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
    fn keys_match_what_kubelets_keyring_matches_but_for_the_stated_differences() {
        let vectors: Vectors =
            serde_json::from_str(include_str!("../../tests/data/vectors/matching.json")).unwrap();
        for row in &vectors.rows {
            let key = Key::parse(&row.key);
            let matched: BTreeSet<String> = vectors
                .images
                .iter()
                // containers/image has no IPv6 names: such an image never reaches us.
                .filter(|name| ImageName::parse(name).is_ok_and(|image| key.matches(&image)))
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
        ] {
            assert_eq!(
                Key::parse(key).matches(&image(source)),
                expected,
                "{key} {source}"
            );
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
            let of = |key| Key::parse(key).specificity();
            assert!(of(pair[0]) < of(pair[1]), "{pair:?}");
        }
    }
}
