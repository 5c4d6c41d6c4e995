//! A `[[registry]]` of the configuration, and the names that it applies to.

use std::{fmt, path::Path, sync::Arc};

use crate::error::shown;

/// A registry, its mirrors and its settings, all of them checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry {
    /// The names that the registry applies to: a name, the beginning of one up to `/`,
    /// `:` or `@`, or `*.example.com` for the hosts below `example.com`.
    pub prefix: String,
    /// The replacement of the prefix in the names that are pulled. Empty only with a
    /// wildcard prefix, which leaves the names unchanged.
    pub location: String,
    /// Whether plain HTTP and unverified TLS are allowed at the location.
    pub insecure: bool,
    /// Whether containers/image refuses to contact repositories of this registry, that
    /// is, those whose rewritten name it applies to. Its images may still be pulled from
    /// mirrors.
    pub blocked: bool,
    /// Whether all mirrors are for pulls by digest only.
    pub mirror_by_digest_only: bool,
    /// The mirrors, in the order in which they are tried.
    pub mirrors: Vec<Mirror>,
    /// The place of its table.
    pub origin: Origin,
    /// The line of the location, in the same file; the line of the table if there is
    /// none.
    pub location_line: usize,
}

/// A mirror of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// The replacement of the registry's prefix in the names that are pulled; never
    /// empty.
    pub location: String,
    /// Whether plain HTTP and unverified TLS are allowed at the location.
    pub insecure: bool,
    /// The pulls that use the mirror, if the mirror itself sets it.
    pub pull_from_mirror: Option<PullFromMirror>,
    /// The line of the location, in the file of the registry.
    pub location_line: usize,
}

/// The pulls that use a mirror: `pull-from-mirror`.
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
    /// The line in which the table or entry starts, from 1.
    pub line: usize,
}

impl Registry {
    /// Returns the rest of a name after the prefix, if the prefix matches.
    ///
    /// Agrees with `refMatchingPrefix`: the prefix `example.com` also matches
    /// `example.com:5000`, which its own comments call a mistake.
    pub(crate) fn rest<'n>(&self, name: &'n str) -> Option<&'n str> {
        let rest = match self.prefix.strip_prefix('*') {
            Some(domain) if domain.starts_with('.') => {
                // Only the first occurrence is compared, even if a later one would match.
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

/// Whether a prefix is a wildcard, for the hosts below a domain.
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
            // A later occurrence would match, but containers/image does not look for it.
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
