//! From a registry and a name to the repositories the image may come from.
//!
//! Agrees with `Registry.PullSourcesFromReference`, with two differences. The
//! name has no tag and no digest, so every mirror is listed, with the pulls it
//! is for. And where a rewritten name does not parse, which fails the whole
//! pull in containers/image, the others are listed all the same.

use crate::{
    image_name::ImageName,
    reference::ImageNameError,
    registry::{PullFromMirror, Registry, is_wildcard},
};

/// The repositories an image may be pulled from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PullSources {
    /// The mirrors in file order, then the registry itself.
    pub usable: Vec<PullSource>,
    /// Those whose name does not parse, in the same order. containers/image
    /// refuses a pull that any of them is for.
    pub unusable: Vec<UnusableSource>,
}

/// A repository an image may be pulled from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullSource {
    /// The repository.
    pub name: ImageName,
    /// Whether it is a mirror.
    pub kind: SourceKind,
    /// Which pulls it is for.
    pub pull: PullFromMirror,
    /// Whether plain HTTP and unverified TLS are allowed there.
    pub insecure: bool,
}

/// A location that gives no usable name for an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusableSource {
    /// The location.
    pub location: String,
    /// Whether it is a mirror's.
    pub kind: SourceKind,
    /// Which pulls it is for.
    pub pull: PullFromMirror,
    /// Why there is no name.
    pub error: RewriteError,
}

/// What a pull source is to its registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SourceKind {
    /// One of the mirrors.
    Mirror,
    /// The registry itself, at its own location.
    Primary,
}

/// Why a name cannot be rewritten.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RewriteError {
    /// The registry is not for this name.
    #[error("{name:?} does not begin with {prefix:?}")]
    OtherPrefix {
        /// The name.
        name: String,
        /// The registry's prefix.
        prefix: String,
    },
    /// The rewritten name is none.
    #[error("rewritten name {0}")]
    Name(ImageNameError),
}

impl SourceKind {
    /// `mirror` or `primary`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mirror => "mirror",
            Self::Primary => "primary",
        }
    }
}

impl Registry {
    /// The repositories that an image of this registry may be pulled from.
    ///
    /// Takes a repository name in full, without tag and digest. It says
    /// nothing about [`blocked`](Registry::blocked).
    pub fn pull_sources(&self, name: &str) -> PullSources {
        let mut sources = PullSources::default();
        for mirror in &self.mirrors {
            let pull = if self.mirror_by_digest_only {
                PullFromMirror::DigestOnly
            } else {
                mirror.pull_from_mirror.unwrap_or_default()
            };
            let rewritten = self.rewrite(name, &mirror.location);
            sources.add(
                rewritten,
                &mirror.location,
                SourceKind::Mirror,
                pull,
                mirror.insecure,
            );
        }
        sources.add(
            self.rewrite(name, &self.location),
            &self.location,
            SourceKind::Primary,
            PullFromMirror::All,
            self.insecure,
        );
        sources
    }

    /// Puts a location in the place of the prefix: `rewriteReference`.
    fn rewrite(&self, name: &str, location: &str) -> Result<ImageName, RewriteError> {
        let Some(rest) = self.rest(name) else {
            return Err(RewriteError::OtherPrefix {
                name: name.to_owned(),
                prefix: self.prefix.clone(),
            });
        };
        if location.is_empty() && is_wildcard(&self.prefix) {
            return ImageName::parse_canonical(name).map_err(RewriteError::Name);
        }
        ImageName::parse_canonical(&format!("{location}{rest}")).map_err(RewriteError::Name)
    }
}

impl PullSources {
    fn add(
        &mut self,
        rewritten: Result<ImageName, RewriteError>,
        location: &str,
        kind: SourceKind,
        pull: PullFromMirror,
        insecure: bool,
    ) {
        match rewritten {
            Ok(name) => self.usable.push(PullSource {
                name,
                kind,
                pull,
                insecure,
            }),
            Err(error) => self.unusable.push(UnusableSource {
                location: location.to_owned(),
                kind,
                pull,
                error,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Source};

    #[test]
    fn sources() {
        let mirrored = "[[registry.mirror]]\nlocation = \"m.x\"\ninsecure = true\n\
                        [[registry.mirror]]\nlocation = \"n.x/p\"\n";
        let cases = [
            (
                "mirrors, then the registry",
                format!("[[registry]]\nlocation = \"a.b\"\n{mirrored}"),
                "a.b/c",
                vec![
                    "mirror m.x/c all insecure",
                    "mirror n.x/p/c all",
                    "primary a.b/c all",
                ],
                vec![],
            ),
            (
                "mirrors for digests only",
                format!(
                    "[[registry]]\nprefix = \"a.b/c\"\nlocation = \"x.y/z\"\ninsecure = true\n\
                     mirror-by-digest-only = true\n{mirrored}"
                ),
                "a.b/c/d",
                vec![
                    "mirror m.x/d digest-only insecure",
                    "mirror n.x/p/d digest-only",
                    "primary x.y/z/d all insecure",
                ],
                vec![],
            ),
            (
                "a host cannot stand for a repository",
                format!("[[registry]]\nlocation = \"a.b/c\"\n{mirrored}"),
                "a.b/c",
                vec!["mirror n.x/p all", "primary a.b/c all"],
                vec![
                    "mirror m.x all: rewritten name \"m.x\" is not an image name: \
                      short for \"docker.io/library/m.x\", which must be spelled out here",
                ],
            ),
            (
                "a location with a tag",
                "[[registry]]\nprefix = \"a.b/c\"\nlocation = \"x.y/z:1\"".to_owned(),
                "a.b/c",
                vec![],
                vec![
                    "primary x.y/z:1 all: rewritten name \"x.y/z:1\" is not an image name: \
                      no tag or digest may stand here",
                ],
            ),
            (
                "a wildcard without location",
                "[[registry]]\nprefix = \"*.b\"".to_owned(),
                "a.b/c",
                vec!["primary a.b/c all"],
                vec![],
            ),
            (
                "another registry's name",
                "[[registry]]\nprefix = \"*.b\"".to_owned(),
                "a.c/c",
                vec![],
                vec!["primary  all: \"a.c/c\" does not begin with \"*.b\""],
            ),
        ];
        for (case, text, name, usable, unusable) in cases {
            let config = Config::parse(Some(&Source::new("f", text)), &[]).unwrap();
            let sources = config.registries()[0].pull_sources(name);
            let found: Vec<_> = sources
                .usable
                .iter()
                .map(|source| {
                    let insecure = if source.insecure { " insecure" } else { "" };
                    let pull = source.pull.as_str();
                    format!("{} {} {pull}{insecure}", source.kind.as_str(), source.name)
                })
                .collect();
            assert_eq!(found, usable, "{case}");
            let found: Vec<_> = sources
                .unusable
                .iter()
                .map(|source| {
                    let (kind, pull) = (source.kind.as_str(), source.pull.as_str());
                    format!("{kind} {} {pull}: {}", source.location, source.error)
                })
                .collect();
            assert_eq!(found, unusable, "{case}");
        }
    }
}
