//! Checks of the API server: whether it is found and answers, whether its certificate is
//! valid, and whether kubelet requests tokens for an audience that it accepts.

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
/// The path of the request. The API server answers it without a login, unless anonymous
/// requests are turned off; a refusal is an answer too.
const PATH: &str = "/version";
/// The largest response that is read: 64 KiB.
const MAX_BYTES: usize = 64 * 1024;
/// The longest time that the administrator waits for a response.
const LIMIT: Duration = Duration::from_secs(10);

/// Checks the API server, and returns it if further requests can be sent to it.
pub(super) fn check(
    root: &Root,
    command: &Check,
    settings: &Settings,
    deadline: Deadline,
) -> (Finding, Option<Endpoint>) {
    const REMEDY: &str = "give its address with --kubeconfig, or --api-server and --certificate-authority, here and in the entry's args";
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
        announce(&root.as_on_node(what.clone()), deadline);
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
                ClientError::Unreachable { .. } | ClientError::Unavailable { .. }
                    if endpoint.is_default =>
                {
                    "give its address with --kubeconfig or --api-server, here and in the entry's args: only a control-plane node has an API server on localhost, where it must run"
                }
                ClientError::Unreachable { .. } | ClientError::Unavailable { .. } => {
                    "check that it runs and that this node may connect to it; else give its address with --kubeconfig or --api-server, here and in the entry's args"
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

/// Whether the status only means that a login is needed: anonymous requests may be turned
/// off.
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

/// Whether kubelet requests tokens that the API server accepts.
///
/// `accepted` are the audiences of a token that it accepted. Without one, its issuer is
/// used, which is its audience unless it was started with others.
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
                    "kubelet requests tokens for {wanted:?}, the API server accepted one for {accepted:?}"
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
        match issuer(endpoint, deadline).context("it does not return its issuer") {
            Ok(issuer) if issuer == *wanted => pass(),
            Ok(issuer) => Finding::warn(
                NAME,
                format!(
                    "kubelet requests tokens for {wanted:?}, the API server's issuer is {issuer:?}"
                ),
                format!(
                    "unless it was started with --api-audiences, set serviceAccountTokenAudience in {file} to its issuer, which this prints: {compare}"
                ),
            ),
            Err(error) => Finding::warn(
                NAME,
                format!(
                    "cannot find out whether the API server accepts tokens for {wanted:?}: {error:#}"
                ),
                format!("compare it with what this prints: {compare}"),
            ),
        },
    )
}
