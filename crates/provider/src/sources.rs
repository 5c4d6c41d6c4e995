//! The pull sources of an image: every repository that CRI-O may contact for it. Does no
//! I/O.

use std::fmt;

use registries_conf::{
    Candidate, Config, ImageName, ImageNameError, PullFromMirror, PullSource, PullSources,
    SourceKind, UnusableSource,
};
use tracing::{debug, warn};

/// The path of [`image_below`].
pub const BELOW: &str = "/a/a";

/// The pull sources of one image by registries.conf.
#[derive(Debug)]
pub struct Sources<'a> {
    /// The image.
    pub image: &'a ImageName,
    /// Its own pull sources; empty if no registry matches. Mirrors for tags and for
    /// digests are all included: kubelet's request does not show which the pod uses.
    pub own: PullSources<'a>,
    /// What CRI-O may pull instead if the pod gave the image by a short name, which
    /// kubelet's request does not show. Empty if that is only the image itself.
    pub candidates: Vec<CandidateSources<'a>>,
    configured: bool,
    unmirrored: bool,
}

/// The pull sources of one repository that a short name may mean.
#[derive(Debug)]
pub struct CandidateSources<'a> {
    /// The repository, and the short name.
    pub candidate: Candidate,
    /// Its pull sources: the repository itself if no registry matches.
    pub pull: PullSources<'a>,
}

/// Why no login could help a pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoLogin {
    /// There is no registries.conf and no drop-in.
    NoFile,
    /// No registry matches the image.
    NoRegistry,
    /// Every pull source is blocked.
    Blocked,
    /// The image can only be pulled from itself.
    ItselfAlone,
}

impl<'a> Sources<'a> {
    /// Applies registries.conf.
    pub fn of(image: &'a ImageName, config: &'a Config) -> Self {
        let own = config.pull_sources(image.as_str());
        for source in &own.sources {
            let blocked = source.is_blocked();
            debug!(source = %source.name, kind = ?source.kind, pull = ?source.pull, blocked, "pull source");
        }
        Self {
            image,
            own,
            candidates: candidates(image, config),
            configured: !config.files().is_empty(),
            unmirrored: false,
        }
    }

    /// With `unmirrored`, also treats the image itself as a pull source that needs a login.
    #[must_use]
    pub fn unmirrored(mut self, unmirrored: bool) -> Self {
        self.unmirrored = unmirrored;
        if unmirrored && self.own.registry.is_none() {
            self.own.sources.push(itself(self.image));
        }
        self
    }

    /// Why no login could help the pull. `None` if the image can be pulled from another
    /// repository, or, with a short name, from a repository other than those that it may
    /// mean.
    ///
    /// A short name that may mean another repository is not enough: some distributions
    /// have search registries on every node, and looking for logins at each pull of an
    /// image of `docker.io` would cost every pod of the node a request to the API server.
    pub fn no_login(&self) -> Option<NoLogin> {
        let own = self.no_login_itself()?;
        if self.unmirrored && self.names().next().is_some() {
            return None;
        }
        let mut candidates = self.candidates.iter();
        let elsewhere = candidates.any(|one| {
            one.pull.registry.is_some() && has_elsewhere(&one.pull, &one.candidate.name)
        });
        (!elsewhere).then_some(own)
    }

    fn no_login_itself(&self) -> Option<NoLogin> {
        if self.own.registry.is_none() {
            return Some(if self.configured {
                NoLogin::NoRegistry
            } else {
                NoLogin::NoFile
            });
        }
        if has_elsewhere(&self.own, self.image) {
            return None;
        }
        let all_blocked = contacted(&self.own).next().is_none() && !self.own.sources.is_empty();
        Some(if all_blocked {
            NoLogin::Blocked
        } else {
            NoLogin::ItselfAlone
        })
    }

    /// Logs that pulls fail in CRI-O, with the first reason.
    pub fn warn_of_unusable(&self) {
        let unusable = &self.own.unusable;
        let (Some(failing), Some(first)) = (self.own.failing(), unusable.first()) else {
            return;
        };
        let UnusableSource {
            location,
            origin,
            error,
            ..
        } = first;
        let (every, others) = (every(failing), unusable.len() - 1);
        warn!(?location, %origin, others, "{every} of this image fails in CRI-O: leave out a pull source: {error}");
    }

    /// The names of the sources that kubelet does not know: those that are neither the
    /// image itself nor a repository that a short name may mean.
    pub fn elsewhere(&self) -> impl Iterator<Item = &ImageName> {
        let candidates = self.candidates.iter();
        let others = candidates.map(|one| (&one.pull, &one.candidate.name));
        let all = others.chain([(&self.own, self.image)]);
        all.flat_map(move |(pull, own)| {
            let sources = contacted(pull).map(|source| &source.name);
            sources.filter(move |source| *source != own && *source != self.image)
        })
    }

    /// The names of the sources that are not blocked, in pull order, those of short names
    /// last.
    pub fn names(&self) -> impl Iterator<Item = ImageName> + '_ {
        let candidates = self.candidates.iter();
        let others = candidates.flat_map(|one| contacted(&one.pull));
        let all = contacted(&self.own).chain(others);
        all.map(|source| source.name.clone())
    }
}

/// The pulls of an image, in words.
pub fn every(pull: PullFromMirror) -> &'static str {
    match pull {
        PullFromMirror::All => "every pull",
        PullFromMirror::TagOnly => "every pull by tag",
        PullFromMirror::DigestOnly => "every pull by digest",
    }
}

/// An image below the prefix of a registry. Its path has two components, as names on
/// Docker Hub need.
///
/// # Errors
/// No image has a name below the prefix.
pub fn image_below(prefix: &str) -> Result<ImageName, ImageNameError> {
    let name = match prefix.strip_prefix("*.") {
        Some(domain) => format!("a.{domain}{BELOW}"),
        None => format!("{prefix}{BELOW}"),
    };
    ImageName::parse_canonical(&name)
}

/// Whether the image can be pulled from another repository than itself.
pub fn has_elsewhere(pull: &PullSources<'_>, image: &ImageName) -> bool {
    contacted(pull).any(|source| source.name != *image)
}

fn contacted<'s>(pull: &'s PullSources<'_>) -> impl Iterator<Item = &'s PullSource<'s>> {
    pull.sources.iter().filter(|source| !source.is_blocked())
}

fn candidates<'a>(image: &ImageName, config: &'a Config) -> Vec<CandidateSources<'a>> {
    let candidates = config.short_name_candidates(image);
    if candidates.iter().all(|candidate| candidate.name == *image) {
        return Vec::new();
    }
    let sources = |candidate: Candidate| {
        debug!(candidate = %candidate.name, short_name = candidate.short_name, "may be meant by a short name");
        let mut pull = config.pull_sources(candidate.name.as_str());
        if pull.registry.is_none() {
            pull.sources.push(itself(&candidate.name));
        }
        CandidateSources { candidate, pull }
    };
    candidates.into_iter().map(sources).collect()
}

/// The source of a repository without a registry in registries.conf.
fn itself(name: &ImageName) -> PullSource<'static> {
    PullSource {
        name: name.clone(),
        kind: SourceKind::Primary,
        pull: PullFromMirror::All,
        insecure: false,
        blocked_by: None,
    }
}

impl fmt::Display for NoLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoFile => "there is no registries.conf",
            Self::NoRegistry => "no registry in registries.conf matches the image",
            Self::Blocked => {
                "registries.conf blocks everything that the image could be pulled from"
            }
            Self::ItselfAlone => "registries.conf has nothing but the image itself to pull from",
        })
    }
}
