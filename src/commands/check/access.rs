//! Whether a service account may read the Secrets of its namespace, by an access review
//! with its own token, or with the login of a user who may review others.

use std::collections::BTreeMap;
use std::path::Path;

use super::kubelet::{Entry, rewrite};
use super::report::{Finding, chain};
use super::review::{Access, ReviewError, may_account, may_i};
use super::reviewer::{REMEDY, Reviewer};
use crate::cli::{Check, CheckName};
use crate::commands::read_token;
use crate::commands::root::Root;
use provider::api_server::{self, Client, ClientError, Endpoint, grant};
use provider::deadline::Deadline;
use provider::secret_names::SecretNames;
use provider::service_account::ServiceAccount;
use provider::settings::Settings;

const NAME: CheckName = CheckName::Access;

/// The finding, and the audiences of the token if the API server accepted it.
pub(super) type Reviewed = (Finding, Option<Vec<String>>);

/// The names of the Secrets that the account reads; empty if it lists all of them.
///
/// # Errors
/// The finding if the provider cannot read these Secrets, or if the annotation names
/// none.
pub(super) fn named(
    settings: &Settings,
    command: &Check,
    entry: Option<&Entry>,
) -> Result<Vec<String>, Finding> {
    let annotations: BTreeMap<_, _> = command.annotations.iter().cloned().collect();
    let key = settings.secrets_annotation.as_deref();
    if let (Some(key), Some(entry)) = (key, entry)
        && annotations.contains_key(key)
        && !entry.hands_over(key)
    {
        return Err(Finding::fail(
            NAME,
            format!("kubelet does not pass the annotation {key}: all Secrets are listed"),
            format!("{} --secrets-annotation {key}", rewrite(&entry.file)),
        ));
    }
    match SecretNames::wanted(
        settings.secrets_annotation.as_deref(),
        &annotations,
        &settings.secret_names,
    ) {
        Ok(None) => Ok(Vec::new()),
        Ok(Some(names)) if names.names().is_empty() => {
            let message = "the service account names no Secret: none is read";
            Err(Finding::pass(NAME, message))
        }
        Ok(Some(names)) => Ok(names.names().to_vec()),
        Err(error) => {
            let remedy = "name fewer: each is a request to the API server";
            Err(Finding::fail(NAME, error.to_string(), remedy))
        }
    }
}

/// Requests an access review, if there is a login for it: may the account get the Secrets
/// of these `names`, or list all if there are no names?
///
/// `by_hand` are the settings of our own command line. Only they choose the server for a
/// login that is given there, and how it is verified: settings of a process or of the
/// provider's entry are for the provider, whose `endpoint` this is.
pub(super) fn check(
    root: &Root,
    command: &Check,
    names: &[String],
    by_hand: &api_server::Settings,
    endpoint: &Endpoint,
    deadline: Deadline,
) -> Reviewed {
    if let Some(path) = &command.token_file {
        return own(root, command, path, names, by_hand, endpoint, deadline);
    }
    let (Some(namespace), Some(account)) = (&command.namespace, &command.service_account) else {
        let remedy = "give -n NAMESPACE --service-account NAME --kubeconfig-for-review FILE, or --token-file FILE with a token of the service account";
        let why = "no service account to ask about, and no login to ask with";
        return (Finding::not_checked(NAME, why, remedy), None);
    };
    let namespace = namespace.as_str();
    let finding = match foreign(command, namespace, account, names, by_hand, deadline) {
        Ok(Some(allowed)) => judged(namespace, Some(account), names, allowed),
        Ok(None) => Finding::warn(
            NAME,
            format!(
                "it was not checked whether service account {account:?} may {}",
                right(namespace, names)
            ),
            format!(
                "kubectl auth can-i {} -n {namespace} --as=system:serviceaccount:{namespace}:{account}, or give --kubeconfig-for-review or --token-file",
                names.first().map_or_else(
                    || "list secrets".to_owned(),
                    |name| format!("get secrets/{name}")
                )
            ),
        ),
        Err(message) => Finding::warn(NAME, message, format!("{REMEDY}, or give --token-file")),
    };
    (finding, None)
}

/// The access that the provider needs: to get the named Secrets, or to list all of the
/// namespace.
fn wanted<'a>(namespace: &'a str, names: &'a [String]) -> Vec<Access<'a>> {
    let access = |verb, name| Access {
        namespace,
        verb,
        name,
    };
    if names.is_empty() {
        return vec![access("list", None)];
    }
    let each = names.iter().map(|name| access("get", Some(name.as_str())));
    each.collect()
}

