//! `config`: kubelet's `CredentialProviderConfig` for this node, with patterns
//! derived from its registries.conf.

mod derived;
mod audience;
mod entry;
mod openshift;
mod tree;
mod merge;
mod edit;
mod atomic_write;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tracing::{error, info, warn};

pub(super) use self::audience::issuer;
use self::derived::derive;
pub(super) use self::entry::NAME;
use self::entry::Wanted;
pub(super) use self::merge::ours;
use self::merge::{Merged, is_merged, merge};
use self::tree::Tree;
use crate::cli::{ConfigOutput, ProviderConfig};
use kubelet_credential_provider::provider_config::{self, Document, MatchImage, Problem};
use kubernetes_yaml::{LINE_BREAKS, Value};
use provider::settings::Settings;

/// Prints the configuration, or merges it into a file.
///
/// # Errors
/// A registries.conf that CRI-O would refuse, or without any mirror; a file that kubelet
/// would refuse, or that cannot be edited; an unknown audience. Nothing is printed or
/// written then.
pub fn config(
    settings: &Settings,
    command: &ProviderConfig,
    mut stdout: impl Write,
) -> anyhow::Result<()> {
    let registries = settings.registries.load_by_hand()?;
    let derived = derive(&registries, &command.match_images);
    anyhow::ensure!(
        !derived.patterns.is_empty(),
        "registries.conf and its drop-ins have no registry with a mirror that could need a login, and kubelet accepts no provider without matchImages: add a mirror, or name images with --match-image"
    );
    let api_version = match command.output {
        ConfigOutput::Openshift => Some(openshift::V1),
        ConfigOutput::OpenshiftV1alpha1 => Some(openshift::V1ALPHA1),
        ConfigOutput::Yaml | ConfigOutput::Json => None,
    };
    let text = if let Some(api_version) = api_version {
        lines(&openshift::object(api_version, &registries, &derived)?)
    } else {
        let args = settings.given.arguments().context("the plugin's flags")?;
        let env = environment(settings, command)?;
        let wanted = |audience| Wanted {
            patterns: &derived.patterns,
            registries: &derived.registries,
            audience,
            annotation: settings.secrets_annotation.as_deref(),
            args: &args,
            env: &env,
        };
        let audience = |said| audience::find(settings, command.audience.as_deref(), said);
        let file = command.write.as_ref().or(command.merge.as_ref());
        if let Some(path) = file.filter(|path| path.is_dir()) {
            anyhow::bail!(
                "{} is a directory, of which kubelet reads every file: give the path of the file for the provider's entry",
                path.display()
            );
        }
        if let Some(path) = &command.write {
            let before = match provider_config::read(path) {
                Err(error) if error.is_missing() => None,
                file => Some(file?.document),
            };
            let is_json = path
                .extension()
                .is_some_and(|extension| extension == "json");
            let audience = audience(before.as_ref().and_then(said))?;
            let wanted = wanted(&audience);
            let after = match &before {
                Some(before) => merged(path, before, &wanted)?,
                None => whole(&wanted, is_json),
            };
            return write(path, before.as_ref(), &after);
        }
        if let Some(path) = &command.merge {
            let before = provider_config::read(path)?.document;
            let audience = audience(said(&before))?;
            merged(path, &before, &wanted(&audience))?
        } else {
            whole(
                &wanted(&audience(None)?),
                command.output == ConfigOutput::Json,
            )
        }
    };
    stdout.write_all(text.as_bytes()).context("write to stdout")
}

/// The directory that `--write` writes into, for the sandbox.
pub fn written_directory(command: &ProviderConfig) -> Option<PathBuf> {
    let target = atomic_write::target(command.write.as_deref()?).ok()?;
    Some(target.parent()?.to_owned())
}

/// The proxy variables for the plugin, if they are wanted.
fn environment(
    settings: &Settings,
    command: &ProviderConfig,
) -> anyhow::Result<Vec<(&'static str, String)>> {
    if !command.with_proxy {
        return Ok(Vec::new());
    }
    let proxy = &settings.cluster.proxy;
    let https = proxy.https_proxy();
    let https = https.context("--with-proxy: HTTPS_PROXY is not set here")?;
    let no_proxy = proxy.no_proxy().map(|list| ("NO_PROXY", list.to_owned()));
    Ok([("HTTPS_PROXY", https.to_owned())]
        .into_iter()
        .chain(no_proxy)
        .collect())
}

fn lines(tree: &Tree) -> String {
    tree.yaml().join("\n") + "\n"
}

/// A whole file with only our entry.
fn whole(wanted: &Wanted<'_>, is_json: bool) -> String {
    let file = entry::file(wanted);
    if is_json {
        file.pretty(0, "\n") + "\n"
    } else {
        lines(&file)
    }
}

/// The audience in our entry.
fn said(document: &Document) -> Option<String> {
    let (_, provider) = ours(document)?;
    let token = provider.token_attributes.as_ref()?;
    Some(token.service_account_token_audience.clone())
}

/// A file with our entry.
fn merged(path: &Path, before: &Document, wanted: &Wanted<'_>) -> anyhow::Result<String> {
    let own = ours(before);
    let is_blank = before.is_blank();
    let providers = before.root.get("providers");
    let is_empty = providers.is_none_or(|list| match &list.value {
        Value::Null => true,
        Value::Sequence(items) => items.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Mapping(_) => false,
    });
    let is_mended = |problem: &&Problem| {
        is_blank
            || own.is_some_and(|(index, _)| problem.provider == Some(index))
            || is_empty && problem.field == "providers"
    };
    let refused = before.problems.iter().filter(|problem| !is_mended(problem));
    refuse(
        path,
        "kubelet would not start with the file as it is",
        refused,
    )?;
    let by_hand = || {
        format!(
            "{} cannot be edited: add by hand what \"config\" prints without a file",
            path.display()
        )
    };
    let merged = if is_blank {
        // The file may have comments, which are kept.
        let has_line_end = before.text.is_empty() || before.text.ends_with(LINE_BREAKS);
        let line_end = if has_line_end { "" } else { "\n" };
        Merged {
            text: format!("{}{line_end}{}", before.text, whole(wanted, false)),
            dropped: Vec::new(),
        }
    } else {
        merge(before, wanted).with_context(by_hand)?
    };
    let after = provider_config::parse(merged.text.as_bytes()).with_context(by_hand)?;
    refuse(
        path,
        "kubelet would not start with the merged file",
        after.problems.iter(),
    )?;
    anyhow::ensure!(is_merged(before, &after, wanted), "{}", by_hand());
    for pattern in &merged.dropped {
        warn!("remove {pattern:?}: it matches no image of a registry with a mirror");
    }
    warn_of_overlaps(&after);
    Ok(merged.text)
}

/// Logs one line for each problem, and then fails.
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

/// Warns of other providers for the same images: kubelet runs all providers that match,
/// and tries their logins in file order.
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

fn write(path: &Path, before: Option<&Document>, after: &str) -> anyhow::Result<()> {
    let before = before.map(|before| before.text.as_str());
    let shown = path.display();
    if before == Some(after) {
        info!("{shown} has all of this already: nothing is written");
        return Ok(());
    }
    let written = atomic_write::write(path, before, after)?;
    let backup = written.backup.map_or_else(String::new, |backup| {
        format!(", and the old content to {}", backup.display())
    });
    info!("wrote {shown}{backup}; kubelet reads it when it starts again");
    if let Some(error) = written.unsynced {
        warn!(
            "{shown} is in place, but may be lost in a power failure: sync its directory: {error}"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests;
