//! `config`: kubelet's `CredentialProviderConfig` for this node, with patterns
//! derived from its registries.conf (SPEC section 7).

mod audience;
mod entry;
mod openshift;
mod tree;
mod merge;
mod edit;
mod in_place;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use registries_conf::{Config as Registries, ImageName, Registry};
use tracing::{error, info, warn};

pub(super) use self::audience::issuer;
pub(super) use self::entry::NAME;
pub(super) use self::merge::ours;
use self::merge::{Wanted, is_merged, merge};
use self::tree::Tree;
use crate::cli::{ConfigOutput, ProviderConfig};
use crate::kubelet::provider_config::{self, Document, MatchImage, Problem, Value};
use crate::settings::Settings;

/// Where kubelet takes images with a short name to be.
const DOCKER_HUB: &str = "docker.io";

/// What registries.conf gives: the patterns, and the registries they are for.
struct Derived<'a> {
    patterns: Vec<String>,
    registries: Vec<&'a Registry>,
}

/// Prints the configuration, or merges it into a file.
///
/// # Errors
/// A registries.conf that CRI-O would refuse, or without any mirror; a file that
/// kubelet would refuse, or that cannot be edited; an audience that is not known.
/// Nothing is printed or written then.
pub fn config(
    config: &Settings,
    command: &ProviderConfig,
    mut stdout: impl Write,
) -> anyhow::Result<()> {
    let registries = config.registries.load_by_hand()?;
    let derived = derive(&registries);
    let annotation = annotation(config, command)?;
    anyhow::ensure!(
        !derived.patterns.is_empty(),
        "registries.conf and its drop-ins have no registry with a mirror that a login could be for, and kubelet takes no provider without matchImages"
    );
    let text = match &command.merge {
        Some(path) => {
            let (before, after) = merged(config, command, path, &derived, annotation)?;
            if command.write {
                return write(path, &before, &after);
            }
            after
        }
        None => whole(config, command, &registries, &derived, annotation)?,
    };
    stdout.write_all(text.as_bytes()).context("write to stdout")
}

/// The directory that `--write` writes into, for the sandbox.
pub fn written_directory(command: &ProviderConfig) -> Option<PathBuf> {
    let path = command.merge.as_deref().filter(|_| command.write)?;
    Some(in_place::target(path).ok()?.parent()?.to_owned())
}

/// The annotation that kubelet is to hand over, where that is wanted.
fn annotation<'c>(
    config: &'c Settings,
    command: &ProviderConfig,
) -> anyhow::Result<Option<&'c str>> {
    if !command.named_secrets {
        return Ok(None);
    }
    let annotation = config.secrets_annotation.as_deref();
    annotation
        .context("--named-secrets needs the name of an annotation: --secrets-annotation is empty")
        .map(Some)
}

