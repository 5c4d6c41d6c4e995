//! The API server: is it found, does it answer, and is its certificate the right one?
//! And is the token, which kubelet asks for, one for it?

use std::time::Duration;

use anyhow::Context;
use ureq::http::StatusCode;

use super::kubelet::Entry;
use super::report::{Finding, chain};
use crate::cli::{Check, CheckName};
use crate::commands::issuer;
use crate::commands::patience::announce;
use crate::commands::root::Root;
use provider::api_server::{self, Client, ClientError, Endpoint, Settings, Trust};
use provider::deadline::Deadline;

const NAME: CheckName = CheckName::ApiServer;
/// Whoever asks is answered, unless anonymous requests are off; that is an answer too.
const PATH: &str = "/version";
/// The largest answer that is read: 64 KiB.
const MAX_BYTES: usize = 64 * 1024;
/// How long the administrator waits for an answer at most.
const LIMIT: Duration = Duration::from_secs(10);

/// Where the API server is and whether it can be trusted; the server, if it can be
/// asked more.
pub(super) fn check(
    root: &Root,
    command: &Check,
    settings: &Settings,
    deadline: Deadline,
) -> (Finding, Option<Endpoint>) {
    const REMEDY: &str = "say where it is with --kubeconfig, or --api-server and --certificate-authority, here and in the entry's args";
    let mut endpoint = match api_server::discover(settings) {
        Ok(endpoint) => endpoint,
        Err(error) => {
            let message = chain(&error);
            return (Finding::fail(NAME, message, REMEDY), None);
        }
    };
    root.apply_to_trust(&mut endpoint);
    let trust = &endpoint.trust;
    let what = endpoint.to_string();
    let deadline = Deadline::new(LIMIT.min(deadline.remaining()));
    if !command.quiet {
        announce(&root.told(what.clone()), deadline);
    }
    let asked = Client::anonymous(&endpoint, deadline)
        .and_then(|client| client.once().get(PATH, MAX_BYTES));
    let finding = match asked {
        Err(ClientError::Refused(refusal)) if is_about_login(refusal.status) => {
            reached(&what, trust)
        }
        Ok(_) => reached(&what, trust),
        Err(error) => {
            let remedy = match &error {
                ClientError::Certificate { .. }
                | ClientError::Tls { .. }
                | ClientError::Trust(_) => {
                    "name the API server's CA with --certificate-authority, or the name in its certificate with --tls-server-name, here and in the entry's args"
                }
                ClientError::Unreachable { .. } | ClientError::Unavailable { .. } => {
                    "see whether it runs and this node may connect to it; else say where it is with --kubeconfig or --api-server, here and in the entry's args"
                }
                ClientError::ProxyTrust(_)
                | ClientError::NoHost
                | ClientError::Token
                | ClientError::Redirect(_)
                | ClientError::Refused(_)
                | ClientError::TooLarge(_)
                | ClientError::Elapsed(_) => REMEDY,
            };
            let message = format!("{what}: {}", chain(&error));
            return (Finding::fail(NAME, message, remedy), None);
        }
    };
    (finding, Some(endpoint))
}

/// Anonymous requests may be off.
fn is_about_login(status: StatusCode) -> bool {
    status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN
}

fn reached(what: &str, trust: &Trust) -> Finding {
    if *trust == Trust::Nothing {
        let message = format!("{what} answers, and its certificate is not verified");
        let remedy =
            "remove --insecure-skip-tls-verify: any server that answers gets the pods' tokens";
        return Finding::fail(NAME, message, remedy);
    }
    Finding::pass(NAME, format!("{what} answers, its certificate is verified"))
}

/// Whether kubelet asks for tokens that the API server takes.
///
/// `accepted` are the audiences of a token that it took. Without one there is its
/// issuer, which is its audience unless it was started with others.
pub(super) fn audience(
    entry: &Entry,
    endpoint: &Endpoint,
    accepted: Option<&[String]>,
    deadline: Deadline,
) -> Option<Finding> {
    const NAME: CheckName = CheckName::Audience;
    let token = entry.provider.token_attributes.as_ref()?;
    let wanted = &token.service_account_token_audience;
    let file = entry.file.display();
    let pass = || {
        Finding::pass(
            NAME,
            format!("the API server accepts tokens for {wanted:?}"),
        )
    };
    if let Some(accepted) = accepted {
        return Some(if accepted.contains(wanted) {
            pass()
        } else {
            Finding::fail(
                NAME,
                format!(
                    "kubelet asks for tokens for {wanted:?}, the API server took one for {accepted:?}"
                ),
                format!(
                    "set serviceAccountTokenAudience in {file} to {accepted:?} and restart kubelet"
                ),
            )
        });
    }
    let compare =
        "kubectl create token default | cut -d. -f2 | tr _- /+ | base64 -d 2>/dev/null | jq .aud";
    Some(
        match issuer(endpoint, deadline).context("it does not tell its issuer") {
            Ok(issuer) if issuer == *wanted => pass(),
            Ok(issuer) => Finding::warn(
                NAME,
                format!(
                    "kubelet asks for tokens for {wanted:?}, the API server's issuer is {issuer:?}"
                ),
                format!(
                    "unless it was started with --api-audiences, set serviceAccountTokenAudience in {file} to its issuer, which this prints: {compare}"
                ),
            ),
            Err(error) => Finding::warn(
                NAME,
                format!(
                    "whether the API server accepts tokens for {wanted:?} is not known: {error:#}"
                ),
                format!("compare it with what this prints: {compare}"),
            ),
        },
    )
}
