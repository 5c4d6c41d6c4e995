//! Converts registries of registries.conf to patterns of `matchImages`.
//!
//! The two match differently, so patterns cannot express all prefixes:
//!
//! - `*.example.com` matches every host below example.com, at any depth; a pattern's `*`
//!   is one label. There is one pattern for each of [`WILDCARD_LEVELS`] depths.
//! - the prefix `example.com` also matches `example.com:5000`, with any port; a pattern
//!   matches only its own port, or none.
//! - a prefix ends at a slash, a pattern anywhere in a path: `example.com/org` also
//!   matches `example.com/organisation/app`. The provider is then run without need, and
//!   logs that there is no mirror.

use kubelet_credential_provider::provider_config::MatchImage;
use registries_conf::{Config, ImageName, ImageNameError, Registry};

use provider::sources::{BELOW, image_below};

/// The most labels that the `*` of a registries.conf prefix is expected to match: four,
/// as in `<account>.dkr.ecr.<region>` before `.amazonaws.com`.
const WILDCARD_LEVELS: usize = 4;

/// A registry with a mirror whose prefix matches no image name of kubelet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no image that kubelet asks for has a name below prefix {prefix:?}")]
pub(in crate::commands) struct Inexpressible {
    /// The prefix.
    pub(in crate::commands) prefix: String,
    /// Why such a name is not valid.
    #[source]
    pub(in crate::commands) source: ImageNameError,
}

/// The patterns for the images of a registry. Empty if its images can only be pulled from
/// themselves, since a login would not help.
///
/// # Errors
/// [`Inexpressible`], for prefixes with a tag or digest, without a host, with a star in an
/// unsupported place, and for Docker Hub under a name that kubelet replaces with
/// `docker.io`.
pub(in crate::commands) fn patterns(
    registries: &Config,
    registry: &Registry,
) -> Result<Vec<String>, Inexpressible> {
    let prefix = &registry.prefix;
    let below = match image_below(prefix) {
        Ok(below) => below,
        Err(_) if registry.mirrors.is_empty() => return Ok(Vec::new()),
        Err(source) => {
            return Err(Inexpressible {
                prefix: prefix.clone(),
                source,
            });
        }
    };
    // The prefix may be an image itself, whose mirrors may differ from those of names
    // below it.
    let own = ImageName::parse_canonical(prefix).ok();
    let mut images = own.iter().chain([&below]);
    if !images.any(|image| has_elsewhere(registries, registry, image)) {
        return Ok(Vec::new());
    }
    Ok(match prefix.strip_prefix("*.") {
        Some(domain) => (1..=WILDCARD_LEVELS)
            .map(|levels| "*.".repeat(levels) + domain)
            .collect(),
        None => vec![prefix.clone()],
    })
}

/// Whether an image of a registry, or one with another path, may be pulled from
/// elsewhere: a source is left out only if it is blocked for all of them.
fn has_elsewhere(registries: &Config, registry: &Registry, image: &ImageName) -> bool {
    let sources = registries.pull_sources_in(registry, image.as_str()).sources;
    sources.iter().any(|source| {
        let location = source.name.as_str();
        let location = location.strip_suffix(BELOW).unwrap_or(location);
        let blocked = registries
            .find_registry(location)
            .is_some_and(|own| own.blocked);
        source.name != *image && (!blocked || is_open_below(registries, location))
    })
}

/// Whether a registry that is not blocked matches some repositories below a location.
fn is_open_below(registries: &Config, location: &str) -> bool {
    let mut open = registries
        .registries()
        .iter()
        .filter(|other| !other.blocked);
    open.any(|other| {
        let below = other.prefix.strip_prefix(location);
        below.is_some_and(|below| below.starts_with(['/', ':']))
    })
}

/// Whether a pattern may match an image of a registry.
pub(in crate::commands) fn is_for(pattern: &MatchImage, registry: &Registry) -> bool {
    let prefix = &registry.prefix;
    let mut name = match prefix.strip_prefix("*.") {
        Some(domain) => {
            let levels = pattern.labels().checked_sub(domain.split('.').count());
            "*.".repeat(levels.unwrap_or_default().max(1)) + domain
        }
        None => prefix.clone(),
    };
    // A host without a port matches every port.
    if !prefix.contains(['/', ':']) && !pattern.port().is_empty() {
        name.push(':');
        name.push_str(pattern.port());
    }
    MatchImage::parse(&name).is_ok_and(|name| name.overlaps(pattern))
}

/// The patterns without those that another one covers, in their order.
pub(in crate::commands) fn minimal(patterns: Vec<String>) -> Vec<String> {
    let parsed: Vec<_> = patterns
        .iter()
        .map(|text| MatchImage::parse(text).ok())
        .collect();
    let is_covered = |index: usize| {
        let own = parsed.get(index).and_then(Option::as_ref);
        own.is_some_and(|own| {
            parsed.iter().enumerate().any(|(other_index, other)| {
                other.as_ref().is_some_and(|other| {
                    // Of two equivalent patterns the first one is kept.
                    let first = other_index < index || !own.covers(other);
                    other_index != index && other.covers(own) && first
                })
            })
        })
    };
    let covered: Vec<bool> = (0..patterns.len()).map(is_covered).collect();
    let kept = patterns.into_iter().zip(covered);
    kept.filter_map(|(pattern, covered)| (!covered).then_some(pattern))
        .collect()
}

#[cfg(test)]
mod tests;