/// What cannot be expressed is a warning, and the others still count.
fn derive(registries: &Registries) -> Derived<'_> {
    let mut derived = Derived {
        patterns: Vec::new(),
        registries: Vec::new(),
    };
    for registry in registries.registries() {
        match provider_config::patterns(registries, registry) {
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
    derived.patterns = provider_config::minimal(derived.patterns);
    derived
}

/// Patterns for images that a pod may give by a short name: kubelet makes them images
/// of `docker.io`, CRI-O those of a registry that has one of these patterns.
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

/// A file of our own.
fn whole(
    config: &Settings,
    command: &ProviderConfig,
    registries: &Registries,
    derived: &Derived<'_>,
    annotation: Option<&str>,
) -> anyhow::Result<String> {
    let audience = || match &command.audience {
        Some(audience) => Ok(audience.clone()),
        None => audience::ask(config),
    };
    let file = || anyhow::Ok(entry::file(&derived.patterns, &audience()?, annotation));
    let lines = |tree: &Tree| tree.yaml().join("\n") + "\n";
    Ok(match command.output {
        ConfigOutput::Yaml => lines(&file()?),
        ConfigOutput::Json => file()?.pretty(0, "\n") + "\n",
        ConfigOutput::Openshift | ConfigOutput::OpenshiftV1alpha1 if annotation.is_some() => {
            anyhow::bail!(
                "OpenShift's CRIOCredentialProviderConfig knows no annotations: leave --named-secrets away, and name Secrets with --secret-name"
            )
        }
        ConfigOutput::Openshift => lines(&openshift::object(openshift::V1, registries, derived)?),
        ConfigOutput::OpenshiftV1alpha1 => lines(&openshift::object(
            openshift::V1ALPHA1,
            registries,
            derived,
        )?),
    })
}

/// A file before and after our entry is in it.
fn merged(
    config: &Settings,
    command: &ProviderConfig,
    path: &Path,
    derived: &Derived<'_>,
    annotation: Option<&str>,
) -> anyhow::Result<(String, String)> {
    anyhow::ensure!(
        !path.is_dir(),
        "{} is a directory, of which kubelet reads every file: name the one that our entry is to be in",
        path.display()
    );
    let before = provider_config::read(path)?.document;
    let own = ours(&before);
    let providers = before.root.get("providers");
    let is_empty = providers.is_none_or(|list| match &list.value {
        Value::Null => true,
        Value::Sequence(items) => items.is_empty(),
        Value::Bool(_) | Value::Number | Value::String(_) | Value::Mapping(_) => false,
    });
    let is_mended = |problem: &&Problem| {
        own.is_some_and(|(index, _)| problem.provider == Some(index))
            || is_empty && problem.field == "providers"
    };
    let refused = before.problems.iter().filter(|problem| !is_mended(problem));
    refuse(path, "kubelet would not start with it as it is", refused)?;
    let said = own.and_then(|(_, provider)| provider.token_attributes.as_ref());
    let said = said.map(|token| token.service_account_token_audience.clone());
    let audience = match command.audience.clone().or(said) {
        Some(audience) if !audience.is_empty() => audience,
        _ => audience::ask(config)?,
    };
    let wanted = Wanted {
        patterns: &derived.patterns,
        registries: &derived.registries,
        audience: &audience,
        annotation,
    };
    let by_hand = || {
        format!(
            "{} cannot be edited where it would have to be: add by hand what \"config\" prints without --merge",
            path.display()
        )
    };
    let merged = merge(&before, &wanted).with_context(by_hand)?;
    let after = provider_config::parse(merged.text.as_bytes()).with_context(by_hand)?;
    let problems = after.problems.iter();
    refuse(
        path,
        "kubelet would not start with it, merged or not",
        problems,
    )?;
    anyhow::ensure!(is_merged(&before, &after, &wanted), "{}", by_hand());
    for pattern in &merged.dropped {
        warn!("drop {pattern:?}: no registry with a mirror has an image that it matches");
    }
    warn_of_overlaps(&after);
    Ok((before.text, merged.text))
}

/// One line for each problem, and then the failure.
fn refuse<'a, P: Iterator<Item = &'a Problem>>(
    path: &Path,
    what: &str,
    problems: P,
) -> anyhow::Result<()> {
    let mut count = 0;
    for problem in problems {
        count += 1;
        error!("{}: {}", path.display(), problem);
    }
    let path = path.display();
    anyhow::ensure!(count == 0, "{path}: {what} ({count} problems, above)");
    Ok(())
}

/// kubelet runs all providers that match, and tries their logins in file order.
fn warn_of_overlaps(document: &Document) {
    let parse = |pattern: &String| Some((pattern.clone(), MatchImage::parse(pattern).ok()?));
    let Some((index, provider)) = ours(document) else {
        return;
    };
    let own: Vec<_> = provider.match_images.iter().filter_map(parse).collect();
    let others = document.config.providers.iter().enumerate();
    for (_, other) in others.filter(|(other, _)| *other != index) {
        for (pattern, parsed) in other.match_images.iter().filter_map(parse) {
            for (own, _) in own.iter().filter(|(_, own)| own.overlaps(&parsed)) {
                warn!(
                    "{own:?} and {pattern:?} of provider {:?} may match the same images: kubelet then runs both",
                    other.name
                );
            }
        }
    }
}

fn write(path: &Path, before: &str, after: &str) -> anyhow::Result<()> {
    if before == after {
        info!("{} says all this already: nothing written", path.display());
        return Ok(());
    }
    let backup = in_place::replace(path, before, after)?;
    info!(
        "wrote {}, and what it was to {}; kubelet reads it when it starts again",
        path.display(),
        backup.display()
    );
    Ok(())
}

#[cfg(test)]
mod tests;
