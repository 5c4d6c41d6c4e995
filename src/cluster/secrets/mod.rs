//! The pull Secrets of a namespace: two lists, page by page, over one connection
//! (SPEC section 4).
//!
//! A page is decoded and handed on before the next one is asked for, so memory
//! holds one page at a time, whatever a tenant puts into the namespace.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::value::RawValue;
use tracing::debug;
use ureq::http::StatusCode;
use zeroize::Zeroizing;

use super::client::{Client, ClientError};
use crate::credentials::{BASE64, Format};
use crate::json::Object;
use crate::secret::DecodeError;
use crate::service_account::ServiceAccount;

/// Secrets a page, as kubectl asks for.
const PAGE: usize = 500;
/// The largest page that is held: 8 MiB. A Secret has at most 1 MiB of data, so
/// a page that is larger is asked for again with fewer Secrets.
const MAX_PAGE_BYTES: usize = 8 * 1024 * 1024;
/// How often a list starts again because its continue token expired.
const MAX_RESTARTS: u32 = 3;

/// Everything but the unreserved characters of RFC 3986, section 2.3.
const RESERVED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The two types of Secrets with registry logins, in the order they are listed.
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
    /// The layout of what they hold.
    pub format: Format,
}

/// What comes after a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageEnd {
    /// How many Secrets the page had, usable or not.
    pub secrets: usize,
    /// What asks for the next page; `None`: this was the last.
    pub continue_token: Option<String>,
}

/// The docker config of one Secret.
#[derive(Debug)]
pub struct SecretDoc {
    /// The Secret's name.
    pub name: String,
    /// Its text.
    pub docker_config: Zeroizing<Vec<u8>>,
    /// The layout of the text.
    pub format: Format,
}

/// A Secret that holds no docker config, and why. Never holds any part of its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusableSecret {
    /// The Secret's name; empty where it has none.
    pub name: String,
    /// What is wrong with it.
    pub problem: SecretProblem,
}

/// Why a Secret cannot be used; the others still count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretProblem {
    /// It does not even have a name.
    #[error("a secret without a name")]
    Name(#[source] DecodeError),
    /// What its type demands is not in its data.
    #[error("no {0:?} in its data")]
    Missing(&'static str),
    /// The data is of an unexpected type.
    #[error("decode its data")]
    Data(#[source] DecodeError),
    /// The docker config is not base64.
    #[error("{0:?} is not base64")]
    Base64(&'static str),
}

/// A Secret of a list, usable or not.
pub type Listed = Result<SecretDoc, UnusableSecret>;

/// Why the Secrets cannot be listed.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// 403.
    #[error(
        "service account {:?} may not list secrets: {}",
        .account.as_deref().unwrap_or("?"),
        grant(.namespace, .account.as_deref())
    )]
    Forbidden {
        /// The namespace.
        namespace: String,
        /// The service account, where the token names it.
        account: Option<String>,
    },
    /// 401.
    #[error(
        "the API server does not accept the pod's token (audience {audiences:?}): set serviceAccountTokenAudience in the kubelet's CredentialProviderConfig to an audience of the API server, usually its issuer; the token may also have expired, or its pod be gone"
    )]
    Unauthorized {
        /// The audiences of the token.
        audiences: Vec<String>,
    },
    /// No usable answer.
    #[error(transparent)]
    Client(ClientError),
    /// A 200 that is no list of Secrets: a login page, another service.
    #[error("the answer is no SecretList: is this the API server?")]
    NoList(#[source] Option<DecodeError>),
    /// The list never comes to its end.
    #[error("the list of secrets expired {MAX_RESTARTS} times while it was read")]
    Expired,
}

/// One line that an administrator can run.
fn grant(namespace: &str, account: Option<&str>) -> String {
    let plain = |name: &&str| {
        name.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
    };
    let account = account.filter(plain).unwrap_or("SERVICEACCOUNT");
    format!(
        "kubectl -n {namespace} create role image-pull-secrets --verb=list --resource=secrets && kubectl -n {namespace} create rolebinding image-pull-secrets --role=image-pull-secrets --serviceaccount={namespace}:{account}"
    )
}

#[derive(Deserialize)]
struct List<'a> {
    kind: Cow<'a, str>,
    #[serde(default)]
    metadata: Object<ListMeta>,
    #[serde(default, borrow)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize, Default)]
struct ListMeta {
    #[serde(default, rename = "continue")]
    continue_token: Option<String>,
}

