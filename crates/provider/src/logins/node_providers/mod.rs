//! The node's credential providers: the programs that kubelet itself is configured with,
//! run for pull sources that kubelet does not know, as kubelet would run them for an image
//! of that name.
//!
//! - `select` chooses the provider for each source, and refuses those that must not run.
//! - `ask` starts those without a cached response, in turn with other runs (`turn`).
//! - `run` is a provider that is running, with all processes that it starts.
//! - `cache` keeps responses for as long as kubelet would, by the `key` that kubelet uses.
//! - `redact` is for their stderr.
//!
//! They get nothing of the pod, and no annotation or Secret has an effect on them: their
//! logins are the node's, as those of a global auth file are.
//!
//! They are started before the sandbox closes, which forbids programs, and run while the
//! API server is asked.

mod select;
mod ask;
mod turn;
mod run;
mod cache;
mod key;
mod redact;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use containers_auth::{DockerConfig, Format, Text};
use kubelet_credential_provider::{Auth, CacheKeyType, Response};
use registries_conf::ImageName;
use rustix::process::geteuid;
use secret::Wiped;
use serde::Serialize;
use tracing::debug;

use self::ask::{Answered, Errands};
use self::key::registry_of;
use super::{GlobalAuthFile, LoginSource, Needs, Observer, Selection, Skipped};
use crate::deadline::Deadline;
use crate::excerpt::ShownKey;
use crate::ownership::{Loophole, copier, loophole};
use crate::sources::Sources;

pub use select::{ConfigError, Configured, NotRun, Provider};

/// Set for a provider, so that one that leads back to this program runs no others.
pub const NESTED: &str = "CRIO_CREDENTIAL_PROVIDER_NESTED";

/// Which providers are run, and where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Which of them.
    pub wanted: Wanted,
    /// kubelet's `--image-credential-provider-config`.
    pub config: Option<PathBuf>,
    /// kubelet's `--image-credential-provider-bin-dir`.
    pub bin_dir: Option<PathBuf>,
    /// Where answers are kept.
    pub cache_dir: PathBuf,
}

/// Which of kubelet's providers are run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// None.
    Off,
    /// All that may be.
    All,
    /// Those with these names.
    Named(Vec<String>),
}

impl Settings {
    /// Whether any may be run.
    pub fn is_on(&self) -> bool {
        self.wanted != Wanted::Off
    }
}

impl Wanted {
    /// Parses the values of the setting, each of which may be several names with commas
    /// between them; `None` if `off` or `auto` is combined with another value.
    pub fn parse(values: &[impl AsRef<str>]) -> Option<Self> {
        let values = values.iter().map(AsRef::as_ref);
        let names = values.flat_map(|value| value.split(','));
        let names = names.map(str::trim).filter(|name| !name.is_empty());
        let names: Vec<String> = names.map(str::to_owned).collect();
        match &names[..] {
            [] => Some(Self::Off),
            [one] if one == "off" => Some(Self::Off),
            [one] if one == "auto" => Some(Self::All),
            all if all.iter().any(|name| name == "off" || name == "auto") => None,
            _ => Some(Self::Named(names)),
        }
    }
}

/// What a user other than root, and other than the one of this process, could change on
/// the way to a path of a node that has `root` as its `/`.
fn loophole_of(root: &Path, path: &Path) -> io::Result<Option<Loophole>> {
    let owner = copier(root).unwrap_or_else(|| geteuid().as_raw());
    loophole(root, path, Some(owner))
}

/// The node's providers that serve the pull sources of an image: started, or with an
/// answer that was kept. All that still run are ended when this is dropped.
#[derive(Debug, Default)]
pub struct NodeProviders {
    errands: Errands,
    /// The hosts of which containers/image asks a helper for the login.
    helper_hosts: BTreeSet<String>,
}

impl NodeProviders {
    /// Starts the providers for the sources. One that may not be run is left out, with a
    /// warning if there is a problem.
    pub fn start(settings: &Settings, sources: &Sources<'_>, deadline: Deadline) -> Self {
        Self {
            errands: Errands::start(settings, sources, deadline),
            helper_hosts: BTreeSet::new(),
        }
    }