/// The access in words.
fn right(namespace: &str, names: &[String]) -> String {
    if names.is_empty() {
        return format!("list the Secrets of {namespace}");
    }
    format!("get the Secrets {} of {namespace}", names.join(", "))
}

/// `SelfSubjectAccessReview`, with the account's own token.
fn own(
    root: &Root,
    command: &Check,
    path: &Path,
    names: &[String],
    by_hand: &api_server::Settings,
    endpoint: &Endpoint,
    deadline: Deadline,
) -> Reviewed {
    let failed = |message| {
        let remedy = "give a token of the service account: kubectl -n NAMESPACE create token NAME";
        (Finding::warn(NAME, message, remedy), None)
    };
    let (account, token) = match read_token(path) {
        Ok(read) => read,
        Err(error) => return failed(format!("{error:#}")),
    };
    let ServiceAccount {
        namespace,
        name,
        audiences,
    } = account;
    if let Some(wanted) = command
        .namespace
        .as_ref()
        .filter(|wanted| **wanted != namespace)
    {
        return failed(format!(
            "the token is for namespace {namespace}, not for {wanted}"
        ));
    }
    let name = name.as_deref();
    if let (Some(wanted), Some(name)) = (command.service_account.as_deref(), name)
        && wanted != name
    {
        return failed(format!(
            "the token is for service account {name:?}, not for {wanted:?}"
        ));
    }
    let endpoint = match chosen_by_hand(root, by_hand, endpoint) {
        Ok(endpoint) => endpoint,
        Err(finding) => return (finding, None),
    };
    let asked = Client::new(&endpoint, token, deadline).map_err(ReviewError::Client);
    let asked = asked
        .map(Client::once)
        .and_then(|client| all(namespace.as_str(), names, |access| may_i(&client, access)));
    match asked {
        Ok(allowed) => {
            let finding = judged(namespace.as_str(), name, names, allowed);
            (finding, Some(audiences))
        }
        Err(ReviewError::Client(ClientError::Refused(refusal)))
            if refusal.status.as_u16() == 401 =>
        {
            let message = format!(
                "the API server does not accept the token (audience {audiences:?}): it is for another audience, or has expired"
            );
            failed(message)
        }
        Err(error) => failed(format!("ask what the token may do: {}", chain(&error))),
    }
}

/// The provider's API server, verified as set on our own command line. An error if that
/// leads to another server, whose answer would not be about the provider's.
fn chosen_by_hand(
    root: &Root,
    by_hand: &api_server::Settings,
    endpoint: &Endpoint,
) -> Result<Endpoint, Finding> {
    let chosen = api_server::discover(by_hand).map(|mut chosen| {
        root.apply_to_trust(&mut chosen);
        chosen
    });
    let is_same = |chosen: &Endpoint| {
        (&chosen.server, &chosen.server_name) == (&endpoint.server, &endpoint.server_name)
    };
    match chosen {
        Ok(chosen) if is_same(&chosen) => Ok(chosen),
        Ok(_) | Err(_) => Err(Finding::warn(
            NAME,
            format!(
                "the token is not sent to {}, which only {} names",
                endpoint.server, endpoint.why
            ),
            "give the address of the API server with --kubeconfig, or --api-server and --certificate-authority",
        )),
    }
}

/// `SubjectAccessReview`, with the user and the server of the kubeconfig that was given
/// for this; `None` if none was given.
fn foreign(
    command: &Check,
    namespace: &str,
    account: &str,
    names: &[String],
    by_hand: &api_server::Settings,
    deadline: Deadline,
) -> Result<Option<bool>, String> {
    let Some(path) = &command.kubeconfig_for_review else {
        return Ok(None);
    };
    let reviewer = Reviewer::of(path, by_hand, deadline)?;
    let may = |client: &Client| {
        all(namespace, names, |access| {
            may_account(client, account, access)
        })
    };
    reviewer.ask(may).map(Some)
}

fn all(
    namespace: &str,
    names: &[String],
    may: impl Fn(&Access<'_>) -> Result<bool, ReviewError>,
) -> Result<bool, ReviewError> {
    for access in wanted(namespace, names) {
        if !may(&access)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn judged(namespace: &str, account: Option<&str>, names: &[String], allowed: bool) -> Finding {
    let (shown, right) = (account.unwrap_or("?"), right(namespace, names));
    if allowed {
        return Finding::pass(NAME, format!("service account {shown:?} may {right}"));
    }
    Finding::fail(
        NAME,
        format!("service account {shown:?} may not {right}"),
        grant(namespace, (namespace, account), names),
    )
}
