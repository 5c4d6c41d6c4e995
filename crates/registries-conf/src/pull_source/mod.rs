//! The repositories that an image may be pulled from.
//!
//! Agrees with `Registry.PullSourcesFromReference` and, for blocked registries, with
//! `newDockerClientFromRef` of containers/image's `docker` package. There are two
//! differences. The name has no tag and no digest, so every mirror is listed, with the
//! kind of pulls that use it. A rewritten name that does not parse fails the whole pull
//! in containers/image; here the other names are listed nevertheless.

use std::{path::Path, sync::Arc};

use image_name::{ImageName, ImageNameError};

use crate::{
    config::Config,
    registry::{Origin, PullFromMirror, Registry},
};

/// The digest that is appended to test a name for pulls by digest.
const SOME_DIGEST: &str =
    "@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The repositories that an image may be pulled from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PullSources<'c> {
    /// The registry whose prefix matches the image. If there is none, the image is pulled
    /// from its own name, and `sources` is empty.
    pub registry: Option<&'c Registry>,
    /// The mirrors in file order, then the registry itself, blocked ones included.
    pub sources: Vec<PullSource<'c>>,
    /// The sources whose name does not parse, in the same order. containers/image refuses
    /// every pull that would use one of them: see [`failing`](Self::failing).
    pub unusable: Vec<UnusableSource>,
}

/// A repository that an image may be pulled from, unless it is blocked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullSource<'c> {
    /// The repository.
    pub name: ImageName,
    /// Whether it is a mirror.
    pub kind: SourceKind,
    /// The pulls that use it.
    pub pull: PullFromMirror,
    /// Whether plain HTTP and unverified TLS are allowed for it.
    pub insecure: bool,
    /// The blocked registry that this repository is in: containers/image refuses to
    /// contact it, and continues with the next source.
    pub blocked_by: Option<&'c Registry>,
}

/// A location that does not give a valid name for an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusableSource {
    /// The location.
    pub location: String,
    /// The place of the location in the files.
    pub origin: Origin,
    /// Whether it is a mirror.
    pub kind: SourceKind,
    /// The pulls that would use it, and fail.
    pub pull: PullFromMirror,
    /// Why the rewritten name is not an image name.
    pub error: ImageNameError,
}

/// The kind of a pull source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SourceKind {
    /// One of the mirrors.
    Mirror,
    /// The registry itself, at its own location.
    Primary,
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
    /// `name` is a repository in full, without tag and digest.
    pub fn pull_sources(&self, name: &str) -> PullSources<'_> {
        let registry = self.find_registry(name);
        registry.map_or_else(PullSources::default, |registry| {
            self.pull_sources_in(registry, name)
        })
    }

    /// The same with `registry` in place of the one with the longest prefix of the name.
    /// Empty if the prefix of the registry does not match the name.
    pub fn pull_sources_in<'c>(&'c self, registry: &'c Registry, name: &str) -> PullSources<'c> {
        let Some(rest) = registry.rest(name) else {
            return PullSources::default();
        };
        let mut sources = PullSources {
            registry: Some(registry),
            ..PullSources::default()
        };
        for endpoint in endpoints(registry) {
            // `rewriteReference`: a wildcard without a location leaves the name as it is.
            match endpoint.location {
                "" => sources.add(name, &endpoint),
                location => sources.add(&format!("{location}{rest}"), &endpoint),
            }
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
    file: &'r Arc<Path>,
    line: usize,
    kind: SourceKind,
    pull: PullFromMirror,
    insecure: bool,
}

fn endpoints(registry: &Registry) -> impl Iterator<Item = Endpoint<'_>> {
    let file = &registry.origin.file;
    let mirrors = registry.mirrors.iter().map(|mirror| Endpoint {
        location: &mirror.location,
        file,
        line: mirror.location_line,
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
        file,
        line: registry.location_line,
        kind: SourceKind::Primary,
        pull: PullFromMirror::All,
        insecure: registry.insecure,
    }])
}

impl PullSources<'_> {
    /// The pulls that containers/image refuses as a whole, before it contacts anything,
    /// because a rewritten name does not parse.
    pub fn failing(&self) -> Option<PullFromMirror> {
        let pulls = self.unusable.iter().map(|source| source.pull);
        pulls.reduce(|one, other| {
            if one == other {
                one
            } else {
                PullFromMirror::All
            }
        })
    }

    fn add(&mut self, rewritten: &str, endpoint: &Endpoint<'_>) {
        let error = match ImageName::parse_canonical(rewritten) {
            Ok(name) => return self.list(name, endpoint.pull, endpoint),
            Err(error) => error,
        };
        // A pull appends its tag or digest to the rewritten name. A name that already has
        // a tag accepts a digest, but not a second tag.
        let by_digest = || ImageName::parse_named(&format!("{rewritten}{SOME_DIGEST}")).ok();
        let allowed = endpoint.pull.allows_digest();
        let mut pull = endpoint.pull;
        if let Some(name) = allowed.then(by_digest).flatten() {
            self.list(name, PullFromMirror::DigestOnly, endpoint);
            if !pull.allows_tag() {
                return;
            }
            pull = PullFromMirror::TagOnly;
        }
        self.unusable.push(UnusableSource {
            location: endpoint.location.to_owned(),
            origin: Origin {
                file: Arc::clone(endpoint.file),
                line: endpoint.line,
            },
            kind: endpoint.kind,
            pull,
            error,
        });
    }

    fn list(&mut self, name: ImageName, pull: PullFromMirror, endpoint: &Endpoint<'_>) {
        self.sources.push(PullSource {
            name,
            kind: endpoint.kind,
            pull,
            insecure: endpoint.insecure,
            blocked_by: None,
        });
    }
}

impl PullSource<'_> {
    /// Whether containers/image contacts it.
    pub fn is_blocked(&self) -> bool {
        self.blocked_by.is_some()
    }
}

#[cfg(test)]
mod tests;
