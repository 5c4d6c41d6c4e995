//! Secrets of other namespaces that the node's administrator shares with every pod that
//! may get them.

use super::secrets::offer_secret;
use super::server::{Server, too_much};
use super::{LoginSource, Needs};
use crate::api_server::SecretsError;
use crate::deadline::Deadline;
use crate::logins::{Observer, Origin, Selection, Skipped};
use crate::secret_names::SharedSecret;
use crate::service_account::ServiceAccount;

/// Shared Secrets, read with the pod's token: RBAC in their namespaces decides which pods
/// may use them.
#[derive(Debug)]
pub struct SharedSecrets<'a> {
    /// The server to read from.
    pub server: &'a Server,
    /// The account of the token.
    pub account: &'a ServiceAccount,
    /// The Secrets, in order of precedence.
    pub secrets: &'a [SharedSecret],
    /// When the run must have ended.
    pub deadline: Deadline,
}

impl LoginSource for SharedSecrets<'_> {
    fn needs(&self) -> Needs {
        self.server.needs()
    }

    /// Skips a Secret that the pod may not read, since RBAC decides.
    fn offer(
        &mut self,
        selection: &mut Selection,
        observer: &mut dyn Observer,
    ) -> anyhow::Result<()> {
        for (place, shared) in self.secrets.iter().enumerate() {
            let origin =
                Origin::SharedSecret(place, shared.namespace.to_string(), shared.name.clone());
            match self.server.read_shared(self.account, shared) {
                Ok(secret) => {
                    let origin = |_name| origin;
                    let offered = offer_secret(secret, origin, self.deadline, selection, observer);
                    offered.map_err(|elapsed| {
                        let secret = format!("shared secret \"{shared}\" has");
                        too_much(elapsed, &secret, "remove some")
                    })?;
                }
                Err(forbidden @ SecretsError::Forbidden { .. }) => {
                    observer.skipped(&Skipped::new(&origin, None, forbidden));
                }
                Err(error) => {
                    let what = format!("get shared secret \"{shared}\"");
                    return Err(self.server.failure(error, &what));
                }
            }
        }
        Ok(())
    }
}
