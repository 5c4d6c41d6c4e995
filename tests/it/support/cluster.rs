//! A cluster with one namespace, one service account that may list Secrets
//! there, and the token of its pod.

use serde_json::json;
use test_cluster::{ApiServer, Builder, Secret};

use super::base64;

/// The pod's namespace.
pub(crate) const NAMESPACE: &str = "team-a";
/// The pod's service account.
pub(crate) const ACCOUNT: &str = "builder";

/// An API server and the token that kubelet got for a pod.
pub(crate) struct Cluster {
    pub(crate) server: ApiServer,
    pub(crate) token: String,
}

impl Cluster {
    /// A cluster without any Secret.
    pub(crate) fn new() -> Self {
        Self::of(ApiServer::builder())
    }

    /// A cluster with a server from this builder.
    pub(crate) fn of(builder: Builder) -> Self {
        let server = builder.start();
        server.grant(NAMESPACE, ACCOUNT);
        let token = server.token(NAMESPACE, ACCOUNT);
        Self { server, token }
    }

    /// A cluster with these Secrets in the pod's namespace.
    pub(crate) fn with(secrets: impl IntoIterator<Item = Secret>) -> Self {
        let cluster = Self::new();
        for secret in secrets {
            cluster.put(secret);
        }
        cluster
    }

    /// A cluster with the login `user:hunter2` for the mirror of
    /// [`Node::with_mirror`](super::Node::with_mirror).
    pub(crate) fn with_login() -> Self {
        Self::with([login("pull", "mirror.example", "user:hunter2")])
    }

    /// Puts a Secret into the pod's namespace.
    pub(crate) fn put(&self, secret: Secret) {
        self.server.put_secret(NAMESPACE, secret);
    }

    /// The port of the server.
    pub(crate) fn port(&self) -> u16 {
        self.server.address().port()
    }
}

/// A Secret as `kubectl create secret docker-registry` makes it, with one login
/// `user:password`.
pub(crate) fn login(name: &str, key: &str, login: &str) -> Secret {
    Secret::docker_config_json(name, &docker_config(&[(key, login)]))
}

/// A docker config with logins, `user:password`, under these keys.
pub(crate) fn docker_config(logins: &[(&str, &str)]) -> String {
    let auths: serde_json::Map<_, _> = logins
        .iter()
        .map(|&(key, login)| (key.to_owned(), json!({"auth": base64(login)})))
        .collect();
    json!({"auths": auths}).to_string()
}
