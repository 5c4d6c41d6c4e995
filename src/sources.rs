//! The pull sources of an image: every repository that CRI-O may contact for it
//! (SPEC sections 1 and 3). Pure.

use std::fmt;

use registries_conf::{
    Candidate, Config, ImageName, PullFromMirror, PullSource, PullSources, Registry, SourceKind,
    UnusableSource,
};
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
    /// What CRI-O may pull instead where the pod gave the image by a short name,
    /// which kubelet does not tell; empty where that is the image itself alone.
    pub candidates: Vec<CandidateSources<'a>>,
    configured: bool,
}

/// What registries.conf makes of one repository that a short name may stand for.
#[derive(Debug)]
pub struct CandidateSources<'a> {
    /// The repository, and the short name.
    pub candidate: Candidate,
    /// The registry whose prefix matches it.
    pub registry: Option<&'a Registry>,
    /// The mirrors in file order, then the registry's own location; the repository
    /// itself where no registry matches.
    pub usable: Vec<PullSource>,
    /// Those whose name does not parse.
    pub unusable: Vec<UnusableSource>,
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
            candidates: candidates(image, config),
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
            candidates: Vec::new(),
            usable: sources.usable,
            unusable: sources.unusable,
        }
    }

    /// Why nothing of ours could help the pull; `None` where there is something to
    /// pull from but the image itself, or, for a short name, but one of the
    /// repositories it may stand for.
    ///
    /// That a short name may stand for another repository is not enough: it does so on
    /// every node of some distributions, and asking for logins at each pull of an image
    /// of `docker.io` would cost every pod of the node an answer of the API server.
    pub fn no_login(&self) -> Option<NoLogin> {
        let own = self.no_login_itself()?;
        let mut candidates = self.candidates.iter();
        let elsewhere = candidates.any(CandidateSources::has_elsewhere);
        (!elsewhere).then_some(own)
    }

    fn no_login_itself(&self) -> Option<NoLogin> {
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

    /// The names of the sources that are not blocked, in pull order, those of
    /// candidates last.
    pub fn names(&self) -> impl Iterator<Item = ImageName> + '_ {
        let own = unless_blocked(self.registry, &self.usable);
        let candidates = self.candidates.iter();
        let others = candidates.flat_map(|one| unless_blocked(one.registry, &one.usable));
        own.iter().chain(others).map(|source| source.name.clone())
    }
}

impl CandidateSources<'_> {
    /// Whether there is something to pull from but the repository itself.
    fn has_elsewhere(&self) -> bool {
        let is_other = |source: &PullSource| source.name != self.candidate.name;
        self.registry.is_some_and(|registry| !registry.blocked) && self.usable.iter().any(is_other)
    }
}

fn candidates<'a>(image: &ImageName, config: &'a Config) -> Vec<CandidateSources<'a>> {
    let candidates = config.short_name_candidates(image);
    if candidates.iter().all(|candidate| candidate.name == *image) {
        return Vec::new();
    }
    candidates.into_iter().map(|candidate| {
        let registry = config.find_registry(candidate.name.as_str());
        let sources = match registry {
            Some(registry) => registry.pull_sources(candidate.name.as_str()),
            None => itself(&candidate.name),
        };
        debug!(candidate = %candidate.name, short_name = candidate.short_name, "may be meant by a short name");
        CandidateSources {
            candidate,
            registry,
            usable: sources.usable,
            unusable: sources.unusable,
        }
    }).collect()
}

fn unless_blocked<'s>(registry: Option<&Registry>, sources: &'s [PullSource]) -> &'s [PullSource] {
    let is_blocked = registry.is_some_and(|registry| registry.blocked);
    if is_blocked { &[] } else { sources }
}

/// What a repository without a registry in registries.conf is pulled from.
fn itself(name: &ImageName) -> PullSources {
    let source = PullSource {
        name: name.clone(),
        kind: SourceKind::Primary,
        pull: PullFromMirror::All,
        insecure: false,
    };
    PullSources {
        usable: vec![source],
        unusable: Vec::new(),
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
