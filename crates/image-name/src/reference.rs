//! The grammar of image references: domains, path components, tags and digests.
//!
//! Agrees with `docker/reference` of containers/image (`Parse` and its regular
//! expressions), but has no regular expressions. It does not complete short names;
//! [`ImageName`](crate::ImageName) does.

/// The longest repository name, host included, in bytes.
const MAX_NAME: usize = 255;

/// The most characters of an invalid name that an error quotes.
const MAX_QUOTED: usize = 256;

/// The error of a string that is not an image name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not an image name: {problem}")]
pub struct ImageNameError {
    /// The string, cut short if it is very long.
    pub name: String,
    /// What is wrong with it.
    pub problem: NameProblem,
}

impl ImageNameError {
    pub(crate) fn new(name: &str, problem: NameProblem) -> Self {
        let name = match name.char_indices().nth(MAX_QUOTED) {
            Some((end, _)) => format!("{}...", name.get(..end).unwrap_or_default()),
            None => name.to_owned(),
        };
        Self { name, problem }
    }
}

/// Why a string is not an image name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameProblem {
    /// The name does not follow the grammar.
    #[error("malformed: expected [HOST[:PORT]/]PATH[:TAG][@DIGEST]")]
    Format,
    /// It starts with a scheme, such as `docker://` or `https://`.
    #[error("write it without a scheme")]
    Scheme,
    /// The name would follow the grammar in lower case.
    #[error("the repository must be lower case")]
    Uppercase,
    /// The tag does not follow the grammar.
    #[error("malformed tag")]
    Tag,
    /// The digest is malformed, or of an algorithm other than SHA-2.
    #[error("malformed digest, or of an unknown algorithm")]
    Digest,
    /// The repository name has more than 255 bytes.
    #[error("longer than {MAX_NAME} bytes")]
    TooLong,
    /// 64 hexadecimal digits are an image ID, not a name.
    #[error("64 hexadecimal digits are an image ID")]
    Identifier,
    /// The name is short where a full name is required.
    #[error("short for {canonical:?}, which must be spelled out here")]
    NotCanonical {
        /// The name in full.
        canonical: String,
    },
    /// There is a tag or a digest where only a name is allowed.
    #[error("a tag or digest is not allowed here")]
    TagOrDigest,
}

/// The parts of an image reference, not completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reference<'s> {
    /// The name as it was written, with the domain if there is one.
    pub name: &'s str,
    /// The first component of the name if it is `host[:port]` and another one follows.
    pub domain: Option<&'s str>,
    /// The tag, without its colon.
    pub tag: Option<&'s str>,
    /// The digest with its algorithm, such as `sha256:..`.
    pub digest: Option<&'s str>,
}

impl<'s> Reference<'s> {
    /// Splits a reference into its parts, as `reference.Parse` does.
    ///
    /// # Errors
    /// The string is not a reference.
    pub fn parse(reference: &'s str) -> Result<Self, ImageNameError> {
        Self::take_apart(reference).map_err(|problem| ImageNameError::new(reference, problem))
    }

    pub(crate) fn take_apart(reference: &'s str) -> Result<Self, NameProblem> {
        // No name and no tag contains `@`, and no name has a `:` after its last `/`, so
        // there is only one way to split a reference.
        let (tagged, digest) = match reference.split_once('@') {
            Some((tagged, digest)) => (tagged, Some(digest)),
            None => (reference, None),
        };
        let (name, tag) = match tagged.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            Some(_) | None => (tagged, None),
        };
        if !is_name(name) {
            return Err(if has_scheme(name) {
                NameProblem::Scheme
            } else if is_name(&name.to_ascii_lowercase()) {
                NameProblem::Uppercase
            } else {
                NameProblem::Format
            });
        }
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(NameProblem::Tag);
        }
        if digest.is_some_and(|digest| !is_digest(digest)) {
            return Err(NameProblem::Digest);
        }
        if name.len() > MAX_NAME {
            return Err(NameProblem::TooLong);
        }
        Ok(Self {
            name,
            domain: name
                .split_once('/')
                .map(|(first, _)| first)
                .filter(|first| is_domain(first)),
            tag,
            digest,
        })
    }

    /// Whether the domain can only be a registry, not the first component of a
    /// path on the default registry.
    pub fn has_registry(&self) -> bool {
        self.domain.is_some_and(names_registry)
    }

    /// Whether anything follows the name.
    pub fn has_tag_or_digest(&self) -> bool {
        self.tag.is_some() || self.digest.is_some()
    }
}

/// Whether it starts with a scheme (RFC 3986, section 3.1) and `://`.
fn has_scheme(text: &str) -> bool {
    let is_in_schemes = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    text.split_once("://").is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(is_in_schemes)
    })
}

/// Whether the first component of a name is a registry: it has a dot or a
/// port, or is `localhost`.
pub(crate) fn names_registry(component: &str) -> bool {
    component.bytes().any(|b| matches!(b, b'.' | b':')) || component == "localhost"
}

/// Whether a string is `host[:port]`, as `reference.DomainRegexp` anchored at
/// both ends. IPv6 addresses are not.
pub fn is_domain(domain: &str) -> bool {
    let (host, port) = domain.rsplit_once(':').unwrap_or((domain, "0"));
    host.as_bytes().split(|&b| b == b'.').all(is_label)
        && !port.is_empty()
        && port.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a string is 64 lower-case hexadecimal digits.
pub(crate) fn is_identifier(reference: &str) -> bool {
    is_hex(reference, 64)
}

fn is_name(name: &str) -> bool {
    // A first component that is not a domain may be part of the path.
    let path = match name.split_once('/') {
        Some((first, rest)) if is_domain(first) => rest,
        Some(_) | None => name,
    };
    path.as_bytes().split(|&b| b == b'/').all(is_path_component)
}

fn is_label(label: &[u8]) -> bool {
    ends_are(label, u8::is_ascii_alphanumeric)
        && label
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || *b == b'-')
}

