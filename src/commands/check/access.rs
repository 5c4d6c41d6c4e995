//! Whether a service account may read the Secrets of its namespace, asked with its own
//! token, or with the login of somebody who may ask about others.

use super::report::{Finding, chain};
use crate::cli::Check;
use crate::cluster::{
    self, Access, Client, ClientError, Endpoint, ReviewError, Settings, User, grant, may_account,
    may_i,
};
use crate::commands::read_token;
use crate::deadline::Deadline;
use crate::service_account::ServiceAccount;

const NAME: &str = "access";

/// What was found, and the audiences of the token that the API server took.
pub(super) type Reviewed = (Option<Finding>, Option<Vec<String>>);

/// Asks, if there is anything to ask with.
pub(super) fn check(
    command: &Check,
    settings: &Settings,
    endpoint: &Endpoint,
    deadline: Deadline,
) -> Reviewed {
    if command.token_file.is_some() {
        return own(command, endpoint, deadline);
    }
    let (Some(namespace), Some(account)) = (&command.namespace, &command.service_account) else {
        return (None, None);
    };
    let namespace = namespace.as_str();
    let finding = match foreign(command, namespace, account, settings, deadline) {
        Ok(Some(allowed)) => judged(namespace, Some(account), allowed),
        Ok(None) => Finding::warn(
            NAME,
            format!(
                "whether service account {account:?} may list the Secrets of {namespace} was not asked"
            ),
            format!(
                "kubectl auth can-i list secrets -n {namespace} --as=system:serviceaccount:{namespace}:{account}, or give --kubeconfig-for-review or --token-file"
            ),
        ),
        Err(message) => Finding::warn(
            NAME,
            message,
            "ask with somebody who may create subjectaccessreviews, such as cluster-admin, or give --token-file",
        ),
    };
    (Some(finding), None)
}

/// What the provider must be allowed to do: it lists the namespace's Secrets. Whoever
/// has it read named Secrets alone asks for those here too.
fn wanted(namespace: &str) -> [Access<'_>; 1] {
    [Access {
        namespace,
        verb: "list",
        name: None,
    }]
}

/// `SelfSubjectAccessReview`, with the account's own token.
fn own(command: &Check, endpoint: &Endpoint, deadline: Deadline) -> Reviewed {
    let failed = |message| {
        let remedy = "give a token of the service account: kubectl -n NAMESPACE create token NAME";
        (Some(Finding::warn(NAME, message, remedy)), None)
    };
    let Some(path) = &command.token_file else {
        return (None, None);
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
    let asked = Client::new(endpoint, token, deadline).map_err(ReviewError::Client);
    let asked = asked.and_then(|client| all(namespace.as_str(), |access| may_i(&client, access)));
    match asked {
        Ok(allowed) => {
            let finding = judged(namespace.as_str(), name, allowed);
            (Some(finding), Some(audiences))
        }
        Err(ReviewError::Client(ClientError::Refused(refusal)))
            if refusal.status.as_u16() == 401 =>
        {
            let message = format!(
                "the API server does not take the token (audience {audiences:?}): it is for somebody else, or too old"
            );
            failed(message)
        }
        Err(error) => failed(format!("ask what the token may do: {}", chain(&error))),
    }
}

/// `SubjectAccessReview`, with the user and the server of the kubeconfig that was
/// handed over for this; `None` where none was.
fn foreign(
    command: &Check,
    namespace: &str,
    account: &str,
    settings: &Settings,
    deadline: Deadline,
) -> Result<Option<bool>, String> {
    let Some(path) = &command.kubeconfig_for_review else {
        return Ok(None);
    };
    let user = User::read(path).map_err(|error| chain(&error))?;
    // Its login is for its own server alone, whatever the node's settings say.
    let settings = Settings {
        api_server: None,
        kubeconfig: Some(path.clone()),
        certificate_authority: None,
        tls_server_name: None,
        ..settings.clone()
    };
    let endpoint = cluster::discover(&settings).map_err(|error| chain(&error))?;
    let client = Client::of_user(&endpoint, user, deadline).map_err(|error| chain(&error))?;
    all(namespace, |access| may_account(&client, account, access))
        .map(Some)
        .map_err(|error| format!("ask {}: {}", endpoint.server, chain(&error)))
}

fn all(
    namespace: &str,
    may: impl Fn(&Access<'_>) -> Result<bool, ReviewError>,
) -> Result<bool, ReviewError> {
    for access in wanted(namespace) {
        if !may(&access)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn judged(namespace: &str, account: Option<&str>, allowed: bool) -> Finding {
    let shown = account.unwrap_or("?");
    if allowed {
        let message = format!("service account {shown:?} may list the Secrets of {namespace}");
        return Finding::pass(NAME, message);
    }
    Finding::fail(
        NAME,
        format!("service account {shown:?} may not list the Secrets of {namespace}"),
        grant(namespace, account),
    )
}
