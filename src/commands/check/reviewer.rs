//! A user who may review the access of others, such as an administrator: the user of the
//! kubeconfig that was given for this.

use std::path::Path;

use provider::api_server::{self, Client, Endpoint, Settings};
use provider::deadline::Deadline;

use super::report::chain;
use super::review::ReviewError;
use super::user::User;

/// The remedy if the user has no such right.
pub(super) const REMEDY: &str =
    "use a user who may create subjectaccessreviews, such as cluster-admin";

/// The user of a kubeconfig, and its server.
#[derive(Debug)]
pub(super) struct Reviewer {
    endpoint: Endpoint,
    client: Client,
}

impl Reviewer {
    /// The user of that kubeconfig. The login is sent only to the server in it, whatever
    /// the node's settings are. `by_hand` are the settings of our own command line.
    ///
    /// # Errors
    /// The problem with the kubeconfig, in one line.
    pub(super) fn of(
        kubeconfig: &Path,
        by_hand: &Settings,
        deadline: Deadline,
    ) -> Result<Self, String> {
        let user = User::read(kubeconfig).map_err(|error| chain(&error))?;
        let settings = Settings {
            api_server: None,
            kubeconfig: Some(kubeconfig.to_owned()),
            certificate_authority: None,
            tls_server_name: None,
            ..by_hand.clone()
        };
        let endpoint = api_server::discover(&settings).map_err(|error| chain(&error))?;
        let client = Client::with_login(&endpoint, user.token, user.identity, deadline)
            .map_err(|error| chain(&error))?;
        let client = client.once();
        Ok(Self { endpoint, client })
    }

    /// Requests a review.
    ///
    /// # Errors
    /// Why there is no result, in one line.
    pub(super) fn ask(
        &self,
        question: impl FnOnce(&Client) -> Result<bool, ReviewError>,
    ) -> Result<bool, String> {
        let failed = |error| format!("ask {}: {}", self.endpoint, chain(&error));
        question(&self.client).map_err(failed)
    }
}
