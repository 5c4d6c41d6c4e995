//! The result for programs.

use std::borrow::Cow;
use std::io::{self, Write};

use registries_conf::{PullFromMirror, PullSource, PullSources, Registry, UnusableSource};
use serde::Serialize;

use crate::commands::output::print_json;
use provider::sources::Sources;

/// Prints one object for each image.
pub(super) fn print(resolved: &[Sources<'_>], stdout: impl Write) -> io::Result<()> {
    let wire: Vec<Wire<'_>> = resolved.iter().map(Wire::new).collect();
    print_json(stdout, &wire)
}

#[derive(Serialize)]
struct Wire<'a> {
    image: &'a str,
    registry: Option<WireRegistry<'a>>,
    sources: Vec<WireSource<'a>>,
    #[serde(flatten)]
    unusable: WireUnusable<'a>,
}

#[derive(Serialize)]
struct WireRegistry<'a> {
    prefix: &'a str,
    location: &'a str,
    blocked: bool,
}

#[derive(Serialize)]
struct WireSource<'a> {
    name: &'a str,
    kind: &'static str,
    pull: &'static str,
    insecure: bool,
    #[serde(flatten)]
    blocked: WireBlocked<'a>,
}

/// Whether a source is blocked, and by which registry.
#[derive(Serialize)]
pub(in crate::commands) struct WireBlocked<'a> {
    blocked: bool,
    #[serde(rename = "blockedBy", skip_serializing_if = "Option::is_none")]
    by: Option<WireBlocker<'a>>,
}

#[derive(Serialize)]
struct WireBlocker<'a> {
    prefix: &'a str,
    file: Cow<'a, str>,
    line: usize,
}

/// The locations whose rewritten name does not parse, and the pulls that fail for it:
/// `null`, or as `pull` of a source.
#[derive(Serialize)]
pub(in crate::commands) struct WireUnusable<'a> {
    unusable: Vec<WireLocation<'a>>,
    #[serde(rename = "failingPulls")]
    failing: Option<&'static str>,
}

#[derive(Serialize)]
struct WireLocation<'a> {
    location: &'a str,
    kind: &'static str,
    pull: &'static str,
    file: Cow<'a, str>,
    line: usize,
    reason: String,
}

impl<'a> WireUnusable<'a> {
    pub(in crate::commands) fn of(pull: &'a PullSources<'_>) -> Self {
        let location = |source: &'a UnusableSource| WireLocation {
            location: &source.location,
            kind: source.kind.as_str(),
            pull: source.pull.as_str(),
            file: source.origin.file.to_string_lossy(),
            line: source.origin.line,
            reason: source.error.to_string(),
        };
        Self {
            unusable: pull.unusable.iter().map(location).collect(),
            failing: pull.failing().map(PullFromMirror::as_str),
        }
    }
}

impl<'a> WireBlocked<'a> {
    pub(in crate::commands) fn of(source: &PullSource<'a>) -> Self {
        let by = source.blocked_by.map(|registry| WireBlocker {
            prefix: &registry.prefix,
            file: registry.origin.file.to_string_lossy(),
            line: registry.origin.line,
        });
        Self {
            blocked: by.is_some(),
            by,
        }
    }
}

impl<'a> Wire<'a> {
    fn new(sources: &'a Sources<'a>) -> Self {
        let registry = |registry: &'a Registry| WireRegistry {
            prefix: &registry.prefix,
            location: &registry.location,
            blocked: registry.blocked,
        };
        let source = |source: &'a PullSource<'a>| WireSource {
            name: source.name.as_str(),
            kind: source.kind.as_str(),
            pull: source.pull.as_str(),
            insecure: source.insecure,
            blocked: WireBlocked::of(source),
        };
        Self {
            image: sources.image.as_str(),
            registry: sources.own.registry.map(registry),
            sources: sources.own.sources.iter().map(source).collect(),
            unusable: WireUnusable::of(&sources.own),
        }
    }
}
