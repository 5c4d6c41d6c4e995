//! The pull Secrets of a namespace, over one connection: a list, page by page, or named
//! ones, one by one.
//!
//! A Secret is decoded and passed on as it arrives, so only one is in memory at a time.

mod json_stream;
mod read;

use containers_auth::Format;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secret::{DecodeError, Wiped};
use tracing::debug;
use ureq::http::StatusCode;

use super::client::Client;
use super::failure::ClientError;
use crate::deadline::Elapsed;
use crate::secret_names::SecretNames;
use crate::service_account::{Namespace, ServiceAccount};

pub use read::{data_key, read_named, read_page, read_secret, secret_type};

/// Secrets in a page. The API server holds a page in memory, this client does not: its
/// peak is 3.6 MiB for 1,000 Secrets and for 5,000. kubectl's 500 would only mean more
/// requests: a real API server takes 2 ms more for 1,000 Secrets in two pages than in one.
const PAGE: usize = 2000;
/// Secrets in a page where [`PAGE`] of them are too large for one: even the largest
/// Secrets, 1.5 MiB in base64, stay below [`MAX_PAGE_BYTES`](read::MAX_PAGE_BYTES).
const SMALL_PAGE: usize = 20;
/// How many times a list is restarted because its continue token has expired.
const MAX_RESTARTS: u32 = 3;

/// Everything but the unreserved characters of RFC 3986, section 2.3.
const RESERVED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Common types of Secrets that never have a registry login: the API server leaves them
/// out of a list. Field selectors have `!=` and commas, but no "in".
///
/// <https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/>
const OTHER_TYPES: [&str; 7] = [
    "Opaque",
    "kubernetes.io/service-account-token",
    "kubernetes.io/tls",
    "kubernetes.io/basic-auth",
    "kubernetes.io/ssh-auth",
    "bootstrap.kubernetes.io/token",
    "helm.sh/release.v1",
];

/// The two types of Secrets with registry logins.
pub const SECRET_TYPES: [SecretType; 2] = [
    SecretType {
        name: "kubernetes.io/dockerconfigjson",
        format: Format::DockerConfigJson,
    },
    SecretType {
        name: "kubernetes.io/dockercfg",
        format: Format::DockerCfg,
    },
];

/// A type of Secrets with registry logins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretType {
    /// The Secrets' `type`.
    pub name: &'static str,
    /// The layout of their docker config.
    pub format: Format,
}

/// The end of a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageEnd {
    /// The number of Secrets in the page, of any type.
    pub secrets: usize,
    /// The token for the next page; `None` after the last one.
    pub continue_token: Option<String>,
}

/// The docker config of one Secret.
#[derive(Debug)]
pub struct SecretDoc {
    /// The Secret's name.
    pub name: String,
    /// Its text.
    pub docker_config: Wiped<Vec<u8>>,
    /// The layout of the text.
    pub format: Format,
}

/// A Secret without a usable docker config, and why. Never contains any part of its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusableSecret {
    /// The Secret's name; empty where it has none.
    pub name: String,
    /// What is wrong with it.
    pub problem: SecretProblem,
}