fn is_path_component(component: &[u8]) -> bool {
    ends_are(component, |&b| is_atom(b)) && component.split(|&b| is_atom(b)).all(is_separator)
}

fn is_atom(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9')
}

fn ends_are(text: &[u8], right: impl Fn(&u8) -> bool) -> bool {
    text.first().is_some_and(&right) && text.last().is_some_and(&right)
}

fn is_separator(separator: &[u8]) -> bool {
    matches!(separator, b"." | b"_" | b"__") || separator.iter().all(|&b| b == b'-')
}

fn is_tag(tag: &str) -> bool {
    (1..=128).contains(&tag.len())
        && !tag.starts_with(['.', '-'])
        && tag
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

fn is_digest(digest: &str) -> bool {
    match digest.split_once(':') {
        Some(("sha256", hex)) => is_hex(hex, 64),
        Some(("sha384", hex)) => is_hex(hex, 96),
        Some(("sha512", hex)) => is_hex(hex, 128),
        Some(_) | None => false,
    }
}

fn is_hex(hex: &str, length: usize) -> bool {
    hex.len() == length && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::{NameProblem, Reference, is_domain};

    type Parts = Result<(&'static str, Option<&'static str>, bool), NameProblem>;

    #[test]
    fn domains() {
        for domain in [
            "a",
            "A",
            "localhost",
            "a.b",
            "a-b.c--d",
            "1.2.3.4",
            "a:0",
            "a.b:99999",
        ] {
            assert!(is_domain(domain), "{domain}");
        }
        for domain in [
            "", ".", "a.", ".a", "a..b", "-a", "a-", "a_b", "a:", ":5", "a:b", "a:5:5", "a/b",
            "[::1]", "[::1]:5", "a b", "\u{fc}.b", "a\n", "a:5\n",
        ] {
            assert!(!is_domain(domain), "{domain:?}");
        }
    }

    #[test]
    fn references() {
        let digest = |algorithm, length| format!("a@{algorithm}:{}", "c".repeat(length));
        let cases: &[(&str, Parts)] = &[
            ("a", Ok(("a", None, false))),
            ("a/b", Ok(("a/b", Some("a"), false))),
            ("A/b", Ok(("A/b", Some("A"), false))),
            ("a_b/c", Ok(("a_b/c", None, false))),
            ("a:5/b", Ok(("a:5/b", Some("a:5"), false))),
            ("a:5", Ok(("a", None, true))),
            ("a.b/c:d", Ok(("a.b/c", Some("a.b"), true))),
            ("a:_", Ok(("a", None, true))),
            (&digest("sha256", 64), Ok(("a", None, true))),
            (&digest("sha384", 96), Ok(("a", None, true))),
            (&digest("sha512", 128), Ok(("a", None, true))),
            (&digest("sha256", 63), Err(NameProblem::Digest)),
            (&digest("sha512", 64), Err(NameProblem::Digest)),
            (&digest("sha1", 40), Err(NameProblem::Digest)),
            (&digest("SHA256", 64), Err(NameProblem::Digest)),
            (
                &digest("sha256", 64).replace("cc", "CC"),
                Err(NameProblem::Digest),
            ),
            ("a@", Err(NameProblem::Digest)),
            ("a:b@c@d", Err(NameProblem::Digest)),
            ("a:", Err(NameProblem::Tag)),
            ("a:-b", Err(NameProblem::Tag)),
            ("a:b c", Err(NameProblem::Tag)),
            ("A", Err(NameProblem::Uppercase)),
            ("a/B:c", Err(NameProblem::Uppercase)),
            ("", Err(NameProblem::Format)),
            ("a/", Err(NameProblem::Format)),
            ("a:5:b", Err(NameProblem::Format)),
            ("a/b:5/c", Err(NameProblem::Format)),
            ("a/b___c", Err(NameProblem::Format)),
            ("a/b-_c", Err(NameProblem::Format)),
            ("a/b\n", Err(NameProblem::Format)),
            ("docker://a", Err(NameProblem::Scheme)),
            ("https://a.b:5/C:1", Err(NameProblem::Scheme)),
            ("oci+x-1.2://a@b", Err(NameProblem::Scheme)),
            ("://a", Err(NameProblem::Format)),
            ("1a://b", Err(NameProblem::Format)),
            ("a/b://c", Err(NameProblem::Format)),
            ("a:/b", Err(NameProblem::Format)),
        ];
        for (string, expected) in cases {
            let parts = Reference::take_apart(string);
            let parts = parts.map(|parts| (parts.name, parts.domain, parts.has_tag_or_digest()));
            assert_eq!(&parts, expected, "{string:?}");
        }
    }

    #[test]
    fn lengths() {
        for (length, expected) in [(255, None), (256, Some(NameProblem::TooLong))] {
            let name = "a".repeat(length);
            assert_eq!(Reference::take_apart(&name).err(), expected, "{length}");
            // The tag does not matter.
            assert_eq!(
                Reference::take_apart(&format!("{name}:b")).err(),
                expected,
                "{length}"
            );
        }
        for (length, expected) in [(128, None), (129, Some(NameProblem::Tag))] {
            let tagged = format!("a:{}", "b".repeat(length));
            assert_eq!(Reference::take_apart(&tagged).err(), expected, "{length}");
        }
    }
}
