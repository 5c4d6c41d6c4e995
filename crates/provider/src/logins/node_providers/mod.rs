//! The node's credential providers: the programs in kubelet's own configuration. They are
//! run for pull sources that kubelet does not know, as kubelet would run them for an
//! image of that name.
//!
//! - `select` chooses the provider for each source, and refuses those that must not run.
//! - `ask` looks for cached responses, and waits for the others; a `query` is one of them.
//! - `start` starts the providers for these, in turn with other runs (`turn`).
//! - `run` runs one provider.
//! - `group` ends all that run, with all processes that they have started.
//! - `cache` keeps responses for as long as kubelet would, by the `key` that kubelet uses.
//! - `redact` removes secrets from their stderr.
//!
//! They get no data of the pod, and no annotation or Secret has an effect on them: like
//! those of a global auth file, their logins are the node's.
//!
//! They are started before the sandbox closes, which forbids starting programs, and run
//! while Secrets are read from the API server.

mod select;
mod ask;
mod query;
mod start;
mod turn;
mod run;
mod group;
mod cache;
mod key;
mod redact;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use containers_auth::{DockerConfig, Format, Text};
use kubelet_credential_provider::{Auth, CacheKeyType, Response};
use registries_conf::ImageName;
use rustix::process::geteuid;
use secret::Wiped;
use serde::Serialize;
use tracing::debug;

use self::ask::Queries;
use self::key::registry_of;
use self::query::Answered;
use super::{GlobalFiles, LoginSource, Needs, Observer, Selection, Skipped};
use crate::deadline::Elapsed;
use crate::excerpt::ShownKey;
use crate::ownership::{Loophole, copier, loophole};
use crate::sources::Sources;

pub use group::{is_leader, lead};
pub use select::{ConfigError, Configured, NotRun, Provider, UnknownPaths};

/// The environment variable that marks a provider's process: if it leads back to this
/// program, no further providers are run.
pub const NESTED: &str = "CRIO_CREDENTIAL_PROVIDER_NESTED";

/// Which providers are run, and where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The providers to run.
    pub wanted: Wanted,
    /// kubelet's `--image-credential-provider-config`.
    pub config: Option<PathBuf>,
    /// kubelet's `--image-credential-provider-bin-dir`.
    pub bin_dir: Option<PathBuf>,
    /// The directory of cached responses.
    pub cache_dir: PathBuf,
}

/// Which of kubelet's providers are run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// None.
    Off,
    /// All providers that may be run.
    All,
    /// The providers with these names.
    Named(Vec<String>),
}

impl Settings {
    /// The paths of kubelet's that are not set.
    pub fn unknown_paths(&self) -> UnknownPaths {
        UnknownPaths::of(self)
    }

    /// Whether any may be run.
    pub fn is_on(&self) -> bool {
        self.wanted != Wanted::Off
    }
}

impl Wanted {
    /// Parses the values of the setting, each of which may be several names separated by
    /// commas; `None` if `off` or `auto` is combined with another value.
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

/// The first part of a path that a user other than root and the user of this process
/// could change, on a node that has `root` as its `/`.
fn loophole_of(root: &Path, path: &Path) -> io::Result<Option<Loophole>> {
    let owner = copier(root).unwrap_or_else(|| geteuid().as_raw());
    loophole(root, path, Some(owner))
}

/// The node's providers that serve the pull sources of an image, each running or with a
/// cached response. Those that still run are ended when this is dropped.
#[derive(Debug, Default)]
pub struct NodeProviders {
    queries: Queries,
}

impl NodeProviders {
    /// Starts the providers for the sources that `globals` do not serve, which take
    /// precedence. One that may not be run is left out, with a warning if the administrator
    /// has to correct something.
    ///
    /// # Errors
    /// The deadline has passed.
    pub fn start(
        settings: &Settings,
        sources: &Sources<'_>,
        globals: &GlobalFiles<'_>,
    ) -> Result<Self, Elapsed> {
        let queries = if settings.is_on() {
            Queries::start(settings, sources, globals)?
        } else {
            Queries::default()
        };
        Ok(Self { queries })
    }
}

impl LoginSource for NodeProviders {
    fn needs(&self) -> Needs {
        self.queries.needs()
    }

    /// Waits for the responses. A provider without a valid one is skipped.
    fn offer(
        &mut self,
        selection: &mut Selection,
        observer: &mut dyn Observer,
    ) -> anyhow::Result<()> {
        for answered in self.queries.answers() {
            offer_answer(answered, selection, observer);
        }
        Ok(())
    }
}

/// Offers the logins of a response to the sources that kubelet would use it for.
fn offer_answer(answered: Answered, selection: &mut Selection, observer: &mut dyn Observer) {
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
            let offered = selection.offer_to(source, origin, key, *entry, observer);
            if let Err(error) = offered {
                observer.skipped(&Skipped::new(origin, Some(key), error));
            }
        }
    }
}

/// The logins as a `.dockercfg`, since its entries are read as kubelet reads a
/// response's. Empty logins, such as those of ACR's provider for other registries, are
/// left out.
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
            debug!(key = ?ShownKey(key), "an empty login is left out");
            continue;
        }
        // An escaped character takes at most six bytes, as in \u0000.
        size += 6 * (key.len() + username.len() + password.len()) + 64;
        let login = Login { username, password };
        logins.insert(key, login);
    }
    let mut text = Wiped::new(Vec::with_capacity(size));
    // Strings and maps of strings can always be written as JSON.
    serde_json::to_writer(&mut *text, &logins).unwrap_or_default();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn off_and_auto_allow_no_other_value_and_names_are_a_list() {
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
