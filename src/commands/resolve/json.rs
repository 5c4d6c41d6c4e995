//! The result as JSON; `explain` uses its parts too.

use std::borrow::Cow;
use std::io::{self, Write};

use registries_conf::{
    Config as Registries, Origin, PullFromMirror, PullSource, PullSources, Registry, UnknownKey,
    UnusableSource,
};
use serde::Serialize;

use super::{Resolved, other_registries};
use crate::commands::node_providers::Serving;
use crate::commands::output::{JSON_VERSION, print_json};
use provider::sources::CandidateSources;

#[derive(Serialize)]
struct Wire<'a> {
    version: u32,
    images: Vec<WireImage<'a>>,
    #[serde(rename = "ignoredKeys")]
    ignored: Vec<WireKey<'a>>,
}

#[derive(Serialize)]
struct WireImage<'a> {
    image: &'a str,
    #[serde(flatten)]
    pull: WirePull<'a, WireSource<'a>>,
    #[serde(rename = "otherRegistries")]
    others: Vec<WireOther<'a>>,
    candidates: Vec<WireCandidate<'a, WireSource<'a>>>,
    #[serde(rename = "nodeProviders", skip_serializing_if = "<[_]>::is_empty")]
    providers: &'a [Serving],
}

/// A place in a file.
#[derive(Serialize)]
pub(in crate::commands) struct WirePlace<'a> {
    file: Cow<'a, str>,
    line: usize,
}

/// A key that CRI-O ignores.
#[derive(Serialize)]
struct WireKey<'a> {
    key: &'a str,
    #[serde(flatten)]
    place: WirePlace<'a>,
}

/// The registry and the pull sources of a name; `S` is the JSON of a source.
#[derive(Serialize)]
pub(in crate::commands) struct WirePull<'a, S> {
    registry: Option<WireRegistry<'a>>,
    sources: Vec<S>,
    unusable: Vec<WireLocation<'a>>,
    /// The pulls that fail because of unusable sources: `null`, or a value like `pull` of
    /// a source.
    #[serde(rename = "failingPulls")]
    failing: Option<&'static str>,
}

#[derive(Serialize)]
struct WireRegistry<'a> {
    prefix: &'a str,
    location: &'a str,
    blocked: bool,
    #[serde(flatten)]
    place: WirePlace<'a>,
}

/// A registry that matches too, and is not used.
#[derive(Serialize)]
struct WireOther<'a> {
    prefix: &'a str,
    #[serde(flatten)]
    place: WirePlace<'a>,
    reason: &'static str,
}

/// A pull source.
#[derive(Serialize)]
pub(in crate::commands) struct WireSource<'a> {
    name: &'a str,
    kind: &'static str,
    pull: &'static str,
    insecure: bool,
    blocked: bool,
    /// The registry that blocks it.
    #[serde(rename = "blockedBy", skip_serializing_if = "Option::is_none")]
    by: Option<WireBlocker<'a>>,
}

#[derive(Serialize)]
struct WireBlocker<'a> {
    prefix: &'a str,
    #[serde(flatten)]
    place: WirePlace<'a>,
}

/// A location whose rewritten name does not parse.
#[derive(Serialize)]
struct WireLocation<'a> {
    location: &'a str,
    kind: &'static str,
    pull: &'static str,
    #[serde(flatten)]
    place: WirePlace<'a>,
    reason: String,
}

/// A repository that the short name in a pod may mean.
#[derive(Serialize)]
pub(in crate::commands) struct WireCandidate<'a, S> {
    #[serde(rename = "shortName")]
    short_name: &'a str,
    name: &'a str,
    /// `null` if it comes from a search registry.
    alias: Option<WirePlace<'a>>,
    #[serde(flatten)]
    pull: WirePull<'a, S>,
}

/// Prints one object.
pub(super) fn print(
    resolved: &[Resolved<'_>],
    registries: &Registries,
    ignored: &[UnknownKey],
    stdout: impl Write,
) -> io::Result<()> {
    let image = |resolved| WireImage::of(resolved, registries);
    let wire = Wire {
        version: JSON_VERSION,
        images: resolved.iter().map(image).collect(),
        ignored: ignored.iter().map(WireKey::of).collect(),
    };
    print_json(stdout, &wire)
}

impl<'a> WireImage<'a> {
    fn of(resolved: &'a Resolved<'a>, registries: &'a Registries) -> Self {
        let Resolved { sources, providers } = resolved;
        let others = other_registries(sources, registries).into_iter();
        let other = |(registry, reason): (&'a Registry, _)| WireOther {
            prefix: &registry.prefix,
            place: WirePlace::of(&registry.origin),
            reason,
        };
        let candidates = sources.candidates.iter();
        Self {
            image: sources.image.as_str(),
            pull: WirePull::of(&sources.own, WireSource::of),
            others: others.map(other).collect(),
            providers,
            candidates: candidates
                .map(|one| WireCandidate::of(one, WireSource::of))
                .collect(),
        }
    }
}

impl<'a> WireKey<'a> {
    fn of(UnknownKey { key, origin }: &'a UnknownKey) -> Self {
        Self {
            key,
            place: WirePlace::of(origin),
        }
    }
}

impl<'a> WirePlace<'a> {
    fn of(origin: &'a Origin) -> Self {
        Self {
            file: origin.file.to_string_lossy(),
            line: origin.line,
        }
    }
}

impl<'a, S> WirePull<'a, S> {
    pub(in crate::commands) fn of(
        pull: &'a PullSources<'_>,
        source: impl Fn(&'a PullSource<'a>) -> S,
    ) -> Self {
        let registry = |registry: &'a Registry| WireRegistry {
            prefix: &registry.prefix,
            location: &registry.location,
            blocked: registry.blocked,
            place: WirePlace::of(&registry.origin),
        };
        let location = |source: &'a UnusableSource| WireLocation {
            location: &source.location,
            kind: source.kind.as_str(),
            pull: source.pull.as_str(),
            place: WirePlace::of(&source.origin),
            reason: source.error.to_string(),
        };
        Self {
            registry: pull.registry.map(registry),
            sources: pull.sources.iter().map(source).collect(),
            unusable: pull.unusable.iter().map(location).collect(),
            failing: pull.failing().map(PullFromMirror::as_str),
        }
    }
}

impl<'a> WireSource<'a> {
    pub(in crate::commands) fn of(source: &'a PullSource<'a>) -> Self {
        let by = source.blocked_by.map(|registry| WireBlocker {
            prefix: &registry.prefix,
            place: WirePlace::of(&registry.origin),
        });
        Self {
            name: source.name.as_str(),
            kind: source.kind.as_str(),
            pull: source.pull.as_str(),
            insecure: source.insecure,
            blocked: by.is_some(),
            by,
        }
    }
}

impl<'a, S> WireCandidate<'a, S> {
    pub(in crate::commands) fn of(
        one: &'a CandidateSources<'a>,
        source: impl Fn(&'a PullSource<'a>) -> S,
    ) -> Self {
        Self {
            short_name: &one.candidate.short_name,
            name: one.candidate.name.as_str(),
            alias: one.candidate.alias.as_ref().map(WirePlace::of),
            pull: WirePull::of(&one.pull, source),
        }
    }
}