/// Why a Secret cannot be used; the others are used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretProblem {
    /// It has no name.
    #[error("a secret without a name")]
    Name(#[source] DecodeError),
    /// Its data lacks the key of its type.
    #[error("no {0:?} in its data")]
    Missing(&'static str),
    /// The data has an unexpected type.
    #[error("decode its data")]
    Data(#[source] DecodeError),
    /// The docker config is not base64.
    #[error("{0:?} is not base64")]
    Base64(&'static str),
    /// Its type is not one of [`SECRET_TYPES`].
    #[error("of type {0:?}, which holds no registry logins")]
    Type(String),
    /// The namespace has no Secret of that name.
    #[error("there is no such Secret in the namespace")]
    NotFound,
}

/// A Secret that was read, usable or not.
pub type Listed = Result<SecretDoc, UnusableSecret>;

/// Why the Secrets cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// 403.
    #[error(
        "service account {:?} may not {}: {}",
        .account.as_deref().unwrap_or("?"),
        wish(.names),
        grant(.namespace, (.account_namespace, .account.as_deref()), .names)
    )]
    Forbidden {
        /// The namespace of the Secrets.
        namespace: String,
        /// The namespace of the service account.
        account_namespace: String,
        /// The service account, where the token names it.
        account: Option<String>,
        /// The Secrets to be read; empty if all were to be listed.
        names: Vec<String>,
    },
    /// 401.
    #[error(
        "the API server does not accept the pod's token (audience {audiences:?}): set serviceAccountTokenAudience in the kubelet's CredentialProviderConfig to an audience of the API server, usually its issuer; the token may also have expired, or its pod be gone"
    )]
    Unauthorized {
        /// The audiences of the token.
        audiences: Vec<String>,
    },
    /// No usable response.
    #[error(transparent)]
    Client(ClientError),
    /// A 200 that is not a list of Secrets: a login page, or another service.
    #[error("the answer is not a SecretList: is this the API server?")]
    NoList(#[source] Option<DecodeError>),
    /// A 200 that is not a Secret.
    #[error("the answer is not a Secret: is this the API server?")]
    NoSecret(#[source] Option<DecodeError>),
    /// The deadline passed while the Secrets were decoded and compared, not while the
    /// server was waited for.
    #[error(transparent)]
    Elapsed(Elapsed),
    /// The list does not come to an end.
    #[error("the list of secrets expired {MAX_RESTARTS} times while it was read")]
    Expired,
}

/// The request that was refused, for messages.
fn wish(names: &[String]) -> String {
    if names.is_empty() {
        return "list secrets".to_owned();
    }
    format!("get secrets {}", names.join(", "))
}

/// The commands for the Role and the `RoleBinding` that let an account read Secrets of a
/// namespace, in one line that an administrator can run. Names of Secrets are DNS
/// subdomains; the account's name comes from a token.
pub fn grant(
    namespace: &str,
    (account_namespace, account): (&str, Option<&str>),
    names: &[String],
) -> String {
    let plain = |name: &&str| {
        name.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
    };
    let account = account.filter(plain).unwrap_or("SERVICEACCOUNT");
    let verb = if names.is_empty() { "list" } else { "get" };
    let each = |name| [" --resource-name=", name].concat();
    let names: Vec<_> = names.iter().map(String::as_str).map(each).collect();
    let names = names.concat();
    format!(
        "kubectl -n {namespace} create role image-pull-secrets --verb={verb} --resource=secrets{names}; kubectl -n {namespace} create rolebinding image-pull-secrets --role=image-pull-secrets --serviceaccount={account_namespace}:{account}"
    )
}

/// Reads the pull Secrets of the account's namespace and passes each on, usable or not:
/// those of `names` in their order, or all if there are no `names`.
///
/// # Errors
/// [`SecretsError`], and that of `visit`; some Secrets may have been passed on before.
pub fn for_each_secret(
    client: &Client,
    account: &ServiceAccount,
    names: Option<&SecretNames>,
    mut visit: impl FnMut(Listed) -> Result<(), Elapsed>,
) -> Result<(), SecretsError> {
    match names {
        None => list(client, account, &mut visit),
        Some(names) => {
            for name in names.names() {
                let namespace = &account.namespace;
                let secret = get(client, namespace, name);
                let secret =
                    secret.map_err(|error| explain(error, account, namespace, names.names()))?;
                visit(secret).map_err(SecretsError::Elapsed)?;
            }
            Ok(())
        }
    }
}

/// Reads one Secret of a namespace, which need not be the account's.
///
/// # Errors
/// [`SecretsError`].
pub fn read_shared(
    client: &Client,
    account: &ServiceAccount,
    namespace: &Namespace,
    name: &str,
) -> Result<Listed, SecretsError> {
    let names = [name.to_owned()];
    get(client, namespace, name).map_err(|error| explain(error, account, namespace, &names))
}

/// Reads one Secret. A 404 means that it does not exist only if it is the API server's
/// own response.
fn get(client: &Client, namespace: &Namespace, name: &str) -> Result<Listed, SecretsError> {
    let path = format!("/api/v1/namespaces/{namespace}/secrets/{name}");
    match client.get(&path, read::MAX_SECRET_BYTES) {
        Ok(body) => read_named(&body, name),
        Err(ClientError::Refused(refusal))
            if refusal.status == StatusCode::NOT_FOUND && refusal.message.is_some() =>
        {
            Ok(Err(UnusableSecret {
                name: name.to_owned(),
                problem: SecretProblem::NotFound,
            }))
        }
        Err(error) => Err(SecretsError::Client(error)),
    }
}

fn list(
    client: &Client,
    account: &ServiceAccount,
    visit: &mut impl FnMut(Listed) -> Result<(), Elapsed>,
) -> Result<(), SecretsError> {
    let mut limit = PAGE;
    let mut restarts = 0;
    let mut count = 0;
    let mut continue_token: Option<String> = None;
    let mut buffer = Wiped::default();
    loop {
        let path = path(account, limit, continue_token.as_deref());
        let mut page = Err(SecretsError::NoList(None));
        let asked = client.stream(&path, &mut |body| {
            page = read_page(body, &mut buffer, visit)?;
            Ok(())
        });
        match asked {
            Ok(()) => {}
            Err(ClientError::TooLarge(read::MAX_PAGE_BYTES)) if limit > SMALL_PAGE => {
                limit = SMALL_PAGE;
                debug!(limit, "the page is too large, ask for a smaller one");
                continue;
            }
            Err(ClientError::Refused(refusal))
                if refusal.status == StatusCode::GONE && continue_token.is_some() =>
            {
                restarts += 1;
                if restarts > MAX_RESTARTS {
                    return Err(SecretsError::Expired);
                }
                debug!("the continue token expired, start the list again");
                continue_token = None;
                continue;
            }
            Err(ClientError::Elapsed(elapsed)) => return Err(SecretsError::Elapsed(elapsed)),
            Err(error) => {
                let error = SecretsError::Client(error);
                return Err(explain(error, account, &account.namespace, &[]));
            }
        }
        let page = page?;
        count += page.secrets;
        continue_token = page.continue_token;
        if continue_token.is_none() {
            debug!(count, "listed secrets");
            return Ok(());
        }
    }
}

impl SecretsError {
    /// Whether the API server refused the account: 401 or 403.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Forbidden { .. } | Self::Unauthorized { .. })
    }
}

