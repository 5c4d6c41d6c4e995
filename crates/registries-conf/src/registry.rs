//! A `[[registry]]` of the configuration, and which names it is for.

use std::{fmt, path::Path, sync::Arc};

use crate::error::shown;

/// A registry, its mirrors and its settings, after every check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry {
    /// Which names the registry is for: a name, the beginning of one up to
    /// `/`, `:` or `@`, or `*.example.com` for the hosts below `example.com`.
    pub prefix: String,
    /// What replaces the prefix in the names that are pulled. Empty only with
    /// a wildcard prefix, and then the names stay as they are.
    pub location: String,
    /// Whether plain HTTP and unverified TLS are allowed at the location.
    pub insecure: bool,
    /// Whether containers/image refuses to contact repositories of this registry: those
    /// whose own name, after rewriting, the registry is found for. Its images may still
    /// be pulled from mirrors.
    pub blocked: bool,
    /// Whether the mirrors are for pulls by digest only, all of them.
    pub mirror_by_digest_only: bool,
    /// The mirrors, in the order they are tried.
    pub mirrors: Vec<Mirror>,
    /// The table this comes from.
    pub origin: Origin,
    /// The line of the location, in the same file; the table's where there is none.
    pub location_line: usize,
}

/// A mirror of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// What replaces the registry's prefix in the names that are pulled; never
    /// empty.
    pub location: String,
    /// Whether plain HTTP and unverified TLS are allowed at the location.
    pub insecure: bool,
    /// Which pulls the mirror is for, where the mirror itself sets it.
    pub pull_from_mirror: Option<PullFromMirror>,
    /// The line of the location, in the file of the registry.
    pub location_line: usize,
}

/// Which pulls a mirror is for: `pull-from-mirror`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PullFromMirror {
    /// Pulls by tag and by digest.
    #[default]
    All,
    /// Pulls by digest.
    DigestOnly,
    /// Pulls by tag.
    TagOnly,
}

/// A place in the files.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The file.
    pub file: Arc<Path>,
    /// The line the table or entry starts in, from 1.
    pub line: usize,
}

impl Registry {
    /// Returns what follows the prefix, if the registry is for the name.
    ///
    /// Agrees with `refMatchingPrefix`: the prefix `example.com` also matches
    /// `example.com:5000`, which its own comments call a mistake.
    pub(crate) fn rest<'n>(&self, name: &'n str) -> Option<&'n str> {
        let rest = match self.prefix.strip_prefix('*') {
            Some(domain) if domain.starts_with('.') => {
                // Only the first occurrence, even where a later one would match.
                let (host, rest) = name.split_once(domain)?;
                if host.contains('/') {
                    return None;
                }
                rest
            }
            Some(_) | None => name.strip_prefix(self.prefix.as_str())?,
        };
        (rest.is_empty() || rest.starts_with(['/', ':', '@'])).then_some(rest)
    }
}

impl PullFromMirror {
    /// The value as the format spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::DigestOnly => "digest-only",
            Self::TagOnly => "tag-only",
        }
    }

    /// Whether pulls by tag are among them.
    pub fn allows_tag(self) -> bool {
        matches!(self, Self::All | Self::TagOnly)
    }

    /// Whether pulls by digest are among them.
    pub fn allows_digest(self) -> bool {
        matches!(self, Self::All | Self::DigestOnly)
    }

    pub(crate) fn from_value(value: &str) -> Option<Self> {
        [Self::All, Self::DigestOnly, Self::TagOnly]
            .into_iter()
            .find(|pull| pull.as_str() == value)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", shown(&self.file), self.line)
    }
}

/// Whether a prefix is for the hosts below a domain.
pub(crate) fn is_wildcard(prefix: &str) -> bool {
    prefix.starts_with("*.")
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc};

    use super::{Origin, Registry};

    #[test]
    fn prefixes() {
        for (prefix, name, expected) in [
            ("a.b", "a.b/c", Some("/c")),
            ("a.b", "a.b", Some("")),
            ("a.b", "a.b:5/c", Some(":5/c")),
            ("a.b", "a.b@sha256:0", Some("@sha256:0")),
            ("a.b", "a.bc/d", None),
            ("a.b", "x.a.b/c", None),
            ("a.b", "a.", None),
            ("a.b/c", "a.b/c/d", Some("/d")),
            ("a.b/c", "a.b/cd", None),
            ("a.b:5", "a.b:5/c", Some("/c")),
            ("a.b:5", "a.b:55/c", None),
            ("*.a.b", "x.a.b/c", Some("/c")),
            ("*.a.b", "x.y.a.b/c", Some("/c")),
            ("*.a.b", "x.a.b:5/c", Some(":5/c")),
            ("*.a.b", "x.a.b", Some("")),
            ("*.a.b", "a.b/c", None),
            ("*.a.b", "xa.b/c", None),
            ("*.a.b", "x.a.bc/d", None),
            ("*.a.b", "x.y/z.a.b/c", None),
            // A later occurrence would match; containers/image does not look for it.
            ("*.a.b", "x.a.b.a.b/c", None),
            ("*.", "x./c", Some("/c")),
            ("*", "*/c", Some("/c")),
            ("*a", "xa/c", None),
        ] {
            let registry = Registry {
                prefix: prefix.to_owned(),
                location: String::new(),
                insecure: false,
                blocked: false,
                mirror_by_digest_only: false,
                mirrors: Vec::new(),
                origin: Origin {
                    file: Arc::from(Path::new("f")),
                    line: 1,
                },
                location_line: 1,
            };
            assert_eq!(registry.rest(name), expected, "{prefix} of {name}");
        }
    }
}
