//! Versions of kubelet and CRI-O.

use std::fmt;

/// `major.minor.patch`; the rest is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// Parses versions such as `1.34.3` and `v1.34.2+k3s1`; `None` for other texts.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let end = text.find(['-', '+']).unwrap_or(text.len());
        let (core, _) = text.split_at(end);
        let mut parts = core.split('.').map(|part| part.parse().ok());
        let version = Self(parts.next()??, parts.next()??, parts.next()??);
        parts.next().is_none().then_some(version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(major, minor, patch) = self;
        write!(f, "{major}.{minor}.{patch}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_programs_print_them() {
        for (text, expected) in [
            ("1.34.3", Some(Version(1, 34, 3))),
            ("v1.34.2+k3s1", Some(Version(1, 34, 2))),
            ("1.36.0-dev+abc-def", Some(Version(1, 36, 0))),
            ("1.34", None),
            ("1.34.3.4", None),
            ("1.-3.4", None),
            ("99999999999.1.1", None),
            ("", None),
        ] {
            assert_eq!(Version::parse(text), expected, "{text:?}");
        }
    }
}