#[derive(Deserialize)]
struct Item<'a> {
    metadata: Object<ItemMeta>,
    #[serde(default, borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ItemMeta {
    name: String,
}

/// Lists all pull Secrets of the account's namespace and hands each on, usable or not.
///
/// # Errors
/// [`SecretsError`]; some Secrets may have been handed on before.
pub fn for_each_secret(
    client: &Client,
    account: &ServiceAccount,
    mut visit: impl FnMut(Listed),
) -> Result<(), SecretsError> {
    for kind in &SECRET_TYPES {
        let count = list(client, account, kind, &mut visit)?;
        debug!(r#type = kind.name, count, "listed secrets");
    }
    Ok(())
}

fn list(
    client: &Client,
    account: &ServiceAccount,
    kind: &SecretType,
    visit: &mut impl FnMut(Listed),
) -> Result<usize, SecretsError> {
    let mut limit = PAGE;
    let mut restarts = 0;
    let mut count = 0;
    let mut continue_token: Option<String> = None;
    loop {
        let path = path(account, kind, limit, continue_token.as_deref());
        let page = match client.get(&path, MAX_PAGE_BYTES) {
            Ok(page) => page,
            Err(ClientError::TooLarge(_)) if limit > 1 => {
                limit = (limit / 8).max(1);
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
            Err(error) => return Err(explain(error, account)),
        };
        let read = read_page(&page, kind.format, visit)?;
        count += read.secrets;
        continue_token = read.continue_token;
        if continue_token.is_none() {
            return Ok(count);
        }
    }
}

/// Says what to do about the two refusals that have a usual cause.
fn explain(error: ClientError, account: &ServiceAccount) -> SecretsError {
    let ClientError::Refused(refusal) = &error else {
        return SecretsError::Client(error);
    };
    match refusal.status {
        StatusCode::UNAUTHORIZED => SecretsError::Unauthorized {
            audiences: account.audiences.clone(),
        },
        StatusCode::FORBIDDEN => SecretsError::Forbidden {
            namespace: account.namespace.to_string(),
            account: account.name.clone(),
        },
        _ => SecretsError::Client(error),
    }
}

fn path(
    account: &ServiceAccount,
    kind: &SecretType,
    limit: usize,
    continue_token: Option<&str>,
) -> String {
    let namespace = account.namespace.as_str();
    let selector = format!("type={}", kind.name);
    let selector = utf8_percent_encode(&selector, &RESERVED);
    let mut path =
        format!("/api/v1/namespaces/{namespace}/secrets?fieldSelector={selector}&limit={limit}");
    if let Some(token) = continue_token {
        path.push_str("&continue=");
        path.extend(utf8_percent_encode(token, &RESERVED));
    }
    path
}

/// Decodes one page of a list of Secrets of one type and hands each on, usable or not.
///
/// # Errors
/// [`SecretsError::NoList`].
pub fn read_page(
    page: &[u8],
    format: Format,
    visit: &mut impl FnMut(Listed),
) -> Result<PageEnd, SecretsError> {
    let Object(list): Object<List<'_>> =
        serde_json::from_slice(page).map_err(|error| SecretsError::NoList(Some(error.into())))?;
    if list.kind != "SecretList" {
        return Err(SecretsError::NoList(None));
    }
    let mut secrets = 0;
    for item in list.items.into_iter().flatten() {
        secrets += 1;
        visit(read_secret(item, format));
    }
    let continue_token = list.metadata.0.continue_token;
    Ok(PageEnd {
        secrets,
        continue_token: continue_token.filter(|token| !token.is_empty()),
    })
}

/// Decodes one Secret of a type with that layout, as the API server prints it.
///
/// # Errors
/// [`UnusableSecret`]; those that come with it in a list still count.
pub fn read_secret(item: &RawValue, format: Format) -> Listed {
    let unusable = |name: String, problem| UnusableSecret { name, problem };
    let Object(item): Object<Item<'_>> = serde_json::from_str(item.get())
        .map_err(|error| unusable(String::new(), SecretProblem::Name(error.into())))?;
    let name = item.metadata.0.name;
    match docker_config(item.data, data_key(format)) {
        Ok(docker_config) => Ok(SecretDoc {
            name,
            docker_config,
            format,
        }),
        Err(problem) => Err(unusable(name, problem)),
    }
}

fn docker_config(
    data: Option<&RawValue>,
    key: &'static str,
) -> Result<Zeroizing<Vec<u8>>, SecretProblem> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

    let undecodable = |error: serde_json::Error| SecretProblem::Data(error.into());
    let data = data.ok_or(SecretProblem::Missing(key))?;
    let fields: BTreeMap<Cow<'_, str>, &RawValue> =
        serde_json::from_str(data.get()).map_err(undecodable)?;
    let value = fields.get(key).ok_or(SecretProblem::Missing(key))?;
    let Text(text) = serde_json::from_str(value.get()).map_err(undecodable)?;
    let text = Zeroizing::new(text.into_owned());
    BASE64
        .decode(text.as_bytes())
        .map(Zeroizing::new)
        .map_err(|_position| SecretProblem::Base64(key))
}

/// The field of a Secret's data that holds a docker config of that layout.
pub fn data_key(format: Format) -> &'static str {
    match format {
        Format::DockerConfigJson => ".dockerconfigjson",
        Format::DockerCfg => ".dockercfg",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body of a recorded answer: what follows the request and the headers.
    fn body(recording: &str) -> &[u8] {
        let start = recording.find("\n{").unwrap();
        recording.get(start..).unwrap().as_bytes()
    }

    fn read(page: &[u8], format: Format) -> (Vec<(String, String)>, Result<PageEnd, SecretsError>) {
        let mut found = Vec::new();
        let end = read_page(page, format, &mut |secret: Listed| {
            let Ok(secret) = secret else { return };
            let text = String::from_utf8(secret.docker_config.to_vec()).unwrap();
            found.push((secret.name, text));
        });
        (found, end)
    }

    #[test]
    fn recorded_pages_are_read() {
        let recording =
            include_str!("../../tests/data/recordings/02c-list-compact-non-curl-ua.txt");
        let (found, end) = read(body(recording), Format::DockerConfigJson);
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["b-secret", "c-secret", "my-secret"]);
        assert!(
            found[2]
                .1
                .starts_with(r#"{"auths":{"http://localhost:5000""#)
        );
        assert_eq!(
            end.unwrap(),
            PageEnd {
                secrets: 3,
                continue_token: None
            }
        );

        let recording = include_str!("../../tests/data/recordings/04-list-limit1-page1.txt");
        let (_, end) = read(body(recording), Format::DockerConfigJson);
        let token = include_str!("../../tests/data/recordings/continue-token-page2.txt");
        assert_eq!(end.unwrap().continue_token.as_deref(), Some(token.trim()));

        let recording = include_str!("../../tests/data/recordings/11-list-dockercfg.txt");
        assert_eq!(read(body(recording), Format::DockerCfg).0.len(), 1);
    }

    #[test]
    fn one_unusable_secret_leaves_the_others() {
        let page = r#"{"kind":"SecretList","items":[5,{"metadata":{}},{"metadata":{"name":7}},
            {"metadata":{"name":"none"}},{"metadata":{"name":"null"},"data":null},
            {"metadata":{"name":"other"},"data":{"x":"eA=="}},
            {"metadata":{"name":"type"},"data":{".dockerconfigjson":{"hunter2":1}}},
            {"metadata":{"name":"base64"},"data":{".dockerconfigjson":"*"}},
            {"metadata":{"name":"good"},"data":{".dockerconfigjson":"e30="}}]}"#;
        let (found, end) = read(page.as_bytes(), Format::DockerConfigJson);
        assert_eq!(found, [("good".to_owned(), "{}".to_owned())]);
        assert_eq!(end.unwrap().secrets, 9);
    }

    #[test]
    fn what_is_no_list_of_secrets_is_refused() {
        for page in [
            "",
            "<html>",
            "[]",
            "{}",
            r#"{"kind":"Status"}"#,
            r#"{"kind":"PodList","items":[]}"#,
        ] {
            let (_, end) = read(page.as_bytes(), Format::DockerConfigJson);
            assert!(matches!(end, Err(SecretsError::NoList(_))), "{page}");
        }
        let deep = format!(r#"{{"kind":"SecretList","items":{}"#, "[".repeat(100_000));
        assert!(read(deep.as_bytes(), Format::DockerConfigJson).1.is_err());
    }

    #[test]
    fn a_refusal_names_the_command_that_grants_the_permission() {
        let error = SecretsError::Forbidden {
            namespace: "team-a".to_owned(),
            account: Some("$(reboot)".to_owned()),
        };
        let line = error.to_string();
        assert!(line.contains("kubectl -n team-a create role"), "{line}");
        assert!(
            line.contains("--serviceaccount=team-a:SERVICEACCOUNT"),
            "{line}"
        );
    }
}
