//! The logins of one image in one namespace, and the auth file that holds them:
//! what the provider writes, and what `explain` tells without writing. Both run
//! this, so neither can say what the other does not do.

use std::collections::BTreeMap;

use anyhow::Context;
use tracing::info;

use crate::auth_file;
use crate::cluster::{self, Client, Endpoint, Listed, SecretDoc};
use crate::credentials::{DockerConfig, Observer, Origin, Selection, Skipped, Text};
use crate::deadline::{Deadline, Elapsed};
use crate::kubelet::Response;
use crate::secret::{Secret, Wiped};
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
    pub content: Option<Wiped<Vec<u8>>>,
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

        let content = auth_file::encode(&selection, &globals, observer)?;
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

/// The API server, found and ready to be asked with one token.
#[derive(Debug)]
pub struct Server {
    endpoint: Endpoint,
    client: Client,
}

impl Server {
    /// Finds the API server, and reads what it is to be trusted by.
    ///
    /// # Errors
    /// Where it cannot be found, or nothing says what to trust it by.
    pub fn find(config: &Settings, token: &Secret, deadline: Deadline) -> anyhow::Result<Self> {
        let endpoint = cluster::discover(&config.cluster)?;
        let client = Client::new(&endpoint, token.clone(), deadline)?;
        Ok(Self { endpoint, client })
    }

    /// The TCP port that is connected to: the server's, or that of the proxy in front
    /// of it.
    pub fn port(&self) -> u16 {
        self.endpoint.connects_to()
    }

    /// Asks for the Secrets of the account's namespace, or those of these names.
    ///
    /// # Errors
    /// Where the server cannot be reached or trusted, or refuses.
    pub fn read_secrets(
        &self,
        account: &ServiceAccount,
        names: Option<&SecretNames>,
        visit: Visit<'_>,
    ) -> anyhow::Result<()> {
        let read = cluster::for_each_secret(&self.client, account, names, visit);
        let verb = if names.is_some() { "get" } else { "list" };
        read.with_context(|| {
            let namespace = account.namespace.as_str();
            let endpoint = &self.endpoint;
            format!("{verb} secrets in namespace {namespace:?} at API server {endpoint}")
        })?;
        // Only now: the line of a failure says all this too.
        let Endpoint {
            server,
            why,
            trust,
            proxy,
            ..
        } = &self.endpoint;
        let proxy = proxy.as_ref().map(ToString::to_string);
        info!(%server, why, trust = trust.to_string(), proxy, "read secrets");
        Ok(())
    }
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
