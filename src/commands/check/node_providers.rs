//! kubelet's own providers, where the plugin is to run them for mirrors: they run as root.

use provider::logins::node_providers::{Configured, NotRun, Provider, Settings};
use provider::sources::{Sources, image_below};
use registries_conf::Config as Registries;

use super::report::{Finding, listed};
use crate::cli::CheckName;
use crate::commands::root::Root;

const NAME: CheckName = CheckName::NodeProviders;

/// Checks each provider that serves a mirror; `settings` say where kubelet has them.
pub(super) fn check(root: &Root, settings: &Settings, registries: &Registries) -> Vec<Finding> {
    if !settings.is_on() {
        let message = "none is run for mirrors, by default (--node-providers)";
        return vec![Finding::pass(NAME, message)];
    }
    let configured = match Configured::load(settings, root.directory()) {
        Ok(configured) => configured,
        Err(error) => {
            let message = format!("none is run: {:#}", anyhow::Error::new(error));
            let remedy = "mend it, or turn them off with --node-providers off";
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
    for (provider, locations) in serving(&configured, registries) {
        let may_run = configured.may_run(provider, &settings.wanted);
        findings.push(finding(provider, &listed(locations), may_run.err()));
    }
    if findings.is_empty() {
        let message = "no provider of kubelet's has matchImages for a mirror";
        let remedy =
            "add the mirror's host to the matchImages of its provider, or remove --node-providers";
        findings.push(Finding::warn(NAME, message, remedy));
    }
    findings
}

fn finding(provider: &Provider, locations: &str, not_run: Option<NotRun>) -> Finding {
    let name = &provider.entry.name;
    let Some(not_run) = not_run else {
        return Finding::pass(NAME, format!("{name:?} serves {locations}"));
    };
    let is_defect = not_run.is_defect();
    let why = format!("{:#}", anyhow::Error::new(not_run));
    let message = format!("{name:?} is not run for {locations}: {why}");
    if is_defect {
        let remedy = "let only root be able to change it, and every directory on the way to it";
        Finding::fail(NAME, message, remedy)
    } else {
        Finding::pass(NAME, message)
    }
}

/// The providers with the locations that each serves, in kubelet's order.
fn serving<'c>(
    configured: &'c Configured,
    registries: &Registries,
) -> Vec<(&'c Provider, Vec<String>)> {
    let mut serving: Vec<(&Provider, Vec<String>)> = Vec::new();
    for registry in registries.registries() {
        let Ok(image) = image_below(&registry.prefix) else {
            continue;
        };
        let sources = Sources::of(&image, registries);
        for source in sources.elsewhere() {
            let below = provider::sources::BELOW;
            let location = source.as_str().strip_suffix(below);
            let location = location.unwrap_or(source.as_str()).to_owned();
            for provider in configured.serving(source) {
                let known = serving
                    .iter_mut()
                    .find(|(one, _)| one.index == provider.index);
                match known {
                    Some((_, locations)) if locations.contains(&location) => {}
                    Some((_, locations)) => locations.push(location.clone()),
                    None => serving.push((provider, vec![location.clone()])),
                }
            }
        }
    }
    serving.sort_by_key(|(provider, _)| provider.index);
    serving
}