/// Turns the two refusals that have a usual cause into errors with a remedy.
fn explain(
    error: SecretsError,
    account: &ServiceAccount,
    namespace: &Namespace,
    names: &[String],
) -> SecretsError {
    let SecretsError::Client(ClientError::Refused(refusal)) = &error else {
        return error;
    };
    match refusal.status {
        StatusCode::UNAUTHORIZED => SecretsError::Unauthorized {
            audiences: account.audiences.clone(),
        },
        StatusCode::FORBIDDEN => SecretsError::Forbidden {
            namespace: namespace.to_string(),
            account_namespace: account.namespace.to_string(),
            account: account.name.clone(),
            names: names.to_vec(),
        },
        _ => error,
    }
}

fn path(account: &ServiceAccount, limit: usize, continue_token: Option<&str>) -> String {
    let namespace = account.namespace.as_str();
    let selector = OTHER_TYPES.map(|name| format!("type!={name}")).join(",");
    let selector = utf8_percent_encode(&selector, &RESERVED);
    let mut path =
        format!("/api/v1/namespaces/{namespace}/secrets?fieldSelector={selector}&limit={limit}");
    if let Some(token) = continue_token {
        path.push_str("&continue=");
        path.extend(utf8_percent_encode(token, &RESERVED));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_command_that_grants_the_permission() {
        let error = SecretsError::Forbidden {
            namespace: "team-a".to_owned(),
            account_namespace: "team-a".to_owned(),
            account: Some("$(reboot)".to_owned()),
            names: Vec::new(),
        };
        let line = error.to_string();
        assert!(line.contains("kubectl -n team-a create role"), "{line}");
        assert!(
            line.contains("--serviceaccount=team-a:SERVICEACCOUNT"),
            "{line}"
        );
    }

    #[test]
    fn a_refusal_to_read_some_secrets_names_a_role_for_these_alone() {
        let error = SecretsError::Forbidden {
            namespace: "team-a".to_owned(),
            account_namespace: "team-a".to_owned(),
            account: Some("app".to_owned()),
            names: vec!["a".to_owned(), "b.c".to_owned()],
        };
        let expected = "service account \"app\" may not get secrets a, b.c: \
            kubectl -n team-a create role image-pull-secrets --verb=get --resource=secrets --resource-name=a --resource-name=b.c; \
            kubectl -n team-a create rolebinding image-pull-secrets --role=image-pull-secrets --serviceaccount=team-a:app";
        assert_eq!(error.to_string(), expected);
    }
}
