//! Service-account tokens: issues tokens like those of a real API server, and
//! authenticates them.

use std::{
    collections::{BTreeMap, HashMap},
    time::SystemTime,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::ServiceAccount;
use crate::{clock, random};

/// The audience the server accepts, and the issuer of its tokens.
const AUDIENCE: &str = "https://kubernetes.default.svc";

/// How long a token is valid: an hour, in seconds.
const LIFETIME: u64 = 60 * 60;

/// The claims of a token. [`TokenOptions::new`] gives those that kubelet requests for a
/// pod of that service account on a node.
#[derive(Debug, Clone)]
pub struct TokenOptions {
    /// Namespace of the service account.
    pub namespace: String,
    /// Name of the service account.
    pub service_account: String,
    /// The claim `aud`. The server accepts a token only if
    /// `https://kubernetes.default.svc` is among them.
    pub audiences: Vec<String>,
    /// Whether it has expired.
    pub expired: bool,
    /// Whether the pod that it is bound to was deleted.
    pub pod_deleted: bool,
}

/// The tokens issued so far; the server accepts no others.
#[derive(Debug)]
pub(crate) struct Tokens {
    key_id: String,
    uids: BTreeMap<ServiceAccount, String>,
    issued: HashMap<String, Issued>,
}

#[derive(Debug)]
struct Issued {
    account: ServiceAccount,
    audiences: Vec<String>,
    expires: u64,
    pod_deleted: bool,
}

impl TokenOptions {
    /// A token of that service account for the API server, valid for an hour
    /// and bound to a pod on a node.
    pub fn new(namespace: &str, service_account: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            service_account: service_account.to_owned(),
            ..Self::default()
        }
    }
}

impl Default for TokenOptions {
    fn default() -> Self {
        Self {
            namespace: "default".to_owned(),
            service_account: "default".to_owned(),
            audiences: vec![AUDIENCE.to_owned()],
            expired: false,
            pod_deleted: false,
        }
    }
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            key_id: URL_SAFE_NO_PAD.encode(random::bytes::<32>()),
            uids: BTreeMap::new(),
            issued: HashMap::new(),
        }
    }
}

impl Tokens {
    /// Issues a token.
    pub(crate) fn issue(&mut self, options: TokenOptions) -> String {
        let account = ServiceAccount::new(&options.namespace, &options.service_account);
        let uid = self
            .uids
            .entry(account.clone())
            .or_insert_with(random::uuid);
        let now = clock::unix_seconds(SystemTime::now());
        // An expired token has ended one minute ago.
        let issued_at = if options.expired {
            now.saturating_sub(LIFETIME + 60)
        } else {
            now
        };
        let expires = issued_at + LIFETIME;
        let header = format!(r#"{{"alg":"RS256","kid":"{}"}}"#, self.key_id);
        let claims = claims(&options, &account, uid, issued_at, expires);
        let token = format!(
            "{}.{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims.to_string()),
            URL_SAFE_NO_PAD.encode(random::bytes::<256>()),
        );
        let record = Issued {
            account,
            audiences: options.audiences,
            expires,
            pod_deleted: options.pod_deleted,
        };
        self.issued.insert(token.clone(), record);
        token
    }

    /// The owner of a token, if the server accepts it.
    pub(crate) fn authenticate(&self, token: &str) -> Option<ServiceAccount> {
        let issued = self.issued.get(token)?;
        let accepted = issued.audiences.iter().any(|audience| audience == AUDIENCE)
            && issued.expires > clock::unix_seconds(SystemTime::now())
            && !issued.pod_deleted;
        accepted.then(|| issued.account.clone())
    }
}

fn claims(
    options: &TokenOptions,
    account: &ServiceAccount,
    uid: &str,
    issued_at: u64,
    expires: u64,
) -> Value {
    json!({
        "aud": options.audiences,
        "exp": expires,
        "iat": issued_at,
        "iss": AUDIENCE,
        "jti": random::uuid(),
        "kubernetes.io": {
            "namespace": account.namespace,
            "node": {"name": "127.0.0.1", "uid": random::uuid()},
            "pod": {"name": "test-pod", "uid": random::uuid()},
            "serviceaccount": {"name": account.name, "uid": uid},
        },
        "nbf": issued_at,
        "sub": account.to_string(),
    })
}
