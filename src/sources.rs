//! The pull sources of an image: every repository that CRI-O may contact for it
//! (SPEC sections 1 and 3). Pure.

use std::fmt;

use registries_conf::{Config, ImageName, PullSource, PullSources, Registry, UnusableSource};
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
    /// Those whose name does not parse: CRI-O cannot pull from them either.
    pub unusable: Vec<UnusableSource>,
    configured: bool,
}

/// Why a login could not help a pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoLogin {
    /// There is neither registries.conf nor a drop-in.
    NoFile,
    /// No registry matches the image.
    NoRegistry,
    /// The registry is blocked.
    Blocked,
    /// There is nothing but the image itself to pull from.
    ItselfAlone,
}

impl<'a> Sources<'a> {
    /// Applies registries.conf.
    pub fn of(image: &'a ImageName, config: &'a Config) -> Self {
        let registry = config.find_registry(image.as_str());
        let sources = registry.map(|registry| registry.pull_sources(image.as_str()));
        let PullSources { usable, unusable } = sources.unwrap_or_default();
        for source in &usable {
            debug!(source = %source.name, kind = ?source.kind, pull = ?source.pull, "pull source");
        }
        Self {
            image,
            registry,
            usable,
            unusable,
            configured: !config.files().is_empty(),
        }
    }

    /// What one registry makes of an image below its prefix.
    pub fn in_registry(image: &'a ImageName, registry: &'a Registry) -> Self {
        let sources = registry.pull_sources(image.as_str());
        Self {
            image,
            registry: Some(registry),
            configured: true,
            usable: sources.usable,
            unusable: sources.unusable,
        }
    }

    /// Why nothing of ours could help the pull; `None` where there is something to
    /// pull from but the image itself.
    pub fn no_login(&self) -> Option<NoLogin> {
        match self.registry {
            None if !self.configured => Some(NoLogin::NoFile),
            None => Some(NoLogin::NoRegistry),
            Some(registry) if registry.blocked => Some(NoLogin::Blocked),
            Some(_) => {
                let itself = |source: &PullSource| source.name == *self.image;
                self.usable
                    .iter()
                    .all(itself)
                    .then_some(NoLogin::ItselfAlone)
            }
        }
    }

    /// Logs which sources were left out.
    pub fn warn_of_unusable(&self) {
        for source in &self.unusable {
            let error = anyhow::Error::new(source.error.clone());
            warn!(location = ?source.location, "leave out a pull source: {error:#}");
        }
    }

    /// The names of the sources, in pull order.
    pub fn names(&self) -> impl Iterator<Item = ImageName> + '_ {
        self.usable.iter().map(|source| source.name.clone())
    }
}

impl fmt::Display for NoLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoFile => "there is no registries.conf",
            Self::NoRegistry => "no registry in registries.conf matches the image",
            Self::Blocked => "registries.conf blocks the image",
            Self::ItselfAlone => "registries.conf has nothing but the image itself to pull from",
        })
    }
}
