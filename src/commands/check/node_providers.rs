//! Checks kubelet's own providers if the plugin runs them for mirrors, since they run as
//! root.

use std::collections::BTreeMap;
use std::path::PathBuf;

use provider::deadline::Elapsed;
use provider::logins::node_providers::{ConfigError, Configured, NotRun, Provider, Settings};
use provider::logins::{GlobalFiles, Origin};
use provider::sources::{BELOW, Sources, image_below};
use registries_conf::Config as Registries;

use super::kubelet::Kubelet;
use super::report::{Finding, listed};
use crate::cli::CheckName;
use crate::commands::root::Root;

const NAME: CheckName = CheckName::NodeProviders;

/// Checks each provider that serves a mirror. `settings` are the plugin's, and `in_run` what
/// they are without our own command line, if that is known.
pub(super) fn check(
    root: &Root,
    kubelet: &Kubelet,
    settings: &Settings,
    in_run: Option<&Settings>,
    registries: &Registries,
    globals: &GlobalFiles<'_>,
) -> Vec<Finding> {
    if !settings.is_on() {
        let message = "none is run for mirrors, by default (--node-providers)";
        return vec![Finding::pass(NAME, message)];
    }
    let found = kubelet.node_providers(settings);
    let unknown = in_run.and_then(|in_run| kubelet.paths_unknown_in_run(in_run));
    if let Some(unknown) = unknown {
        let message = format!("none is run: {}", ConfigError::Unknown(unknown));
        return vec![Finding::fail(NAME, message, remedy(&found))];
    }
    let configured = match Configured::load(&found, root.directory()) {
        Ok(configured) => configured,
        Err(error) => {
            let message = format!("none is run: {:#}", anyhow::Error::new(error));
            let remedy = "correct it, or turn them off with --node-providers off";
            return vec![Finding::fail(NAME, message, remedy)];
        }
    };
    let mut findings: Vec<Finding> = configured
        .unknown(&settings.wanted)
        .into_iter()
        .map(|name| {
            let message = format!("kubelet's configuration has no provider {name:?}");
            Finding::fail(NAME, message, "name one that it has in --node-providers")
        })
        .collect();
    match serving(&configured, registries, globals) {
        Ok(serving) => {
            for one in &serving {
                let may_run = configured.may_run(one.provider, &settings.wanted);
                findings.extend(of_provider(one, may_run.err()));
            }
        }
        Err(elapsed) => {
            let remedy = "give it more time with --timeout";
            findings.push(Finding::fail(NAME, elapsed.to_string(), remedy));
        }
    }
    if findings.is_empty() {
        let message = "no provider of kubelet has matchImages for a mirror";
        let remedy =
            "add the mirror's host to the matchImages of its provider, or remove --node-providers";
        findings.push(Finding::warn(NAME, message, remedy));
    }
    findings
}

/// Names the paths that were found, as far as they were.
fn remedy(found: &Settings) -> String {
    let Settings {
        config, bin_dir, ..
    } = found;
    let shown = |path: &Option<PathBuf>, what: &str| {
        let path = path.as_ref().map(|path| path.display().to_string());
        path.unwrap_or_else(|| what.to_owned())
    };
    format!(
        "give the plugin --kubelet-provider-config={} --kubelet-bin-dir={}",
        shown(config, "FILE"),
        shown(bin_dir, "DIR")
    )
}

fn of_provider(serving: &Serving<'_>, not_run: Option<NotRun>) -> Vec<Finding> {
    let name = &serving.provider.entry.name;
    let mut findings = Vec::new();
    if !serving.locations.is_empty() {
        findings.push(finding(name, &listed(&serving.locations), not_run));
    }
    for (location, origin) in &serving.served {
        let why = NotRun::Served(origin.clone());
        let message = format!("{name:?} is not run for {location}: {why}");
        let remedy = "remove that if the provider is to be run: a cloud's login expires in hours";
        findings.push(Finding::warn(NAME, message, remedy));
    }
    findings
}

fn finding(name: &str, locations: &str, not_run: Option<NotRun>) -> Finding {
    let Some(not_run) = not_run else {
        return Finding::pass(NAME, format!("{name:?} serves {locations}"));
    };
    let is_defect = not_run.is_defect();
    let why = format!("{:#}", anyhow::Error::new(not_run));
    let message = format!("{name:?} is not run for {locations}: {why}");
    if is_defect {
        let remedy = "let only root change it, and every directory on the way to it";
        Finding::fail(NAME, message, remedy)
    } else {
        Finding::pass(NAME, message)
    }
}

/// A provider, and the locations that it serves.
struct Serving<'c> {
    provider: &'c Provider,
    /// Those for which it may be run.
    locations: Vec<String>,
    /// Those for which a global auth file takes precedence, and that file.
    served: Vec<(String, Origin)>,
}

/// The providers that serve a location of registries.conf, in kubelet's order.
fn serving<'c>(
    configured: &'c Configured,
    registries: &Registries,
    globals: &GlobalFiles<'_>,
) -> Result<Vec<Serving<'c>>, Elapsed> {
    let mut all: BTreeMap<usize, Serving<'c>> = BTreeMap::new();
    for registry in registries.registries() {
        let Ok(image) = image_below(&registry.prefix) else {
            continue;
        };
        let sources = Sources::of(&image, registries);
        let served = globals.served(sources.elsewhere())?;
        for source in sources.elsewhere() {
            let location = source.as_str().strip_suffix(BELOW);
            let location = location.unwrap_or(source.as_str()).to_owned();
            for provider in configured.serving(source) {
                let one = all.entry(provider.index).or_insert_with(|| Serving {
                    provider,
                    locations: Vec::new(),
                    served: Vec::new(),
                });
                if let Some(origin) = served.get(source) {
                    let pair = (location.clone(), origin.clone());
                    push_new(&mut one.served, pair);
                } else {
                    push_new(&mut one.locations, location.clone());
                }
            }
        }
    }
    Ok(all.into_values().collect())
}

fn push_new<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}
