//! The pull sources of an image: every repository that CRI-O may contact for it
//! (SPEC sections 1 and 3). Pure.

use registries_conf::{Config, ImageName, PullSource, Registry};
use tracing::{debug, warn};

/// What registries.conf makes of one image.
#[derive(Debug)]
pub struct Sources<'a> {
    /// The image.
    pub image: &'a ImageName,
    /// The registry whose prefix matches it.
    pub registry: Option<&'a Registry>,
    /// The mirrors in file order, then the registry's own location; empty where
    /// no registry matches. Mirrors for tags and for digests all count, since
    /// kubelet does not say which of them the pod asks for.
    pub usable: Vec<PullSource>,
}

impl<'a> Sources<'a> {
    /// Applies registries.conf. A source whose name does not parse is left out
    /// with a warning: CRI-O cannot pull from it either.
    pub fn of(image: &'a ImageName, config: &'a Config) -> Self {
        let registry = config.find_registry(image.as_str());
        let sources = registry.map(|registry| registry.pull_sources(image.as_str()));
        let (usable, unusable) = sources.map_or_else(Default::default, |sources| {
            (sources.usable, sources.unusable)
        });
        for source in unusable {
            let error = anyhow::Error::new(source.error);
            warn!(location = ?source.location, "leave out a pull source: {error:#}");
        }
        for source in &usable {
            debug!(source = %source.name, kind = ?source.kind, pull = ?source.pull, "pull source");
        }
        Self {
            image,
            registry,
            usable,
        }
    }

    /// What one registry makes of an image below its prefix, without a word on the
    /// sources that are left out.
    pub fn in_registry(image: &'a ImageName, registry: &'a Registry) -> Self {
        Self {
            image,
            registry: Some(registry),
            usable: registry.pull_sources(image.as_str()).usable,
        }
    }

    /// Whether there is anything to pull from but the image itself. Where not, or
    /// where the registry is blocked, nothing of ours could help the pull.
    pub fn need_login(&self) -> bool {
        let blocked = self.registry.is_some_and(|registry| registry.blocked);
        !blocked && self.usable.iter().any(|source| source.name != *self.image)
    }

    /// The names of the sources, in pull order.
    pub fn names(&self) -> impl Iterator<Item = ImageName> + '_ {
        self.usable.iter().map(|source| source.name.clone())
    }
}
