//! The API server, ready for requests with the pod's token.

use secret::Secret;
use tracing::info;

use super::Needs;
use crate::api_server::{self, Client, Endpoint, Listed, SecretsError};
use crate::deadline::{Deadline, Elapsed};
use crate::secret_names::{SecretNames, SharedSecret};
use crate::service_account::ServiceAccount;
use crate::settings::Settings;

/// The API server, ready for requests with one token.
#[derive(Debug)]
pub struct Server {
    endpoint: Endpoint,
    client: Client,
}

impl Server {
    /// Finds the API server, and reads its CA.
    ///
    /// # Errors
    /// It cannot be found, or there is no CA to verify it with.
    pub fn find(settings: &Settings, token: &Secret, deadline: Deadline) -> anyhow::Result<Self> {
        let endpoint = api_server::discover(&settings.cluster)?;
        let client = Client::new(&endpoint, token.clone(), deadline)?;
        Ok(Self::new(endpoint, client))
    }

    /// A server that was found, and a client for it.
    pub fn new(endpoint: Endpoint, client: Client) -> Self {
        Self { endpoint, client }
    }

    /// The TCP port of its connection: the server's, or that of the proxy in front of it.
    pub(super) fn needs(&self) -> Needs {
        Needs {
            ports: vec![self.endpoint.connects_to()],
            ..Needs::default()
        }
    }

    /// Reads the Secrets of the account's namespace, or those of these names.
    ///
    /// # Errors
    /// The server cannot be reached or verified, or refuses; or `visit` fails.
    pub(super) fn read_secrets(
        &self,
        account: &ServiceAccount,
        names: Option<&SecretNames>,
        visit: &mut dyn FnMut(Listed) -> Result<(), Elapsed>,
    ) -> anyhow::Result<()> {
        let read = api_server::for_each_secret(&self.client, account, names, visit);
        let namespace = account.namespace.as_str();
        read.map_err(|error| {
            if let SecretsError::Elapsed(elapsed) = error {
                let secrets = format!("the Secrets of namespace {namespace:?} have");
                let remedy =
                    "remove some, or name the Secrets to use (--secret-name, --secrets-annotation)";
                return too_much(elapsed, &secrets, remedy);
            }
            let verb = if names.is_some() { "get" } else { "list" };
            self.failure(error, &format!("{verb} secrets in namespace {namespace:?}"))
        })?;
        // Log this only on success: the error of a failure contains it too.
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

    /// Reads one Secret of a namespace, which need not be the account's.
    ///
    /// # Errors
    /// The server cannot be reached or verified, or refuses.
    pub(super) fn read_shared(
        &self,
        account: &ServiceAccount,
        shared: &SharedSecret,
    ) -> Result<Listed, SecretsError> {
        api_server::read_shared(&self.client, account, &shared.namespace, &shared.name)
    }

    /// Adds the request and the server to an error.
    pub(super) fn failure(&self, error: SecretsError, what: &str) -> anyhow::Error {
        anyhow::Error::new(error).context(format!("{what} at API server {}", self.endpoint))
    }
}

/// The error for Secrets that took more time here than the run has: the server is not the
/// cause. `secrets` are their names, with a verb.
pub(super) fn too_much(elapsed: Elapsed, secrets: &str, remedy: &str) -> anyhow::Error {
    anyhow::Error::new(elapsed).context(format!(
        "{secrets} more logins than can be compared with the pull sources in time: {remedy}"
    ))
}
