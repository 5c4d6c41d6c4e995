//! The full name of a repository.
//!
//! Agrees with `ParseNormalizedNamed` and `ParseNamed` of containers/image's
//! `docker/reference`; the grammar behind them is in
//! [`reference`](crate::reference).

use std::{borrow::Cow, fmt, str::FromStr};

use crate::reference::{ImageNameError, NameProblem, Reference, is_identifier, names_registry};

/// The registry of names that have none: Docker Hub.
pub const DEFAULT_HOST: &str = "docker.io";
const LEGACY_DEFAULT_HOST: &str = "index.docker.io";
/// The path of Docker Hub's official images, whose names are one component.
pub const OFFICIAL_PATH: &str = "library";

/// A repository name in full: `host[:port]/path`, without tag and digest.
///
/// Always has a host and a path, neither of them empty; at most 255 bytes long. Docker
/// Hub is `docker.io`, its official images are below `docker.io/library`.
///
/// ```
/// use image_name::ImageName;
///
/// let name = ImageName::parse("nginx:1.27")?;
/// assert_eq!(name.as_str(), "docker.io/library/nginx");
/// assert_eq!((name.host(), name.path()), ("docker.io", "library/nginx"));
/// # Ok::<(), image_name::ImageNameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageName(String);

impl ImageName {
    /// Parses an image reference as users write it: a short name is completed, a tag or
    /// digest is checked and dropped.
    ///
    /// The result is that of `reference.ParseNormalizedNamed(..).Name()`.
    ///
    /// # Errors
    /// The string is not an image reference.
    pub fn parse(reference: &str) -> Result<Self, ImageNameError> {
        let problem = |problem| ImageNameError::new(reference, problem);
        let completed = complete(reference).map_err(problem)?;
        let parts = Reference::take_apart(&completed).map_err(problem)?;
        Ok(Self(parts.name.to_owned()))
    }

    /// Parses a reference with a full name; a tag or digest is checked and dropped.
    ///
    /// The result is that of `reference.ParseNamed(..).Name()`.
    ///
    /// # Errors
    /// The string is not a reference with a full name.
    pub fn parse_named(reference: &str) -> Result<Self, ImageNameError> {
        let problem = |problem| ImageNameError::new(reference, problem);
        parse_named(reference)
            .map(|parts| Self(parts.name.to_owned()))
            .map_err(problem)
    }

    /// Parses a full name without tag and digest.
    ///
    /// # Errors
    /// The string is not a full name.
    pub fn parse_canonical(name: &str) -> Result<Self, ImageNameError> {
        let problem = |problem| ImageNameError::new(name, problem);
        let parts = parse_named(name).map_err(problem)?;
        if parts.has_tag_or_digest() {
            return Err(problem(NameProblem::TagOrDigest));
        }
        Ok(Self(parts.name.to_owned()))
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host, with its port if there is one.
    ///
    /// The grammar accepts some names whose first component is not a host name, such as
    /// `a.b_c/d`. containers/image returns an empty domain for them; this is the first
    /// component.
    pub fn host(&self) -> &str {
        self.0.split_once('/').map_or("", |(host, _)| host)
    }

    /// The path below the host, without a leading slash.
    pub fn path(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, path)| path)
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for ImageName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for ImageName {
    type Err = ImageNameError;

    /// As [`ImageName::parse`].
    fn from_str(reference: &str) -> Result<Self, Self::Err> {
        Self::parse(reference)
    }
}

/// Splits a reference that [`complete`] would not change.
fn parse_named(reference: &str) -> Result<Reference<'_>, NameProblem> {
    match complete(reference)? {
        Cow::Borrowed(named) => Reference::take_apart(named),
        Cow::Owned(completed) => Err(NameProblem::NotCanonical {
            canonical: Reference::take_apart(&completed)?.name.to_owned(),
        }),
    }
}

/// Adds the host, and on Docker Hub `library/`, to a reference that lacks them.
///
/// Agrees with `splitDockerDomain`.
fn complete(reference: &str) -> Result<Cow<'_, str>, NameProblem> {
    if is_identifier(reference) {
        return Err(NameProblem::Identifier);
    }
    let remainder = match reference.split_once('/') {
        Some((LEGACY_DEFAULT_HOST, remainder)) => remainder,
        Some((DEFAULT_HOST, remainder)) if !remainder.contains('/') => remainder,
        Some((host, _)) if names_registry(host) => return Ok(Cow::Borrowed(reference)),
        Some(_) | None => reference,
    };
    Ok(Cow::Owned(if remainder.contains('/') {
        format!("{DEFAULT_HOST}/{remainder}")
    } else {
        format!("{DEFAULT_HOST}/{OFFICIAL_PATH}/{remainder}")
    }))
}

#[cfg(test)]
mod tests {
    use super::ImageName;

    const MALFORMED: &str = "malformed: expected [HOST[:PORT]/]PATH[:TAG][@DIGEST]";

    #[test]
    fn names_are_completed() {
        for (reference, host, path) in [
            ("nginx", "docker.io", "library/nginx"),
            ("index.docker.io/nginx:1", "docker.io", "library/nginx"),
            ("index.docker.io", "docker.io", "library/index.docker.io"),
            ("user/app", "docker.io", "user/app"),
            ("localhost/app", "localhost", "app"),
            ("a:5000/b/c", "a:5000", "b/c"),
            ("a.b_c/d", "a.b_c", "d"),
        ] {
            let name = ImageName::parse(reference).unwrap();
            assert_eq!((name.host(), name.path()), (host, path), "{reference}");
            assert_eq!(name.to_string(), format!("{host}/{path}"), "{reference}");
            assert_eq!(reference.parse(), Ok(name), "{reference}");
        }
    }

    #[test]
    fn canonical_names_are_not_completed() {
        let id = "0123456789abcdef".repeat(4);
        for (name, expected) in [
            ("docker.io/library/nginx", None),
            ("a.b:5/c", None),
            ("a.b_c/d", None),
            (
                "nginx",
                Some("short for \"docker.io/library/nginx\", which must be spelled out here"),
            ),
            (
                "docker.io/nginx",
                Some("short for \"docker.io/library/nginx\", which must be spelled out here"),
            ),
            (
                "user/app",
                Some("short for \"docker.io/user/app\", which must be spelled out here"),
            ),
            ("a.b/c:1", Some("a tag or digest is not allowed here")),
            (
                &format!("a.b/c@sha256:{id}"),
                Some("a tag or digest is not allowed here"),
            ),
            ("a.b/C", Some("the repository must be lower case")),
            ("a.b/", Some(MALFORMED)),
            ("/a", Some(MALFORMED)),
            (&id, Some("64 hexadecimal digits are an image ID")),
        ] {
            let problem = ImageName::parse_canonical(name).err();
            let problem = problem.map(|error| error.problem.to_string());
            assert_eq!(problem.as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn errors_quote_and_cut_the_name() {
        for (reference, expected) in [
            (
                "a\nb",
                format!("\"a\\nb\" is not an image name: {MALFORMED}"),
            ),
            (
                &"\u{fc}".repeat(1000),
                format!(
                    "\"{}...\" is not an image name: {MALFORMED}",
                    "\u{fc}".repeat(256)
                ),
            ),
        ] {
            assert_eq!(
                ImageName::parse(reference).unwrap_err().to_string(),
                expected
            );
        }
    }
}
