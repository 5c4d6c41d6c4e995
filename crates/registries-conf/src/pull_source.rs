//! From a name to the repositories the image may come from.
//!
//! Agrees with `Registry.PullSourcesFromReference` and, on what is blocked, with
//! `newDockerClientFromRef` of containers/image's `docker` package. The name has no
//! tag and no digest, so every mirror is listed, with the pulls it is for. And where
//! a rewritten name does not parse, which fails the whole pull in containers/image,
//! the others are listed all the same.

use crate::{
    config::Config,
    image_name::ImageName,
    reference::ImageNameError,
    registry::{PullFromMirror, Registry, is_wildcard},
};

/// The repositories an image may be pulled from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PullSources<'c> {
    /// The registry whose prefix matches the image. Where there is none, the image
    /// is pulled from its own name, and nothing is listed.
    pub registry: Option<&'c Registry>,
    /// The mirrors in file order, then the registry itself, blocked ones included.
    pub sources: Vec<PullSource<'c>>,
    /// Those whose name does not parse, in the same order. containers/image
    /// refuses a pull that any of them is for.
    pub unusable: Vec<UnusableSource>,
}

/// A repository an image may be pulled from, unless it is blocked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullSource<'c> {
    /// The repository.
    pub name: ImageName,
    /// Whether it is a mirror.
    pub kind: SourceKind,
    /// Which pulls it is for.
    pub pull: PullFromMirror,
    /// Whether plain HTTP and unverified TLS are allowed there.
    pub insecure: bool,
    /// The blocked registry that this repository is in: containers/image refuses to
    /// contact it, and goes on with the next source.
    pub blocked_by: Option<&'c Registry>,
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

impl Config {
    /// The repositories that an image may be pulled from.
    ///
    /// Takes a repository name in full, without tag and digest.
    pub fn pull_sources(&self, name: &str) -> PullSources<'_> {
        let registry = self.find_registry(name);
        registry.map_or_else(PullSources::default, |registry| {
            self.pull_sources_in(registry, name)
        })
    }

    /// The same for an image of that registry, even if a longer prefix matches it.
    pub fn pull_sources_in<'c>(&'c self, registry: &'c Registry, name: &str) -> PullSources<'c> {
        let mut sources = PullSources {
            registry: Some(registry),
            ..PullSources::default()
        };
        for endpoint in endpoints(registry) {
            sources.add(registry.rewrite(name, endpoint.location), &endpoint);
        }
        if self.registries().iter().any(|registry| registry.blocked) {
            for source in &mut sources.sources {
                let own = self.find_registry(source.name.as_str());
                source.blocked_by = own.filter(|registry| registry.blocked);
            }
        }
        sources
    }
}

/// A mirror, or the registry itself.
struct Endpoint<'r> {
    location: &'r str,
    kind: SourceKind,
    pull: PullFromMirror,
    insecure: bool,
}

fn endpoints(registry: &Registry) -> impl Iterator<Item = Endpoint<'_>> {
    let mirrors = registry.mirrors.iter().map(|mirror| Endpoint {
        location: &mirror.location,
        kind: SourceKind::Mirror,
        pull: if registry.mirror_by_digest_only {
            PullFromMirror::DigestOnly
        } else {
            mirror.pull_from_mirror.unwrap_or_default()
        },
        insecure: mirror.insecure,
    });
    mirrors.chain([Endpoint {
        location: &registry.location,
        kind: SourceKind::Primary,
        pull: PullFromMirror::All,
        insecure: registry.insecure,
    }])
}

impl PullSources<'_> {
    fn add(&mut self, rewritten: Result<ImageName, RewriteError>, endpoint: &Endpoint<'_>) {
        match rewritten {
            Ok(name) => self.sources.push(PullSource {
                name,
                kind: endpoint.kind,
                pull: endpoint.pull,
                insecure: endpoint.insecure,
                blocked_by: None,
            }),
            Err(error) => self.unusable.push(UnusableSource {
                location: endpoint.location.to_owned(),
                kind: endpoint.kind,
                pull: endpoint.pull,
                error,
            }),
        }
    }
}

impl PullSource<'_> {
    /// Whether containers/image contacts it.
    pub fn is_blocked(&self) -> bool {
        self.blocked_by.is_some()
    }
}

impl Registry {
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
            let sources = config.pull_sources_in(&config.registries()[0], name);
            let found: Vec<_> = sources
                .sources
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
