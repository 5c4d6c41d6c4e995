//! The logins of one image in one namespace, and the auth file that holds them:
//! what the provider writes, and what `explain` tells without writing. Both run
//! this, so neither can say what the other does not do.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context;
use tracing::info;
use zeroize::Zeroizing;

use crate::auth_file;
use crate::cluster::{self, Client, Listed, SecretDoc};
use crate::credentials::{DockerConfig, Observer, Origin, Selection, Skipped, Text};
use crate::deadline::{Deadline, Elapsed};
use crate::kubelet::Response;
use crate::sandbox;
use crate::secret::Secret;
use crate::secret_names::{NotASubdomain, SecretNames};
use crate::service_account::ServiceAccount;
use crate::settings::Settings;
use crate::sources::Sources;

/// What is handed each Secret that counts.
pub type Visit<'a> = &'a mut dyn FnMut(Listed);

/// What was found for an image in a namespace.
#[derive(Debug)]
pub struct Logins<'a> {
    /// Where the image may be pulled from.
    pub sources: Sources<'a>,
    /// The credential of each pull source that has one.
    pub selection: Selection,
    /// What the auth file holds; `None`: there is to be no file.
    pub content: Option<Zeroizing<Vec<u8>>>,
}

impl<'a> Logins<'a> {
    /// Goes from the pull sources of an image to the content of its auth file.
    /// `annotations` are the service account's. `secrets` hands over the namespace's
    /// Secrets one by one, those of the names it is given in their order; it is not
    /// called where no login could help, or no Secret counts. `observer` is told what
    /// happens on the way.
    ///
    /// # Errors
    /// As `secrets` says, where too many Secrets are named, and when the time is up.
    pub fn find(
        config: &Settings,
        deadline: Deadline,
        sources: Sources<'a>,
        annotations: &BTreeMap<String, String>,
        secrets: impl FnOnce(Option<&SecretNames>, Visit<'_>) -> anyhow::Result<()>,
        observer: &mut impl Observer,
    ) -> anyhow::Result<Self> {
        let mut selection = Selection::new(sources.names());
        if sources.no_login().is_some() {
            return Ok(Self {
                sources,
                selection,
                content: None,
            });
        }

        let names = SecretNames::wanted(config, annotations)?;
        let names = names.as_ref();
        for name in names.map_or(&[][..], SecretNames::unusable) {
            let origin = Origin::Secret(name.clone());
            observer.skipped(&Skipped::new(&origin, None, NotASubdomain));
        }
        // Before the sandbox closes, in which a file that was replaced cannot be read.
        let texts = auth_file::read_global(&config.global_auth_files, observer);
        if names.is_none_or(|names| !names.names().is_empty()) {
            let mut in_time = Ok(());
            secrets(names, &mut |secret| {
                if in_time.is_ok() {
                    in_time = offer(secret, names, deadline, &mut selection, observer);
                }
            })?;
            in_time?;
        }

        let decoded = texts.iter().map(|text| text.decode(observer));
        let globals: Vec<_> = decoded.flatten().collect();
        auth_file::offer_global(&globals, &mut selection, observer);

        let content = auth_file::encode(&selection, &globals, observer);
        Ok(Self {
            sources,
            selection,
            content,
        })
    }

    /// What kubelet is told: whose image it is, where a credential of the namespace
    /// is used, unless that is turned off.
    pub fn response(&self, config: &Settings) -> Response {
        if config.empty_login && self.selection.has_namespaced() {
            Response::owned(self.sources.image.clone())
        } else {
            Response::empty()
        }
    }
}

/// Asks the API server for the namespace's Secrets, or those of these names, with the
/// account's token.
///
/// # Errors
/// Where the server cannot be found, reached or trusted, or refuses.
pub fn read_secrets(
    config: &Settings,
    deadline: Deadline,
    account: &ServiceAccount,
    token: &Secret,
    names: Option<&SecretNames>,
    visit: Visit<'_>,
) -> anyhow::Result<()> {
    let endpoint = cluster::discover(&config.cluster)?;
    let client = Client::new(&endpoint, token.clone(), deadline)?;
    if config.sandbox {
        // From here on tenants write what is parsed.
        let port = endpoint.connects_to();
        let intents = config.pull_intents_dir.iter();
        let intents: Vec<_> = intents.map(PathBuf::as_path).collect();
        sandbox::restrict_reads_and_ports(&intents, &config.auth_dir, port);
        sandbox::drop_capabilities();
    }
    let read = cluster::for_each_secret(&client, account, names, visit);
    let (server, why, trust) = (&endpoint.server, &endpoint.why, &endpoint.trust);
    let verb = if names.is_some() { "get" } else { "list" };
    read.with_context(|| {
        let namespace = account.namespace.as_str();
        format!("{verb} secrets in namespace {namespace:?} at API server {server} (from {why}; trusts {trust})")
    })?;
    // Only now: a failure is told in one line, which says all this too.
    info!(%server, why, trust = trust.to_string(), "read secrets");
    Ok(())
}

/// Why the docker config of a Secret has no entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its docker config has no \"auths\"")]
struct NoAuths;

/// Offers the entries of one Secret, until the time is up; what cannot be used is
/// skipped.
fn offer(
    secret: Listed,
    names: Option<&SecretNames>,
    deadline: Deadline,
    selection: &mut Selection,
    observer: &mut impl Observer,
) -> Result<(), Elapsed> {
    let SecretDoc {
        name,
        docker_config,
        format,
    } = match secret {
        Ok(secret) => secret,
        Err(unusable) => {
            let origin = Origin::Secret(unusable.name);
            observer.skipped(&Skipped::new(&origin, None, unusable.problem));
            return Ok(());
        }
    };
    let place = names.and_then(|names| names.names().iter().position(|given| *given == name));
    let origin = match place {
        Some(place) => Origin::NamedSecret(place, name),
        None => Origin::Secret(name),
    };
    let text = Text::of_json(&docker_config);
    let config = match DockerConfig::parse(&text, format) {
        Ok(config) => config,
        Err(error) => {
            observer.skipped(&Skipped::new(&origin, None, error));
            return Ok(());
        }
    };
    let Some(auths) = config.auths else {
        observer.skipped(&Skipped::new(&origin, None, NoAuths));
        return Ok(());
    };
    for (key, entry) in auths {
        deadline.check()?;
        if let Err(error) = selection.offer(&origin, &key, entry, |_| true, observer) {
            observer.skipped(&Skipped::new(&origin, Some(&key), error));
        }
    }
    Ok(())
}
