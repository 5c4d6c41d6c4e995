//! The patterns of `matchImages`, derived from registries.conf.

use kubelet_credential_provider::provider_config::MatchImage;
use registries_conf::{Config as Registries, ImageName, Registry};
use tracing::warn;

use crate::commands::match_images;

/// The registry that kubelet assumes for images with a short name.
const DOCKER_HUB: &str = "docker.io";

/// The patterns from registries.conf, and the registries that they are for.
pub(super) struct Derived<'a> {
    /// The patterns, none covered by another.
    pub(super) patterns: Vec<String>,
    /// The registries with a pattern.
    pub(super) registries: Vec<&'a Registry>,
}

/// Derives the patterns, and adds those of `more`. A registry that patterns cannot
/// express is a warning; the others are used.
pub(super) fn derive<'a>(registries: &'a Registries, more: &[String]) -> Derived<'a> {
    let mut derived = Derived {
        patterns: Vec::new(),
        registries: Vec::new(),
    };
    for registry in registries.registries() {
        match match_images::patterns(registries, registry) {
            Ok(patterns) if patterns.is_empty() => {}
            Ok(mut patterns) => {
                derived.patterns.append(&mut patterns);
                derived.registries.push(registry);
            }
            Err(error) => {
                let error = anyhow::Error::new(error);
                warn!("leave out the registry at {}: {error:#}", registry.origin);
            }
        }
    }
    let short = short_names(registries, &derived.patterns);
    derived.patterns.extend(short);
    derived.patterns.extend_from_slice(more);
    derived.patterns = match_images::minimal(derived.patterns);
    derived
}

/// Patterns for images that a pod may give by a short name: kubelet reads them as images
/// of `docker.io`, CRI-O as those of a registry with one of these patterns.
fn short_names(registries: &Registries, patterns: &[String]) -> Vec<String> {
    let parse = |text: &str| MatchImage::parse(text).ok();
    let mirrored: Vec<_> = patterns.iter().filter_map(|text| parse(text)).collect();
    let is_mirrored = |name: &str| {
        parse(name).is_some_and(|name| mirrored.iter().any(|pattern| pattern.overlaps(&name)))
    };
    let mut searched = registries.unqualified_search_registries().iter();
    let all = searched.any(|registry| is_mirrored(registry));
    let aliases = registries
        .aliases()
        .into_iter()
        .filter_map(|(name, alias)| {
            let target = alias.target.as_ref()?;
            let image = ImageName::parse(&name).ok()?;
            is_mirrored(target.as_str()).then(|| image.as_str().to_owned())
        });
    let of_all = all.then(|| DOCKER_HUB.to_owned());
    of_all.into_iter().chain(aliases).collect()
}