    /// Leaves the hosts that have a credential helper in a global auth file to the
    /// helper: the node's providers count last.
    pub fn leave_to_helpers(&mut self, globals: &[GlobalAuthFile<'_>]) {
        let hosts = globals.iter().flat_map(|global| global.file.helper_hosts());
        self.helper_hosts.extend(hosts.map(str::to_owned));
    }
}

impl LoginSource for NodeProviders {
    fn needs(&self) -> Needs {
        self.errands.needs()
    }

    /// Waits for the answers. One that is missing or broken is skipped.
    fn offer(
        &mut self,
        selection: &mut Selection,
        observer: &mut dyn Observer,
    ) -> anyhow::Result<()> {
        let is_served = |source: &ImageName| !self.helper_hosts.contains(source.host());
        for answered in self.errands.answers() {
            offer_answer(answered, is_served, selection, observer);
        }
        Ok(())
    }
}

/// Offers the logins of an answer to the sources that kubelet would use it for.
fn offer_answer(
    answered: Answered,
    is_served: impl Fn(&ImageName) -> bool,
    selection: &mut Selection,
    observer: &mut dyn Observer,
) {
    let Answered {
        asked,
        source,
        others,
        answer,
    } = answered;
    let origin = &asked.origin;
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return observer.skipped(&Skipped::new(origin, None, error)),
    };
    let text = docker_config(&answer);
    let text = Text::of_json(&text);
    let entries = match DockerConfig::parse(&text, Format::DockerCfg) {
        Ok(config) => config.auths.unwrap_or_default(),
        Err(error) => return observer.skipped(&Skipped::new(origin, None, error)),
    };
    let is_for = |other: &ImageName| match answer.cache_key_type {
        CacheKeyType::Image => false,
        CacheKeyType::Registry => registry_of(other.as_str()) == registry_of(source.as_str()),
        CacheKeyType::Global => true,
    };
    for source in others.iter().filter(|other| is_for(other)).chain([&source]) {
        for (key, entry) in &entries {
            let offered = selection.offer_to(source, origin, key, *entry, &is_served, observer);
            if let Err(error) = offered {
                observer.skipped(&Skipped::new(origin, Some(key), error));
            }
        }
    }
}

/// The logins as a `.dockercfg`, which is read as kubelet reads them. Empty ones, such as
/// those of ACR's provider for other registries, are left out.
fn docker_config(answer: &Response) -> Wiped<Vec<u8>> {
    #[derive(Serialize)]
    struct Login<'a> {
        username: &'a str,
        password: &'a str,
    }

    let mut size = 0_usize;
    let mut logins = BTreeMap::new();
    for (key, Auth { username, password }) in &answer.auth {
        if username.is_empty() && password.is_empty() {
            debug!(key = ?ShownKey(key), "an empty login is none");
            continue;
        }
        // A character becomes at most six, as \u0000.
        size += 6 * (key.len() + username.len() + password.len()) + 64;
        let login = Login { username, password };
        logins.insert(key, login);
    }
    let mut text = Wiped::new(Vec::with_capacity(size));
    // Text and maps of it always have a JSON form.
    serde_json::to_writer(&mut *text, &logins).unwrap_or_default();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn off_and_auto_stand_alone_and_names_are_a_list() {
        let named =
            |names: &[&str]| Wanted::Named(names.iter().map(|&name| name.to_owned()).collect());
        for (values, expected) in [
            (&[][..], Some(Wanted::Off)),
            (&["off"], Some(Wanted::Off)),
            (&["auto"], Some(Wanted::All)),
            (&["ecr"], Some(named(&["ecr"]))),
            (&["ecr,acr"], Some(named(&["ecr", "acr"]))),
            (&["ecr, ", "acr"], Some(named(&["ecr", "acr"]))),
            (&["off,ecr"], None),
            (&["ecr", "auto"], None),
        ] {
            assert_eq!(Wanted::parse(values), expected, "{values:?}");
        }
    }
}
