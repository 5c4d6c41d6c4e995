//! Whom the tokens must be for, that kubelet hands to the provider: an audience of
//! the API server, which it tells in its discovery document, to everybody where
//! anonymous requests are allowed to that.

use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;

use crate::cluster::{self, Client, Endpoint};
use crate::deadline::Deadline;
use crate::json::Object;
use crate::secret::DecodeError;
use crate::settings::Settings;

const PATH: &str = "/.well-known/openid-configuration";
/// The largest answer that is read: 64 KiB.
const MAX_BYTES: usize = 64 * 1024;
/// How long the administrator waits for it at most.
const LIMIT: Duration = Duration::from_secs(5);

/// Asks the API server for its issuer, without any credential.
///
/// # Errors
/// It cannot be found or does not tell; the message says how else to learn it.
pub(super) fn ask(config: &Settings) -> anyhow::Result<String> {
    let ask = || {
        let endpoint = cluster::discover(&config.cluster)?;
        issuer(&endpoint, Deadline::new(config.timeout))
    };
    ask().context(
        "give --audience, which the API server does not tell here: kubectl get --raw \
         /.well-known/openid-configuration | jq -r .issuer",
    )
}

/// The issuer of an API server, which is also its audience unless it was started
/// with others. Asked without any credential, and not for long.
///
/// # Errors
/// It does not tell.
pub(in crate::commands) fn issuer(
    endpoint: &Endpoint,
    deadline: Deadline,
) -> anyhow::Result<String> {
    #[derive(Deserialize)]
    struct Wire {
        issuer: String,
    }
    let deadline = Deadline::new(LIMIT.min(deadline.remaining()));
    let asked = || format!("ask {} (from {})", endpoint.server, endpoint.why);
    let client = Client::anonymous(endpoint, deadline).with_context(asked)?;
    let answer = client.get(PATH, MAX_BYTES).with_context(asked)?;
    let Object(wire): Object<Wire> = serde_json::from_slice(&answer)
        .map_err(DecodeError::from)
        .with_context(asked)?;
    let is_odd = wire.issuer.is_empty() || wire.issuer.chars().any(char::is_control);
    anyhow::ensure!(!is_odd, "{}: its issuer is no audience", asked());
    Ok(wire.issuer)
}
