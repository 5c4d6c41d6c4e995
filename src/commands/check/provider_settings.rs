//! The provider's settings when kubelet runs it: those of its entry and of its
//! configuration file, unless our own command line overrides them.

use std::ffi::OsString;
use std::path::Path;

use super::kubelet::Entry;
use super::report::{Finding, chain, listed};
use crate::cli::{self, CheckName};
use provider::settings::{Given, Settings, SettingsError};

/// The settings, and the findings about them. `by_hand` are those of our own command line
/// `arguments`, on a node that has `root` as its `/`.
pub(super) fn settings(
    by_hand: &Settings,
    entry: Option<&Entry>,
    arguments: impl IntoIterator<Item = OsString>,
    root: &Path,
) -> (Vec<Finding>, Settings) {
    let (given, mut findings) = entry.map_or_else(Default::default, in_entry);
    let (file, settings) = match cli::settings_over(given, arguments, root) {
        Ok((settings, None)) => (used(&settings), settings),
        Ok((settings, Some(error))) => (refused(&error), settings),
        Err(error) => (refused(&error), by_hand.clone()),
    };
    findings.push(file);
    (findings, settings)
}

/// The settings without our own command line, as kubelet's plugin has them.
pub(super) fn in_run(entry: &Entry, root: &Path) -> Option<Settings> {
    let given = cli::given_in_entry(&entry.provider).ok()?;
    let (settings, _) = cli::settings_over(given, [], root).ok()?;
    Some(settings)
}

/// The settings in the entry's `args` and `env`.
fn in_entry(entry: &Entry) -> (Given, Vec<Finding>) {
    const NAME: CheckName = CheckName::ProviderArgs;
    let Entry { provider, file } = entry;
    let file = file.display();
    match cli::given_in_entry(provider) {
        Ok(given) if provider.args.is_empty() && provider.env.is_empty() => {
            let message = "the provider's entry has neither args nor env";
            (given, vec![Finding::pass(NAME, message)])
        }
        Ok(given) => {
            let message =
                "the provider accepts the args and env of its entry, and they are used here";
            (given, vec![Finding::pass(NAME, message)])
        }
        Err(error) => {
            let message =
                format!("the provider does not accept the args and env of its entry: {error}");
            let remedy = format!("correct them in {file}: they make every pull fail");
            (Given::default(), vec![Finding::fail(NAME, message, remedy)])
        }
    }
}

fn used(settings: &Settings) -> Finding {
    const NAME: CheckName = CheckName::ConfigFile;
    // The intended setting has its default.
    if !settings.unknown_keys.is_empty() {
        let remedy = "correct its name, or remove it: --help lists the settings";
        return Finding::fail(NAME, listed(&settings.unknown_keys), remedy);
    }
    match &settings.config_file {
        Some(file) => Finding::pass(NAME, format!("{} is used", file.display())),
        None => Finding::pass(NAME, "there is none, and none is needed"),
    }
}

fn refused(error: &SettingsError) -> Finding {
    let remedy = "correct it: it makes every pull fail";
    Finding::unreadable(CheckName::ConfigFile, error, chain(error), remedy)
}
